//! The group coordinator: groups whose partition of `__consumer_offsets` this broker leads.
//!
//! A group's state is what its partition's log says. On election the log is replayed; from then on a
//! change is appended first, and answered when it is committed. Groups themselves (`group::Group`) know
//! nothing of this: they give outputs, which are carried out here.

mod append;
mod expiry;
mod records;
mod replay;
mod view;

use crate::api::groups::{join_group, sync_group};
use crate::broker::Broker;
use crate::event::{Effect, Note};
use crate::parked::Parked;
use crate::waiting::{Caller, WaitId};
use alloc::sync::Arc;
use alloc::vec::Vec;
use append::Append;
pub(crate) use append::{Requester, Then};
pub(crate) use expiry::{is_subscribed, subscribed_topics};
use group::{Group, GroupConfig, Output, Refusal, coordinator_partition};
use ids::{ErrorCode, Offset, PartitionIndex, Rng, Time};
use log::LogId;
use metadata::OFFSETS_TOPIC;
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::delete_groups_response::DeleteGroupsResponse;
use wire::offset_commit_response::OffsetCommitResponse;
use wire::offset_delete_response::OffsetDeleteResponse;

pub use view::{GroupView, MemberView};

/// Groups a broker coordinates at most. A request that would make another one is refused with
/// 44 (policy violation).
pub(crate) const GROUPS_MAX: usize = 100_000;
/// Members a group has at most, whatever `group.max.size` allows.
const MEMBERS_MAX: i64 = 1_000;

/// A group request that waits.
#[derive(Clone, Debug)]
pub(crate) enum PendingGroup {
    /// For the end of the join phase; an error tells the member id again.
    Join { member_id: Str },
    /// For the leader's assignment.
    Sync,
    /// For its offsets to be committed to the log.
    Commit(OffsetCommitResponse),
    /// For its tombstones to be committed to the log.
    OffsetDelete(OffsetDeleteResponse),
    /// The same for several groups, of which some are still open.
    Delete {
        response: DeleteGroupsResponse,
        open: u32,
    },
}

/// All groups of this broker.
#[derive(Clone, Debug)]
pub(crate) struct Coordinator {
    /// Member ids come from it.
    rng: Rng,
    /// The partitions of `__consumer_offsets` this broker leads.
    shards: SortedMap<PartitionIndex, Shard>,
    groups: SortedMap<Arc<str>, Entry>,
    /// When each group has something to do.
    deadlines: SortedSet<(Time, Arc<str>)>,
    /// What is to be done when an append is committed, by what waits for it.
    appends: SortedMap<WaitId, Append>,
    /// Groups made so far; numbers them.
    lives: u64,
    /// When expired offsets are looked for next; `None` until the first election.
    retention_due: Option<Time>,
}

/// One partition of `__consumer_offsets`.
#[derive(Clone, Debug)]
struct Shard {
    replica: LogId,
    loading: Loading,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Loading {
    /// Everything below this offset has been replayed.
    From(Offset),
    /// As `From`, but the bytes that follow could not be read; the next request tries again.
    Failed(Offset),
    Done,
}

/// A group and where it lives.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) group: Group,
    partition: PartitionIndex,
    /// Tells it from an earlier group of the same name.
    life: u64,
    deadline: Option<Time>,
}

impl Coordinator {
    pub(crate) fn new(rng: Rng) -> Coordinator {
        Coordinator {
            rng,
            shards: SortedMap::new(),
            groups: SortedMap::new(),
            deadlines: SortedSet::new(),
            appends: SortedMap::new(),
            lives: 0,
            retention_due: None,
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let group = self.deadlines.first().map(|(at, _)| *at);
        [group, self.retention_due].into_iter().flatten().min()
    }

    /// A group that is there; one of a partition that is still being loaded is not.
    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        let entry = self.groups.get(id)?;
        self.is_loaded(entry.partition).then_some(&entry.group)
    }

    /// All groups in order of their ids.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups
            .values()
            .filter(|entry| self.is_loaded(entry.partition))
            .map(|entry| &entry.group)
    }

    /// Whether some partition's groups are not all known yet.
    pub(crate) fn is_loading(&self) -> bool {
        let open = |shard: &Shard| shard.loading != Loading::Done;
        self.shards.values().any(open)
    }

    fn is_loaded(&self, partition: PartitionIndex) -> bool {
        let shard = self.shards.get(&partition);
        shard.is_some_and(|shard| shard.loading == Loading::Done)
    }

    fn insert(&mut self, group: Group, partition: PartitionIndex) -> &mut Entry {
        self.lives += 1;
        let id = group.id().clone();
        let entry = Entry {
            group,
            partition,
            life: self.lives,
            deadline: None,
        };
        self.take(&id);
        self.groups.entry(id).or_insert(entry)
    }

    fn take(&mut self, id: &str) -> Option<Entry> {
        let mut entry = self.groups.remove(id)?;
        if let Some(at) = entry.deadline.take() {
            self.deadlines.remove(&(at, entry.group.id().clone()));
        }
        Some(entry)
    }

    /// Notes when the group wants to be woken.
    fn retime(&mut self, id: &str) {
        let Some(entry) = self.groups.get_mut(id) else {
            return;
        };
        let next = entry.group.next_deadline();
        let before = core::mem::replace(&mut entry.deadline, next);
        if before == next {
            return;
        }
        let id = entry.group.id().clone();
        if let Some(at) = before {
            self.deadlines.remove(&(at, id.clone()));
        }
        if let Some(at) = next {
            self.deadlines.insert((at, id));
        }
    }

    fn of_partition(&self, partition: PartitionIndex) -> Vec<Arc<str>> {
        let entries = self.groups.iter();
        entries
            .filter(|(_, entry)| entry.partition == partition)
            .map(|(id, _)| id.clone())
            .collect()
    }
}

impl Broker {
    /// The partition of a group, if this broker coordinates it.
    ///
    /// # Errors
    /// `NOT_COORDINATOR`, also without the topic; `COORDINATOR_LOAD_IN_PROGRESS`;
    /// `COORDINATOR_NOT_AVAILABLE` when its log cannot be read.
    pub(crate) fn coordinate(
        &mut self,
        now: Time,
        group_id: &str,
        out: &mut Vec<Effect>,
    ) -> Result<PartitionIndex, ErrorCode> {
        let topic = self.image.topic(OFFSETS_TOPIC);
        let topic = topic.ok_or(ErrorCode::NOT_COORDINATOR)?;
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let partition = PartitionIndex(coordinator_partition(group_id, count));
        let state = |broker: &Broker| {
            let shard = broker.coordinator.shards.get(&partition);
            shard.map(|shard| shard.loading)
        };
        if let Some(Loading::Failed(_)) = state(self) {
            self.replay(now, partition, true, out);
        }
        match state(self) {
            None => Err(ErrorCode::NOT_COORDINATOR),
            Some(Loading::Done) => Ok(partition),
            Some(Loading::From(_)) => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Some(Loading::Failed(_)) => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
        }
    }

    /// Makes a group if there is none of that name.
    ///
    /// # Errors
    /// `POLICY_VIOLATION` when there are as many groups as there may be.
    pub(crate) fn ensure_group(
        &mut self,
        now: Time,
        id: &str,
        partition: PartitionIndex,
    ) -> Result<(), ErrorCode> {
        if self.coordinator.groups.contains_key(id) {
            return Ok(());
        }
        if self.coordinator.groups.len() >= GROUPS_MAX {
            return Err(ErrorCode::POLICY_VIOLATION);
        }
        let group = Group::new(Arc::from(id), self.group_config(), now);
        self.coordinator.insert(group, partition);
        Ok(())
    }

    /// Forgets a group that a refused request has made.
    pub(crate) fn drop_blank_group(&mut self, id: &str) {
        let entry = self.coordinator.groups.get(id);
        if entry.is_some_and(|entry| entry.group.is_blank()) {
            self.coordinator.take(id);
        }
    }

    /// Lets a group act, and carries out what comes of it. `None` without such a group.
    pub(crate) fn with_group<R>(
        &mut self,
        now: Time,
        id: &str,
        out: &mut Vec<Effect>,
        act: impl FnOnce(&mut Group, &mut Rng, &mut Vec<Output>) -> R,
    ) -> Option<R> {
        let Coordinator { groups, rng, .. } = &mut self.coordinator;
        let entry = groups.get_mut(id)?;
        let (life, partition) = (entry.life, entry.partition);
        let generation = entry.group.generation();
        let mut outputs = Vec::new();
        let result = act(&mut entry.group, rng, &mut outputs);
        if entry.group.generation() != generation {
            out.push(Effect::Note(Note::Rebalanced {
                group: entry.group.id().clone(),
                generation: entry.group.generation().0,
                members: u32::try_from(entry.group.member_count()).unwrap_or(u32::MAX),
            }));
        }
        let id = entry.group.id().clone();
        self.coordinator.retime(&id);
        self.carry_out(now, &id, life, partition, outputs, out);
        Some(result)
    }

    fn carry_out(
        &mut self,
        now: Time,
        id: &Arc<str>,
        life: u64,
        partition: PartitionIndex,
        outputs: Vec<Output>,
        out: &mut Vec<Effect>,
    ) {
        for output in outputs {
            match output {
                Output::Joined { waiter, result } => {
                    if let Some((caller, PendingGroup::Join { member_id })) = self.unpark(waiter) {
                        let answer = join_group::answer(caller.version, member_id, result);
                        self.finish_with(&caller, &answer, out);
                    }
                }
                Output::Synced { waiter, result } => {
                    if let Some((caller, PendingGroup::Sync)) = self.unpark(waiter) {
                        self.finish_with(&caller, &sync_group::answer(result), out);
                    }
                }
                Output::Persist { ticket, state } => {
                    let records = Vec::from([records::group(id, &state)]);
                    let id = id.clone();
                    let then = Then::Group { id, life, ticket };
                    self.write(now, partition, &records, then, out);
                }
                Output::TimedOut { client_id } => {
                    let group = id.clone();
                    out.push(Effect::Note(Note::MemberTimedOut { group, client_id }));
                }
            }
        }
    }

    /// Takes a parked group request out; `None` when its client is gone.
    fn unpark(&mut self, waiter: u64) -> Option<(Caller, PendingGroup)> {
        let waiter = self.waiting.remove(WaitId(waiter))?;
        match waiter.parked {
            Parked::Group(pending) => Some((waiter.caller, pending)),
            _ => None,
        }
    }

    fn group_config(&self) -> GroupConfig {
        let configs = self.configs();
        let millis = |name| u32::try_from(configs.broker_number(name).max(0)).unwrap_or(u32::MAX);
        let max_size = configs.broker_number("group.max.size");
        GroupConfig {
            min_session_ms: millis("group.min.session.timeout.ms"),
            max_session_ms: millis("group.max.session.timeout.ms"),
            initial_delay_ms: millis("group.initial.rebalance.delay.ms"),
            max_size: u32::try_from(max_size.clamp(1, MEMBERS_MAX)).unwrap_or(1),
            ..GroupConfig::default()
        }
    }

    /// The client of a parked request is gone. As in Kafka a member stays until its session ends;
    /// only the answer is dropped, which has happened by now.
    pub(crate) fn coordinator_abandoned(
        &mut self,
        _now: Time,
        _id: WaitId,
        _group: &PendingGroup,
        _out: &mut Vec<Effect>,
    ) {
    }

    /// Sessions, rebalances and offsets whose time has come.
    pub(crate) fn expire_groups(&mut self, now: Time, out: &mut Vec<Effect>) {
        let due: Vec<Arc<str>> = self
            .coordinator
            .deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, id)| id.clone())
            .collect();
        for id in due {
            self.with_group(now, &id, out, |group, _, outputs| {
                group.expire(now, outputs);
            });
        }
        if (self.coordinator.retention_due).is_some_and(|due| due <= now) {
            self.coordinator.retention_due = Some(self.next_retention(now));
            self.expire_offsets(now, out);
        }
    }

    /// Bytes of a log that were asked for are in memory, or cannot be read.
    pub(crate) fn coordinator_loaded(
        &mut self,
        now: Time,
        replica: LogId,
        is_readable: bool,
        out: &mut Vec<Effect>,
    ) {
        if let Some(partition) = self.shard_of(replica) {
            self.replay(now, partition, is_readable, out);
        }
    }

    /// This broker leads a partition now.
    pub(crate) fn coordinator_elected(&mut self, now: Time, replica: LogId, out: &mut Vec<Effect>) {
        let Some(found) = self.replicas.get(replica) else {
            return;
        };
        let partition = found.name.partition;
        // In a later epoch of the same leader the groups are known already.
        if &*found.name.topic != OFFSETS_TOPIC
            || !found.leads()
            || self.coordinator.shards.contains_key(&partition)
        {
            return;
        }
        let loading = Loading::From(found.log.log_start());
        let shard = Shard { replica, loading };
        self.coordinator.shards.insert(partition, shard);
        let due = self.next_retention(now);
        self.coordinator.retention_due.get_or_insert(due);
        self.replay(now, partition, true, out);
    }

    /// This broker leads a partition no more.
    pub(crate) fn coordinator_resigned(
        &mut self,
        now: Time,
        replica: LogId,
        out: &mut Vec<Effect>,
    ) {
        let Some(partition) = self.shard_of(replica) else {
            return;
        };
        self.coordinator.shards.remove(&partition);
        for id in self.coordinator.of_partition(partition) {
            self.with_group(now, &id, out, |group, _, outputs| {
                group.close(now, &Refusal::Dead, outputs);
            });
            self.coordinator.take(&id);
        }
    }

    fn shard_of(&self, replica: LogId) -> Option<PartitionIndex> {
        let mut shards = self.coordinator.shards.iter();
        let (partition, _) = shards.find(|(_, shard)| shard.replica == replica)?;
        Some(*partition)
    }
}
