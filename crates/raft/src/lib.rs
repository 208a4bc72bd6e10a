//! KRaft's raft: who leads the metadata log, and what of it is committed (KIP-595, 630, 835, 853, 996).
//!
//! A [`Raft`] is one node's part in it, as a voter or as an observer. Events go in ([`Event`]), effects come
//! out ([`Effect`]); time is an argument, chance a seeded generator. It owns the log of `__cluster_metadata-0`
//! and the election's file, `quorum-state`, and never writes either itself: what must be stored goes out as
//! an order with a token, and nothing that rests on it is said to anyone before the token has come back.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod batches;
mod common;
mod config;
mod describe;
mod epoch;
mod fetch;
mod follow;
mod lead;
mod membership;
mod message;
mod outbox;
mod poll;
mod progress;
mod quorum_state;
mod raft;
mod snapshot;
mod start;
mod state;
mod transitions;
mod vote;
mod voters;

pub use batches::{bootstrap_checkpoint, snapshot_file};
pub use config::{RaftConfig, Tuning};
pub use describe::{QuorumView, ReplicaView};
pub use lead::AppendError;
pub use message::{CallId, Effect, Event, LeaderNode, Order, Peer, Request, Response, SendId};
pub use quorum_state::Election;
pub use raft::Raft;
pub use snapshot::KeptSnapshot;
pub use start::{Damaged, FromDisk};
pub use voters::{Endpoint, ReplicaKey, Voter, Voters};
