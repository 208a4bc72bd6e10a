use crate::{PartitionIndex, Uuid};
use alloc::sync::Arc;
use core::fmt;

/// A topic's name with a partition's number, as people write it: `orders-3`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: PartitionIndex,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Name of the topic whose only partition is the metadata log.
pub const METADATA_TOPIC: &str = "__cluster_metadata";

/// A partition with its topic's id, which no other topic of that name ever has: whose log a log is, on
/// every node and for as long as there are disks. Shown as its directory is named.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicIdPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's id.
    pub topic_id: Uuid,
    /// The partition's number.
    pub partition: PartitionIndex,
}

impl TopicIdPartition {
    /// `__cluster_metadata-0`.
    #[must_use]
    pub fn metadata() -> TopicIdPartition {
        TopicIdPartition {
            topic: Arc::from(METADATA_TOPIC),
            topic_id: Uuid::METADATA_TOPIC,
            partition: PartitionIndex(0),
        }
    }

    /// Whether it is `__cluster_metadata-0`.
    #[must_use]
    pub fn is_metadata(&self) -> bool {
        self.topic_id == Uuid::METADATA_TOPIC
    }
}

impl fmt::Display for TopicIdPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Why a topic name is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopicNameError {
    /// The name is empty.
    Empty,
    /// The name is `.` or `..`.
    Dots,
    /// The name is longer than 249 characters.
    TooLong,
    /// A character other than ASCII letters, digits, `.`, `_` and `-`.
    BadCharacter,
}

/// Says whether Kafka accepts `name` for a topic; an accepted name is safe in a path.
///
/// # Errors
/// The first of Kafka's rules that the name breaks.
pub fn check_topic_name(name: &str) -> Result<(), TopicNameError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name {
        "" => Err(TopicNameError::Empty),
        "." | ".." => Err(TopicNameError::Dots),
        _ if name.chars().count() > 249 => Err(TopicNameError::TooLong),
        _ if !name.chars().all(legal) => Err(TopicNameError::BadCharacter),
        _ => Ok(()),
    }
}
