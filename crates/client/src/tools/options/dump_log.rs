//! The options of `kafka-dump-log`.

use super::{HELP, Opt, VERSION, integer, maybe, switch, text};

/// The options of `kafka-dump-log`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    switch(
        "cluster-metadata-decoder",
        "If set, log data will be parsed as cluster metadata records.",
    ),
    switch(
        "deep-iteration",
        "If set, uses deep instead of shallow iteration. Automatically set if print-data-log is enabled.",
    ),
    text(
        "files",
        "file1, file2, ...",
        "REQUIRED: The comma separated list of data and index log files to be dumped.",
    ),
    HELP,
    switch(
        "index-sanity-check",
        "If set, just checks the index sanity without printing its content. This is the same check that is executed on broker startup to determine if an index needs rebuilding or not.",
    ),
    maybe(
        "key-decoder-class",
        "",
        "If set, used to deserialize the keys. This class should implement org.apache.kafka.tools.api.Decoder trait. Custom jar should be available in kafka/libs directory. (default: org.apache.kafka.tools.api.StringDecoder)",
    ),
    integer(
        "max-bytes",
        "size",
        "Limit the amount of total batches read in bytes avoiding reading the whole .log file(s). (default: 2147483647)",
    ),
    integer(
        "max-message-size",
        "size",
        "Size of largest message. (default: 5242880)",
    ),
    switch(
        "offsets-decoder",
        "If set, log data will be parsed as offset data from the __consumer_offsets topic.",
    ),
    switch(
        "print-data-log",
        "If set, printing the messages content when dumping data logs. Automatically set if any decoder option is specified.",
    ),
    switch(
        "remote-log-metadata-decoder",
        "If set, log data will be parsed as TopicBasedRemoteLogMetadataManager (RLMM) metadata records. Instead, the value-decoder-class option can be used if a custom RLMM implementation is configured.",
    ),
    switch(
        "share-group-state-decoder",
        "If set, log data will be parsed as share group state data from the __share_group_state topic.",
    ),
    switch(
        "skip-record-metadata",
        "Skip metadata when printing records. This flag also skips control records.",
    ),
    switch(
        "transaction-log-decoder",
        "If set, log data will be parsed as transaction metadata from the __transaction_state topic.",
    ),
    maybe(
        "value-decoder-class",
        "",
        "If set, used to deserialize the messages. This class should implement org.apache.kafka.tools.api.Decoder trait. Custom jar should be available in kafka/libs directory. (default: org.apache.kafka.tools.api.StringDecoder)",
    ),
    switch(
        "verify-index-only",
        "If set, just verify the index log without printing its content.",
    ),
    VERSION,
];
