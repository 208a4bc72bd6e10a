//! Configs of groups (KIP-848, KIP-932, KIP-1071) and of client metrics (KIP-714). They are kept and told; no
//! group or client here acts on them yet.

use crate::config::ConfigKind::{Boolean, Int, List, String as Text};
use crate::config::{ConfigError, ConfigKey, check_value, key};
use crate::view::ConfigView;
use alloc::format;
use alloc::string::{String, ToString};

/// Resource type of a broker's loggers, as `DescribeConfigs` numbers them.
pub const BROKER_LOGGER: i8 = 8;
/// Resource type of a subscription to clients' metrics.
pub const CLIENT_METRICS: i8 = 16;
/// Resource type of a group's configs.
pub const GROUP: i8 = 32;

/// Every config that a group can have in Kafka 4.3, in name order.
#[rustfmt::skip]
pub const GROUP_CONFIGS: &[ConfigKey] = &[
    key("consumer.assignment.interval.ms", "1000", Int, Some("group.consumer.assignment.interval.ms"), Some(0)),
    key("consumer.heartbeat.interval.ms", "5000", Int, Some("group.consumer.heartbeat.interval.ms"), Some(1)),
    key("consumer.session.timeout.ms", "45000", Int, Some("group.consumer.session.timeout.ms"), Some(1)),
    key("share.assignment.interval.ms", "1000", Int, Some("group.share.assignment.interval.ms"), Some(0)),
    key("share.auto.offset.reset", "latest", Text, None, None),
    key("share.delivery.count.limit", "5", Int, Some("group.share.delivery.count.limit"), Some(2)),
    key("share.heartbeat.interval.ms", "5000", Int, Some("group.share.heartbeat.interval.ms"), Some(1)),
    ConfigKey {
        choices: &["read_committed", "read_uncommitted"],
        ..key("share.isolation.level", "read_uncommitted", Text, None, None)
    },
    key("share.partition.max.record.locks", "2000", Int, Some("group.share.partition.max.record.locks"), Some(100)),
    key("share.record.lock.duration.ms", "30000", Int, Some("group.share.record.lock.duration.ms"), Some(1000)),
    key("share.renew.acknowledge.enable", "true", Boolean, None, None),
    key("share.session.timeout.ms", "45000", Int, Some("group.share.session.timeout.ms"), Some(1)),
    key("streams.assignment.interval.ms", "1000", Int, Some("group.streams.assignment.interval.ms"), Some(0)),
    key("streams.heartbeat.interval.ms", "5000", Int, Some("group.streams.heartbeat.interval.ms"), Some(1)),
    key("streams.initial.rebalance.delay.ms", "3000", Int, Some("group.streams.initial.rebalance.delay.ms"), Some(0)),
    key("streams.num.standby.replicas", "0", Int, Some("group.streams.num.standby.replicas"), Some(0)),
    key("streams.session.timeout.ms", "45000", Int, Some("group.streams.session.timeout.ms"), Some(1)),
];

/// Every config of a subscription to clients' metrics, in name order.
pub const CLIENT_METRICS_CONFIGS: &[ConfigKey] = &[
    key("interval.ms", "300000", Int, None, None),
    key("match", "", List, None, None),
    key("metrics", "", List, None, None),
];

/// What brokers allow their groups: the end of a config's name, the least, the most.
const ALLOWED: &[(&str, i64, i64)] = &[
    (".session.timeout.ms", 45_000, 60_000),
    (".heartbeat.interval.ms", 5000, 15_000),
    (".assignment.interval.ms", 0, 15_000),
    (".delivery.count.limit", 2, 10),
    (".partition.max.record.locks", 100, 4000),
    (".record.lock.duration.ms", 15_000, 60_000),
    (".num.standby.replicas", 0, 2),
];

/// Says whether Kafka accepts `value` for the group config `name`.
///
/// # Errors
/// With Kafka's own sentence: unknown name, wrong type, out of the bounds that the brokers set.
pub fn check_group_config(
    view: &ConfigView<'_>,
    name: &str,
    value: &str,
) -> Result<(), ConfigError> {
    let Some(key) = GROUP_CONFIGS.iter().find(|key| key.name == name) else {
        return Err(ConfigError(format!("Unknown group config name: {name}")));
    };
    check_value(key, value)?;
    if name == "share.auto.offset.reset" && !is_offset_reset(value) {
        return Err(ConfigError(format!(
            "Invalid value {value} for configuration {name}: Invalid value `{value}` for configuration {name}. The \
             value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
        )));
    }
    let allowed = ALLOWED.iter().find(|(end, _, _)| name.ends_with(end));
    let (Some((end, least, most)), Ok(number)) = (allowed, value.trim().parse::<i64>()) else {
        return Ok(());
    };
    let kind = name.strip_suffix(end).unwrap_or_default();
    // The one bound that is named otherwise, and has no lower one.
    let end = end.strip_prefix(".num").unwrap_or(end);
    let bound = |word: &str, default: i64| {
        let bound = format!("group.{kind}.{word}{end}");
        let set = view.broker_text(&bound).and_then(|text| text.parse().ok());
        (bound, set.unwrap_or(default))
    };
    let refuse = |than: &str, bound: &str| {
        Err(ConfigError(format!(
            "{name} must be {than} than or equal to {bound}"
        )))
    };
    match (bound("min", *least), bound("max", *most)) {
        ((bound, least), _) if number < least => refuse("greater", &bound),
        (_, (bound, most)) if number > most => refuse("less", &bound),
        _ => Ok(()),
    }
}

/// The earliest or latest offset, or that of some time ago (ISO 8601).
fn is_offset_reset(value: &str) -> bool {
    let ago = value.strip_prefix("by_duration:");
    let is_duration = |text: &str| text.len() > 2 && text.starts_with('P');
    value == "earliest" || value == "latest" || ago.is_some_and(is_duration)
}

/// What of a client a subscription may ask for.
const MATCHES: &[&str] = &[
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// Says whether Kafka accepts `value` for the client metrics config `name`. Whether a pattern is a regular
/// expression is not looked at.
///
/// # Errors
/// With Kafka's own sentence, and whether it is about the config rather than the request.
pub fn check_client_metrics_config(name: &str, value: &str) -> Result<(), (bool, String)> {
    let Some(key) = CLIENT_METRICS_CONFIGS.iter().find(|key| key.name == name) else {
        let why = format!("Unknown client metrics configuration: {name}");
        return Err((false, why));
    };
    check_value(key, value).map_err(|why| (true, why.0))?;
    match name {
        "interval.ms" => match value.trim().parse::<i64>() {
            Ok(100..=3_600_000) => Ok(()),
            _ => Err((
                false,
                format!(
                    "Invalid value {value} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
                ),
            )),
        },
        "match" => {
            let known = |part: &str| {
                let (property, pattern) = part.split_once('=').unwrap_or((part, ""));
                MATCHES.contains(&property.trim()) && !pattern.trim().is_empty()
            };
            let mut parts = value.split(',').filter(|part| !part.trim().is_empty());
            match parts.find(|part| !known(part)) {
                Some(part) => Err((true, "Illegal client matching pattern: ".to_string() + part)),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
