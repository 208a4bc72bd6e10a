//! What is going to happen, in order of time.

use crate::actors::ActorId;
use crate::network::{End, ToEnd};
use alloc::collections::BinaryHeap;
use cluster::Event;
use core::cmp::{Ordering, Reverse};
use ids::{NodeId, Time};

/// Which life of a node, counted from 0: each kill ends one.
pub(crate) type Life = u32;

/// Something that will happen to a node or a client.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A node is told something. What was meant for an earlier life of it is lost: what it
    /// had ordered, asked and connected to went with that life.
    Node {
        node: NodeId,
        life: Life,
        event: Event,
    },
    /// Something reaches the end that has opened a connection; of a node's, if it lives that life.
    ToEnd { end: End, life: Life, what: ToEnd },
    /// A node asked to be woken now.
    WakeNode { node: NodeId, life: Life },
    /// A node that is to stop in order has had time enough.
    StopNode { node: NodeId, life: Life },
    /// A client asked to be woken now.
    WakeActor { actor: ActorId },
    /// The scenario's topics may be created now, or its brokers have had time enough; `tries` were before.
    SetUp { tries: u32 },
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
