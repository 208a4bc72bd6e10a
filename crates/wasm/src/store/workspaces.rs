//! The workspaces of this browser: listed, named, measured, deleted.
//!
//! What a person calls a workspace and how large it is lie in a small database of their own
//! ([`super::registry`]), because looking at the list must not touch a workspace that another tab owns.
//! Deleting one hides it; it goes for good when the next one is deleted, when the page is loaded again, or
//! when storage is short.

use std::future::poll_fn;

use idb::{Factory, Request};
use js_sys::Array;
use sorted::SortedMap;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::IdbFactory;

use super::error::{Kind, StoreError};
use super::fail;
use super::place::{self, Place};
use super::registry::Registry;
pub use super::registry::Workspace;
use super::sys::{ListingFactory, Slot, property, within};
use crate::owner;

/// How long a deletion may wait for connections to close, in milliseconds.
const DELETE_LIMIT_MS: i32 = 5_000;

/// All workspaces, by id: those with a row in the list and those with a database. What is kept of one
/// besides counts among its bytes; one that is deleted is left out.
///
/// # Errors
/// `Unavailable`, `Unreadable`.
pub async fn list() -> Result<Vec<Workspace>, StoreError> {
    let mut workspaces: SortedMap<String, Workspace> = SortedMap::new();
    for mut workspace in registered().await? {
        workspace.bytes += workspace.former.as_ref().map_or(0.0, |former| former.bytes);
        workspaces.insert(workspace.id.clone(), workspace);
    }
    if let Some(names) = database_names().await {
        workspaces
            .values_mut()
            .for_each(|workspace| workspace.stored = Some(false));
        for place in names.iter().filter_map(|name| Place::of_database(name)) {
            let workspace = workspaces.entry(place.workspace.clone()).or_default();
            workspace.id = place.workspace;
            workspace.stored = Some(true);
        }
    }
    Ok(workspaces
        .into_values()
        .filter(|workspace| workspace.deleted == 0.0)
        .collect())
}

/// Gives a workspace a title.
///
/// # Errors
/// `Unavailable`, `Quota`, `Aborted`.
pub async fn rename(id: &str, title: &str) -> Result<(), StoreError> {
    update(id, |workspace| workspace.title = title.to_string()).await
}

/// Notes that a workspace is in use and how many bytes are stored of it.
///
/// # Errors
/// As [`rename`].
pub async fn record_use(id: &str, bytes: u64) -> Result<(), StoreError> {
    update(id, |workspace| {
        workspace.bytes = bytes as f64;
        workspace.used = js_sys::Date::now();
    })
    .await
}

/// Hides a workspace; whatever else is deleted goes for good.
///
/// # Errors
/// `InUse` while a tab owns it (this one included).
pub async fn delete(id: &str) -> Result<(), StoreError> {
    let _lock = owner::acquire_idle(id).await?;
    let hidden = update(id, |workspace| workspace.deleted = js_sys::Date::now()).await;
    match hidden {
        Ok(()) => {
            // One that is in use after all, or blocked, goes another time.
            let _ = sweep(Some(id)).await;
            Ok(())
        }
        // Where nothing can be noted any more, deleting is the way out.
        Err(error) if error.kind == Kind::Quota => erase(id).await,
        Err(error) => Err(error),
    }
}

/// Brings a workspace back that was deleted.
///
/// # Errors
/// `Wiped` when it is gone for good, `InUse` when a tab has opened it anew.
pub async fn undelete(id: &str) -> Result<(), StoreError> {
    let _lock = owner::acquire_idle(id).await?;
    let registry = Registry::open(id).await?;
    registry
        .change(|row| match row {
            Some(mut workspace) if workspace.deleted > 0.0 => {
                workspace.deleted = 0.0;
                Ok(Some(workspace))
            }
            _ => Err(fail(id, Kind::Wiped, String::new())),
        })
        .await
        .map(drop)
}

/// Deletes for good what a person deleted, except the workspace `but`; says whether that was anything.
///
/// # Errors
/// `Unavailable`, `Unreadable`; `InUse`, `Blocked` when one of them stays.
pub async fn sweep(but: Option<&str>) -> Result<bool, StoreError> {
    let (mut swept, mut outcome) = (false, Ok(()));
    for workspace in registered().await? {
        if workspace.deleted == 0.0 || Some(workspace.id.as_str()) == but {
            continue;
        }
        let gone = async {
            let _lock = owner::acquire_idle(&workspace.id).await?;
            erase(&workspace.id).await
        };
        let gone = gone.await;
        swept |= gone.is_ok();
        outcome = outcome.and(gone);
    }
    outcome.map(|()| swept)
}

/// Lets go of what workspaces that no tab owns held before they were started over.
///
/// # Errors
/// As [`sweep`].
pub async fn sweep_formers() -> Result<(), StoreError> {
    for workspace in registered().await? {
        let id = workspace.id.as_str();
        if workspace.former.is_none() && workspace.doomed.is_empty() {
            continue;
        }
        // Its owner sees to it otherwise.
        if let Ok(_lock) = owner::acquire_idle(id).await {
            let mut claim = place::Claim::of(workspace);
            claim.forget_former().await?;
            claim.sweep().await?;
        }
    }
    Ok(())
}

/// Deletes all databases of a workspace, then its row. For whoever holds its lock.
async fn erase(id: &str) -> Result<(), StoreError> {
    let registry = Registry::open(id).await?;
    let rows = registry.rows().await?;
    let mut numbers = numbers_of(id).await;
    for row in rows.into_iter().filter(|row| row.id == id) {
        numbers.push(row.database);
        numbers.extend(row.former.map(|former| former.database));
        numbers.extend(row.doomed);
    }
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        let workspace = id.to_string();
        delete_database(&Place { workspace, number }).await?;
    }
    registry.change(|_| Ok(None)).await.map(drop)
}

/// Deletes a database; that is no failure when there is none.
///
/// # Errors
/// `Unavailable`, `Aborted`, `Blocked` when a connection stays open.
pub(crate) async fn delete_database(place: &Place) -> Result<(), StoreError> {
    delete_named(&place.workspace, &place.database()).await
}

/// The same for any database; `id` is what an error names.
pub(crate) async fn delete_named(id: &str, name: &str) -> Result<(), StoreError> {
    let unavailable = |error: idb::Error| fail(id, Kind::Unavailable, error.to_string());
    let mut request = Factory::new()
        .and_then(|f| f.delete(name))
        .map_err(unavailable)?;
    let slot = Slot::shared();
    let (deleted, failed) = (slot.clone(), slot.clone());
    request.on_success(move |_| Slot::set(&deleted, true));
    request.on_error(move |_| Slot::set(&failed, false));
    let answer = poll_fn(|context| Slot::poll(&slot, context));
    match within(DELETE_LIMIT_MS, answer).await {
        Some(true) => Ok(()),
        Some(false) => Err(fail(id, Kind::Aborted, "deleteDatabase".to_string())),
        None => {
            request.forget_callbacks();
            Err(fail(id, Kind::Blocked, String::new()))
        }
    }
}

/// Numbers of the databases that a workspace has; none where the browser does not tell.
pub(crate) async fn numbers_of(id: &str) -> Vec<u32> {
    let names = database_names().await.unwrap_or_default();
    let places = names.iter().filter_map(|name| Place::of_database(name));
    places
        .filter(|place| place.workspace == id)
        .map(|place| place.number)
        .collect()
}

async fn update(id: &str, change: impl FnOnce(&mut Workspace)) -> Result<(), StoreError> {
    let registry = Registry::open(id).await?;
    let known = place::known(&registry, id).await?;
    registry
        .change(|row| {
            let mut workspace = row.unwrap_or(known);
            workspace.stored = None;
            change(&mut workspace);
            Ok(Some(workspace))
        })
        .await
        .map(drop)
}

async fn registered() -> Result<Vec<Workspace>, StoreError> {
    Registry::open("").await?.rows().await
}

/// The names of all databases, `None` where the browser does not tell.
async fn database_names() -> Option<Vec<String>> {
    let factory: IdbFactory = Factory::new().ok()?.into();
    property(&factory, "databases")
        .is_function()
        .then_some(())?;
    let listed = factory
        .unchecked_into::<ListingFactory>()
        .databases()
        .ok()?;
    let listed = Array::from(&JsFuture::from(listed).await.ok()?);
    Some(
        listed
            .iter()
            .filter_map(|entry| property(&entry, "name").as_string())
            .collect(),
    )
}
