//! The log of one replica and the ways it grows.

use crate::epochs::{EpochEnd, EpochStart, Epochs};
use crate::files::{self, LogFile};
use crate::producers::{AbortedTxn, Producers, Sequence};
use crate::residency::Residency;
use crate::segment::Segment;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use ids::{LeaderEpoch, Offset, ProducerEpoch, Time};
use records::{BatchView, Header, TimestampType, ValidBatch};

/// Bytes of a segment between two of the producer states that truncation falls back on.
const CHECKPOINT_BYTES: u32 = 1 << 20;
/// Most producer states kept for truncation; the oldest goes first.
const MAX_CHECKPOINTS: usize = 64;

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

/// Where a batch has been appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Base offset of its segment.
    pub segment: Offset,
    /// Where it begins in its segment, in bytes.
    pub position: u32,
    /// Its length in bytes.
    pub length: u32,
    /// The time the broker gave it, in milliseconds; `None` when its producer did.
    pub log_append_time: Option<i64>,
}

/// Why a batch has not been appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It was appended before; its producer is told that this is where.
    Duplicate {
        /// Offset of its first record.
        base_offset: Offset,
        /// Offset of its last record.
        last_offset: Offset,
        /// Its highest timestamp.
        timestamp: i64,
    },
    /// A sequence number that is not the next one.
    OutOfOrderSequence {
        /// The one that would be.
        expected: i32,
        /// The batch's first one.
        found: i32,
    },
    /// A newer instance of the producer has been seen.
    InvalidProducerEpoch {
        /// Its epoch.
        current: ProducerEpoch,
    },
    /// Not part of the transaction that the producer has open.
    InvalidTxnState,
    /// Larger than `segment.bytes`.
    LargerThanSegment {
        /// `segment.bytes`.
        limit: u32,
    },
    /// The offsets would pass the largest there is.
    OffsetsExhausted,
    /// A replicated batch that is no whole, valid batch at or after the log's end.
    NotNext {
        /// The log end offset.
        log_end: Offset,
    },
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
    pub(crate) producers: Producers,
    /// Producer snapshots that are stored.
    pub(crate) snapshots: BTreeSet<Offset>,
    /// Below or at this offset no producer snapshot is worth writing.
    pub(crate) snapshot_floor: Offset,
    /// Earlier states of the producers, by the log end they stand for.
    pub(crate) checkpoints: BTreeMap<Offset, Producers>,
    /// Bytes of sealed chunks since the last of those states.
    unsaved: u32,
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
            producers: Producers::default(),
            snapshots: BTreeSet::new(),
            snapshot_floor: start,
            checkpoints: BTreeMap::from([(start, Producers::default())]),
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
    pub fn become_leader(&mut self, epoch: LeaderEpoch, ops: &mut Vec<StoreOp>) {
        if self.epochs.assign(epoch, self.end) {
            self.put_epochs(ops);
        }
    }

    /// Appends a client's or a coordinator's batch as the leader of `epoch`.
    ///
    /// Its offsets begin at the log end. Nothing has changed when it is refused.
    ///
    /// # Errors
    /// Kafka's rules for idempotent producers (KIP-98), and the size of a segment.
    pub fn append(
        &mut self,
        now: Time,
        batch: &ValidBatch<'_>,
        epoch: LeaderEpoch,
        ops: &mut Vec<StoreOp>,
    ) -> Result<Appended, Refused> {
        let mut header = *batch.header();
        header.base_offset = self.end;
        header.partition_leader_epoch = epoch;
        self.check_size(&header)?;
        self.check_sequence(&header)?;
        let base = self.end;
        Ok(self.admit(now, &header, ops, |out| batch.write_into(out, base, epoch)))
    }

    /// Appends batches that a leader has sent, with its offsets and epochs, as they are.
    ///
    /// A last batch that is cut off is left out. Gives the bytes appended.
    ///
    /// # Errors
    /// When a batch is damaged, or does not begin at or after the log's end (the first: exactly at
    /// it, unless compaction has left a gap). The batches before it have been appended.
    pub fn append_replicated(
        &mut self,
        now: Time,
        bytes: &[u8],
        ops: &mut Vec<StoreOp>,
    ) -> Result<u32, Refused> {
        let mut batches = records::Batches::new(bytes);
        for (_, batch) in batches.by_ref() {
            if batch.base_offset < self.end || batch.last_offset_delta < 0 || !batch.crc_is_valid()
            {
                return Err(Refused::NotNext { log_end: self.end });
            }
            self.check_size(&batch)?;
            self.admit(now, &batch, ops, |out| out.extend_from_slice(batch.bytes()));
        }
        match batches.stop() {
            Some(records::Stop::Bad(_)) => Err(Refused::NotNext { log_end: self.end }),
            _ => Ok(batches.position()),
        }
    }

    fn check_size(&self, header: &Header) -> Result<(), Refused> {
        if header.total_size() > self.config.segment_bytes {
            return Err(Refused::LargerThanSegment {
                limit: self.config.segment_bytes,
            });
        }
        if header.next_offset().0 == i64::MAX {
            return Err(Refused::OffsetsExhausted);
        }
        Ok(())
    }

    fn check_sequence(&self, header: &Header) -> Result<(), Refused> {
        match self.producers.check(header) {
            Sequence::Next => Ok(()),
            Sequence::Duplicate(batch) => Err(Refused::Duplicate {
                base_offset: Offset(batch.last_offset - i64::from(batch.offset_delta)),
                last_offset: Offset(batch.last_offset),
                timestamp: batch.timestamp,
            }),
            Sequence::OutOfOrder { expected } => Err(Refused::OutOfOrderSequence {
                expected,
                found: header.base_sequence,
            }),
            Sequence::Fenced { current } => Err(Refused::InvalidProducerEpoch { current }),
            Sequence::OutsideTransaction => Err(Refused::InvalidTxnState),
        }
    }

    /// Appends a batch that has passed all checks; `write` puts its bytes, patched, at the end.
    fn admit(
        &mut self,
        now: Time,
        header: &Header,
        ops: &mut Vec<StoreOp>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Appended {
        if self
            .epochs
            .assign(header.partition_leader_epoch, header.base_offset)
        {
            self.put_epochs(ops);
        }
        if self.must_roll(header, now) {
            self.roll(header.base_offset, now, ops);
        }
        let length = header.total_size();
        self.make_room(length);
        let position = self.active.size;
        self.active
            .note(header, self.config.index_interval_bytes, now);
        let tail = &mut self.active.tail.data;
        let begin = tail.len();
        write(tail);
        debug_assert_eq!(tail.len() - begin, length as usize);
        self.residency.grew(length);
        self.end = header.next_offset();
        if let Ok(batch) = BatchView::parse(tail.get(begin..).unwrap_or_default()) {
            self.active.aborted.extend(self.producers.update(&batch));
        }
        push_append(ops, self.active.base, position, length);
        Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            segment: self.active.base,
            position,
            length,
            log_append_time: match header.attributes.timestamp_type() {
                TimestampType::LogAppendTime => Some(header.max_timestamp),
                TimestampType::CreateTime => None,
            },
        }
    }

    /// Kafka's rule, asked before each append.
    fn must_roll(&self, header: &Header, now: Time) -> bool {
        let (active, config) = (&self.active, &self.config);
        let too_large = active.size > config.segment_bytes.saturating_sub(header.total_size());
        let waited = active.waited_ms(now, header.max_timestamp) > config.segment_ms;
        let far = active.relative(header.last_offset()) > i64::from(i32::MAX);
        let full = active.indexes.are_full(config.segment_index_bytes);
        // An empty segment with the right base would only be replaced by its like.
        let same = active.size == 0 && active.base == header.base_offset;
        !same && (too_large || (active.size > 0 && waited) || full || far)
    }

    /// Closes the active segment and begins a new one at `base`.
    pub(crate) fn roll(&mut self, base: Offset, now: Time, ops: &mut Vec<StoreOp>) {
        self.active.note_time();
        let stamp = self.residency.stamp();
        let tail_length = self.active.tail.length();
        let tail_position = self.active.tail.position;
        self.active.seal_tail(stamp);
        if tail_length > 0 {
            (self.residency).sealed(self.active.base, tail_position, stamp);
        }
        put_indexes(&self.active, ops);
        self.put_snapshot(base, ops);
        let closed = core::mem::replace(&mut self.active, Segment::new(base, now));
        self.sealed.push(Arc::new(closed));
        self.checkpoint_producers(base);
        ops.push(StoreOp::Roll { segment: base });
    }

    fn make_room(&mut self, length: u32) {
        let position = self.active.tail.position;
        let stamp = self.residency.stamp();
        if !self.active.make_room(length, stamp) {
            return;
        }
        self.residency.sealed(self.active.base, position, stamp);
        self.unsaved = self
            .unsaved
            .saturating_add(self.active.tail.position - position);
        if self.unsaved >= CHECKPOINT_BYTES {
            self.checkpoint_producers(self.end);
        }
    }

    /// Keeps the state of the producers, to which a truncation can fall back.
    pub(crate) fn checkpoint_producers(&mut self, end: Offset) {
        self.unsaved = 0;
        self.checkpoints.insert(end, self.producers.clone());
        if self.checkpoints.len() > MAX_CHECKPOINTS {
            // The first stays, so that every offset has one before it.
            let second = self.checkpoints.keys().nth(1).copied();
            second.and_then(|end| self.checkpoints.remove(&end));
        }
    }

    /// Stops cleanly: writes the active segment's indexes and a producer snapshot at the log end.
    pub fn close(&mut self, ops: &mut Vec<StoreOp>) {
        self.active.note_time();
        put_indexes(&self.active, ops);
        self.put_snapshot(self.end, ops);
    }

    /// Forgets producers that have been silent for too long; call it every few minutes.
    pub fn expire_producers(&mut self, now: Time) -> usize {
        let expiry = self.config.producer_expiry_ms;
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

    /// Writes a producer snapshot, unless the state at `end` is one that need not be written.
    fn put_snapshot(&mut self, end: Offset, ops: &mut Vec<StoreOp>) {
        if end <= self.snapshot_floor {
            return;
        }
        self.snapshot_floor = end;
        self.snapshots.insert(end);
        ops.push(StoreOp::Put {
            file: LogFile::Snapshot(end),
            bytes: files::encode_snapshot(self.producers.iter()),
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

/// Writes the index files of a segment that has just been closed.
pub(crate) fn put_indexes(segment: &Segment, ops: &mut Vec<StoreOp>) {
    ops.push(StoreOp::Put {
        file: LogFile::Index(segment.base),
        bytes: files::encode_offset_index(segment.indexes.offsets.iter()),
    });
    ops.push(StoreOp::Put {
        file: LogFile::TimeIndex(segment.base),
        bytes: files::encode_time_index(segment.indexes.times.iter()),
    });
    if !segment.aborted.is_empty() {
        ops.push(StoreOp::Put {
            file: LogFile::TxnIndex(segment.base),
            bytes: files::encode_txn_index(&segment.aborted),
        });
    }
}

/// Orders an append; one that continues the last order becomes part of it.
fn push_append(ops: &mut Vec<StoreOp>, segment: Offset, position: u32, length: u32) {
    if let Some(StoreOp::Append {
        segment: last_segment,
        position: last_position,
        length: last_length,
    }) = ops.last_mut()
        && *last_segment == segment
        && *last_position + *last_length == position
    {
        *last_length += length;
        return;
    }
    ops.push(StoreOp::Append {
        segment,
        position,
        length,
    });
}
