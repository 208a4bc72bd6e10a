//! What is known of broker configs beyond their values: types, and which may change while a broker runs.

use crate::config::{BROKER_CONFIGS, ConfigKind, TOPIC_CONFIGS, check_topic_config};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Broker configs of Kafka that may change while a broker runs (KIP-226), besides those that topics
/// fall back on. Brooklet keeps them all and acts on those it reads.
const DYNAMIC: &[&str] = &[
    "background.threads",
    "log.cleaner.backoff.ms",
    "log.cleaner.dedupe.buffer.size",
    "log.cleaner.io.buffer.load.factor",
    "log.cleaner.io.buffer.size",
    "log.cleaner.io.max.bytes.per.second",
    "log.cleaner.threads",
    "max.connection.creation.rate",
    "max.connections",
    "max.connections.per.ip",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "producer.id.expiration.ms",
    "transaction.partition.verification.enable",
];

/// Broker configs that only count at the start and that Brooklet has no default for.
const AT_START: &[&str] = &[
    "broker.id",
    "broker.rack",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "log.dir",
    "log.dirs",
    "node.id",
    "process.roles",
];

/// Broker configs whose numbers have 64 bits.
const LONG: &[&str] = &[
    "connections.max.idle.ms",
    "log.retention.check.interval.ms",
    "replica.lag.time.max.ms",
];

/// Broker configs whose numbers have 16 bits.
const SHORT: &[&str] = &["offsets.topic.replication.factor"];

/// The name of every broker config that has a meaning here, in order.
#[must_use]
pub fn broker_config_names() -> Vec<&'static str> {
    let own = BROKER_CONFIGS.iter().map(|(name, _)| *name);
    let for_topics = TOPIC_CONFIGS.iter().filter_map(|key| key.broker_name);
    let mut names: Vec<&'static str> = own.chain(for_topics).collect();
    sorted::sort(&mut names);
    names.dedup();
    names
}

/// Whether a broker config may change while the broker runs.
#[must_use]
pub fn is_dynamic(name: &str) -> bool {
    DYNAMIC.contains(&name)
        || TOPIC_CONFIGS
            .iter()
            .any(|key| key.broker_name == Some(name))
}

/// Whether a broker config's value is kept from everyone.
#[must_use]
pub fn is_sensitive(name: &str) -> bool {
    name.ends_with("password") || name.ends_with("sasl.jaas.config") || name.ends_with(".key")
}

/// The type of a broker config's value; of one that Brooklet does not know, text.
#[must_use]
pub fn broker_config_kind(name: &str) -> ConfigKind {
    if let Some(key) = TOPIC_CONFIGS
        .iter()
        .find(|key| key.broker_name == Some(name))
    {
        return key.kind;
    }
    if SHORT.contains(&name) {
        return ConfigKind::Short;
    }
    match BROKER_CONFIGS.iter().find(|(known, _)| *known == name) {
        Some((_, "true" | "false")) => ConfigKind::Boolean,
        Some((_, value)) if value.parse::<i64>().is_ok() => match LONG.contains(&name) {
            true => ConfigKind::Long,
            false => ConfigKind::Int,
        },
        _ if AT_START.contains(&name) && name.ends_with(".id") => ConfigKind::Int,
        _ => ConfigKind::String,
    }
}

/// Says whether a running broker takes `value` for a broker config. Names that Kafka does not have
/// are taken as they are, as Kafka does.
///
/// # Errors
/// With Kafka's own sentence: it only counts at the start, or topics could not use the value.
pub fn check_broker_config(name: &str, value: &str) -> Result<(), String> {
    let known = BROKER_CONFIGS.iter().any(|(known, _)| *known == name) || AT_START.contains(&name);
    if known && !is_dynamic(name) {
        return Err(format!("Cannot update these configs dynamically: [{name}]"));
    }
    let for_topics = TOPIC_CONFIGS
        .iter()
        .find(|key| key.broker_name == Some(name));
    match for_topics {
        Some(key) => {
            check_topic_config(key.name, value).map_err(|why| why.0.replace(key.name, name))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_at_the_start_only_is_refused_later() {
        let refused = check_broker_config("node.id", "7").unwrap_err();
        assert_eq!(
            refused,
            "Cannot update these configs dynamically: [node.id]"
        );
        assert!(check_broker_config("num.partitions", "7").is_err());
        assert!(check_broker_config("log.cleaner.threads", "2").is_ok());
        assert!(check_broker_config("log.segment.bytes", "x").is_err());
    }

    #[test]
    fn types_are_kafkas() {
        assert_eq!(broker_config_kind("num.partitions"), ConfigKind::Int);
        assert_eq!(
            broker_config_kind("auto.create.topics.enable"),
            ConfigKind::Boolean
        );
        assert_eq!(
            broker_config_kind("connections.max.idle.ms"),
            ConfigKind::Long
        );
        assert_eq!(broker_config_kind("log.cleanup.policy"), ConfigKind::List);
    }
}
