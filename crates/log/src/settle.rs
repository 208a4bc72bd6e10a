//! The end of a recovery: what was not in the batches is taken from the small files.

use crate::files::{self, LogFile};
use crate::log::StoreOp;
use crate::producers::{Producer, Producers};
use crate::recovery::Recovery;
use alloc::vec::Vec;
use ids::{Mutant, Offset, ProducerId, is_planted};
use sorted::SortedSet;

impl Recovery {
    /// The producers after segments that have not been read, when no batch has told.
    pub(crate) fn settle_end(&mut self) {
        let end = self.log.end;
        self.settle_pending(end);
        if self.pending.take().is_some() {
            // The log was cut before the snapshot: an older one has to do.
            self.log.producers = Producers::default();
        }
        if self.resumed {
            // A write that fails goes back to here, without loading anything.
            self.log.checkpoint_producers(end);
        }
    }

    pub(crate) fn settle_epochs(&mut self) {
        let log = &mut self.log;
        log.epochs.truncate_from_end(log.end);
        log.epochs.truncate_from_start(log.start);
        let bytes = files::encode_leader_epochs(log.epochs.entries());
        let stored = self.files.get(&LogFile::LeaderEpochs);
        log.epochs_unsaved = stored.is_none_or(|stored| *stored != bytes);
    }

    /// Adds producers whose records are gone, forgets silent ones, drops snapshots out of range.
    pub(crate) fn settle_producers(&mut self, ops: &mut Vec<StoreOp>) {
        let (start, end) = (self.log.start, self.log.end);
        // One that cannot be read is no state to fall back to; the next stop writes it anew.
        let spoilt = |at: &Offset| self.decoded_snapshot(*at).is_none() && self.has_snapshot(*at);
        let spoilt: Vec<Offset> = self.log.snapshots.iter().copied().filter(spoilt).collect();
        self.log.drop_snapshots(|at| spoilt.contains(&at), ops);
        let newest = self.log.snapshots.range(..=end).next_back().copied();
        let known = newest
            .and_then(|at| self.decoded_snapshot(at))
            .unwrap_or_default();
        let log = &mut self.log;
        log.producers.merge(known);
        if is_planted(Mutant::ProducersForgotten) {
            log.producers = Producers::default();
        }
        log.producers.replicated_to(log.high_watermark);
        log.expire_producers(self.now);
        // Besides those at a segment's base only the one of the last clean stop is of use.
        let bases: SortedSet<Offset> = log.segments().map(|segment| segment.base).collect();
        let stop = newest.filter(|&at| bases.last().is_some_and(|&last| at > last));
        let useful = |at| bases.contains(&at) || stop == Some(at);
        log.drop_snapshots(|at| at > end || at <= start || !useful(at), ops);
    }

    /// The producers of a snapshot that was handed in; none when it is not there or damaged.
    pub(crate) fn producers_of(&self, at: Offset) -> Producers {
        let mut producers = Producers::default();
        producers.merge(self.decoded_snapshot(at).unwrap_or_default());
        producers
    }

    fn has_snapshot(&self, at: Offset) -> bool {
        self.files.contains_key(&LogFile::Snapshot(at))
    }

    pub(crate) fn decoded_snapshot(&self, at: Offset) -> Option<Vec<(ProducerId, Producer)>> {
        let bytes = self.files.get(&LogFile::Snapshot(at))?;
        files::decode_snapshot(bytes)
    }
}
