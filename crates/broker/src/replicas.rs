//! The replicas of this broker: their logs, the parts they play, and who waits for them.
//!
//! What comes to be here (stored, committed, loaded, elected, resigned) goes up as [`News`], which `step`
//! takes and hands to whoever waited; nothing here knows who that is.

mod followers;
mod following;
mod memory;
mod orders;
mod replica;
mod role;

use crate::by_id::ById;
use crate::event::Effect;
use crate::waiting::WaitId;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
pub(crate) use followers::Heard;
use following::Followed;
pub(crate) use following::{Brought, Place, Wish};
use ids::{ErrorCode, LeaderEpoch, NodeId, PartitionIndex, Time, TopicIdPartition};
use log::{DiskEffect, Log, LogId};
pub(crate) use replica::{AppendRules, Assignment, Replica};
use role::{Fetching, Following, Role};
use sorted::SortedMap;

/// Who is told when a log's bytes are stored or replicated up to an offset: `spot` of what has this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Awaiter {
    pub(crate) id: WaitId,
    pub(crate) spot: u32,
}

/// How waiting for a log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What was waited for has come to be.
    Done,
    /// The shell could not store it.
    NotStored,
    /// It is committed, but fewer replicas are in sync than should be.
    TooFewInSync,
    /// This broker does not lead the partition any more.
    LeaderLost,
}

impl Ending {
    fn of(self, awaiter: Awaiter) -> News {
        let ending = self;
        News::Settled { awaiter, ending }
    }
}

/// Something that has come to be in the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// An append that someone waits for is settled.
    Settled { awaiter: Awaiter, ending: Ending },
    /// A request that reads should look again; bytes of the log `unreadable` were loaded in vain.
    Look {
        reader: WaitId,
        unreadable: Option<LogId>,
    },
    /// Bytes that were asked for are in memory, or cannot be read.
    Loaded { id: LogId, is_readable: bool },
    /// A leader proposes other in-sync replicas.
    IsrProposed { id: LogId },
    /// This broker leads a partition, from now on or in a new epoch.
    Elected { id: LogId },
    /// This broker leads a partition no more; the replica may be gone.
    Resigned { id: LogId },
}

/// All replicas of this broker, and what has come to be in them.
#[derive(Clone, Debug)]
pub(crate) struct Replicas {
    node: NodeId,
    /// `replica.lag.time.max.ms`.
    lag_ms: u64,
    /// `replica.fetch.backoff.ms`.
    backoff_ms: u64,
    by_id: ById<Replica>,
    /// Those that follow, by their leader.
    followed: SortedMap<NodeId, Followed>,
    /// In the order of the topics' names.
    by_name: Vec<Topic>,
    /// When retention is looked at next; `None` until the first replica.
    retention_due: Option<Time>,
    /// When lagging followers are looked for next; `None` until this broker leads any.
    lag_due: Option<Time>,
    /// When silent producers are looked for next; `None` until the first replica.
    expiration_due: Option<Time>,
    /// What has come to be and nobody has heard of yet; empty between steps, kept for its room.
    news: Vec<News>,
    tokens: u64,
    /// Logs found at the start that no partition of the metadata has claimed yet.
    unclaimed: SortedMap<TopicIdPartition, Log>,
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
    pub(crate) fn new(
        node: NodeId,
        (lag_ms, backoff_ms): (u64, u64),
        unclaimed: SortedMap<TopicIdPartition, Log>,
    ) -> Replicas {
        Replicas {
            node,
            lag_ms,
            backoff_ms,
            lag_due: None,
            by_id: ById::default(),
            followed: SortedMap::new(),
            by_name: Vec::new(),
            retention_due: None,
            expiration_due: None,
            news: Vec::new(),
            tokens: 0,
            unclaimed,
        }
    }

    /// What has come to be since this was last asked. It goes back with [`Replicas::heard`].
    pub(crate) fn take_news(&mut self) -> Vec<News> {
        core::mem::take(&mut self.news)
    }

    /// Gives the room of news that have been heard back.
    pub(crate) fn heard(&mut self, mut news: Vec<News>) {
        if self.news.is_empty() {
            news.clear();
            self.news = news;
        }
    }

    /// Logs found at the start that no partition of the metadata has claimed yet.
    pub(crate) fn unclaimed(&self) -> impl Iterator<Item = (&TopicIdPartition, &Log)> {
        self.unclaimed.iter()
    }

    /// Takes the log that was found at the start for a partition, if there was one.
    pub(crate) fn claim(&mut self, name: &TopicIdPartition) -> Option<Log> {
        self.unclaimed.remove(name)
    }

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

    /// Takes up a replica; nobody leads it before it is assigned.
    pub(crate) fn open(
        &mut self,
        now: Time,
        name: TopicIdPartition,
        log: Log,
        rules: AppendRules,
        out: &mut Vec<Effect>,
    ) -> LogId {
        let id = self.by_id.next_id();
        self.note_name(&name, id);
        let opened = DiskEffect::Open {
            log: id,
            name: name.clone(),
        };
        out.push(Effect::Disk(opened));
        self.by_id.push(Box::new(Replica::new(name, log, rules)));
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

    /// Takes over what the metadata says of a partition now: the replica leads, or follows, or waits for
    /// a leader.
    pub(crate) fn assign(
        &mut self,
        now: Time,
        id: LogId,
        assignment: Assignment,
        out: &mut Vec<Effect>,
    ) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        let (leader, epoch) = (assignment.leader, assignment.epoch);
        let is_new = replica.epoch() != epoch || replica.assignment.leader != leader;
        replica.assignment = assignment;
        if is_new {
            self.end_following(id);
        }
        match leader {
            Some(leader) if leader == self.node => self.lead(now, id, is_new, out),
            // News of the replicas alone leaves the fetching as it is.
            _ if !is_new => {}
            Some(leader) => {
                let fetching = Fetching::Ready;
                self.play(id, Role::Following(Following { leader, fetching }));
                self.begin_following(now, id, out);
            }
            None => self.play(id, Role::Offline),
        }
    }

    /// Has a replica take another part than that of the leader.
    fn play(&mut self, id: LogId, role: Role) {
        if let Some(replica) = self.by_id.get_mut(id) {
            replica.resign(id, role, &mut self.news);
            // Those who read at a follower may believe in an epoch that is over.
            replica.tell_readers(None, &mut self.news);
        }
    }

    /// Has a replica lead, in a new epoch or with other replicas.
    fn lead(&mut self, now: Time, id: LogId, is_new: bool, out: &mut Vec<Effect>) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        if !replica.leads() {
            replica.role = Role::Leading(Box::default());
        }
        let has_followers = replica.assignment.replicas.len() > 1;
        let mut ops = Vec::new();
        if is_new {
            let epoch = replica.assignment.epoch;
            replica.log.become_leader(epoch);
            if has_followers {
                replica.log.save_epochs(&mut ops);
            }
        }
        replica.lead(now, is_new, self.node);
        if has_followers {
            let due = now.plus_millis(self.lag_ms / 2);
            self.lag_due.get_or_insert(due);
        }
        replica.settle(now, self.lag_ms, &mut self.news);
        if is_new {
            // Whoever waits may believe in an epoch that is over.
            replica.tell_readers(None, &mut self.news);
            if let Some(leading) = replica.role.leading_mut() {
                leading.tell_followers(None, &mut self.news);
            }
            self.news.push(News::Elected { id });
        }
        self.order_store(id, ops, out);
    }

    /// A replica is no more: its log goes, too.
    pub(crate) fn remove(&mut self, id: LogId, out: &mut Vec<Effect>) {
        self.end_following(id);
        self.play(id, Role::Offline);
        if self.forget(id).is_some() {
            out.push(Effect::Disk(DiskEffect::Remove { log: id }));
        }
    }

    fn forget(&mut self, id: LogId) -> Option<Box<Replica>> {
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
        let due = [
            self.retention_due,
            self.expiration_due,
            self.lag_due,
            self.rested(),
        ];
        due.into_iter().flatten().min()
    }

    /// A follower has fetched from the leader here.
    pub(crate) fn hear_follower(&mut self, now: Time, id: LogId, heard: Heard) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        let (end, committed) = (replica.log.stored_end(), replica.log.high_watermark());
        let Some(leading) = replica.role.leading_mut() else {
            return;
        };
        if leading.followers.hear(now, heard, end) {
            leading.tell_deleters(&mut self.news);
        }
        let isr = &replica.assignment.isr;
        if let Some(grown) = leading.followers.grown(heard.node, committed, isr) {
            leading.followers.propose(grown);
            self.news.push(News::IsrProposed { id });
        }
        replica.settle(now, self.lag_ms, &mut self.news);
    }

    /// The controller will not have the in-sync replicas that were proposed.
    pub(crate) fn withdraw_isr(&mut self, now: Time, id: LogId) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        if let Some(leading) = replica.leading_mut() {
            leading.followers.withdraw();
        }
        replica.settle(now, self.lag_ms, &mut self.news);
    }

    /// The metadata has news of a broker: the epoch in which it may be in sync, if it may.
    pub(crate) fn judge_follower(&mut self, node: NodeId, epoch: Option<i64>) {
        for replica in self.by_id.iter_mut() {
            if let Some(leading) = replica.role.leading_mut() {
                leading.followers.judge(node, epoch);
                // Who is gone is not waited for.
                leading.tell_deleters(&mut self.news);
            }
        }
    }

    /// Followers that lag for too long are to leave the in-sync replicas.
    fn expire_followers(&mut self, now: Time) {
        if self.lag_due.is_none_or(|due| due > now) {
            return;
        }
        self.lag_due = None;
        let ids: Vec<LogId> = self.iter().map(|(id, _)| id).collect();
        for id in ids {
            let Some(replica) = self.by_id.get_mut(id) else {
                continue;
            };
            let (end, isr) = (replica.log.stored_end(), &replica.assignment.isr);
            let Some(leading) = replica.role.leading_mut() else {
                continue;
            };
            if replica.assignment.replicas.len() > 1 {
                self.lag_due = Some(now.plus_millis(self.lag_ms / 2));
            }
            if let Some(kept) = leading.followers.shrunk((now, self.lag_ms), end, isr) {
                leading.followers.propose(kept);
                self.news.push(News::IsrProposed { id });
            }
        }
    }

    /// Producers that are silent for too long and segments that are too old go.
    pub(crate) fn expire(
        &mut self,
        (now, wall): (Time, Time),
        retention_check_ms: impl FnOnce() -> i64,
        out: &mut Vec<Effect>,
    ) {
        self.expire_followers(now);
        if self.expiration_due.is_some_and(|due| due <= now) {
            self.expiration_due = Some(now.plus_millis(EXPIRATION_CHECK_MS));
            for replica in self.iter_mut() {
                replica.log.expire_producers(now);
            }
        }
        if self.retention_due.is_none_or(|due| due > now) {
            return;
        }
        let interval = u64::try_from(retention_check_ms()).unwrap_or(0).max(1);
        self.retention_due = Some(now.plus_millis(interval));
        let ids: Vec<LogId> = self.iter().map(|(id, _)| id).collect();
        for id in ids {
            let Some(replica) = self.get_mut(id) else {
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
