//! The options of `kafka-delete-records`, and which of them go together.

use super::{HELP, Opt, VERSION, file, text};

/// The options of `kafka-delete-records`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "server(s) to use for bootstrapping",
        "REQUIRED: The server(s) to connect to.",
    ),
    file(
        "command-config",
        "command config property file path",
        "A file of properties of the admin client.",
    ),
    HELP,
    file(
        "offset-json-file",
        "Offset json file path",
        "REQUIRED: A JSON file with the offset below which each partition's records go: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}], \"version\": 1}",
    ),
    VERSION,
];
