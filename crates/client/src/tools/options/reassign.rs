//! The options of `kafka-reassign-partitions`.

use super::{HELP, Opt, Parsed, VERSION, file, long, maybe, switch, text};
use alloc::format;
use alloc::string::{String, ToString};

/// The options of `kafka-reassign-partitions`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    switch(
        "additional",
        "Execute this reassignment in addition to any other ongoing ones. This option can also be used to change the throttle of an ongoing reassignment.",
    ),
    maybe(
        "bootstrap-controller",
        "bootstrap controller to connect to",
        "The controller to use for reassignment. By default, the tool will get the quorum controller. This option supports the actions --cancel and --list.",
    ),
    maybe(
        "bootstrap-server",
        "Server(s) to use for bootstrapping",
        "the server(s) to use for bootstrapping.",
    ),
    text(
        "broker-list",
        "brokerlist",
        "The list of brokers to which the partitions need to be reassigned in the form \"0,1,2\". This is required if --topics-to-move-json-file is used to generate reassignment configuration",
    ),
    switch("cancel", "Cancel an active reassignment."),
    file(
        "command-config",
        "Admin client property file",
        "Property file containing configs to be passed to Admin Client.",
    ),
    switch(
        "disable-rack-aware",
        "Disable rack aware replica assignment",
    ),
    switch(
        "disallow-replication-factor-change",
        "Denies the ability to change a partition's replication factor as part of this reassignment through adding validation against it.",
    ),
    switch(
        "execute",
        "Kick off the reassignment as specified by the --reassignment-json-file option.",
    ),
    switch(
        "generate",
        "Generate a candidate partition reassignment configuration. Note that this only generates a candidate assignment, it does not execute it.",
    ),
    HELP,
    switch("list", "List all active partition reassignments."),
    switch(
        "preserve-throttles",
        "Do not modify broker or topic throttles.",
    ),
    file(
        "reassignment-json-file",
        "manual assignment json file path",
        "The JSON file with the partition reassignment configurationThe format to use is -\n{\"partitions\":\n\t[{\"topic\": \"foo\",\n\t  \"partition\": 1,\n\t  \"replicas\": [1,2,3],\n\t  \"log_dirs\": [\"dir1\",\"dir2\",\"dir3\"] }],\n\"version\":1\n}\nNote that \"log_dirs\" is optional. When it is specified, its length must equal the length of the replicas list. The value in this list can be either \"any\" or the absolution path of the log directory on the broker. If absolute log directory path is specified, the replica will be moved to the specified log directory on the broker.",
    ),
    long(
        "replica-alter-log-dirs-throttle",
        "replicaAlterLogDirsThrottle",
        "The movement of replicas between log directories on the same broker will be throttled to this value (bytes/sec). This option can be included with --execute when a reassignment is started, and it can be altered by resubmitting the current reassignment along with the --additional flag. The throttle rate should be at least 1 KB/s. (default: -1)",
    ),
    long(
        "throttle",
        "throttle",
        "The movement of partitions between brokers will be throttled to this value (bytes/sec). This option can be included with --execute when a reassignment is started, and it can be altered by resubmitting the current reassignment along with the --additional flag. The throttle rate should be at least 1 KB/s. (default: -1)",
    ),
    long(
        "timeout",
        "timeout",
        "The maximum time in ms to wait for log directory replica assignment to begin. (default: 10000)",
    ),
    file(
        "topics-to-move-json-file",
        "topics to reassign json file path",
        "Generate a reassignment configuration to move the partitions of the specified topics to the list of brokers specified by the --broker-list option. The format to use is -\n{\"topics\":\n\t[{\"topic\": \"foo\"},{\"topic\": \"foo1\"}],\n\"version\":1\n}",
    ),
    switch(
        "verify",
        "Verify if the reassignment completed as specified by the --reassignment-json-file option. If there is a throttle engaged for the replicas specified, and the rebalance has completed, the throttle will be removed",
    ),
    VERSION,
];

/// The actions: what each needs, and what else goes with it.
const ACTIONS: [(&str, &[&str], &[&str]); 5] = [
    (
        "generate",
        &[
            "topics-to-move-json-file",
            "broker-list",
            "bootstrap-server",
        ],
        &["command-config", "disable-rack-aware"],
    ),
    (
        "execute",
        &["reassignment-json-file", "bootstrap-server"],
        &[
            "additional",
            "command-config",
            "disallow-replication-factor-change",
            "replica-alter-log-dirs-throttle",
            "throttle",
            "timeout",
        ],
    ),
    (
        "verify",
        &["reassignment-json-file", "bootstrap-server"],
        &["command-config", "preserve-throttles"],
    ),
    (
        "cancel",
        &["reassignment-json-file"],
        &[
            "bootstrap-server",
            "bootstrap-controller",
            "command-config",
            "preserve-throttles",
            "timeout",
        ],
    ),
    (
        "list",
        &[],
        &["bootstrap-server", "bootstrap-controller", "command-config"],
    ),
];

/// What is wrong with a line as a whole.
pub(in super::super) fn misuse(parsed: &Parsed) -> Option<String> {
    let mut given = ACTIONS.iter().filter(|action| parsed.has(action.0));
    let (Some((action, needed, others)), None) = (given.next(), given.next()) else {
        let names = ACTIONS.map(|action| format!("--{}", action.0));
        let [generate, execute, verify, cancel, list] = names;
        return Some(format!(
            "Command must include exactly one action: {generate}, {execute}, {verify}, {cancel}, {list}"
        ));
    };
    match ["bootstrap-server", "bootstrap-controller"].map(|name| parsed.has(name)) {
        [true, true] => {
            let both = "Please don't specify both --bootstrap-server and --bootstrap-controller";
            return Some(both.to_string());
        }
        [false, false] => {
            let none = "Please specify either --bootstrap-server or --bootstrap-controller";
            return Some(none.to_string());
        }
        _ => {}
    }
    let allowed = |name: &str| name == *action || needed.contains(&name) || others.contains(&name);
    let mut wrong = OPTIONS.iter().map(|option| option.name);
    let wrong = wrong.find(|name| parsed.has(name) && !allowed(name));
    let missing = || parsed.missing(needed);
    // What does not go together is said before what is missing, but for the servers.
    let wrong =
        wrong.map(|name| format!("Option \"[{name}]\" can't be used with action \"[{action}]\""));
    let own = needed.iter().filter(|name| **name != "bootstrap-server");
    match own.into_iter().all(|name| parsed.has(name)) {
        true => wrong.or_else(missing),
        false => missing(),
    }
}
