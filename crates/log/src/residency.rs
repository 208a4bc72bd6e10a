//! Which chunks are in memory, and in which order they came there.

use crate::chunk::Hot;
use crate::log::Log;
use crate::read::LogSlice;
use alloc::collections::VecDeque;
use bytes::Bytes;
use ids::Offset;

/// The resident chunks of a log, the one that came first in front.
#[derive(Clone, Debug, Default)]
pub(crate) struct Residency {
    queue: VecDeque<Resident>,
    stamps: u64,
    /// Bytes in memory, tails included.
    hot_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Resident {
    segment: Offset,
    position: u32,
    stamp: u64,
}

impl Residency {
    /// A number that no chunk has been given before.
    pub(crate) fn stamp(&mut self) -> u64 {
        self.stamps += 1;
        self.stamps
    }

    pub(crate) fn grew(&mut self, bytes: u32) {
        self.hot_bytes += u64::from(bytes);
    }

    pub(crate) fn shrank(&mut self, bytes: u64) {
        self.hot_bytes = self.hot_bytes.saturating_sub(bytes);
    }

    /// A chunk came into being, or back into memory, with this stamp.
    pub(crate) fn sealed(&mut self, segment: Offset, position: u32, stamp: u64) {
        self.queue.push_back(Resident {
            segment,
            position,
            stamp,
        });
    }
}

impl Log {
    /// Bytes of the log that are in memory.
    #[must_use]
    pub fn hot_bytes(&self) -> u64 {
        self.residency.hot_bytes
    }

    /// Drops chunks from memory until at most `max_hot_bytes` are left, those first that came
    /// into it first; gives the bytes dropped.
    ///
    /// What has not been stored stays, and so does the chunk that grows.
    pub fn evict(&mut self, max_hot_bytes: u64) -> u64 {
        let before = self.residency.hot_bytes;
        for _ in 0..self.residency.queue.len() {
            if self.residency.hot_bytes <= max_hot_bytes {
                break;
            }
            let Some(resident) = self.residency.queue.pop_front() else {
                break;
            };
            if !self.is_stored(resident) {
                self.residency.queue.push_back(resident);
                continue;
            }
            let dropped = self.drop_bytes(resident);
            self.residency.shrank(dropped);
        }
        before - self.residency.hot_bytes
    }

    /// Puts the bytes of a cold chunk back into memory; `slice` is as [`crate::Read::Cold`] named it.
    ///
    /// Says whether they were taken: bytes of another length, or that are not whole
    /// batches from the chunk's first offset on, are not, nor are those of a chunk that is gone or not cold.
    pub fn install(&mut self, slice: &LogSlice, data: Bytes) -> bool {
        let stamp = self.residency.stamp();
        let Some(segment) = self.segment_mut(slice.segment) else {
            return false;
        };
        let at = segment.chunk_at(slice.position);
        let Some(mut chunk) = segment.chunks.get(at).cloned() else {
            return false;
        };
        let named = chunk.position == slice.position && data.len() == chunk.length as usize;
        if !named || chunk.hot.is_some() {
            return false;
        }
        if chunk.is_estimate() && chunk.measure(&data).is_none() {
            return false;
        }
        let begin = segment.mark(chunk.base_offset, chunk.position);
        let Some(hot) = Hot::new(data, segment.base, begin) else {
            return false;
        };
        (chunk.hot, chunk.stamp) = (Some(hot), stamp);
        segment.chunks.warm(at, chunk);
        self.residency.grew(slice.length);
        self.residency.sealed(slice.segment, slice.position, stamp);
        true
    }

    /// Whether all of a chunk is stored; one that is gone counts as stored.
    fn is_stored(&self, resident: Resident) -> bool {
        let segment = self.segment(self.segment_index(resident.segment));
        let next = segment.chunk_at(resident.position) + 1;
        let end = match segment.chunks.get(next) {
            Some(chunk) => chunk.base_offset,
            None if segment.tail.length() > 0 => segment.tail.base_offset,
            None => segment.end,
        };
        end <= self.stored
    }

    fn drop_bytes(&mut self, resident: Resident) -> u64 {
        let Some(segment) = self.segment_mut(resident.segment) else {
            return 0;
        };
        let at = segment.chunk_at(resident.position);
        let same = |chunk: &crate::chunk::Chunk| {
            chunk.position == resident.position && chunk.stamp == resident.stamp
        };
        // Looked at first: only a chunk that goes is worth copying its shared block.
        if !segment.chunks.get(at).is_some_and(same) {
            return 0;
        }
        segment.chunks.cool(at)
    }
}
