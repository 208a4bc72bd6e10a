//! Cutting the log's end.

use crate::files::LogFile;
use crate::log::{Log, StoreOp};
use crate::producers::Producers;
use crate::read::LogSlice;
use crate::segment::{Located, Segment};
use alloc::{sync::Arc, vec::Vec};
use ids::{Mutant, Offset, Time, is_planted};
use sorted::SortedMap;

impl Log {
    /// Drops what a shell could not store: everything from the stored end on.
    ///
    /// # Errors
    /// As [`Log::truncate_to`].
    pub fn store_failed(&mut self, now: Time, ops: &mut Vec<StoreOp>) -> Result<bool, LogSlice> {
        if is_planted(Mutant::RefusedKept) {
            self.stored = self.end;
        }
        // The state of the producers at that end may be known no more but from bytes that are not in
        // memory. A disk that refuses to write is not asked for them.
        self.cut_to(self.stored, now, ops, |log, end| {
            let known = log.producers_at(end);
            Ok(known.unwrap_or_else(|_| log.producers.without_from(end)))
        })
    }

    /// Drops all batches that reach to or beyond `target`; says whether there were any.
    ///
    /// The log then ends at `target`, or where the batch that contained it began. Leader epochs
    /// that begin at or after `target` are forgotten in any case, for a failed leader may have
    /// noted one without having appended to it.
    ///
    /// # Errors
    /// A chunk that must first be loaded and installed; nothing has changed then.
    pub fn truncate_to(
        &mut self,
        target: Offset,
        now: Time,
        ops: &mut Vec<StoreOp>,
    ) -> Result<bool, LogSlice> {
        self.cut_to(target, now, ops, Log::producers_at)
    }

    fn cut_to(
        &mut self,
        target: Offset,
        now: Time,
        ops: &mut Vec<StoreOp>,
        producers_at: impl Fn(&Log, Offset) -> Result<Producers, LogSlice>,
    ) -> Result<bool, LogSlice> {
        if target >= self.end {
            if self.epochs.truncate_from_end(target) {
                self.put_epochs(ops);
            }
            return Ok(false);
        }
        if target < self.segment(0).base {
            self.truncate_fully_and_start_at(target, now, ops);
            return Ok(true);
        }
        let at = self.segment_index(target);
        let segment = self.segment(at);
        let (position, end) = match segment.locate(target) {
            Located::At { position, .. } => {
                let base = segment.base_at(position);
                (position, base.map_or(target, |base| target.min(base)))
            }
            Located::Cold(slice) => match segment.cold_begin(target) {
                Some(position) => (position, target),
                None => return Err(slice),
            },
            Located::End => (segment.size, target.min(segment.end)),
        };
        if let Some(slice) = segment.first_vague(end) {
            return Err(slice);
        }
        let producers = producers_at(self, end)?;
        self.closed = false;
        self.drop_segments_after(at, ops);
        self.cut_active(position, end, now, ops);
        self.end = end;
        self.start = self.start.min(end);
        self.high_watermark = self.high_watermark.min(end);
        self.stored = self.stored.min(end);
        self.producers = producers;
        self.checkpoints.retain(|&at, _| at <= end);
        self.drop_snapshots(|at| at > end, ops);
        if self.epochs.truncate_from_end(target) {
            self.put_epochs(ops);
        }
        Ok(true)
    }

    /// Drops everything; the log then begins and ends at `start`.
    pub fn truncate_fully_and_start_at(
        &mut self,
        start: Offset,
        now: Time,
        ops: &mut Vec<StoreOp>,
    ) {
        for segment in self.segments().rev() {
            delete_segment(segment, ops);
        }
        self.sealed.clear();
        self.closed = false;
        self.active = Segment::new(start, now);
        self.residency.shrank(self.hot_bytes());
        self.start = start;
        self.end = start;
        self.high_watermark = start;
        self.stored = start;
        self.producers = Producers::default();
        self.checkpoints = SortedMap::from([(start, Producers::default())]);
        self.drop_snapshots(|_| true, ops);
        self.snapshot_floor = Offset(0);
        self.epochs = crate::epochs::Epochs::default();
        self.put_epochs(ops);
        ops.push(StoreOp::Roll { segment: start });
    }

    /// Makes the segment with number `keep` the active one by dropping all later ones.
    fn drop_segments_after(&mut self, keep: usize, ops: &mut Vec<StoreOp>) {
        while self.sealed.len() > keep
            && let Some(last) = self.sealed.pop()
        {
            delete_segment(&self.active, ops);
            self.residency.shrank(self.active.hot_bytes());
            self.active = Arc::unwrap_or_clone(last);
            if self.sealed.len() == keep {
                // Written when the segment was closed, which it no longer is.
                delete_indexes(&self.active, ops);
            }
        }
    }

    fn cut_active(&mut self, position: u32, end: Offset, now: Time, ops: &mut Vec<StoreOp>) {
        let shorter = position < self.active.size;
        let freed = self.active.cut(position, end, now);
        self.residency.shrank(freed);
        if shorter {
            ops.push(StoreOp::Truncate {
                segment: self.active.base,
                position,
            });
        }
    }

    /// Deletes the snapshots of which `gone` is true.
    pub(crate) fn drop_snapshots(&mut self, gone: impl Fn(Offset) -> bool, ops: &mut Vec<StoreOp>) {
        self.snapshots.retain(|&at| {
            if gone(at) {
                let file = LogFile::Snapshot(at);
                ops.push(StoreOp::Delete { file });
            }
            !gone(at)
        });
        self.snapshot_floor = self.snapshots.last().copied().unwrap_or(self.start);
    }

    /// The producers as they were when the log ended at `end`: a kept state and the batches since.
    fn producers_at(&self, end: Offset) -> Result<Producers, LogSlice> {
        let first = self.segment(0).base;
        let kept = self.checkpoints.range(..=end).next_back();
        // A state from before the first segment lacks what retention has deleted since; none at
        // all is better, for unknown producers may begin with any sequence number.
        let (mut from, mut producers) = match kept {
            Some((&at, state)) if at >= first => (at, state.clone()),
            _ => (first, Producers::default()),
        };
        while from < end {
            let segment = self.segment(self.segment_index(from));
            let position = match segment.locate(from) {
                Located::At { position, .. } => position,
                Located::Cold(slice) => return Err(slice),
                Located::End => match self.segments().find(|later| later.base > from) {
                    Some(later) => {
                        from = later.base;
                        continue;
                    }
                    None => break,
                },
            };
            let Some((begin, bytes)) = segment.chunk_bytes(segment.chunk_at(position)) else {
                break;
            };
            let rest = bytes.get((position - begin) as usize..).unwrap_or_default();
            let before = from;
            for (_, batch) in records::Batches::new(rest) {
                if batch.last_offset() >= end {
                    return Ok(producers);
                }
                producers.update(&batch);
                from = batch.next_offset();
            }
            if from == before {
                break;
            }
        }
        producers.replicated_to(self.high_watermark);
        Ok(producers)
    }
}

pub(crate) fn delete_segment(segment: &Segment, ops: &mut Vec<StoreOp>) {
    let file = LogFile::Log(segment.base);
    ops.push(StoreOp::Delete { file });
    delete_indexes(segment, ops);
}

fn delete_indexes(segment: &Segment, ops: &mut Vec<StoreOp>) {
    let file = LogFile::Index(segment.base);
    ops.push(StoreOp::Delete { file });
    let file = LogFile::TimeIndex(segment.base);
    ops.push(StoreOp::Delete { file });
    if !segment.aborted.is_empty() {
        let file = LogFile::TxnIndex(segment.base);
        ops.push(StoreOp::Delete { file });
    }
}
