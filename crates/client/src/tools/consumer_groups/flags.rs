//! The flags of `kafka-consumer-groups`, and which of them go together.

use super::super::options::{Opt, Parsed, file, long, maybe, switch, text};
use alloc::string::String;

/// The options of `kafka-consumer-groups`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    switch("all-groups", "Apply to all consumer groups."),
    switch(
        "all-topics",
        "Consider all topics assigned to a group in the `reset-offsets` process.",
    ),
    text(
        "bootstrap-server",
        "server to connect to",
        "The server(s) to connect to. REQUIRED for all options except for --validate-regex.",
    ),
    text(
        "by-duration",
        "duration",
        "Reset offsets to offset by duration from current timestamp. Format: 'PnDTnHnMnS'",
    ),
    file(
        "command-config",
        "command config property file",
        "Property file containing configs to be passed to Admin Client and Consumer.",
    ),
    switch(
        "delete",
        "Pass in groups to delete topic partition offsets and ownership information over the entire consumer group.",
    ),
    switch(
        "delete-offsets",
        "Delete the offsets that a group has stored for topics. One group at a time.",
    ),
    switch(
        "describe",
        "Describe groups and list the offsets they have not read yet.",
    ),
    switch("dry-run", "Only show what --reset-offsets would do."),
    switch("execute", "Do what --reset-offsets says."),
    switch("export", "Print what --reset-offsets would do as CSV."),
    file(
        "from-file",
        "path to CSV file",
        "Reset offsets to the values in a CSV file.",
    ),
    text(
        "group",
        "consumer group",
        "The consumer group to act on. May be given several times.",
    ),
    switch("help", "Print usage information."),
    switch("list", "List all consumer groups."),
    switch(
        "members",
        "Describe the members of the groups. Only with --describe.",
    ),
    switch(
        "offsets",
        "Describe the offsets of the groups, which is what --describe does anyway.",
    ),
    switch(
        "reset-offsets",
        "Reset offsets of groups without active members; needs a scope (--topic or --all-topics), a scenario (--to-…, --shift-by, --by-duration, --from-file), and --dry-run or --execute.",
    ),
    long(
        "shift-by",
        "number-of-offsets",
        "Move offsets by this many, forward or backward.",
    ),
    maybe(
        "state",
        "state",
        "With --describe: the state of the groups. With --list: their states, or only groups in these.",
    ),
    long(
        "timeout",
        "timeout (ms)",
        "How long a call may take. (default: 30000)",
    ),
    switch("to-current", "Reset offsets to the current offsets."),
    text(
        "to-datetime",
        "datetime",
        "Reset offsets to a moment: 'YYYY-MM-DDThh:mm:ss.sss', in UTC or with an offset.",
    ),
    switch("to-earliest", "Reset offsets to the earliest offset."),
    switch("to-latest", "Reset offsets to the latest offset."),
    long("to-offset", "offset", "Reset offsets to this one."),
    text(
        "topic",
        "topic",
        "The topic whose offsets are meant, with partitions as in topic1:0,1,2. May be given several times.",
    ),
    maybe(
        "type",
        "type",
        "With --list: the types of the groups, or only groups of these (classic, consumer).",
    ),
    text(
        "validate-regex",
        "regex",
        "Say whether a regular expression is one.",
    ),
    switch("verbose", "Say more. Only with --describe."),
    switch("version", "Display Kafka version."),
];

/// What is wrong with the combination of options.
pub(super) fn misuse(parsed: &Parsed) -> Option<String> {
    let has = |name: &str| parsed.has(name);
    let grouped = has("group") || has("all-groups");
    if !has("bootstrap-server") {
        return Some("Missing required argument \"[bootstrap-server]\"".into());
    }
    if has("describe") {
        if !grouped {
            return Some(
                "Option [describe] takes one of these options: [all-groups], [group]".into(),
            );
        }
        if ["members", "offsets", "state"]
            .iter()
            .filter(|name| has(name))
            .count()
            > 1
        {
            return Some("Option [describe] takes at most one of these options: [members], [offsets], [state]".into());
        }
    }
    if has("delete") && !grouped {
        return Some("Option [delete] takes one of these options: [all-groups], [group]".into());
    }
    if has("delete-offsets") && !(has("group") && has("topic")) {
        return Some(
            "Option [delete-offsets] takes the following options: [topic], [group]".into(),
        );
    }
    if has("reset-offsets") {
        if has("dry-run") && has("execute") {
            return Some("Option [reset-offsets] only accepts one of [execute], [dry-run]".into());
        }
        if !grouped {
            return Some(
                "Option [reset-offsets] takes one of these options: [all-groups], [group]".into(),
            );
        }
        let scenario = [
            "to-offset",
            "shift-by",
            "to-datetime",
            "by-duration",
            "to-earliest",
            "to-latest",
            "to-current",
            "from-file",
        ];
        if scenario.iter().filter(|name| has(name)).count() != 1 {
            return Some("Option '[reset-offsets]' requires one of the following scenarios: [[to-latest], [by-duration], [to-datetime], [from-file], [shift-by], [to-offset], [to-earliest], [to-current]]".into());
        }
        if !has("from-file") && !has("topic") && !has("all-topics") {
            return Some(
                "One of the reset scopes should be defined: --all-topics, --topic.".into(),
            );
        }
    }
    None
}
