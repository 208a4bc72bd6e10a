//! One segment: its chunks, its indexes and what decides when it rolls.

use crate::LogSlice;
use crate::chunk::{CHUNK_BYTES, Chunk, Hot, MaxTimestamp, Step, Tail, max_timestamp};
use crate::chunks::Chunks;
use crate::index::{Indexes, OffsetEntry, TimeEntry};
use crate::producers::AbortedTxn;
use crate::runs::{self, Mark, Runs, Spot};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Offset, Time};
use records::Header;

/// A run of batches from `base` on, in one file.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) base: Offset,
    pub(crate) created: Time,
    /// When it was last appended to.
    pub(crate) modified: Time,
    pub(crate) size: u32,
    /// The offset after its last batch; the base while it is empty.
    pub(crate) end: Offset,
    /// Highest timestamp of the first append, which `segment.ms` counts from.
    pub(crate) first_timestamp: Option<i64>,
    pub(crate) max_timestamp: MaxTimestamp,
    pub(crate) indexes: Indexes,
    pub(crate) aborted: Vec<AbortedTxn>,
    pub(crate) chunks: Chunks,
    pub(crate) tail: Tail,
    /// Bytes appended since the last index entry.
    pub(crate) unindexed: u32,
}

/// Where an offset is in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Located {
    /// In the batch here, or this is the first batch after it.
    At {
        /// The number of its chunk.
        chunk: usize,
        position: u32,
        size: u32,
        /// The batch's last offset.
        last: Offset,
    },
    /// One must look into this chunk, which is not in memory.
    Cold(LogSlice),
    /// After the segment's last batch.
    End,
}

impl Segment {
    pub(crate) fn new(base: Offset, now: Time) -> Segment {
        Segment {
            base,
            created: now,
            modified: now,
            size: 0,
            end: base,
            first_timestamp: None,
            max_timestamp: MaxTimestamp::none(base),
            indexes: Indexes::default(),
            aborted: Vec::new(),
            chunks: Chunks::default(),
            tail: Tail::new(0, base),
            unindexed: 0,
        }
    }

    /// How long the segment has been waiting to be rolled, in milliseconds: record time, or the
    /// wall's while no record has told the time.
    pub(crate) fn waited_ms(&self, now: Time, timestamp: i64) -> i64 {
        match self.first_timestamp {
            Some(first) if first >= 0 => timestamp.saturating_sub(first),
            _ => now.millis().saturating_sub(self.created.millis()),
        }
    }

    /// The time retention counts from, in milliseconds.
    pub(crate) fn largest_timestamp(&self) -> i64 {
        match self.max_timestamp.timestamp {
            none if none < 0 => self.modified.millis(),
            timestamp => timestamp,
        }
    }

    pub(crate) fn relative(&self, offset: Offset) -> i64 {
        offset.0.saturating_sub(self.base.0)
    }

    /// An offset relative to the segment: 0 below it, the largest there is far beyond it.
    pub(crate) fn relative_u32(&self, offset: Offset) -> u32 {
        u32::try_from(self.relative(offset).max(0)).unwrap_or(u32::MAX)
    }

    /// Makes the tail ready for a batch of `length` bytes: what does not fit begins a new chunk.
    /// Gives the sealed chunk's length, if one was sealed.
    pub(crate) fn make_room(&mut self, length: u32, stamp: u64) -> bool {
        let full = self.tail.length() + length > CHUNK_BYTES && self.tail.length() > 0;
        if full {
            self.seal_tail(stamp);
        }
        self.tail.reserve(length);
        full
    }

    /// Freezes the tail into a chunk; nothing is copied.
    pub(crate) fn seal_tail(&mut self, stamp: u64) {
        let data = core::mem::take(&mut self.tail.data);
        if !data.is_empty() {
            self.push_chunk(Bytes::from(data), stamp);
        }
    }

    /// Ends the current chunk with `data`, whose batches have been noted.
    pub(crate) fn push_chunk(&mut self, data: Bytes, stamp: u64) {
        let length = data.len() as u32;
        let mut next = Tail::new(self.tail.position + length, self.end);
        let begin = self.mark(self.tail.base_offset, self.tail.position);
        let tail = &mut self.tail;
        let chunk = Chunk {
            position: tail.position,
            length,
            base_offset: tail.base_offset,
            max_timestamp: tail.max_timestamp,
            hot: Some(Hot {
                data,
                runs: Runs::new(begin, &tail.runs),
            }),
            stamp,
        };
        // The next chunk will likely have as many.
        tail.runs.clear();
        core::mem::swap(&mut next.runs, &mut tail.runs);
        self.tail = next;
        self.chunks.push(chunk);
    }

    /// Ends the current chunk, whose only batch has been noted and whose bytes are not kept.
    pub(crate) fn push_stored(&mut self, length: u32, stamp: u64) {
        let next = Tail::new(self.tail.position + length, self.end);
        let tail = core::mem::replace(&mut self.tail, next);
        self.chunks.push_cold(Chunk {
            position: tail.position,
            length,
            base_offset: tail.base_offset,
            max_timestamp: tail.max_timestamp,
            hot: None,
            stamp,
        });
    }

    /// Where a batch that begins with `offset` begins, if a chunk that is not in memory begins with it.
    pub(crate) fn cold_begin(&self, offset: Offset) -> Option<u32> {
        let chunk = self.chunks.get(self.chunk_of(offset))?;
        chunk.begins_with(offset).then_some(chunk.position)
    }

    /// Takes a batch into indexes and bounds; its bytes go to the tail, at the segment's end.
    ///
    /// An index entry is due when more than `interval` bytes lie behind the last one.
    pub(crate) fn note(&mut self, header: &Header, interval: u32, now: Time) {
        let last = header.last_offset();
        let max = MaxTimestamp {
            timestamp: header.max_timestamp,
            offset: last,
        };
        if self.size == 0 {
            self.first_timestamp = Some(header.max_timestamp);
        }
        if self.size == self.tail.position {
            self.tail.base_offset = header.base_offset;
            self.tail.max_timestamp = MaxTimestamp::none(header.base_offset);
        }
        self.max_timestamp.note(max);
        self.tail.max_timestamp.note(max);
        let begin = self.mark(self.tail.base_offset, self.tail.position);
        let after = self.mark(header.next_offset(), self.size + header.total_size());
        runs::push(&mut self.tail.runs, begin, after);
        if self.unindexed > interval {
            self.indexes.offsets.push(OffsetEntry {
                relative: self.relative(last) as i32,
                position: self.size,
            });
            self.note_time();
            self.unindexed = 0;
        }
        self.unindexed = self.unindexed.saturating_add(header.total_size());
        self.size += header.total_size();
        self.end = header.next_offset();
        self.modified = now;
    }

    /// Adds the highest timestamp so far to the time index, as indexing and closing do.
    pub(crate) fn note_time(&mut self) {
        self.indexes.push_time(TimeEntry {
            timestamp: self.max_timestamp.timestamp,
            relative: self.relative(self.max_timestamp.offset) as i32,
        });
    }

    /// Finds the batch that contains `offset`, or the first one after it.
    pub(crate) fn locate(&self, offset: Offset) -> Located {
        if offset >= self.end || self.size == 0 {
            return Located::End;
        }
        let relative = self.relative_u32(offset);
        let mut at = self.chunk_of(offset);
        // The offset may be in a gap behind the chunk's last batch; then the next chunk has it.
        while let Some(chunk) = self.chunks.get(at) {
            let Some(hot) = &chunk.hot else {
                return Located::Cold(self.slice(chunk.position, chunk.length));
            };
            let begin = self.mark(chunk.base_offset, chunk.position);
            let end = || {
                let next = self.chunks.get(at + 1).map(|next| next.base_offset);
                self.relative_u32(next.unwrap_or(self.tail.base_offset))
            };
            if let Some(spot) = hot.runs.find(begin, relative, end) {
                return self.located(at, spot);
            }
            at += 1;
        }
        let tail = self.mark(self.tail.base_offset, self.tail.position);
        let end = self.relative_u32(self.end);
        match runs::find(&self.tail.runs, tail, relative, end) {
            Some(spot) => self.located(self.chunks.len(), spot),
            None => Located::End,
        }
    }

    fn located(&self, chunk: usize, spot: Spot) -> Located {
        Located::At {
            chunk,
            position: spot.position,
            size: spot.size,
            last: Offset(self.base.0 + i64::from(spot.last)),
        }
    }

    /// A place between two batches, before `offset`.
    pub(crate) fn mark(&self, offset: Offset, position: u32) -> Mark {
        Mark {
            offset: self.relative_u32(offset),
            position,
        }
    }

    /// The number of the last chunk, the tail included, that begins at or before an offset.
    pub(crate) fn chunk_of(&self, offset: Offset) -> usize {
        let tail = self.tail.base_offset;
        if self.tail.length() > 0 && offset >= tail {
            return self.chunks.len();
        }
        (self.chunks.at_offset(offset, self.base, tail)).unwrap_or(0)
    }

    /// An offset that all batches of the chunk with this number are below.
    pub(crate) fn chunk_end(&self, at: usize) -> Offset {
        match self.chunks.get(at + 1) {
            Some(next) => next.base_offset,
            None if self.tail.length() > 0 => self.tail.base_offset,
            None => self.end,
        }
    }

    /// The base offset of the batch at `position`, when it is in memory.
    pub(crate) fn base_at(&self, position: u32) -> Option<Offset> {
        let (begin, bytes) = self.chunk_bytes(self.chunk_at(position))?;
        let step = Step::at(bytes, position.checked_sub(begin)?)?;
        Some(Offset(step.base_offset))
    }

    /// Replaces the indexes by others for the same batches, as a file has them; says whether they
    /// fit: each entry must be one of a batch that is there.
    pub(crate) fn adopt(&mut self, indexes: Indexes) -> bool {
        let end = self.relative(self.end);
        let time = indexes.times.last();
        let times_fit = time.is_none_or(|last| i64::from(last.relative) < end)
            && time.map_or(-1, |last| last.timestamp) == self.max_timestamp.timestamp;
        let fits = |entry: &OffsetEntry| {
            let chunk = self.chunk_bytes(self.chunk_at(entry.position));
            let step = chunk.and_then(|(begin, bytes)| Step::at(bytes, entry.position - begin));
            step.is_some_and(|step| {
                self.relative(Offset(step.last_offset)) == entry.relative.into()
            })
        };
        if !times_fit || !indexes.offsets.iter().all(fits) {
            return false;
        }
        self.indexes = indexes;
        true
    }

    pub(crate) fn slice(&self, position: u32, length: u32) -> LogSlice {
        LogSlice {
            segment: self.base,
            position,
            length,
        }
    }

    /// The number of the chunk that `position` lies in; that of the tail is the count of chunks.
    pub(crate) fn chunk_at(&self, position: u32) -> usize {
        self.chunks.at_position(position, self.tail.position)
    }

    /// Bytes of the chunk with this number from `position` on, and where the chunk begins;
    /// `None` when it is cold or there is none.
    pub(crate) fn chunk_bytes(&self, at: usize) -> Option<(u32, &[u8])> {
        match self.chunks.get(at) {
            Some(chunk) => Some((chunk.position, &chunk.hot.as_ref()?.data)),
            None if at == self.chunks.len() => Some((self.tail.position, &self.tail.data)),
            None => None,
        }
    }

    /// The first cold chunk, from number `chunk` on, that holds bytes before `end`.
    pub(crate) fn first_cold(&self, chunk: usize, end: u32) -> Option<LogSlice> {
        self.chunks
            .first_cold(chunk, end)
            .map(|chunk| self.slice(chunk.position, chunk.length))
    }

    /// A chunk whose highest timestamp is needed for a cut at `end` and is not known exactly.
    pub(crate) fn first_vague(&self, end: Offset) -> Option<LogSlice> {
        let vague = |chunk: &&Chunk| chunk.is_estimate() && chunk.max_timestamp.offset >= end;
        let chunk = self.chunks.iter().find(vague)?;
        (chunk.base_offset < end).then(|| self.slice(chunk.position, chunk.length))
    }

    /// Drops everything from `position` on, where a batch begins; `end` is the offset there.
    ///
    /// The chunk that is cut must be in memory; it becomes the tail. Gives the hot bytes freed.
    pub(crate) fn cut(&mut self, position: u32, end: Offset, now: Time) -> u64 {
        let hot_before = self.hot_bytes();
        let keep = self.chunk_at(position);
        if let Some(chunk) = self.chunks.get(keep).cloned() {
            self.chunks.truncate(keep);
            self.reopen_chunk(&chunk);
        }
        let kept = position.saturating_sub(self.tail.position);
        self.tail.data.truncate(kept as usize);
        let begin = self.mark(self.tail.base_offset, self.tail.position);
        runs::truncate(&mut self.tail.runs, begin, position);
        self.size = position;
        self.end = end;
        self.tail.max_timestamp = max_timestamp(self.tail.base_offset, &self.tail.data);
        self.max_timestamp = MaxTimestamp::none(self.base);
        for chunk in self.chunks.iter() {
            self.max_timestamp.note(chunk.max_timestamp);
        }
        self.max_timestamp.note(self.tail.max_timestamp);
        self.indexes.truncate(self.relative(end));
        self.aborted.retain(|txn| txn.last_offset < end);
        self.unindexed = 0;
        if position == 0 {
            self.created = now;
            self.first_timestamp = None;
        }
        hot_before.saturating_sub(self.hot_bytes())
    }

    /// Makes the last chunk the tail again, so that it can grow; it must be in memory.
    pub(crate) fn reopen(&mut self) {
        let last_fits = self.tail.length() == 0
            && (self.chunks.last())
                .is_some_and(|chunk| chunk.hot.is_some() && chunk.length < CHUNK_BYTES);
        if !last_fits {
            return;
        }
        if let Some(chunk) = self.chunks.pop() {
            self.reopen_chunk(&chunk);
        }
    }

    /// Makes the tail of a chunk that has been taken out.
    fn reopen_chunk(&mut self, chunk: &Chunk) {
        self.tail = Tail {
            max_timestamp: chunk.max_timestamp,
            ..Tail::new(chunk.position, chunk.base_offset)
        };
        if let Some(hot) = &chunk.hot {
            self.tail.data = hot.data.to_vec();
            let begin = self.mark(chunk.base_offset, chunk.position);
            self.tail.runs = hot.runs.to_vec(begin);
        }
    }

    /// Bytes held in memory.
    pub(crate) fn hot_bytes(&self) -> u64 {
        let sealed = self.chunks.iter().filter(|chunk| chunk.hot.is_some());
        let sealed: u64 = sealed.map(|chunk| u64::from(chunk.length)).sum();
        sealed + u64::from(self.tail.length())
    }
}
