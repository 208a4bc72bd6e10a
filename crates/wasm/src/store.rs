//! A workspace's partition logs in IndexedDB.
//!
//! One database a workspace is in use ([`place`] says which), two fixed stores: `log` has the logs' bytes in values that [`Layout`] cuts,
//! keyed `[replica, base offset]`; `meta` has small rows by name. Everything that a turn of the world
//! changed goes into one transaction, [`Store::commit`]; when that is complete, and not before, the
//! turn's outputs may leave.
//!
//! A store is written by the one tab that owns the workspace ([`crate::owner`]). Each transaction checks
//! that the generation is still the one this owner claimed, so that a tab that was frozen and has lost
//! the workspace cannot write over its successor.

pub(crate) mod ballast;
mod commit;
mod connection;
mod error;
mod layout;
pub(crate) mod place;
mod read;
pub(crate) mod registry;
pub(crate) mod sys;
pub mod workspaces;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::JsValue;

pub use commit::{LogCut, LogRange, LogValue, Turn};
pub use connection::Durability;
pub use error::{Kind, StoreError};
pub use layout::{Gap, Layout, LayoutTurn, MAX_DELETE_KEYS, MAX_VALUE, Piece, SEAL_VALUE};
pub use place::Place;
pub use read::{Chunk, Damage, Keys, Meta};

use connection::Connection;
pub(crate) use connection::fail;

/// Store of the logs' bytes.
pub(crate) const LOG: &str = "log";
/// Store of small rows.
pub(crate) const META: &str = "meta";
/// Row of `meta` with the number of claims on this workspace so far.
pub(crate) const GENERATION: &str = "generation";

/// What a store tells while it works, outside of any call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Opening waits for another connection to let go.
    Blocked,
    /// The connection broke; the next call opens the database again.
    Lost,
    /// The database was opened again.
    Reopened,
    /// Another connection wants to change or delete the database, and this one let go of it.
    Yielded,
}

/// A workspace's database. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    inner: Rc<Inner>,
}

/// What [`Store::open`] found.
pub struct Opened {
    /// The database.
    pub store: Store,
    /// There was none: a new workspace, or one that the browser has cleared.
    pub fresh: bool,
    /// Stores that were missing and were made anew, empty.
    pub recreated: Vec<&'static str>,
}

struct Inner {
    place: Place,
    tell: Rc<dyn Fn(Notice)>,
    connection: RefCell<Option<Rc<Connection>>>,
    /// What the owner claimed; `None` for a reader.
    generation: Cell<Option<i64>>,
    /// A commit is under way.
    committing: Cell<bool>,
}

impl Store {
    /// Opens a database of a workspace, or makes it; a store that is missing in it is made anew
    /// without touching the other. `tell` hears what happens between calls.
    ///
    /// # Errors
    /// `Unavailable`, `Blocked`, `Quota`, or `Lost` after several tries.
    pub async fn open(
        place: &Place,
        tell: impl Fn(Notice) + 'static,
    ) -> Result<Opened, StoreError> {
        let tell: Rc<dyn Fn(Notice)> = Rc::new(tell);
        let found = connection::open(place, true, &tell).await?;
        let inner = Inner {
            place: place.clone(),
            tell,
            connection: RefCell::new(Some(Rc::new(found.connection))),
            generation: Cell::new(None),
            committing: Cell::new(false),
        };
        let store = Self {
            inner: Rc::new(inner),
        };
        Ok(Opened {
            store,
            fresh: found.fresh,
            recreated: found.recreated,
        })
    }

    /// Which database this is.
    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// Name of the workspace.
    pub fn workspace(&self) -> &str {
        &self.inner.place.workspace
    }

    /// The generation that this store's owner claimed, `None` for a reader.
    pub fn generation(&self) -> Option<i64> {
        self.inner.generation.get()
    }

    /// Lets go of the database. The next call would open it again.
    pub fn close(&self) {
        self.inner.connection.take();
    }

    /// The connection; a broken one is opened again.
    async fn connection(&self) -> Result<Rc<Connection>, StoreError> {
        let current = self.inner.connection.borrow().clone();
        if let Some(connection) = current.filter(|connection| connection.is_open()) {
            return Ok(connection);
        }
        self.close();
        let found = connection::open(&self.inner.place, false, &self.inner.tell).await?;
        let connection = Rc::new(found.connection);
        *self.inner.connection.borrow_mut() = Some(connection.clone());
        (self.inner.tell)(Notice::Reopened);
        Ok(connection)
    }

    fn fail(&self, kind: Kind, detail: String) -> StoreError {
        fail(self.workspace(), kind, detail)
    }
}

/// The first database of a workspace, and what its others begin with.
pub(crate) fn database_name(workspace: &str) -> String {
    format!("brooklet:{workspace}")
}

/// Key of a value in `log`.
pub(crate) fn log_key(replica: &str, base_offset: i64) -> JsValue {
    // Keys are JavaScript numbers; no log of a browser comes near 2^53 records.
    assert!(
        base_offset.unsigned_abs() <= 1 << 53,
        "offset {base_offset} of {replica} is no exact number"
    );
    Array::of2(
        &JsValue::from_str(replica),
        &JsValue::from_f64(base_offset as f64),
    )
    .into()
}
