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

mod config;
mod image;
mod properties;
mod record;

pub use config::{
    BROKER, BROKER_CONFIGS, ConfigError, ConfigKey, ConfigKind, ConfigView, DEFAULT_SOURCE,
    Resolved, Source, TOPIC, TOPIC_CONFIGS, check_topic_config, topic_config,
};
pub use image::{BrokerEntry, Change, Image, Partition, Topic};
pub use properties::parse_properties;
pub use record::{MetadataRecord, NotARecord, records_of};

/// The metadata topic's name; it has one partition.
pub const METADATA_TOPIC: &str = "__cluster_metadata";
/// The topic in which groups keep their offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// The topic in which transactions keep their state.
pub const TRANSACTIONS_TOPIC: &str = "__transaction_state";

/// Whether `topic` belongs to the cluster itself; clients see such topics marked internal.
#[must_use]
pub fn is_internal(topic: &str) -> bool {
    topic == OFFSETS_TOPIC || topic == TRANSACTIONS_TOPIC
}
