use crate::{Group, Refusal, State};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::Generation;

/// A group as tools show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The group's id.
    pub group_id: Arc<str>,
    /// Where it stands; [`State::name`] is what Kafka prints.
    pub state: State,
    /// The current generation.
    pub generation: Generation,
    /// Kind of group; empty for one that has only ever committed offsets.
    pub protocol_type: Arc<str>,
    /// The chosen protocol; empty unless stable.
    pub protocol: Arc<str>,
    /// Members in the order of their joining.
    pub members: Vec<MemberDescription>,
}

/// A member as tools show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// The member's id.
    pub member_id: Arc<str>,
    /// Its name if it is static.
    pub instance_id: Option<Arc<str>>,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// The client's address as Kafka shows it.
    pub client_host: Arc<str>,
    /// Its subscription under the chosen protocol; empty unless stable.
    pub metadata: Bytes,
    /// Its assignment; empty while there is none.
    pub assignment: Bytes,
}

impl Group {
    /// What `DescribeGroups` tells.
    #[must_use]
    pub fn describe(&self) -> Description {
        let is_stable = self.state == State::Stable;
        let protocol = self
            .protocol
            .clone()
            .filter(|_| is_stable)
            .unwrap_or_default();
        let members = self
            .in_join_order()
            .into_iter()
            .map(|member| MemberDescription {
                member_id: member.id.clone(),
                instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                metadata: member.metadata(&protocol),
                assignment: member.assignment.clone(),
            });
        Description {
            group_id: self.id.clone(),
            state: self.state,
            generation: self.generation,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            members: members.collect(),
            protocol,
        }
    }

    /// The members' subscriptions under the chosen protocol, in the order of their
    /// joining; opaque to the group, so that the caller reads the topics out of
    /// them. Empty before the first generation.
    pub fn subscriptions(&self) -> impl Iterator<Item = Bytes> {
        let protocol = self.protocol.clone();
        self.in_join_order()
            .into_iter()
            .filter_map(move |member| Some(member.metadata(protocol.as_deref()?)))
    }

    /// Whether offsets may be deleted while the group is as it is. `Ok(true)`: only
    /// those of topics that no member subscribes to.
    ///
    /// # Errors
    /// [`Refusal::Dead`], or [`Refusal::NotEmpty`] for a group with members that are
    /// no consumers, whose subscriptions nobody can read.
    pub fn check_offset_delete(&self) -> Result<bool, Refusal> {
        match self.state {
            State::Dead => Err(Refusal::Dead),
            State::Empty => Ok(false),
            _ if self.is_consumer_group() => Ok(true),
            _ => Err(Refusal::NotEmpty),
        }
    }

    pub(crate) fn is_consumer_group(&self) -> bool {
        self.protocol_type.as_deref() == Some("consumer")
    }
}
