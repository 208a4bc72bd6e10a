//! Topic and broker configs: names, defaults, types, limits, and where a value comes from.

use alloc::format;
use alloc::string::{String, ToString};

/// Resource type of a topic's configs, as `DescribeConfigs` numbers them.
pub const TOPIC: i8 = 2;
/// Resource type of a broker's configs; the empty name is the cluster-wide default.
pub const BROKER: i8 = 4;

/// The type of a config's value; the numbers are those of `DescribeConfigs` v3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum ConfigKind {
    /// `true` or `false`.
    Boolean = 1,
    /// Any text, or one of the key's choices.
    String = 2,
    /// A 32-bit number.
    Int = 3,
    /// A 16-bit number.
    Short = 4,
    /// A 64-bit number.
    Long = 5,
    /// A fraction, kept as text: the core has no floats.
    Double = 6,
    /// Comma-separated words.
    List = 7,
    /// The name of a Java class.
    Class = 8,
    /// Text that is kept from everyone.
    Password = 9,
}

/// One config a topic can have.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    /// The topic config's name.
    pub name: &'static str,
    /// Kafka's default.
    pub default: &'static str,
    /// The value's type.
    pub kind: ConfigKind,
    /// The broker config that gives the default, if there is one.
    pub broker_name: Option<&'static str>,
    /// The least number allowed.
    pub min: Option<i64>,
    /// The words allowed; empty means any.
    pub choices: &'static [&'static str],
}

use ConfigKind::{Boolean, Double, Int, List, Long};

const MAX: &str = "9223372036854775807";

pub(crate) const fn key(
    name: &'static str,
    default: &'static str,
    kind: ConfigKind,
    broker_name: Option<&'static str>,
    min: Option<i64>,
) -> ConfigKey {
    ConfigKey {
        name,
        default,
        kind,
        broker_name,
        min,
        choices: &[],
    }
}

const fn choice(
    name: &'static str,
    default: &'static str,
    kind: ConfigKind,
    broker_name: &'static str,
    choices: &'static [&'static str],
) -> ConfigKey {
    ConfigKey {
        name,
        default,
        kind,
        broker_name: Some(broker_name),
        min: None,
        choices,
    }
}

/// Every topic config of Kafka 4.3 in name order, with the defaults of a new broker.
pub const TOPIC_CONFIGS: &[ConfigKey] = &[
    choice(
        "cleanup.policy",
        "delete",
        List,
        "log.cleanup.policy",
        &["compact", "delete"],
    ),
    key(
        "compression.gzip.level",
        "-1",
        Int,
        Some("compression.gzip.level"),
        Some(-1),
    ),
    key(
        "compression.lz4.level",
        "9",
        Int,
        Some("compression.lz4.level"),
        Some(1),
    ),
    choice(
        "compression.type",
        "producer",
        ConfigKind::String,
        "compression.type",
        &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
    ),
    key(
        "compression.zstd.level",
        "3",
        Int,
        Some("compression.zstd.level"),
        None,
    ),
    key(
        "delete.retention.ms",
        "86400000",
        Long,
        Some("log.cleaner.delete.retention.ms"),
        Some(0),
    ),
    key(
        "file.delete.delay.ms",
        "60000",
        Long,
        Some("log.segment.delete.delay.ms"),
        Some(0),
    ),
    key(
        "flush.messages",
        MAX,
        Long,
        Some("log.flush.interval.messages"),
        Some(1),
    ),
    key(
        "flush.ms",
        MAX,
        Long,
        Some("log.flush.interval.ms"),
        Some(0),
    ),
    key(
        "follower.replication.throttled.replicas",
        "",
        List,
        None,
        None,
    ),
    key(
        "index.interval.bytes",
        "4096",
        Int,
        Some("log.index.interval.bytes"),
        Some(0),
    ),
    // Hidden in Kafka, too: it lets tests roll segments below one mebibyte.
    key("internal.segment.bytes", "", Int, None, Some(1)),
    key(
        "leader.replication.throttled.replicas",
        "",
        List,
        None,
        None,
    ),
    key(
        "local.retention.bytes",
        "-2",
        Long,
        Some("log.local.retention.bytes"),
        Some(-2),
    ),
    key(
        "local.retention.ms",
        "-2",
        Long,
        Some("log.local.retention.ms"),
        Some(-2),
    ),
    key(
        "max.compaction.lag.ms",
        MAX,
        Long,
        Some("log.cleaner.max.compaction.lag.ms"),
        Some(1),
    ),
    key(
        "max.message.bytes",
        "1048588",
        Int,
        Some("message.max.bytes"),
        Some(0),
    ),
    key(
        "message.timestamp.after.max.ms",
        "3600000",
        Long,
        Some("log.message.timestamp.after.max.ms"),
        Some(0),
    ),
    key(
        "message.timestamp.before.max.ms",
        MAX,
        Long,
        Some("log.message.timestamp.before.max.ms"),
        Some(0),
    ),
    choice(
        "message.timestamp.type",
        "CreateTime",
        ConfigKind::String,
        "log.message.timestamp.type",
        &["CreateTime", "LogAppendTime"],
    ),
    key(
        "min.cleanable.dirty.ratio",
        "0.5",
        Double,
        Some("log.cleaner.min.cleanable.ratio"),
        None,
    ),
    key(
        "min.compaction.lag.ms",
        "0",
        Long,
        Some("log.cleaner.min.compaction.lag.ms"),
        Some(0),
    ),
    key(
        "min.insync.replicas",
        "1",
        Int,
        Some("min.insync.replicas"),
        Some(1),
    ),
    key(
        "preallocate",
        "false",
        Boolean,
        Some("log.preallocate"),
        None,
    ),
    key("remote.log.copy.disable", "false", Boolean, None, None),
    key("remote.log.delete.on.disable", "false", Boolean, None, None),
    key("remote.storage.enable", "false", Boolean, None, None),
    key(
        "retention.bytes",
        "-1",
        Long,
        Some("log.retention.bytes"),
        None,
    ),
    key(
        "retention.ms",
        "604800000",
        Long,
        Some("log.retention.ms"),
        Some(-1),
    ),
    key(
        "segment.bytes",
        "1073741824",
        Int,
        Some("log.segment.bytes"),
        Some(1_048_576),
    ),
    key(
        "segment.index.bytes",
        "10485760",
        Int,
        Some("log.index.size.max.bytes"),
        Some(4),
    ),
    key(
        "segment.jitter.ms",
        "0",
        Long,
        Some("log.roll.jitter.ms"),
        Some(0),
    ),
    key(
        "segment.ms",
        "604800000",
        Long,
        Some("log.roll.ms"),
        Some(1),
    ),
    key(
        "unclean.leader.election.enable",
        "false",
        Boolean,
        Some("unclean.leader.election.enable"),
        None,
    ),
];

/// Broker configs that the broker itself reads, with Kafka's defaults.
pub const BROKER_CONFIGS: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "true"),
    ("broker.heartbeat.interval.ms", "2000"),
    ("broker.session.timeout.ms", "9000"),
    ("connections.max.idle.ms", "600000"),
    ("default.replication.factor", "1"),
    ("delete.topic.enable", "true"),
    ("fetch.max.bytes", "57671680"),
    ("group.initial.rebalance.delay.ms", "3000"),
    ("group.max.session.timeout.ms", "1800000"),
    ("group.max.size", "2147483647"),
    ("group.min.session.timeout.ms", "6000"),
    ("log.retention.check.interval.ms", "300000"),
    ("max.incremental.fetch.session.cache.slots", "1000"),
    ("num.partitions", "1"),
    ("offset.metadata.max.bytes", "4096"),
    ("offsets.retention.minutes", "10080"),
    ("offsets.topic.num.partitions", "50"),
    ("offsets.topic.replication.factor", "3"),
    ("offsets.topic.segment.bytes", "104857600"),
    ("producer.id.expiration.ms", "86400000"),
    ("queued.max.requests", "500"),
    ("replica.fetch.backoff.ms", "1000"),
    ("replica.fetch.max.bytes", "1048576"),
    ("replica.fetch.min.bytes", "1"),
    ("replica.fetch.response.max.bytes", "10485760"),
    ("replica.fetch.wait.max.ms", "500"),
    ("replica.lag.time.max.ms", "30000"),
    ("replica.socket.timeout.ms", "30000"),
    ("socket.request.max.bytes", "104857600"),
];

/// The topic config of this name.
#[must_use]
pub fn topic_config(name: &str) -> Option<&'static ConfigKey> {
    TOPIC_CONFIGS.iter().find(|key| key.name == name)
}

/// Why a topic config is refused; the text is Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

/// Says whether Kafka accepts `value` for the topic config `name`.
///
/// # Errors
/// With Kafka's own sentence: unknown name, wrong type, out of range.
pub fn check_topic_config(name: &str, value: &str) -> Result<(), ConfigError> {
    let Some(key) = topic_config(name) else {
        return Err(ConfigError(format!("Unknown topic config name: {name}")));
    };
    check_value(key, value)
}

/// Says whether a value is of a config's type and within its own bounds.
pub(crate) fn check_value(key: &ConfigKey, value: &str) -> Result<(), ConfigError> {
    let name = key.name;
    let refuse = |why: String| {
        Err(ConfigError(format!(
            "Invalid value {value} for configuration {name}: {why}"
        )))
    };
    let number = match key.kind {
        Boolean if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") => {
            return Ok(());
        }
        Boolean => return refuse("Expected value to be either true or false".to_string()),
        Int => value
            .trim()
            .parse::<i32>()
            .map(i64::from)
            .map_err(|_| "INT"),
        Long => value.trim().parse::<i64>().map_err(|_| "LONG"),
        Double if is_fraction(value) => return Ok(()),
        Double => Err("DOUBLE"),
        ConfigKind::Short => value
            .trim()
            .parse::<i16>()
            .map(i64::from)
            .map_err(|_| "SHORT"),
        ConfigKind::String | List | ConfigKind::Class | ConfigKind::Password => {
            return check_words(key, value, refuse);
        }
    };
    match (number, key.min) {
        (Err(kind), _) => refuse(format!("Not a number of type {kind}")),
        (Ok(number), Some(min)) if number < min => refuse(format!("Value must be at least {min}")),
        (Ok(_), _) => Ok(()),
    }
}

fn check_words(
    key: &ConfigKey,
    value: &str,
    refuse: impl Fn(String) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    let known = |word: &str| key.choices.is_empty() || key.choices.contains(&word);
    if key.kind == List {
        return match value
            .split(',')
            .map(str::trim)
            .find(|word| !word.is_empty() && !known(word))
        {
            Some(_) => refuse(format!("String must be one of: {}", key.choices.join(", "))),
            None => Ok(()),
        };
    }
    if known(value) {
        Ok(())
    } else {
        refuse(format!("String must be one of: {}", key.choices.join(", ")))
    }
}

fn is_fraction(text: &str) -> bool {
    let digits = text.trim().trim_start_matches('-');
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    !(whole.is_empty() && part.is_empty()) && number(whole) && number(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_in_kafkas_words() {
        let refused = |name, value| check_topic_config(name, value).unwrap_err().0;
        assert_eq!(
            refused("no.such.config", "1"),
            "Unknown topic config name: no.such.config"
        );
        assert_eq!(
            refused("retention.ms", "soon"),
            "Invalid value soon for configuration retention.ms: Not a number of type LONG"
        );
        assert!(check_topic_config("min.cleanable.dirty.ratio", "0.25").is_ok());
        assert!(check_topic_config("cleanup.policy", "compact,delete").is_ok());
        assert!(check_topic_config("cleanup.policy", "shred").is_err());
    }

    #[test]
    fn the_table_is_in_name_order() {
        assert!(
            TOPIC_CONFIGS
                .windows(2)
                .all(|pair| pair[0].name < pair[1].name)
        );
        assert!(BROKER_CONFIGS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
