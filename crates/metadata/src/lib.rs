//! The cluster's metadata: KRaft records and the image they add up to.
//!
//! `__cluster_metadata-0` is a log of small records (KIP-631); replaying it from
//! the start gives the [`Image`]: brokers, topics, partitions, configs. Nothing
//! else holds this state, so the image can be thrown away and built again.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

use alloc::format;
use alloc::string::{String, ToString};
use ids::{TopicNameError, check_topic_name};

mod bootstrap;
mod broker_config;
mod catalog;
mod config;
mod image;
mod properties;
mod record;
mod resource_config;
mod snapshot;
mod view;
mod written;

pub use bootstrap::{BOOTSTRAP_FEATURES, bootstrap_checkpoint};
pub use broker_config::{
    broker_config_kind, broker_config_names, check_broker_config, is_dynamic, is_sensitive,
};
pub use catalog::{Catalog, KnownConfig};
pub use config::{
    BROKER, BROKER_CONFIGS, ConfigError, ConfigKey, ConfigKind, TOPIC, TOPIC_CONFIGS,
    check_topic_config, topic_config,
};
pub use ids::SnapshotId;
pub use image::{BrokerEntry, Change, Configs, Image, Partition, Topic};
pub use properties::parse_properties;
pub use record::{MetadataRecord, NotARecord, records_of};
pub use resource_config::{
    BROKER_LOGGER, CLIENT_METRICS, CLIENT_METRICS_CONFIGS, GROUP, GROUP_CONFIGS,
    check_client_metrics_config, check_group_config,
};
pub use snapshot::Snapshot;
pub use view::{ConfigView, DEFAULT_SOURCE, Resolved, Source};

/// The topic in which groups keep their offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// The topic in which transactions keep their state.
pub const TRANSACTIONS_TOPIC: &str = "__transaction_state";

/// Why a topic cannot have this name, in Kafka's words.
#[must_use]
pub fn topic_name_refusal(name: &str) -> Option<String> {
    let why = match check_topic_name(name).err()? {
        TopicNameError::Empty => "the empty string is not allowed".to_string(),
        TopicNameError::Dots => format!("'{name}' is not allowed"),
        TopicNameError::TooLong => {
            format!("the length of '{name}' is longer than the max allowed length 249")
        }
        TopicNameError::BadCharacter => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
    };
    Some(format!("Topic name is invalid: {why}"))
}

/// Whether `topic` belongs to the cluster itself; clients see such topics marked internal.
#[must_use]
pub fn is_internal(topic: &str) -> bool {
    topic == OFFSETS_TOPIC || topic == TRANSACTIONS_TOPIC
}
