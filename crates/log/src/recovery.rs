//! Building a log from nothing but its bytes.

use crate::append::put_indexes;
use crate::chunk::CHUNK_BYTES;
use crate::epochs::Epochs;
use crate::files::{self, LogFile};
use crate::index::Indexes;
use crate::log::{Log, LogConfig, StoreOp};
use crate::resume::Indexed;
use crate::segment::Segment;
use alloc::{format, string::String, sync::Arc, vec::Vec};
use bytes::Bytes;
use ids::{Mutant, Offset, Time, is_planted};
use records::{BatchView, HEADER_LEN, Header, HeaderError};
use sorted::SortedMap;

/// Largest batch that is believed: no request could have brought a larger one
/// (`socket.request.max.bytes`). So a damaged length cannot make recovery hoard a whole segment.
const MAX_BATCH_BYTES: u32 = 100 << 20;

/// What a recovery had to give up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The file that was cut or dropped.
    pub file: LogFile,
    /// How many of its bytes were kept.
    pub position: u64,
    /// How many were not.
    pub bytes: u64,
    /// Why, as a sentence for people.
    pub reason: String,
}

/// What a recovery has found and what is left to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// What was given up; empty when all was well.
    pub cuts: Vec<Cut>,
    /// Offsets, from and to before, that no segment has, where nothing was cut: a compacted log has
    /// such gaps, and of another one segments are missing.
    pub gaps: Vec<(Offset, Offset)>,
    /// Batches whose checksum was compared.
    pub checked: u64,
    /// Orders that make the files what the log now is.
    pub ops: Vec<StoreOp>,
}

/// What the log directory's own files say about a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checkpoints {
    /// Whether the log was closed cleanly; then checksums are not compared.
    pub clean: bool,
    /// Everything below has been flushed and is not compared either.
    pub recovery_point: Offset,
    /// The log's start, when it is not that of the first segment.
    pub log_start: Offset,
    /// The high watermark; it is taken down to the log's end.
    pub high_watermark: Offset,
}

/// Rebuilds a [`Log`] from its segments, fed oldest first in pieces of any size.
///
/// The small files ([`Recovery::file`]) come before the segments. Only the leader epochs are
/// needed from them, for epochs without records; everything else is rebuilt from the batches.
/// The log ends before the first batch that is torn, damaged or out of order; later segments
/// are dropped. Any bytes give a log.
#[derive(Clone, Debug)]
pub struct Recovery {
    pub(crate) checkpoints: Checkpoints,
    pub(crate) files: SortedMap<LogFile, Bytes>,
    pub(crate) log: Log,
    /// A segment is being fed; the log's active one.
    feeding: bool,
    /// That segment was taken from its index files.
    pub(crate) resumed: bool,
    /// What those say, of the segment that was asked about.
    pub(crate) indexed: Option<Indexed>,
    /// The newest snapshot of the producers that can be trusted.
    pub(crate) trusted: Option<Option<Offset>>,
    /// A snapshot that the batches before it do not agree with.
    pub(crate) contradicted: Option<Offset>,
    /// Segments have not been read: the producers are not known before they are those of the
    /// snapshot at this offset.
    pub(crate) pending: Option<Offset>,
    /// The beginning of a batch whose rest has not been fed.
    carry: Vec<u8>,
    /// Set from the first bad byte on, with the cut that counts the bytes after it.
    cut: Option<Open>,
    /// The segment that is being fed is dropped; its bytes are only counted.
    dropping: bool,
    pub(crate) report: Report,
    pub(crate) now: Time,
}

/// A cut whose segment is still being fed.
#[derive(Clone, Debug)]
struct Open {
    cut: Cut,
    only_zeros: bool,
}

impl Recovery {
    /// Begins with nothing; `now` is the time of the recovery.
    #[must_use]
    pub fn new(config: LogConfig, checkpoints: Checkpoints, now: Time) -> Recovery {
        Recovery {
            log: Log::new(config, checkpoints.log_start, now),
            checkpoints,
            files: SortedMap::new(),
            feeding: false,
            resumed: false,
            indexed: None,
            trusted: None,
            contradicted: None,
            pending: None,
            carry: Vec::new(),
            cut: None,
            dropping: false,
            report: Report::default(),
            now,
        }
    }

    /// Hands in a small file; segments are fed with [`Recovery::segment`] and [`Recovery::bytes`].
    pub fn file(&mut self, file: LogFile, bytes: Bytes) {
        match file {
            LogFile::LeaderEpochs => {
                if let Some(entries) = files::decode_leader_epochs(&bytes) {
                    self.log.epochs = Epochs::from_entries(entries);
                }
            }
            LogFile::Snapshot(at) => {
                self.log.snapshots.insert(at);
            }
            _ => {}
        }
        self.files.insert(file, bytes);
    }

    /// Begins the segment at `base`; they come in the order of their bases.
    pub fn segment(&mut self, base: Offset) {
        self.end_segment();
        if self.is_lost(base) {
            self.drop_segment(base, "it follows a damaged segment");
            return;
        }
        self.dropping = false;
        if self.feeding {
            if !self.may_begin(base) {
                self.drop_segment(base, "it begins before the segment before it ends");
                return;
            }
            self.note_gap(self.log.end, base);
            self.seal(base);
        } else {
            // The first epoch's start moves with the log's.
            if let Some(first) = self.log.epochs.entries().first() {
                self.note_gap(first.start, base);
            }
            self.begin(base);
        }
        self.feeding = true;
        if self.pending.is_some() {
            // Those before the snapshot's offset, perhaps all.
            let aborted = self.files.get(&LogFile::TxnIndex(base));
            let aborted = aborted.and_then(|bytes| files::decode_txn_index(bytes));
            self.log.active.aborted = aborted.unwrap_or_default();
        }
    }

    fn note_gap(&mut self, from: Offset, to: Offset) {
        if from < to && self.report.cuts.is_empty() {
            self.report.gaps.push((from, to));
        }
    }

    /// Whether a segment is given up because something before it was cut. A crash tears the end of
    /// a log, so what follows a tear is not believed. Below the recovery point, and after a clean
    /// stop, no crash has done it: there each segment stands for itself, as in Kafka.
    pub(crate) fn is_lost(&self, base: Offset) -> bool {
        let proven = self.checkpoints.clean || base <= self.checkpoints.recovery_point;
        !self.report.cuts.is_empty() && !proven
    }

    /// Whether a segment can begin here, after those that there have been.
    pub(crate) fn may_begin(&self, base: Offset) -> bool {
        !self.feeding || (base >= self.log.end && base > self.log.active.base)
    }

    /// Feeds the next bytes of the segment. Whole batches are kept without being copied; memory is
    /// given back when all chunks of a piece have been evicted, so pieces should not be huge.
    pub fn bytes(&mut self, piece: Bytes) {
        if self.dropping
            && let Some(dropped) = self.report.cuts.last_mut()
        {
            dropped.bytes += piece.len() as u64;
            return;
        }
        let rest = self.complete_carry(piece);
        if let Some(open) = &mut self.cut {
            open.cut.bytes += rest.len() as u64;
            open.only_zeros &= rest.iter().all(|&byte| byte == 0);
            return;
        }
        let mut run = 0;
        let mut at = 0;
        while let Some(left) = rest.get(at..)
            && !left.is_empty()
        {
            match self.next_batch(left) {
                Ok(Some(size)) => {
                    if at > run && at + size - run > CHUNK_BYTES as usize {
                        self.keep(rest.slice(run..at));
                        run = at;
                    }
                    self.note(left);
                    at += size;
                }
                Ok(None) => {
                    self.keep(rest.slice(run..at));
                    self.carry.extend_from_slice(left);
                    return;
                }
                Err(reason) => {
                    self.keep(rest.slice(run..at));
                    self.open_cut(reason, left);
                    return;
                }
            }
        }
        self.keep(rest.slice(run..at));
    }

    /// Drops chunks from memory, as [`Log::evict`] does: for logs larger than memory, call it
    /// between pieces. Index files of a segment that is partly cold are rebuilt, not compared.
    pub fn evict(&mut self, max_hot_bytes: u64) {
        self.log.stored = self.log.end;
        self.log.evict(max_hot_bytes);
    }

    /// Ends the feeding: gives the log, and says what had to be cut and what is left to do.
    #[must_use]
    pub fn finish(mut self) -> (Log, Report) {
        self.end_segment();
        let Checkpoints {
            log_start,
            high_watermark,
            ..
        } = self.checkpoints;
        if !self.feeding {
            self.report.ops.push(StoreOp::Roll {
                segment: self.log.active.base,
            });
        }
        let mut ops = core::mem::take(&mut self.report.ops);
        let adopted = self.adopt_active_indexes();
        self.settle_end();
        let log = &mut self.log;
        log.active.unindexed = 0;
        log.active.reopen();
        if log_start > log.end {
            let bytes = log.size();
            if bytes > 0 {
                self.report.cuts.push(Cut {
                    file: LogFile::Log(log.segment(0).base),
                    position: 0,
                    bytes,
                    reason: format!(
                        "the checkpoint says that the log begins at offset {log_start}, which is \
                         after its end, {}; all of it is dropped, as Kafka does",
                        log.end
                    ),
                });
            }
            log.truncate_fully_and_start_at(log_start, self.now, &mut ops);
        }
        if is_planted(Mutant::TailDropped) {
            let last = Offset(log.end.0 - 1);
            let _ = log.truncate_to(last.max(log.segment(0).base), self.now, &mut ops);
        }
        log.start = log_start.clamp(log.segment(0).base, log.end);
        if is_planted(Mutant::LogStartForgotten) {
            log.start = log.segment(0).base;
        }
        log.stored = log.end;
        log.high_watermark = high_watermark.clamp(log.start, log.end);
        self.settle_epochs();
        self.settle_producers(&mut ops);
        let log = &mut self.log;
        let epochs = self.files.get(&LogFile::LeaderEpochs);
        let epochs = epochs.and_then(|bytes| files::decode_leader_epochs(bytes));
        let untouched = self.checkpoints.clean && ops.is_empty() && adopted;
        log.closed = untouched && epochs.is_some() && log.snapshot_floor >= log.end;
        self.report.ops = ops;
        (self.log, self.report)
    }

    /// Adds what is missing to the batch that the last piece began; gives what follows it.
    fn complete_carry(&mut self, mut piece: Bytes) -> Bytes {
        while !self.carry.is_empty() && self.cut.is_none() {
            let need = match Header::peek(&self.carry) {
                Ok(header) => header.total_size(),
                Err(_) => HEADER_LEN,
            };
            let missing = (need as usize).saturating_sub(self.carry.len());
            let taken = piece.split_to(missing.min(piece.len()));
            self.carry.extend_from_slice(&taken);
            let carry = core::mem::take(&mut self.carry);
            match self.next_batch(&carry) {
                Ok(Some(_)) => {
                    self.note(&carry);
                    self.keep(Bytes::from(carry));
                }
                Ok(None) => self.carry = carry,
                Err(reason) => self.open_cut(reason, &carry),
            }
            if piece.is_empty() {
                break;
            }
        }
        piece
    }

    /// Judges the batch at the start of `bytes`: its size, `None` when it is not all there, or
    /// why the log ends before it.
    fn next_batch(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let header = match Header::peek(bytes) {
            Ok(header) => header,
            Err(HeaderError::Partial { .. }) => return Ok(None),
            Err(HeaderError::BadLength(length)) => {
                return Err(format!("a batch cannot be {length} bytes long"));
            }
            Err(HeaderError::Magic { magic, .. }) => {
                return Err(format!("a batch of magic {magic} is not one of magic 2"));
            }
        };
        let size = header.total_size();
        if size > MAX_BATCH_BYTES {
            return Err(format!("a batch claims to be {size} bytes long"));
        }
        let active = &self.log.active;
        if header.base_offset < self.log.end || header.last_offset_delta < 0 {
            return Err(format!(
                "a batch with offsets {} to {} cannot follow offset {}",
                header.base_offset,
                header.last_offset(),
                self.log.end.0.saturating_sub(1),
            ));
        }
        if active.relative(header.last_offset()) > i64::from(i32::MAX)
            || active.size.checked_add(size).is_none()
        {
            return Err(String::from("the batch is out of the segment's bounds"));
        }
        if bytes.len() < size as usize {
            return Ok(None);
        }
        let unproven =
            !self.checkpoints.clean && header.next_offset() > self.checkpoints.recovery_point;
        if unproven {
            self.report.checked += 1;
            if !BatchView::parse(bytes).is_ok_and(|batch| batch.crc_is_valid()) {
                let base = header.base_offset;
                return Err(format!(
                    "the checksum of the batch at offset {base} is wrong"
                ));
            }
        }
        Ok(Some(size as usize))
    }

    /// Takes a judged batch into the log's state; its bytes follow with [`Recovery::keep`].
    fn note(&mut self, bytes: &[u8]) {
        let Ok(batch) = BatchView::parse(bytes) else {
            return;
        };
        let log = &mut self.log;
        let interval = log.config.index_interval_bytes;
        log.active.note(&batch, interval, self.now);
        log.end = batch.next_offset();
        if (log.epochs.latest()).is_none_or(|latest| batch.partition_leader_epoch > latest) {
            log.epochs
                .assign(batch.partition_leader_epoch, batch.base_offset);
        }
        self.settle_pending(batch.base_offset);
        if self.pending.is_none() {
            let log = &mut self.log;
            let aborted = log.producers.update(&batch);
            let known = log.active.aborted.last().map(|last| last.last_offset);
            let news = aborted.filter(|txn| known.is_none_or(|last| txn.last_offset > last));
            log.active.aborted.extend(news);
        }
    }

    /// From the awaited snapshot's offset on the producers are known again.
    pub(crate) fn settle_pending(&mut self, upto: Offset) {
        if let Some(at) = self.pending.take_if(|at| *at <= upto) {
            self.log.producers = self.producers_of(at);
        }
    }

    fn keep(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let log = &mut self.log;
        let stamp = log.residency.stamp();
        let position = log.active.tail.position;
        log.residency.grew(data.len() as u32);
        log.residency.sealed(log.active.base, position, stamp);
        log.active.push_chunk(data, stamp);
    }

    fn open_cut(&mut self, reason: String, bytes: &[u8]) {
        self.cut = Some(Open {
            cut: Cut {
                file: LogFile::Log(self.log.active.base),
                position: u64::from(self.log.active.size),
                bytes: bytes.len() as u64,
                reason,
            },
            only_zeros: bytes.iter().all(|&byte| byte == 0),
        });
    }

    /// Settles the segment that has been fed, if any.
    pub(crate) fn end_segment(&mut self) {
        if self.cut.is_none() && !self.carry.is_empty() {
            let have = self.carry.len();
            let carry = core::mem::take(&mut self.carry);
            self.open_cut(
                format!("the file ends after {have} bytes of a batch"),
                &carry,
            );
        }
        self.carry.clear();
        let Some(Open {
            mut cut,
            only_zeros,
        }) = self.cut.take()
        else {
            return;
        };
        if only_zeros {
            cut.reason = String::from("the rest of the file is zeros: room that was never used");
        }
        self.report.ops.push(StoreOp::Truncate {
            segment: self.log.active.base,
            position: self.log.active.size,
        });
        self.report.cuts.push(cut);
    }

    /// Begins the first segment.
    fn begin(&mut self, base: Offset) {
        self.log.active = Segment::new(base, self.now);
        self.log.end = base;
        self.log.producers = self.producers_of(base);
        self.log.checkpoints.clear();
        self.log.checkpoint_producers(base);
    }

    /// Closes the active segment and begins the next one, at `base`.
    fn seal(&mut self, base: Offset) {
        self.log.active.note_time();
        let proven = self.checkpoints.clean || base <= self.checkpoints.recovery_point;
        if !(self.resumed || proven && self.adopt_indexes()) {
            self.put_rebuilt_indexes();
        }
        if !proven && !self.files.contains_key(&LogFile::Snapshot(base)) {
            self.log.snapshots.insert(base);
            self.report.ops.push(StoreOp::Put {
                file: LogFile::Snapshot(base),
                bytes: files::encode_snapshot(self.log.producers.iter()),
            });
        }
        let closed = core::mem::replace(&mut self.log.active, Segment::new(base, self.now));
        self.log.sealed.push(Arc::new(closed));
        self.log.end = base;
        self.resumed = false;
        self.settle_pending(base);
        if self.pending.is_some() {
            self.log.producers = self.producers_of(base);
        }
        if self.pending.is_none() || self.decoded_snapshot(base).is_some() {
            self.log.checkpoint_producers(base);
        }
    }

    /// Says whether the index files of the active segment are as closing would leave them.
    fn adopt_active_indexes(&mut self) -> bool {
        let proven = self.checkpoints.clean || self.log.end <= self.checkpoints.recovery_point;
        let adopted = self.resumed || proven && self.adopt_indexes();
        if !adopted {
            // As if the segment had been closed, which adds this entry.
            self.log.active.note_time();
        }
        adopted
    }

    /// Takes the index files of the active segment over, if they fit its batches: they may hold
    /// entries that the batches alone do not tell, from when the log was closed.
    fn adopt_indexes(&mut self) -> bool {
        let active = &mut self.log.active;
        let (Some(offsets), Some(times)) = (
            (self.files.get(&LogFile::Index(active.base)))
                .and_then(|bytes| files::decode_offset_index(bytes)),
            (self.files.get(&LogFile::TimeIndex(active.base)))
                .and_then(|bytes| files::decode_time_index(bytes)),
        ) else {
            return false;
        };
        let mut indexes = Indexes::default();
        (offsets.into_iter()).for_each(|entry| indexes.offsets.push(entry));
        (times.into_iter()).for_each(|entry| indexes.times.push(entry));
        active.adopt(indexes)
    }

    /// Orders the index files of the active segment, which is being closed, where they differ.
    fn put_rebuilt_indexes(&mut self) {
        let mut ops = Vec::new();
        put_indexes(&self.log.active, &mut ops);
        ops.retain(|op| match op {
            StoreOp::Put { file, bytes } => self.files.get(file).is_none_or(|old| old != bytes),
            _ => true,
        });
        self.report.ops.append(&mut ops);
    }

    fn drop_segment(&mut self, base: Offset, why: &str) {
        let file = LogFile::Log(base);
        self.cut = None;
        self.dropping = true;
        self.report.cuts.push(Cut {
            file,
            position: 0,
            bytes: 0,
            reason: format!("the whole segment is dropped: {why}"),
        });
        for file in [
            file,
            LogFile::Index(base),
            LogFile::TimeIndex(base),
            LogFile::TxnIndex(base),
        ] {
            if self.files.contains_key(&file) || file == LogFile::Log(base) {
                self.report.ops.push(StoreOp::Delete { file });
            }
        }
    }
}
