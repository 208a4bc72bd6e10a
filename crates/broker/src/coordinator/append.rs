//! Writing to `__consumer_offsets`, and what happens once it is committed.

use super::records::GroupRecord;
use super::{Entry, PendingGroup};
use crate::broker::Broker;
use crate::event::Effect;
use crate::parked::Parked;
use crate::replicas::Awaiter;
use crate::waiting::{Caller, WaitId};
use ::records::{BatchBuilder, BatchOptions};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use group::Refusal;
use ids::{ErrorCode, Mutant, PartitionIndex, Time, is_planted};
use metadata::OFFSETS_TOPIC;

/// An append that is not committed yet.
#[derive(Clone, Debug)]
pub(super) struct Append {
    partition: PartitionIndex,
    then: Then,
}

/// Which parked request is answered, and which of its rows this is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requester {
    pub(crate) id: WaitId,
    pub(crate) row: u32,
}

/// What an append was for.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// A group's own record.
    Group {
        id: Arc<str>,
        life: u64,
        ticket: u64,
    },
    /// Offsets, or their tombstones.
    Offsets {
        id: Arc<str>,
        life: u64,
        ticket: u64,
        requester: Option<Requester>,
    },
    /// The tombstones of a whole group, which comes back if they cannot be stored.
    Deleted {
        entry: Box<Entry>,
        requester: Option<Requester>,
    },
}

impl Broker {
    /// Appends one batch of the coordinator's; `then` follows when it is committed, or at once
    /// when it cannot be appended. Without records nothing happens.
    pub(crate) fn write(
        &mut self,
        now: Time,
        partition: PartitionIndex,
        records: &[GroupRecord],
        then: Then,
        out: &mut Vec<Effect>,
    ) {
        let ticket = self.waiting.next_id();
        match self.append_records(now, partition, records, ticket, out) {
            Ok(()) => {
                if is_planted(Mutant::CommitAnsweredUnstored) {
                    return self.conclude(now, then, Ok(()), out);
                }
                let append = Append { partition, then };
                self.coordinator.appends.insert(ticket, append);
            }
            Err(code) => self.conclude(now, then, Err(code), out),
        }
    }

    fn append_records(
        &mut self,
        now: Time,
        partition: PartitionIndex,
        records: &[GroupRecord],
        ticket: WaitId,
        out: &mut Vec<Effect>,
    ) -> Result<(), ErrorCode> {
        let id = self.replicas.find(OFFSETS_TOPIC, partition);
        let id = id.ok_or(ErrorCode::NOT_COORDINATOR)?;
        let wall = self.wall(now);
        let replica = self.replicas.get_mut(id);
        let replica = replica.ok_or(ErrorCode::NOT_COORDINATOR)?;
        if !replica.leads() {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        if !replica.has_enough_in_sync() {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        // As Kafka's coordinators write: no producer, yet a sequence that begins at 0.
        let mut batch = BatchBuilder::new(BatchOptions {
            base_sequence: 0,
            ..BatchOptions::default()
        });
        for record in records {
            batch
                .append(
                    wall.millis(),
                    Some(&record.key),
                    record.value.as_deref(),
                    &[],
                )
                .map_err(|_| ErrorCode::INVALID_COMMIT_OFFSET_SIZE)?;
        }
        if batch.size() > replica.rules.max_message_bytes {
            return Err(ErrorCode::INVALID_COMMIT_OFFSET_SIZE);
        }
        let mut ops = Vec::new();
        let epoch = replica.epoch();
        let appended = replica
            .log
            .append(wall, &batch.into_valid(), epoch, &mut ops)
            .map_err(|_| ErrorCode::INVALID_COMMIT_OFFSET_SIZE)?;
        let end = appended.last_offset.plus(1);
        let awaiter = Awaiter {
            id: ticket,
            spot: 0,
        };
        replica.wait(end, true, awaiter);
        self.replicas.order_store(id, ops, out);
        Ok(())
    }

    /// An append of the coordinator is committed, or could not be stored.
    pub(crate) fn coordinator_settled(
        &mut self,
        now: Time,
        ticket: WaitId,
        ok: bool,
        out: &mut Vec<Effect>,
    ) {
        let Some(append) = self.coordinator.appends.remove(&ticket) else {
            return;
        };
        let result = if ok {
            Ok(())
        } else {
            Err(self.why_unstored(append.partition))
        };
        self.conclude(now, append.then, result, out);
    }

    /// A leader that cannot write now may be able to later; another broker may at once.
    fn why_unstored(&self, partition: PartitionIndex) -> ErrorCode {
        let entry = self.image.partition(OFFSETS_TOPIC, partition);
        if entry.is_some_and(|entry| entry.leader() == Some(self.config.node)) {
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        } else {
            ErrorCode::NOT_COORDINATOR
        }
    }

    fn conclude(
        &mut self,
        now: Time,
        then: Then,
        result: Result<(), ErrorCode>,
        out: &mut Vec<Effect>,
    ) {
        match then {
            Then::Group { id, life, ticket } => {
                if self.is_alive(&id, life) {
                    self.with_group(now, &id, out, |group, _, outputs| {
                        group.persisted(now, ticket, result.is_ok(), outputs);
                    });
                }
            }
            Then::Offsets {
                id,
                life,
                ticket,
                requester,
            } => {
                if self.is_alive(&id, life)
                    && let Some(entry) = self.coordinator.groups.get_mut(&id)
                {
                    entry.group.offsets.persisted(ticket, result.is_ok());
                }
                if let Some(requester) = requester {
                    self.answer_requester(requester, result, out);
                }
            }
            Then::Deleted { entry, requester } => {
                if result.is_err() {
                    self.put_back(now, *entry, out);
                }
                if let Some(requester) = requester {
                    self.answer_requester(requester, result, out);
                }
            }
        }
    }

    fn is_alive(&self, id: &str, life: u64) -> bool {
        let entry = self.coordinator.groups.get(id);
        entry.is_some_and(|entry| entry.life == life)
    }

    /// The tombstones of a group could not be stored, so it is there as before. What a new group
    /// of its name has begun since then came later in the log, and is not stored either.
    fn put_back(&mut self, now: Time, entry: Entry, out: &mut Vec<Effect>) {
        let id = entry.group.id().clone();
        self.with_group(now, &id, out, |group, _, outputs| {
            group.close(now, &Refusal::NotStored, outputs);
        });
        self.coordinator.take(&id);
        self.coordinator.groups.insert(id.clone(), entry);
        self.coordinator.retime(&id);
    }

    /// Settles one row of a parked request, and answers it when that was the last.
    fn answer_requester(
        &mut self,
        requester: Requester,
        result: Result<(), ErrorCode>,
        out: &mut Vec<Effect>,
    ) {
        let Some(waiter) = self.waiting.get_mut(requester.id) else {
            return;
        };
        let Parked::Group(pending) = &mut waiter.parked else {
            return;
        };
        if pending.settle(requester.row, result) {
            self.answer_parked(requester.id, out);
        }
    }

    fn answer_parked(&mut self, id: WaitId, out: &mut Vec<Effect>) {
        if let Some((caller, pending)) = self.unpark(id.0) {
            self.answer_pending(&caller, pending, out);
        }
    }

    fn answer_pending(&mut self, caller: &Caller, pending: PendingGroup, out: &mut Vec<Effect>) {
        match pending {
            PendingGroup::Commit(response) => self.finish_with(caller, &response, out),
            PendingGroup::OffsetDelete(response) => self.finish_with(caller, &response, out),
            PendingGroup::Delete { response, .. } => self.finish_with(caller, &response, out),
            // Their groups answer them.
            PendingGroup::Join { .. } | PendingGroup::Sync => {}
        }
    }

    /// A parked request's deadline has come: whether it will be stored is not known, so the
    /// client has to ask again (as Kafka's `offsets.commit.timeout.ms`).
    pub(crate) fn coordinator_timed_out(
        &mut self,
        _now: Time,
        caller: &Caller,
        mut pending: PendingGroup,
        out: &mut Vec<Effect>,
    ) {
        pending.give_up(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        self.answer_pending(caller, pending, out);
    }
}

impl PendingGroup {
    /// Notes how a row ended; whether the request can be answered.
    fn settle(&mut self, row: u32, result: Result<(), ErrorCode>) -> bool {
        match (self, result) {
            (PendingGroup::Delete { response, open }, result) => {
                let place = usize::try_from(row).unwrap_or(usize::MAX);
                if let (Some(found), Err(code)) = (response.results.get_mut(place), result) {
                    found.error_code = code.0;
                }
                *open = open.saturating_sub(1);
                *open == 0
            }
            (_, Ok(())) => true,
            (pending, Err(code)) => {
                pending.give_up(code);
                true
            }
        }
    }

    /// Gives every row that would have succeeded this code.
    fn give_up(&mut self, code: ErrorCode) {
        let fail = |found: &mut i16| {
            if *found == 0 {
                *found = code.0;
            }
        };
        match self {
            PendingGroup::Commit(response) => response
                .topics
                .iter_mut()
                .flat_map(|topic| &mut topic.partitions)
                .for_each(|partition| fail(&mut partition.error_code)),
            PendingGroup::OffsetDelete(response) => response
                .topics
                .iter_mut()
                .flat_map(|topic| &mut topic.partitions)
                .for_each(|partition| fail(&mut partition.error_code)),
            PendingGroup::Delete { response, .. } => response
                .results
                .iter_mut()
                .for_each(|found| fail(&mut found.error_code)),
            PendingGroup::Join { .. } | PendingGroup::Sync => {}
        }
    }
}
