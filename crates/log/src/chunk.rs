//! The bytes of a segment: immutable shared chunks, and a tail that still grows.

use crate::runs::{self, Mark, Run, Runs};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::Offset;

/// Largest chunk that holds more than one batch. An IndexedDB value of this size is still kept
/// beside its key; a larger one becomes a file of its own in some engines.
pub const CHUNK_BYTES: u32 = 61_440;

/// The highest timestamp of some batches and the last offset of the first batch that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MaxTimestamp {
    pub(crate) timestamp: i64,
    pub(crate) offset: Offset,
}

impl MaxTimestamp {
    /// No timestamp at all; timestamps below 0 count as none.
    pub(crate) fn none(base: Offset) -> MaxTimestamp {
        MaxTimestamp {
            timestamp: -1,
            offset: base,
        }
    }

    /// Takes in what comes later: only a higher timestamp replaces this one.
    pub(crate) fn note(&mut self, later: MaxTimestamp) {
        if later.timestamp > self.timestamp {
            *self = later;
        }
    }
}

/// The stamp of a chunk whose bytes nobody has seen yet, so that it is known from an index alone.
pub(crate) const NEVER_HOT: u64 = 0;

/// Whole batches in one piece, never across segments.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// Where it begins in its segment.
    pub(crate) position: u32,
    pub(crate) length: u32,
    /// Base offset of its first batch. Known from an index alone: that batch's last offset, but
    /// for a segment's first chunk.
    pub(crate) base_offset: Offset,
    /// Known from an index alone: a bound, and an offset of the log that has this timestamp.
    pub(crate) max_timestamp: MaxTimestamp,
    /// The bytes; `None` while they are only in storage.
    pub(crate) hot: Option<Hot>,
    /// When the bytes became resident, in steps of the log's own counter.
    pub(crate) stamp: u64,
}

impl Chunk {
    pub(crate) fn end(&self) -> u32 {
        self.position + self.length
    }

    /// Whether only an index is known of it: its offset and its timestamp are not exact.
    pub(crate) fn is_estimate(&self) -> bool {
        self.stamp == NEVER_HOT
    }

    /// Whether its first batch is known to begin with this offset.
    pub(crate) fn begins_with(&self, offset: Offset) -> bool {
        self.base_offset == offset && !self.is_estimate()
    }

    /// Puts what its bytes say in place of what an index has said; `None` when that was not true.
    pub(crate) fn measure(&mut self, data: &[u8]) -> Option<()> {
        let promised = self.base_offset;
        let (_, first) = records::Batches::new(data).next()?;
        let found = match self.position {
            0 => first.base_offset,
            _ => first.last_offset(),
        };
        if found != promised {
            return None;
        }
        self.base_offset = first.base_offset;
        self.max_timestamp = max_timestamp(first.base_offset, data);
        Some(())
    }
}

/// The highest timestamp of some batches.
pub(crate) fn max_timestamp(base: Offset, data: &[u8]) -> MaxTimestamp {
    let mut max = MaxTimestamp::none(base);
    for (_, batch) in records::Batches::new(data) {
        max.note(MaxTimestamp {
            timestamp: batch.max_timestamp,
            offset: batch.last_offset(),
        });
    }
    max
}

/// What is in memory of a chunk.
#[derive(Clone, Debug)]
pub(crate) struct Hot {
    pub(crate) data: Bytes,
    /// Where its batches are, so that one is found without a walk over those before it.
    pub(crate) runs: Runs,
}

impl Hot {
    /// The chunk that `data` is; `None` unless it consists of whole batches in order, of which
    /// the first begins with the offset of `begin`. Offsets are relative to `segment`.
    pub(crate) fn new(data: Bytes, segment: Offset, begin: Mark) -> Option<Hot> {
        let (mut runs, mut at, mut next) = (Vec::new(), 0, begin.offset);
        while (at as usize) < data.len() {
            let step = Step::at(&data, at)?;
            let base = u32::try_from(step.base_offset.checked_sub(segment.0)?).ok()?;
            let last = u32::try_from(step.last_offset.checked_sub(segment.0)?).ok()?;
            let follows = if at == 0 { base == next } else { base >= next };
            at = at.checked_add(step.size)?;
            if !follows || last < base || at as usize > data.len() {
                return None;
            }
            next = last.checked_add(1)?;
            let after = Mark {
                offset: next,
                position: begin.position.checked_add(at)?,
            };
            runs::push(&mut runs, begin, after);
        }
        let runs = Runs::new(begin, &runs);
        Some(Hot { data, runs })
    }
}

/// The chunk that grows: at most [`CHUNK_BYTES`], at the end of its segment.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    pub(crate) position: u32,
    pub(crate) base_offset: Offset,
    pub(crate) max_timestamp: MaxTimestamp,
    pub(crate) data: Vec<u8>,
    /// Where its batches are.
    pub(crate) runs: Vec<Run>,
}

impl Tail {
    pub(crate) fn new(position: u32, base: Offset) -> Tail {
        Tail {
            position,
            base_offset: base,
            max_timestamp: MaxTimestamp::none(base),
            data: Vec::new(),
            runs: Vec::new(),
        }
    }

    pub(crate) fn length(&self) -> u32 {
        self.data.len() as u32
    }

    /// Makes room for a batch of `length` bytes without growing past a chunk's size.
    pub(crate) fn reserve(&mut self, length: u32) {
        let need = self.data.len() + length as usize;
        if need > self.data.capacity() {
            let whole = CHUNK_BYTES as usize;
            let quarter = whole / 4;
            // Growing copies what is there. A tail that has come to a quarter will likely be
            // filled; one behind a full chunk will at least come to that.
            let capacity = match self.data.capacity().saturating_mul(2) {
                _ if need > quarter => whole,
                _ if self.position > 0 => quarter,
                doubled => doubled.min(quarter),
            };
            let capacity = need.max(capacity);
            self.data.reserve_exact(capacity - self.data.len());
        }
    }
}

/// What a walk from batch to batch needs of a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) base_offset: i64,
    pub(crate) size: u32,
    pub(crate) last_offset: i64,
}

impl Step {
    /// Reads the step at `at`; `None` at the end or where no batch can be.
    #[inline]
    pub(crate) fn at(bytes: &[u8], at: u32) -> Option<Step> {
        let head: &[u8; 61] = bytes.get(at as usize..)?.first_chunk()?;
        let base_offset = i64::from_be_bytes(*head.first_chunk()?);
        let length = i32::from_be_bytes(*head.get(8..)?.first_chunk()?);
        let delta = i32::from_be_bytes(*head.get(23..)?.first_chunk()?);
        Some(Step {
            base_offset,
            size: u32::try_from(length).ok()?.checked_add(12)?,
            last_offset: base_offset.saturating_add(i64::from(delta)),
        })
    }
}
