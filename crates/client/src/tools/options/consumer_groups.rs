//! The options of `kafka-consumer-groups`, and which of them go together.

use super::{HELP, Opt, Parsed, VERSION, file, long, maybe, switch, text};
use alloc::format;
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
    HELP,
    switch("list", "List all consumer groups."),
    switch(
        "members",
        "Describe the members of the groups. Only with --describe.",
    ).beside(&["describe"]),
    switch(
        "offsets",
        "Describe the offsets of the groups, which is what --describe does anyway.",
    ).beside(&["describe"]),
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
    ).beside(&["describe", "list"]),
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
    ).beside(&["list"]),
    text(
        "validate-regex",
        "regex",
        "Say whether a regular expression is one.",
    ),
    switch("verbose", "Say more. Only with --describe.").beside(&["describe"]),
    VERSION,
];

/// The options that say what to do, of which a line has one.
const ACTIONS: [&str; 6] = [
    "list",
    "describe",
    "delete",
    "reset-offsets",
    "delete-offsets",
    "validate-regex",
];
/// Where offsets can be reset to.
const SCENARIOS: [&str; 8] = [
    "to-latest",
    "by-duration",
    "to-datetime",
    "from-file",
    "shift-by",
    "to-offset",
    "to-earliest",
    "to-current",
];

/// What is wrong with the combination of options.
pub(in super::super) fn misuse(parsed: &Parsed) -> Option<String> {
    let has = |name: &str| parsed.has(name);
    if !has("validate-regex")
        && let Some(missing) = parsed.missing(&["bootstrap-server"])
    {
        return Some(missing);
    }
    let wrong = misused_describe(parsed)
        .or_else(|| misused_deletion(parsed))
        .or_else(|| misused_reset(parsed))
        .or_else(|| {
            parsed
                .both("group", &["all-groups", "list"])
                .filter(|_| !has("validate-regex"))
        })
        .or_else(|| parsed.both("topic", &["list", "describe"]));
    let given = ACTIONS.iter().filter(|action| has(action)).count();
    let one = "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, --validate-regex";
    wrong.or_else(|| (given != 1).then(|| one.into()))
}

/// The sentence about an action that no group is given to.
fn without_group(parsed: &Parsed, action: &str) -> Option<String> {
    let grouped = parsed.has("group") || parsed.has("all-groups");
    let wrong = parsed.has(action) && !grouped;
    wrong.then(|| format!("Option [{action}] takes one of these options: [all-groups], [group]"))
}

fn misused_describe(parsed: &Parsed) -> Option<String> {
    let has = |name: &str| parsed.has(name);
    if !has("describe") {
        return None;
    }
    let kinds = ["members", "offsets", "state"];
    if let Some(wrong) = without_group(parsed, "describe") {
        return Some(wrong);
    }
    if kinds.iter().filter(|name| has(name)).count() > 1 {
        return Some(
            "Option [describe] takes at most one of these options: [members], [offsets], [state]"
                .into(),
        );
    }
    let valued = parsed.last("state").is_some();
    valued.then(|| "Option [describe] does not take a value for [state]".into())
}

fn misused_deletion(parsed: &Parsed) -> Option<String> {
    let has = |name: &str| parsed.has(name);
    if let Some(wrong) = without_group(parsed, "delete") {
        return Some(wrong);
    }
    if has("delete") && has("topic") {
        return Some(
            "The consumer does not support topic-specific offset deletion from a consumer group."
                .into(),
        );
    }
    let lacks = has("delete-offsets") && !(has("group") && has("topic"));
    lacks.then(|| "Option [delete-offsets] takes the following options: [topic], [group]".into())
}

fn misused_reset(parsed: &Parsed) -> Option<String> {
    let has = |name: &str| parsed.has(name);
    if !has("reset-offsets") {
        return None;
    }
    if has("dry-run") && has("execute") {
        return Some("Option [reset-offsets] only accepts one of [execute] and [dry-run]".into());
    }
    if let Some(wrong) = without_group(parsed, "reset-offsets") {
        return Some(wrong);
    }
    // In the order in which Kafka looks at them.
    let order = [
        "to-offset",
        "to-datetime",
        "by-duration",
        "to-earliest",
        "to-latest",
        "to-current",
        "shift-by",
        "from-file",
    ];
    order.iter().find_map(|option| {
        let others = SCENARIOS.map(|other| if other == *option { "" } else { other });
        parsed.both(option, &others)
    })
}

/// What a reset lacks: Kafka says so only after it has asked about the groups.
pub(in super::super) fn incomplete_reset(parsed: &Parsed) -> Option<String> {
    let has = |name: &str| parsed.has(name);
    if !has("from-file") && !has("topic") && !has("all-topics") {
        return Some("One of the reset scopes should be defined: --all-topics, --topic.".into());
    }
    let none = !SCENARIOS.iter().any(|name| has(name));
    let all = SCENARIOS.map(|name| format!("[{name}]")).join(", ");
    none.then(|| {
        format!("Option '[reset-offsets]' requires one of the following scenarios: [{all}]")
    })
}
