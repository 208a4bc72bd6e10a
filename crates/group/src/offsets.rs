//! What a group has committed.
//!
//! A change is *begun* when its record is ordered and *persisted* when it is
//! stored; only then is it seen, so that nobody acts on a commit that a crash
//! takes back. Tickets grow in the order of the log.

use crate::{Group, State};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{LeaderEpoch, Mutant, Offset, PartitionIndex, ProducerId, Time, Uuid, is_planted};
use sorted::{SortedMap, SortedSet};

/// A committed offset of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The next record to read. Kafka does not check it: negative ones are kept.
    pub offset: Offset,
    /// Leader epoch of the last record read; [`LeaderEpoch::NONE`] if unknown.
    pub leader_epoch: LeaderEpoch,
    /// Whatever the client wanted to note.
    pub metadata: Arc<str>,
    /// When the broker took the commit.
    pub committed_at: Time,
    /// When it expires by itself; only old clients set it.
    pub expires_at: Option<Time>,
    /// The topic's id; [`Uuid::ZERO`] if unknown.
    pub topic_id: Uuid,
}

/// A change of one partition's offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetChange {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: PartitionIndex,
    /// The new offset; `None` deletes (a tombstone in the log).
    pub commit: Option<Commit>,
}

/// From when on the age of an offset counts; see [`Group::offset_expiry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Offsets do not expire while the group is as it is.
    Never,
    /// All age together since this moment: the group has been empty since.
    Since(Time),
    /// Each ages since its commit.
    SinceCommit,
    /// Those of topics nobody subscribes to age since their commit.
    UnsubscribedSinceCommit,
}

/// The committed offsets of one group.
///
/// Bounded by the partitions that exist: the caller refuses unknown ones.
#[derive(Clone, Debug, Default)]
pub struct Offsets {
    topics: SortedMap<Arc<str>, SortedMap<PartitionIndex, Seen>>,
    tickets: u64,
    begun: SortedMap<u64, Begun>,
    /// Stored commits of transactions that are still open, by producer.
    open: SortedMap<ProducerId, SortedMap<(Arc<str>, PartitionIndex), Seen>>,
}

/// A visible commit and the ticket it came with.
#[derive(Clone, Debug)]
struct Seen {
    ticket: u64,
    commit: Commit,
}

#[derive(Clone, Debug)]
struct Begun {
    producer: Option<ProducerId>,
    changes: Vec<OffsetChange>,
}

impl Offsets {
    /// Changes whose records are being written; [`Offsets::persisted`] wants the
    /// returned ticket.
    pub fn begin(&mut self, changes: Vec<OffsetChange>) -> u64 {
        self.begin_with(None, changes)
    }

    /// As [`Offsets::begin`], within the open transaction of `producer` (KIP-98).
    pub fn begin_transactional(&mut self, producer: ProducerId, changes: Vec<OffsetChange>) -> u64 {
        self.begin_with(Some(producer), changes)
    }

    fn begin_with(&mut self, producer: Option<ProducerId>, changes: Vec<OffsetChange>) -> u64 {
        let ticket = self.tickets;
        self.tickets += 1;
        self.begun.insert(ticket, Begun { producer, changes });
        ticket
    }

    /// The records of `ticket` were stored, or could not be. Unknown tickets are
    /// ignored.
    pub fn persisted(&mut self, ticket: u64, stored: bool) {
        let Some(begun) = self.begun.remove(&ticket) else {
            return;
        };
        if !stored {
            return;
        }
        for change in begun.changes {
            match begun.producer {
                None => self.apply(ticket, change),
                Some(producer) => self.hold(producer, ticket, change),
            }
        }
    }

    /// A record read back from the log.
    pub fn replay(&mut self, producer: Option<ProducerId>, change: OffsetChange) {
        let is_known = || self.fetch(&change.topic, change.partition).is_some();
        if is_planted(Mutant::CommitsForgotten)
            || is_planted(Mutant::FirstCommitRestored) && is_known()
        {
            return;
        }
        let ticket = self.begin_with(producer, Vec::from([change]));
        self.persisted(ticket, true);
    }

    /// The transaction of `producer` ended; its marker is stored.
    pub fn end_transaction(&mut self, producer: ProducerId, committed: bool) {
        let held = self.open.remove(&producer).unwrap_or_default();
        if !committed {
            return;
        }
        for ((topic, partition), seen) in held {
            let newer = self
                .seen(&topic, partition)
                .is_none_or(|now| now.ticket < seen.ticket);
            if newer {
                self.topics
                    .entry(topic)
                    .or_default()
                    .insert(partition, seen);
            }
        }
    }

    /// What is committed for a partition.
    #[must_use]
    pub fn fetch(&self, topic: &str, partition: PartitionIndex) -> Option<&Commit> {
        self.seen(topic, partition).map(|seen| &seen.commit)
    }

    /// Whether an open transaction may still change the partition's offset (KIP-447).
    #[must_use]
    pub fn is_unstable(&self, topic: &str, partition: PartitionIndex) -> bool {
        let touches = |t: &str, p: PartitionIndex| t == topic && p == partition;
        let held = self.open.values().flat_map(SortedMap::keys);
        let begun = self.begun.values().filter(|begun| begun.producer.is_some());
        held.into_iter().any(|(t, p)| touches(t, *p))
            || begun
                .flat_map(|b| &b.changes)
                .any(|c| touches(&c.topic, c.partition))
    }

    /// All commits, by topic and partition.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, PartitionIndex, &Commit)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions
                .iter()
                .map(move |(partition, seen)| (topic, *partition, &seen.commit))
        })
    }

    /// All partitions that have a commit, or will have one once what has begun is stored and what
    /// transactions hold is committed: those to delete with the group.
    #[must_use]
    pub fn touched(&self) -> SortedSet<(Arc<str>, PartitionIndex)> {
        let seen = self.iter().map(|(topic, at, _)| (topic.clone(), at));
        let begun = self.begun.values().flat_map(|begun| &begun.changes);
        let begun = begun.map(|change| (change.topic.clone(), change.partition));
        let held = self.open.values().flat_map(SortedMap::keys).cloned();
        seen.chain(begun).chain(held).collect()
    }

    /// Number of partitions with a commit.
    #[must_use]
    pub fn len(&self) -> usize {
        self.topics.values().map(SortedMap::len).sum()
    }

    /// Whether nothing is committed, being written or held by a transaction.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.begun.is_empty() && self.open.is_empty()
    }

    /// The offsets to delete at `now`, as changes for [`Offsets::begin`].
    ///
    /// `retention_ms` is `offsets.retention.minutes`; `is_subscribed` is asked for
    /// [`Expiry::UnsubscribedSinceCommit`] only. What an open transaction may still
    /// change stays.
    #[must_use]
    pub fn expired(
        &self,
        now: Time,
        retention_ms: u64,
        expiry: Expiry,
        is_subscribed: &dyn Fn(&str) -> bool,
    ) -> Vec<OffsetChange> {
        let is_old = |topic: &str, commit: &Commit| {
            let since = match expiry {
                Expiry::Never => return false,
                Expiry::UnsubscribedSinceCommit if is_subscribed(topic) => return false,
                Expiry::UnsubscribedSinceCommit | Expiry::SinceCommit => commit.committed_at,
                Expiry::Since(moment) => moment,
            };
            let end = commit.expires_at.unwrap_or(since.plus_millis(retention_ms));
            now >= end
        };
        self.iter()
            .filter(|(topic, _, commit)| is_old(topic, commit))
            .filter(|(topic, partition, _)| !self.is_unstable(topic, *partition))
            .map(|(topic, partition, _)| OffsetChange {
                topic: topic.clone(),
                partition,
                commit: None,
            })
            .collect()
    }

    fn seen(&self, topic: &str, partition: PartitionIndex) -> Option<&Seen> {
        self.topics.get(topic)?.get(&partition)
    }

    fn apply(&mut self, ticket: u64, change: OffsetChange) {
        let OffsetChange {
            topic,
            partition,
            commit,
        } = change;
        if self
            .seen(&topic, partition)
            .is_some_and(|now| now.ticket > ticket)
        {
            return; // A later commit was stored first.
        }
        if let Some(commit) = commit {
            let partitions = self.topics.entry(topic).or_default();
            partitions.insert(partition, Seen { ticket, commit });
            return;
        }
        for held in self.open.values_mut() {
            held.remove(&(topic.clone(), partition));
        }
        self.open.retain(|_, held| !held.is_empty());
        if let Some(partitions) = self.topics.get_mut(&topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.topics.remove(&topic);
            }
        }
    }

    fn hold(&mut self, producer: ProducerId, ticket: u64, change: OffsetChange) {
        let OffsetChange {
            topic,
            partition,
            commit,
        } = change;
        if let Some(commit) = commit {
            let held = self.open.entry(producer).or_default();
            held.insert((topic, partition), Seen { ticket, commit });
        }
    }
}

impl Group {
    /// From when on the group's offsets age (KIP-211): those of an
    /// empty group since it became empty, those of a simple consumer since their
    /// commit, in a stable consumer group only those of topics it left.
    #[must_use]
    pub fn offset_expiry(&self) -> Expiry {
        match (&self.protocol_type, self.state) {
            (None, _) => Expiry::SinceCommit,
            (Some(_), State::Empty) => match self.state_since {
                Some(moment) => Expiry::Since(moment),
                None => Expiry::SinceCommit,
            },
            (Some(_), State::Stable) if self.is_consumer_group() => Expiry::UnsubscribedSinceCommit,
            (Some(_), _) => Expiry::Never,
        }
    }
}
