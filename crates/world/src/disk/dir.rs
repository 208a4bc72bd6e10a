//! A partition's directory: segments, small files, and what the checkpoint files say of it.

use super::bytes::{SegmentBytes, Stretch, slice};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Offset, Rng};
use log::{Checkpoints, Log, LogFile, LogSlice, StoreOp};
use sorted::SortedMap;

/// An order with the bytes that it appends.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) op: StoreOp,
    pub(crate) bytes: Vec<Bytes>,
}

impl Write {
    /// An order that brings its bytes with it. Those of a batch that the log does not keep lie in one piece,
    /// as a log has them, and apart from the request that they came in.
    pub(crate) fn new(op: StoreOp) -> Write {
        let appended = op.appends();
        let (StoreOp::AppendBatch(batch), Some(slice)) = (&op, appended) else {
            let bytes = Vec::new();
            return Write { op, bytes };
        };
        let mut whole = Vec::with_capacity(slice.length as usize);
        whole.extend_from_slice(&batch.header);
        whole.extend_from_slice(&batch.records);
        let op = StoreOp::Append {
            segment: slice.segment,
            position: slice.position,
            length: slice.length,
        };
        let bytes = Vec::from([Bytes::from(whole)]);
        Write { op, bytes }
    }
}

/// A file that is written whole.
#[derive(Clone, Debug)]
struct Small {
    bytes: Bytes,
    /// What a power cut leaves of it.
    flushed: Option<Bytes>,
}

/// One directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dir {
    segments: SortedMap<Offset, SegmentBytes>,
    smalls: SortedMap<LogFile, Small>,
    /// `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint` and
    /// `replication-offset-checkpoint`, which a broker keeps beside the directories.
    recovery_point: Offset,
    log_start: Offset,
    high_watermark: Offset,
    /// Its node was stopped in order.
    clean: bool,
}

impl Dir {
    /// The directory of a log that a shell has read from a store of its own: all of it was there, so all of
    /// it is flushed. What is not in memory of it stays with the shell.
    pub(crate) fn of(log: &Log) -> Dir {
        let mut dir = Dir::default();
        for (segment, size) in log.segment_sizes() {
            let file = dir.segments.entry(segment).or_default();
            let whole = slice(segment, 0, size);
            for chunk in log.chunks(&whole) {
                match log.slice_pieces(&chunk.slice) {
                    Some(pieces) => file.append(chunk.slice.position, pieces),
                    None => file.push_cold(chunk.slice.length),
                }
            }
            file.share(log, segment);
        }
        let bytes = log::files::encode_leader_epochs(log.leader_epochs());
        dir.put(LogFile::LeaderEpochs, bytes.into());
        dir.note(log);
        dir.flush_all();
        dir
    }

    /// Carries an order out; `log` is whose bytes are shared, where they are the same.
    pub(crate) fn write(&mut self, write: Write, log: Option<&Log>) {
        match write.op {
            StoreOp::Roll { segment } => {
                if let Some(log) = log {
                    for (base, file) in self.segments.iter_mut() {
                        file.share(log, *base);
                    }
                }
                if self.segments.keys().any(|base| *base < segment) {
                    self.flush_below(segment);
                }
                self.segments.insert(segment, SegmentBytes::default());
            }
            StoreOp::Append {
                segment, position, ..
            } => {
                let file = self.segments.entry(segment).or_default();
                file.append(position, write.bytes);
                if let Some(log) = log {
                    file.share_sometimes(log, segment);
                }
            }
            StoreOp::AppendBatch(_) => self.write(Write::new(write.op), log),
            StoreOp::Put { file, bytes } => self.put(file, bytes.into()),
            StoreOp::Delete {
                file: LogFile::Log(segment),
            } => drop(self.segments.remove(&segment)),
            StoreOp::Delete { file } => drop(self.smalls.remove(&file)),
            StoreOp::Truncate { segment, position } => {
                if let Some(file) = self.segments.get_mut(&segment) {
                    file.truncate(position);
                }
                self.recovery_point = self.recovery_point.min(segment);
            }
        }
    }

    fn put(&mut self, file: LogFile, bytes: Bytes) {
        let flushed = self.smalls.get(&file).and_then(|old| old.flushed.clone());
        self.smalls.insert(file, Small { bytes, flushed });
    }

    /// What lies below a segment that has just begun is flushed, with what belongs to it.
    fn flush_below(&mut self, segment: Offset) {
        for (base, file) in self.segments.iter_mut() {
            if *base < segment {
                file.flush();
            }
        }
        self.flush_smalls();
        self.recovery_point = self.recovery_point.max(segment);
    }

    fn flush_smalls(&mut self) {
        for small in self.smalls.values_mut() {
            small.flushed = Some(small.bytes.clone());
        }
    }

    /// All of it survives a power cut from now on.
    pub(crate) fn flush_all(&mut self) {
        self.segments.values_mut().for_each(SegmentBytes::flush);
        self.flush_smalls();
    }

    /// Its node stops in order: everything is flushed.
    pub(crate) fn close(&mut self, log: &Log) {
        self.flush_all();
        self.note(log);
        self.recovery_point = log.log_end();
        self.clean = true;
    }

    /// Writes what the checkpoint files say of it.
    pub(crate) fn note(&mut self, log: &Log) {
        self.log_start = log.log_start();
        self.high_watermark = log.high_watermark();
    }

    /// What a recovery begins from.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        Checkpoints {
            clean: self.clean,
            recovery_point: self.recovery_point,
            log_start: self.log_start,
            high_watermark: self.high_watermark,
        }
    }

    /// The node runs again: what it writes from now on was not stopped in order.
    pub(crate) fn begin(&mut self) {
        self.clean = false;
    }

    /// The small files.
    pub(crate) fn smalls(&self) -> impl Iterator<Item = (LogFile, &Bytes)> {
        self.smalls
            .iter()
            .map(|(file, small)| (*file, &small.bytes))
    }

    pub(crate) fn small(&self, file: LogFile) -> Option<&Bytes> {
        self.smalls.get(&file).map(|small| &small.bytes)
    }

    /// Base offsets and sizes of the segments.
    pub(crate) fn segment_sizes(&self) -> impl Iterator<Item = (Offset, u32)> {
        let segments = self.segments.iter();
        segments.map(|(base, file)| (*base, file.length()))
    }

    /// The segment at this base, or the first one behind it.
    pub(crate) fn segment_from(&self, base: Offset) -> Option<Offset> {
        self.segments.range(base..).next().map(|(base, _)| *base)
    }

    /// What a segment has at a position, as far as it is in one piece.
    pub(crate) fn at(&self, segment: Offset, position: u32) -> Option<Stretch> {
        self.segments.get(&segment)?.at(position)
    }

    /// Some bytes of a segment; `None` when they are not all there, or not in memory.
    pub(crate) fn read(&self, slice: &LogSlice) -> Option<Vec<Bytes>> {
        let file = self.segments.get(&slice.segment)?;
        file.read(slice.position, slice.length)
    }

    /// Lets go of what the log has let go of.
    pub(crate) fn cool(&mut self, log: &Log) {
        for (base, file) in self.segments.iter_mut() {
            file.cool(log, *base);
        }
    }

    /// Bytes of all its files.
    pub(crate) fn size(&self) -> u64 {
        let segments = self.segments.values().map(|file| u64::from(file.length()));
        segments.sum()
    }

    /// The power is cut: of each segment a prefix is left, which holds all that was flushed, and of a small
    /// file what was flushed or what was written.
    pub(crate) fn lose_power(&mut self, chance: &mut Rng) {
        // Nobody is told that records are missing which a fault has taken.
        self.high_watermark = self.high_watermark.min(self.recovery_point);
        for file in self.segments.values_mut() {
            let loose = u64::from(file.length() - file.flushed());
            let left = chance.below(loose.saturating_add(1));
            let left = u32::try_from(left).unwrap_or(0);
            file.truncate(file.flushed() + left);
            file.flush();
        }
        self.smalls.retain(|_, small| {
            if chance.below(2) == 0 {
                small.flushed = Some(small.bytes.clone());
            }
            match &small.flushed {
                Some(flushed) => small.bytes = flushed.clone(),
                None => return false,
            }
            true
        });
    }

    /// Turns one bit of a segment over that is in memory; says whether there was one.
    pub(crate) fn flip(&mut self, chance: &mut Rng) -> bool {
        let mut at = chance.below(self.size().max(1));
        for file in self.segments.values_mut() {
            let length = u64::from(file.length());
            if at < length {
                let position = u32::try_from(at).unwrap_or(0);
                let bit = u32::try_from(chance.below(8)).unwrap_or(0);
                return file.flip(position, bit);
            }
            at -= length;
        }
        false
    }
}

/// A log as a node's disk has it, whether the node runs or not.
#[derive(Clone, Copy, Debug)]
pub struct StoredLog<'a> {
    pub(crate) dir: &'a Dir,
    pub(crate) log_start: Offset,
    pub(crate) high_watermark: Offset,
}

impl<'a> StoredLog<'a> {
    /// Base offset and size of each segment, in order.
    pub fn segment_sizes(&self) -> impl Iterator<Item = (Offset, u32)> + use<'a> {
        self.dir.segment_sizes()
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.dir.size()
    }

    /// Some bytes of a segment, shared; `None` when they are not there, or not in memory.
    #[must_use]
    pub fn slice_pieces(&self, slice: &LogSlice) -> Option<Vec<Bytes>> {
        self.dir.read(slice)
    }

    /// The first offset.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    /// The high watermark: of a node that does not run, the one that was written last.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Everything below survives a power cut.
    #[must_use]
    pub fn flushed(&self) -> Offset {
        self.dir.recovery_point
    }

    /// The bytes of `leader-epoch-checkpoint`; none when there is no such file.
    #[must_use]
    pub fn leader_epochs(&self) -> &'a [u8] {
        self.dir
            .small(LogFile::LeaderEpochs)
            .map(|bytes| &**bytes)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Dir, LogSlice, Write};
    use bytes::Bytes;
    use ids::{LeaderEpoch, Offset, Time};
    use log::{Log, LogConfig, Recovery, StoreOp};
    use records::{BatchBuilder, BatchOptions, ValidBatch};
    use std::vec::Vec;

    const SIZES: [usize; 5] = [300, 300, 90_000, 300, 50_000];

    fn batch(size: usize) -> Bytes {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let value = std::vec![7; size];
        builder.append(1, None, Some(&value), &[]).expect("it fits");
        Bytes::from(builder.build())
    }

    /// Appends as a broker whose shell sends from files: what is large does not stay in the log's memory.
    fn append(log: &mut Log, came: &Bytes) -> Vec<StoreOp> {
        let valid = ValidBatch::from_log(came).expect("it is whole");
        let mut ops = Vec::new();
        log.append_through(Time(0), (&valid, came), LeaderEpoch(0), &mut ops)
            .expect("it is appended");
        ops
    }

    fn carry_out(dir: &mut Dir, log: &Log, ops: Vec<StoreOp>) {
        for op in ops {
            let slice = op.appends();
            let mut write = Write::new(op);
            if let Some(slice) = slice.filter(|_| write.bytes.is_empty()) {
                write.bytes = log.slice_pieces(&slice).expect("it is in memory");
            }
            dir.write(write, Some(log));
        }
    }

    #[test]
    fn a_batch_that_the_log_does_not_keep_is_on_the_disk_in_one_piece() {
        let (mut dir, mut ops) = (Dir::default(), Vec::new());
        let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
        log.create(&mut ops);
        carry_out(&mut dir, &log, ops);
        let mut through = Vec::new();
        for came in SIZES.map(batch) {
            let ops = append(&mut log, &came);
            through.extend(ops.iter().filter_map(|op| match op {
                StoreOp::AppendBatch(_) => op.appends(),
                _ => None,
            }));
            carry_out(&mut dir, &log, ops);
        }
        assert_eq!(through.len(), 2);
        for slice in &through {
            assert!(log.slice_pieces(slice).is_none());
            let pieces = dir.read(slice).expect("the disk has it");
            assert_eq!(pieces.len(), 1);
        }
        let mut recovery = Recovery::new(LogConfig::default(), dir.checkpoints(), Time(0));
        recovery.segment(Offset(0));
        let whole = dir.read(&whole(&dir)).expect("all is in memory");
        whole.into_iter().for_each(|piece| recovery.bytes(piece));
        assert_eq!(recovery.finish().0.log_end(), log.log_end());
    }

    #[test]
    fn what_lies_around_a_batch_that_the_log_does_not_keep_is_shared_with_it() {
        let (mut dir, mut ops) = (Dir::default(), Vec::new());
        let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
        log.create(&mut ops);
        for came in SIZES.map(batch) {
            ops.extend(append(&mut log, &came));
        }
        carry_out(&mut dir, &log, ops);
        let whole = whole(&dir);
        let chunks = log.chunks(&whole);
        let (mut shared, mut apart) = (0, 0);
        for chunk in chunks.filter(|chunk| !chunk.grows) {
            let its = dir.read(&chunk.slice).expect("the disk has it");
            match log.slice_pieces(&chunk.slice) {
                Some(ours) => {
                    assert_eq!(ours[0].as_ptr(), its[0].as_ptr());
                    shared += 1;
                }
                None => apart += 1,
            }
        }
        assert_eq!((shared, apart), (2, 2));
    }

    fn whole(dir: &Dir) -> LogSlice {
        let (segment, length) = dir.segment_sizes().next().expect("a segment");
        LogSlice {
            segment,
            position: 0,
            length,
        }
    }
}
