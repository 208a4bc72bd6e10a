//! One replica: its log, what the metadata says of it, the part it plays, and what it has ordered.

use super::orders::Orders;
use super::role::{Leading, Role};
use super::{Awaiter, News};
use crate::waiting::WaitId;
use alloc::vec::Vec;
use ids::{LeaderEpoch, Mutant, NodeId, Offset, TopicIdPartition, is_planted};
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
    /// How many replicas the partition is assigned to.
    pub(crate) replication: usize,
}

impl Default for Assignment {
    fn default() -> Assignment {
        Assignment {
            leader: None,
            epoch: LeaderEpoch::NONE,
            isr: Vec::new(),
            replication: 1,
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

    pub(super) fn leading_mut(&mut self) -> Option<&mut Leading> {
        match &mut self.role {
            Role::Leading(leading) => Some(leading),
            Role::Following | Role::Offline => None,
        }
    }

    /// Whether enough replicas are in sync for `min.insync.replicas`. With fewer replicas than that all of
    /// them are enough, as in Kafka.
    pub(crate) fn has_enough_in_sync(&self) -> bool {
        let needed = usize::try_from(self.rules.min_insync_replicas).unwrap_or(0);
        self.assignment.isr.len() >= needed.min(self.assignment.replication)
    }

    /// Notes who waits for the log up to `end`: stored for acks=1, committed for acks=all. Only a leader
    /// is waited for.
    pub(crate) fn wait(&mut self, end: Offset, committed: bool, awaiter: Awaiter) {
        if let Some(leading) = self.leading_mut() {
            leading.wait(end, committed, awaiter);
        }
    }

    /// Moves the high watermark as far as it may go, and says who waited for that.
    pub(super) fn settle(&mut self, node: NodeId, news: &mut Vec<News>) {
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        let before = self.log.high_watermark();
        // With this broker alone in sync, what is stored is committed. Followers will
        // hold it back once there are any.
        if self.assignment.isr.as_slice() == [node] {
            let committed = if is_planted(Mutant::CommittedUnstored) {
                self.log.log_end()
            } else {
                self.log.stored_end()
            };
            self.log.advance_high_watermark(committed);
        }
        let (stored, committed) = (self.log.stored_end(), self.log.high_watermark());
        leading.settle(stored, committed, news);
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
