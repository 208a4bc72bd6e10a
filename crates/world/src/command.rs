//! Commands: everything a person can do to the world.

use crate::scenario::{GroupSpec, MemberSpec, ProducerSpec, TopicSpec};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// When a record counts as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acks {
    /// When all replicas in sync have it.
    #[serde(rename = "all")]
    All,
    /// When the leader has it.
    #[serde(rename = "1")]
    Leader,
    /// At once.
    #[serde(rename = "0")]
    None,
}

/// How a producer makes keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "camelCase", deny_unknown_fields)]
pub enum KeyMode {
    /// No keys.
    None,
    /// `guest-1` to `guest-N` in turn.
    Cycle {
        /// N.
        keys: u32,
    },
    /// Always the same.
    Fixed {
        /// The key.
        key: String,
    },
}

/// How records get a partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "camelCase", deny_unknown_fields)]
pub enum PartitionerSpec {
    /// By the key's hash; sticky without a key.
    Key,
    /// Sticky, whatever the key.
    Sticky,
    /// In turn.
    RoundRobin,
    /// Always the same.
    Manual {
        /// Which.
        partition: i32,
    },
}

/// `compression.type` of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the codecs' own")]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// A record to send as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its key.
    pub key: Option<String>,
    /// Its value.
    pub value: String,
}

/// How a member goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It says so.
    Leave,
    /// It stops, and its session times out.
    Kill,
}

/// What changes about a producer; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as in ProducerSpec")]
pub struct ProducerChange {
    pub topic: Option<String>,
    pub rate: Option<u32>,
    pub value_template: Option<String>,
    pub value_size: Option<u32>,
    pub key: Option<KeyMode>,
    pub partitioner: Option<PartitionerSpec>,
    pub acks: Option<Acks>,
    pub idempotent: Option<bool>,
    pub batch_size: Option<u32>,
    pub linger_ms: Option<u32>,
    pub compression: Option<Codec>,
    pub paused: Option<bool>,
}

/// What changes about a group; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as in GroupSpec")]
pub struct GroupChange {
    pub topics: Option<Vec<String>>,
    pub assignor: Option<String>,
    pub rate: Option<u32>,
    pub auto_commit: Option<bool>,
    pub auto_commit_interval_ms: Option<u32>,
    pub auto_offset_reset: Option<String>,
    pub session_timeout_ms: Option<u32>,
    pub paused: Option<bool>,
}

/// One user event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "do",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[allow(missing_docs, reason = "the fields say what they are")]
pub enum Command {
    /// Places a producer.
    AddProducer { producer: ProducerSpec },
    /// Changes one.
    UpdateProducer {
        name: String,
        change: ProducerChange,
    },
    /// Takes one away.
    RemoveProducer { name: String },
    /// Sends these through a producer, also when it is paused.
    Send { producer: String, lines: Vec<Line> },
    /// Creates a topic.
    CreateTopic { topic: TopicSpec },
    /// Changes a topic's configs; null removes one.
    ConfigureTopic {
        name: String,
        config: BTreeMap<String, Option<String>>,
    },
    /// Gives a topic this many partitions.
    AddPartitions { name: String, partitions: u32 },
    /// Deletes a topic.
    DeleteTopic { name: String },
    /// Places a group with its members.
    AddGroup { group: GroupSpec },
    /// Changes one.
    UpdateGroup {
        group_id: String,
        change: GroupChange,
    },
    /// Takes a group's members away.
    RemoveGroup { group_id: String },
    /// Places one more member.
    AddMember {
        group_id: String,
        member: MemberSpec,
    },
    /// Takes a member away.
    RemoveMember {
        group_id: String,
        name: String,
        how: How,
    },
    /// The member that owns the partition continues at an offset.
    SeekMember {
        group_id: String,
        topic: String,
        partition: i32,
        offset: i64,
    },
    /// Moves a group's committed offset; with `restart` its members are stopped before and started after.
    ResetOffsets {
        group_id: String,
        topic: String,
        partition: i32,
        offset: i64,
        restart: bool,
    },
    /// Stops a broker as `kill -9` does.
    KillBroker { broker: i32 },
    /// Starts a stopped broker again.
    StartBroker { broker: i32 },
}
