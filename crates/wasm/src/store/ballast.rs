//! Bytes that are stored only to be given up: when storage is full, deleting must still fit.
//!
//! They lie in a database of their own, because a browser frees a database that is deleted at once, and a
//! deleted value when it pleases.

use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::error::{Kind, StoreError};
use super::registry::Small;
use super::sys::property;
use super::{fail, workspaces};

const BALLAST: &str = "brooklet ballast";
const STORE: &str = "ballast";
/// How much it is: enough for some thousand topics' worth of metadata.
const BYTES: usize = 256 << 10;
/// Room that there must be beside it, by the browser's own estimate: a browser may answer from what it
/// once found free.
const SPARE: f64 = 512.0 * 1024.0;

/// Sees to it that the ballast is stored.
///
/// # Errors
/// `Quota` when there is no room for it; others when nothing is known about that.
pub(crate) async fn stow() -> Result<(), StoreError> {
    let database = Small::open(BALLAST, BALLAST, STORE).await?;
    let key = JsValue::from_f64(0.0);
    if database.count(STORE, &key).await? > 0.0 {
        return Ok(());
    }
    if room().await.is_some_and(|room| room < BYTES as f64 + SPARE) {
        return Err(fail(BALLAST, Kind::Quota, "estimate".to_string()));
    }
    // No run of bytes that a database would store as less.
    let mut state = 1u32;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(BYTES)
    .collect();
    let value = Uint8Array::from(bytes.as_slice());
    database.put(STORE, &key, &value).await
}

/// Gives it up.
///
/// # Errors
/// Those of deleting a database.
pub(crate) async fn give_up() -> Result<(), StoreError> {
    workspaces::delete_named(BALLAST, BALLAST).await
}

/// Bytes that the browser would still store, where it says so.
async fn room() -> Option<f64> {
    let storage = property(&property(&js_sys::global(), "navigator"), "storage");
    let estimate: Function = property(&storage, "estimate").dyn_into().ok()?;
    let asked: Promise = estimate.call0(&storage).ok()?.dyn_into().ok()?;
    let found = JsFuture::from(asked).await.ok()?;
    let number = |name| property(&found, name).as_f64();
    Some(number("quota")? - number("usage")?)
}
