//! Reading: from an offset to a slice of the log, and from a slice to bytes.

use crate::chunk::CHUNK_BYTES;
use crate::log::Log;
use crate::segment::{Located, Segment};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Mutant, Offset, is_planted};

/// Names some bytes of a log; whole or cut batches of one segment.
///
/// It says nothing about whether they are in memory, and holds good until the log is truncated
/// or its start moves: a shell resolves it right after the step that gave it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LogSlice {
    /// Base offset of the segment.
    pub segment: Offset,
    /// Where the bytes begin in it.
    pub position: u32,
    /// How many there are.
    pub length: u32,
}

/// What a read found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// The bytes from the batch on that contains the offset; empty at the end.
    Slice(LogSlice),
    /// This chunk must first be loaded and installed; then read again.
    Cold(LogSlice),
}

/// The offset is below the log's start or above its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange {
    /// The first offset there is.
    pub log_start: Offset,
    /// The offset after the last.
    pub log_end: Offset,
}

/// A piece of a segment as it is kept: what a store with one value for each chunk writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkInfo {
    /// Base offset of its first batch.
    pub base_offset: Offset,
    /// The whole chunk.
    pub slice: LogSlice,
    /// Whether it may still grow.
    pub grows: bool,
}

impl Log {
    /// Finds the batches from `offset` up to, not including, `upper_bound` (an offset, which is
    /// taken down to the log's end).
    ///
    /// The slice begins with the batch that contains `offset`, or the next one where compaction
    /// has left a gap, and stays in one segment. It ends after at most `max_bytes`, perhaps in the
    /// middle of a batch; a first batch larger than that is given whole with `min_one_batch`, else
    /// the slice is empty. It is empty as well when nothing lies below the bound.
    ///
    /// # Errors
    /// When `offset` is before the log's start or after its end.
    pub fn read(
        &self,
        offset: Offset,
        max_bytes: u32,
        upper_bound: Offset,
        min_one_batch: bool,
    ) -> Result<Read, OutOfRange> {
        if offset < self.start || offset > self.end {
            return Err(OutOfRange {
                log_start: self.start,
                log_end: self.end,
            });
        }
        let upper_bound = upper_bound.min(self.end);
        let offset = match is_planted(Mutant::LastRecordPassedOver) && offset.0 + 1 < upper_bound.0
        {
            true => Offset(offset.0 + 1),
            false => offset,
        };
        let mut at = self.segment_index(offset);
        while at <= self.sealed.len() {
            let segment = self.segment(at);
            if offset >= upper_bound || segment.base >= upper_bound {
                break;
            }
            match segment.locate(offset) {
                Located::End => at += 1,
                Located::Cold(slice) => return Ok(Read::Cold(slice)),
                Located::At {
                    chunk,
                    position,
                    size,
                    last,
                } => {
                    // The batch may begin behind a gap that the bound lies in.
                    let reaches = last >= upper_bound;
                    if reaches
                        && segment
                            .base_at(position)
                            .is_none_or(|base| base >= upper_bound)
                    {
                        break;
                    }
                    let limit = match min_one_batch {
                        true => max_bytes.max(size),
                        false if max_bytes < size => 0,
                        false => max_bytes,
                    };
                    let at = (chunk, position);
                    return Ok(read_from(segment, at, limit, upper_bound));
                }
            }
        }
        let end = self.active.slice(self.active.size, 0);
        Ok(Read::Slice(end))
    }

    /// Like [`Log::read`], for a shell that can send bytes from the log's files: finds whole chunks
    /// from `offset` on, some of which are not in memory, as long as they end within `max_bytes`
    /// and below `upper_bound`. With `min_one_batch` a first batch that is larger is given whole.
    ///
    /// `None` when all of them are in memory, or when one must look into a chunk to find the batch
    /// or the end: then [`Log::read`] says what to do. Who reads on from where such a slice ends is
    /// at the beginning of a chunk, and need not look into it.
    #[must_use]
    pub fn read_through(
        &self,
        offset: Offset,
        max_bytes: u32,
        upper_bound: Offset,
        min_one_batch: bool,
    ) -> Option<LogSlice> {
        if offset < self.start || offset >= upper_bound {
            return None;
        }
        let segment = self.segment(self.segment_index(offset));
        let at = segment.chunk_of(offset);
        let chunk = segment.chunks.get(at)?;
        let limit = chunk.end().saturating_add(max_bytes);
        segment.first_cold(at, limit)?;
        let (at, position) = match segment.locate(offset) {
            Located::At {
                chunk, position, ..
            } => (chunk, position),
            Located::Cold(_) if chunk.hot.is_none() && chunk.begins_with(offset) => {
                (at, chunk.position)
            }
            Located::Cold(_) | Located::End => return None,
        };
        // A chunk of more than its usual size is a single batch, which may be given whole.
        let chunk = segment.chunks.get(at)?;
        let whole = min_one_batch && chunk.length > CHUNK_BYTES;
        let least = if whole { chunk.length } else { 0 };
        let limit = position.saturating_add(max_bytes.max(least));
        let ends = (at..segment.chunks.len())
            .filter_map(|at| Some((segment.chunks.get(at)?.end(), segment.chunk_end(at))));
        let fitting = ends.take_while(|(end, after)| *end <= limit && *after <= upper_bound);
        let (end, _) = fitting.last()?;
        Some(segment.slice(position, end - position))
    }

    /// The chunks that are not in memory from `first` on, which [`Read::Cold`] has named: those
    /// that hold its next `max_bytes`, the first in any case.
    pub fn cold_chunks(&self, first: &LogSlice, max_bytes: u32) -> impl Iterator<Item = LogSlice> {
        let segment = self.segment(self.segment_index(first.segment));
        let there = segment.base == first.segment;
        let end = first.position.saturating_add(max_bytes.max(1));
        (segment.chunk_at(first.position)..segment.chunks.len())
            .map_while(|at| segment.chunks.get(at))
            .take_while(move |chunk| there && chunk.position < end)
            .filter(|chunk| chunk.hot.is_none())
            .map(|chunk| segment.slice(chunk.position, chunk.length))
    }

    /// The bytes of a slice, chunk by chunk, borrowed.
    ///
    /// `None` when some of them are cold or not in the log.
    #[must_use]
    pub fn slice_bytes(&self, slice: &LogSlice) -> Option<SliceBytes<'_>> {
        let segment = self.segment(self.segment_index(slice.segment));
        let end = slice.position.checked_add(slice.length)?;
        let there = segment.base == slice.segment && end <= segment.size;
        let chunk = segment.chunk_at(slice.position);
        let hot = there && segment.first_cold(chunk, end).is_none();
        hot.then_some(SliceBytes {
            chunk,
            position: slice.position,
            segment,
            end,
        })
    }

    /// The bytes of a slice as shared pieces: sealed chunks are not copied, the growing one is.
    ///
    /// `None` when some of them are cold or not in the log.
    #[must_use]
    pub fn slice_pieces(&self, slice: &LogSlice) -> Option<Vec<Bytes>> {
        let mut pieces = Vec::new();
        let mut bytes = self.slice_bytes(slice)?;
        while bytes.position < bytes.end {
            let sealed = bytes.segment.chunks.get(bytes.chunk);
            let piece = bytes.next()?;
            pieces.push(match sealed.and_then(|chunk| chunk.hot.as_ref()) {
                Some(hot) => hot.data.slice_ref(piece),
                None => Bytes::copy_from_slice(piece),
            });
        }
        Some(pieces)
    }

    /// The chunks that hold bytes of a slice, in order; a stale slice has none.
    pub fn chunks(&self, slice: &LogSlice) -> impl Iterator<Item = ChunkInfo> {
        let segment = self.segment(self.segment_index(slice.segment));
        let there = segment.base == slice.segment;
        let end = slice.position.saturating_add(slice.length);
        let sealed = (segment.chunk_at(slice.position)..segment.chunks.len())
            .filter_map(|at| segment.chunks.get(at))
            .take_while(move |chunk| chunk.position < end)
            .map(|chunk| ChunkInfo {
                base_offset: chunk.base_offset,
                slice: segment.slice(chunk.position, chunk.length),
                grows: false,
            });
        let tail = &segment.tail;
        let reaches_tail = tail.length() > 0 && end > tail.position;
        let growing = reaches_tail.then(|| ChunkInfo {
            base_offset: tail.base_offset,
            slice: segment.slice(tail.position, tail.length()),
            grows: true,
        });
        sealed.chain(growing).filter(move |_| there)
    }
}

/// The bytes of a slice, chunk by chunk.
#[derive(Clone, Debug)]
pub struct SliceBytes<'a> {
    segment: &'a Segment,
    chunk: usize,
    position: u32,
    end: u32,
}

impl<'a> Iterator for SliceBytes<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.position >= self.end {
            return None;
        }
        let (begin, bytes) = self.segment.chunk_bytes(self.chunk)?;
        let from = (self.position - begin) as usize;
        let to = bytes.len().min((self.end - begin) as usize);
        let piece = bytes.get(from..to)?;
        self.chunk += 1;
        self.position = begin + to as u32;
        Some(piece)
    }
}

/// A read that begins with a batch: in this chunk, at this position.
fn read_from(
    segment: &Segment,
    (chunk, position): (usize, u32),
    limit: u32,
    upper_bound: Offset,
) -> Read {
    let mut end = segment.size;
    if upper_bound < segment.end {
        match segment.locate(upper_bound) {
            Located::At { position, .. } => end = position,
            Located::Cold(slice) if slice.position < position.saturating_add(limit) => {
                return Read::Cold(slice);
            }
            // The bound lies in a later chunk, which need not be looked into.
            Located::Cold(_) | Located::End => {}
        }
    }
    end = end.min(position.saturating_add(limit));
    if let Some(cold) = segment.first_cold(chunk, end) {
        // What is in memory before it would do, but an answer is not to depend on what that is.
        return Read::Cold(cold);
    }
    Read::Slice(segment.slice(position, end.saturating_sub(position)))
}
