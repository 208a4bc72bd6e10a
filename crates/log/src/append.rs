//! Appending, and closing the segment that is full.

use crate::files::{self, LogFile};
use crate::log::{Log, StoreOp, StoredBatch};
use crate::producers::{MAX_PRODUCERS, Producers, Sequence};
use crate::segment::Segment;
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use bytes::Bytes;
use ids::{LeaderEpoch, Mutant, Offset, ProducerEpoch, Time, is_planted};
use records::{BatchView, Batches, Header, Stop, TimestampType, ValidBatch};

/// Bytes of a segment between two of the producer states that truncation falls back on, and how many
/// more for each producer: the next append copies the state, which must cost less than the bytes did.
const CHECKPOINT_BYTES: u32 = 1 << 20;
const CHECKPOINT_BYTES_EACH: u32 = 512;
/// Most producer states kept for truncation; the oldest goes first.
const MAX_CHECKPOINTS: usize = 64;
/// Most producers in all of these states together.
const MAX_CHECKPOINTED: usize = 2 * MAX_PRODUCERS;

/// Batches from this size on are worth a chunk of their own that is not in memory.
const THROUGH_BYTES: u32 = 32 << 10;

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

impl Log {
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
        if is_planted(Mutant::OffsetSkipped) && self.must_roll(&header, now) {
            self.end = Offset(self.end.0 + 1);
        }
        header.base_offset = self.end;
        header.partition_leader_epoch = epoch;
        self.check_size(&header)?;
        self.check_sequence(&header)?;
        let base = self.end;
        Ok(self.admit(now, &header, ops, |out| batch.write_into(out, base, epoch)))
    }

    /// Like [`Log::append`], for a shell that can send bytes from the log's files: a large batch goes
    /// from the request's bytes, which it was validated in, right to the file. It is not copied, and not
    /// kept in memory.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_through(
        &mut self,
        now: Time,
        (batch, bytes): (&ValidBatch<'_>, &Bytes),
        epoch: LeaderEpoch,
        ops: &mut Vec<StoreOp>,
    ) -> Result<Appended, Refused> {
        let header = batch.header();
        let is_data = !header.attributes.is_control() && !header.attributes.is_transactional();
        let through = (is_data && batch.size() >= THROUGH_BYTES).then_some(());
        let shared = through.and_then(|()| batch.shared(bytes, self.end, epoch));
        let Some((head, records)) = shared else {
            return self.append(now, batch, epoch, ops);
        };
        let header = Header {
            base_offset: self.end,
            partition_leader_epoch: epoch,
            ..*header
        };
        self.check_size(&header)?;
        self.check_sequence(&header)?;
        self.begin_append(now, &header, ops);
        self.seal_tail();
        self.note_unsaved(header.total_size());
        let position = self.active.size;
        self.active
            .note(&header, self.config.index_interval_bytes, now);
        let stamp = self.residency.stamp();
        self.active.push_stored(header.total_size(), stamp);
        self.end = header.next_offset();
        self.producers.update_data(&header);
        ops.push(StoreOp::AppendBatch(Box::new(StoredBatch {
            segment: self.active.base,
            position,
            header: head,
            records,
        })));
        Ok(self.appended(&header, position))
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
        let mut batches = Batches::new(bytes);
        for (_, batch) in batches.by_ref() {
            if batch.base_offset < self.end || batch.last_offset_delta < 0 || !batch.crc_is_valid()
            {
                return Err(Refused::NotNext { log_end: self.end });
            }
            self.check_size(&batch)?;
            self.admit(now, &batch, ops, |out| out.extend_from_slice(batch.bytes()));
        }
        match batches.stop() {
            Some(Stop::Bad(_)) => Err(Refused::NotNext { log_end: self.end }),
            _ => Ok(batches.position()),
        }
    }

    /// Appends batches that the leader of `epoch` has sent to one who follows it, as they are.
    ///
    /// A batch of a later epoch, which the leader cannot have written as such, is left out with all that
    /// come after it; so is a last batch that is cut off.
    ///
    /// # Errors
    /// As [`Log::append_replicated`].
    pub fn append_from_leader(
        &mut self,
        now: Time,
        epoch: LeaderEpoch,
        bytes: &[u8],
        ops: &mut Vec<StoreOp>,
    ) -> Result<u32, Refused> {
        let later = |(_, batch): &(u32, BatchView<'_>)| batch.partition_leader_epoch > epoch;
        let upto = Batches::new(bytes).find(later).map(|(at, _)| at as usize);
        let bytes = bytes.get(..upto.unwrap_or(bytes.len())).unwrap_or_default();
        self.append_replicated(now, bytes, ops)
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
        let rolls = self.begin_append(now, header, ops);
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
        if header.producer_id.0 >= 0
            && let Ok(batch) = BatchView::parse(tail.get(begin..).unwrap_or_default())
        {
            self.active.aborted.extend(self.producers.update(&batch));
        }
        if !(rolls && is_planted(Mutant::FirstAppendNotOrdered)) {
            push_append(ops, self.active.base, position, length);
        }
        if rolls && is_planted(Mutant::AppendBeforeRoll) {
            let last = ops.len() - 1;
            ops.swap(last - 1, last);
        }
        self.appended(header, position)
    }

    /// What comes before each append: a new epoch is noted, a segment that is full is closed. Says whether
    /// a segment was.
    fn begin_append(&mut self, now: Time, header: &Header, ops: &mut Vec<StoreOp>) -> bool {
        self.closed = false;
        let news = (self.epochs).assign(header.partition_leader_epoch, header.base_offset);
        if news || self.epochs_unsaved {
            self.epochs_unsaved = false;
            self.put_epochs(ops);
        }
        let rolls = self.must_roll(header, now);
        if rolls {
            self.roll(header.base_offset, now, ops);
        }
        rolls
    }

    /// Where a batch is that has just been appended.
    fn appended(&self, header: &Header, position: u32) -> Appended {
        Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            segment: self.active.base,
            position,
            length: header.total_size(),
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
        self.closed = false;
        self.active.note_time();
        self.seal_tail();
        put_indexes(&self.active, ops);
        self.put_snapshot(base, ops);
        let closed = core::mem::replace(&mut self.active, Segment::new(base, now));
        self.sealed.push(Arc::new(closed));
        self.checkpoint_producers(base);
        ops.push(StoreOp::Roll { segment: base });
    }

    /// Ends the chunk that grows.
    fn seal_tail(&mut self) {
        let stamp = self.residency.stamp();
        let tail_length = self.active.tail.length();
        let tail_position = self.active.tail.position;
        self.active.seal_tail(stamp);
        if tail_length > 0 {
            (self.residency).sealed(self.active.base, tail_position, stamp);
        }
    }

    fn make_room(&mut self, length: u32) {
        let position = self.active.tail.position;
        let stamp = self.residency.stamp();
        if !self.active.make_room(length, stamp) {
            return;
        }
        self.residency.sealed(self.active.base, position, stamp);
        self.note_unsaved(self.active.tail.position - position);
    }

    /// Notes so many bytes for which no state of the producers is kept; when there are many, one is.
    fn note_unsaved(&mut self, bytes: u32) {
        self.unsaved = self.unsaved.saturating_add(bytes);
        let producers = u32::try_from(self.producers.len()).unwrap_or(u32::MAX);
        let wait = CHECKPOINT_BYTES.saturating_add(producers.saturating_mul(CHECKPOINT_BYTES_EACH));
        if self.unsaved >= wait {
            self.checkpoint_producers(self.end);
        }
    }

    /// Keeps the state of the producers, to which a truncation can fall back.
    pub(crate) fn checkpoint_producers(&mut self, end: Offset) {
        self.unsaved = 0;
        self.checkpoints.insert(end, self.producers.clone());
        let mut states = self.checkpoints.len();
        let mut producers = self.checkpointed_producers();
        while states > MAX_CHECKPOINTS || (states > 2 && producers > MAX_CHECKPOINTED) {
            // The first stays, so that every offset has one before it.
            let second = self.checkpoints.keys().nth(1).copied();
            let Some(gone) = second.and_then(|end| self.checkpoints.remove(&end)) else {
                break;
            };
            states -= 1;
            producers -= gone.len();
        }
    }

    fn checkpointed_producers(&self) -> usize {
        self.checkpoints.values().map(Producers::len).sum()
    }

    /// How many producers it has in memory, those of earlier states included.
    #[must_use]
    pub fn producer_states(&self) -> usize {
        self.producers.len() + self.checkpointed_producers()
    }

    /// Lets go of earlier states of the producers but the first: a truncation has more to read then.
    pub fn drop_producer_states(&mut self) {
        let first = self.checkpoints.pop_first();
        self.checkpoints = first.into_iter().collect();
    }

    /// Forgets the producers that have been silent for longest, until no more than `most` are left.
    pub fn limit_producers(&mut self, most: usize) {
        self.producers.keep_latest(most);
        for state in self.checkpoints.values_mut() {
            state.keep_latest(most);
        }
    }

    /// Stops cleanly: writes the active segment's indexes, a producer snapshot at the log end, and
    /// the leader epochs where they are not written yet. A log that has not changed since the last
    /// clean stop needs nothing but these.
    pub fn close(&mut self, ops: &mut Vec<StoreOp>) {
        if !self.closed {
            self.active.note_time();
            put_indexes(&self.active, ops);
            self.put_snapshot(self.end, ops);
        }
        if core::mem::take(&mut self.epochs_unsaved) {
            self.put_epochs(ops);
        }
    }

    /// Whether nothing has come to the log since the last clean stop, or ever. What [`Log::close`]
    /// has to write then, an epoch without records or indexes without entries, recovery does not
    /// need; a shell with thousands of such logs may leave it.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.closed || self.sealed.is_empty() && self.active.size == 0
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
