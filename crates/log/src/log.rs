//! The log of one replica and the ways it grows.

use crate::epochs::{EpochEnd, EpochStart, Epochs};
use crate::files::{self, LogFile};
use crate::producers::{AbortedTxn, Producer, Producers};
use crate::read::LogSlice;
use crate::residency::Residency;
use crate::segment::Segment;
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use bytes::Bytes;
use ids::{LeaderEpoch, Offset, ProducerId, Time};
use sorted::{SortedMap, SortedSet};

/// How a log rolls, indexes and forgets: a topic's configuration, by Kafka's names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `segment.bytes`: the largest segment.
    pub segment_bytes: u32,
    /// `segment.ms`: record time after which a segment rolls, in milliseconds.
    pub segment_ms: i64,
    /// `index.interval.bytes`: bytes between index entries.
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`: room for an index file; a full one makes the segment roll.
    pub segment_index_bytes: u32,
    /// `retention.ms`; -1 for ever.
    pub retention_ms: i64,
    /// `retention.bytes`; -1 for any number.
    pub retention_bytes: i64,
    /// Whether `cleanup.policy` contains `delete`.
    pub delete: bool,
    /// `producer.id.expiration.ms`: a producer silent for longer is forgotten.
    pub producer_expiry_ms: i64,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> LogConfig {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            index_interval_bytes: 4096,
            segment_index_bytes: 10 << 20,
            retention_ms: 7 * DAY_MS,
            retention_bytes: -1,
            delete: true,
            producer_expiry_ms: DAY_MS,
        }
    }
}

/// An order to a shell; orders are carried out one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreOp {
    /// A new, empty segment begins here; the ones before it do not grow any more.
    Roll {
        /// Base offset of the new segment.
        segment: Offset,
    },
    /// Append these bytes of the log to the segment's file.
    Append {
        /// Base offset of the segment.
        segment: Offset,
        /// Where they begin, which is where the file ends.
        position: u32,
        /// How many they are.
        length: u32,
    },
    /// Append this batch to the segment's file. The log does not have it in memory.
    AppendBatch(Box<StoredBatch>),
    /// Write this small file whole, in place of the one there may be.
    Put {
        /// Which file.
        file: LogFile,
        /// What is in it.
        bytes: Vec<u8>,
    },
    /// Delete this file, if it is there.
    Delete {
        /// Which file.
        file: LogFile,
    },
    /// Cut the segment's file to this length.
    Truncate {
        /// Base offset of the segment.
        segment: Offset,
        /// Its new length in bytes.
        position: u32,
    },
}

impl StoreOp {
    /// Which bytes it appends to a segment, wherever they come from.
    #[must_use]
    pub fn appends(&self) -> Option<LogSlice> {
        let (segment, position, length) = match self {
            StoreOp::Append {
                segment,
                position,
                length,
            } => (*segment, *position, *length),
            StoreOp::AppendBatch(batch) => (batch.segment, batch.position, batch.length()),
            _ => return None,
        };
        Some(LogSlice {
            segment,
            position,
            length,
        })
    }
}

/// A batch on its way from a request to a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredBatch {
    /// Base offset of the segment.
    pub segment: Offset,
    /// Where it begins, which is where the file ends.
    pub position: u32,
    /// Its header, with the offset and the epoch that the log gave it.
    pub header: [u8; 61],
    /// Its records, perhaps compressed, as they came.
    pub records: Bytes,
}

impl StoredBatch {
    /// Bytes of the whole batch.
    #[must_use]
    pub fn length(&self) -> u32 {
        (self.header.len() + self.records.len()) as u32
    }
}

/// One replica's log; see the crate's page. Always `log start ≤ last stable ≤ high watermark ≤ log end`.
#[derive(Clone, Debug)]
pub struct Log {
    pub(crate) config: LogConfig,
    pub(crate) sealed: Vec<Arc<Segment>>,
    pub(crate) active: Segment,
    pub(crate) start: Offset,
    pub(crate) high_watermark: Offset,
    pub(crate) end: Offset,
    pub(crate) stored: Offset,
    pub(crate) epochs: Epochs,
    /// The epochs' file lacks one in which nothing has been appended yet, or has one too many.
    pub(crate) epochs_unsaved: bool,
    /// It was closed cleanly before this start, and nothing has changed since.
    pub(crate) closed: bool,
    pub(crate) producers: Producers,
    /// Producer snapshots that are stored.
    pub(crate) snapshots: SortedSet<Offset>,
    /// Below or at this offset no producer snapshot is worth writing.
    pub(crate) snapshot_floor: Offset,
    /// Earlier states of the producers, by the log end they stand for.
    pub(crate) checkpoints: SortedMap<Offset, Producers>,
    /// Bytes of sealed chunks since the last of those states.
    pub(crate) unsaved: u32,
    pub(crate) residency: Residency,
}

impl Log {
    /// An empty log that begins at `start`.
    #[must_use]
    pub fn new(config: LogConfig, start: Offset, now: Time) -> Log {
        Log {
            config,
            sealed: Vec::new(),
            active: Segment::new(start, now),
            start,
            high_watermark: start,
            end: start,
            stored: start,
            epochs: Epochs::default(),
            epochs_unsaved: false,
            closed: false,
            producers: Producers::default(),
            snapshots: SortedSet::new(),
            snapshot_floor: start,
            checkpoints: SortedMap::from([(start, Producers::default())]),
            unsaved: 0,
            residency: Residency::default(),
        }
    }

    /// The orders that make a new log's files: call it once for a log made by [`Log::new`].
    pub fn create(&self, ops: &mut Vec<StoreOp>) {
        ops.push(StoreOp::Roll {
            segment: self.active.base,
        });
        self.put_epochs(ops);
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Puts another configuration in force; segments that exist keep their size.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// Offset of the first record that can be read.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.start
    }

    /// Offset that the next record will have.
    #[must_use]
    pub fn log_end(&self) -> Offset {
        self.end
    }

    /// The end of what the shell has confirmed as stored.
    #[must_use]
    pub fn stored_end(&self) -> Offset {
        self.stored
    }

    /// Records below it are on all in-sync replicas and may be read.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Records below it belong to no transaction or to a decided one.
    #[must_use]
    pub fn last_stable(&self) -> Offset {
        let first_unstable = self.producers.first_unstable().unwrap_or(self.end);
        first_unstable.clamp(self.start, self.high_watermark)
    }

    /// Moves the high watermark up to `to`, within the log; says whether it moved.
    pub fn advance_high_watermark(&mut self, to: Offset) -> bool {
        let to = to.min(self.end);
        if to <= self.high_watermark {
            return false;
        }
        self.high_watermark = to;
        self.producers.replicated_to(to);
        true
    }

    /// Notes that a shell has stored everything below `upto`.
    pub fn stored(&mut self, upto: Offset) {
        self.stored = self.stored.max(upto.min(self.end));
    }

    /// Size of the whole log in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.segments().map(|segment| u64::from(segment.size)).sum()
    }

    /// Base offset and size in bytes of each segment, oldest first.
    pub fn segment_sizes(&self) -> impl Iterator<Item = (Offset, u32)> {
        self.segments().map(|segment| (segment.base, segment.size))
    }

    /// The latest leader epoch.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// All leader epochs with their start offsets.
    #[must_use]
    pub fn leader_epochs(&self) -> &[EpochStart] {
        self.epochs.entries()
    }

    /// The epoch that the record at `offset` was appended in.
    #[must_use]
    pub fn epoch_for(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.epoch_for(offset)
    }

    /// The largest epoch at or below `epoch` and its end offset (KIP-101, KIP-279); `None` when
    /// the epoch is above all known ones, or none is known.
    #[must_use]
    pub fn offset_for_leader_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        self.epochs.end_offset_for(epoch, self.end)
    }

    /// Notes that this replica leads from here on, even if it never appends (KIP-101).
    ///
    /// It is written with the first append, or when the log is closed: recovery would drop an
    /// epoch without records.
    pub fn become_leader(&mut self, epoch: LeaderEpoch) {
        self.epochs_unsaved |= self.epochs.assign(epoch, self.end);
    }

    /// Writes the leader epochs if the last one is not in their file yet.
    pub fn save_epochs(&mut self, ops: &mut Vec<StoreOp>) {
        if core::mem::take(&mut self.epochs_unsaved) {
            self.put_epochs(ops);
        }
    }

    /// The producers it remembers, in order of their ids.
    pub fn producers(&self) -> impl Iterator<Item = (ProducerId, &Producer)> {
        self.producers.iter()
    }

    /// Forgets producers that have been silent for too long; call it every few minutes.
    pub fn expire_producers(&mut self, now: Time) -> usize {
        let expiry = self.config.producer_expiry_ms;
        for state in self.checkpoints.values_mut() {
            state.expire(now.millis(), expiry);
        }
        self.producers.expire(now.millis(), expiry)
    }

    /// Aborted transactions that overlap `from..upper_bound`, for readers of committed records.
    #[must_use]
    pub fn aborted_transactions(&self, from: Offset, upper_bound: Offset) -> Vec<AbortedTxn> {
        let overlaps =
            |txn: &&AbortedTxn| txn.last_offset >= from && txn.first_offset < upper_bound;
        // Markers lie in the segment they were appended to, so earlier segments have none of these.
        self.segments()
            .filter(|segment| segment.end > from)
            .flat_map(|segment| segment.aborted.iter().filter(overlaps))
            .copied()
            .collect()
    }

    pub(crate) fn put_epochs(&self, ops: &mut Vec<StoreOp>) {
        ops.push(StoreOp::Put {
            file: LogFile::LeaderEpochs,
            bytes: files::encode_leader_epochs(self.epochs.entries()),
        });
    }

    /// All segments, oldest first.
    pub(crate) fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        let active = core::iter::once(&self.active);
        self.sealed.iter().map(|segment| &**segment).chain(active)
    }

    /// The number of the segment whose base is the last at or below `offset`; the active one's
    /// number is the count of the sealed ones.
    pub(crate) fn segment_index(&self, offset: Offset) -> usize {
        if offset >= self.active.base {
            return self.sealed.len();
        }
        (self.sealed)
            .partition_point(|segment| segment.base <= offset)
            .saturating_sub(1)
    }

    pub(crate) fn segment(&self, at: usize) -> &Segment {
        self.sealed.get(at).map_or(&self.active, |segment| segment)
    }

    /// The segment with exactly this base, to change it; a shared one is copied first.
    pub(crate) fn segment_mut(&mut self, base: Offset) -> Option<&mut Segment> {
        if base == self.active.base {
            return Some(&mut self.active);
        }
        let found = self
            .sealed
            .binary_search_by_key(&base, |segment| segment.base);
        self.sealed.get_mut(found.ok()?).map(Arc::make_mut)
    }
}
