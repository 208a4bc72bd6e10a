//! What the stage shows, as plain JSON and nothing else.

use crate::command::Acks;
use crate::scenario::{GroupSpec, ProducerSpec, TopicSpec};
use crate::state::State;
use crate::world::World;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use cluster::Broker;
use ids::{NodeId, Offset, PartitionIndex, TopicIdPartition};
use log::Log;
use metadata::{Image, Partition, TOPIC, Topic, is_internal};
use serde::Serialize;
use sorted::SortedMap;
use wire::consumer_protocol_assignment::ConsumerProtocolAssignment;
use wire::{Message, Reader};

/// The snapshot of version 1; 64-bit numbers are decimal strings.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the document's own names")]
pub struct Snapshot {
    /// Always 1.
    pub version: u32,
    pub world_time: String,
    pub journal_length: String,
    pub brokers: Vec<BrokerView>,
    pub topics: Vec<TopicView>,
    pub producers: Vec<ProducerView>,
    pub groups: Vec<GroupView>,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct BrokerView {
    pub id: i32,
    /// One of `running`, `starting`, `stopped`.
    pub state: &'static str,
    pub controller: bool,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the document's own names")]
pub struct TopicView {
    pub name: String,
    pub topic_id: String,
    pub partitions: Vec<PartitionView>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the document's own names")]
pub struct PartitionView {
    pub partition: i32,
    pub leader: i32,
    pub leader_epoch: i32,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    pub log_start_offset: String,
    pub high_watermark: String,
    pub log_end_offset: String,
    pub bytes: String,
}

/// A producer that has been placed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct ProducerView {
    pub id: String,
    pub name: String,
    pub topic: String,
    pub rate: u32,
    pub acks: Acks,
    pub sent: String,
}

/// A consumer group, placed or from outside.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the document's own names")]
pub struct GroupView {
    pub group_id: String,
    /// Kafka's words: Empty, PreparingRebalance, CompletingRebalance, Stable, Dead.
    pub state: String,
    pub generation: i32,
    pub protocol: String,
    pub members: Vec<MemberView>,
    pub offsets: Vec<OffsetView>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the document's own names")]
pub struct MemberView {
    pub member_id: String,
    pub client_id: String,
    pub assignment: Vec<AssignedView>,
}

/// A partition that a member reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct AssignedView {
    pub topic: String,
    pub partition: i32,
}

/// How far a group is in a partition.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct OffsetView {
    pub topic: String,
    pub partition: i32,
    pub committed: Option<String>,
    /// Of the member that owns the partition; null when no placed member does.
    pub position: Option<String>,
    /// High watermark minus committed.
    pub lag: Option<String>,
}

/// Where a placed member is in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPosition {
    /// Its group.
    pub group: Arc<str>,
    /// Its name on the stage.
    pub name: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: PartitionIndex,
    /// The next record it will handle, once that is known.
    pub position: Option<Offset>,
}

/// What has been placed on the stage, as specs for editors and for the next life of the world.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct Actors {
    pub topics: Vec<TopicSpec>,
    pub producers: Vec<ProducerSpec>,
    pub groups: Vec<GroupSpec>,
}

impl World {
    /// What the stage shows now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let state = &self.state;
        let topics: Vec<TopicView> = state
            .visible_topics()
            .map(|topic| state.topic_view(topic))
            .collect();
        Snapshot {
            version: 1,
            world_time: self.world_millis().to_string(),
            journal_length: self.journal_length().to_string(),
            brokers: state.broker_views(),
            topics,
            producers: state.producer_views(),
            groups: state.group_views(),
        }
    }

    /// What has been placed.
    #[must_use]
    pub fn actors(&self) -> Actors {
        let state = &self.state;
        let configs = |topic: &Topic| {
            let image = state.newest_image();
            let own = image.and_then(|image| image.configs_of(TOPIC, &topic.name));
            own.into_iter()
                .flatten()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect()
        };
        let topic = |topic: &Arc<Topic>| TopicSpec {
            name: topic.name.to_string(),
            partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
            replication_factor: state.replication_factor(topic),
            config: configs(topic),
        };
        Actors {
            topics: state.visible_topics().map(topic).collect(),
            producers: state
                .producers()
                .map(|(_, producer)| producer.spec.clone())
                .collect(),
            groups: state.groups.values().cloned().collect(),
        }
    }

    /// The present topology as a scenario.
    #[must_use]
    pub fn scenario(&self) -> crate::Scenario {
        let actors = self.actors();
        let mut scenario = (*self.state.scenario).clone();
        scenario.topics = actors.topics;
        scenario.producers = actors.producers;
        scenario.groups = actors.groups;
        scenario.events.clear();
        scenario
    }

    /// The leader's log of a partition.
    #[must_use]
    pub fn partition_log(&self, topic: &str, partition: i32) -> Option<&Log> {
        self.state.leader_log(topic, PartitionIndex(partition))
    }

    /// A broker's own log of a partition, while it runs.
    #[must_use]
    pub fn replica_log(&self, node: NodeId, topic: &str, partition: i32) -> Option<&Log> {
        let found = self.state.replica(node, topic, PartitionIndex(partition))?;
        Some(found.2)
    }

    /// Number of a topic's partitions; 0 when there is no such topic.
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> i32 {
        let found = self
            .state
            .image_topic(topic)
            .map_or(0, |topic| topic.partitions.len());
        i32::try_from(found).unwrap_or(i32::MAX)
    }

    /// Where all placed members are.
    #[must_use]
    pub fn positions(&self) -> Vec<MemberPosition> {
        self.state.positions()
    }

    /// Records acknowledged by each producer: name, sent, failed.
    pub fn sent(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.state
            .producers()
            .map(|(_, producer)| (producer.spec.name.as_str(), producer.sent, producer.failed))
    }
}

impl State {
    pub(crate) fn broker(&self, node: NodeId) -> Option<&Broker> {
        self.cluster.node(node)?.broker()
    }

    /// The metadata as the broker has it that has followed it farthest.
    pub(crate) fn newest_image(&self) -> Option<&Image> {
        let brokers = self.cluster.nodes().filter_map(cluster::Node::broker);
        brokers.map(Broker::image).max_by_key(|image| image.end())
    }

    pub(crate) fn image_topic(&self, topic: &str) -> Option<&Arc<Topic>> {
        self.newest_image()?.topic(topic)
    }

    /// What a topic was created with, where a scenario would have to say it.
    fn replication_factor(&self, topic: &Topic) -> Option<u32> {
        let first = topic.partitions.values().next()?;
        let factor = u32::try_from(first.replicas.len()).ok()?;
        (self.scenario.brokers > 1).then_some(factor)
    }

    fn visible_topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        let topics = self.newest_image().into_iter().flat_map(Image::topics);
        topics.filter(|topic| !is_internal(&topic.name))
    }

    pub(crate) fn leader_log(&self, topic: &str, partition: PartitionIndex) -> Option<&Log> {
        Some(self.leader_replica(topic, partition)?.2)
    }

    /// The leader's replica of a partition: its node, whose log it is, the log.
    pub(crate) fn leader_replica(
        &self,
        topic: &str,
        partition: PartitionIndex,
    ) -> Option<(NodeId, &TopicIdPartition, &Log)> {
        let image = self.newest_image()?;
        let leader = image.partition(topic, partition)?.leader();
        let leader = leader.and_then(|leader| self.replica(leader, topic, partition));
        // Without a leader that runs the log is still there to be looked at: the one in which most is committed.
        leader.or_else(|| {
            let brokers = self.cluster.nodes().map(cluster::Node::id);
            let held = brokers.filter_map(|node| self.replica(node, topic, partition));
            held.reduce(
                |best, other| match other.2.high_watermark() > best.2.high_watermark() {
                    true => other,
                    false => best,
                },
            )
        })
    }

    /// A broker's replica of a partition.
    pub(crate) fn replica(
        &self,
        node: NodeId,
        topic: &str,
        partition: PartitionIndex,
    ) -> Option<(NodeId, &TopicIdPartition, &Log)> {
        let broker = self.broker(node)?;
        let id = broker.find_replica(topic, partition)?;
        let name = self.disks.get(&node)?.name(id)?;
        Some((node, name, broker.log(id)?))
    }

    fn broker_views(&self) -> Vec<BrokerView> {
        let controller = self.controller_node();
        let view = |id: &NodeId| BrokerView {
            id: id.0,
            state: match self.cluster.node(*id) {
                Some(node) if node.is_serving() => "running",
                Some(_) => "starting",
                None => "stopped",
            },
            controller: Some(*id) == controller,
        };
        self.disks.keys().map(view).collect()
    }

    fn topic_view(&self, topic: &Arc<Topic>) -> TopicView {
        let partitions = topic.partitions.iter();
        TopicView {
            name: topic.name.to_string(),
            topic_id: topic.id.to_string(),
            partitions: partitions
                .map(|(index, partition)| self.partition_view(&topic.name, *index, partition))
                .collect(),
        }
    }

    fn partition_view(
        &self,
        topic: &str,
        index: PartitionIndex,
        partition: &Partition,
    ) -> PartitionView {
        let log = self.leader_log(topic, index);
        let offset = |found: fn(&Log) -> Offset| {
            log.map_or_else(|| "0".to_string(), |log| found(log).to_string())
        };
        let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
        PartitionView {
            partition: index.0,
            leader: partition.leader.0,
            leader_epoch: partition.leader_epoch.0,
            replicas: numbers(&partition.replicas),
            isr: numbers(&partition.isr),
            log_start_offset: offset(Log::log_start),
            high_watermark: offset(Log::high_watermark),
            log_end_offset: offset(Log::log_end),
            bytes: log.map_or(0, Log::size).to_string(),
        }
    }

    fn producer_views(&self) -> Vec<ProducerView> {
        let view = |(id, producer): (crate::ActorId, &crate::actors::ProducerActor)| ProducerView {
            id: id.0.to_string(),
            name: producer.spec.name.clone(),
            topic: producer.spec.topic.clone(),
            rate: if producer.spec.paused {
                0
            } else {
                producer.spec.rate
            },
            acks: producer.spec.acks,
            sent: producer.sent.to_string(),
        };
        self.producers().map(view).collect()
    }

    pub(crate) fn positions(&self) -> Vec<MemberPosition> {
        let members = self.members().filter(|(_, member)| !member.leaving);
        let positions = members.flat_map(|(_, member)| {
            member
                .client()
                .positions()
                .map(|(topic, partition, position)| MemberPosition {
                    group: member.group.clone(),
                    name: member.name.clone(),
                    topic: topic.clone(),
                    partition,
                    position: position.position,
                })
        });
        positions.collect()
    }

    /// Groups as their coordinator knows them; a placed group that has not joined yet is there, too.
    fn group_views(&self) -> Vec<GroupView> {
        let positions = self.positions();
        let known = self.cluster.nodes().filter_map(cluster::Node::broker);
        let known = known.flat_map(Broker::groups);
        let mut views: SortedMap<String, GroupView> = SortedMap::new();
        for group in known {
            let members: Vec<MemberView> = group
                .members
                .iter()
                .map(|member| MemberView {
                    member_id: member.member_id.to_string(),
                    client_id: member.client_id.to_string(),
                    assignment: assignment(&member.assignment),
                })
                .collect();
            let view = GroupView {
                group_id: group.group_id.to_string(),
                state: group.state.to_string(),
                generation: group.generation.0,
                protocol: group.protocol.to_string(),
                offsets: self.offset_views(&group.group_id, &group.offsets, &members, &positions),
                members,
            };
            views.insert(view.group_id.clone(), view);
        }
        for group_id in self.groups.keys() {
            views.entry(group_id.clone()).or_insert_with(|| GroupView {
                group_id: group_id.clone(),
                state: "Empty".to_string(),
                generation: 0,
                protocol: String::new(),
                members: Vec::new(),
                offsets: Vec::new(),
            });
        }
        views.into_values().collect()
    }

    /// Every partition that the group has committed or reads.
    fn offset_views(
        &self,
        group: &str,
        committed: &[(Arc<str>, PartitionIndex, Offset)],
        members: &[MemberView],
        positions: &[MemberPosition],
    ) -> Vec<OffsetView> {
        let mut rows: SortedMap<AssignedView, (Option<Offset>, Option<Offset>)> = SortedMap::new();
        for (topic, partition, offset) in committed {
            let key = AssignedView {
                topic: topic.to_string(),
                partition: partition.0,
            };
            rows.entry(key).or_default().0 = Some(*offset);
        }
        for assigned in members.iter().flat_map(|member| &member.assignment) {
            rows.entry(assigned.clone()).or_default();
        }
        for position in positions
            .iter()
            .filter(|position| &*position.group == group)
        {
            let key = AssignedView {
                topic: position.topic.to_string(),
                partition: position.partition.0,
            };
            if let Some(row) = rows.get_mut(&key) {
                row.1 = position.position;
            }
        }
        let view =
            |(key, (committed, position)): (AssignedView, (Option<Offset>, Option<Offset>))| {
                let log = self.leader_log(&key.topic, PartitionIndex(key.partition));
                // As kafka-consumer-groups counts it: high watermark minus committed.
                let lag = committed
                    .zip(log)
                    .map(|(committed, log)| log.high_watermark().0 - committed.0);
                OffsetView {
                    topic: key.topic,
                    partition: key.partition,
                    committed: committed.map(|offset| offset.to_string()),
                    position: position.map(|offset| offset.to_string()),
                    lag: lag.map(|lag| lag.max(0).to_string()),
                }
            };
        rows.into_iter().map(view).collect()
    }
}

/// A member's assignment, as far as it is a consumer's: version, then topics with partitions (KIP-429).
fn assignment(bytes: &Bytes) -> Vec<AssignedView> {
    let mut reader = Reader::new(bytes.clone());
    let Ok(version) = reader.i16() else {
        return Vec::new();
    };
    let version = version.clamp(0, ConsumerProtocolAssignment::MAX_VERSION);
    let Ok(assignment) = ConsumerProtocolAssignment::decode(&mut reader, version) else {
        return Vec::new();
    };
    let topics = assignment.assigned_partitions.iter();
    let pairs = topics.flat_map(|topic| {
        topic.partitions.iter().map(|partition| AssignedView {
            topic: topic.topic.to_string(),
            partition: *partition,
        })
    });
    pairs.collect()
}
