use crate::member::Member;
use crate::{Offsets, Output, Refusal};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Generation, Time};
use sorted::SortedMap;

/// Where a group stands in its cycle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// No members; there may be offsets.
    Empty,
    /// Waiting for members to join the next generation.
    PreparingRebalance,
    /// The generation stands; waiting for the leader's assignment.
    CompletingRebalance,
    /// Everybody has, or may fetch, an assignment.
    Stable,
    /// Gone; the last state.
    Dead,
}

impl State {
    /// The state's name as Kafka prints it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
            State::Dead => "Dead",
        }
    }
}

/// What a broker's operator decides about groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`.
    pub min_session_ms: u32,
    /// `group.max.session.timeout.ms`.
    pub max_session_ms: u32,
    /// `group.initial.rebalance.delay.ms` (KIP-134).
    pub initial_delay_ms: u32,
    /// `group.max.size`, for members and as many pending ones. Kafka's default
    /// has no limit; ours has, because everything is bounded.
    pub max_size: u32,
    /// How long a new member's first join may be parked. Its client cannot send
    /// heartbeats yet, so nothing else would notice that it is gone.
    pub new_member_join_ms: u32,
}

impl Default for GroupConfig {
    fn default() -> GroupConfig {
        GroupConfig {
            min_session_ms: 6_000,
            max_session_ms: 1_800_000,
            initial_delay_ms: 3_000,
            max_size: 1_000,
            new_member_join_ms: 300_000,
        }
    }
}

/// One classic group.
#[derive(Clone, Debug)]
pub struct Group {
    /// What the group has committed.
    pub offsets: Offsets,
    pub(crate) id: Arc<str>,
    pub(crate) config: GroupConfig,
    pub(crate) state: State,
    /// When the group came into its state; `None` if its log does not say.
    pub(crate) state_since: Option<Time>,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) generation: Generation,
    pub(crate) leader: Option<Arc<str>>,
    pub(crate) members: SortedMap<Arc<str>, Member>,
    /// Instance id to the member id that holds it now.
    pub(crate) statics: SortedMap<Arc<str>, Arc<str>>,
    /// Ids that were given out and have not joined yet, with their deadline.
    pub(crate) pending: SortedMap<Arc<str>, Time>,
    /// Set exactly while preparing a rebalance.
    pub(crate) join_timer: Option<JoinTimer>,
    pub(crate) sync_deadline: Option<Time>,
    pub(crate) joined_ever: u64,
    pub(crate) tickets: u64,
    pub(crate) persisting: SortedMap<u64, Persisting>,
}

/// When the join phase ends even though not everybody has come.
#[derive(Clone, Debug)]
pub(crate) enum JoinTimer {
    /// The first rebalance of an empty group, prolonged as long as members come.
    Initial {
        at: Time,
        delay_ms: u64,
        remaining_ms: u64,
        /// Somebody joined since the delay last began.
        joined: bool,
    },
    Rebalance {
        at: Time,
    },
}

impl JoinTimer {
    pub(crate) fn at(&self) -> Time {
        match self {
            JoinTimer::Initial { at, .. } | JoinTimer::Rebalance { at } => *at,
        }
    }
}

/// What happens once a record of the group is stored.
#[derive(Clone, Debug)]
pub(crate) enum Persisting {
    /// The leader's assignment takes effect.
    Assignment {
        generation: Generation,
        assignments: SortedMap<Arc<str>, Bytes>,
    },
    /// A static member that came back hears that nothing changed.
    Replacement {
        member_id: Arc<str>,
        /// Older clients are told the leader's former id, so that none of them
        /// believes it has to assign.
        former_leader: Arc<str>,
        can_skip_assignment: bool,
    },
    /// Nobody waits.
    Nothing,
}

impl Group {
    /// A group that nobody has joined.
    #[must_use]
    pub fn new(id: Arc<str>, config: GroupConfig, now: Time) -> Group {
        Group {
            offsets: Offsets::default(),
            id,
            config,
            state: State::Empty,
            state_since: Some(now),
            protocol_type: None,
            protocol: None,
            generation: Generation(0),
            leader: None,
            members: SortedMap::new(),
            statics: SortedMap::new(),
            pending: SortedMap::new(),
            join_timer: None,
            sync_deadline: None,
            joined_ever: 0,
            tickets: 0,
            persisting: SortedMap::new(),
        }
    }

    /// The group's id.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Where the group stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The current generation; 0 before the first.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The leader's member id.
    #[must_use]
    pub fn leader(&self) -> Option<&Arc<str>> {
        self.leader.as_ref()
    }

    /// Kind of group; `None` for one that has only ever committed offsets.
    #[must_use]
    pub fn protocol_type(&self) -> Option<&Arc<str>> {
        self.protocol_type.as_ref()
    }

    /// Number of members, pending ones not counted.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Whether nothing would be lost by forgetting the group: a refused join may
    /// have created it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.state == State::Empty
            && self.generation == Generation(0)
            && self.protocol_type.is_none()
            && self.pending.is_empty()
            && self.offsets.is_empty()
    }

    /// When [`Group::expire`] has something to do; may be in the past.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.earliest_due().map(|(at, _)| at)
    }

    /// Ends the group: every parked request is refused with `why`.
    ///
    /// For a deleted group ([`Refusal::Dead`]) and for one whose coordinator moves.
    pub fn close(&mut self, now: Time, why: &Refusal, out: &mut Vec<Output>) {
        for member in self.members.values_mut() {
            member.refuse(why, out);
        }
        self.members.clear();
        self.statics.clear();
        self.pending.clear();
        self.persisting.clear();
        self.leader = None;
        self.join_timer = None;
        self.sync_deadline = None;
        self.enter(State::Dead, now);
    }

    /// Members in the order of their joining.
    pub(crate) fn in_join_order(&self) -> Vec<&Member> {
        let mut members: Vec<&Member> = self.members.values().collect();
        sorted::sort_by_key(&mut members, |member| member.order);
        members
    }

    pub(crate) fn enter(&mut self, state: State, now: Time) {
        self.state = state;
        self.state_since = Some(now);
    }

    pub(crate) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// The one check of identity: a static member's name must still belong to the
    /// member id (KIP-345), and the id must be a member's.
    pub(crate) fn check_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), Refusal> {
        if let Some(instance_id) = instance_id {
            match self.statics.get(instance_id) {
                None => return Err(Refusal::UnknownMember),
                Some(holder) if **holder != *member_id => return Err(Refusal::FencedInstance),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) {
            Ok(())
        } else {
            Err(Refusal::UnknownMember)
        }
    }

    /// Takes a member out, refusing what it has parked. The next in the order of
    /// joining becomes leader if it led.
    pub(crate) fn remove(&mut self, member_id: &str, why: &Refusal, out: &mut Vec<Output>) {
        self.pending.remove(member_id);
        let Some(mut member) = self.members.remove(member_id) else {
            return;
        };
        member.refuse(why, out);
        if let Some(instance_id) = &member.instance_id {
            self.statics.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.in_join_order().first().map(|next| next.id.clone());
        }
    }

    /// Removes a member that was silent or late.
    pub(crate) fn give_up(&mut self, member_id: &str, out: &mut Vec<Output>) {
        if let Some(member) = self.members.get(member_id) {
            let client_id = member.client_id.clone();
            out.push(Output::TimedOut { client_id });
        }
        self.remove(member_id, &Refusal::UnknownMember, out);
    }

    pub(crate) fn end_sync_phase_if_all_came(&mut self) {
        if self.members.values().all(|member| !member.owes_sync) {
            self.sync_deadline = None;
        }
    }

    /// Orders a record of `state` to be written; `then` happens when it is stored.
    pub(crate) fn persist(
        &mut self,
        assignments: Option<&SortedMap<Arc<str>, Bytes>>,
        then: Persisting,
        out: &mut Vec<Output>,
    ) {
        let ticket = self.tickets;
        self.tickets += 1;
        self.persisting.insert(ticket, then);
        let state = self.snapshot_with(assignments);
        out.push(Output::Persist { ticket, state });
    }
}
