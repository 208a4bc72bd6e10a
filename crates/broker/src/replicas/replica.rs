//! One replica: its log, what the metadata says of it, the part it plays, and what it has ordered.

use super::orders::Orders;
use super::role::{Leading, Role};
use super::{Awaiter, News};
use crate::waiting::WaitId;
use alloc::vec::Vec;
use ids::{LeaderEpoch, Mutant, NodeId, Offset, Time, TopicIdPartition, is_planted};
use log::{Log, LogId};
use records::{Compression, TimestampType};
use sorted::SortedSet;

/// One replica.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) name: TopicIdPartition,
    pub(crate) log: Log,
    /// What the topic's configs say about an append.
    pub(crate) rules: AppendRules,
    /// What the metadata says of the partition.
    pub(super) assignment: Assignment,
    pub(super) role: Role,
    /// Parked requests that read it: they look again when the high watermark moves or when bytes have
    /// been loaded.
    pub(crate) readers: SortedSet<WaitId>,
    pub(super) orders: Orders,
}

/// What the metadata says of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) leader: Option<NodeId>,
    pub(crate) epoch: LeaderEpoch,
    /// The replicas that are in sync.
    pub(crate) isr: Vec<NodeId>,
    /// All replicas that the partition is assigned to.
    pub(crate) replicas: Vec<NodeId>,
    /// Grows with every change of the partition.
    pub(crate) partition_epoch: i32,
}

impl Default for Assignment {
    fn default() -> Assignment {
        Assignment {
            leader: None,
            epoch: LeaderEpoch::NONE,
            isr: Vec::new(),
            replicas: Vec::new(),
            partition_epoch: -1,
        }
    }
}

/// The part of a topic's configs that an append needs, kept ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppendRules {
    pub(crate) max_message_bytes: u32,
    pub(crate) compacted: bool,
    pub(crate) timestamp_type: TimestampType,
    pub(crate) timestamp_before_max_ms: i64,
    pub(crate) timestamp_after_max_ms: i64,
    pub(crate) min_insync_replicas: i32,
    /// `compression.type`; `None` keeps the producer's.
    pub(crate) compression: Option<Compression>,
}

impl Replica {
    pub(super) fn new(name: TopicIdPartition, log: Log, rules: AppendRules) -> Replica {
        Replica {
            name,
            log,
            rules,
            assignment: Assignment::default(),
            role: Role::Offline,
            readers: SortedSet::new(),
            orders: Orders::default(),
        }
    }

    /// The leader epoch that the metadata names.
    pub(crate) fn epoch(&self) -> LeaderEpoch {
        self.assignment.epoch
    }

    /// Whether this broker leads the partition.
    pub(crate) fn leads(&self) -> bool {
        matches!(self.role, Role::Leading(_))
    }

    pub(crate) fn partition_epoch(&self) -> i32 {
        self.assignment.partition_epoch
    }

    /// Whether a leader knows that it does not know yet how far the log is committed: its predecessor may
    /// have had more committed than it has heard of.
    pub(crate) fn is_unsure(&self, committed: Offset) -> bool {
        match &self.role {
            Role::Leading(leading) => leading.followers.epoch_start() > committed,
            Role::Following(_) | Role::Offline => false,
        }
    }

    /// The follower that a consumer is sent to, of those that are near.
    pub(crate) fn nearest(
        &self,
        offset: Offset,
        is_near: impl Fn(NodeId) -> bool,
    ) -> Option<NodeId> {
        match &self.role {
            Role::Leading(leading) => {
                let isr = &self.assignment.isr;
                leading.followers.nearest(offset, isr, is_near)
            }
            Role::Following(_) | Role::Offline => None,
        }
    }

    /// Whether a node is one of the partition's replicas.
    pub(crate) fn is_assigned_to(&self, node: NodeId) -> bool {
        self.assignment.replicas.contains(&node)
    }

    /// The change of the in-sync replicas that the controller is asked for, with broker epochs.
    pub(crate) fn proposed_isr(&self) -> Option<impl Iterator<Item = (NodeId, i64)>> {
        match &self.role {
            Role::Leading(leading) => leading.followers.proposed(),
            Role::Following(_) | Role::Offline => None,
        }
    }

    /// Notes a parked request that reads it. A follower's looks again when more is stored.
    pub(crate) fn note_reader(&mut self, id: WaitId, is_follower: bool) {
        match &mut self.role {
            Role::Leading(leading) if is_follower => leading.fetching.insert(id),
            _ => self.readers.insert(id),
        };
    }

    /// A request that read it is not parked any more.
    pub(crate) fn forget_reader(&mut self, id: WaitId) {
        self.readers.remove(&id);
        if let Some(leading) = self.leading_mut() {
            leading.fetching.remove(&id);
        }
    }

    /// Notes a parked request that waits for followers to let go of records.
    pub(crate) fn note_deleter(&mut self, id: WaitId) {
        if let Some(leading) = self.leading_mut() {
            leading.deleting.insert(id);
        }
    }

    /// Such a request is not parked any more.
    pub(crate) fn forget_deleter(&mut self, id: WaitId) {
        if let Some(leading) = self.leading_mut() {
            leading.deleting.remove(&id);
        }
    }

    /// Where the log begins that begins first, of a leader's and those of followers that are alive.
    pub(crate) fn low_watermark(&self, is_alive: impl Fn(NodeId) -> bool) -> Option<Offset> {
        match &self.role {
            Role::Leading(leading) => {
                let first = leading.followers.first_start(is_alive);
                Some(first.map_or(self.log.log_start(), |first| {
                    first.min(self.log.log_start())
                }))
            }
            Role::Following(_) | Role::Offline => None,
        }
    }

    /// Whether another broker leads the partition.
    pub(crate) fn follows(&self) -> bool {
        matches!(self.role, Role::Following(_))
    }

    pub(super) fn leading_mut(&mut self) -> Option<&mut Leading> {
        self.role.leading_mut()
    }

    /// Takes note of an epoch of this leader's, or of other replicas in it.
    pub(super) fn lead(&mut self, now: Time, is_new: bool, own: NodeId) {
        let end = self.log.log_end();
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        if is_new {
            leading.followers.begin(now, end, &self.assignment, own);
        } else {
            leading.followers.follow(now, &self.assignment, own);
        }
    }

    /// Whether enough replicas are in sync for `min.insync.replicas`. With fewer replicas than that all of
    /// them are enough, as in Kafka.
    pub(crate) fn has_enough_in_sync(&self) -> bool {
        let needed = usize::try_from(self.rules.min_insync_replicas).unwrap_or(0);
        self.assignment.isr.len() >= needed.min(self.assignment.replicas.len())
    }

    /// Notes who waits for the log up to `end`: stored for acks=1, committed for acks=all. Only a leader
    /// is waited for.
    pub(crate) fn wait(&mut self, end: Offset, committed: bool, awaiter: Awaiter) {
        if let Some(leading) = self.leading_mut() {
            leading.wait(end, committed, awaiter);
        }
    }

    /// Moves the high watermark as far as it may go, and says who waited for that.
    ///
    /// Below `min.insync.replicas` it stands still, for every `acks` alike.
    pub(super) fn settle(&mut self, now: Time, lag_ms: u64, news: &mut Vec<News>) {
        let is_enough = self.has_enough_in_sync();
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        let before = self.log.high_watermark();
        if is_enough {
            let own = if is_planted(Mutant::CommittedUnstored) {
                self.log.log_end()
            } else {
                self.log.stored_end()
            };
            let times = (now, lag_ms);
            let committed = (leading.followers).committed(times, own, &self.assignment.isr);
            self.log.advance_high_watermark(committed);
        }
        let (stored, committed) = (self.log.stored_end(), self.log.high_watermark());
        leading.settle((stored, committed), is_enough, news);
        if committed > before {
            self.tell_readers(None, news);
        }
    }

    /// Takes another part than that of the leader.
    pub(super) fn resign(&mut self, id: LogId, role: Role, news: &mut Vec<News>) {
        if let Role::Leading(leading) = core::mem::replace(&mut self.role, role) {
            leading.resign(news);
            self.tell_readers(None, news);
            news.push(News::Resigned { id });
        }
    }

    /// Has those who read it look again.
    pub(super) fn tell_readers(&self, unreadable: Option<LogId>, news: &mut Vec<News>) {
        let readers = self.readers.iter();
        news.extend(readers.map(|&reader| News::Look { reader, unreadable }));
    }
}
