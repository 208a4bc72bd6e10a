//! What a node is told once, at its start.

use crate::voters::{Endpoint, Voters};
use alloc::{string::String, vec::Vec};
use ids::{NodeId, Uuid};

/// The quorum's settings, by Kafka's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tuning {
    /// `controller.quorum.election.timeout.ms`: how long a voter waits for a leader, at least; at most twice that.
    pub election_ms: u64,
    /// `controller.quorum.fetch.timeout.ms`: how long a follower goes on without an answer from its leader.
    pub fetch_ms: u64,
    /// `controller.quorum.election.backoff.max.ms`: the longest pause after a lost election.
    pub election_backoff_max_ms: u64,
    /// `controller.quorum.request.timeout.ms`: after it an answer is not expected any more.
    pub request_ms: u64,
    /// `controller.quorum.retry.backoff.ms`: the pause after a request that failed.
    pub retry_backoff_ms: u64,
    /// `controller.quorum.fetch.max.bytes`: most bytes of records in an answer, but for a single larger batch.
    pub fetch_max_bytes: u32,
    /// `controller.quorum.fetch.snapshot.max.bytes`: most bytes of a snapshot in an answer.
    pub snapshot_max_bytes: u32,
}

impl Default for Tuning {
    /// Kafka's defaults.
    fn default() -> Tuning {
        Tuning {
            election_ms: 1000,
            fetch_ms: 2000,
            election_backoff_max_ms: 1000,
            request_ms: 2000,
            retry_backoff_ms: 20,
            fetch_max_bytes: 1 << 20,
            snapshot_max_bytes: 1 << 20,
        }
    }
}

/// What a node is told once, at its start.
#[derive(Clone, Debug)]
pub struct RaftConfig {
    /// `node.id`.
    pub node: NodeId,
    /// The id of its metadata log directory.
    pub directory: Uuid,
    /// The cluster's id; requests that name another one are refused.
    pub cluster_id: String,
    /// Whether it may become a voter and take part in elections: a controller. A mere broker observes.
    pub controller: bool,
    /// `controller.quorum.voters`; empty when the log and its snapshots say who votes (KIP-853).
    pub static_voters: Voters,
    /// How many addresses `controller.quorum.bootstrap.servers` has, for who knows no voter yet.
    pub bootstrap_servers: u32,
    /// Where this node is reached as a controller, listener by listener.
    pub endpoints: Vec<Endpoint>,
    /// How long to wait for what, and how much at a time.
    pub tuning: Tuning,
    /// Where all chance comes from.
    pub seed: u64,
}
