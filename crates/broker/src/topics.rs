//! Following the metadata log: replicas come, change their leader, and go.

use crate::api::produce::fail_awaiters;
use crate::broker::Broker;
use crate::event::{Effect, Note};
use crate::replicas::AppendRules;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Offset, PartitionIndex, Time, TopicIdPartition};
use log::{DiskEffect, Log, LogConfig, LogFile, LogId, StoreOp};
use metadata::{BROKER, Change, ConfigView, TOPIC};
use records::{Compression, TimestampType};

impl Broker {
    /// Applies a batch of the metadata log. What comes before the start is history: only what it
    /// adds up to is followed.
    pub(crate) fn apply_metadata(&mut self, now: Time, batch: &Bytes, out: &mut Vec<Effect>) {
        for (offset, record) in metadata::records_of(batch) {
            match record {
                Ok(record) => {
                    let change = self.image.apply(offset, &record);
                    if let Some(change) = change.filter(|_| self.begun) {
                        self.follow(now, change, out);
                    }
                }
                Err(_) => out.push(Effect::Note(Note::BadMetadata)),
            }
        }
        self.metadata_applied(now, out);
    }

    /// Follows the image as a whole, at the start.
    pub(crate) fn follow_image(&mut self, now: Time, out: &mut Vec<Effect>) {
        let topics: Vec<_> = self.image.topics().cloned().collect();
        for topic in topics {
            for partition in topic.partitions.keys() {
                self.partition_changed(now, &topic.name, *partition, out);
            }
        }
    }

    fn follow(&mut self, now: Time, change: Change, out: &mut Vec<Effect>) {
        match change {
            Change::Partition { topic, partition } => {
                self.partition_changed(now, &topic, partition, out)
            }
            Change::TopicRemoved { topic, .. } => self.topic_removed(now, &topic, out),
            Change::Config { kind: TOPIC, name } => self.reconfigure(&name),
            Change::Config { kind: BROKER, .. } => {
                let topics: Vec<Arc<str>> = self
                    .image
                    .topics()
                    .map(|topic| topic.name.clone())
                    .collect();
                for topic in topics {
                    self.reconfigure(&topic);
                }
            }
            Change::Config { .. } => {}
            Change::Broker(node) => self.broker_changed(node),
        }
    }

    fn partition_changed(
        &mut self,
        now: Time,
        topic: &Arc<str>,
        partition: PartitionIndex,
        out: &mut Vec<Effect>,
    ) {
        let node = self.config.node;
        let Some(entry) = self.image.partition(topic, partition) else {
            return;
        };
        if !entry.replicas.contains(&node) {
            return;
        }
        let (leader, epoch, isr) = (entry.leader(), entry.leader_epoch, entry.isr.clone());
        let replication = entry.replicas.len();
        let id = match self.replicas.find(topic, partition) {
            Some(id) => id,
            None => self.open_replica(now, topic, partition, out),
        };
        let Some(replica) = self.replicas.get_mut(id) else {
            return;
        };
        let elected = leader == Some(node) && (replica.epoch != epoch || replica.leader != leader);
        let lost = replica.leader == Some(node) && leader != Some(node);
        replica.leader = leader;
        replica.epoch = epoch;
        replica.isr = isr;
        replica.replication = replication;
        if elected {
            replica.log.become_leader(epoch);
        }
        self.settle(now, id, out);
        if elected {
            self.coordinator_elected(now, id, out);
        }
        if lost {
            self.lead_no_more(now, id, out);
        }
    }

    fn open_replica(
        &mut self,
        now: Time,
        topic: &Arc<str>,
        partition: PartitionIndex,
        out: &mut Vec<Effect>,
    ) -> LogId {
        let topic_id = self
            .image
            .topic(topic)
            .map(|topic| topic.id)
            .unwrap_or_default();
        let name = TopicIdPartition {
            topic: topic.clone(),
            topic_id,
            partition,
        };
        let config = log_config(&self.configs(), topic);
        let mut ops = Vec::new();
        let log = match self.unclaimed.remove(&name) {
            Some(mut found) => {
                found.set_config(config);
                // They may have been silent since long before this start.
                found.expire_producers(now);
                found
            }
            None => {
                let log = Log::new(config, Offset(0), self.wall(now));
                log.create(&mut ops);
                ops.push(StoreOp::Put {
                    file: LogFile::PartitionMetadata,
                    bytes: log::files::encode_partition_metadata(topic_id),
                });
                log
            }
        };
        let rules = append_rules(&self.configs(), topic);
        let id = self.replicas.insert(now, name.clone(), log, rules);
        out.push(Effect::Disk(DiskEffect::Open { log: id, name }));
        self.order_store(id, ops, out);
        id
    }

    fn topic_removed(&mut self, now: Time, topic: &Arc<str>, out: &mut Vec<Effect>) {
        for id in self.replicas.of_topic(topic) {
            self.lead_no_more(now, id, out);
            self.replicas.remove(id);
            out.push(Effect::Disk(DiskEffect::Remove { log: id }));
        }
        self.coordinator_topic_removed(now, topic, out);
    }

    /// Answers everyone who waits for a replica that this broker no longer leads.
    fn lead_no_more(&mut self, now: Time, id: LogId, out: &mut Vec<Effect>) {
        let Some(replica) = self.replicas.get_mut(id) else {
            return;
        };
        let awaiters = replica.take_awaiters();
        let readers: Vec<_> = replica.readers.iter().copied().collect();
        fail_awaiters(self, now, awaiters, out);
        for reader in readers {
            self.retry_fetch(now, reader, None, out);
            self.retry_list_offsets(reader, None, out);
        }
        self.coordinator_resigned(now, id, out);
    }

    fn reconfigure(&mut self, topic: &str) {
        let (config, rules) = (
            log_config(&self.configs(), topic),
            append_rules(&self.configs(), topic),
        );
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
