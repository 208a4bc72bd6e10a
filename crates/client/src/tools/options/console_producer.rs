//! The options of `kafka-console-producer`, and which of them go together.

use super::{HELP, Opt, Parsed, VERSION, file, integer, long, maybe, switch, text};
use alloc::string::String;

/// The options of `kafka-console-producer`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    integer(
        "batch-size",
        "size",
        "The buffer size in bytes allocated for a partition. When records are received which are smaller than this size the producer will attempt to optimistically group them together until this size is reached. This is the option to control batch.size in producer configs. Please note that this option will be replaced if max-partition-memory-bytes is also set. (default: 16384)",
    ),
    text(
        "bootstrap-server",
        "server to connect to",
        "REQUIRED: The server(s) to connect to.",
    ),
    file(
        "command-config",
        "config file",
        "A file of producer properties; --command-property goes before it.",
    ),
    text(
        "command-property",
        "producer_prop",
        "A producer property in the form key=value.",
    ),
    maybe(
        "compression-codec",
        "compression-codec",
        "'none', 'gzip', 'snappy', 'lz4' or 'zstd'. Without a value, gzip.",
    ),
    HELP,
    text(
        "line-reader",
        "reader_class",
        "The class that reads lines. Only org.apache.kafka.tools.LineMessageReader is known. (default: org.apache.kafka.tools.LineMessageReader)",
    ),
    long(
        "max-block-ms",
        "max block on send",
        "How long a record waits for its topic to be known. (default: 60000)",
    ),
    long(
        "max-memory-bytes",
        "total memory in bytes",
        "Memory for records that wait to be sent. (default: 33554432)",
    ),
    integer(
        "max-partition-memory-bytes",
        "memory in bytes per partition",
        "The same as batch-size. (default: 16384)",
    ),
    integer(
        "message-send-max-retries",
        "retries",
        "How often a batch is sent again. (default: 3)",
    ),
    long(
        "metadata-expiry-ms",
        "metadata expiration interval",
        "How long what is known of the cluster holds. (default: 300000)",
    ),
    text(
        "producer-property",
        "producer_prop",
        "(DEPRECATED) A producer property in the form key=value. Use --command-property instead.",
    ),
    text(
        "property",
        "prop",
        "(DEPRECATED) A property of the line reader. Use --reader-property instead.",
    ),
    file(
        "reader-config",
        "config file",
        "A file of properties of the line reader; --reader-property goes before it.",
    ),
    text(
        "reader-property",
        "prop",
        "A property of the line reader, key=value: parse.key, key.separator, ignore.error, parse.headers, headers.delimiter, headers.separator, headers.key.separator, null.marker.",
    ),
    text(
        "request-required-acks",
        "request required acks",
        "'0', '1', '-1' or 'all'. (default: -1)",
    ),
    integer(
        "request-timeout-ms",
        "request timeout ms",
        "How long an answer may take. (default: 1500)",
    ),
    long(
        "retry-backoff-ms",
        "retry delays",
        "How long to wait before sending again. (default: 100)",
    ),
    integer(
        "socket-buffer-size",
        "size",
        "The size of the TCP receive buffer. (default: 102400)",
    ),
    switch("sync", "Send one record after the other."),
    long(
        "timeout",
        "timeout_ms",
        "How long a batch gathers records. (default: 1000)",
    ),
    text(
        "topic",
        "topic",
        "REQUIRED: The topic name to produce messages to.",
    ),
    VERSION,
];

/// What is wrong with the combination of options.
pub(in super::super) fn misuse(parsed: &Parsed) -> Option<String> {
    let pairs = [
        ("reader-property", "property"),
        ("command-property", "producer-property"),
    ];
    parsed
        .missing(&["topic"])
        .or_else(|| parsed.together(&pairs))
}
