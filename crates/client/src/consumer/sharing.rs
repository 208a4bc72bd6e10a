//! The leader's part: sharing the topics' partitions out among a group's members.

use super::{Assignor, Consumer, protocol};
use crate::assignors::{self, Subscriber, TopicSizes};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::TopicPartition;
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::join_group_response::JoinGroupResponse;
use wire::sync_group_request::SyncGroupRequestAssignment;

impl Consumer {
    /// The assignment that we, as leader, give to the group.
    pub(super) fn assign(&mut self, joined: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
        let member = |m: &wire::join_group_response::JoinGroupResponseMember| Subscriber {
            member_id: Arc::from(m.member_id.as_str()),
            instance_id: m
                .group_instance_id
                .as_ref()
                .map(|id| Arc::from(id.as_str())),
            topics: protocol::subscribed(&m.metadata),
            owned: Vec::new(),
            generation: -1,
        };
        let members: Vec<Subscriber> = joined.members.iter().map(member).collect();
        let topics: SortedSet<Arc<str>> = members.iter().flat_map(|m| m.topics.clone()).collect();
        let sizes = self.partition_counts(&topics);
        let chosen = joined.protocol_name.as_ref().map(|name| name.as_str());
        let assigned = if chosen == Some(Assignor::RoundRobin.name()) {
            assignors::round_robin(&sizes, &members)
        } else {
            assignors::range(&sizes, &members)
        };
        self.group.leader_of = Some((topics, sizes));
        let entry = |(id, partitions): (Arc<str>, Vec<TopicPartition>)| {
            let mut by_topic: SortedMap<Arc<str>, Vec<i32>> = SortedMap::new();
            for at in partitions {
                by_topic.entry(at.topic).or_default().push(at.partition.0);
            }
            SyncGroupRequestAssignment {
                member_id: Str::from(id.as_ref()),
                assignment: protocol::assignment(&by_topic),
                ..Default::default()
            }
        };
        assigned.into_iter().map(entry).collect()
    }

    /// How many partitions each topic has; a topic that does not exist is left out, as Kafka does.
    pub(super) fn partition_counts(&self, topics: &SortedSet<Arc<str>>) -> TopicSizes {
        let count = |topic: &Arc<str>| {
            let known = self.net.metadata().topic(topic)?;
            Some((topic.clone(), i32::try_from(known.partitions.len()).ok()?))
        };
        topics.iter().filter_map(count).collect()
    }
}
