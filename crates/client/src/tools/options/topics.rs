//! The options of `kafka-topics`, and which of them go together.

use super::{HELP, Opt, Parsed, VERSION, file, integer, switch, text};
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
    text(
        "delete-config",
        "name",
        "Does nothing any more: kafka-configs unsets a topic's config.",
    ),
    switch("describe", "List details for the given topics."),
    switch(
        "exclude-internal",
        "Leave out internal topics when listing or describing.",
    ),
    HELP,
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
    VERSION,
];

/// The options that say what to do, of which a line has one.
const ACTIONS: [&str; 5] = ["list", "describe", "create", "alter", "delete"];
/// Options that only describe understands, and each only without `topics-with-overrides`.
const REPORTS: [&str; 4] = [
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
];

/// What is wrong with the number of actions.
pub(in super::super) fn no_action(parsed: &Parsed) -> Option<&'static str> {
    let given = ACTIONS.iter().filter(|action| parsed.has(action)).count();
    (given != 1).then_some("Command must include exactly one action: --list, --describe, --create, --alter or --delete")
}

/// What is wrong with the combination of options.
pub(in super::super) fn misuse(parsed: &Parsed) -> Option<String> {
    let has = |name: &str| parsed.has(name);
    let subject = has("topic") || has("topic-id");
    if has("describe") && has("if-exists") && !subject {
        return Some("--topic or --topic-id is required to describe a topic".into());
    }
    if !has("list") && !has("describe") && !has("topic") {
        return parsed.missing(&["topic"]);
    }
    if has("alter") && has("config") {
        return Some("Option combination \"[[config], [bootstrap-server]]\" can't be used with option \"[alter]\" (To alter topic configurations, the kafka-configs tool can be used.)".into());
    }
    if has("alter") && !has("partitions") {
        return parsed.missing(&["partitions"]);
    }
    let for_create_and_alter = ["config", "partitions"].iter();
    let not = |option: &str, others: &[&str]| parsed.both(option, others);
    let wrong = for_create_and_alter
        .filter_map(|option| not(option, &["list", "describe", "delete"]))
        .next();
    wrong
        .or_else(|| {
            let others = &["alter", "list", "describe", "delete"];
            not("replication-factor", others)
        })
        .or_else(|| not("replica-assignment", &["list", "describe", "delete"]))
        .or_else(|| {
            let counts = &["partitions", "replication-factor"];
            not("replica-assignment", counts).filter(|_| has("create"))
        })
        .or_else(|| misused_report(parsed))
        .or_else(|| not("if-exists", &["create", "list"]))
        .or_else(|| not("if-not-exists", &["alter", "list", "describe", "delete"]))
        .or_else(|| not("exclude-internal", &["create", "alter", "delete"]))
}

fn misused_report(parsed: &Parsed) -> Option<String> {
    let actions = ["create", "alter", "list", "delete"];
    let with_overrides = ["create", "alter", "list", "delete", "topics-with-overrides"];
    let mut wrong = REPORTS
        .iter()
        .filter_map(|report| parsed.both(report, &with_overrides));
    let report = wrong.next();
    report.or_else(|| parsed.both("topics-with-overrides", &actions))
}
