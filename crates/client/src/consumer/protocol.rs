//! What members of a classic group tell each other through the coordinator: subscriptions and assignments.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use sorted::SortedMap;
use wire::consumer_protocol_assignment::{self, ConsumerProtocolAssignment};
use wire::consumer_protocol_subscription::ConsumerProtocolSubscription;
use wire::{Message, Reader, Str, Writer};

/// Versions we write: the ones Kafka 4.3's own client writes.
const SUBSCRIPTION_VERSION: i16 = 3;
const ASSIGNMENT_VERSION: i16 = 3;

/// What a member subscribes to, as JoinGroup carries it.
pub(super) fn subscription<'a>(topics: impl Iterator<Item = &'a Arc<str>>) -> Bytes {
    let message = ConsumerProtocolSubscription {
        topics: topics.map(|topic| Str::from(topic.as_ref())).collect(),
        generation_id: -1,
        ..Default::default()
    };
    with_version(SUBSCRIPTION_VERSION, &message)
}

/// The topics a member subscribes to; none when its bytes make no sense.
pub(super) fn subscribed(bytes: &Bytes) -> Vec<Arc<str>> {
    let message = read::<ConsumerProtocolSubscription>(bytes);
    let topics = message.map(|message| message.topics).unwrap_or_default();
    topics
        .iter()
        .map(|topic| Arc::from(topic.as_str()))
        .collect()
}

/// One member's partitions, as SyncGroup carries them.
pub(super) fn assignment(partitions: &SortedMap<Arc<str>, Vec<i32>>) -> Bytes {
    let topic = |(topic, partitions): (&Arc<str>, &Vec<i32>)| {
        consumer_protocol_assignment::TopicPartition {
            topic: Str::from(topic.as_ref()),
            partitions: partitions.clone(),
        }
    };
    let message = ConsumerProtocolAssignment {
        assigned_partitions: partitions.iter().map(topic).collect(),
        ..Default::default()
    };
    with_version(ASSIGNMENT_VERSION, &message)
}

/// The partitions in an assignment; none for an empty one.
#[must_use]
pub(crate) fn assigned(bytes: &Bytes) -> Vec<(Arc<str>, Vec<i32>)> {
    let message = read::<ConsumerProtocolAssignment>(bytes);
    let topics = message
        .map(|message| message.assigned_partitions)
        .unwrap_or_default();
    let topic = |topic: consumer_protocol_assignment::TopicPartition| {
        (Arc::from(topic.topic.as_str()), topic.partitions)
    };
    topics.into_iter().map(topic).collect()
}

fn with_version<M: Message>(version: i16, message: &M) -> Bytes {
    let mut writer = Writer::new();
    writer.i16(version);
    match message.encode(&mut writer, version) {
        Ok(()) => writer.into_bytes().unwrap_or_default(),
        Err(_) => Bytes::new(),
    }
}

/// Reads a message behind its version; a newer version is read as the newest we know, whose fields it
/// begins with (KIP-429).
fn read<M: Message>(bytes: &Bytes) -> Option<M> {
    let mut reader = Reader::new(bytes.clone());
    let version = reader.i16().ok()?;
    M::decode(&mut reader, version.clamp(M::MIN_VERSION, M::MAX_VERSION)).ok()
}
