//! Opening a workspace: the world that its logs hold, or a new one.

use bytes::Bytes;
use ids::{NodeId, Offset, Time, TopicIdPartition};
use log::{Checkpoints, Log, LogConfig, LogFile, Lookup, Recovery, Report};
use records::{Batches, Stop};
use sorted::SortedMap;
use world::{MetadataLog, RecoveredLog, Scenario, World, log_key};

use crate::clock::Clock;
use crate::owner::Owned;
use crate::persist::{CLOCK, Disk, REPLICA, Replica, Row, WORLD, metadata_log};
use crate::push::{Failure, NoticeCode, Params};
use crate::stage::Pace;
use crate::store::{Keys, Layout, LogRange, MAX_DELETE_KEYS, Store};

/// Bytes of one log that stay in memory while it is recovered.
const RECOVERY_BYTES: u64 = 32 << 20;
/// Bytes of all recovered logs together that stay in memory; the first ones come first.
const RECOVERED_BYTES: u64 = 64 << 20;

/// A workspace, opened.
pub(crate) struct Opened {
    pub(crate) world: World,
    pub(crate) disk: Disk,
    /// Producers and groups that its scenario places.
    pub(crate) placed: usize,
    /// It was there before.
    pub(crate) restored: bool,
    /// What had to be given up: parameters of the notice `cut`.
    pub(crate) cuts: Vec<Params>,
    /// How it ran.
    pub(crate) pace: Option<Pace>,
}

/// Opens the workspace that `owned` holds; `given` is for one that is new.
pub(crate) async fn open(owned: Owned, given: Scenario) -> Result<Opened, Failure> {
    let store = owned.opened.store.clone();
    let keys = store.load_keys().await?;
    let rows = store.load_meta().await?.rows;
    let mut disk = Disk::new(owned);
    disk.measure_rows(rows.iter().map(|(name, row)| (name, Some(row))));
    if keys.replicas.is_empty() && !rows.contains_key(WORLD) {
        return begin(disk, given);
    }
    let text = rows
        .get(WORLD)
        .and_then(|row| std::str::from_utf8(row).ok());
    let scenario = text.and_then(|text| Scenario::parse(text).ok());
    let clock = rows.get(CLOCK).and_then(|row| Clock::read(row));
    let mut reading = Reading {
        scenario: scenario.unwrap_or(given),
        millis: clock.map(Clock::resumed),
        pace: clock.and_then(|clock| clock.pace),
        rows,
        keys,
        disk,
        logs: Vec::new(),
        hot: 0,
        cuts: Vec::new(),
    };
    reading.read(&store).await?;
    reading.finish()
}

/// What is said of a world that was opened: where something had to be cut, nobody says that all is there.
pub(crate) fn told(cuts: Vec<Params>, restored: bool) -> Option<(NoticeCode, Params)> {
    let more = cuts.len().saturating_sub(1).to_string();
    match cuts.into_iter().next() {
        Some(mut first) => {
            first.insert("more", more);
            Some((NoticeCode::Cut, first))
        }
        None => restored.then(|| (NoticeCode::HistoryBegins, Params::new())),
    }
}

fn begin(mut disk: Disk, scenario: Scenario) -> Result<Opened, Failure> {
    disk.begin(&scenario);
    let placed = scenario.producers.len() + scenario.groups.len();
    let world = World::new(scenario).map_err(|why| Failure::new("bad-scenario", why.0))?;
    Ok(Opened {
        world,
        disk,
        placed,
        restored: false,
        cuts: Vec::new(),
        pace: None,
    })
}

/// Ranges that hold all these keys, none of them too many.
fn ranges<'a>(replica: &'a str, offsets: &'a [i64]) -> impl Iterator<Item = LogRange> + 'a {
    offsets.chunks(MAX_DELETE_KEYS).filter_map(move |chunk| {
        Some(LogRange {
            replica: replica.into(),
            from: *chunk.first()?,
            to: chunk.last()?.saturating_add(1),
        })
    })
}

/// A workspace that is being read.
struct Reading {
    scenario: Scenario,
    millis: Option<u64>,
    pace: Option<Pace>,
    rows: SortedMap<String, Vec<u8>>,
    keys: Keys,
    disk: Disk,
    logs: Vec<RecoveredLog>,
    /// Bytes of `logs` that are in memory.
    hot: u64,
    cuts: Vec<Params>,
}

impl Reading {
    /// The metadata log first: it says which logs there are.
    async fn read(&mut self, store: &Store) -> Result<(), Failure> {
        let (node, name) = metadata_log();
        let metadata = self.replica(store, node, name).await?;
        let image = MetadataLog::from(metadata).image();
        for topic in image.topics() {
            for (partition, state) in &topic.partitions {
                for node in &state.replicas {
                    let name = TopicIdPartition {
                        topic: topic.name.clone(),
                        topic_id: topic.id,
                        partition: *partition,
                    };
                    self.replica(store, *node, name).await?;
                }
            }
        }
        // What is left belongs to topics that are deleted.
        for (key, offsets) in std::mem::take(&mut self.keys.replicas) {
            self.disk.doomed.extend(ranges(&key, &offsets));
        }
        Ok(())
    }

    /// Recovers one log and hands it to the world and to the disk.
    async fn replica(
        &mut self,
        store: &Store,
        node: NodeId,
        name: TopicIdPartition,
    ) -> Result<Log, Failure> {
        let key = log_key(node, &name);
        let offsets = self.keys.replicas.remove(&key).unwrap_or_default();
        let row = self.rows.get(&format!("{REPLICA}{key}"));
        let row: Option<Row> = row.and_then(|row| Row::read(row));
        let row = row.unwrap_or_else(|| Row {
            segments: offsets.first().copied().into_iter().collect(),
            log_start: offsets.first().copied().unwrap_or(0),
            high_watermark: i64::MAX,
            ..Row::default()
        });
        let mut feed = Feed::new(&name, &row, self.now());
        let mut from = offsets.first().copied();
        while let Some(at) = from {
            let chunk = store.load_replica(&key, at).await?;
            from = chunk.next;
            if let Some(damage) = chunk.damage.first() {
                feed.damaged = Some(format!("a stored value {}", damage.what));
                from = None;
            }
            for (base, bytes) in chunk.values {
                feed.value(base, bytes);
            }
        }
        let lost = offsets.partition_point(|base| *base <= feed.last);
        if feed.damaged.is_some() {
            self.disk.doomed.extend(ranges(&key, &offsets[lost..]));
        }
        let Fed {
            mut log,
            report,
            replica,
            damaged,
        } = feed.finish(&key);
        // The metadata log is small, and everything is read from it.
        if !name.is_metadata() {
            log.evict(RECOVERED_BYTES.saturating_sub(self.hot));
            self.hot = self.hot.saturating_add(log.hot_bytes());
        }
        let cut = damaged.is_some() || !report.cuts.is_empty();
        self.note_cuts(&name, &log, &report, damaged);
        self.disk.found(node, name.clone(), replica, &log, cut);
        self.logs.push(RecoveredLog {
            node,
            name,
            log: log.clone(),
        });
        Ok(log)
    }

    fn note_cuts(
        &mut self,
        name: &TopicIdPartition,
        log: &Log,
        report: &Report,
        damaged: Option<String>,
    ) {
        let mut cut = |at: u64, bytes: String, why: &str| {
            self.cuts.push(Params::from([
                ("log", name.to_string()),
                ("at", at.to_string()),
                ("bytes", bytes),
                ("why", why.to_string()),
            ]));
        };
        for found in &report.cuts {
            cut(found.position, found.bytes.to_string(), &found.reason);
        }
        if let Some(why) = damaged {
            cut(log.size(), "all".to_string(), &why);
        }
    }

    fn now(&self) -> Time {
        let start = i64::try_from(self.scenario.start_ms).unwrap_or(i64::MAX);
        Time::from_millis(start).plus_millis(self.millis.unwrap_or(0))
    }

    fn finish(self) -> Result<Opened, Failure> {
        // Without a stored clock time goes on after the newest record.
        let newest = || {
            self.logs
                .iter()
                .filter_map(|found| newest(&found.log))
                .max()
        };
        let start = i64::try_from(self.scenario.start_ms).unwrap_or(i64::MAX);
        let millis = self.millis.unwrap_or_else(|| {
            let since = newest().unwrap_or(start).saturating_sub(start);
            u64::try_from(since).unwrap_or(0).saturating_add(1)
        });
        let world = World::restore(self.scenario, millis, self.logs)
            .map_err(|why| Failure::new("bad-scenario", why.0))?;
        Ok(Opened {
            world,
            disk: self.disk,
            placed: 0,
            restored: true,
            cuts: self.cuts,
            pace: self.pace,
        })
    }
}

/// One log that is being fed.
struct Feed<'a> {
    recovery: Recovery,
    row: &'a Row,
    /// Segments of the row that have begun.
    begun: usize,
    values: Vec<(i64, u32)>,
    /// Key of the last value taken.
    last: i64,
    /// Offset that the next value must begin with, where that is known.
    next: Option<i64>,
    damaged: Option<String>,
}

struct Fed {
    log: Log,
    report: Report,
    replica: Replica,
    damaged: Option<String>,
}

impl<'a> Feed<'a> {
    fn new(name: &TopicIdPartition, row: &'a Row, now: Time) -> Feed<'a> {
        let config = match name.is_metadata() {
            true => LogConfig {
                retention_ms: -1,
                retention_bytes: -1,
                delete: false,
                ..LogConfig::default()
            },
            false => LogConfig::default(),
        };
        let checkpoints = Checkpoints {
            clean: false,
            recovery_point: Offset(row.flushed),
            log_start: Offset(row.log_start),
            high_watermark: Offset(row.high_watermark),
        };
        let mut recovery = Recovery::new(config, checkpoints, now);
        if !row.epochs.is_empty() {
            let text = Bytes::from(row.epochs.clone());
            recovery.file(LogFile::LeaderEpochs, text);
        }
        Feed {
            recovery,
            row,
            begun: 0,
            values: Vec::new(),
            last: i64::MIN,
            next: row.segments.first().copied(),
            damaged: None,
        }
    }

    /// Takes the next value, unless the log has ended before it. Offsets of a log that deletes but
    /// never compacts have no gaps, so a gap is a value that is gone.
    fn value(&mut self, base: i64, bytes: Vec<u8>) {
        let follows = self.values.last().is_none_or(|(last, _)| *last < base);
        if !follows || self.damaged.is_some() {
            return;
        }
        let first = self
            .row
            .segments
            .first()
            .is_some_and(|first| *first <= base);
        if let Some(next) = self.next.filter(|next| first && *next < base) {
            self.damaged = Some(gone(next, base));
            return;
        }
        self.last = base;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.values.push((base, length));
        self.begin_until(base);
        // What deleted segments left behind is before the first one.
        if self.begun > 0 {
            self.next = end_of(&bytes);
            self.recovery.bytes(Bytes::from(bytes));
            self.recovery.evict(RECOVERY_BYTES);
        }
    }

    fn begin_until(&mut self, base: i64) {
        while let Some(segment) = self.row.segments.get(self.begun).filter(|s| **s <= base) {
            self.recovery.segment(Offset(*segment));
            self.begun += 1;
        }
    }

    fn finish(mut self, key: &str) -> Fed {
        if self.damaged.is_none() {
            self.begin_until(i64::MAX);
        }
        let (log, report) = self.recovery.finish();
        // Nothing that was readable when the row was stored has been cut since, except by damage.
        let (end, readable) = (log.log_end().0, self.row.high_watermark);
        if report.cuts.is_empty() && end < readable && readable < i64::MAX {
            self.damaged.get_or_insert_with(|| gone(end, readable));
        }
        let mut replica = Replica::new(key);
        replica.layout = Layout::restore(&self.row.segments, self.values);
        for segment in &self.row.segments {
            let lengths = replica.layout.values_of(*segment).map(|(_, length)| length);
            let length = lengths.fold(0u32, u32::saturating_add);
            replica.lengths.insert(*segment, length);
        }
        Fed {
            log,
            report,
            replica,
            damaged: self.damaged,
        }
    }
}

/// Why a log ends before records that were in it.
fn gone(from: i64, to: i64) -> String {
    match to - from {
        1 => format!("the record at offset {from} is gone"),
        _ => format!("the records at offsets {from} to {} are gone", to - 1),
    }
}

/// Offset after the last batch of a value; `None` when it does not end with a whole batch.
fn end_of(value: &[u8]) -> Option<i64> {
    let mut batches = Batches::new(value);
    let last = batches.by_ref().last()?;
    (batches.stop() == Some(Stop::End)).then(|| last.1.next_offset().0)
}

/// Timestamp of a log's last batch.
fn newest(log: &Log) -> Option<i64> {
    match log.batch_at(Offset(log.log_end().0 - 1)) {
        Lookup::Batch(batch) => Some(batch.header.max_timestamp),
        Lookup::None | Lookup::Cold(_) => None,
    }
}
