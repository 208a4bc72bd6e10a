//! Staying, leaving and being given up: heartbeats, commits, leaves, deadlines.

use crate::{Group, Leaver, Output, Refusal, State};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{Generation, Mutant, Time, is_planted};

/// What a deadline is about.
#[derive(Clone, Debug)]
pub(crate) enum Due {
    Session(Arc<str>),
    Pending(Arc<str>),
    Joins,
    Syncs,
}

impl Group {
    /// A member says that it is alive.
    ///
    /// # Errors
    /// [`Refusal::RebalanceInProgress`] keeps the session alive, too, and tells the
    /// member to rejoin. Before the sync phase is over a heartbeat is fine.
    pub fn heartbeat(
        &mut self,
        now: Time,
        member_id: &str,
        instance_id: Option<&str>,
        generation: Generation,
    ) -> Result<(), Refusal> {
        if self.state == State::Dead {
            return Err(Refusal::Dead);
        }
        self.check_member(member_id, instance_id)?;
        if generation != self.generation {
            return Err(Refusal::IllegalGeneration);
        }
        self.reset_session(now, member_id);
        match self.state {
            State::Empty | State::Dead => Err(Refusal::UnknownMember),
            State::PreparingRebalance => Err(Refusal::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// Whether this member may commit offsets now; keeps its session alive.
    ///
    /// A negative generation with an empty member id is a consumer that manages
    /// its partitions itself, or a tool. For a group that does not exist the rule
    /// is the caller's: a negative generation creates it, others are
    /// [`Refusal::IllegalGeneration`].
    ///
    /// # Errors
    /// Why the commit must not happen. During [`State::PreparingRebalance`] the
    /// members of the old generation may still commit.
    pub fn check_commit(
        &mut self,
        now: Time,
        member_id: &str,
        instance_id: Option<&str>,
        generation: Generation,
        transactional: bool,
    ) -> Result<(), Refusal> {
        if self.state == State::Dead {
            return Err(Refusal::Dead);
        }
        if generation.0 < 0 && self.state == State::Empty {
            return Ok(());
        }
        if generation.0 >= 0 || !member_id.is_empty() || instance_id.is_some() {
            self.check_member(member_id, instance_id)?;
            if generation != self.generation {
                return Err(Refusal::IllegalGeneration);
            }
        } else if !transactional && self.state != State::Empty {
            return Err(Refusal::UnknownMember);
        }
        if !transactional && self.state == State::CompletingRebalance {
            return Err(Refusal::RebalanceInProgress);
        }
        if matches!(self.state, State::Stable | State::PreparingRebalance) {
            self.reset_session(now, member_id);
        }
        Ok(())
    }

    /// Whether the group may be deleted.
    ///
    /// # Errors
    /// [`Refusal::NotEmpty`] while it has members, [`Refusal::Dead`] if it is gone.
    pub fn check_delete(&self) -> Result<(), Refusal> {
        match self.state {
            State::Dead => Err(Refusal::Dead),
            State::Empty => Ok(()),
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                Err(Refusal::NotEmpty)
            }
        }
    }

    /// Members leave, one answer each in the same order; one rebalance for all.
    pub fn leave(
        &mut self,
        now: Time,
        leavers: &[Leaver],
        out: &mut Vec<Output>,
    ) -> Vec<Result<(), Refusal>> {
        if self.state == State::Dead {
            return leavers.iter().map(|_| Err(Refusal::Dead)).collect();
        }
        let before = self.members.len();
        let answers = leavers
            .iter()
            .map(|leaver| self.leave_one(leaver, out))
            .collect();
        if self.members.len() < before {
            self.after_removal(now, out);
        } else {
            // One that was only pending may have been the last awaited.
            self.complete_join_if_all_came(now, out);
        }
        answers
    }

    fn leave_one(&mut self, leaver: &Leaver, out: &mut Vec<Output>) -> Result<(), Refusal> {
        let instance_id = leaver.instance_id.as_deref();
        let id = if leaver.member_id.is_empty() {
            // An administrator knows a static member by its name only.
            let holder = instance_id.and_then(|name| self.statics.get(name));
            holder.ok_or(Refusal::UnknownMember)?.clone()
        } else {
            if !self.pending.contains_key(&leaver.member_id) {
                self.check_member(&leaver.member_id, instance_id)?;
            }
            leaver.member_id.clone()
        };
        self.remove(&id, &Refusal::UnknownMember, out);
        Ok(())
    }

    /// Does whatever is due at `now`, earliest first.
    pub fn expire(&mut self, now: Time, out: &mut Vec<Output>) {
        while let Some((at, due)) = self.earliest_due() {
            if at > now {
                return;
            }
            match due {
                Due::Session(id) => self.session_is_over(now, &id, out),
                Due::Pending(id) => {
                    self.pending.remove(&id);
                    self.complete_join_if_all_came(now, out);
                }
                Due::Joins => self.join_time_is_up(now, out),
                Due::Syncs => self.sync_time_is_up(now, out),
            }
        }
    }

    pub(crate) fn earliest_due(&self) -> Option<(Time, Due)> {
        let sessions = self.members.values().filter_map(|member| {
            let at = member.session_deadline?;
            Some((at, Due::Session(member.id.clone())))
        });
        let pending = self
            .pending
            .iter()
            .map(|(id, at)| (*at, Due::Pending(id.clone())));
        let joins = self.join_timer.iter().map(|timer| (timer.at(), Due::Joins));
        let syncs = self.sync_deadline.iter().map(|at| (*at, Due::Syncs));
        // `min_by_key` keeps the first of equals, so the order here is the order
        // of things that are due at one moment.
        sessions
            .chain(pending)
            .chain(joins)
            .chain(syncs)
            .min_by_key(|(at, _)| *at)
    }

    fn session_is_over(&mut self, now: Time, id: &Arc<str>, out: &mut Vec<Output>) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let is_parked = member.join_waiter.is_some() || member.sync_waiter.is_some();
        if is_parked && !member.is_new || is_planted(Mutant::SilentMemberKept) {
            // It waits for us, not we for it. The answer starts its session again.
            member.session_deadline = None;
            return;
        }
        self.give_up(id, out);
        self.after_removal(now, out);
    }

    /// Who did not ask for an assignment within the rebalance timeout is given up.
    fn sync_time_is_up(&mut self, now: Time, out: &mut Vec<Output>) {
        self.sync_deadline = None;
        let late: Vec<Arc<str>> = self
            .members
            .values()
            .filter(|member| member.owes_sync)
            .map(|member| member.id.clone())
            .collect();
        for id in &late {
            self.give_up(id, out);
        }
        if !late.is_empty() {
            self.prepare_rebalance(now, out);
        }
    }

    fn after_removal(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.state {
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(now, out),
            State::PreparingRebalance => self.complete_join_if_all_came(now, out),
            State::Empty | State::Dead => {}
        }
    }

    fn reset_session(&mut self, now: Time, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.reset_session(now);
        }
    }
}
