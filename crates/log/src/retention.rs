//! Cutting the log's start: retention and deleted records.

use crate::files::LogFile;
use crate::log::{Log, StoreOp};
use crate::read::OutOfRange;
use crate::segment::Segment;
use crate::truncate::delete_segment;
use alloc::vec::Vec;
use ids::{Mutant, Offset, Time, is_planted};

impl Log {
    /// Raises the log's start to `offset`, up to the high watermark; its segments go with the
    /// next [`Log::retain`]. A lower offset than the start changes nothing.
    ///
    /// # Errors
    /// When `offset` is above the high watermark.
    pub fn delete_records_before(
        &mut self,
        offset: Offset,
        ops: &mut Vec<StoreOp>,
    ) -> Result<Offset, OutOfRange> {
        if offset > self.high_watermark {
            return Err(OutOfRange {
                log_start: self.start,
                log_end: self.high_watermark,
            });
        }
        self.raise_start(offset, ops);
        Ok(self.start)
    }

    /// Deletes the oldest segments as far as the configuration wants it: those before the log's
    /// start, those beyond `retention.bytes`, those older than `retention.ms`. Gives their number.
    ///
    /// A segment goes only when all of it lies below the high watermark. The active one goes as
    /// well; a new one is then rolled. Without `delete` in `cleanup.policy` only segments before
    /// the log's start go.
    pub fn retain(&mut self, now: Time, ops: &mut Vec<StoreOp>) -> usize {
        let start = self.start;
        let mut gone = self.drop_oldest(now, ops, |_, next| next.is_some_and(|next| next <= start));
        if !self.config.delete {
            return gone;
        }
        if let Ok(limit) = u64::try_from(self.config.retention_bytes) {
            let mut excess = self.size().saturating_sub(limit);
            gone += self.drop_oldest(now, ops, |segment, _| {
                let fits = u64::from(segment.size) <= excess;
                if fits {
                    excess -= u64::from(segment.size);
                }
                fits && segment.size > 0
            });
        }
        let limit = self.config.retention_ms;
        if limit >= 0 {
            gone += self.drop_oldest(now, ops, |segment, _| {
                is_planted(Mutant::YoungDeleted)
                    || now.millis().saturating_sub(segment.largest_timestamp()) > limit
            });
        }
        gone
    }

    /// Deletes the oldest segments of which `may_go` is true, given the next one's base.
    fn drop_oldest(
        &mut self,
        now: Time,
        ops: &mut Vec<StoreOp>,
        mut may_go: impl FnMut(&Segment, Option<Offset>) -> bool,
    ) -> usize {
        let bases = self.segments().skip(1).map(|segment| Some(segment.base));
        let nexts: Vec<Option<Offset>> = bases.chain([None]).collect();
        let count = self
            .segments()
            .zip(nexts)
            .take_while(|(segment, next)| {
                let empty_last = next.is_none() && segment.size == 0;
                let below = self.high_watermark >= next.unwrap_or(self.end);
                below && !empty_last && may_go(segment, *next)
            })
            .count();
        if count == 0 {
            return 0;
        }
        if count > self.sealed.len() {
            self.roll(self.end, now, ops);
        }
        let mut deletes = Vec::new();
        for segment in self.sealed.drain(..count) {
            delete_segment(&segment, &mut deletes);
            self.residency.shrank(segment.hot_bytes());
            if self.snapshots.remove(&segment.base) {
                let file = LogFile::Snapshot(segment.base);
                deletes.push(StoreOp::Delete { file });
            }
        }
        let first = self.segment(0).base;
        let kept = self.checkpoints.split_off(&first);
        self.checkpoints = kept;
        // The epochs come first: where they begin says which segments there have to be.
        self.raise_start(first, ops);
        ops.append(&mut deletes);
        count
    }

    /// Moves the log's start up, and with it the first leader epoch.
    fn raise_start(&mut self, to: Offset, ops: &mut Vec<StoreOp>) {
        if to <= self.start {
            return;
        }
        self.start = to;
        if self.epochs.truncate_from_start(to) {
            self.put_epochs(ops);
        }
        self.snapshot_floor = self.snapshots.last().copied().unwrap_or(to);
    }
}
