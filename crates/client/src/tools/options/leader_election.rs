//! The options of `kafka-leader-election`.

use super::{HELP, Opt, VERSION, file, integer, switch, text};

/// The options of `kafka-leader-election`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    file(
        "admin.config",
        "config file",
        "(DEPRECATED) Configuration properties files to pass to the admin client. This option will be removed in a future version. Use --command-config instead.",
    ),
    switch(
        "all-topic-partitions",
        "Perform election on all of the eligible topic partitions based on the type of election (see the --election-type flag). Not allowed if --topic or --path-to-json-file is specified.",
    ),
    text(
        "bootstrap-server",
        "host:port",
        "A hostname and port for the broker to connect to, in the form host:port. Multiple comma separated URLs can be given. REQUIRED.",
    ),
    file(
        "command-config",
        "Config file",
        "Config properties file to pass to the admin client.",
    ),
    text(
        "election-type",
        "election type",
        "Type of election to attempt. Possible values are \"preferred\" for preferred leader election or \"unclean\" for unclean leader election. If preferred election is selection, the election is only performed if the current leader is not the preferred leader for the topic partition. If unclean election is selected, the election is only performed if there are no leader for the topic partition. REQUIRED.",
    ),
    HELP,
    integer(
        "partition",
        "partition id",
        "Partition id for which to perform an election. REQUIRED if --topic is specified.",
    ),
    file(
        "path-to-json-file",
        "Path to JSON file",
        "The JSON file with the list  of partition for which leader elections should be performed. This is an example format.\n{\"partitions\":\n\t[{\"topic\": \"foo\", \"partition\": 1},\n\t {\"topic\": \"foobar\", \"partition\": 2}]\n}\nNot allowed if --all-topic-partitions or --topic flags are specified.",
    ),
    text(
        "topic",
        "topic name",
        "Name of topic for which to perform an election. Not allowed if --path-to-json-file or --all-topic-partitions is specified.",
    ),
    VERSION,
];
