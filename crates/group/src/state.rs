//! What of a group outlives its coordinator: the content of its record in
//! `__consumer_offsets`.

use crate::group::Group;
use crate::member::{Member, millis};
use crate::{GroupConfig, Protocol, State};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Generation, Time};
use sorted::SortedMap;

/// A group's persistent state, as `GroupMetadataValue` holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// Kind of group; Kafka writes an empty one for "none".
    pub protocol_type: Option<Arc<str>>,
    /// The generation.
    pub generation: Generation,
    /// The chosen protocol; `None` without members.
    pub protocol: Option<Arc<str>>,
    /// The leader's member id; `None` without members.
    pub leader: Option<Arc<str>>,
    /// When the group came into its state; old records do not say.
    pub state_since: Option<Time>,
    /// Members in the order of their joining.
    pub members: Vec<MemberState>,
}

/// A member's persistent state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberState {
    /// The member's id.
    pub member_id: Arc<str>,
    /// Its name if it is static.
    pub instance_id: Option<Arc<str>>,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// The client's address as Kafka shows it.
    pub client_host: Arc<str>,
    /// Milliseconds the group waits for it to rejoin.
    pub rebalance_timeout_ms: i32,
    /// Milliseconds without a heartbeat after which it is removed.
    pub session_timeout_ms: i32,
    /// Its metadata under the chosen protocol.
    pub subscription: Bytes,
    /// Its assignment.
    pub assignment: Bytes,
}

impl Group {
    /// The group's persistent state as it is now.
    #[must_use]
    pub fn snapshot(&self) -> GroupState {
        self.snapshot_with(None)
    }

    /// The state with an assignment that is not in force yet.
    pub(crate) fn snapshot_with(
        &self,
        assignments: Option<&SortedMap<Arc<str>, Bytes>>,
    ) -> GroupState {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.in_join_order().into_iter().map(|member| MemberState {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: signed(member.rebalance_ms),
            session_timeout_ms: signed(member.session_ms),
            subscription: member.metadata(protocol),
            assignment: match assignments {
                Some(assignments) => assignments.get(&member.id).cloned().unwrap_or_default(),
                None => member.assignment.clone(),
            },
        });
        GroupState {
            protocol_type: self.protocol_type.clone(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since: self.state_since,
            members: members.collect(),
        }
    }

    /// The group as its last record describes it, for a new coordinator: stable if
    /// it has members, whose sessions begin anew. Requests parked at the former
    /// coordinator are gone.
    #[must_use]
    pub fn restore(id: Arc<str>, config: GroupConfig, now: Time, state: GroupState) -> Group {
        let mut group = Group::new(id, config, now);
        group.protocol_type = state.protocol_type.filter(|kind| !kind.is_empty());
        group.generation = state.generation;
        group.state_since = state.state_since;
        if state.members.is_empty() {
            return group;
        }
        group.state = State::Stable;
        group.leader = state.leader;
        for (order, member) in (0u64..).zip(state.members) {
            let member = restored(member, state.protocol.as_ref(), order, now);
            if let Some(instance_id) = &member.instance_id {
                group.statics.insert(instance_id.clone(), member.id.clone());
            }
            group.joined_ever = order + 1;
            group.members.insert(member.id.clone(), member);
        }
        group.protocol = state.protocol;
        group
    }
}

fn restored(state: MemberState, protocol: Option<&Arc<str>>, order: u64, now: Time) -> Member {
    let protocols = protocol.map(|name| Protocol {
        name: name.clone(),
        metadata: state.subscription,
    });
    let mut member = Member {
        id: state.member_id,
        instance_id: state.instance_id,
        client_id: state.client_id,
        client_host: state.client_host,
        session_ms: millis(state.session_timeout_ms),
        rebalance_ms: millis(state.rebalance_timeout_ms),
        protocols: protocols.map_or_else(Vec::new, |protocol| vec![protocol]),
        assignment: state.assignment,
        order,
        is_new: false,
        owes_sync: false,
        join_waiter: None,
        sync_waiter: None,
        session_deadline: None,
    };
    member.reset_session(now);
    member
}

fn signed(millis: u32) -> i32 {
    i32::try_from(millis).unwrap_or(i32::MAX)
}
