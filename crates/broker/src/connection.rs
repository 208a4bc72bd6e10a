//! Connections: one request at a time, answers in the order of requests.
//!
//! Kafka mutes a channel until its request is answered; here later frames wait
//! in the connection's queue. Shells should not let it grow: they stop reading
//! a connection that has a frame waiting.

use crate::waiting::WaitId;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use bytes::Bytes;
use ids::ConnId;
use sorted::SortedMap;

/// Frames that may wait on one connection before it is closed.
pub(crate) const QUEUED_MAX: usize = 128;

/// What a connection is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    /// A request is parked.
    Busy(Option<WaitId>),
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) host: Arc<str>,
    /// Name and version of the client's software, once it has said so (KIP-511).
    pub(crate) software: Option<(Arc<str>, Arc<str>)>,
    state: State,
    queue: VecDeque<Bytes>,
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
            state: State::Idle,
            queue: VecDeque::new(),
        };
        self.open.insert(conn, connection);
    }

    /// Forgets a connection; returns the request that was parked on it.
    pub(crate) fn close(&mut self, conn: ConnId) -> Option<WaitId> {
        match self.open.remove(&conn)?.state {
            State::Busy(waiter) => waiter,
            State::Idle => None,
        }
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

    /// The next frame of a connection that is not busy; the connection is busy from then on.
    pub(crate) fn next_frame(&mut self, conn: ConnId) -> Option<Bytes> {
        let connection = self.open.get_mut(&conn)?;
        if connection.state != State::Idle {
            return None;
        }
        let frame = connection.queue.pop_front()?;
        connection.state = State::Busy(None);
        Some(frame)
    }

    /// Notes which parked request a connection waits for.
    pub(crate) fn park(&mut self, conn: ConnId, waiter: WaitId) {
        if let Some(connection) = self.open.get_mut(&conn) {
            connection.state = State::Busy(Some(waiter));
        }
    }

    /// The request of a connection has been answered; says how many frames waited behind it.
    pub(crate) fn idle(&mut self, conn: ConnId) -> usize {
        let Some(connection) = self.open.get_mut(&conn) else {
            return 0;
        };
        connection.state = State::Idle;
        connection.queue.len()
    }

    /// Frames that wait behind the request being handled.
    pub(crate) fn queued(&self, conn: ConnId) -> usize {
        self.open
            .get(&conn)
            .map_or(0, |connection| connection.queue.len())
    }
}
