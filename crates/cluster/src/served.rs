//! Who waits for an answer of this node's quorum or controller, and the listener where other nodes ask.
//!
//! One request of a connection is served at a time, as Kafka's channels do; the next ones wait in its queue.

use crate::asks::Ask;
use crate::cluster::Effect;
use crate::codec::{self, Asked};
use crate::node::{Node, Work, Works};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use broker::{ClientEffect, ClientEvent, Closing, Reply};
use bytes::Bytes;
use controller::RequestId;
use ids::{ConnId, ErrorCode, Time};
use raft::{CallId, Response};
use sorted::SortedMap;
use wire::RequestHeader;

/// Requests that may wait behind the one being served; nobody here sends many ahead.
const QUEUED_MAX: usize = 64;

/// Who has asked.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// This node's own broker.
    Broker(Ask),
    /// Another node, or whoever comes to the controller's listener.
    Listener {
        conn: ConnId,
        header: RequestHeader,
        /// The envelope that the request came in.
        envelope: Option<RequestHeader>,
    },
}

#[derive(Clone, Debug, Default)]
struct Conn {
    queue: VecDeque<Bytes>,
    is_busy: bool,
}

/// The requests that are being served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served {
    conns: SortedMap<ConnId, Conn>,
    /// By the number under which quorum and controller know them.
    open: SortedMap<u64, Origin>,
    requests: u64,
}

impl Served {
    fn number(&mut self, origin: Origin) -> u64 {
        self.requests += 1;
        self.open.insert(self.requests, origin);
        self.requests
    }
}

impl Node {
    pub(crate) fn hear_listener(
        &mut self,
        now: Time,
        event: ClientEvent,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        match event {
            ClientEvent::Connected { conn, .. } => {
                self.served.conns.insert(conn, Conn::default());
            }
            ClientEvent::Disconnected { conn } => {
                self.served.conns.remove(&conn);
            }
            ClientEvent::Request { conn, frame } => {
                let Some(known) = self.served.conns.get_mut(&conn) else {
                    return;
                };
                known.queue.push_back(frame);
                if known.queue.len() > QUEUED_MAX {
                    return self.close(conn, Closing::TooManyRequests, out);
                }
                self.serve_next(now, conn, works, out);
            }
        }
    }

    fn close(&mut self, conn: ConnId, why: Closing, out: &mut Vec<Effect>) {
        self.served.conns.remove(&conn);
        out.push(Effect::Client(ClientEffect::Close { conn, why }));
    }

    /// Serves the next request of a connection, unless one is being served.
    pub(crate) fn serve_next(
        &mut self,
        now: Time,
        conn: ConnId,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        while let Some(known) = self.served.conns.get_mut(&conn)
            && !known.is_busy
            && let Some(frame) = known.queue.pop_front()
        {
            known.is_busy = true;
            let Ok((header, _)) = wire::decode_request_header(frame.clone()) else {
                return self.close(conn, Closing::Malformed, out);
            };
            let (header, frame, envelope) = match header.api_key {
                58 => match codec::opened(frame) {
                    Some((inner, frame)) => (inner, frame, Some(header)),
                    None => return self.close(conn, Closing::Malformed, out),
                },
                _ => (header, frame, None),
            };
            let origin = Origin::Listener {
                conn,
                header,
                envelope,
            };
            self.serve(now, origin, frame, works, out);
        }
    }

    /// Has a request answered by the quorum or the controller of this node.
    pub(crate) fn serve(
        &mut self,
        now: Time,
        origin: Origin,
        frame: Bytes,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        let asked = codec::asked(frame);
        let number = self.served.number(origin);
        match asked {
            Asked::Quorum { version, request } => {
                let call = CallId(number);
                works.push_back(Work::Quorum(raft::Event::Request {
                    call,
                    version,
                    request,
                }));
            }
            Asked::Describe { header, request } => {
                let frame = codec::describe(&self.raft, now, &header, &request);
                self.answer(now, number, frame, works, out);
            }
            Asked::Versions { header } => {
                self.answer(now, number, codec::versions(&header), works, out);
            }
            Asked::Controller(frame) if self.controller.is_some() => {
                let id = RequestId(number);
                works.push_back(Work::Controller(controller::Event::Request { id, frame }));
            }
            Asked::Controller(_) => {
                self.answer(now, number, Err(ErrorCode::NOT_CONTROLLER), works, out);
            }
            Asked::Nothing => {
                self.answer(now, number, Err(ErrorCode::INVALID_REQUEST), works, out);
            }
        }
    }

    /// The quorum's answer as a frame.
    pub(crate) fn encode_answer(
        &self,
        number: u64,
        response: &Response,
    ) -> Result<Bytes, ErrorCode> {
        match self.served.open.get(&number) {
            Some(Origin::Listener { header, .. }) => codec::answer(header, response),
            _ => Err(ErrorCode::INVALID_REQUEST),
        }
    }

    /// A request has its answer, or there is none and this is why.
    pub(crate) fn answer(
        &mut self,
        now: Time,
        number: u64,
        answer: Result<Bytes, ErrorCode>,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        let (conn, header, envelope) = match self.served.open.remove(&number) {
            Some(Origin::Broker(ask)) => return self.answer_broker(now, ask, answer, works),
            Some(Origin::Listener {
                conn,
                header,
                envelope,
            }) => (conn, header, envelope),
            None => return,
        };
        let Some(known) = self.served.conns.get_mut(&conn) else {
            return;
        };
        known.is_busy = false;
        let frame = match (envelope, answer) {
            (Some(envelope), answer) => codec::wrapped(&envelope, answer),
            (None, Ok(frame)) => Some(frame),
            (None, Err(code)) => codec::refusal(&header, code),
        };
        let Some(bytes) = frame else {
            let (api_key, version) = (header.api_key, header.api_version);
            return self.close(conn, Closing::Unsupported { api_key, version }, out);
        };
        let slices = Vec::new();
        let reply = Reply { bytes, slices };
        out.push(Effect::Client(ClientEffect::Reply { conn, reply }));
        if !known.queue.is_empty() {
            works.push_back(Work::Listener(conn));
        }
    }
}
