//! Where replicas go: over the racks in turn, in each rack over its brokers in turn (KIP-36, KIP-631).
//!
//! Leaders so spread evenly over racks, and no two replicas share a rack while another is free. A fenced broker
//! may get a replica, but never the first.

use crate::controller::Controller;
use crate::partition_change::{Brokers, numbers};
use crate::room::Room;
use crate::topics::{Refusal, refuse, take};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId, Rng, Uuid};
use metadata::MetadataRecord;
use sorted::SortedMap;
use wire::partition_record::PartitionRecord;

/// Brokers that take replicas in turn.
#[derive(Default)]
struct Turn {
    brokers: Vec<NodeId>,
    /// The partition for which brokers were last asked for.
    partition: Option<usize>,
    /// How many it has got.
    given: usize,
    /// Where its first was.
    start: usize,
}

impl Turn {
    fn begin(&mut self, rng: &mut Rng) {
        self.start = below(rng, self.brokers.len());
    }

    fn shuffle(&mut self, rng: &mut Rng) {
        shuffle(&mut self.brokers, rng);
        self.partition = None;
    }

    /// The next broker for a partition; `None` when it has them all.
    fn next(&mut self, partition: usize) -> Option<NodeId> {
        if self.partition != Some(partition) {
            self.start += usize::from(self.partition.is_some());
            self.partition = Some(partition);
            self.given = 0;
        }
        if self.given >= self.brokers.len() {
            return None;
        }
        self.given += 1;
        Some(self.brokers[(self.start + self.given - 1) % self.brokers.len()])
    }
}

#[derive(Default)]
struct Rack {
    live: Turn,
    fenced: Turn,
}

/// Places the replicas of one request's partitions.
pub(crate) struct Placer {
    racks: Vec<Rack>,
    /// The rack of the next partition's first replica.
    rack: usize,
    /// Partitions since all was shuffled.
    placed: usize,
    live: usize,
    rng: Rng,
}

impl Placer {
    /// Over brokers in order of their ids: their racks, and whether they are fenced.
    pub(crate) fn new<'a>(
        brokers: impl Iterator<Item = (NodeId, Option<&'a Arc<str>>, bool)>,
        mut rng: Rng,
    ) -> Placer {
        let mut racks: SortedMap<Option<&Arc<str>>, Rack> = SortedMap::new();
        let mut live = 0;
        for (node, rack, fenced) in brokers {
            let rack = racks.entry(rack).or_default();
            live += usize::from(!fenced);
            match fenced {
                true => rack.fenced.brokers.push(node),
                false => rack.live.brokers.push(node),
            }
        }
        let mut racks: Vec<Rack> = racks.into_values().collect();
        for rack in &mut racks {
            rack.live.begin(&mut rng);
            rack.fenced.begin(&mut rng);
        }
        Placer {
            rack: below(&mut rng, racks.len()),
            racks,
            placed: 0,
            live,
            rng,
        }
    }

    fn brokers(&self) -> usize {
        let racks = self.racks.iter();
        racks
            .map(|rack| rack.live.brokers.len() + rack.fenced.brokers.len())
            .sum()
    }

    /// Whether there are as many brokers, and one that lives.
    ///
    /// # Errors
    /// 38 with Kafka's sentence.
    pub(crate) fn check(&self, factor: i16) -> Result<(), Refusal> {
        let why = match (self.live, self.brokers()) {
            (0, _) => {
                "All brokers are currently fenced, or have all their log directories cordoned."
                    .into()
            }
            (_, brokers) if usize::try_from(factor).unwrap_or(0) > brokers => format!(
                "The target replication factor of {factor} cannot be reached because only {brokers} broker(s) are \
                 registered or some brokers have all their log directories cordoned."
            ),
            _ => return Ok(()),
        };
        let why = format!("Unable to replicate the partition {factor} time(s): {why}");
        refuse(ErrorCode::INVALID_REPLICATION_FACTOR, why)
    }

    /// The replicas of the next partition; [`Placer::check`] has said that there are as many.
    pub(crate) fn place(&mut self, factor: usize) -> Vec<NodeId> {
        if self.placed == self.live {
            shuffle(&mut self.racks, &mut self.rng);
            for rack in &mut self.racks {
                rack.live.shuffle(&mut self.rng);
                rack.fenced.shuffle(&mut self.rng);
            }
            self.placed = 0;
        }
        let (partition, count) = (self.placed, self.racks.len());
        self.placed += 1;
        let begin = self.rack % count;
        self.rack = begin + 1;
        let mut replicas = Vec::with_capacity(factor);
        let mut first_rack = None;
        for at in (0..count).map(|step| (begin + step) % count) {
            if let Some(node) = self.racks[at].live.next(partition) {
                replicas.push(node);
                first_rack = Some(at);
                break;
            }
        }
        let mut at = begin;
        // Every turn over the racks finds a broker or is the last one.
        let mut fruitless = 0;
        while replicas.len() < factor && fruitless <= count {
            // The rack of the first replica is passed over once.
            let found = match first_rack == Some(at) {
                true => {
                    first_rack = None;
                    None
                }
                false => {
                    let rack = &mut self.racks[at];
                    (rack.live.next(partition)).or_else(|| rack.fenced.next(partition))
                }
            };
            fruitless = if found.is_some() { 0 } else { fruitless + 1 };
            replicas.extend(found);
            at = (at + 1) % count;
        }
        replicas
    }
}

fn below(rng: &mut Rng, count: usize) -> usize {
    rng.below(count as u64) as usize
}

fn shuffle<T>(all: &mut [T], rng: &mut Rng) {
    for last in (1..all.len()).rev() {
        all.swap(last, below(rng, last + 1));
    }
}

impl Controller {
    /// Places so many partitions.
    pub(crate) fn place(
        &mut self,
        partitions: i32,
        factor: i16,
        room: &mut Room,
    ) -> Result<Vec<Vec<NodeId>>, Refusal> {
        let rng = self.rng.fork();
        let brokers = self.image.brokers().iter().filter_map(|(node, entry)| {
            let stops = !entry.fenced && self.is_stopping(*node);
            (!stops).then_some((*node, entry.rack.as_ref(), entry.fenced))
        });
        let mut placer = Placer::new(brokers, rng);
        placer.check(factor)?;
        let count = usize::try_from(partitions).unwrap_or(usize::MAX);
        take(room, count)?;
        let factor = usize::try_from(factor).unwrap_or(0);
        Ok((0..count).map(|_| placer.place(factor)).collect())
    }

    /// Whether a list of replicas given by hand can be one.
    ///
    /// # Errors
    /// 39 with Kafka's sentence.
    pub(crate) fn check_replicas(
        &self,
        replicas: &[i32],
        factor: Option<usize>,
    ) -> Result<(), Refusal> {
        const INVALID: ErrorCode = ErrorCode::INVALID_REPLICA_ASSIGNMENT;
        const THE: &str = "The manual partition assignment includes";
        if replicas.is_empty() {
            return refuse(INVALID, format!("{THE} an empty replica list."));
        }
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        let mut last = None;
        for id in sorted {
            if !self.image.brokers().contains_key(&NodeId(id)) {
                let why = format!("{THE} broker {id}, but no such broker is registered.");
                return refuse(INVALID, why);
            }
            if last == Some(id) {
                return refuse(INVALID, format!("{THE} the broker {id} more than once."));
            }
            last = Some(id);
        }
        match (replicas.len(), factor) {
            (count, Some(factor)) if count != factor => refuse(
                INVALID,
                format!(
                    "{THE} a partition with {count} replica(s), but this is not consistent with previous \
                     partitions, which have {factor} replica(s)."
                ),
            ),
            _ => Ok(()),
        }
    }

    /// The record of a new partition: who serves is in sync, and the first of those leads.
    pub(crate) fn new_partition(
        &self,
        topic_id: Uuid,
        index: i32,
        replicas: &[NodeId],
        by_hand: bool,
    ) -> Result<MetadataRecord, Refusal> {
        let mut isr = replicas.to_vec();
        isr.retain(|node| self.is_active(*node));
        let Some(leader) = isr.first() else {
            let (code, why) = match by_hand {
                true => (
                    ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                    format!(
                        "All brokers specified in the manual partition assignment for partition {index} are \
                         fenced or in controlled shutdown."
                    ),
                ),
                false => (
                    ErrorCode::INVALID_REPLICATION_FACTOR,
                    format!(
                        "Unable to replicate the partition {} time(s): All brokers are currently fenced or in \
                         controlled shutdown.",
                        replicas.len()
                    ),
                ),
            };
            return refuse(code, why);
        };
        let brokers = self.brokers_now();
        let directory = |node: &NodeId| brokers.directory(*node);
        Ok(MetadataRecord::Partition(PartitionRecord {
            partition_id: index,
            topic_id,
            leader: leader.0,
            leader_epoch: 0,
            partition_epoch: 0,
            directories: replicas.iter().map(directory).collect(),
            replicas: numbers(replicas),
            isr: numbers(&isr),
            ..PartitionRecord::default()
        }))
    }
}
