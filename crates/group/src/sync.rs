//! The sync phase: the leader's assignment, stored first and then handed out.

use crate::group::Persisting;
use crate::{Group, Output, Refusal, State, SyncAnswer, SyncRequest};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Generation, Time};
use sorted::SortedMap;

impl Group {
    /// A member wants its share; the leader brings everybody's.
    ///
    /// The answer comes as [`Output::Synced`], at once or when the leader's
    /// assignment is stored.
    pub fn sync(&mut self, now: Time, request: &SyncRequest, out: &mut Vec<Output>) {
        if let Err(refusal) = self.try_sync(now, request, out) {
            let waiter = request.waiter;
            let result = Err(refusal);
            out.push(Output::Synced { waiter, result });
        }
    }

    fn try_sync(
        &mut self,
        now: Time,
        request: &SyncRequest,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        self.check_sync(request)?;
        match self.state {
            State::Dead => return Err(Refusal::Dead),
            State::Empty => return Err(Refusal::UnknownMember),
            State::PreparingRebalance => return Err(Refusal::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => {}
        }
        let shares = self.shares();
        let id = &request.member_id;
        let member = self.members.get_mut(id).ok_or(Refusal::UnknownMember)?;
        member.owes_sync = false;
        // Of two syncs of one member the older one's client is gone.
        member.answer_sync(Err(Refusal::RebalanceInProgress), out);
        member.sync_waiter = Some(request.waiter);
        if self.state == State::Stable {
            let answer = shares.of(member.assignment.clone());
            member.answer_sync(Ok(answer), out);
            member.reset_session(now);
        } else if self.is_leader(id) && !self.is_assigning() {
            self.store_assignment(&request.assignments, out);
        }
        self.end_sync_phase_if_all_came();
        Ok(())
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), Refusal> {
        if self.state == State::Dead {
            return Err(Refusal::Dead);
        }
        self.check_member(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(Refusal::IllegalGeneration);
        }
        let differs = |said: &Option<Arc<str>>, ours: &Option<Arc<str>>| {
            said.is_some() && ours.is_some() && said != ours
        };
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol, &self.protocol)
        {
            return Err(Refusal::InconsistentProtocol);
        }
        Ok(())
    }

    /// Members the leader left out get nothing; others it made up are ignored.
    fn store_assignment(&mut self, assignments: &[(Arc<str>, Bytes)], out: &mut Vec<Output>) {
        let mut shares: SortedMap<Arc<str>, Bytes> = self
            .members
            .keys()
            .map(|id| (id.clone(), Bytes::new()))
            .collect();
        for (id, assignment) in assignments {
            if let Some(share) = shares.get_mut(id) {
                *share = assignment.clone();
            }
        }
        let then = Persisting::Assignment {
            generation: self.generation,
            assignments: shares.clone(),
        };
        self.persist(Some(&shares), then, out);
    }

    /// Whether this generation's assignment is on its way to the log. There is one
    /// per generation, so a leader that repeats itself only waits for it.
    fn is_assigning(&self) -> bool {
        self.persisting.values().any(|then| {
            matches!(then, Persisting::Assignment { generation, .. } if *generation == self.generation)
        })
    }

    /// The record ordered by [`Output::Persist`] was stored, or could not be.
    ///
    /// An unknown `ticket` (of a group that was closed meanwhile) is ignored.
    pub fn persisted(&mut self, now: Time, ticket: u64, stored: bool, out: &mut Vec<Output>) {
        match self.persisting.remove(&ticket) {
            Some(Persisting::Assignment {
                generation,
                assignments,
            }) => self.assignment_persisted(now, generation, assignments, stored, out),
            Some(Persisting::Replacement {
                member_id,
                former_leader,
                can_skip_assignment,
            }) => {
                // If a rebalance began meanwhile, the parked join is part of it.
                if self.state == State::Stable {
                    self.answer_replacement(
                        &member_id,
                        former_leader,
                        can_skip_assignment,
                        stored,
                        out,
                    );
                }
            }
            Some(Persisting::Nothing) | None => {}
        }
    }

    fn assignment_persisted(
        &mut self,
        now: Time,
        generation: Generation,
        mut assignments: SortedMap<Arc<str>, Bytes>,
        stored: bool,
        out: &mut Vec<Output>,
    ) {
        if self.state != State::CompletingRebalance || self.generation != generation {
            return; // Overtaken by a rebalance, which has answered everybody.
        }
        if !stored {
            self.abandon_assignment(&Refusal::NotStored, out);
            self.prepare_rebalance(now, out);
            return;
        }
        self.enter(State::Stable, now);
        let shares = self.shares();
        for (id, member) in self.members.iter_mut() {
            member.assignment = assignments.remove(id).unwrap_or_default();
            let answer = shares.of(member.assignment.clone());
            if member.answer_sync(Ok(answer), out) {
                member.reset_session(now);
            }
        }
    }

    fn answer_replacement(
        &mut self,
        id: &Arc<str>,
        former_leader: Arc<str>,
        can_skip_assignment: bool,
        stored: bool,
        out: &mut Vec<Output>,
    ) {
        let leads = self.is_leader(id) && can_skip_assignment;
        let members = if leads {
            self.list_for_leader()
        } else {
            Vec::new()
        };
        let mut answer = self.join_answer(id, members);
        answer.skip_assignment = leads;
        if !can_skip_assignment {
            answer.leader = former_leader;
        }
        if let Some(member) = self.members.get_mut(id) {
            // Unstored, the client comes back and replaces this id once more.
            let result = if stored {
                Ok(answer)
            } else {
                Err(Refusal::NotStored)
            };
            member.answer_join(result, out);
        }
    }

    /// No assignment will come in this generation: says so to those who wait.
    pub(crate) fn abandon_assignment(&mut self, why: &Refusal, out: &mut Vec<Output>) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            member.answer_sync(Err(why.clone()), out);
        }
    }

    fn shares(&self) -> Shares {
        Shares {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
        }
    }
}

/// What all answers of one sync phase have in common.
struct Shares {
    protocol_type: Option<Arc<str>>,
    protocol: Option<Arc<str>>,
}

impl Shares {
    fn of(&self, assignment: Bytes) -> SyncAnswer {
        SyncAnswer {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment,
        }
    }
}
