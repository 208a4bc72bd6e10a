//! How a life is lived, and who takes part in it.

use ids::{NodeId, Uuid};
use raft::{Endpoint, ReplicaKey, Tuning, Voter, Voters};
use wire::Str;

/// How a life is lived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) voters: i32,
    pub(crate) observers: bool,
    pub(crate) dynamic: bool,
    /// Short timeouts and small fetches: many elections, and logs that follow batch by batch.
    pub(crate) hasty: bool,
    /// How many of eight new leaders are killed within milliseconds.
    pub(crate) fall: u64,
}

/// What a life was like.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Lived {
    pub(crate) events: u64,
    pub(crate) kills: u64,
    pub(crate) epochs: usize,
    pub(crate) committed: i64,
    pub(crate) snapshots_loaded: u64,
    pub(crate) voters_changed: u64,
}

pub(crate) fn directory(id: NodeId) -> Uuid {
    Uuid([id.0 as u8; 16])
}

pub(crate) fn voters(plan: &Plan) -> Voters {
    let voter = |id: i32| Voter {
        key: ReplicaKey {
            id: NodeId(id),
            directory: directory(NodeId(id)),
        },
        endpoints: vec![endpoint(NodeId(id))],
        kraft_versions: (0, 1),
    };
    Voters::new((1..=plan.voters).map(voter).collect())
}

pub(crate) fn endpoint(id: NodeId) -> Endpoint {
    Endpoint {
        listener: Str::from("CONTROLLER"),
        host: Str::from("localhost"),
        port: 9000 + id.0 as u16,
    }
}

pub(crate) fn tuning(plan: &Plan) -> Tuning {
    let usual = Tuning::default();
    match plan.hasty {
        true => Tuning {
            election_ms: 40,
            fetch_ms: 200,
            election_backoff_max_ms: 50,
            fetch_max_bytes: 1,
            snapshot_max_bytes: 100,
            ..usual
        },
        false => usual,
    }
}
