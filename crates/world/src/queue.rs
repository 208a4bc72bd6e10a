//! What is going to happen, in order of time.

use crate::actors::ActorId;
use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use bytes::Bytes;
use client::io::LinkId;
use cluster::{LogId, Peer};
use core::cmp::{Ordering, Reverse};
use ids::{ConnId, NodeId, Time, Token};

/// Something that will happen to a node or a client.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A connection attempt reaches a node.
    Connect {
        node: NodeId,
        conn: ConnId,
        host: Arc<str>,
    },
    /// A request reaches a node.
    Request {
        node: NodeId,
        conn: ConnId,
        frame: Bytes,
    },
    /// A client's close reaches a node.
    Disconnect { node: NodeId, conn: ConnId },
    /// A connection stands, as the client sees it.
    Connected { actor: ActorId, link: LinkId },
    /// A connection was refused.
    Refused {
        actor: ActorId,
        link: LinkId,
        why: Arc<str>,
    },
    /// A response reaches a client.
    Response {
        actor: ActorId,
        link: LinkId,
        frame: Bytes,
    },
    /// A node's close reaches a client.
    Closed { actor: ActorId, link: LinkId },
    /// A disk has written.
    Stored {
        node: NodeId,
        log: LogId,
        token: Token,
    },
    /// A disk has refused to write.
    StoreFailed {
        node: NodeId,
        log: LogId,
        token: Token,
    },
    /// What one node said reaches another.
    Peer {
        to: NodeId,
        from: NodeId,
        message: Peer,
    },
    /// A node asked to be woken now.
    WakeNode { node: NodeId },
    /// A client asked to be woken now.
    WakeActor { actor: ActorId },
    /// A command of the scenario is due.
    Scripted { index: u32 },
    /// The members of a group had time to leave.
    Reset { input: u64 },
}

/// A queue of happenings; of two at the same time the one put in first comes first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    at: Time,
    order: u64,
    what: Happening,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Time, what: Happening) {
        self.next += 1;
        self.heap.push(Reverse(Entry {
            at,
            order: self.next,
            what,
        }));
    }

    pub(crate) fn next_time(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.0.at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Happening)> {
        self.heap.pop().map(|entry| (entry.0.at, entry.0.what))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
