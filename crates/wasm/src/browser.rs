//! The little of the browser that the run loop needs: a clock, timers, channels, and plain objects.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use js_sys::{Array, Function};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;

    /// A pair of ports.
    pub(crate) type MessageChannel;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> MessageChannel;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn port1(this: &MessageChannel) -> MessagePort;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn port2(this: &MessageChannel) -> MessagePort;

    /// One end of a channel.
    #[derive(Clone)]
    pub(crate) type MessagePort;
    #[wasm_bindgen(method, js_name = postMessage)]
    pub(crate) fn post(this: &MessagePort, message: &JsValue, transfer: &Array);
    #[wasm_bindgen(method, setter, js_name = onmessage)]
    pub(crate) fn set_on_message(this: &MessagePort, listen: Option<&Function>);
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &MessagePort);

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, milliseconds: f64) -> f64;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: f64);
}

/// Real milliseconds since the worker began.
pub(crate) fn now() -> f64 {
    performance_now()
}

/// A value as the plain JavaScript object that JSON gives: one crossing, however large it is.
pub(crate) fn plain<T: Serialize>(value: &T) -> JsValue {
    // Our own documents always have JSON's form.
    let text = serde_json::to_string(value).unwrap_or_default();
    js_sys::JSON::parse(&text).unwrap_or(JsValue::NULL)
}

/// How long an argument of a call may be as JSON, in characters: a scenario, or the lines of one `send`.
const ARGUMENT_MAX: u32 = 16 << 20;

/// What JSON makes of a plain JavaScript value; `undefined` counts as null.
///
/// # Errors
/// If the value is not what a `T` is read from: the reason.
pub(crate) fn read<T: DeserializeOwned>(value: &JsValue) -> Result<T, String> {
    // `undefined` has no text.
    let text = js_sys::JSON::stringify(value).ok();
    let text = text.filter(|text| JsValue::from(text).is_string());
    if text
        .as_ref()
        .is_some_and(|text| text.length() > ARGUMENT_MAX)
    {
        return Err(format!(
            "it is longer than the {ARGUMENT_MAX} characters that are taken at once"
        ));
    }
    let text = text.map(String::from);
    let text = text.as_deref().unwrap_or("null");
    // Always by way of a `Value`: what is read from text directly as well is compiled twice.
    let document: Value = serde_json::from_str(text).map_err(|why| why.to_string())?;
    serde_json::from_value(document).map_err(|why| why.to_string())
}

/// What the run loop sleeps on: woken by whoever has work for it, or by a timer.
pub(crate) struct Alarm {
    state: Rc<RefCell<AlarmState>>,
    ring: Function,
    /// A message to oneself comes at once, where a timer would take 4 ms.
    channel: MessageChannel,
}

#[derive(Default)]
struct AlarmState {
    rung: bool,
    waker: Option<Waker>,
}

impl Alarm {
    pub(crate) fn new() -> Alarm {
        let state = Rc::new(RefCell::new(AlarmState::default()));
        let rung = state.clone();
        let ring = Closure::<dyn FnMut()>::new(move || ring(&rung)).into_js_value();
        let ring: Function = ring.unchecked_into();
        let channel = MessageChannel::new();
        channel.port1().set_on_message(Some(&ring));
        Alarm {
            state,
            ring,
            channel,
        }
    }

    /// Ends the sleep, or the next one if nobody sleeps.
    pub(crate) fn ring(&self) {
        ring(&self.state);
    }

    /// Sleeps until rung, at most so many real milliseconds; with 0 only others get their turn.
    pub(crate) async fn sleep(&self, milliseconds: Option<f64>) {
        let timer = match milliseconds {
            Some(0.0) => {
                self.channel.port2().post(&JsValue::NULL, &Array::new());
                None
            }
            Some(wait) => Some(set_timeout(&self.ring, wait)),
            None => None,
        };
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if state.rung {
                state.rung = false;
                return Poll::Ready(());
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        if let Some(timer) = timer {
            clear_timeout(timer);
        }
    }
}

fn ring(state: &RefCell<AlarmState>) {
    let waker = {
        let mut state = state.borrow_mut();
        state.rung = true;
        state.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}
