//! Which partition a record without one goes to.

use crate::net::Topic;
use crate::partitioner::{RoundRobin, Sticky, partition_for_key};
use alloc::vec::Vec;
use ids::{PartitionIndex, Rng};

/// How records without a partition get one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Partitioner {
    /// By the key's hash; without a key, `batch.size` bytes to one partition and then to another by
    /// chance (KIP-794). Kafka's default.
    #[default]
    Default,
    /// One after the other, whatever the key.
    RoundRobin,
    /// As `Default` does without a key, whatever the key (`partitioner.ignore.keys`).
    Sticky,
}

/// What choosing for one topic has to remember.
#[derive(Clone, Debug)]
pub(super) struct Chooser {
    sticky: Sticky,
    turns: RoundRobin,
}

impl Chooser {
    pub(super) fn new(batch_size: u32) -> Chooser {
        Chooser {
            sticky: Sticky::new(batch_size),
            turns: RoundRobin::default(),
        }
    }

    /// The partition, out of those of `topic`, of which there is at least one.
    pub(super) fn choose(
        &mut self,
        partitioner: Partitioner,
        key: Option<&[u8]>,
        topic: &Topic,
        rng: &mut Rng,
    ) -> i32 {
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let chosen = match (partitioner, key) {
            (Partitioner::Default, Some(key)) => partition_for_key(key, count),
            (Partitioner::RoundRobin, _) => self.turns.partition(count, &available(topic)),
            (Partitioner::Default, None) | (Partitioner::Sticky, _) => {
                self.sticky.partition(count, &available(topic), rng)
            }
        };
        chosen.0
    }

    /// Takes note that a record without a key added `bytes`, and whether that filled a batch.
    pub(super) fn sent(&mut self, bytes: u64, batch_is_full: bool) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.sticky.appended(bytes, batch_is_full);
    }
}

/// The partitions with a leader; empty, which means any, when all have one.
fn available(topic: &Topic) -> Vec<PartitionIndex> {
    if topic
        .partitions
        .iter()
        .all(|partition| partition.leader.is_some())
    {
        return Vec::new();
    }
    let numbered = (0..).zip(&topic.partitions);
    let led = numbered.filter(|(_, partition)| partition.leader.is_some());
    led.map(|(index, _)| PartitionIndex(index)).collect()
}
