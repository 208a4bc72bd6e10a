//! The options of `kafka-get-offsets`, and which of them go together.

use super::{HELP, Opt, VERSION, file, switch, text};

/// The options of `kafka-get-offsets`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "HOST1:PORT1,...,HOST3:PORT3",
        "REQUIRED. The server(s) to connect to in the form HOST1:PORT1,HOST2:PORT2.",
    ),
    file(
        "command-config",
        "config file",
        "Property file containing configs to be passed to Admin Client.",
    ),
    switch("exclude-internal-topics", "Leave out internal topics."),
    HELP,
    text(
        "partitions",
        "partition ids",
        "Numbers of the partitions to ask for, with commas between. Without it, all.",
    ),
    text(
        "time",
        "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered",
        "The offset of the first record at or after this timestamp, or one of the special ones. (default: latest)",
    ),
    text(
        "topic",
        "topic",
        "The topic to ask for, or a regular expression of topics. Without it, all.",
    ),
    text(
        "topic-partitions",
        "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
        "Topic patterns with partitions to ask for; not together with --topic and --partitions.",
    ),
    VERSION,
];
