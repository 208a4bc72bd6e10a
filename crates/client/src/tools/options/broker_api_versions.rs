//! The options of `kafka-broker-api-versions`.

use super::{HELP, Opt, VERSION, file, text};

/// The options of `kafka-broker-api-versions`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "server(s) to use for bootstrapping",
        "REQUIRED: The server to connect to.",
    ),
    file(
        "command-config",
        "command config property file",
        "A property file containing configs to be passed to Admin Client.",
    ),
    HELP,
    VERSION,
];
