//! The states of a node, each with what only it needs.
//!
//! What a node may not forget (epoch, leader, vote) is no part of them: that is the
//! [`Election`](crate::Election), which is saved.

use crate::membership::Asks;
use crate::message::CallId;
use crate::progress::Progress;
use crate::voters::{ReplicaKey, Voters};
use alloc::{boxed::Box, vec::Vec};
use ids::{NodeId, Offset, SnapshotId, Time};
use sorted::SortedMap;

/// What a node is doing about the quorum.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// A voter that knows no leader, whether it has voted or not; it looks for one, and asks to become one itself
    /// when this time has come.
    Unattached { campaign_at: Time },
    /// Asks whether it would be voted for, which costs nobody an epoch (KIP-996).
    Prospective(Campaign),
    /// Asks for votes, in an epoch of its own.
    Candidate(Campaign),
    /// A voter that fetches from the leader.
    Follower(Following),
    /// The leader.
    Leader(Box<Leader>),
    /// Led in this epoch and does no more; it tells the voters so until this time.
    Resigned(Resigned),
    /// No voter: fetches from the leader, or from whoever may say who that is.
    Observer(Following),
}

/// An election from the side of who wants to be elected.
#[derive(Clone, Debug)]
pub(crate) struct Campaign {
    pub(crate) votes: Votes,
    /// When it is given up.
    pub(crate) until: Time,
}

/// The answers of voters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Votes {
    granted: Vec<NodeId>,
    rejected: Vec<NodeId>,
}

impl Votes {
    /// Notes a voter's answer; its first one counts, and a stranger's never.
    pub(crate) fn note(&mut self, voters: &Voters, voter: NodeId, granted: bool) {
        if voters.get(voter).is_none() || self.has(voter) {
            return;
        }
        match granted {
            true => self.granted.push(voter),
            false => self.rejected.push(voter),
        }
    }

    pub(crate) fn has(&self, voter: NodeId) -> bool {
        self.granted.contains(&voter) || self.rejected.contains(&voter)
    }

    pub(crate) fn granted(&self) -> &[NodeId] {
        &self.granted
    }

    pub(crate) fn won(&self, voters: &Voters) -> bool {
        self.granted.len() >= voters.majority()
    }

    /// Too many are against it for a majority.
    pub(crate) fn lost(&self, voters: &Voters) -> bool {
        self.rejected.len() + voters.majority() > voters.len()
    }
}

/// Fetching from a leader.
#[derive(Clone, Debug)]
pub(crate) struct Following {
    /// When an answer must have come from the leader at last.
    pub(crate) until: Time,
    /// Whether one has come since it is followed: then it is alive, and no pre-vote is granted.
    pub(crate) heard: bool,
    /// A snapshot that is being fetched, because the leader's log begins after the own one ends.
    pub(crate) download: Option<Download>,
}

/// A snapshot on its way.
#[derive(Clone, Debug)]
pub(crate) struct Download {
    pub(crate) id: SnapshotId,
    pub(crate) bytes: Vec<u8>,
}

/// Leading.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    /// When it was elected.
    pub(crate) since: Time,
    /// Where its first record is. Records below become committed with it, never by themselves.
    pub(crate) epoch_start: Offset,
    /// Whether [`Effect::Leading`](crate::Effect::Leading) has been said.
    pub(crate) announced: bool,
    /// How far the other voters are.
    pub(crate) voters: SortedMap<NodeId, Progress>,
    /// How far everyone else is who fetches.
    pub(crate) observers: SortedMap<ReplicaKey, Progress>,
    /// Fetches that wait for something to be told.
    pub(crate) waiting: Vec<crate::fetch::Asked>,
    /// When voters that do not fetch are told once more who leads.
    pub(crate) begin_at: Time,
    /// Whom to tell now.
    pub(crate) to_tell: Vec<NodeId>,
    /// A change of the voters that is not committed.
    pub(crate) change: Option<Change>,
}

/// A change of the voters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    /// Its record.
    pub(crate) at: Offset,
    /// Who waits for it.
    pub(crate) call: Option<CallId>,
    pub(crate) asks: Asks,
}

/// Has led.
#[derive(Clone, Debug)]
pub(crate) struct Resigned {
    /// Voters that have not confirmed that they know.
    pub(crate) unacked: Vec<NodeId>,
    /// Who should lead next: those with the longest logs first.
    pub(crate) successors: Vec<ReplicaKey>,
    /// When it takes part in elections again.
    pub(crate) until: Time,
}
