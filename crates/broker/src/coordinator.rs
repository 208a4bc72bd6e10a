//! The group coordinator: groups whose partition of `__consumer_offsets` this broker leads.

use crate::broker::Broker;
use crate::event::{Effect, ReplicaId};
use crate::waiting::{Caller, WaitId};
use alloc::vec::Vec;
use ids::{Rng, Time};

/// A group request that waits.
#[derive(Clone, Debug)]
pub(crate) struct PendingGroup {}

/// All groups of this broker.
#[derive(Clone, Debug)]
pub(crate) struct Coordinator {
    #[allow(dead_code, reason = "member ids come from it")]
    rng: Rng,
}

impl Coordinator {
    pub(crate) fn new(rng: Rng) -> Coordinator {
        Coordinator { rng }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        None
    }
}

impl Broker {
    /// The client of a parked request is gone.
    pub(crate) fn coordinator_abandoned(
        &mut self,
        _now: Time,
        _id: WaitId,
        _group: &PendingGroup,
        _out: &mut Vec<Effect>,
    ) {
    }

    /// A parked request's deadline has come.
    pub(crate) fn coordinator_timed_out(
        &mut self,
        _now: Time,
        _caller: &Caller,
        _group: PendingGroup,
        _out: &mut Vec<Effect>,
    ) {
    }

    /// Sessions, rebalances and offsets whose time has come.
    pub(crate) fn expire_groups(&mut self, _now: Time, _out: &mut Vec<Effect>) {}

    /// An append of the coordinator is committed, or could not be stored.
    pub(crate) fn coordinator_settled(
        &mut self,
        _now: Time,
        _ticket: u64,
        _ok: bool,
        _out: &mut Vec<Effect>,
    ) {
    }

    /// Bytes of a log are in memory that were asked for.
    pub(crate) fn coordinator_loaded(
        &mut self,
        _now: Time,
        _replica: ReplicaId,
        _out: &mut Vec<Effect>,
    ) {
    }

    /// This broker leads a partition now.
    pub(crate) fn coordinator_elected(
        &mut self,
        _now: Time,
        _replica: ReplicaId,
        _out: &mut Vec<Effect>,
    ) {
    }

    /// This broker leads a partition no more.
    pub(crate) fn coordinator_resigned(
        &mut self,
        _now: Time,
        _replica: ReplicaId,
        _out: &mut Vec<Effect>,
    ) {
    }

    /// A topic is gone, and with it the offsets committed for it.
    pub(crate) fn coordinator_topic_removed(
        &mut self,
        _now: Time,
        _topic: &str,
        _out: &mut Vec<Effect>,
    ) {
    }
}
