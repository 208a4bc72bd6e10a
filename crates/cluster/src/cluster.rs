//! The cluster: events for a node in, orders of nodes out.

use crate::link::{LinkEffect, LinkEvent};
use crate::node::Node;
use alloc::vec::Vec;
use broker::{ClientEffect, ClientEvent, Note};
use ids::{NodeId, Time};
use log::{DiskEffect, DiskEvent, Log, LogId};
use sorted::SortedMap;

/// A fact a node is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// The node begins.
    Start,
    /// A client of the broker has done something.
    Client(ClientEvent),
    /// The same on the listener of the node's controller, where other nodes come to.
    ControllerListener(ClientEvent),
    /// What becomes of a connection that the node has opened itself.
    Link(LinkEvent),
    /// The disk has carried out an order, or could not.
    Disk(DiskEvent),
    /// The node is to stop in order: its leaderships go first.
    Shutdown,
    /// Time has passed.
    Tick,
}

impl From<ClientEvent> for Event {
    fn from(event: ClientEvent) -> Event {
        Event::Client(event)
    }
}

impl From<LinkEvent> for Event {
    fn from(event: LinkEvent) -> Event {
        Event::Link(event)
    }
}

impl From<DiskEvent> for Event {
    fn from(event: DiskEvent) -> Event {
        Event::Disk(event)
    }
}

/// An order of a node; orders are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Something for a client.
    Client(ClientEffect),
    /// Something for the node's disk.
    Disk(DiskEffect),
    /// Something for a connection that the node opens itself.
    Link(LinkEffect),
    /// Something a person may want to know.
    Note(Note),
}

// Events and orders are moved at each step, so a floor that wraps what the floor below says must not
// make it larger: an order is a reply with its connection, an event one word more than what it wraps.
#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Effect>() == size_of::<ClientEffect>());
    assert!(size_of::<broker::Effect>() == size_of::<ClientEffect>());
    assert!(size_of::<Event>() <= size_of::<DiskEvent>() + size_of::<u64>());
    assert!(size_of::<broker::Event>() <= size_of::<Event>());
};

/// All nodes of a cluster. `Clone` is a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    nodes: SortedMap<NodeId, Node>,
}

impl Cluster {
    /// A cluster without nodes.
    #[must_use]
    pub fn new() -> Cluster {
        Cluster::default()
    }

    /// Puts a node in; it does nothing before [`Event::Start`]. A node of the same id is replaced.
    pub fn insert(&mut self, node: Node) {
        self.nodes.insert(node.id(), node);
    }

    /// Takes a node out as it stands, as a kill does.
    pub fn remove(&mut self, id: NodeId) -> Option<Node> {
        self.nodes.remove(&id)
    }

    /// A node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// A node, to let its logs drop bytes from memory.
    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(&id)
    }

    /// All nodes in order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// A log of a node, as a shell needs it to resolve slices.
    #[must_use]
    pub fn log(&self, node: NodeId, log: LogId) -> Option<&Log> {
        self.nodes.get(&node)?.log(log)
    }

    /// Tells a node one fact; its orders are appended to `out`. A node that is not there
    /// (killed, or never started) hears nothing.
    pub fn step(&mut self, now: Time, id: NodeId, event: Event, out: &mut Vec<Effect>) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        node.step(now, event, out);
    }

    /// The next moment at which a node's [`Event::Tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self, id: NodeId) -> Option<Time> {
        self.nodes.get(&id)?.next_deadline()
    }
}
