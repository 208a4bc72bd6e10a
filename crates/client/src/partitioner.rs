//! Which partition a record goes to.
//!
//! A record with a key goes where the hash of the key says, so that equal keys
//! stay in order. One without goes to the partition that is being filled
//! ([`Sticky`], KIP-794), or to each in turn ([`RoundRobin`]).

use ids::{PartitionIndex, Rng};

/// Kafka's hash of a record's key: `MurmurHash2` with the seed 0x9747b28c.
#[must_use]
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // The length enters the hash as Java's 32-bit one.
    let mut hash = SEED ^ data.len() as u32;
    let words = data.chunks_exact(4);
    let tail = words.remainder();
    for word in words {
        let mut k = little_endian(word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        hash = (hash ^ little_endian(tail)).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ hash >> 15).cast_signed()
}

/// Up to four bytes as a number, the lowest first.
fn little_endian(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |word, &byte| word << 8 | u32::from(byte))
}

/// The partition of a keyed record, for a topic of `partitions` partitions.
///
/// All partitions count, whether they have a leader or not. A topic without
/// partitions gives 0.
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: i32) -> PartitionIndex {
    explain(key, partitions).partition
}

/// How a key leads to its partition, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// [`murmur2`] of the key.
    pub hash: i32,
    /// The hash without its sign bit.
    pub positive: i32,
    /// Number of partitions it is divided by.
    pub partitions: i32,
    /// The remainder: where the record goes.
    pub partition: PartitionIndex,
}

/// [`partition_for_key`] with its steps.
#[must_use]
pub fn explain(key: &[u8], partitions: i32) -> Explanation {
    let hash = murmur2(key);
    let positive = hash & i32::MAX;
    Explanation {
        hash,
        positive,
        partitions,
        partition: PartitionIndex(positive.checked_rem(partitions.max(1)).unwrap_or(0)),
    }
}

/// Chooses for records without a key: fills one partition with about a batch,
/// then goes to a random other one (uniform sticky, KIP-794). One per topic.
#[derive(Clone, Debug)]
pub struct Sticky {
    batch_size: u64,
    current: Option<PartitionIndex>,
    /// Bytes that went to the current partition.
    filled: u64,
}

impl Sticky {
    /// `batch_size` is the producer's `batch.size`, in bytes.
    #[must_use]
    pub fn new(batch_size: u32) -> Sticky {
        Sticky {
            batch_size: u64::from(batch_size.max(1)),
            current: None,
            filled: 0,
        }
    }

    /// Where the next record goes.
    ///
    /// `available` are the partitions that have a leader; if there are none, any of
    /// the topic's `partitions` will do.
    pub fn partition(
        &mut self,
        partitions: i32,
        available: &[PartitionIndex],
        rng: &mut Rng,
    ) -> PartitionIndex {
        if let Some(current) = self.current.filter(|current| current.0 < partitions) {
            return current;
        }
        let next = match available.len() as u64 {
            0 => PartitionIndex(rng.below(u64::from(partitions.max(0).cast_unsigned())) as i32),
            count => available[rng.below(count) as usize],
        };
        self.current = Some(next);
        self.filled = 0;
        next
    }

    /// A record of `bytes` bytes went to the current partition.
    ///
    /// Moves on after a batch's worth, but rather between batches than amid one:
    /// `batch_is_ready` says that no open batch is left to fill. Twice a batch's
    /// worth is the limit.
    pub fn appended(&mut self, bytes: u32, batch_is_ready: bool) {
        self.filled = self.filled.saturating_add(u64::from(bytes));
        let enough = self.filled >= self.batch_size && batch_is_ready;
        if enough || self.filled >= self.batch_size.saturating_mul(2) {
            self.current = None;
        }
    }
}

/// Chooses each available partition in turn. One per topic.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    next: u32,
}

impl RoundRobin {
    /// Where the next record goes; arguments as for [`Sticky::partition`].
    pub fn partition(&mut self, partitions: i32, available: &[PartitionIndex]) -> PartitionIndex {
        let turn = self.next;
        // Stays below 2^31, as Kafka's counter with its sign bit taken off.
        self.next = turn.wrapping_add(1) & i32::MAX.cast_unsigned();
        match u32::try_from(available.len()).unwrap_or(u32::MAX) {
            0 => PartitionIndex((turn % partitions.max(1).cast_unsigned()).cast_signed()),
            count => available[(turn % count) as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RoundRobin, Sticky, explain, partition_for_key};
    use alloc::vec::Vec;
    use ids::{PartitionIndex, Rng};

    #[test]
    fn keys_go_where_kafka_puts_them() {
        let mut seen = 0;
        let recorded = vectors::text("partitioners-and-assignors.txt");
        let lines = recorded
            .lines()
            .skip_while(|line| *line != "== murmur2")
            .skip(1);
        for line in lines {
            let (key, numbers) = line.split_once(" -> ").expect("key -> numbers");
            let numbers: Vec<i32> = numbers
                .split(' ')
                .map(|n| {
                    n.rsplit('=')
                        .next()
                        .and_then(|n| n.parse().ok())
                        .expect("a number")
                })
                .collect();
            let key = key.as_bytes();
            let told = explain(key, 3);
            let [p3, p6, p12] = [3, 6, 12].map(|n| partition_for_key(key, n).0);
            assert_eq!(
                [told.hash, told.positive, p3, p6, p12],
                numbers[..],
                "{line}"
            );
            seen += 1;
        }
        assert_eq!(seen, 14);
    }

    #[test]
    fn a_topic_without_partitions_does_no_harm() {
        assert_eq!(partition_for_key(b"key", 0), PartitionIndex(0));
        assert_eq!(partition_for_key(b"key", -5), PartitionIndex(0));
        let mut sticky = Sticky::new(0);
        assert_eq!(
            sticky.partition(0, &[], &mut Rng::new(1)),
            PartitionIndex(0)
        );
        assert_eq!(RoundRobin::default().partition(0, &[]), PartitionIndex(0));
    }

    #[test]
    fn sticky_stays_until_a_batch_is_full_and_none_is_open() {
        let mut rng = Rng::new(3);
        let mut sticky = Sticky::new(100);
        let first = sticky.partition(1_000_000, &[], &mut rng);
        sticky.appended(99, true);
        assert_eq!(sticky.partition(1_000_000, &[], &mut rng), first);
        sticky.appended(1, false);
        assert_eq!(
            sticky.partition(1_000_000, &[], &mut rng),
            first,
            "amid a batch"
        );
        sticky.appended(1, true);
        let second = sticky.partition(1_000_000, &[], &mut rng);
        assert_ne!(second, first);
        sticky.appended(200, false);
        assert_ne!(
            sticky.partition(1_000_000, &[], &mut rng),
            second,
            "twice a batch"
        );
    }

    #[test]
    fn sticky_goes_evenly_to_available_partitions_only() {
        let mut rng = Rng::new(9);
        let mut sticky = Sticky::new(1);
        let available = [1, 4].map(PartitionIndex);
        let mut counts = [0; 6];
        for _ in 0..1_000 {
            counts[sticky.partition(6, &available, &mut rng).0 as usize] += 1;
            sticky.appended(1, true);
        }
        assert_eq!(counts[1] + counts[4], 1_000);
        assert!((400..600).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn round_robin_takes_turns() {
        let mut turns = RoundRobin::default();
        let all: Vec<i32> = (0..5).map(|_| turns.partition(3, &[]).0).collect();
        assert_eq!(all, [0, 1, 2, 0, 1]);
        let available = [7, 8].map(PartitionIndex);
        assert_eq!(turns.partition(9, &available), PartitionIndex(8));
        assert_eq!(turns.partition(9, &available), PartitionIndex(7));
    }
}
