//! The quorum as its leader sees it: what `DescribeQuorum` tells.

use crate::progress::Progress;
use crate::raft::Raft;
use crate::state::State;
use crate::voters::ReplicaKey;
use alloc::vec::Vec;
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, Time};
use wire::describe_quorum_response::{self as response, PartitionData};

/// One replica, as its leader sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplicaView {
    /// Which replica.
    pub key: ReplicaKey,
    /// The end of its log; `None` when it has not fetched from this leader.
    pub log_end: Option<Offset>,
    /// When it fetched last.
    pub last_fetch: Option<Time>,
    /// When it last had all there was.
    pub last_caught_up: Option<Time>,
}

/// The quorum, as its leader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuorumView {
    /// Who leads.
    pub leader: NodeId,
    /// Since which epoch.
    pub epoch: LeaderEpoch,
    /// Everything below is committed; `None` before the leader knows.
    pub high_watermark: Option<Offset>,
    /// The voters, in order of their ids; the leader too.
    pub voters: Vec<ReplicaView>,
    /// Everyone else who fetches, in order of their ids.
    pub observers: Vec<ReplicaView>,
}

impl Raft {
    /// The quorum, if this node leads; a leader has fetched from itself just now.
    #[must_use]
    pub fn describe(&self, now: Time) -> Option<QuorumView> {
        let State::Leader(leader) = &self.state else {
            return None;
        };
        let view = |key: ReplicaKey, seen: &Progress| ReplicaView {
            key,
            log_end: seen.end,
            last_fetch: seen.last_fetch,
            last_caught_up: seen.last_caught_up,
        };
        let voters = self.voters().iter().map(|voter| {
            let seen = leader.voters.get(&voter.key.id);
            let seen = seen.copied().unwrap_or_default();
            let mut key = voter.key;
            if key.id == self.me.id {
                let end = Some(self.log.log_end());
                return ReplicaView {
                    key: self.me,
                    log_end: end,
                    last_fetch: Some(now),
                    last_caught_up: Some(now),
                };
            }
            if seen.last_fetch.is_some() {
                key.directory = seen.directory;
            }
            view(key, &seen)
        });
        Some(QuorumView {
            leader: self.me.id,
            epoch: self.election.epoch,
            high_watermark: self.high_watermark,
            voters: voters.collect(),
            observers: (leader.observers.iter())
                .map(|(key, seen)| view(*key, seen))
                .collect(),
        })
    }

    /// The partition of a `DescribeQuorum` answer: from who does not lead, that it does not.
    #[must_use]
    pub fn describe_partition(&self, now: Time) -> PartitionData {
        let Some(view) = self.describe(now) else {
            return PartitionData {
                error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER.0,
                ..PartitionData::default()
            };
        };
        let millis = |time: Option<Time>| time.map_or(-1, |time| self.wall(time).millis());
        let replica = |view: &ReplicaView| response::ReplicaState {
            replica_id: view.key.id.0,
            replica_directory_id: view.key.directory,
            log_end_offset: view.log_end.map_or(-1, |end| end.0),
            last_fetch_timestamp: millis(view.last_fetch),
            last_caught_up_timestamp: millis(view.last_caught_up),
            ..response::ReplicaState::default()
        };
        PartitionData {
            leader_id: view.leader.0,
            leader_epoch: view.epoch.0,
            high_watermark: view.high_watermark.map_or(-1, |upto| upto.0),
            current_voters: view.voters.iter().map(replica).collect(),
            observers: view.observers.iter().map(replica).collect(),
            ..PartitionData::default()
        }
    }
}
