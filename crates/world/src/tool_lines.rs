//! The command lines of Kafka's tools that do what commands do.

use crate::command::Command;
use crate::scenario::TopicSpec;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sorted::SortedMap;

const BOOTSTRAP: [&str; 2] = ["--bootstrap-server", "localhost:9092"];

fn words(tool: &str, rest: &[&str]) -> Vec<String> {
    let all = core::iter::once(tool)
        .chain(BOOTSTRAP)
        .chain(rest.iter().copied());
    all.map(str::to_string).collect()
}

pub(crate) fn create_topic(topic: &TopicSpec) -> Vec<String> {
    let partitions = topic.partitions.to_string();
    let mut line = words(
        "kafka-topics",
        &[
            "--create",
            "--topic",
            &topic.name,
            "--partitions",
            &partitions,
        ],
    );
    if let Some(factor) = topic.replication_factor {
        line.push("--replication-factor".to_string());
        line.push(factor.to_string());
    }
    for (name, value) in &topic.config {
        line.push("--config".to_string());
        line.push(format!("{name}={value}"));
    }
    line
}

pub(crate) fn add_partitions(name: &str, partitions: u32) -> Vec<String> {
    words(
        "kafka-topics",
        &[
            "--alter",
            "--topic",
            name,
            "--partitions",
            &partitions.to_string(),
        ],
    )
}

pub(crate) fn delete_topic(name: &str) -> Vec<String> {
    words("kafka-topics", &["--delete", "--topic", name])
}

pub(crate) fn configure_topic(
    name: &str,
    config: &SortedMap<String, Option<String>>,
) -> Vec<String> {
    let mut line = words(
        "kafka-configs",
        &["--alter", "--entity-type", "topics", "--entity-name", name],
    );
    // Kafka's tool takes `--add-config` once; brackets hold a value's own commas together.
    let set = config
        .iter()
        .filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let pair = |(key, value): (&String, &String)| match value.contains(',') {
        true => format!("{key}=[{value}]"),
        false => format!("{key}={value}"),
    };
    let set: Vec<String> = set.map(pair).collect();
    if !set.is_empty() {
        line.extend(["--add-config".to_string(), set.join(",")]);
    }
    for (key, _) in config.iter().filter(|(_, value)| value.is_none()) {
        line.extend(["--delete-config".to_string(), key.clone()]);
    }
    line
}

pub(crate) fn reset_offsets(group: &str, topic: &str, partition: i32, offset: i64) -> Vec<String> {
    let target = format!("{topic}:{partition}");
    let offset = offset.to_string();
    words(
        "kafka-consumer-groups",
        &[
            "--group",
            group,
            "--reset-offsets",
            "--to-offset",
            &offset,
            "--topic",
            &target,
            "--execute",
        ],
    )
}

pub(crate) fn delete_group(group: &str) -> Vec<String> {
    words("kafka-consumer-groups", &["--delete", "--group", group])
}

impl Command {
    /// The command line that does the same, where Kafka has one.
    #[must_use]
    pub fn cli(&self) -> Option<String> {
        let words = match self {
            Command::CreateTopic { topic } => create_topic(topic),
            Command::AddPartitions { name, partitions } => add_partitions(name, *partitions),
            Command::DeleteTopic { name } => delete_topic(name),
            Command::ConfigureTopic { name, config } => configure_topic(name, config),
            Command::ResetOffsets {
                group_id,
                topic,
                partition,
                offset,
                ..
            } => reset_offsets(group_id, topic, *partition, *offset),
            Command::RemoveGroup { group_id } => delete_group(group_id),
            Command::Send { producer: _, .. }
            | Command::AddProducer { .. }
            | Command::UpdateProducer { .. }
            | Command::RemoveProducer { .. }
            | Command::AddGroup { .. }
            | Command::UpdateGroup { .. }
            | Command::AddMember { .. }
            | Command::RemoveMember { .. }
            | Command::SeekMember { .. }
            | Command::KillBroker { .. }
            | Command::StartBroker { .. }
            | Command::Fault { .. } => return None,
        };
        Some(words.join(" "))
    }
}
