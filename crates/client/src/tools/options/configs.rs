//! The options of `kafka-configs`, which of them go together, and what they ask for.

use super::super::configs::{Change, Entity, Kind};
use super::super::{Env, Thrown, file as file_of, properties};
use super::{HELP, Opt, Parsed, VERSION, file, switch, text};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The options of `kafka-configs`.
pub(in super::super) const OPTIONS: &[Opt] = &[
    text(
        "add-config",
        "",
        "Configs to set, key=value with commas between them; square brackets hold a value with commas: 'k1=v1,k2=[v1,v2],k3=v3'.",
    ),
    file(
        "add-config-file",
        "",
        "A properties file with configs to set.",
    ),
    switch("all", "List all configs, also those at their default."),
    switch("alter", "Alter the configuration of the entity."),
    text(
        "bootstrap-controller",
        "controller to connect to",
        "The controller to connect to. Here a broker's address works just as well.",
    ),
    text(
        "bootstrap-server",
        "server to connect to",
        "The server(s) to connect to.",
    ),
    text("broker", "", "The broker's id."),
    switch("broker-defaults", "What holds for all brokers."),
    text(
        "broker-logger",
        "",
        "The id of a broker, for its loggers. Not built.",
    ),
    text("client", "", "A client's id, for quotas. Not built."),
    switch("client-defaults", "The quotas of all clients. Not built."),
    text(
        "client-metrics",
        "",
        "A client metrics subscription. Not built.",
    ),
    file(
        "command-config",
        "command config property file",
        "A file of properties of the admin client.",
    ),
    text(
        "delete-config",
        "",
        "Configs to unset, with commas between them: 'k1,k2'.",
    ),
    switch("describe", "List configs of the entity."),
    switch("entity-default", "What holds for all entities of the type."),
    text(
        "entity-name",
        "",
        "Name of the entity: a topic's name, a broker's id.",
    ),
    text("entity-type", "", "Type of the entity: topics or brokers."),
    text("group", "", "A group's name. Not built."),
    HELP,
    text("ip", "", "An address, for quotas. Not built."),
    switch("ip-defaults", "The quotas of all addresses. Not built."),
    text("topic", "", "The topic's name."),
    text("user", "", "A user's name, for quotas. Not built."),
    switch("user-defaults", "The quotas of all users. Not built."),
    VERSION,
];

/// Entity types as the protocol's tool names them, in the order in which it lists them.
const TYPES: [&str; 8] = [
    "topics",
    "clients",
    "users",
    "brokers",
    "ips",
    "client-metrics",
    "groups",
    "broker-loggers",
];
/// Flags that stand for a type, some for its default.
const FLAGS: [(&str, &str); 12] = [
    ("topic", "topics"),
    ("client", "clients"),
    ("user", "users"),
    ("broker", "brokers"),
    ("broker-logger", "broker-loggers"),
    ("ip", "ips"),
    ("client-metrics", "client-metrics"),
    ("group", "groups"),
    ("client-defaults", "clients"),
    ("user-defaults", "users"),
    ("broker-defaults", "brokers"),
    ("ip-defaults", "ips"),
];

/// So many of them take a name.
const VALUED: usize = 8;

/// What is wrong with the actions.
pub(in super::super) fn misuse(parsed: &Parsed) -> Option<String> {
    let (describe, alter) = (parsed.has("describe"), parsed.has("alter"));
    if describe == alter {
        return Some("Command must include exactly one action: --describe, --alter".into());
    }
    parsed.both("describe", &["add-config", "delete-config"])
}

fn illegal(message: &str) -> Thrown {
    Thrown::new("java.lang.IllegalArgumentException", message)
}

/// What the command is about.
pub(in super::super) fn entity(parsed: &Parsed) -> Result<Entity, Thrown> {
    let kind = kind(parsed)?;
    for flag in FLAGS.iter().take(VALUED) {
        parsed.one(flag.0)?;
    }
    let names = |option: &str| parsed.all(option).iter().cloned();
    let flags = FLAGS.iter().filter(|flag| parsed.has(flag.0));
    // Flags for defaults have no value.
    let flagged = flags.map(|flag| parsed.last(flag.0).unwrap_or_default().to_string());
    let default = parsed.has("entity-default").then(String::new);
    let mut all = names("entity-name").chain(default).chain(flagged);
    let name = all.next();
    let named = name.as_ref().is_some_and(|name| !name.is_empty());
    let plural = kind.plural();
    let connections = ["bootstrap-server", "bootstrap-controller"];
    match connections
        .iter()
        .filter(|option| parsed.has(option))
        .count()
    {
        0 => {
            return Err(illegal(
                "Either --bootstrap-server or --bootstrap-controller must be specified.",
            ));
        }
        1 => {}
        _ => {
            return Err(illegal(
                "Only one of --bootstrap-server or --bootstrap-controller can be specified",
            ));
        }
    }
    let id = name.as_deref().unwrap_or_default();
    if kind == Kind::Broker && named && id.parse::<i32>().is_err() {
        return Err(illegal(&format!(
            "The entity name for brokers must be a valid integer broker id, but it is: {id}"
        )));
    }
    if parsed.has("describe") && kind == Kind::Topic && parsed.has("entity-default") {
        return Err(illegal(&format!(
            "--entity-default must not be specified with --describe of {plural}"
        )));
    }
    if parsed.has("alter") {
        match kind {
            Kind::Broker if name.is_none() => {
                return Err(illegal(
                    "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
                ));
            }
            Kind::Topic if !named => {
                return Err(illegal(&format!(
                    "An entity name must be specified with --alter of {plural}"
                )));
            }
            _ => {}
        }
    }
    Ok(Entity { kind, name })
}

/// The type of the entity: one, and one that is built.
fn kind(parsed: &Parsed) -> Result<Kind, Thrown> {
    let flags = FLAGS.iter().filter(|flag| parsed.has(flag.0));
    let given = parsed.all("entity-type").iter().map(String::as_str);
    let types: Vec<&str> = given.chain(flags.map(|flag| flag.1)).collect();
    for (i, kind) in types.iter().enumerate() {
        if types.iter().take(i).any(|other| other == kind) {
            return Err(illegal(&format!(
                "Duplicate entity type(s) specified: {kind}"
            )));
        }
    }
    if let Some(kind) = types.iter().find(|kind| !TYPES.contains(kind)) {
        return Err(illegal(&format!(
            "Invalid entity type {kind}, the entity type must be one of {} with a --bootstrap-server or --bootstrap-controller argument",
            TYPES.join(", ")
        )));
    }
    match types.as_slice() {
        [] => Err(illegal("At least one entity type must be specified")),
        ["topics"] => Ok(Kind::Topic),
        ["brokers"] => Ok(Kind::Broker),
        [kind] => Err(illegal(&format!(
            "kafka-configs with {kind} is not part of Brooklet yet."
        ))),
        ["users", "clients"] | ["clients", "users"] => Err(illegal(
            "kafka-configs with users is not part of Brooklet yet.",
        )),
        _ => Err(illegal(
            "Only 'users' and 'clients' entity types may be specified together",
        )),
    }
}

/// Whether what an alter needs is there.
pub(in super::super) fn incomplete(parsed: &Parsed) -> Result<(), Thrown> {
    match (parsed.has("add-config"), parsed.has("add-config-file")) {
        (true, true) => Err(illegal(
            "Only one of --add-config or --add-config-file must be specified",
        )),
        (false, false) if !parsed.has("delete-config") => Err(illegal(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
        )),
        _ => Ok(()),
    }
}

/// What to set and to unset, in this order.
pub(in super::super) fn changes(parsed: &Parsed, env: &Env) -> Result<Vec<Change>, Thrown> {
    let mut set: Vec<(String, String)> = Vec::new();
    if let Some(bytes) = file_of(parsed, env, "add-config-file")? {
        set.extend(properties(bytes));
    }
    if let Some(list) = parsed.one("add-config")? {
        for pair in split(list) {
            let halves = pair.split_once('=');
            let halves = halves.filter(|(_, value)| value.starts_with('[') || !value.contains('='));
            let (name, value) = halves.ok_or_else(|| illegal("requirement failed: Invalid entity config: all configs to be added must be in the format \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas."))?;
            let value = value.replace(['[', ']'], "");
            set.push((name.trim().to_string(), value.trim().to_string()));
        }
    }
    let mut changes: Vec<Change> = Vec::new();
    for (name, value) in set {
        // What is said last holds.
        changes.retain(|change| change.0 != name);
        changes.push((name, Some(value)));
    }
    let lists = parsed.all("delete-config").iter();
    for name in lists.flat_map(|list| list.split(',')) {
        changes.push((name.trim().to_string(), None));
    }
    Ok(changes)
}

/// Splits at commas outside of square brackets.
fn split(list: &str) -> Vec<&str> {
    let mut inside = false;
    let outside = |c: char| {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
        c == ',' && !inside
    };
    let mut pieces: Vec<&str> = list.split(outside).collect();
    // Java's split leaves out what is empty at the end, but keeps one piece.
    while pieces.len() > 1 && pieces.last().is_some_and(|piece| piece.is_empty()) {
        pieces.pop();
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_hold_commas_together() {
        let list = "k1=v1,k2=[v1,v2,v2],k3=";
        assert_eq!(split(list), ["k1=v1", "k2=[v1,v2,v2]", "k3="]);
    }
}
