//! The replicas of this broker: their logs, and who waits for them.

mod memory;

use crate::broker::Broker;
use crate::by_id::ById;
use crate::event::{Effect, Note};
use crate::waiting::WaitId;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{
    ErrorCode, LeaderEpoch, Mutant, NodeId, Offset, PartitionIndex, Time, Token, TopicIdPartition,
    is_planted,
};
use log::{DiskEffect, Log, LogId, LogSlice, StoreOp};
use records::{Compression, TimestampType};
use sorted::{SortedMap, SortedSet};

/// Who is told when a log's bytes are stored or replicated up to an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaiter {
    /// Partition `spot` of a parked produce request.
    Produce { id: WaitId, spot: u32 },
    /// An append of the group coordinator.
    Coordinator { ticket: u64 },
}

/// One replica: its log and what depends on it.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) name: TopicIdPartition,
    pub(crate) log: Log,
    pub(crate) leader: Option<NodeId>,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) isr: Vec<NodeId>,
    /// How many replicas the partition is assigned to.
    pub(crate) replication: usize,
    /// What the topic's configs say about an append.
    pub(crate) rules: AppendRules,
    /// Waiting for the bytes below an offset to be stored (acks=1).
    awaiting_stored: VecDeque<(Offset, Awaiter)>,
    /// Waiting for the high watermark to reach an offset (acks=all).
    awaiting_committed: VecDeque<(Offset, Awaiter)>,
    /// Parked requests that read it: fetches wake when the high watermark moves, they and ListOffsets
    /// when bytes have been loaded.
    pub(crate) readers: SortedSet<WaitId>,
    /// Orders to the shell that are not confirmed yet, with the log end each one brings.
    stores: VecDeque<(Token, Offset)>,
    /// Loads under way: which bytes, by token.
    loads: SortedMap<Token, LogSlice>,
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

/// What can be seen of a replica from outside.
#[derive(Clone, Copy, Debug)]
pub struct ReplicaView<'a> {
    /// Its id.
    pub id: LogId,
    /// Whose log it is.
    pub name: &'a TopicIdPartition,
    /// The log.
    pub log: &'a Log,
    /// Whether this broker leads the partition.
    pub is_leader: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Replicas {
    by_id: ById<Replica>,
    /// In the order of the topics' names.
    by_name: Vec<Topic>,
    /// When retention is looked at next; `None` until the first replica.
    retention_due: Option<Time>,
    /// When silent producers are looked for next; `None` until the first replica.
    expiration_due: Option<Time>,
    /// Who is to be told in a step; empty between steps, kept for its room.
    told: Vec<Awaiter>,
}

/// The replicas of one topic in the order of their partitions.
#[derive(Clone, Debug)]
struct Topic {
    name: Arc<str>,
    partitions: Vec<(PartitionIndex, LogId)>,
}

impl Topic {
    /// The place of a partition, or where it would have to be.
    fn place(&self, partition: PartitionIndex) -> Result<usize, usize> {
        // Mostly all partitions are here, and each is where its number says.
        let guess = usize::try_from(partition.0).unwrap_or(0);
        match self.partitions.get(guess) {
            Some((found, _)) if *found == partition => Ok(guess),
            _ => (self.partitions).binary_search_by_key(&partition, |(found, _)| *found),
        }
    }
}

/// A topic of which there are replicas here; holds good until one comes or goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicSlot(usize);

/// Time between two looks for producers that have been silent for too long (Kafka's
/// `producer.id.expiration.check.interval.ms`, which is internal there).
const EXPIRATION_CHECK_MS: u64 = 600_000;

/// Time from the first replica to the first look at retention (Kafka's initial delay).
const FIRST_RETENTION_MS: u64 = 30_000;

impl Replicas {
    pub(crate) fn get(&self, id: LogId) -> Option<&Replica> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: LogId) -> Option<&mut Replica> {
        self.by_id.get_mut(id)
    }

    /// The replica of a partition, if this broker has one.
    pub(crate) fn find(&self, topic: &str, partition: PartitionIndex) -> Option<LogId> {
        self.find_in(self.topic(topic)?, partition)
    }

    /// A topic, to find several of its replicas.
    pub(crate) fn topic(&self, topic: &str) -> Option<TopicSlot> {
        let found = self
            .by_name
            .binary_search_by(|other| (*other.name).cmp(topic));
        found.ok().map(TopicSlot)
    }

    /// The replica of a partition, if this broker has one.
    pub(crate) fn find_in(&self, topic: TopicSlot, partition: PartitionIndex) -> Option<LogId> {
        let topic = self.by_name.get(topic.0)?;
        let (_, id) = topic.partitions.get(topic.place(partition).ok()?)?;
        Some(*id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LogId, &Replica)> {
        self.by_id.iter()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Replica> {
        self.by_id.iter_mut()
    }

    pub(crate) fn of_topic(&self, topic: &str) -> Vec<LogId> {
        let found = self.topic(topic).and_then(|slot| self.by_name.get(slot.0));
        let partitions = found.map(|topic| topic.partitions.iter().map(|(_, id)| *id));
        partitions.into_iter().flatten().collect()
    }

    pub(crate) fn insert(
        &mut self,
        now: Time,
        name: TopicIdPartition,
        log: Log,
        rules: AppendRules,
    ) -> LogId {
        let id = self.by_id.next_id();
        self.note_name(&name, id);
        let replica = Replica {
            name,
            log,
            leader: None,
            epoch: LeaderEpoch::NONE,
            isr: Vec::new(),
            replication: 1,
            rules,
            awaiting_stored: VecDeque::new(),
            awaiting_committed: VecDeque::new(),
            readers: SortedSet::new(),
            stores: VecDeque::new(),
            loads: SortedMap::new(),
        };
        self.by_id.push(Box::new(replica));
        self.retention_due
            .get_or_insert(now.plus_millis(FIRST_RETENTION_MS));
        self.expiration_due
            .get_or_insert(now.plus_millis(EXPIRATION_CHECK_MS));
        id
    }

    fn note_name(&mut self, name: &TopicIdPartition, id: LogId) {
        let place = (self.by_name).binary_search_by(|other| other.name.cmp(&name.topic));
        if let Err(at) = place {
            let topic = Topic {
                name: name.topic.clone(),
                partitions: Vec::new(),
            };
            self.by_name.insert(at, topic);
        }
        let at = place.unwrap_or_else(|at| at);
        if let Some(topic) = self.by_name.get_mut(at) {
            let entry = (name.partition, id);
            match topic.place(name.partition) {
                Ok(at) => topic.partitions[at] = entry,
                Err(at) => topic.partitions.insert(at, entry),
            }
        }
    }

    pub(crate) fn remove(&mut self, id: LogId) -> Option<Box<Replica>> {
        let replica = self.by_id.remove(id)?;
        if let Some(TopicSlot(slot)) = self.topic(&replica.name.topic)
            && let Some(topic) = self.by_name.get_mut(slot)
        {
            if let Ok(at) = topic.place(replica.name.partition) {
                topic.partitions.remove(at);
            }
            if topic.partitions.is_empty() {
                self.by_name.remove(slot);
            }
        }
        Some(replica)
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let due = [self.retention_due, self.expiration_due];
        due.into_iter().flatten().min()
    }
}

impl Replica {
    /// Everyone who waits for this replica, taken out: it is going away.
    pub(crate) fn take_awaiters(&mut self) -> Vec<Awaiter> {
        let stored = self.awaiting_stored.drain(..);
        stored
            .chain(self.awaiting_committed.drain(..))
            .map(|(_, awaiter)| awaiter)
            .collect()
    }

    /// Where an order is among those that are not confirmed yet.
    fn place_of_store(&self, token: Token) -> Option<usize> {
        let found = self
            .stores
            .binary_search_by_key(&token, |(token, _)| *token);
        found.ok()
    }

    /// Notes who waits for the log up to `end`: stored for acks=1, committed for acks=all.
    pub(crate) fn wait(&mut self, end: Offset, committed: bool, awaiter: Awaiter) {
        let queue = if committed {
            &mut self.awaiting_committed
        } else {
            &mut self.awaiting_stored
        };
        queue.push_back((end, awaiter));
    }
}

impl Broker {
    /// What can be seen of the replicas, in order of their ids.
    pub fn replicas(&self) -> impl Iterator<Item = ReplicaView<'_>> {
        let node = self.config.node;
        self.replicas.iter().map(move |(id, replica)| ReplicaView {
            id,
            name: &replica.name,
            log: &replica.log,
            is_leader: replica.leader == Some(node),
        })
    }

    /// One replica, as a shell needs it to resolve slices.
    #[must_use]
    pub fn log(&self, replica: LogId) -> Option<&Log> {
        Some(&self.replicas.get(replica)?.log)
    }

    /// The replica of a partition, if this broker has one.
    #[must_use]
    pub fn find_replica(&self, topic: &str, partition: PartitionIndex) -> Option<LogId> {
        self.replicas.find(topic, partition)
    }

    /// The replica of a partition that this broker leads.
    ///
    /// # Errors
    /// 3 when there is no such partition, 6 when another broker leads it.
    pub(crate) fn led_replica(
        &self,
        topic: &str,
        partition: PartitionIndex,
    ) -> Result<LogId, ErrorCode> {
        self.replicas
            .find(topic, partition)
            .filter(|id| self.leads(*id))
            .ok_or_else(|| self.led_refusal(topic, partition))
    }

    pub(crate) fn leads(&self, id: LogId) -> bool {
        let replica = self.replicas.get(id);
        replica.is_some_and(|replica| replica.leader == Some(self.config.node))
    }

    /// Why [`Broker::led_replica`] gives none.
    pub(crate) fn led_refusal(&self, topic: &str, partition: PartitionIndex) -> ErrorCode {
        match self.image.partition(topic, partition) {
            Some(_) => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        }
    }

    /// Sends a replica's ops to the shell, if there are any.
    pub(crate) fn order_store(&mut self, id: LogId, ops: Vec<StoreOp>, out: &mut Vec<Effect>) {
        if ops.is_empty() {
            return;
        }
        let token = self.next_token();
        let Some(replica) = self.replicas.get_mut(id) else {
            return;
        };
        replica.stores.push_back((token, replica.log.log_end()));
        out.push(Effect::Disk(DiskEffect::Store {
            log: id,
            token,
            ops,
        }));
    }

    /// Asks the shell for bytes that are not in memory; asks once for the same bytes.
    pub(crate) fn order_load(&mut self, id: LogId, slice: LogSlice, out: &mut Vec<Effect>) {
        let token = self.next_token();
        let Some(replica) = self.replicas.get_mut(id) else {
            return;
        };
        if replica.loads.values().any(|loading| *loading == slice) {
            return;
        }
        replica.loads.insert(token, slice);
        out.push(Effect::Disk(DiskEffect::Load {
            log: id,
            token,
            slice,
        }));
    }

    pub(crate) fn stored(&mut self, now: Time, id: LogId, token: Token, out: &mut Vec<Effect>) {
        let Some(replica) = self.replicas.get_mut(id) else {
            return;
        };
        // An order that a failure took back is not among them any more.
        let Some(at) = replica.place_of_store(token) else {
            return;
        };
        if let Some((_, end)) = replica.stores.drain(..=at).next_back() {
            replica.log.stored(end);
        }
        self.settle(now, id, out);
    }

    /// Moves the high watermark as far as it may go, and tells everyone who waited for that.
    pub(crate) fn settle(&mut self, now: Time, id: LogId, out: &mut Vec<Effect>) {
        let node = self.config.node;
        let mut told = core::mem::take(&mut self.replicas.told);
        let Some(replica) = self.replicas.get_mut(id) else {
            return;
        };
        let before = replica.log.high_watermark();
        // With this broker alone in sync, what is stored is committed. Followers will
        // hold it back once there are any.
        if replica.leader == Some(node) && replica.isr.as_slice() == [node] {
            let committed = if is_planted(Mutant::CommittedUnstored) {
                replica.log.log_end()
            } else {
                replica.log.stored_end()
            };
            replica.log.advance_high_watermark(committed);
        }
        let (stored, committed) = (replica.log.stored_end(), replica.log.high_watermark());
        drain_below(&mut replica.awaiting_stored, stored, &mut told);
        drain_below(&mut replica.awaiting_committed, committed, &mut told);
        let readers: Vec<WaitId> = if committed > before {
            replica.readers.iter().copied().collect()
        } else {
            Vec::new()
        };
        for awaiter in told.drain(..) {
            self.tell(now, awaiter, true, out);
        }
        self.replicas.told = told;
        for reader in readers {
            self.retry_fetch(now, reader, None, out);
        }
    }

    fn tell(&mut self, now: Time, awaiter: Awaiter, ok: bool, out: &mut Vec<Effect>) {
        match awaiter {
            Awaiter::Produce { id, spot } => self.produce_settled(id, spot, ok, out),
            Awaiter::Coordinator { ticket } => self.coordinator_settled(now, ticket, ok, out),
        }
    }

    pub(crate) fn store_failed(
        &mut self,
        now: Time,
        id: LogId,
        token: Token,
        out: &mut Vec<Effect>,
    ) {
        let Some(replica) = self.replicas.get_mut(id) else {
            return;
        };
        if replica.place_of_store(token).is_none() {
            return;
        }
        // The shell has written nothing of this order or any later one, so the log goes
        // back to what is stored and everyone above that is refused.
        replica.stores.clear();
        // What is not stored is never cold: only stored chunks are evicted.
        let mut ops = Vec::new();
        let _ = replica.log.store_failed(now, &mut ops);
        let kept = replica.log.stored_end();
        let mut lost = Vec::new();
        drain_above(&mut replica.awaiting_stored, kept, &mut lost);
        drain_above(&mut replica.awaiting_committed, kept, &mut lost);
        out.push(Effect::Note(Note::StoreRefused {
            name: replica.name.clone(),
        }));
        self.order_store(id, ops, out);
        for awaiter in lost {
            self.tell(now, awaiter, false, out);
        }
    }

    pub(crate) fn loaded(
        &mut self,
        now: Time,
        id: LogId,
        token: Token,
        bytes: Bytes,
        out: &mut Vec<Effect>,
    ) {
        let Some(replica) = self.replicas.get_mut(id) else {
            return;
        };
        let Some(slice) = replica.loads.remove(&token) else {
            return;
        };
        let is_readable = replica.log.install(&slice, bytes);
        if is_readable && !replica.loads.is_empty() {
            // Whoever waits asked for several chunks, and looks again when all are there.
            return;
        }
        // Only those who wait are refused what cannot be read: other requests want other bytes, or
        // try again.
        let unreadable = (!is_readable).then_some(id);
        let readers: Vec<WaitId> = replica.readers.iter().copied().collect();
        for reader in readers {
            self.retry_fetch(now, reader, unreadable, out);
            self.retry_list_offsets(reader, unreadable, out);
        }
        self.coordinator_loaded(now, id, is_readable, out);
    }

    pub(crate) fn expire_replicas(&mut self, now: Time, out: &mut Vec<Effect>) {
        if (self.replicas.expiration_due).is_some_and(|due| due <= now) {
            self.replicas.expiration_due = Some(now.plus_millis(EXPIRATION_CHECK_MS));
            for replica in self.replicas.iter_mut() {
                replica.log.expire_producers(now);
            }
        }
        if self.replicas.retention_due.is_none_or(|due| due > now) {
            return;
        }
        let interval = self
            .configs()
            .broker_number("log.retention.check.interval.ms");
        self.replicas.retention_due =
            Some(now.plus_millis(u64::try_from(interval).unwrap_or(0).max(1)));
        let wall = self.wall(now);
        let ids: Vec<LogId> = self.replicas.iter().map(|(id, _)| id).collect();
        for id in ids {
            let Some(replica) = self.replicas.get_mut(id) else {
                continue;
            };
            let mut ops = Vec::new();
            replica.log.retain(wall, &mut ops);
            self.order_store(id, ops, out);
        }
    }
}

/// Judges the leader epoch that a client believes to be current (KIP-320).
pub(crate) fn epoch_refusal(asked: LeaderEpoch, own: LeaderEpoch) -> Option<ErrorCode> {
    match asked {
        LeaderEpoch::NONE => None,
        asked if asked < own => Some(ErrorCode::FENCED_LEADER_EPOCH),
        asked if asked > own => Some(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => None,
    }
}

fn drain_below(queue: &mut VecDeque<(Offset, Awaiter)>, end: Offset, done: &mut Vec<Awaiter>) {
    while let Some(&(needed, awaiter)) = queue.front() {
        if needed > end {
            break;
        }
        queue.pop_front();
        done.push(awaiter);
    }
}

fn drain_above(queue: &mut VecDeque<(Offset, Awaiter)>, end: Offset, lost: &mut Vec<Awaiter>) {
    while let Some(&(needed, awaiter)) = queue.back() {
        if needed <= end {
            break;
        }
        queue.pop_back();
        lost.push(awaiter);
    }
}
