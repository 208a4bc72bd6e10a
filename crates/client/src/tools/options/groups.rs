//! The options of `kafka-groups`, and which of them go together.

use super::{HELP, Opt, Parsed, VERSION, file, switch, text};
use alloc::string::String;

/// The options of `kafka-groups`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "server to connect to",
        "REQUIRED: The server(s) to connect to.",
    )
    .required(),
    file(
        "command-config",
        "command config property file",
        "A file of properties of the admin client.",
    ),
    switch("consumer", "Only groups of consumers, of either type."),
    text(
        "group-type",
        "type",
        "Only groups of this type: 'classic', 'consumer', 'share' or 'streams'.",
    ),
    HELP,
    switch("list", "List the groups."),
    text("protocol", "protocol", "Only groups of this protocol."),
    switch("share", "Only share groups."),
    switch("streams", "Only streams groups."),
    VERSION,
];

/// What is wrong with the combination of options.
pub(in super::super) fn misuse(parsed: &Parsed) -> Option<String> {
    if !parsed.has("list") {
        return Some("Command must include exactly one action: --list.".into());
    }
    let of_consumers = parsed.both("consumer", &["group-type", "protocol", "share", "streams"]);
    let of_share = || parsed.both("share", &["consumer", "group-type", "protocol", "streams"]);
    let of_streams = || parsed.both("streams", &["consumer", "group-type", "protocol", "share"]);
    of_consumers.or_else(of_share).or_else(of_streams)
}
