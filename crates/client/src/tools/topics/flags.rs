//! The flags of `kafka-topics`, and which of them go together.

use super::super::options::{Opt, Parsed, file, integer, switch, text};
use alloc::format;
use alloc::string::String;

/// The options of `kafka-topics`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    switch(
        "alter",
        "Alter the number of partitions and replica assignment. (To alter topic configurations, the kafka-configs tool can be used.)",
    ),
    switch(
        "at-min-isr-partitions",
        "If set when describing topics, only show partitions whose isr count is equal to the configured minimum.",
    ),
    text(
        "bootstrap-server",
        "server to connect to",
        "REQUIRED: The Kafka server to connect to.",
    ),
    file(
        "command-config",
        "command config property file",
        "Property file containing configs to be passed to Admin Client.",
    ),
    text(
        "config",
        "name=value",
        "A topic configuration override for the topic being created. May be given several times.",
    ),
    switch("create", "Create a new topic."),
    switch("delete", "Delete a topic."),
    switch("describe", "List details for the given topics."),
    switch(
        "exclude-internal",
        "Leave out internal topics when listing or describing.",
    ),
    switch("help", "Print usage information."),
    switch(
        "if-exists",
        "If set when altering, deleting or describing topics, the action is only done if the topic exists.",
    ),
    switch(
        "if-not-exists",
        "If set when creating topics, the action is only done if the topic does not exist.",
    ),
    switch("list", "List all available topics."),
    integer(
        "partition-size-limit-per-response",
        "maximum number of partitions per response",
        "The most partitions that one answer to DescribeTopicPartitions may hold.",
    ),
    integer(
        "partitions",
        "# of partitions",
        "The number of partitions of the topic being created or altered. Without it, the cluster's default.",
    ),
    text(
        "replica-assignment",
        "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , ...",
        "Brokers of each partition's replicas, by hand, for the topic being created or altered.",
    ),
    integer(
        "replication-factor",
        "replication factor",
        "Replicas of each partition of the topic being created. Without it, the cluster's default.",
    ),
    text(
        "topic",
        "topic",
        "The topic to create, alter, describe or delete. A regular expression, except for --create.",
    ),
    text("topic-id", "topic-id", "The id of the topic to describe."),
    switch(
        "topics-with-overrides",
        "If set when describing topics, only show topics that have overridden configs.",
    ),
    switch(
        "unavailable-partitions",
        "If set when describing topics, only show partitions whose leader is not available.",
    ),
    switch(
        "under-min-isr-partitions",
        "If set when describing topics, only show partitions whose isr count is less than the configured minimum.",
    ),
    switch(
        "under-replicated-partitions",
        "If set when describing topics, only show under-replicated partitions.",
    ),
    switch("version", "Display Kafka version."),
];

/// What is wrong with the combination of options.
pub(super) fn misuse(parsed: &Parsed) -> Option<String> {
    let actions = ["list", "describe", "create", "alter", "delete"];
    let given = actions.iter().filter(|action| parsed.has(action)).count();
    if given != 1 {
        return Some("Command must include exactly one action: --list, --describe, --create, --alter or --delete".into());
    }
    if !parsed.has("bootstrap-server") {
        return None; // Said in other words.
    }
    if !parsed.has("list") && !parsed.has("describe") && !parsed.has("topic") {
        return Some("Missing required argument \"[topic]\"".into());
    }
    if parsed.has("alter") && parsed.has("config") {
        return Some("Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\" (To alter topic configurations, the kafka-configs tool can be used.)".into());
    }
    if parsed.has("alter") && !parsed.has("partitions") {
        return Some("Missing required argument \"[partitions]\"".into());
    }
    let not_with = |option: &str, actions: &[&str]| {
        let wrong = parsed.has(option) && actions.iter().any(|action| parsed.has(action));
        wrong.then(|| {
            format!(
                "Option \"[{option}]\" can't be used with option \"[{}]\"",
                actions.iter().find(|a| parsed.has(a)).unwrap_or(&"")
            )
        })
    };
    not_with(
        "replication-factor",
        &["alter", "list", "describe", "delete"],
    )
    .or_else(|| not_with("partitions", &["list", "describe", "delete"]))
    .or_else(|| not_with("config", &["list", "describe", "delete"]))
    .or_else(|| not_with("if-not-exists", &["alter", "list", "describe", "delete"]))
    .or_else(|| not_with("if-exists", &["create", "list"]))
}
