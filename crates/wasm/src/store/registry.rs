//! The list of workspaces, a small database of its own: what each is called, how large it is, and which
//! database holds its logs.
//!
//! A database cannot be renamed, so a workspace names the one it uses by a number. Whatever changes a row
//! reads and writes it in one transaction, for two tabs may want to at once.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;

use idb::{Database, Factory, ObjectStoreParams, Query, Request, TransactionMode};
use js_sys::Array;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::IdbDatabase;

use super::error::{Kind, StoreError};
use super::fail;
use super::sys::{Answer, End, Exception, Slot, TxDone};

/// The list's own database; no workspace's database has this name.
const REGISTRY: &str = "brooklet";
const WORKSPACES: &str = "workspaces";

/// A workspace as the list has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Workspace {
    /// What its databases are named after.
    pub id: String,
    /// What a person calls it; empty where nobody has said.
    pub title: String,
    /// Bytes of what is stored of it by our own count, what is kept besides included; the browser tells
    /// no truth about that.
    pub bytes: f64,
    /// Last use in milliseconds since 1970, 0 where unknown.
    pub used: f64,
    /// Whether one of its databases exists; `None` where the browser does not list databases.
    pub stored: Option<bool>,
    /// Number of the database that it uses.
    pub database: u32,
    /// The highest number that a database of it ever had.
    pub last: u32,
    /// The database it used before.
    pub former: Option<Former>,
    /// Numbers of databases that nothing leads to any more: they are to be deleted.
    pub doomed: Vec<u32>,
    /// When a person deleted it, in milliseconds since 1970; 0 when it is not deleted.
    pub deleted: f64,
    /// How often it was claimed: only who claimed it last may change which database it uses.
    pub claims: f64,
}

/// What a workspace held before it was started over, or after that was undone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Former {
    /// Number of its database.
    pub database: u32,
    /// Since when it is not used, in milliseconds since 1970.
    pub since: f64,
    /// Bytes of what is stored in it.
    pub bytes: f64,
    /// It is the newer one of the two: starting over was undone.
    pub newer: bool,
}

/// A small database with one store, open for one call.
pub(crate) struct Small {
    database: Database,
    about: String,
}

/// The list's database.
pub(crate) struct Registry(Small);

impl Small {
    /// Opens a database, or makes it; `about` is what an error names.
    pub(crate) async fn open(
        about: &str,
        name: &str,
        store: &'static str,
    ) -> Result<Self, StoreError> {
        let unavailable = |error: idb::Error| fail(about, Kind::Unavailable, error.to_string());
        let mut request = Factory::new()
            .and_then(|f| f.open(name, Some(1)))
            .map_err(unavailable)?;
        let broken = Rc::new(Cell::new(false));
        let unmade = broken.clone();
        request.on_upgrade_needed(move |event| {
            use idb::event::DatabaseEvent;
            let made = event
                .database()
                .and_then(|database| database.create_object_store(store, ObjectStoreParams::new()));
            unmade.set(made.is_err());
        });
        let slot = Slot::shared();
        let (opened, failed) = (slot.clone(), slot.clone());
        request.on_success(move |_| Slot::set(&opened, true));
        request.on_error(move |_| Slot::set(&failed, false));
        let opened = poll_fn(|context| Slot::poll(&slot, context)).await;
        if !opened || broken.get() {
            let error = request.error().ok().flatten();
            let exception = error.map(|error| Exception::of(&error)).unwrap_or_default();
            let kind = exception.kind(Kind::Aborted);
            return Err(fail(about, kind, exception.detail()));
        }
        let raw = request.result().map_err(unavailable)?;
        let yielding: IdbDatabase = raw.unchecked_into();
        let mut database = Database::from(yielding.clone());
        // Whoever deletes it need not wait.
        database.on_version_change(move |_| yielding.close());
        Ok(Self {
            database,
            about: about.to_string(),
        })
    }

    /// How many values have this key.
    pub(crate) async fn count(&self, store: &str, key: &JsValue) -> Result<f64, StoreError> {
        let counted = async {
            let tx = self
                .database
                .transaction(&[store], TransactionMode::ReadOnly)?;
            let request = tx
                .object_store(store)?
                .count(Some(Query::Key(key.clone())))?;
            Answer::of(request).await
        };
        let counted = counted
            .await
            .map_err(|e| self.failed(Kind::Unreadable, &e))?;
        Ok(counted.as_f64().unwrap_or(0.0))
    }

    /// Stores a value.
    pub(crate) async fn put(
        &self,
        store: &str,
        key: &JsValue,
        value: &JsValue,
    ) -> Result<(), StoreError> {
        let (store, done) = self.write(store)?;
        let put = store.put(value, Some(key));
        drop(put.map_err(|error| self.failed(Kind::Aborted, &error.into()))?);
        self.end(done).await
    }

    fn write(&self, store: &str) -> Result<(idb::ObjectStore, TxDone), StoreError> {
        let begun = || -> Result<_, Exception> {
            let tx = self
                .database
                .transaction(&[store], TransactionMode::ReadWrite)?;
            let store = tx.object_store(store)?;
            let raw: JsValue = tx.into();
            Ok((store, TxDone::of(raw.unchecked_ref())))
        };
        begun().map_err(|e| self.failed(Kind::Aborted, &e))
    }

    async fn end(&self, done: TxDone) -> Result<(), StoreError> {
        match done.await {
            End::Complete => Ok(()),
            End::Aborted(exception) => Err(self.failed(Kind::Aborted, &exception)),
            End::Lost => Err(fail(&self.about, Kind::Lost, String::new())),
        }
    }

    fn failed(&self, otherwise: Kind, exception: &Exception) -> StoreError {
        fail(&self.about, exception.kind(otherwise), exception.detail())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        self.database.close();
    }
}

impl Registry {
    /// `about` is the workspace that an error names.
    pub(crate) async fn open(about: &str) -> Result<Self, StoreError> {
        Small::open(about, REGISTRY, WORKSPACES).await.map(Registry)
    }

    /// All rows. One that is no workspace is left out: its database is listed all the same.
    pub(crate) async fn rows(&self) -> Result<Vec<Workspace>, StoreError> {
        let rows = async {
            let tx = self
                .0
                .database
                .transaction(&[WORKSPACES], TransactionMode::ReadOnly)?;
            let request = tx.object_store(WORKSPACES)?.get_all(None::<Query>, None)?;
            Answer::of(request).await
        };
        let rows = rows
            .await
            .map_err(|e| self.0.failed(Kind::Unreadable, &e))?;
        let rows = Array::from(&rows);
        Ok(rows
            .iter()
            .filter_map(|row| serde_wasm_bindgen::from_value(row).ok())
            .collect())
    }

    /// Changes the row of a workspace, or takes it away where `change` gives none, in one transaction;
    /// `change` gets the row as it is, if there is one. Gives the row as it is then.
    ///
    /// # Errors
    /// Those of `change`, `Quota`, `Aborted`, `Lost`: the row is as it was.
    pub(crate) async fn change(
        &self,
        change: impl FnOnce(Option<Workspace>) -> Result<Option<Workspace>, StoreError>,
    ) -> Result<Option<Workspace>, StoreError> {
        let about = &self.0.about;
        let key = JsValue::from_str(about);
        let aborted = |e: Exception| self.0.failed(Kind::Aborted, &e);
        let (store, done) = self.0.write(WORKSPACES)?;
        let found = store.get(key.clone()).map_err(|e| aborted(e.into()))?;
        let found = Answer::of(found).await.map_err(aborted)?;
        let changed = change(serde_wasm_bindgen::from_value(found).ok())?;
        match &changed {
            Some(workspace) => {
                let row = serde_wasm_bindgen::to_value(workspace)
                    .map_err(|error| fail(about, Kind::Aborted, error.to_string()))?;
                drop(store.put(&row, Some(&key)).map_err(|e| aborted(e.into()))?);
            }
            None => drop(store.delete(key).map_err(|e| aborted(e.into()))?),
        }
        self.0.end(done).await?;
        Ok(changed)
    }
}
