//! Groups as a stage shows them.

use crate::broker::Broker;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use group::Group;
use ids::{Generation, Offset, PartitionIndex};

/// What can be seen of a group from outside. Texts are shared, not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// The group's id.
    pub group_id: Arc<str>,
    /// Its state's name as Kafka prints it.
    pub state: &'static str,
    /// The current generation; 0 before the first.
    pub generation: Generation,
    /// The chosen protocol; empty unless stable.
    pub protocol: Arc<str>,
    /// Members in the order of their joining.
    pub members: Vec<MemberView>,
    /// Committed offsets, by topic and partition.
    pub offsets: Vec<(Arc<str>, PartitionIndex, Offset)>,
}

/// What can be seen of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// The member's id.
    pub member_id: Arc<str>,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// The client's address as Kafka shows it, such as `/127.0.0.1`.
    pub host: Arc<str>,
    /// Its assignment as the leader wrote it; empty while there is none.
    pub assignment: Bytes,
}

impl Broker {
    /// The groups this broker coordinates, in order of their ids.
    pub fn groups(&self) -> impl Iterator<Item = GroupView> {
        self.coordinator.groups().map(view)
    }
}

fn view(group: &Group) -> GroupView {
    let described = group.describe();
    let members = described.members.into_iter().map(|member| MemberView {
        member_id: member.member_id,
        client_id: member.client_id,
        host: member.client_host,
        assignment: member.assignment,
    });
    let offsets = group.offsets.iter();
    GroupView {
        group_id: described.group_id,
        state: described.state.name(),
        generation: described.generation,
        protocol: described.protocol,
        members: members.collect(),
        offsets: offsets
            .map(|(topic, partition, commit)| (topic.clone(), partition, commit.offset))
            .collect(),
    }
}
