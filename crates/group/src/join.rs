//! The join phase: from the first join of a rebalance to the next generation.

use crate::group::{JoinTimer, Persisting};
use crate::member::{Member, millis};
use crate::{Group, JoinAnswer, JoinRequest, JoinedMember, Output, Protocol, Refusal, State};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{Generation, Mutant, Rng, Time, Uuid, is_planted};
use sorted::{SortedMap, SortedSet};

/// Protocols that a member may support; Kafka has no limit.
pub const PROTOCOLS_MAX: usize = 100;
/// Bytes of metadata that a member may bring for all of them. With more, its group could not be stored.
pub const PROTOCOL_BYTES_MAX: usize = 1 << 20;

impl Group {
    /// A client wants to be a member of the next generation.
    ///
    /// The answer comes as [`Output::Joined`], at once or when the join phase ends.
    /// `rng` makes the id of a new member: `<client or instance id>-<uuid>`.
    pub fn join(&mut self, now: Time, request: &JoinRequest, rng: &mut Rng, out: &mut Vec<Output>) {
        if let Err(refusal) = self.try_join(now, request, rng, out) {
            let waiter = request.waiter;
            let result = Err(refusal);
            out.push(Output::Joined { waiter, result });
        }
    }

    /// `Ok` when the request is parked or answered.
    fn try_join(
        &mut self,
        now: Time,
        request: &JoinRequest,
        rng: &mut Rng,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let session_ms = u32::try_from(request.session_timeout_ms);
        let allowed = self.config.min_session_ms..=self.config.max_session_ms;
        if !session_ms.is_ok_and(|ms| allowed.contains(&ms)) {
            return Err(Refusal::InvalidSessionTimeout);
        }
        if self.state == State::Dead {
            return Err(Refusal::Dead);
        }
        if !self.has_room_for(&request.member_id) {
            self.remove(&request.member_id, &Refusal::GroupMaxSize, out);
            self.complete_join_if_all_came(now, out);
            return Err(Refusal::GroupMaxSize);
        }
        if !self.supports(&request.protocol_type, &request.protocols) {
            return Err(Refusal::InconsistentProtocol);
        }
        if request.member_id.is_empty() {
            self.join_as_new(now, request, rng, out)
        } else {
            self.join_as_known(now, request, out)
        }
    }

    fn join_as_new(
        &mut self,
        now: Time,
        request: &JoinRequest,
        rng: &mut Rng,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let name = request.instance_id.as_ref().unwrap_or(&request.client_id);
        let id = new_member_id(name, rng);
        let former = request
            .instance_id
            .as_ref()
            .and_then(|i| self.statics.get(i));
        if let Some(former) = former.cloned() {
            self.replace_static(now, &former, id, request, out);
            return Ok(());
        }
        if request.instance_id.is_none() && request.require_known_member {
            if self.pending.len() >= self.config.max_size as usize {
                return Err(Refusal::GroupMaxSize);
            }
            let deadline = now.plus_millis(u64::from(millis(request.session_timeout_ms)));
            self.pending.insert(id.clone(), deadline);
            return Err(Refusal::MemberIdRequired(id));
        }
        self.add_member(now, id, request, out);
        Ok(())
    }

    fn join_as_known(
        &mut self,
        now: Time,
        request: &JoinRequest,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let id = &request.member_id;
        if self.pending.contains_key(id) {
            // A static member never was pending: whoever says both is confused.
            if request.instance_id.is_some() {
                return Err(Refusal::UnknownMember);
            }
            self.add_member(now, id.clone(), request, out);
            return Ok(());
        }
        self.check_member(id, request.instance_id.as_deref())?;
        let member = self.members.get_mut(id).ok_or(Refusal::UnknownMember)?;
        let unchanged = member.protocols == request.protocols;
        let leads = self.leader.as_ref() == Some(id);
        match self.state {
            // The client may not have seen the answer, so it hears it again.
            State::CompletingRebalance if unchanged => {
                member.rejoin(request, out);
                member.reset_session(now);
                let id = id.clone();
                self.answer_with_generation(&id, leads, out);
            }
            State::Stable if unchanged && !leads => {
                member.rejoin(request, out);
                member.reset_session(now);
                let id = id.clone();
                self.answer_with_generation(&id, false, out);
            }
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                member.rejoin(request, out);
                self.rebalance_or_complete(now, out);
            }
            State::Empty | State::Dead => return Err(Refusal::UnknownMember),
        }
        Ok(())
    }

    /// Whether `group.max.size` lets this id in. While joining, only those who
    /// have come count, so that the last ones to rejoin are those kept out.
    fn has_room_for(&self, member_id: &str) -> bool {
        let known = self.members.get(member_id);
        let max = self.config.max_size as usize;
        match self.state {
            State::Empty | State::Dead => true,
            State::PreparingRebalance => {
                // Twice the maximum bounds those who have not come (Kafka has no
                // limit on absent static members).
                let fits = known.is_some() || self.members.len() < max.saturating_mul(2);
                known.is_some_and(|member| member.join_waiter.is_some())
                    || self.joined_count() < max && fits
            }
            State::CompletingRebalance | State::Stable => {
                known.is_some() || self.members.len() < max
            }
        }
    }

    /// Whether a member with these protocols fits in: any in an empty group, else
    /// one protocol that all members share.
    fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        let bytes: usize = protocols.iter().map(|p| p.metadata.len()).sum();
        if protocols.len() > PROTOCOLS_MAX || bytes > PROTOCOL_BYTES_MAX {
            return false;
        }
        if self.state == State::Empty || self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        if self.protocol_type.as_deref() != Some(protocol_type) {
            return false;
        }
        let shared = self.shared_protocols();
        protocols.iter().any(|p| shared.contains(&*p.name))
    }

    /// The protocols that every member supports. Each member's are looked at once, so that a group of
    /// many members with many protocols costs no more than there are of them.
    fn shared_protocols(&self) -> SortedSet<&str> {
        // By name: how many members support it, of those looked at so far.
        let mut counts: SortedMap<&str, usize> = SortedMap::new();
        for (before, member) in self.members.values().enumerate() {
            for protocol in &member.protocols {
                if before == 0 {
                    counts.insert(&protocol.name, 1);
                } else if let Some(count) = counts.get_mut(&*protocol.name)
                    && *count == before
                {
                    *count += 1;
                }
            }
        }
        let all = self.members.len();
        let shared = counts.into_iter().filter(|(_, count)| *count == all);
        shared.map(|(name, _)| name).collect()
    }

    fn add_member(
        &mut self,
        now: Time,
        id: Arc<str>,
        request: &JoinRequest,
        out: &mut Vec<Output>,
    ) {
        if let Some(JoinTimer::Initial { joined, .. }) = &mut self.join_timer {
            *joined = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        let mut member = Member::new(id.clone(), self.joined_ever, request);
        self.joined_ever += 1;
        member.session_deadline = Some(now.plus_millis(u64::from(self.config.new_member_join_ms)));
        self.pending.remove(&id);
        self.leader.get_or_insert_with(|| id.clone());
        if let Some(instance_id) = &request.instance_id {
            self.statics.insert(instance_id.clone(), id.clone());
        }
        self.members.insert(id, member);
        self.rebalance_or_complete(now, out);
    }

    /// A static member's client was started anew: it takes over the membership,
    /// and a stable group need not notice (KIP-345).
    fn replace_static(
        &mut self,
        now: Time,
        former: &Arc<str>,
        id: Arc<str>,
        request: &JoinRequest,
        out: &mut Vec<Output>,
    ) {
        let Some(mut member) = self.members.remove(former) else {
            return;
        };
        let former_leader = self.leader.clone();
        member.refuse(&Refusal::FencedInstance, out);
        member.id = id.clone();
        member.is_new = false;
        member.client_id = request.client_id.clone();
        member.client_host = request.client_host.clone();
        member.rejoin(request, out);
        member.reset_session(now);
        if self.is_leader(former) {
            self.leader = Some(id.clone());
        }
        if let Some(instance_id) = &request.instance_id {
            self.statics.insert(instance_id.clone(), id.clone());
        }
        self.members.insert(id.clone(), member);
        if self.state == State::Stable && self.vote() == self.protocol {
            let then = Persisting::Replacement {
                member_id: id,
                former_leader: former_leader.unwrap_or_default(),
                can_skip_assignment: request.can_skip_assignment,
            };
            self.persist(None, then, out);
        } else {
            // In the middle of a sync the leader still knows the former id, so its
            // assignment would miss this member: begin again.
            self.rebalance_or_complete(now, out);
        }
    }

    /// Begins a rebalance, or ends the one that is waiting for this last join.
    pub(crate) fn rebalance_or_complete(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.state {
            State::Stable | State::CompletingRebalance | State::Empty => {
                self.prepare_rebalance(now, out);
            }
            State::PreparingRebalance => self.complete_join_if_all_came(now, out),
            State::Dead => {}
        }
    }

    pub(crate) fn prepare_rebalance(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.state == State::CompletingRebalance {
            self.abandon_assignment(&Refusal::RebalanceInProgress, out);
        }
        self.sync_deadline = None;
        for member in self.members.values_mut() {
            member.owes_sync = false;
        }
        let initial = self.state == State::Empty;
        self.enter(State::PreparingRebalance, now);
        if initial {
            // A group that starts up should not rebalance once per member (KIP-134).
            let delay_ms = u64::from(self.config.initial_delay_ms);
            self.join_timer = Some(JoinTimer::Initial {
                at: now.plus_millis(delay_ms),
                delay_ms,
                remaining_ms: self.rebalance_ms().saturating_sub(delay_ms),
                joined: false,
            });
        } else {
            self.await_joins(now);
            self.complete_join_if_all_came(now, out);
        }
    }

    /// The initial delay is not cut short by everybody being there.
    pub(crate) fn complete_join_if_all_came(&mut self, now: Time, out: &mut Vec<Output>) {
        let all_came = self.pending.is_empty() && self.joined_count() == self.members.len();
        if all_came && matches!(self.join_timer, Some(JoinTimer::Rebalance { .. })) {
            self.complete_join(now, out);
        }
    }

    /// The join phase's time is up.
    pub(crate) fn join_time_is_up(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.join_timer.take() {
            Some(JoinTimer::Initial {
                delay_ms,
                remaining_ms,
                joined: true,
                ..
            }) if remaining_ms != 0 => {
                let next_ms = u64::from(self.config.initial_delay_ms).min(remaining_ms);
                self.join_timer = Some(JoinTimer::Initial {
                    at: now.plus_millis(next_ms),
                    delay_ms: next_ms,
                    remaining_ms: remaining_ms.saturating_sub(delay_ms),
                    joined: false,
                });
            }
            _ => self.complete_join(now, out),
        }
    }

    /// Forms the next generation of those who came.
    fn complete_join(&mut self, now: Time, out: &mut Vec<Output>) {
        let absent: Vec<Arc<str>> = self
            .members
            .values()
            .filter(|m| m.join_waiter.is_none() && m.instance_id.is_none())
            .map(|m| m.id.clone())
            .collect();
        for id in absent {
            self.give_up(&id, out);
        }
        if !self.members.is_empty() && !self.elect_leader() {
            // Only absent static members are left: their sessions decide.
            self.await_joins(now);
            return;
        }
        self.join_timer = None;
        if !is_planted(Mutant::GenerationKept) || self.generation == Generation(0) {
            self.generation = Generation(self.generation.0.saturating_add(1));
        }
        if self.members.is_empty() {
            self.protocol = None;
            self.enter(State::Empty, now);
            self.persist(None, Persisting::Nothing, out);
            return;
        }
        self.protocol = self.vote();
        self.enter(State::CompletingRebalance, now);
        self.sync_deadline = Some(now.plus_millis(self.rebalance_ms()));
        let ids: Vec<Arc<str>> = self.in_join_order().iter().map(|m| m.id.clone()).collect();
        for id in ids {
            self.answer_with_generation(&id, self.is_leader(&id), out);
            if let Some(member) = self.members.get_mut(&id) {
                member.reset_session(now);
                member.is_new = false;
                member.owes_sync = true;
            }
        }
    }

    fn await_joins(&mut self, now: Time) {
        // At least one millisecond, or a timeout of 0 would come again and again.
        let at = now.plus_millis(self.rebalance_ms().max(1));
        self.join_timer = Some(JoinTimer::Rebalance { at });
    }

    /// The leader stays if it rejoined, else the first who did leads.
    fn elect_leader(&mut self) -> bool {
        let rejoined = |member: &&Member| member.join_waiter.is_some();
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        if leader.as_ref().is_some_and(rejoined) {
            return true;
        }
        let next = self.in_join_order().into_iter().find(rejoined);
        let Some(next) = next.map(|member| member.id.clone()) else {
            return false;
        };
        self.leader = Some(next);
        true
    }

    /// The protocol most members prefer among those that all support. Votes that
    /// are equal go to the one that was first voted for in the order of joining,
    /// where Kafka leaves it to chance.
    pub(crate) fn vote(&self) -> Option<Arc<str>> {
        let voters = self.in_join_order();
        let shared = self.shared_protocols();
        let mut votes: SortedMap<&str, u32> = SortedMap::new();
        let mut order: Vec<&Arc<str>> = Vec::new();
        for voter in &voters {
            let favourite = voter.protocols.iter().find(|p| shared.contains(&*p.name));
            let Some(favourite) = favourite else { continue };
            let count = votes.entry(&favourite.name).or_insert_with(|| {
                order.push(&favourite.name);
                0
            });
            *count += 1;
        }
        let most = votes.values().max()?;
        order
            .into_iter()
            .find(|name| votes.get(&***name) == Some(most))
            .cloned()
    }

    fn joined_count(&self) -> usize {
        self.members
            .values()
            .filter(|m| m.join_waiter.is_some())
            .count()
    }

    /// The longest any member may take to rejoin, in milliseconds.
    fn rebalance_ms(&self) -> u64 {
        let longest = self.members.values().map(|m| m.rebalance_ms).max();
        u64::from(longest.unwrap_or(0))
    }

    fn answer_with_generation(&mut self, id: &Arc<str>, with_members: bool, out: &mut Vec<Output>) {
        let members = if with_members {
            self.list_for_leader()
        } else {
            Vec::new()
        };
        let answer = self.join_answer(id, members);
        if let Some(member) = self.members.get_mut(id) {
            member.answer_join(Ok(answer), out);
        }
    }

    pub(crate) fn join_answer(&self, id: &Arc<str>, members: Vec<JoinedMember>) -> JoinAnswer {
        JoinAnswer {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.clone(),
            members,
            skip_assignment: false,
        }
    }

    pub(crate) fn list_for_leader(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let joined = |member: &Member| JoinedMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        };
        self.in_join_order().into_iter().map(joined).collect()
    }
}

/// `<name>-<random uuid in the form 8-4-4-4-12>`.
fn new_member_id(name: &str, rng: &mut Rng) -> Arc<str> {
    let id = Uuid::random(rng);
    Arc::from(format!("{name}-{}", id.hyphenated()))
}
