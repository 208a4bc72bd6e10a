//! The world's logs in the store: what a turn wrote, in one transaction; and the way back.
//!
//! What is stored follows the logs themselves, not the orders that changed them: after a turn each
//! log that was written to is compared with its layout, and the layout is made the same. So a log
//! that was taken back to an earlier state needs nothing of its own.

mod kept;

use std::rc::Rc;

use bytes::Bytes;
use ids::{NodeId, Offset, Time, TopicIdPartition};
use log::{Log, LogSlice, StoreOp};
use records::Batches;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sorted::{SortedMap, SortedSet};
use world::{Restored, Scenario, World, log_key};

use self::kept::Kept;
use crate::clock::{CLOCK_MS, Clock};
use crate::owner::Owned;
use crate::stage::Pace;
use crate::store::{Layout, LogRange, Store, StoreError, Turn};

/// Row of `meta` with the scenario that the world goes on with.
pub(crate) const WORLD: &str = "world";
/// Row of `meta` with how long the world has lasted and how it runs ([`Clock`]).
pub(crate) const CLOCK: &str = "clock";
/// What a replica's row of `meta` is called, before its key.
pub(crate) const REPLICA: &str = "replica ";
/// Ranges of keys of deleted segments that one turn deletes of one replica.
const STALE_RANGES: usize = 1;
/// The same, while there is no room.
const STALE_RANGES_SHORT: usize = 16;
/// World milliseconds by which the stored clock may be behind what is stored with it: a put costs
/// as much as the record of a lone producer.
const CLOCK_LAG_MS: u64 = 50;
/// World milliseconds between two checkpoints of a high watermark, as Kafka's
/// `replica.high.watermark.checkpoint.interval.ms`.
const HIGH_WATERMARK_MS: u64 = 5_000;

/// What is known of a replica beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Row {
    /// Base offsets of the segments.
    pub(crate) segments: Vec<i64>,
    pub(crate) log_start: i64,
    pub(crate) high_watermark: i64,
    /// Everything below is flushed; a simulated power cut would drop what lies above.
    pub(crate) flushed: i64,
    /// The text of `leader-epoch-checkpoint`.
    pub(crate) epochs: String,
}

impl Row {
    /// Reads a row's bytes; `None` if they are no row.
    pub(crate) fn read(bytes: &[u8]) -> Option<Row> {
        let document: Value = serde_json::from_slice(bytes).ok()?;
        serde_json::from_value(document).ok()
    }
}

/// One replica as it is stored.
pub(crate) struct Replica {
    pub(crate) key: Rc<str>,
    pub(crate) layout: Layout,
    /// Bytes of each segment in the layout.
    pub(crate) lengths: SortedMap<i64, u32>,
    pub(crate) row: Option<Row>,
    /// Segments that the log has let go of, and when: they are kept while history may come back
    /// to them.
    leaving: SortedMap<i64, Time>,
    /// When the row was stored last.
    noted: Time,
    /// Since when the log itself is gone, as after the deletion of its topic.
    gone: Option<Time>,
}

/// A workspace that this tab owns, and what it holds.
pub(crate) struct Disk {
    owned: Owned,
    replicas: SortedMap<(NodeId, TopicIdPartition), Replica>,
    /// Deletes that the next turn takes along.
    pub(crate) doomed: Vec<LogRange>,
    /// Rows of replicas that recovery has cut: what was lost is said once.
    cut: Vec<(String, Option<Vec<u8>>)>,
    dirty: SortedSet<(NodeId, TopicIdPartition)>,
    /// Something of the world has been gathered.
    begun: bool,
    scenario: String,
    /// The scenario of a new world, until it is stored.
    first: Option<String>,
    clock: Clock,
    /// Bytes of each row of `meta`.
    rows: SortedMap<String, u64>,
    /// There is no room: what is kept only for history goes.
    pub(crate) short: bool,
    /// Something went because of that, so that history must not come back to it.
    pub(crate) forgot: bool,
}

impl Replica {
    pub(crate) fn new(key: &str) -> Replica {
        Replica {
            key: Rc::from(key),
            layout: Layout::default(),
            lengths: SortedMap::new(),
            row: None,
            leaving: SortedMap::new(),
            noted: Time(0),
            gone: None,
        }
    }

    fn truncate(&mut self, segment: i64, position: u32) {
        self.layout.truncate(segment, position);
        self.lengths.retain(|base, _| *base <= segment);
        if let Some(length) = self.lengths.get_mut(&segment) {
            *length = position.min(*length);
        }
    }

    /// Lets go of what is stored and is not the log's any more, whatever its length: it was cut, or what is
    /// appended now lies where something else did. That may be of another branch of the world, or of a log
    /// that was undone and whose name another one has now.
    fn heed(&mut self, op: Option<&StoreOp>) {
        match op {
            Some(StoreOp::Truncate { segment, position }) => self.truncate(segment.0, *position),
            Some(op) => {
                if let Some(LogSlice {
                    segment, position, ..
                }) = op.appends()
                    && self.lengths.get(&segment.0).copied().unwrap_or(0) > position
                {
                    self.truncate(segment.0, position);
                }
            }
            None => {}
        }
    }

    fn clear(&mut self) {
        self.layout.delete_all();
        self.lengths.clear();
        self.leaving.clear();
    }

    /// Whether something is kept only for history.
    fn is_kept_for_history(&self) -> bool {
        self.gone.is_some() || !self.leaving.is_empty()
    }

    /// Lets go of what was gone before history's `start`; says whether that was all.
    fn forget(&mut self, start: Time) -> bool {
        if self.gone.is_some_and(|gone| gone < start) {
            self.clear();
            return true;
        }
        let over = self.leaving.iter().filter(|(_, left)| **left < start);
        let over: Vec<i64> = over.map(|(base, _)| *base).collect();
        for base in over {
            self.layout.delete_segment(base);
            self.lengths.remove(&base);
            self.leaving.remove(&base);
        }
        false
    }

    /// Whether the row must be looked at though nothing was written: a log's start rises without
    /// a write when records are deleted, and an undone deletion brings a log back.
    fn is_outdated(&self, log: &dyn Kept) -> bool {
        let row = self.row.as_ref();
        self.gone.is_some() || row.is_none_or(|row| row.log_start != log.bounds().0.0)
    }

    /// Makes the layout what the log is `now`.
    fn follow(&mut self, log: &dyn Kept, now: Time) {
        self.gone = None;
        let sizes = log.sizes();
        let Some((last, size)) = sizes.last_key_value() else {
            return;
        };
        let beyond = self
            .lengths
            .last_key_value()
            .is_some_and(|(base, length)| base > last || base == last && length > size);
        if beyond {
            self.truncate(*last, *size);
        }
        let newest = self.lengths.last_key_value().map(|(base, _)| *base);
        let unlike = sizes
            .iter()
            .any(|(base, size)| match self.lengths.get(base) {
                Some(length) => length > size || length < size && Some(*base) != newest,
                None => newest.is_some_and(|newest| *base < newest),
            });
        if unlike {
            self.clear();
        }
        self.leaving.retain(|base, _| !sizes.contains_key(base));
        for base in self.lengths.keys().filter(|base| !sizes.contains_key(base)) {
            self.leaving.entry(*base).or_insert(now);
        }
        for (base, size) in sizes {
            self.extend(log, base, size);
        }
    }

    fn extend(&mut self, log: &dyn Kept, segment: i64, size: u32) {
        let have = self.lengths.entry(segment).or_insert(0);
        if *have >= size {
            return;
        }
        let slice = LogSlice {
            segment: Offset(segment),
            position: *have,
            length: size - *have,
        };
        // Bytes that are not in memory have been stored before.
        for piece in log.pieces(&slice).into_iter().flatten() {
            for (_, batch) in Batches::new(&piece) {
                let bytes = piece.slice_ref(batch.bytes());
                let base = batch.header().base_offset.0;
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                self.layout.append(segment, *have, base, bytes);
                *have = have.saturating_add(length);
            }
        }
    }

    /// Follows the log, or notes that it is gone; gives the change of the replica's row.
    fn settle(&mut self, log: Option<&dyn Kept>, now: Time) -> Option<(String, Option<Vec<u8>>)> {
        let row = match log {
            Some(log) => {
                self.follow(log, now);
                Some(self.row_of(log))
            }
            None => {
                self.gone.get_or_insert(now);
                None
            }
        };
        if self.is_noted(row.as_ref(), now) {
            return None;
        }
        self.noted = now;
        let text = row.as_ref().and_then(|row| serde_json::to_vec(row).ok());
        self.row = row;
        Some((format!("{REPLICA}{}", self.key), text))
    }

    /// Whether this row need not be stored: it is what is stored, up to a high watermark that has
    /// been checkpointed lately.
    fn is_noted(&self, row: Option<&Row>, now: Time) -> bool {
        let (Some(old), Some(new)) = (&self.row, row) else {
            return self.row.is_none() && row.is_none();
        };
        let high_watermark = old.high_watermark;
        let same = Row {
            high_watermark,
            ..new.clone()
        } == *old;
        let lately = now.since(self.noted) < HIGH_WATERMARK_MS * 1_000;
        same && (new.high_watermark == high_watermark
            || new.high_watermark > high_watermark && lately)
    }

    fn row_of(&self, log: &dyn Kept) -> Row {
        let (start, high_watermark) = log.bounds();
        Row {
            segments: log.sizes().keys().copied().collect(),
            log_start: start.0,
            high_watermark: high_watermark.0,
            flushed: 0,
            epochs: String::from_utf8(log.epochs()).unwrap_or_default(),
        }
    }
}

impl Disk {
    pub(crate) fn new(owned: Owned) -> Disk {
        Disk {
            owned,
            replicas: SortedMap::new(),
            doomed: Vec::new(),
            cut: Vec::new(),
            dirty: SortedSet::new(),
            begun: false,
            scenario: String::new(),
            first: None,
            clock: Clock::default(),
            rows: SortedMap::new(),
            short: false,
            forgot: false,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.owned.opened.store
    }

    pub(crate) fn owned(&self) -> &Owned {
        &self.owned
    }

    pub(crate) fn owned_mut(&mut self) -> &mut Owned {
        &mut self.owned
    }

    pub(crate) fn into_owned(self) -> Owned {
        self.owned
    }

    /// Which rows of `meta` there are.
    pub(crate) fn measure_rows<'a>(
        &mut self,
        rows: impl IntoIterator<Item = (&'a String, Option<&'a Vec<u8>>)>,
    ) {
        for (name, row) in rows {
            match row {
                Some(row) => drop(
                    self.rows
                        .insert(name.clone(), (name.len() + row.len()) as u64),
                ),
                None => drop(self.rows.remove(name)),
            }
        }
    }

    /// A replica as recovery found it; `cut` says that there was more of it.
    pub(crate) fn found(
        &mut self,
        node: NodeId,
        name: TopicIdPartition,
        replica: Replica,
        log: &Log,
        cut: bool,
    ) {
        let mut replica = replica;
        replica.follow(log, Time(0));
        if cut {
            let text = serde_json::to_vec(&replica.row_of(log)).unwrap_or_default();
            self.cut
                .push((format!("{REPLICA}{}", replica.key), Some(text)));
        }
        self.replicas.insert((node, name), replica);
    }

    /// The scenario that the world began with is kept with the first turn.
    pub(crate) fn begin(&mut self, scenario: &Scenario) {
        self.first = Some(scenario.to_text());
    }

    /// Bytes of all that is stored: logs, what is kept of them for history, what is yet to be deleted,
    /// and rows.
    pub(crate) fn bytes(&self) -> u64 {
        let layouts = self.replicas.values().map(|r| &r.layout);
        let logs: u64 = layouts.map(|l| l.bytes() + l.stale_bytes()).sum();
        logs + self.rows.values().sum::<u64>()
    }

    /// What changed since the last turn. `changed` says that the scenario may be another one.
    pub(crate) fn gather(&mut self, world: &mut World, changed: bool, pace: Pace) -> Turn {
        let mut turn = Turn {
            deletes: std::mem::take(&mut self.doomed),
            meta: std::mem::take(&mut self.cut),
            ..Turn::default()
        };
        self.take_writes(world);
        self.find_outdated(world);
        for id in std::mem::take(&mut self.dirty) {
            if let Some(replica) = self.replicas.get_mut(&id) {
                let log = world.stored_log(id.0, &id.1);
                let log = log.as_ref().map(|log| log as &dyn Kept);
                let row = replica.settle(log, world.newest());
                turn.meta.extend(row);
            }
        }
        let (start, ranges) = match self.short {
            true => (Time(u64::MAX), STALE_RANGES_SHORT),
            false => (world.history_start(), STALE_RANGES),
        };
        self.replicas.retain(|_, replica| {
            let kept = replica.is_kept_for_history();
            self.forgot |= kept && self.short;
            let over = kept && replica.forget(start);
            if replica.layout.is_dirty() || replica.layout.stale_keys() > 0 {
                turn.add(&replica.key, replica.layout.take_turn(ranges));
            }
            !(over && replica.layout.stale_keys() == 0)
        });
        self.add_world(world, changed, &mut turn);
        self.add_clock(world, pace, &mut turn);
        self.measure_rows(turn.meta.iter().map(|(name, row)| (name, row.as_ref())));
        turn
    }

    fn take_writes(&mut self, world: &mut World) {
        if !std::mem::replace(&mut self.begun, true) {
            // What a world's beginning writes is not noted; there is this one log then.
            let id = metadata_log();
            self.replica(&id);
            self.dirty.insert(id);
        }
        for write in world.take_writes() {
            let id = (write.node, write.name);
            let replica = match self.replicas.get_mut(&id) {
                Some(replica) => replica,
                None => self.replica(&id),
            };
            replica.heed(write.op.as_ref());
            self.dirty.insert(id);
        }
        if world.take_fork() {
            self.dirty.extend(self.replicas.keys().cloned());
        }
    }

    fn find_outdated(&mut self, world: &World) {
        for (id, replica) in &self.replicas {
            let log = world.stored_log(id.0, &id.1);
            if log.is_some_and(|log| replica.is_outdated(&log)) {
                self.dirty.insert(id.clone());
            }
        }
    }

    fn replica(&mut self, id: &(NodeId, TopicIdPartition)) -> &mut Replica {
        self.replicas
            .entry(id.clone())
            .or_insert_with(|| Replica::new(&log_key(id.0, &id.1)))
    }

    fn add_world(&mut self, world: &World, changed: bool, turn: &mut Turn) {
        // While the past is looked at, the present is what is stored.
        if world.is_in_the_past() {
            return;
        }
        if let Some(text) = self.first.take() {
            turn.meta.push((WORLD.to_string(), Some(text.into_bytes())));
        }
        if changed {
            let text = world.scenario().to_text();
            if text != self.scenario {
                turn.meta
                    .push((WORLD.to_string(), Some(text.clone().into_bytes())));
                self.scenario = text;
            }
        }
    }

    /// A pause is stored with the moment that it keeps, also while an earlier one is looked at.
    fn add_clock(&mut self, world: &World, pace: Pace, turn: &mut Turn) {
        let behind = world.newest().since(world.now()) / 1_000;
        let millis = world.world_millis() + behind;
        let late = millis.abs_diff(self.clock.millis);
        let with_more = !turn.is_empty() && (late >= CLOCK_LAG_MS || millis < self.clock.millis);
        let paused = !pace.running && late > 0;
        if late >= CLOCK_MS || with_more || paused || self.clock.pace != Some(pace) {
            let pace = Some(pace);
            self.clock = Clock { millis, pace };
            turn.meta.push((CLOCK.to_string(), Some(self.clock.row())));
        }
    }

    /// Reads what a node waits for; empty when it cannot be read.
    pub(crate) async fn load(&self, wanted: &Restored) -> Result<Bytes, StoreError> {
        self.read(wanted.node, &wanted.name, &wanted.slice).await
    }

    /// Reads stored bytes of a log; empty when they are not there.
    pub(crate) async fn read(
        &self,
        node: NodeId,
        name: &TopicIdPartition,
        slice: &LogSlice,
    ) -> Result<Bytes, StoreError> {
        let Some(replica) = self.replicas.get(&(node, name.clone())) else {
            return Ok(Bytes::new());
        };
        let pieces = replica
            .layout
            .pieces(slice.segment.0, slice.position, slice.length);
        let Ok(pieces) = pieces else {
            return Ok(Bytes::new());
        };
        let offsets: Vec<i64> = pieces.iter().map(|piece| piece.base_offset).collect();
        let chunk = self.store().read_values(&replica.key, &offsets).await?;
        let values: SortedMap<i64, Vec<u8>> = chunk.values.into_iter().collect();
        let mut bytes = Vec::with_capacity(slice.length as usize);
        for piece in pieces {
            let from = piece.skip as usize;
            let to = from + piece.take as usize;
            match values.get(&piece.base_offset).and_then(|v| v.get(from..to)) {
                Some(part) => bytes.extend_from_slice(part),
                None => return Ok(Bytes::new()),
            }
        }
        Ok(Bytes::from(bytes))
    }
}

/// The metadata log of the first node.
pub(crate) fn metadata_log() -> (NodeId, TopicIdPartition) {
    (NodeId(1), TopicIdPartition::metadata())
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::LogConfig;

    fn log() -> Log {
        Log::new(LogConfig::default(), Offset(0), Time(0))
    }

    fn replica() -> Replica {
        let mut replica = Replica::new("1/topic/0");
        let batch = Bytes::from_static(&[1; 100]);
        replica.layout.append(0, 0, 0, batch);
        replica.layout.take_turn(0);
        replica.lengths.insert(0, 0);
        replica
    }

    #[test]
    fn a_deleted_log_is_kept_while_history_may_bring_it_back() {
        let mut replica = replica();
        assert!(replica.settle(Some(&log()), Time(5)).is_some());
        let row = replica.settle(None, Time(10));
        assert_eq!(
            row.map(|(_, text)| text),
            Some(None),
            "its row goes at once"
        );
        assert!(!replica.forget(Time(10)));
        assert_eq!(replica.layout.stale_keys(), 0);
        assert!(replica.is_outdated(&log()), "an undo brings it back");
        assert!(replica.forget(Time(11)));
        assert_eq!(replica.layout.stale_keys(), 1);
    }

    #[test]
    fn a_log_that_an_undo_brings_back_is_not_forgotten() {
        let mut replica = replica();
        replica.settle(Some(&log()), Time(5));
        replica.settle(None, Time(10));
        assert!(replica.settle(Some(&log()), Time(4)).is_some());
        assert!(!replica.forget(Time(100)));
    }

    #[test]
    fn what_is_appended_replaces_what_another_log_of_that_name_had_stored_there() {
        let mut replica = replica();
        replica.lengths.insert(0, 100);
        let append = |position| StoreOp::Append {
            segment: Offset(0),
            position,
            length: 10,
        };
        replica.heed(Some(&append(100)));
        assert_eq!(replica.lengths.get(&0), Some(&100), "it goes on");
        replica.heed(Some(&append(0)));
        assert_eq!(replica.lengths.get(&0), Some(&0), "it begins anew");
        assert_eq!(replica.layout.bytes(), 0);
    }

    #[test]
    fn a_high_watermark_is_checkpointed_and_not_stored_with_every_record() {
        let second = |n: u64| Time(n * 1_000_000);
        let mut replica = replica();
        let row = replica.row_of(&log());
        assert!(!replica.is_noted(Some(&row), second(1)));
        (replica.row, replica.noted) = (Some(row.clone()), second(1));
        let higher = Row {
            high_watermark: 7,
            ..row.clone()
        };
        assert!(replica.is_noted(Some(&higher), second(5)));
        assert!(!replica.is_noted(Some(&higher), second(6)));
        let started = Row {
            log_start: 3,
            ..higher
        };
        assert!(
            !replica.is_noted(Some(&started), second(2)),
            "a start is stored"
        );
    }
}
