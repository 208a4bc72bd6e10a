//! The playground: the `brooklet-wasm` crate to `web/wasm/`, the page to `dist/`.

use std::path::{Path, PathBuf};

use wasm_bindgen_cli_support::Bindgen;

use crate::process::{command, must_run, target};
use crate::root;
use crate::setup;
use crate::steps::{Did, step, when_changed};
use crate::trouble::{Outcome, Trouble};

/// The target of what the browser runs.
pub(crate) const BROWSER_TARGET: &str = "wasm32-unknown-unknown";

/// One step of the build: its title, and what does it.
type Step = (&'static str, fn() -> Outcome<Did>);

/// The core and its bindings; the page's types come from them.
const CORE: [Step; 3] = [
    ("Rust target for the browser", || {
        setup::rust_target(BROWSER_TARGET)
    }),
    ("core to WebAssembly", compile),
    ("its JavaScript bindings", bind),
];

const PAGE: [Step; 2] = [("npm packages", setup::npm_packages), ("page (vite)", page)];

/// Sets up and builds the whole playground and says so; a second call does only what has changed.
pub(crate) fn everything() -> Outcome {
    CORE.iter()
        .chain(&PAGE)
        .try_for_each(|(title, work)| step(title, work))
}

/// The same without a word.
pub(crate) fn everything_quietly() -> Outcome {
    CORE.iter()
        .chain(&PAGE)
        .try_for_each(|(_, work)| work().map(|_| ()))
}

/// The core and its bindings alone.
pub(crate) fn core_quietly() -> Outcome {
    CORE.iter().try_for_each(|(_, work)| work().map(|_| ()))
}

fn compile() -> Outcome<Did> {
    let arguments = [
        "build",
        "--locked",
        "-p",
        "brooklet-wasm",
        "--profile=wasm",
        "--target",
        BROWSER_TARGET,
    ];
    // Cargo knows best whether anything changed.
    must_run("core", &mut command("cargo", &arguments)).map(|()| Did::Work)
}

fn bind() -> Outcome<Did> {
    let module = target()
        .join(BROWSER_TARGET)
        .join("wasm/brooklet_wasm.wasm");
    let folder = root().join("web/wasm");
    let bound = folder.join("brooklet_wasm_bg.wasm");
    when_changed("bindings", std::slice::from_ref(&module), &bound, || {
        generate(&module, &folder)
    })
}

/// The core with what only the store's browser tests call, and its bindings: the folder of both.
pub(crate) fn store_test() -> Outcome<PathBuf> {
    let package = ["-p", "brooklet-wasm", "--features", "store-test"];
    let mut cargo = command("cargo", &["build", "--locked", "--target", BROWSER_TARGET]);
    must_run("store-test", cargo.args(package))?;
    let module = target()
        .join(BROWSER_TARGET)
        .join("debug/brooklet_wasm.wasm");
    let folder = target().join("store-test");
    generate(&module, &folder).map(|()| folder)
}

fn generate(module: &Path, folder: &Path) -> Outcome {
    let failed = |e| Trouble::Failed(format!("could not bind {}: {e:#}.", module.display()));
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .typescript(true)
        // Names of functions are a quarter of what a visitor would load.
        .remove_name_section(true)
        .remove_producers_section(true)
        .omit_default_module_path(true);
    bindgen
        .web(true)
        .and_then(|web| web.generate(folder))
        .map_err(failed)
}

fn page() -> Outcome<Did> {
    let root = root();
    let inputs = ["web", "index.html", "vite.config.ts", "package-lock.json"];
    let inputs = inputs.map(|name| root.join(name));
    when_changed("page", &inputs, &root.join("dist/index.html"), || {
        must_run("vite", &mut command("npm", &["run", "--silent", "build"]))
    })
}
