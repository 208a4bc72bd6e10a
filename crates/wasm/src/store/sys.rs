//! The seam to the browser: what web-sys lacks without an unstable flag, and futures of our own.
//!
//! `idb`'s own futures are not used: its transaction future hangs for ever when the transaction is over
//! before it is awaited, loses the cause of an abort, and drops closures that are called later.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{Event, IdbRequest, IdbTransaction};

use super::error::Kind;

#[wasm_bindgen]
extern "C" {
    /// `IDBDatabase` with the third argument of `transaction`, which names the durability.
    #[wasm_bindgen(js_name = IDBDatabase)]
    pub(crate) type DurableDatabase;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn transaction(
        this: &DurableDatabase,
        stores: &Array,
        mode: &str,
        options: &JsValue,
    ) -> Result<IdbTransaction, JsValue>;

    /// `IDBFactory.databases()`, which not every browser has.
    pub(crate) type ListingFactory;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn databases(this: &ListingFactory) -> Result<Promise, JsValue>;

    /// `navigator.locks`.
    pub(crate) type LockManager;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn request(
        this: &LockManager,
        name: &str,
        options: &JsValue,
        callback: &Function,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn query(this: &LockManager) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, milliseconds: i32) -> JsValue;
}

/// A property of a JavaScript object, `undefined` where there is none.
pub(crate) fn property(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

/// A plain object with one property.
pub(crate) fn object_with(name: &str, value: &JsValue) -> JsValue {
    let object = Object::new();
    // Setting a property of a fresh plain object cannot fail.
    let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    object.into()
}

/// What a thrown or reported JavaScript value says: its name and its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) name: String,
    pub(crate) message: String,
}

impl Exception {
    pub(crate) fn of(value: &JsValue) -> Self {
        let text = |name| property(value, name).as_string().unwrap_or_default();
        Self {
            name: text("name"),
            message: text("message"),
        }
    }

    pub(crate) fn kind(&self, otherwise: Kind) -> Kind {
        Kind::of_exception(&self.name, &self.message, otherwise)
    }

    pub(crate) fn detail(&self) -> String {
        format!("{}: {}", self.name, self.message)
    }
}

/// `idb` wraps what was thrown; most of its variants hold the value itself.
impl From<idb::Error> for Exception {
    fn from(error: idb::Error) -> Self {
        use idb::Error as E;
        match &error {
            E::UpdateFailed(v) | E::DeleteFailed(v) | E::GetFailed(v) | E::GetAllKeysFailed(v) => {
                Self::of(v)
            }
            E::OpenCursorFailed(v) | E::ObjectStoreNotFound(v) | E::ObjectStoreCreateFailed(v) => {
                Self::of(v)
            }
            E::IndexedDbOpenFailed(v)
            | E::IndexedDbDeleteFailed(v)
            | E::KeyRangeCreateFailed(v) => Self::of(v),
            _ => Self {
                name: "Error".to_string(),
                message: error.to_string(),
            },
        }
    }
}

/// A value that is set once and awaited by one task.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    pub(crate) fn shared() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            value: None,
            waker: None,
        }))
    }

    /// The first value counts.
    pub(crate) fn set(slot: &RefCell<Self>, value: T) {
        let waker = {
            let mut slot = slot.borrow_mut();
            slot.value.get_or_insert(value);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The value, if it is there.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.value.take()
    }

    pub(crate) fn poll(slot: &RefCell<Self>, context: &Context<'_>) -> Poll<T> {
        let mut slot = slot.borrow_mut();
        match slot.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

type Handler = Closure<dyn FnMut(Event)>;

/// The answer to one request. A failed request does not abort its transaction: who asked decides.
pub(crate) struct Answer {
    request: IdbRequest,
    slot: Rc<RefCell<Slot<Result<JsValue, Exception>>>>,
    _handlers: [Handler; 2],
}

impl Answer {
    pub(crate) fn of(request: impl Into<IdbRequest>) -> Self {
        let request = request.into();
        let slot = Slot::shared();
        let (answered, failed) = (slot.clone(), slot.clone());
        let on_success = Handler::new(move |event: Event| {
            let result = event.target().map(|target| property(&target, "result"));
            Slot::set(&answered, Ok(result.unwrap_or(JsValue::UNDEFINED)));
        });
        let on_error = Handler::new(move |event: Event| {
            event.prevent_default();
            event.stop_propagation();
            let error = event.target().map(|target| property(&target, "error"));
            Slot::set(
                &failed,
                Err(Exception::of(&error.unwrap_or(JsValue::UNDEFINED))),
            );
        });
        request.set_onsuccess(Some(on_success.as_ref().unchecked_ref()));
        request.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Self {
            request,
            slot,
            _handlers: [on_success, on_error],
        }
    }
}

impl Future for Answer {
    type Output = Result<JsValue, Exception>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Slot::poll(&self.slot, context)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.request.set_onsuccess(None);
        self.request.set_onerror(None);
    }
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    /// With `transaction.error`; without a name, somebody called `abort()`.
    Aborted(Exception),
    /// The connection went away under it and no event will come.
    Lost,
}

/// The end of a transaction. Listens from the moment it is made, so make it before the first request.
pub(crate) struct TxDone {
    tx: IdbTransaction,
    slot: Rc<RefCell<Slot<End>>>,
    _handlers: [Handler; 2],
}

impl TxDone {
    pub(crate) fn of(tx: &IdbTransaction) -> Self {
        let slot = Slot::shared();
        let (completed, aborted, of) = (slot.clone(), slot.clone(), tx.clone());
        let on_complete = Handler::new(move |_| Slot::set(&completed, End::Complete));
        let on_abort = Handler::new(move |_| {
            let error = of.error().map(|error| Exception::of(&error));
            Slot::set(&aborted, End::Aborted(error.unwrap_or_default()));
        });
        tx.set_oncomplete(Some(on_complete.as_ref().unchecked_ref()));
        tx.set_onabort(Some(on_abort.as_ref().unchecked_ref()));
        Self {
            tx: tx.clone(),
            slot,
            _handlers: [on_complete, on_abort],
        }
    }

    /// For the connection to report its own end.
    pub(crate) fn slot(&self) -> Weak<RefCell<Slot<End>>> {
        Rc::downgrade(&self.slot)
    }
}

impl Future for TxDone {
    type Output = End;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End> {
        Slot::poll(&self.slot, context)
    }
}

impl Drop for TxDone {
    fn drop(&mut self) {
        self.tx.set_oncomplete(None);
        self.tx.set_onabort(None);
    }
}

/// Resolves after so many real milliseconds.
pub(crate) async fn pause(milliseconds: i32) {
    let promise = Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, milliseconds);
    });
    // A timer's promise is never rejected.
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// `future`, or `None` when it takes longer than so many milliseconds.
pub(crate) async fn within<T>(milliseconds: i32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut timer = std::pin::pin!(pause(milliseconds));
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}
