//! Brokers, their controller, and the routing between them.
//!
//! A [`Cluster`] is what a shell drives: it takes events for a node and gives orders of a node. Between
//! nodes nothing is assumed: what one says to another goes out as [`Effect::Send`] and comes in as
//! [`Event::Peer`], so that a simulated network may delay or lose it. A node talks to itself at once.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod calls;
mod cluster;
mod link;
mod node;

pub use broker::{
    Broker, BrokerConfig, ClientEffect, ClientEvent, Closing, ControllerEvent, GroupView,
    MemberView, Note, Recovered, ReplicaView, Reply, ReplySlice, Volume,
};
pub use calls::{Answer, CallToken, Calls, Purpose, UNANSWERED_MAX, Unanswered};
pub use cluster::{Cluster, Effect, Event, Peer};
pub use controller::{Controller, ControllerConfig, MetadataLog};
pub use link::{Endpoint, LinkEffect, LinkEvent, LinkId};
pub use log::{DiskEffect, DiskEvent, LogId};
pub use node::{Node, NodeConfig};
