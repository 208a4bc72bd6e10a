//! Connections: requests are begun one after the other, answers leave in the order of requests.
//!
//! Kafka mutes a channel until its request is answered; here later frames wait in the connection's
//! queue, but for one case: while nothing but Produce requests wait for their answers, the next
//! Produce is begun. What they append is in order all the same, and a disk that has to confirm it
//! (or a follower) confirms many of them at once. Shells should not let the queue grow: they stop
//! reading a connection that has a frame waiting.

use crate::event::{ClientEffect, Closing, Effect, Reply};
use crate::waiting::{Caller, WaitId};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::ConnId;
use sorted::SortedMap;

/// Frames that may wait on one connection before it is closed.
pub(crate) const QUEUED_MAX: usize = 128;
/// Requests of one connection whose answers may wait, for their time or for those before them.
pub(crate) const UNANSWERED_MAX: usize = 64;
/// How a Produce request begins: with its API key.
const PRODUCE: [u8; 2] = [0, 0];

/// What becomes of a request that has been begun.
#[derive(Clone, Debug)]
enum Fate {
    /// It is being handled, or parked.
    Open(Option<WaitId>),
    /// Its answer waits for those before it. It names no log slices, which would not keep: it is a
    /// Produce request's.
    Answered(Reply),
    /// It wants no answer.
    Silent,
    /// It ends the connection.
    Close(Closing),
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) host: Arc<str>,
    /// Name and version of the client's software, once it has said so (KIP-511).
    pub(crate) software: Option<(Arc<str>, Arc<str>)>,
    queue: VecDeque<Bytes>,
    /// The requests that have been begun and whose answers have not left, in order.
    begun: VecDeque<Fate>,
    /// How many requests have left `begun`: the number of its first one.
    ended: u64,
    /// Whether all that is begun is Produce.
    produces: bool,
}

impl Connection {
    /// Whether a frame may be handled now.
    fn may_begin(&self, frame: &Bytes) -> bool {
        self.begun.is_empty()
            || self.produces && frame.starts_with(&PRODUCE) && self.begun.len() < UNANSWERED_MAX
    }

    fn fate(&mut self, request: u64) -> Option<&mut Fate> {
        let at = request.checked_sub(self.ended)?;
        self.begun.get_mut(usize::try_from(at).ok()?)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Connections {
    open: SortedMap<ConnId, Connection>,
}

impl Connections {
    pub(crate) fn open(&mut self, conn: ConnId, host: Arc<str>) {
        let connection = Connection {
            host,
            software: None,
            queue: VecDeque::new(),
            begun: VecDeque::new(),
            ended: 0,
            produces: false,
        };
        self.open.insert(conn, connection);
    }

    /// Forgets a connection; returns the requests that were parked on it.
    pub(crate) fn close(&mut self, conn: ConnId) -> impl Iterator<Item = WaitId> + use<> {
        let closed = self.open.remove(&conn).into_iter();
        closed
            .flat_map(|closed| closed.begun)
            .filter_map(|fate| match fate {
                Fate::Open(waiter) => waiter,
                Fate::Answered(_) | Fate::Silent | Fate::Close(_) => None,
            })
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.open.get(&conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.open.get_mut(&conn)
    }

    /// Queues a frame; `false` when the connection has too many.
    pub(crate) fn push(&mut self, conn: ConnId, frame: Bytes) -> bool {
        let Some(connection) = self.open.get_mut(&conn) else {
            return true;
        };
        connection.queue.push_back(frame);
        connection.queue.len() <= QUEUED_MAX
    }

    /// The next frame of a connection that may begin with it, and the request's number there.
    pub(crate) fn next_frame(&mut self, conn: ConnId) -> Option<(u64, Bytes)> {
        let connection = self.open.get_mut(&conn)?;
        if !connection.may_begin(connection.queue.front()?) {
            return None;
        }
        let frame = connection.queue.pop_front()?;
        let request = connection.ended + connection.begun.len() as u64;
        connection.produces = frame.starts_with(&PRODUCE);
        connection.begun.push_back(Fate::Open(None));
        Some((request, frame))
    }

    /// Notes that a request is parked.
    pub(crate) fn park(&mut self, caller: &Caller, waiter: WaitId) {
        let connection = self.open.get_mut(&caller.conn);
        if let Some(Fate::Open(waits)) = connection.and_then(|open| open.fate(caller.request)) {
            *waits = Some(waiter);
        }
    }

    /// A request has its answer: it leaves as soon as those before it have left.
    pub(crate) fn answer(&mut self, caller: &Caller, reply: Reply, out: &mut Vec<Effect>) {
        self.settle(caller.conn, caller.request, Fate::Answered(reply), out);
    }

    /// A request that wants no answer has been carried out.
    pub(crate) fn silence(&mut self, conn: ConnId, request: u64, out: &mut Vec<Effect>) {
        self.settle(conn, request, Fate::Silent, out);
    }

    /// A request ends its connection, once those before it are answered.
    pub(crate) fn end(&mut self, conn: ConnId, request: u64, why: Closing, out: &mut Vec<Effect>) {
        self.settle(conn, request, Fate::Close(why), out);
    }

    fn settle(&mut self, conn: ConnId, request: u64, fate: Fate, out: &mut Vec<Effect>) {
        let Some(connection) = self.open.get_mut(&conn) else {
            return;
        };
        if matches!(fate, Fate::Close(_)) {
            // Nothing that comes behind it is begun.
            connection.produces = false;
            connection.queue.clear();
        }
        if let Some(open) = connection.fate(request) {
            *open = fate;
        }
        while let Some(fate) = connection.begun.pop_front() {
            match fate {
                Fate::Open(_) => {
                    connection.begun.push_front(fate);
                    return;
                }
                Fate::Answered(reply) => {
                    out.push(Effect::Client(ClientEffect::Reply { conn, reply }))
                }
                Fate::Silent => {}
                Fate::Close(why) => {
                    out.push(Effect::Client(ClientEffect::Close { conn, why }));
                    self.open.remove(&conn);
                    return;
                }
            }
            connection.ended += 1;
        }
    }

    /// Whether a connection has a frame that it can begin with now.
    pub(crate) fn is_ready(&self, conn: ConnId) -> bool {
        let connection = self.open.get(&conn);
        connection.is_some_and(|open| open.queue.front().is_some_and(|next| open.may_begin(next)))
    }

    /// Frames that wait behind the request being handled.
    pub(crate) fn queued(&self, conn: ConnId) -> usize {
        self.open
            .get(&conn)
            .map_or(0, |connection| connection.queue.len())
    }
}
