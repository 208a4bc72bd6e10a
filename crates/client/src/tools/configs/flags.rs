//! The flags of `kafka-configs`, and what they ask for.

use super::super::options::{Opt, Parsed, file, switch, text};
use super::super::{Env, properties};
use super::{Change, Entity, Kind};
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
    switch("help", "Print usage information."),
    text("ip", "", "An address, for quotas. Not built."),
    switch("ip-defaults", "The quotas of all addresses. Not built."),
    text("topic", "", "The topic's name."),
    text("user", "", "A user's name, for quotas. Not built."),
    switch("user-defaults", "The quotas of all users. Not built."),
    switch("version", "Display Kafka version."),
];

/// Entity types of Kafka that have no configs here.
const NOT_BUILT: [&str; 6] = [
    "clients",
    "users",
    "broker-loggers",
    "ips",
    "client-metrics",
    "groups",
];
/// The same as flags of their own.
const FLAGS_NOT_BUILT: [&str; 9] = [
    "client",
    "client-defaults",
    "user",
    "user-defaults",
    "broker-logger",
    "ip",
    "ip-defaults",
    "client-metrics",
    "group",
];

/// What the command is about.
pub(super) fn entity(parsed: &Parsed) -> Result<Entity, String> {
    let not_built = |what: &str| format!("kafka-configs with {what} is not part of Brooklet yet.");
    if let Some(flag) = FLAGS_NOT_BUILT.iter().find(|flag| parsed.has(flag)) {
        return Err(not_built(&format!("--{flag}")));
    }
    let one = |name| parsed.one(name).map_err(|refusal| refusal.to_string());
    let named = |kind, name: &str| Entity {
        kind,
        name: Some(name.to_string()),
    };
    let mut found = Vec::new();
    if let Some(topic) = one("topic")? {
        found.push(named(Kind::Topic, topic));
    }
    if let Some(broker) = one("broker")? {
        found.push(named(Kind::Broker, broker));
    }
    if parsed.has("broker-defaults") {
        found.push(named(Kind::Broker, ""));
    }
    for kind in parsed.all("entity-type") {
        let kind = match kind.as_str() {
            "topics" => Kind::Topic,
            "brokers" => Kind::Broker,
            kind if NOT_BUILT.contains(&kind) => return Err(not_built(kind)),
            kind => {
                return Err(format!(
                    "Invalid entity type {kind}, the entity type must be one of topics, clients, users, brokers, broker-loggers, ips, client-metrics, groups with a --bootstrap-server or --bootstrap-controller argument"
                ));
            }
        };
        let default = parsed.has("entity-default").then(String::new);
        let name = one("entity-name")?.map(ToString::to_string).or(default);
        found.push(Entity { kind, name });
    }
    let broker = |e: &&Entity| e.kind == Kind::Broker;
    for name in found
        .iter()
        .filter(broker)
        .filter_map(|e| e.name.as_deref())
    {
        if !name.is_empty() && name.parse::<i32>().is_err() {
            return Err(format!(
                "The entity name for brokers must be a valid integer broker id, but it is: {name}"
            ));
        }
    }
    match (found.pop(), found.is_empty()) {
        (None, _) => Err("At least one entity type must be specified".into()),
        (Some(entity), true) => Ok(entity),
        (Some(_), false) => Err("Only one entity type can be specified here.".into()),
    }
}

/// What to set and to unset, in this order.
pub(super) fn changes(parsed: &Parsed, env: &Env) -> Result<Vec<Change>, String> {
    let adds = (parsed.has("add-config"), parsed.has("add-config-file"));
    if adds == (true, true) {
        return Err("Only one of --add-config or --add-config-file must be specified".into());
    }
    if adds == (false, false) && !parsed.has("delete-config") {
        return Err("At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter".into());
    }
    let mut changes = Vec::new();
    if let Some(file) = parsed.last("add-config-file") {
        let text = env.files.get(file);
        let text = text.ok_or_else(|| format!("{file} (No such file or directory)"))?;
        let set = properties(text).into_iter();
        changes.extend(set.map(|(name, value)| (name, Some(value))));
    }
    if let Some(list) = parsed
        .one("add-config")
        .map_err(|refusal| refusal.to_string())?
    {
        for pair in split(list) {
            let (name, value) = pair.split_once('=').ok_or(
                "Invalid entity config: all configs to be added must be in the format \"key=val\".",
            )?;
            let value = value.trim_start().replace(['[', ']'], "");
            changes.push((name.trim().to_string(), Some(value)));
        }
    }
    let lists = parsed.all("delete-config").iter();
    for name in lists.flat_map(|list| list.split(',')) {
        changes.push((name.trim().to_string(), None));
    }
    let unset = |name: &str| {
        changes
            .iter()
            .any(|c: &Change| c.0 == name && c.1.is_none())
    };
    let both = changes.iter().find(|c| c.1.is_some() && unset(&c.0));
    match both {
        Some((name, _)) => Err(format!("Config {name} is both added and deleted.")),
        None => Ok(changes),
    }
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
    let pieces = list.split(outside).map(str::trim);
    pieces.filter(|piece| !piece.is_empty()).collect()
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
