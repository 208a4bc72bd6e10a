//! What is stored of a log, whoever has it.

use bytes::Bytes;
use ids::Offset;
use log::{Log, LogSlice};
use sorted::SortedMap;
use world::StoredLog;

/// A log whose bytes are to be stored: as the world's disk has it, or as recovery left it.
pub(crate) trait Kept {
    /// Base offset and size of each segment, in order.
    fn sizes(&self) -> SortedMap<i64, u32>;
    /// Some bytes, while they are in memory.
    fn pieces(&self, slice: &LogSlice) -> Option<Vec<Bytes>>;
    /// First offset and high watermark.
    fn bounds(&self) -> (Offset, Offset);
    /// The bytes of `leader-epoch-checkpoint`.
    fn epochs(&self) -> Vec<u8>;
}

impl Kept for Log {
    fn sizes(&self) -> SortedMap<i64, u32> {
        self.segment_sizes().map(|(base, n)| (base.0, n)).collect()
    }

    fn pieces(&self, slice: &LogSlice) -> Option<Vec<Bytes>> {
        self.slice_pieces(slice)
    }

    fn bounds(&self) -> (Offset, Offset) {
        (self.log_start(), self.high_watermark())
    }

    fn epochs(&self) -> Vec<u8> {
        log::files::encode_leader_epochs(self.leader_epochs())
    }
}

impl Kept for StoredLog<'_> {
    fn sizes(&self) -> SortedMap<i64, u32> {
        self.segment_sizes().map(|(base, n)| (base.0, n)).collect()
    }

    fn pieces(&self, slice: &LogSlice) -> Option<Vec<Bytes>> {
        self.slice_pieces(slice)
    }

    fn bounds(&self) -> (Offset, Offset) {
        (self.log_start(), self.high_watermark())
    }

    fn epochs(&self) -> Vec<u8> {
        self.leader_epochs().to_vec()
    }
}
