//! What a client knows of the cluster, and when it asks again.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, NodeId, Time, Uuid};
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::metadata_response::{MetadataResponse, MetadataResponseTopic};

/// Which topics a client wants to know about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Brokers only, or these topics too.
    Topics(SortedSet<Arc<str>>),
    /// Every topic there is.
    All,
}

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// Brokers that are up, with host and port.
    pub brokers: SortedMap<NodeId, (Arc<str>, u16)>,
    /// The broker that takes administrative requests.
    pub controller: Option<NodeId>,
    /// Topics by name; those with an error as well.
    pub topics: SortedMap<Arc<str>, Topic>,
    /// How many answers have come in.
    pub updates: u64,
}

/// One topic.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// Its id; zero when the broker is too old for ids.
    pub id: Uuid,
    /// What is wrong with the topic as a whole.
    pub error: ErrorCode,
    /// One of Kafka's own topics.
    pub internal: bool,
    /// Its partitions in order of their numbers, none missing.
    pub partitions: Vec<Partition>,
}

/// One partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// Who leads it; `None` while nobody does.
    pub leader: Option<NodeId>,
    /// The leader's epoch; -1 when the broker does not say.
    pub leader_epoch: i32,
}

impl Metadata {
    /// The topic, if it exists without an error.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name).filter(|topic| topic.error.is_ok())
    }

    /// The partition, if it exists.
    #[must_use]
    pub fn partition(&self, topic: &str, partition: i32) -> Option<Partition> {
        let index = usize::try_from(partition).ok()?;
        self.topic(topic)?.partitions.get(index).copied()
    }

    /// The name of the topic with this id.
    #[must_use]
    pub fn name_of(&self, id: Uuid) -> Option<&Arc<str>> {
        let mut topics = self.topics.iter();
        topics
            .find(|(_, topic)| topic.id == id)
            .map(|(name, _)| name)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Cache {
    pub(super) known: Metadata,
    pub(super) interest: Interest,
    /// Fresh metadata is wanted.
    pub(super) wanted: bool,
    pub(super) in_flight: Option<i32>,
    pub(super) not_before: Time,
    /// Answers in a row in which something we want was in error.
    pub(super) failures: u32,
    stale_at: Option<Time>,
}

impl Default for Cache {
    fn default() -> Cache {
        Cache {
            known: Metadata::default(),
            interest: Interest::Topics(SortedSet::new()),
            wanted: true,
            in_flight: None,
            not_before: Time(0),
            failures: 0,
            stale_at: None,
        }
    }
}

impl Cache {
    pub(super) fn set_interest(&mut self, interest: Interest) {
        if self.interest != interest {
            self.interest = interest;
            self.wanted = true;
        }
    }

    pub(super) fn add_topic(&mut self, topic: &Arc<str>) {
        if let Interest::Topics(topics) = &mut self.interest
            && topics.insert(topic.clone())
        {
            self.wanted = true;
        }
    }

    pub(super) fn should_ask(&self, now: Time) -> bool {
        let stale = self.stale_at.is_some_and(|at| at <= now);
        self.in_flight.is_none() && (self.wanted || stale) && self.not_before <= now
    }

    /// When to ask, given when a node can be tried.
    pub(super) fn due(&self, node_at: Option<Time>) -> Option<Time> {
        if self.in_flight.is_some() {
            return None;
        }
        let at = if self.wanted {
            Some(self.not_before)
        } else {
            self.stale_at
        };
        Some(at?.max(node_at?))
    }

    pub(super) fn request(&self, version: i16, auto_create: bool) -> MetadataRequest {
        let named = |name: &Arc<str>| MetadataRequestTopic {
            name: Some(Str::from(name.as_ref())),
            ..Default::default()
        };
        let topics = match &self.interest {
            Interest::Topics(topics) => Some(topics.iter().map(named).collect()),
            // Version 0 has no null: there, no topics means all of them.
            Interest::All if version == 0 => Some(Vec::new()),
            Interest::All => None,
        };
        MetadataRequest {
            topics,
            allow_auto_topic_creation: auto_create,
            ..Default::default()
        }
    }

    /// Takes an answer in; false when it is no such answer.
    pub(super) fn take(&mut self, now: Time, frame: Bytes, version: i16, max_age_ms: u64) -> bool {
        let Ok((_, response)) = wire::decode_response::<MetadataResponse>(frame, version) else {
            return false;
        };
        let known = &mut self.known;
        known.updates += 1;
        if !response.brokers.is_empty() {
            let broker = |b: &wire::metadata_response::MetadataResponseBroker| {
                let port = u16::try_from(b.port).ok()?;
                Some((NodeId(b.node_id), (Arc::from(b.host.as_str()), port)))
            };
            known.brokers = response.brokers.iter().filter_map(broker).collect();
        }
        known.controller = Some(NodeId(response.controller_id)).filter(|id| id.0 >= 0);
        let mut topics = SortedMap::new();
        for topic in &response.topics {
            let Some(name) = topic.name.as_ref() else {
                continue;
            };
            topics.insert(Arc::from(name.as_str()), read_topic(topic));
        }
        let trouble = topics.values().any(in_trouble);
        known.topics = topics;
        self.failures = if trouble {
            self.failures.saturating_add(1)
        } else {
            0
        };
        self.wanted |= trouble;
        self.stale_at = Some(now.plus_millis(max_age_ms));
        true
    }
}

impl Cache {
    /// As [`Cache::take`], an answer of a controller about the controllers.
    pub(super) fn take_controllers(
        &mut self,
        now: Time,
        frame: Bytes,
        version: i16,
        max_age_ms: u64,
    ) -> bool {
        let decoded = wire::decode_response::<DescribeClusterResponse>(frame, version);
        let Ok((_, response)) = decoded else {
            return false;
        };
        if response.error_code != 0 {
            return false;
        }
        let node = |b: &DescribeClusterBroker| {
            let port = u16::try_from(b.port).ok()?;
            Some((NodeId(b.broker_id), (Arc::from(b.host.as_str()), port)))
        };
        self.known.updates += 1;
        self.known.brokers = response.brokers.iter().filter_map(node).collect();
        self.known.controller = Some(NodeId(response.controller_id)).filter(|id| id.0 >= 0);
        self.failures = 0;
        self.stale_at = Some(now.plus_millis(max_age_ms));
        true
    }
}

/// Whether asking again may help.
fn in_trouble(topic: &Topic) -> bool {
    let passing = matches!(
        topic.error,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::LEADER_NOT_AVAILABLE
    );
    passing
        || topic
            .partitions
            .iter()
            .any(|partition| partition.leader.is_none())
}

fn read_topic(topic: &MetadataResponseTopic) -> Topic {
    let mut partitions = Vec::new();
    let mut found: Vec<_> = topic.partitions.iter().collect();
    sorted::sort_by_key(&mut found, |partition| partition.partition_index);
    for partition in found {
        // A number that is missing stays without a leader until it is known.
        let index = usize::try_from(partition.partition_index).unwrap_or(usize::MAX);
        if index != partitions.len() {
            break;
        }
        partitions.push(Partition {
            leader: Some(NodeId(partition.leader_id)).filter(|id| id.0 >= 0),
            leader_epoch: partition.leader_epoch,
        });
    }
    Topic {
        id: topic.topic_id,
        error: ErrorCode(topic.error_code),
        internal: topic.is_internal,
        partitions,
    }
}
