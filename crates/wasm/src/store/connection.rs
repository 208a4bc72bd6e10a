//! One connection to one workspace's database: opened, mended, lost and opened again.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};

use idb::event::VersionChangeEvent;
use idb::{Database, Factory, ObjectStoreParams, Request};
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbTransaction};

use super::error::{Kind, StoreError};
use super::sys::{DurableDatabase, End, Exception, Slot, TxDone, object_with, pause, within};
use super::{LOG, META, Notice, Place};

/// How long an open may wait for another connection to let go, in milliseconds.
const BLOCKED_LIMIT_MS: i32 = 10_000;

/// Pauses before the tries to open a lost database again, in milliseconds.
const RETRIES_MS: [i32; 5] = [0, 50, 200, 1_000, 3_000];

/// What a commit waits for before it counts as complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The bytes are with the operating system: they outlive the tab and the browser.
    #[default]
    Relaxed,
    /// The bytes are flushed to the disk: they outlive a power cut, as far as the disk tells the truth.
    Strict,
}

impl Durability {
    fn name(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Strict => "strict",
        }
    }
}

type Running = Rc<RefCell<Vec<Weak<RefCell<Slot<End>>>>>>;

/// An open database with its handlers. Dropping it closes it once its transactions are over.
pub(crate) struct Connection {
    raw: IdbDatabase,
    /// Holds the handlers' closures.
    database: Database,
    closed: Rc<Cell<bool>>,
    running: Running,
}

/// What opening found.
pub(crate) struct Found {
    pub(crate) connection: Connection,
    /// There was no database of this name.
    pub(crate) fresh: bool,
    /// Stores that were missing in a database that existed, and were made anew.
    pub(crate) recreated: Vec<&'static str>,
}

/// Opens the database at `place`; `create` says whether it may be made.
pub(crate) async fn open(
    place: &Place,
    create: bool,
    tell: &Rc<dyn Fn(Notice)>,
) -> Result<Found, StoreError> {
    let mut failure = fail(&place.workspace, Kind::Lost, String::new());
    for wait in RETRIES_MS {
        if wait > 0 {
            pause(wait).await;
        }
        match open_once(place, create, tell).await {
            Ok(found) => return Ok(found),
            Err(error) if matches!(error.kind, Kind::Lost | Kind::Aborted) => failure = error,
            Err(error) => return Err(error),
        }
    }
    Err(failure)
}

async fn open_once(
    place: &Place,
    create: bool,
    tell: &Rc<dyn Fn(Notice)>,
) -> Result<Found, StoreError> {
    let (raw, fresh) = request_open(place, None, create, tell).await?;
    let names = raw.object_store_names();
    let recreated: Vec<_> = [LOG, META]
        .into_iter()
        .filter(|name| !names.contains(name))
        .collect();
    let raw = if recreated.is_empty() {
        raw
    } else {
        let version = raw.version() as u32;
        raw.close();
        request_open(place, Some(version.saturating_add(1)), create, tell)
            .await?
            .0
    };
    Ok(Found {
        connection: Connection::new(raw, tell.clone()),
        fresh,
        recreated,
    })
}

/// One open request: the database, and whether it was made.
async fn request_open(
    place: &Place,
    version: Option<u32>,
    create: bool,
    tell: &Rc<dyn Fn(Notice)>,
) -> Result<(IdbDatabase, bool), StoreError> {
    let workspace = place.workspace.as_str();
    let unavailable = |error: idb::Error| fail(workspace, Kind::Unavailable, error.to_string());
    let factory = Factory::new().map_err(unavailable)?;
    let mut request = factory.open(&place.database(), version).map_err(|error| {
        // Only a browser that says so offers no storage; any other trouble may pass.
        let exception = Exception::from(error);
        fail(workspace, exception.kind(Kind::Aborted), exception.detail())
    })?;
    let made = Rc::new(Cell::new(false));
    let upgraded = made.clone();
    request.on_upgrade_needed(move |event| {
        let new = event.old_version() == Ok(0);
        upgraded.set(new);
        add_missing_stores(&event, !new || create);
    });
    let told = tell.clone();
    request.on_blocked(move |_| told(Notice::Blocked));
    let slot = Slot::shared();
    let (opened, failed) = (slot.clone(), slot.clone());
    request.on_success(move |_| Slot::set(&opened, true));
    request.on_error(move |_| Slot::set(&failed, false));
    let answer = within(
        BLOCKED_LIMIT_MS,
        poll_fn(|context| Slot::poll(&slot, context)),
    )
    .await;
    match answer {
        Some(true) => {
            let unreadable = |error: idb::Error| fail(workspace, Kind::Aborted, error.to_string());
            let database = request.result().map_err(unreadable)?;
            Ok((database.unchecked_into(), made.get()))
        }
        Some(false) if made.get() && !create => Err(fail(workspace, Kind::Wiped, String::new())),
        Some(false) => {
            let error = request
                .error()
                .ok()
                .flatten()
                .map(|error| Exception::of(&error));
            let exception = error.unwrap_or_default();
            Err(fail(
                workspace,
                exception.kind(Kind::Aborted),
                exception.detail(),
            ))
        }
        None => {
            // The browser may still open it one day: then it is closed at once.
            request.on_success(|event| {
                use idb::Event;
                if let Ok(database) = event.target().and_then(|late| late.database()) {
                    database.close();
                }
            });
            request.forget_callbacks();
            Err(fail(workspace, Kind::Blocked, String::new()))
        }
    }
}

/// Runs inside the upgrade transaction. Where the database must not be made, the upgrade is aborted.
fn add_missing_stores(event: &VersionChangeEvent, allowed: bool) {
    use idb::event::DatabaseEvent;
    if !allowed {
        use idb::Event;
        let transaction = event
            .target()
            .ok()
            .and_then(|request| request.transaction());
        let _ = transaction.map(idb::Transaction::abort);
        return;
    }
    let Ok(database) = event.database() else {
        return;
    };
    let names = database.store_names();
    for name in [LOG, META] {
        if !names.iter().any(|known| known == name) {
            // A failure aborts the upgrade, and the open request reports it.
            let _ = database.create_object_store(name, ObjectStoreParams::new());
        }
    }
}

impl Connection {
    fn new(raw: IdbDatabase, tell: Rc<dyn Fn(Notice)>) -> Self {
        let closed = Rc::new(Cell::new(false));
        let running = Running::default();
        let mut database = Database::from(raw.clone());
        let (gone, orphans, told) = (closed.clone(), running.clone(), tell.clone());
        database.on_close(move |_| {
            gone.set(true);
            end_all(&orphans);
            told(Notice::Lost);
        });
        let (gone, yielding) = (closed.clone(), raw.clone());
        database.on_version_change(move |_| {
            gone.set(true);
            // Waits for the running transactions, then lets the other connection in.
            yielding.close();
            tell(Notice::Yielded);
        });
        Self {
            raw,
            database,
            closed,
            running,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.closed.get()
    }

    /// Starts a transaction over both stores that writes.
    pub(crate) fn write(
        &self,
        durability: Durability,
    ) -> Result<(IdbTransaction, TxDone), Exception> {
        let options = object_with("durability", &JsValue::from_str(durability.name()));
        self.begin(&[LOG, META], "readwrite", &options)
    }

    /// Starts a transaction over one store that reads.
    pub(crate) fn read(&self, store: &str) -> Result<(IdbTransaction, TxDone), Exception> {
        self.begin(&[store], "readonly", &JsValue::UNDEFINED)
    }

    fn begin(
        &self,
        stores: &[&str],
        mode: &str,
        options: &JsValue,
    ) -> Result<(IdbTransaction, TxDone), Exception> {
        let stores: Array = stores.iter().map(|name| JsValue::from_str(name)).collect();
        let database: &DurableDatabase = self.raw.unchecked_ref();
        let tx = database
            .transaction(&stores, mode, options)
            .map_err(|error| Exception::of(&error))?;
        let done = TxDone::of(&tx);
        let mut running = self.running.borrow_mut();
        running.retain(|slot| slot.strong_count() > 0);
        running.push(done.slot());
        drop(running);
        Ok((tx, done))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.raw.set_onclose(None);
        self.raw.set_onversionchange(None);
        self.database.close();
    }
}

/// Tells whoever waits for a transaction of a broken connection.
fn end_all(running: &Running) {
    for slot in running.borrow_mut().drain(..) {
        if let Some(slot) = slot.upgrade() {
            Slot::set(&slot, End::Lost);
        }
    }
}

/// An error of `workspace`.
pub(crate) fn fail(workspace: &str, kind: Kind, detail: String) -> StoreError {
    StoreError {
        kind,
        workspace: workspace.to_string(),
        detail,
    }
}
