//! What must hold of a cluster, judged by what happens in it.
//!
//! The rules are spectators: they are told facts, compare them with what they were told before, and say what
//! is broken. None reaches into a broker or changes anything, so a world with them is the same world, event
//! by event; without them they cost a comparison a step. A rule is a small file, named after what it says.

mod batches;
mod below_bound;
mod committed_immutable;
mod crash_prefix;
mod epoch_monotone;
mod high_watermark_monotone;
mod known;
mod leader_epoch_new;
mod no_truncation_of_committed;
mod offset_order;
mod retention_safe;
mod sequence_contiguous;
mod strict_offsets;
mod telling;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use cluster::LogId;
use core::fmt;
use ids::{NodeId, Offset, Time, TopicIdPartition};
use known::Known;
use sorted::SortedMap;

pub(crate) use batches::Batch;

/// A rule that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// The rule.
    pub rule: &'static str,
    /// When.
    pub at: Time,
    /// Whose replica.
    pub node: NodeId,
    /// Of which partition.
    pub name: TopicIdPartition,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken {
            rule,
            node,
            name,
            what,
            ..
        } = self;
        write!(f, "{rule}: {name} of broker {node}: {what}")
    }
}

/// The offsets of a replica: `start <= stable <= high watermark <= end`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Bounds {
    pub(crate) start: Offset,
    pub(crate) stable: Offset,
    pub(crate) high_watermark: Offset,
    /// Where what is on the disk ends.
    pub(crate) stored: Offset,
    pub(crate) end: Offset,
    /// Whether the replica leads.
    pub(crate) is_led: bool,
}

/// Something that happened to a replica.
#[derive(Debug)]
pub(crate) enum Fact<'a> {
    /// Its node has started and found these batches; `bounds` are those of what was recovered.
    Began {
        bounds: Bounds,
        /// Bases and lengths.
        segments: &'a [(Offset, u32)],
        batches: &'a [Batch],
        /// Some of it is not in memory, so `batches` are not all there are.
        is_vague: bool,
    },
    /// Its node is gone, and of its files at least what lies below `keeps` is left; nothing from before
    /// `start` is.
    Ended { keeps: Offset, start: Offset },
    /// Its disk has lost or changed something.
    Damaged,
    /// It has appended a batch.
    Appended(&'a Batch),
    /// It has cut a segment.
    Truncated { segment: Offset, position: u32 },
    /// It has begun a segment.
    Rolled { segment: Offset },
    /// It has deleted a segment.
    Deleted { segment: Offset },
    /// These are its offsets now.
    Bounds(Bounds),
    /// A client was sent records up to this offset.
    Delivered { end: Offset },
}

/// What a rule says of a fact, before the fact is part of what is known.
type Judged = Result<(), String>;
type Rule = (&'static str, fn(&Known, &Fact<'_>) -> Judged);

const RULES: &[Rule] = &[
    ("OffsetOrder", offset_order::judge),
    ("StrictOffsets", strict_offsets::judge),
    ("EpochMonotone", epoch_monotone::judge),
    ("LeaderEpochNew", leader_epoch_new::judge),
    ("HighWatermarkMonotone", high_watermark_monotone::judge),
    ("NoTruncationOfCommitted", no_truncation_of_committed::judge),
    ("CommittedImmutable", committed_immutable::judge),
    ("BelowBound", below_bound::judge),
    ("SequenceContiguous", sequence_contiguous::judge),
    ("RetentionSafe", retention_safe::judge),
    ("CrashPrefix", crash_prefix::judge),
];

/// All rules with what they know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    /// Replicas of nodes that run, by the ids that those have given them.
    running: SortedMap<(NodeId, LogId), Known>,
    /// Replicas of nodes that do not.
    resting: SortedMap<(NodeId, TopicIdPartition), Known>,
    /// The first fact that broke it, of each rule.
    broken: SortedMap<&'static str, Broken>,
    /// How many steps of nodes were seen.
    steps: u32,
}

impl Checks {
    pub(crate) fn broken(&self) -> impl Iterator<Item = &Broken> {
        self.broken.values()
    }

    /// A replica gets the id by which it is called while its node runs.
    fn opened(&mut self, node: NodeId, log: LogId, name: &TopicIdPartition) {
        // What a damaged disk did not find again begins anew.
        let known = self.resting.remove(&(node, name.clone()));
        let known = known.filter(|known| !known.is_damaged);
        let known = known.unwrap_or_else(|| Known::new(node, name.clone()));
        self.running.insert((node, log), known);
    }

    fn removed(&mut self, node: NodeId, log: LogId) {
        self.running.remove(&(node, log));
    }

    /// Something happened to a replica of a node that runs.
    fn tell(&mut self, now: Time, node: NodeId, log: LogId, fact: &Fact<'_>) {
        if let Some(known) = self.running.get_mut(&(node, log)) {
            judge(&mut self.broken, now, known, fact);
        }
    }

    /// Something happened to a replica of a node that does not run.
    fn tell_resting(&mut self, now: Time, node: NodeId, name: &TopicIdPartition, fact: &Fact<'_>) {
        let known = (self.resting)
            .entry((node, name.clone()))
            .or_insert_with(|| Known::new(node, name.clone()));
        judge(&mut self.broken, now, known, fact);
    }

    /// A node is gone; `left` says up to where its disk has a replica for certain, and from where on.
    fn ended(
        &mut self,
        now: Time,
        node: NodeId,
        left: impl Fn(&TopicIdPartition, &Bounds) -> (Offset, Offset),
    ) {
        let gone: Vec<LogId> = (self
            .running
            .range((node, LogId(0))..=(node, LogId(u32::MAX))))
        .map(|((_, log), _)| *log)
        .collect();
        for log in gone {
            if let Some(mut known) = self.running.remove(&(node, log)) {
                let (keeps, start) = left(&known.name, &known.bounds);
                let fact = Fact::Ended { keeps, start };
                judge(&mut self.broken, now, &mut known, &fact);
                self.resting.insert((node, known.name.clone()), known);
            }
        }
    }

    /// The disk of a node has lost or changed something.
    fn damaged(&mut self, now: Time, node: NodeId) {
        let running = self.running.iter_mut().filter(|((of, _), _)| *of == node);
        let resting = self.resting.iter_mut().filter(|((of, _), _)| *of == node);
        let all = (running.map(|(_, known)| known)).chain(resting.map(|(_, known)| known));
        for known in all {
            judge(&mut self.broken, now, known, &Fact::Damaged);
        }
    }
}

fn judge(
    broken: &mut SortedMap<&'static str, Broken>,
    now: Time,
    known: &mut Known,
    fact: &Fact<'_>,
) {
    for (rule, judge) in RULES {
        if let Err(what) = judge(known, fact)
            && !broken.contains_key(rule)
        {
            let found = Broken {
                rule,
                at: now,
                node: known.node,
                name: known.name.clone(),
                what,
            };
            broken.insert(rule, found);
        }
    }
    known.learn(fact);
}
