//! The network between clients and nodes: who is connected to whom, and how long a message takes.

use crate::actors::ActorId;
use alloc::vec::Vec;
use client::io::LinkId;
use ids::{ConnId, NodeId};
use sorted::SortedMap;

/// One way between a client and a broker, in microseconds.
pub(crate) const LATENCY_MICROS: u64 = 400;
/// The port of the first node; each further node has the next one.
pub(crate) const FIRST_PORT: u16 = 9092;

/// Both ends of every connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    by_conn: SortedMap<(NodeId, ConnId), (ActorId, LinkId)>,
    by_link: SortedMap<(ActorId, LinkId), (NodeId, ConnId)>,
    next_conn: u64,
}

impl Network {
    /// A new connection between a client's link and a node.
    pub(crate) fn connect(&mut self, actor: ActorId, link: LinkId, node: NodeId) -> ConnId {
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        self.by_conn.insert((node, conn), (actor, link));
        self.by_link.insert((actor, link), (node, conn));
        conn
    }

    pub(crate) fn node_end(&self, actor: ActorId, link: LinkId) -> Option<(NodeId, ConnId)> {
        self.by_link.get(&(actor, link)).copied()
    }

    pub(crate) fn client_end(&self, node: NodeId, conn: ConnId) -> Option<(ActorId, LinkId)> {
        self.by_conn.get(&(node, conn)).copied()
    }

    /// Forgets a connection, by its node's end.
    pub(crate) fn close(&mut self, node: NodeId, conn: ConnId) -> Option<(ActorId, LinkId)> {
        let end = self.by_conn.remove(&(node, conn))?;
        self.by_link.remove(&end);
        Some(end)
    }

    /// All connections of a client.
    pub(crate) fn of_actor(&self, actor: ActorId) -> Vec<(LinkId, NodeId, ConnId)> {
        let range = self
            .by_link
            .range((actor, LinkId(0))..=(actor, LinkId(u32::MAX)));
        range
            .map(|((_, link), (node, conn))| (*link, *node, *conn))
            .collect()
    }

    /// All connections of a node.
    pub(crate) fn of_node(&self, node: NodeId) -> Vec<ConnId> {
        let range = self
            .by_conn
            .range((node, ConnId(0))..=(node, ConnId(u64::MAX)));
        range.map(|((_, conn), _)| *conn).collect()
    }
}
