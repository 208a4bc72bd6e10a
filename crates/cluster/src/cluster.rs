//! The cluster: events for a node in, orders of nodes out.

use crate::node::{Local, Node};
use alloc::sync::Arc;
use alloc::vec::Vec;
use broker::{Closing, Note, ReplicaId, ReplicaName, Reply};
use bytes::Bytes;
use ids::{ConnId, ErrorCode, NodeId, Time, Token};
use log::{Log, LogSlice, StoreOp};
use sorted::SortedMap;

/// Names one log of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LogId {
    /// The controller's `__cluster_metadata-0`.
    Metadata,
    /// A broker's replica.
    Replica(ReplicaId),
}

/// What one node says to another.
#[derive(Clone, Debug, PartialEq)]
pub enum Peer {
    /// A broker asks the controller.
    Ask {
        /// Chosen by the asking node; comes back with the answer.
        token: Token,
        /// The request frame.
        frame: Bytes,
    },
    /// The controller answers.
    Answer {
        /// The question's token.
        token: Token,
        /// The response frame.
        frame: Bytes,
    },
    /// The controller has no answer.
    Refuse {
        /// The question's token.
        token: Token,
        /// Why.
        code: ErrorCode,
    },
    /// The controller tells of a committed batch of the metadata log.
    Metadata {
        /// The batch.
        batch: Bytes,
    },
}

/// A fact a node is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// The node begins.
    Start,
    /// A client has connected.
    Connected {
        /// The connection, never used before on this node.
        conn: ConnId,
        /// The client's address.
        host: Arc<str>,
    },
    /// A connection is gone.
    Disconnected {
        /// The connection.
        conn: ConnId,
    },
    /// A frame has come in, without its four bytes of length.
    Request {
        /// The connection.
        conn: ConnId,
        /// Header and body.
        frame: Bytes,
    },
    /// The ops of [`Effect::Store`] have been written.
    Stored {
        /// The log.
        log: LogId,
        /// The order's token.
        token: Token,
    },
    /// The ops could not be written, and neither were any later ones of that log.
    StoreFailed {
        /// The log.
        log: LogId,
        /// The order's token.
        token: Token,
    },
    /// What [`Effect::Load`] asked for; empty when it could not be read.
    Loaded {
        /// The order's token.
        token: Token,
        /// The bytes.
        bytes: Bytes,
    },
    /// Another node says something.
    Peer {
        /// Who.
        from: NodeId,
        /// What.
        message: Peer,
    },
    /// The node is to stop in order: its leaderships go first.
    Shutdown,
    /// Time has passed.
    Tick,
}

/// An order of a node; orders are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send this to a client.
    Reply {
        /// The connection.
        conn: ConnId,
        /// The frame.
        reply: Reply,
    },
    /// Close a connection.
    Close {
        /// The connection.
        conn: ConnId,
        /// Why, for the one log line.
        why: Closing,
    },
    /// A replica begins to exist; what follows names it by its id.
    Open {
        /// Its id.
        replica: ReplicaId,
        /// Whose log it is.
        name: ReplicaName,
    },
    /// A replica's log and files are to be removed.
    Remove {
        /// The replica.
        replica: ReplicaId,
    },
    /// Write to a log's files, then say `Stored`.
    Store {
        /// The log.
        log: LogId,
        /// Comes back with the completion.
        token: Token,
        /// What to write, in order.
        ops: Vec<StoreOp>,
    },
    /// Read bytes of a log that are no longer in memory, then say `Loaded`.
    Load {
        /// The log.
        log: LogId,
        /// Comes back with the bytes.
        token: Token,
        /// Which bytes.
        slice: LogSlice,
    },
    /// Tell another node something.
    Send {
        /// The node.
        to: NodeId,
        /// What.
        message: Peer,
    },
    /// Something a person may want to know.
    Note(Note),
}

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
        // A node's parts talk to each other at once, until nothing is left to say.
        let mut talk = Vec::new();
        node.take(now, event, &mut talk, out);
        node.hear_all(now, &mut talk, out);
    }

    /// The next moment at which a node's [`Event::Tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self, id: NodeId) -> Option<Time> {
        self.nodes.get(&id)?.next_deadline()
    }
}

/// Where a message between a node's own parts, or to another node, goes.
pub(crate) fn route(
    own: NodeId,
    to: NodeId,
    message: Peer,
    talk: &mut Vec<Local>,
    out: &mut Vec<Effect>,
) {
    if own == to {
        talk.push(Local { from: own, message });
    } else {
        out.push(Effect::Send { to, message });
    }
}
