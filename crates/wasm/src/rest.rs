//! The second half of the core, from the first half's side.
//!
//! The build splits the core in two modules (`xtask/src/split.rs`). The page brings the second one
//! once the first picture stands; what is called before that has the worker load it at once.

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Loads and installs the second module before it returns. Throws when it cannot be loaded,
    /// which ends this worker; the page says why and starts another.
    #[wasm_bindgen(js_namespace = globalThis, js_name = fetchRest)]
    fn fetch_rest();
}

/// What a function that has moved to the second module calls while that is not there.
#[wasm_bindgen(js_name = loadRest)]
pub fn load_rest() {
    fetch_rest();
}
