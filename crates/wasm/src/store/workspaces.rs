//! The workspaces of this browser: listed, named, measured, deleted.
//!
//! What a person calls a workspace and how large it is lie in a small database of their own, because
//! looking at the list must not touch a workspace that another tab owns.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;

use idb::{Database, Factory, ObjectStoreParams, Query, Request};
use js_sys::Array;
use serde::{Deserialize, Serialize};
use sorted::SortedMap;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::IdbFactory;

use super::error::{Kind, StoreError};
use super::sys::{Answer, End, Exception, ListingFactory, Slot, TxDone, property, within};
use super::{database_name, fail};
use crate::owner;

/// The list's own database; no workspace's database has this name.
const REGISTRY: &str = "brooklet";
const WORKSPACES: &str = "workspaces";

/// How long a deletion may wait for connections to close, in milliseconds.
const DELETE_LIMIT_MS: i32 = 5_000;

/// A workspace as the list shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Workspace {
    /// What its database is named after.
    pub id: String,
    /// What a person calls it; empty where nobody has said.
    pub title: String,
    /// Bytes of its logs by our own count; the browser tells no truth about that.
    pub bytes: f64,
    /// Last use in milliseconds since 1970, 0 where unknown.
    pub used: f64,
    /// Whether its database exists; `None` where the browser does not list databases.
    pub stored: Option<bool>,
}

/// All workspaces, by id: those with a row in the list and those with a database.
///
/// # Errors
/// `Unavailable`, `Unreadable`.
pub async fn list() -> Result<Vec<Workspace>, StoreError> {
    let mut workspaces: SortedMap<String, Workspace> = SortedMap::new();
    for workspace in registered().await? {
        workspaces.insert(workspace.id.clone(), workspace);
    }
    if let Some(names) = database_names().await {
        workspaces
            .values_mut()
            .for_each(|workspace| workspace.stored = Some(false));
        let prefix = database_name("");
        for id in names.iter().filter_map(|name| name.strip_prefix(&prefix)) {
            let workspace = workspaces.entry(id.to_string()).or_default();
            workspace.id = id.to_string();
            workspace.stored = Some(true);
        }
    }
    Ok(workspaces.into_values().collect())
}

/// Gives a workspace a title.
///
/// # Errors
/// `Unavailable`, `Quota`, `Aborted`.
pub async fn rename(id: &str, title: &str) -> Result<(), StoreError> {
    update(id, |workspace| workspace.title = title.to_string()).await
}

/// Notes that a workspace is in use and how many bytes its logs have.
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

/// Deletes a workspace: its database, then its row.
///
/// # Errors
/// `InUse` while a tab owns it (this one included), `Blocked` when a connection stays open.
pub async fn delete(id: &str) -> Result<(), StoreError> {
    let _lock = owner::acquire_idle(id).await?;
    let unavailable = |error: idb::Error| fail(id, Kind::Unavailable, error.to_string());
    let mut request = Factory::new()
        .and_then(|f| f.delete(&database_name(id)))
        .map_err(unavailable)?;
    let slot = Slot::shared();
    let (deleted, failed) = (slot.clone(), slot.clone());
    request.on_success(move |_| Slot::set(&deleted, true));
    request.on_error(move |_| Slot::set(&failed, false));
    match within(
        DELETE_LIMIT_MS,
        poll_fn(|context| Slot::poll(&slot, context)),
    )
    .await
    {
        Some(true) => {}
        Some(false) => return Err(fail(id, Kind::Aborted, "deleteDatabase".to_string())),
        None => {
            request.forget_callbacks();
            return Err(fail(id, Kind::Blocked, String::new()));
        }
    }
    let registry = Registry::open(id).await?;
    registry
        .write(id, |store| store.delete(JsValue::from_str(id)).map(drop))
        .await
}

async fn update(id: &str, change: impl FnOnce(&mut Workspace)) -> Result<(), StoreError> {
    let registry = Registry::open(id).await?;
    let rows = registry.rows().await?;
    let mut workspace = rows
        .into_iter()
        .find(|row| row.id == id)
        .unwrap_or_default();
    workspace.id = id.to_string();
    workspace.stored = None;
    change(&mut workspace);
    let row = serde_wasm_bindgen::to_value(&workspace)
        .map_err(|error| fail(id, Kind::Aborted, error.to_string()))?;
    registry
        .write(id, |store| {
            store.put(&row, Some(&JsValue::from_str(id))).map(drop)
        })
        .await
}

async fn registered() -> Result<Vec<Workspace>, StoreError> {
    Registry::open(REGISTRY).await?.rows().await
}

/// The list's database, open for one call.
struct Registry {
    database: Database,
}

impl Registry {
    /// `about` is the workspace that an error names.
    async fn open(about: &str) -> Result<Self, StoreError> {
        let unavailable = |error: idb::Error| fail(about, Kind::Unavailable, error.to_string());
        let mut request = Factory::new()
            .and_then(|f| f.open(REGISTRY, Some(1)))
            .map_err(unavailable)?;
        let broken = Rc::new(Cell::new(false));
        let unmade = broken.clone();
        request.on_upgrade_needed(move |event| {
            use idb::event::DatabaseEvent;
            let made = event.database().and_then(|database| {
                database.create_object_store(WORKSPACES, ObjectStoreParams::new())
            });
            unmade.set(made.is_err());
        });
        let slot = Slot::shared();
        let (opened, failed) = (slot.clone(), slot.clone());
        request.on_success(move |_| Slot::set(&opened, true));
        request.on_error(move |_| Slot::set(&failed, false));
        let opened = poll_fn(|context| Slot::poll(&slot, context)).await;
        if !opened || broken.get() {
            let error = request
                .error()
                .ok()
                .flatten()
                .map(|error| Exception::of(&error));
            let exception = error.unwrap_or_default();
            return Err(fail(
                about,
                exception.kind(Kind::Unavailable),
                exception.detail(),
            ));
        }
        Ok(Self {
            database: request.database().map_err(unavailable)?,
        })
    }

    async fn rows(&self) -> Result<Vec<Workspace>, StoreError> {
        let unreadable = |e: Exception| fail(REGISTRY, e.kind(Kind::Unreadable), e.detail());
        let rows = async {
            let tx = self
                .database
                .transaction(&[WORKSPACES], idb::TransactionMode::ReadOnly)?;
            let request = tx.object_store(WORKSPACES)?.get_all(None::<Query>, None)?;
            Answer::of(request).await
        };
        let rows = Array::from(&rows.await.map_err(unreadable)?);
        // A row that is no workspace is left out: its database is listed all the same.
        Ok(rows
            .iter()
            .filter_map(|row| serde_wasm_bindgen::from_value(row).ok())
            .collect())
    }

    async fn write(
        &self,
        about: &str,
        change: impl FnOnce(&idb::ObjectStore) -> Result<(), idb::Error>,
    ) -> Result<(), StoreError> {
        let aborted = |e: Exception| fail(about, e.kind(Kind::Aborted), e.detail());
        let begun = || -> Result<_, Exception> {
            let tx = self
                .database
                .transaction(&[WORKSPACES], idb::TransactionMode::ReadWrite)?;
            let store = tx.object_store(WORKSPACES)?;
            let raw: JsValue = tx.into();
            let done = TxDone::of(raw.unchecked_ref());
            change(&store)?;
            Ok(done)
        };
        match begun().map_err(aborted)?.await {
            End::Complete => Ok(()),
            End::Aborted(exception) => Err(aborted(exception)),
            End::Lost => Err(fail(about, Kind::Lost, String::new())),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.database.close();
    }
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
