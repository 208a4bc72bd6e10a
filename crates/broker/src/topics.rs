//! Following the metadata: replicas come, take up their parts, and go.

use crate::event::Effect;
use crate::replicas::{AppendRules, Assignment, Replicas};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{NodeId, Offset, PartitionIndex, Time, TopicIdPartition, Uuid};
use log::{Log, LogConfig, LogFile, LogId, StoreOp};
use metadata::{BROKER, Change, ConfigView, TOPIC};
use records::{Compression, TimestampType};

/// What following takes: the metadata as it is now, and the replicas.
pub(crate) struct Topics<'a> {
    pub(crate) now: Time,
    pub(crate) wall: Time,
    pub(crate) node: NodeId,
    /// Of this life.
    pub(crate) incarnation: Uuid,
    pub(crate) configs: ConfigView<'a>,
    pub(crate) replicas: &'a mut Replicas,
    pub(crate) out: &'a mut Vec<Effect>,
}

impl Topics<'_> {
    /// Follows the metadata as a whole, at the start and after a snapshot.
    pub(crate) fn follow_all(&mut self) {
        let image = self.configs.image;
        for node in image.brokers().keys() {
            self.follow(&Change::Broker(*node));
        }
        for topic in image.topics() {
            self.reconfigure(&topic.name);
            for partition in topic.partitions.keys() {
                self.partition_changed(&topic.name, *partition);
            }
        }
    }

    pub(crate) fn follow(&mut self, change: &Change) {
        match change {
            Change::Partition { topic, partition } => self.partition_changed(topic, *partition),
            Change::TopicRemoved { topic, .. } => {
                for id in self.replicas.of_topic(topic) {
                    self.replicas.remove(id, self.out);
                }
            }
            Change::Config { kind: TOPIC, name } => self.reconfigure(name),
            Change::Config { kind: BROKER, .. } => {
                let image = self.configs.image;
                for topic in image.topics() {
                    self.reconfigure(&topic.name);
                }
            }
            Change::Config { .. } => {}
            Change::Broker(node) => {
                let entry = self.configs.image.brokers().get(node);
                let active = entry.filter(|entry| entry.is_active());
                let epoch = active.map(|entry| entry.epoch);
                self.replicas.judge_follower(*node, epoch);
                if *node == self.node {
                    self.follow_own();
                }
            }
        }
    }

    /// What this broker leads: it does once it is registered.
    fn follow_own(&mut self) {
        let image = self.configs.image;
        for topic in image.topics() {
            for (index, partition) in topic.partitions.iter() {
                if partition.leader == self.node {
                    self.partition_changed(&topic.name, *index);
                }
            }
        }
    }

    /// Whether the metadata has the registration of this life. Until then all that it says of this broker's
    /// leaderships is about the life before, whose epochs are over.
    fn is_registered(&self) -> bool {
        let entry = self.configs.image.brokers().get(&self.node);
        entry.is_some_and(|entry| entry.incarnation == self.incarnation)
    }

    fn partition_changed(&mut self, topic: &Arc<str>, partition: PartitionIndex) {
        let Some(entry) = self.configs.image.partition(topic, partition) else {
            return;
        };
        let found = self.replicas.find(topic, partition);
        if !entry.replicas.contains(&self.node) {
            // It has been moved away.
            if let Some(id) = found {
                self.replicas.remove(id, self.out);
            }
            return;
        }
        let assignment = Assignment {
            leader: (entry.leader()).filter(|leader| *leader != self.node || self.is_registered()),
            epoch: entry.leader_epoch,
            isr: entry.isr.clone(),
            replicas: entry.replicas.clone(),
            partition_epoch: entry.partition_epoch,
        };
        let id = found.unwrap_or_else(|| self.open_replica(topic, partition));
        let is_only_one = assignment.replicas == [self.node];
        self.replicas.assign(self.now, id, assignment, self.out);
        // What the only replica has is committed, also while it waits to lead again.
        if is_only_one
            && let Some(replica) = self.replicas.get_mut(id)
            && !replica.leads()
        {
            let stored = replica.log.stored_end();
            replica.log.advance_high_watermark(stored);
        }
    }

    fn open_replica(&mut self, topic: &Arc<str>, partition: PartitionIndex) -> LogId {
        let found = self.configs.image.topic(topic);
        let topic_id = found.map(|topic| topic.id).unwrap_or_default();
        let name = TopicIdPartition {
            topic: topic.clone(),
            topic_id,
            partition,
        };
        let config = log_config(&self.configs, topic);
        let mut ops = Vec::new();
        let log = match self.replicas.claim(&name) {
            Some(mut found) => {
                found.set_config(config);
                // They may have been silent since long before this start.
                found.expire_producers(self.now);
                found
            }
            None => {
                let log = Log::new(config, Offset(0), self.wall);
                log.create(&mut ops);
                ops.push(StoreOp::Put {
                    file: LogFile::PartitionMetadata,
                    bytes: log::files::encode_partition_metadata(topic_id),
                });
                log
            }
        };
        let rules = append_rules(&self.configs, topic);
        let id = self.replicas.open(self.now, name, log, rules, self.out);
        self.replicas.order_store(id, ops, self.out);
        id
    }

    fn reconfigure(&mut self, topic: &str) {
        let config = log_config(&self.configs, topic);
        let rules = append_rules(&self.configs, topic);
        for id in self.replicas.of_topic(topic) {
            if let Some(replica) = self.replicas.get_mut(id) {
                replica.log.set_config(config.clone());
                replica.rules = rules.clone();
            }
        }
    }
}

/// What a topic's configs mean for its logs.
fn log_config(configs: &ConfigView<'_>, topic: &str) -> LogConfig {
    let number = |name| configs.topic_number(topic, name);
    let size = |name| u32::try_from(number(name)).unwrap_or(u32::MAX);
    // An internal option of Kafka's own tests; it goes below the least segment.bytes.
    let internal = number("internal.segment.bytes");
    LogConfig {
        segment_bytes: if internal > 0 {
            u32::try_from(internal).unwrap_or(u32::MAX)
        } else {
            size("segment.bytes")
        },
        segment_ms: number("segment.ms"),
        segment_index_bytes: size("segment.index.bytes"),
        index_interval_bytes: size("index.interval.bytes"),
        retention_ms: number("retention.ms"),
        retention_bytes: number("retention.bytes"),
        delete: has_policy(configs, topic, "delete"),
        producer_expiry_ms: configs.broker_number("producer.id.expiration.ms"),
    }
}

fn append_rules(configs: &ConfigView<'_>, topic: &str) -> AppendRules {
    let number = |name| configs.topic_number(topic, name);
    AppendRules {
        max_message_bytes: u32::try_from(number("max.message.bytes")).unwrap_or(u32::MAX),
        compacted: has_policy(configs, topic, "compact"),
        timestamp_type: match configs.topic_text(topic, "message.timestamp.type") {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        },
        timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
        timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
        min_insync_replicas: i32::try_from(number("min.insync.replicas")).unwrap_or(i32::MAX),
        compression: match configs.topic_text(topic, "compression.type") {
            "uncompressed" => Some(Compression::None),
            "gzip" => Some(Compression::Gzip),
            "snappy" => Some(Compression::Snappy),
            "lz4" => Some(Compression::Lz4),
            "zstd" => Some(Compression::Zstd),
            _ => None,
        },
    }
}

fn has_policy(configs: &ConfigView<'_>, topic: &str, word: &str) -> bool {
    let policy = configs.topic_text(topic, "cleanup.policy");
    policy.split(',').any(|found| found.trim() == word)
}
