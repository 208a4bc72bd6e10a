//! Nodes: what a process of a cluster is made of, and what its parts say to each other and to other nodes.
//!
//! A [`Cluster`] is what a shell drives: it takes events for a node and gives orders of a node. A node says
//! nothing to another but Kafka's frames on connections, which the shell carries ([`LinkEffect`]) and which
//! come in at the other as a client's do; nothing is assumed of them. The parts of one node exchange the
//! same frames at once.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod asks;
mod calls;
mod cluster;
mod codec;
mod link;
mod metadata_log;
mod node;
mod quorum;
mod served;
mod snapshots;

pub use broker::{
    Broker, BrokerConfig, ClientEffect, ClientEvent, Closing, ControllerEvent, GroupView,
    MemberView, Note, Recovered, ReplicaView, Reply, ReplySlice, Volume,
};
pub use calls::{Answer, CallToken, Calls, Purpose, UNANSWERED_MAX, Unanswered};
pub use cluster::{Cluster, Effect, Event};
pub use controller::{Controller, ControllerConfig};
pub use link::{Endpoint, LinkEffect, LinkEvent, LinkId};
pub use log::{DiskEffect, DiskEvent, LogId};
pub use metadata_log::MetadataLog;
pub use node::{Node, NodeConfig};
pub use raft::{
    Damaged, Election, Endpoint as ListenerEndpoint, KeptSnapshot, Raft, RaftConfig, ReplicaKey,
    Tuning, Voter, Voters, bootstrap_checkpoint,
};
pub use snapshots::Snapshots;
