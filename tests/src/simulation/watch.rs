//! What must hold at every moment of a life.

use super::Checked;
use ids::{NodeId, Offset, Time};
use log::{Log, Read};
use records::{BatchView, Batches};
use std::collections::{BTreeMap, BTreeSet};
use world::{GroupView, World};

/// The topics of a life.
pub(super) const TOPICS: [&str; 3] = ["orders", "short", "cut"];
/// `retention.ms` of `short`.
pub(super) const RETENTION_MS: i64 = 4_000;
/// `max.incremental.fetch.session.cache.slots`.
pub(super) const SESSIONS_MAX: usize = 2;
/// How long a request may wait for the controller, which is in the same process, in milliseconds.
const FORWARDED_MS: u64 = 5_000;
/// Bytes of a log read in one go.
const READ_BYTES: u32 = 8 << 20;
/// Looks of which one is at the groups, too.
const SNAPSHOT_LOOKS: u64 = 4;

type Name = (&'static str, i32);

/// A batch that has been committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Committed {
    last: i64,
    crc: u32,
    epoch: i32,
    timestamp: i64,
}

/// What is known of a partition.
#[derive(Default)]
struct Known {
    /// Batches below the high watermark, by base offset.
    batches: BTreeMap<i64, Committed>,
    start: i64,
    /// The highest high watermark there ever was.
    end: i64,
    /// That of the present life.
    high_watermark: i64,
    leader_epoch: i32,
    /// That of the life before.
    old_epoch: Option<i32>,
    /// The broker was killed: what was committed is looked at once more.
    unproven: bool,
}

/// Member id, topic, partition.
type Shares = BTreeSet<(String, String, i32)>;

/// What is known of a group.
#[derive(Default)]
struct Group {
    generation: i32,
    /// Who reads what in the stable generation.
    shares: Option<(i32, Shares)>,
    committed: BTreeMap<(String, i32), i64>,
    /// Its positions were moved by hand.
    moved: bool,
}

/// Remembers what has been seen and compares.
#[derive(Default)]
pub(super) struct Watch {
    partitions: BTreeMap<Name, Known>,
    groups: BTreeMap<String, Group>,
    /// Bytes that all logs may come to.
    room: Option<u64>,
    /// Since when requests have been waiting for the controller.
    forwarded: Option<Time>,
    looks: u64,
}

impl Watch {
    /// The disk has an end.
    pub(super) fn has_room_for(&mut self, bytes: Option<u64>) {
        self.room = bytes;
    }

    /// The broker is killed.
    pub(super) fn killed(&mut self) {
        for known in self.partitions.values_mut() {
            known.unproven = true;
            known.old_epoch = Some(known.leader_epoch);
            known.high_watermark = 0;
        }
    }

    /// A group's positions are moved by hand: what it commits may fall from now on.
    pub(super) fn moved(&mut self, group: &str) {
        self.groups.entry(group.to_string()).or_default().moved = true;
    }

    /// Looks at everything.
    pub(super) fn look(&mut self, world: &World) -> Checked {
        for topic in TOPICS {
            for partition in 0..world.partition_count(topic) {
                if let Some(log) = world.partition_log(topic, partition) {
                    let known = self.partitions.entry((topic, partition)).or_default();
                    let checked = known.look(topic, log, world.now().millis());
                    checked.map_err(|what| format!("{topic}-{partition}: {what}"))?;
                }
            }
        }
        let size = world.disk_bytes(NodeId(1));
        if let Some(room) = self.room.filter(|room| size > *room) {
            return Err(format!("{size} bytes on a disk with room for {room}"));
        }
        self.bounds(world)?;
        self.positions(world)?;
        self.looks += 1;
        if self.looks.is_multiple_of(SNAPSHOT_LOOKS) {
            self.look_at_groups(world)?;
        }
        Ok(())
    }

    /// As [`Watch::look`], leaving nothing out.
    pub(super) fn look_at_all(&mut self, world: &World) -> Checked {
        self.look(world)?;
        self.look_at_groups(world)
    }

    fn look_at_groups(&mut self, world: &World) -> Checked {
        let snapshot = world.snapshot();
        if world.is_serving(NodeId(1)) {
            self.leader_epochs(&snapshot.topics)?;
        }
        for view in &snapshot.groups {
            let group = self.groups.entry(view.group_id.clone()).or_default();
            group.look(view, &self.partitions)?;
        }
        Ok(())
    }

    /// The highest high watermark that a partition ever had.
    pub(super) fn committed_end(&self, topic: &str, partition: i32) -> i64 {
        end_of(&self.partitions, topic, partition)
    }

    /// What a broker has in memory of its clients is bounded, and none of them waits for nothing.
    fn bounds(&mut self, world: &World) -> Checked {
        let broker = world.broker(NodeId(1));
        let sessions = broker.map_or(0, cluster::Broker::fetch_sessions);
        if sessions > SESSIONS_MAX {
            return Err(format!("{sessions} fetch sessions, not {SESSIONS_MAX}"));
        }
        if broker.is_none_or(|broker| broker.forwarded() == 0) {
            self.forwarded = None;
            return Ok(());
        }
        let since = *self.forwarded.get_or_insert(world.now());
        if world.now().since(since) > FORWARDED_MS * 1_000 {
            return Err(format!(
                "requests have been waiting for the controller since {since:?}"
            ));
        }
        Ok(())
    }

    /// Nobody is given a record that is not committed.
    fn positions(&self, world: &World) -> Checked {
        for at in world.positions() {
            let end = self.committed_end(&at.topic, at.partition.0);
            if at.position.is_some_and(|position| position.0 > end) {
                return Err(format!("{at:?} is above the high watermark {end}"));
            }
        }
        Ok(())
    }

    /// A leader that comes back leads in a new epoch.
    fn leader_epochs(&mut self, topics: &[world::TopicView]) -> Checked {
        for topic in topics {
            for view in &topic.partitions {
                let name = TOPICS.iter().find(|name| **name == topic.name);
                let Some(known) = name.and_then(|n| self.partitions.get_mut(&(*n, view.partition)))
                else {
                    continue;
                };
                let (epoch, old) = (view.leader_epoch, known.old_epoch);
                if epoch < known.leader_epoch || old.is_some_and(|old| epoch <= old) {
                    return Err(format!(
                        "the leader epoch was {}, {old:?} in the life before: {view:?}",
                        known.leader_epoch
                    ));
                }
                known.leader_epoch = view.leader_epoch;
            }
        }
        Ok(())
    }
}

fn end_of(partitions: &BTreeMap<Name, Known>, topic: &str, partition: i32) -> i64 {
    let same = |((t, p), _): &(&Name, &Known)| *t == topic && *p == partition;
    partitions
        .iter()
        .find(same)
        .map_or(0, |(_, known)| known.end)
}

impl Known {
    fn look(&mut self, topic: &str, log: &Log, now: i64) -> Checked {
        let (start, mark) = (log.log_start().0, log.high_watermark().0);
        let (stored, end) = (log.stored_end().0, log.log_end().0);
        if !(start <= mark && mark <= stored && stored <= end) {
            return Err(format!(
                "log start {start}, high watermark {mark}, stored {stored}, end {end}"
            ));
        }
        if mark < self.high_watermark {
            return Err(format!(
                "the high watermark fell from {} to {mark}",
                self.high_watermark
            ));
        }
        if end < self.end {
            return Err(format!(
                "{} was committed, and the log ends at {end}",
                self.end
            ));
        }
        if start < self.start {
            return Err(format!("the log start fell from {} to {start}", self.start));
        }
        self.deleted(topic, start, now)?;
        if std::mem::take(&mut self.unproven) {
            self.prove(log)?;
        }
        self.extend(log, mark)?;
        (self.high_watermark, self.end) = (mark, self.end.max(mark));
        Ok(())
    }

    /// Records go only by request, or when they are old enough.
    fn deleted(&mut self, topic: &str, start: i64, now: i64) -> Checked {
        if start == self.start {
            return Ok(());
        }
        let kept = self.batches.split_off(&start);
        let gone = std::mem::replace(&mut self.batches, kept);
        self.start = start;
        match topic {
            "orders" => return Err(format!("the log start rose to {start}")),
            "short" => {
                if let Some((base, young)) =
                    gone.iter().find(|(_, b)| now - b.timestamp <= RETENTION_MS)
                {
                    return Err(format!(
                        "{base} was deleted after {} ms",
                        now - young.timestamp
                    ));
                }
            }
            _ => {}
        }
        // A batch of which only the first records are gone is still there.
        if let Some((base, cut)) = gone.last_key_value().filter(|(_, b)| b.last >= start) {
            self.batches.insert(*base, *cut);
        }
        Ok(())
    }

    /// What was committed is there as it was.
    fn prove(&self, log: &Log) -> Checked {
        let there = batches(log, log.log_start(), log.log_end());
        for (base, batch) in self.batches.range(self.start..self.end) {
            if there.get(base) != Some(batch) {
                return Err(format!(
                    "after the restart {base} is {:?}, not {batch:?}",
                    there.get(base)
                ));
            }
        }
        Ok(())
    }

    /// What is newly committed follows what there is, without a gap.
    fn extend(&mut self, log: &Log, mark: i64) -> Checked {
        let known = self.batches.last_key_value();
        let from = known
            .map_or(self.start, |(_, b)| b.last + 1)
            .max(self.start);
        if from >= mark {
            return Ok(());
        }
        let (mut next, mut epoch) = (from, known.map_or(0, |(_, b)| b.epoch));
        for (base, batch) in batches(log, Offset(from), Offset(mark)) {
            if base != next && base > self.start {
                return Err(format!("a batch begins at {base}, not at {next}"));
            }
            if batch.epoch < epoch {
                return Err(format!("{base} is of epoch {}, after {epoch}", batch.epoch));
            }
            (next, epoch) = (batch.last + 1, batch.epoch);
            self.batches.insert(base, batch);
        }
        Ok(())
    }
}

/// The batches from one offset to another.
fn batches(log: &Log, from: Offset, to: Offset) -> BTreeMap<i64, Committed> {
    let mut found = BTreeMap::new();
    for_each_batch(log, from, to, |batch| {
        let header = batch.header();
        let committed = Committed {
            last: header.last_offset().0,
            crc: header.crc,
            epoch: header.partition_leader_epoch.0,
            timestamp: header.max_timestamp,
        };
        found.insert(header.base_offset.0, committed);
    });
    found
}

/// Looks at the batches from one offset to another, in their order.
pub(super) fn for_each_batch(
    log: &Log,
    from: Offset,
    to: Offset,
    mut look: impl FnMut(&BatchView<'_>),
) {
    let mut from = from;
    while let Ok(Read::Slice(slice)) = log.read(from, READ_BYTES, to, true)
        && slice.length > 0
    {
        let pieces = log.slice_pieces(&slice).expect("it is in memory");
        for (_, batch) in Batches::new(&pieces.concat()) {
            look(&batch);
            from = from.max(batch.header().next_offset());
        }
    }
}

impl Group {
    fn look(&mut self, view: &GroupView, partitions: &BTreeMap<Name, Known>) -> Checked {
        if !view.members.is_empty() && view.generation < self.generation {
            return Err(format!(
                "generation {} after {}",
                view.generation, self.generation
            ));
        }
        self.generation = view.generation;
        if view.state == "Stable" {
            self.shares(view)?;
        }
        for row in &view.offsets {
            let name = (row.topic.clone(), row.partition);
            let Some(committed) = row.committed.as_ref().and_then(|text| text.parse().ok()) else {
                if view.state == "Stable" && self.committed.contains_key(&name) {
                    return Err(format!(
                        "{} has committed nothing any more: {row:?}",
                        view.group_id
                    ));
                }
                continue;
            };
            let end = end_of(partitions, &row.topic, row.partition);
            let before = self.committed.insert(name, committed).unwrap_or(0);
            if committed > end {
                return Err(format!(
                    "{} has committed {committed} of {end}: {row:?}",
                    view.group_id
                ));
            }
            if committed < before && !self.moved {
                return Err(format!(
                    "what {} has committed fell from {before}: {row:?}",
                    view.group_id
                ));
            }
        }
        Ok(())
    }

    /// A generation shares the partitions out once, and each of them to one member.
    fn shares(&mut self, view: &GroupView) -> Checked {
        let owned = view.members.iter().flat_map(|member| {
            let of =
                |a: &world::AssignedView| (member.member_id.clone(), a.topic.clone(), a.partition);
            member.assignment.iter().map(of)
        });
        let shares: Shares = owned.collect();
        let partitions: BTreeSet<(&str, i32)> =
            shares.iter().map(|(_, t, p)| (t.as_str(), *p)).collect();
        if partitions.len() < shares.len() {
            return Err(format!(
                "{} shares a partition twice: {shares:?}",
                view.group_id
            ));
        }
        match &self.shares {
            Some((generation, before)) if *generation == view.generation && *before != shares => {
                Err(format!(
                    "generation {generation} of {} was {before:?} and is {shares:?}",
                    view.group_id
                ))
            }
            _ => {
                self.shares = Some((view.generation, shares));
                Ok(())
            }
        }
    }
}
