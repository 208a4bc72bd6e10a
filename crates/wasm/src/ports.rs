//! Clients from outside: Kafka frames with their four bytes of length over a `MessagePort`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use js_sys::{ArrayBuffer, Uint8Array};
use sorted::SortedMap;
use wasm_bindgen::prelude::*;

use crate::browser::{Alarm, MessageChannel, MessagePort};
use crate::store::sys::property;

/// The longest frame taken, as `socket.request.max.bytes` has it.
const FRAME_MAX: u32 = 100 << 20;

/// What came in over the ports and has not been looked at.
type Inbox = Rc<RefCell<VecDeque<(u32, Option<Vec<u8>>)>>>;

/// The open connections, by the number of the client in the world.
#[derive(Default)]
pub(crate) struct Ports {
    open: SortedMap<u32, Port>,
    inbox: Inbox,
}

struct Port {
    port: MessagePort,
    received: BytesMut,
    _listen: Closure<dyn FnMut(JsValue)>,
}

/// What a client from outside does.
pub(crate) enum Arrived {
    /// It sent a whole frame, here without its length.
    Frame(u32, Bytes),
    /// It closed, or sent what is no frame.
    Gone(u32),
}

impl Ports {
    /// A connection for the client `id`; the port that is returned is the page's.
    pub(crate) fn open(&mut self, id: u32, alarm: &Rc<Alarm>) -> MessagePort {
        let channel = MessageChannel::new();
        let port = channel.port1();
        let (inbox, alarm) = (self.inbox.clone(), alarm.clone());
        let listen = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            let bytes = bytes_of(&property(&event, "data"));
            inbox.borrow_mut().push_back((id, bytes));
            alarm.ring();
        });
        port.set_on_message(Some(listen.as_ref().unchecked_ref()));
        let opened = Port {
            port,
            received: BytesMut::new(),
            _listen: listen,
        };
        self.open.insert(id, opened);
        channel.port2()
    }

    /// Whether something has come in.
    pub(crate) fn has_news(&self) -> bool {
        !self.inbox.borrow().is_empty()
    }

    /// Whether any connection is open.
    pub(crate) fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Everything that came in since the last call.
    pub(crate) fn arrived(&mut self) -> Vec<Arrived> {
        let news: Vec<_> = self.inbox.borrow_mut().drain(..).collect();
        let mut arrived = Vec::new();
        for (id, bytes) in news {
            let Some(port) = self.open.get_mut(&id) else {
                continue;
            };
            let Some(bytes) = bytes else {
                arrived.push(Arrived::Gone(id));
                continue;
            };
            port.received.extend_from_slice(&bytes);
            loop {
                match wire::cut_frame(&mut port.received, FRAME_MAX) {
                    Ok(Some(frame)) => arrived.push(Arrived::Frame(id, frame)),
                    Ok(None) => break,
                    Err(_) => {
                        arrived.push(Arrived::Gone(id));
                        break;
                    }
                }
            }
        }
        arrived
    }

    /// The port of a client.
    pub(crate) fn port(&self, id: u32) -> Option<&MessagePort> {
        self.open.get(&id).map(|open| &open.port)
    }

    /// Forgets a client; its port is still to be closed.
    pub(crate) fn forget(&mut self, id: u32) -> Option<MessagePort> {
        let open = self.open.remove(&id)?;
        open.port.set_on_message(None);
        Some(open.port)
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        for open in self.open.values() {
            open.port.set_on_message(None);
            open.port.close();
        }
    }
}

/// Bytes from a message; anything else is the client's farewell.
fn bytes_of(data: &JsValue) -> Option<Vec<u8>> {
    if let Some(buffer) = data.dyn_ref::<ArrayBuffer>() {
        return Some(Uint8Array::new(buffer).to_vec());
    }
    data.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec)
}
