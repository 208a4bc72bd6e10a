//! The options of `kafka-console-consumer`, and which of them go together.

use super::{HELP, Opt, Parsed, VERSION, file, integer, long, switch, text};
use alloc::string::String;

/// The options of `kafka-console-consumer`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "server to connect to",
        "REQUIRED: The server(s) to connect to.",
    ),
    file(
        "command-config",
        "config file",
        "Consumer config properties file. Note that [command-property] takes precedence over this config.",
    ),
    text(
        "command-property",
        "consumer_prop",
        "Consumer config properties in the form key=value.",
    ),
    text(
        "consumer-property",
        "consumer_prop",
        "(DEPRECATED) Consumer config properties in the form key=value. This option will be removed in a future version. Use --command-property instead.",
    ),
    switch(
        "enable-systest-events",
        "Print lifecycle events of the consumer; for tests of Kafka itself.",
    ),
    text(
        "formatter",
        "class",
        "The class that prints records: DefaultMessageFormatter, LoggingMessageFormatter or NoOpMessageFormatter of org.apache.kafka.tools.consumer. (default: org.apache.kafka.tools.consumer.DefaultMessageFormatter)",
    ),
    file(
        "formatter-config",
        "config file",
        "A file of properties of the formatter; --formatter-property goes before it.",
    ),
    text(
        "formatter-property",
        "prop",
        "A property of the formatter, key=value: print.timestamp, print.key, print.offset, print.epoch, print.delivery, print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal.",
    ),
    switch(
        "from-beginning",
        "Begin with the oldest record, not the newest, when the group has no offset yet.",
    ),
    text(
        "group",
        "consumer group id",
        "The consumer group of the consumer.",
    ),
    HELP,
    text(
        "include",
        "Java regex (String)",
        "A regular expression of the topics to consume from.",
    ),
    text(
        "isolation-level",
        "isolation level",
        "read_committed leaves out what transactions have not committed; read_uncommitted shows all. (default: read_uncommitted)",
    ),
    text(
        "key-deserializer",
        "deserializer for key",
        "The name of a deserializer for keys.",
    ),
    integer(
        "max-messages",
        "num_messages",
        "The number of records after which to exit. Without it, goes on for ever.",
    ),
    text(
        "offset",
        "consume offset",
        "Where to begin (a non-negative number), or 'earliest' or 'latest'. (default: latest)",
    ),
    integer(
        "partition",
        "partition",
        "The partition to consume from; begins at its end unless --offset is given.",
    ),
    text(
        "property",
        "prop",
        "(DEPRECATED) A property of the formatter. Use --formatter-property instead.",
    ),
    switch(
        "skip-message-on-error",
        "Go on after a record that cannot be shown.",
    ),
    long(
        "timeout-ms",
        "timeout_ms",
        "Exit when no record has come for this long.",
    ),
    text("topic", "topic", "The topic to consume on."),
    text(
        "value-deserializer",
        "deserializer for values",
        "The name of a deserializer for values.",
    ),
    VERSION,
];

/// What is wrong with the combination of options.
pub(in super::super) fn misuse(parsed: &Parsed) -> Option<String> {
    if parsed.has("topic") == parsed.has("include") {
        return Some(
            "Exactly one of the following arguments is required: [topic], [include]".into(),
        );
    }
    if parsed.has("partition") {
        if !parsed.has("topic") {
            return Some("The topic is required when partition is specified.".into());
        }
        if parsed.has("from-beginning") && parsed.has("offset") {
            return Some("Options from-beginning and offset cannot be specified together.".into());
        }
    } else if parsed.has("offset") {
        return Some("The partition is required when offset is specified.".into());
    }
    let pairs = [
        ("consumer-property", "command-property"),
        ("property", "formatter-property"),
    ];
    parsed
        .missing(&["bootstrap-server"])
        .or_else(|| parsed.together(&pairs))
}
