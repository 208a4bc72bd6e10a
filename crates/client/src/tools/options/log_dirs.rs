//! The options of `kafka-log-dirs`.

use super::{HELP, Opt, VERSION, file, switch, text};

/// The options of `kafka-log-dirs`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "The server(s) to use for bootstrapping",
        "REQUIRED: the server(s) to use for bootstrapping",
    ),
    text(
        "broker-list",
        "Broker list",
        "The list of brokers to be queried in the form \"0,1,2\". All brokers in the cluster will be queried if no broker list is specified (default: )",
    ),
    file(
        "command-config",
        "Admin client property file",
        "Property file containing configs to be passed to Admin Client.",
    ),
    switch(
        "describe",
        "Describe the specified log directories on the specified brokers.",
    ),
    HELP,
    text(
        "topic-list",
        "Topic list",
        "The list of topics to be queried in the form \"topic1,topic2,topic3\". All topics will be queried if no topic list is specified (default: )",
    ),
    VERSION,
];
