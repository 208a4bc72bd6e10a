//! Commands: everything a person can do to the world.

use crate::document::Document;
use crate::fault::Fault;
use crate::scenario::{GroupSpec, MemberSpec, ProducerSpec, TopicSpec};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use sorted::SortedMap;

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
#[serde(tag = "mode", rename_all = "camelCase", try_from = "Document")]
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

impl TryFrom<Document> for KeyMode {
    type Error = String;

    fn try_from(mut from: Document) -> Result<KeyMode, String> {
        let mode: String = from.take("mode")?;
        let keys = match mode.as_str() {
            "none" => KeyMode::None,
            "cycle" => KeyMode::Cycle {
                keys: from.take("keys")?,
            },
            "fixed" => KeyMode::Fixed {
                key: from.take("key")?,
            },
            _ => return Err(format!("there are no keys of mode `{mode}`")),
        };
        from.end().map(|()| keys)
    }
}

/// How records get a partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "camelCase", try_from = "Document")]
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

impl TryFrom<Document> for PartitionerSpec {
    type Error = String;

    fn try_from(mut from: Document) -> Result<PartitionerSpec, String> {
        let by: String = from.take("by")?;
        let partitioner = match by.as_str() {
            "key" => PartitionerSpec::Key,
            "sticky" => PartitionerSpec::Sticky,
            "roundRobin" => PartitionerSpec::RoundRobin,
            "manual" => PartitionerSpec::Manual {
                partition: from.take("partition")?,
            },
            _ => return Err(format!("there is no partitioner by `{by}`")),
        };
        from.end().map(|()| partitioner)
    }
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
    /// One of `range`, `roundrobin`.
    pub assignor: Option<String>,
    pub rate: Option<u32>,
    pub auto_commit: Option<bool>,
    pub auto_commit_interval_ms: Option<u32>,
    /// One of `earliest`, `latest`, `none`.
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
    try_from = "Document"
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
    Send {
        producer: String,
        lines: Vec<Line>,
        /// More lines of the same step follow, as when a file is sent: they are undone together.
        #[serde(default, skip_serializing_if = "is_false")]
        more: bool,
    },
    /// Creates a topic.
    CreateTopic { topic: TopicSpec },
    /// Changes a topic's configs; null removes one.
    ConfigureTopic {
        name: String,
        config: SortedMap<String, Option<String>>,
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
    /// Something goes wrong, or is made good again.
    Fault { fault: Fault },
}

impl Command {
    /// What it is called in a document.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Command::AddProducer { .. } => "addProducer",
            Command::UpdateProducer { .. } => "updateProducer",
            Command::RemoveProducer { .. } => "removeProducer",
            Command::Send { .. } => "send",
            Command::CreateTopic { .. } => "createTopic",
            Command::ConfigureTopic { .. } => "configureTopic",
            Command::AddPartitions { .. } => "addPartitions",
            Command::DeleteTopic { .. } => "deleteTopic",
            Command::AddGroup { .. } => "addGroup",
            Command::UpdateGroup { .. } => "updateGroup",
            Command::RemoveGroup { .. } => "removeGroup",
            Command::AddMember { .. } => "addMember",
            Command::RemoveMember { .. } => "removeMember",
            Command::SeekMember { .. } => "seekMember",
            Command::ResetOffsets { .. } => "resetOffsets",
            Command::KillBroker { .. } => "killBroker",
            Command::StartBroker { .. } => "startBroker",
            Command::Fault { .. } => "fault",
        }
    }

    /// Whether this belongs to the same step of a person as the command before it.
    #[must_use]
    pub fn continues(&self, before: &Command) -> bool {
        match (before, self) {
            (
                Command::Send {
                    producer: first,
                    more: true,
                    ..
                },
                Command::Send { producer, .. },
            ) => first == producer,
            _ => false,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl TryFrom<Document> for Command {
    type Error = String;

    fn try_from(mut from: Document) -> Result<Command, String> {
        let kind: String = from.take("do")?;
        let command = match kind.as_str() {
            "addProducer" | "updateProducer" | "removeProducer" | "send" => {
                producer_command(&kind, &mut from)?
            }
            "createTopic" | "configureTopic" | "addPartitions" | "deleteTopic" => {
                topic_command(&kind, &mut from)?
            }
            "killBroker" => Command::KillBroker {
                broker: from.take("broker")?,
            },
            "startBroker" => Command::StartBroker {
                broker: from.take("broker")?,
            },
            "fault" => Command::Fault {
                fault: from.take("fault")?,
            },
            _ => group_command(&kind, &mut from)?,
        };
        from.end().map(|()| command)
    }
}

fn producer_command(kind: &str, from: &mut Document) -> Result<Command, String> {
    Ok(match kind {
        "addProducer" => Command::AddProducer {
            producer: from.take("producer")?,
        },
        "updateProducer" => Command::UpdateProducer {
            name: from.take("name")?,
            change: from.take("change")?,
        },
        "removeProducer" => Command::RemoveProducer {
            name: from.take("name")?,
        },
        _ => Command::Send {
            producer: from.take("producer")?,
            lines: from.take("lines")?,
            more: from.take::<Option<bool>>("more")?.unwrap_or_default(),
        },
    })
}

fn topic_command(kind: &str, from: &mut Document) -> Result<Command, String> {
    Ok(match kind {
        "createTopic" => Command::CreateTopic {
            topic: from.take("topic")?,
        },
        "configureTopic" => Command::ConfigureTopic {
            name: from.take("name")?,
            config: from.take("config")?,
        },
        "addPartitions" => Command::AddPartitions {
            name: from.take("name")?,
            partitions: from.take("partitions")?,
        },
        _ => Command::DeleteTopic {
            name: from.take("name")?,
        },
    })
}

fn group_command(kind: &str, from: &mut Document) -> Result<Command, String> {
    if kind == "addGroup" {
        let group = from.take("group")?;
        return Ok(Command::AddGroup { group });
    }
    const KINDS: [&str; 6] = [
        "updateGroup",
        "removeGroup",
        "addMember",
        "removeMember",
        "seekMember",
        "resetOffsets",
    ];
    if !KINDS.contains(&kind) {
        return Err(format!("there is no command `{kind}`"));
    }
    let group_id = from.take("groupId")?;
    Ok(match kind {
        "updateGroup" => Command::UpdateGroup {
            group_id,
            change: from.take("change")?,
        },
        "removeGroup" => Command::RemoveGroup { group_id },
        "addMember" => Command::AddMember {
            group_id,
            member: from.take("member")?,
        },
        "removeMember" => Command::RemoveMember {
            group_id,
            name: from.take("name")?,
            how: from.take("how")?,
        },
        "seekMember" => Command::SeekMember {
            group_id,
            topic: from.take("topic")?,
            partition: from.take("partition")?,
            offset: from.take("offset")?,
        },
        _ => Command::ResetOffsets {
            group_id,
            topic: from.take("topic")?,
            partition: from.take("partition")?,
            offset: from.take("offset")?,
            restart: from.take("restart")?,
        },
    })
}
