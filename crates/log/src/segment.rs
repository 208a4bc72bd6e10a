//! One segment: its chunks, its indexes and what decides when it rolls.

use crate::LogSlice;
use crate::chunk::{CHUNK_BYTES, Chunk, MaxTimestamp, Step, Tail};
use crate::index::{Indexes, OffsetEntry, TimeEntry};
use crate::producers::AbortedTxn;
use crate::shared::SharedVec;
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
    pub(crate) chunks: SharedVec<Chunk>,
    pub(crate) tail: Tail,
    /// Bytes appended since the last index entry.
    pub(crate) unindexed: u32,
}

/// Where an offset is in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Located {
    /// In the batch here, or this is the first batch after it.
    At {
        position: u32,
        size: u32,
        base: Offset,
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
            chunks: SharedVec::default(),
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
        let position = self.tail.position;
        self.chunks.push(Chunk {
            position,
            length,
            base_offset: self.tail.base_offset,
            max_timestamp: self.tail.max_timestamp,
            first_entry: self.tail.first_entry,
            data: Some(data),
            stamp,
        });
        self.tail = Tail::new(position + length, self.end);
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
            self.tail.first_entry = self.indexes.offsets.len() as u32;
        }
        self.max_timestamp.note(max);
        self.tail.max_timestamp.note(max);
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
        let mut at = (self.chunks)
            .partition_point(|chunk| chunk.base_offset <= offset)
            .saturating_sub(1);
        if self.tail.length() > 0 && offset >= self.tail.base_offset {
            at = self.chunks.len();
        }
        // The offset may be in a gap behind the chunk's last batch; then the next chunk has it.
        loop {
            let (position, bytes) = match self.chunks.get(at) {
                Some(chunk) => match &chunk.data {
                    Some(data) => (chunk.position, &data[..]),
                    None => return Located::Cold(self.slice(chunk.position, chunk.length)),
                },
                None if at == self.chunks.len() => (self.tail.position, &self.tail.data[..]),
                None => return Located::End,
            };
            let mut within = self.hint(at, offset).unwrap_or(0).saturating_sub(position);
            while let Some(step) = Step::at(bytes, within) {
                if step.last_offset >= offset.0 {
                    return Located::At {
                        position: position + within,
                        size: step.size,
                        base: Offset(step.base_offset),
                    };
                }
                within = within.saturating_add(step.size);
            }
            at += 1;
        }
    }

    /// Where to begin to look for `offset` in a chunk: at the nearest index entry before it.
    fn hint(&self, at: usize, offset: Offset) -> Option<u32> {
        let first_entry = |at: usize| self.chunks.get(at).map(|chunk| chunk.first_entry);
        let from = first_entry(at).unwrap_or(self.tail.first_entry) as usize;
        let to = match first_entry(at + 1) {
            Some(next) => next as usize,
            None if at < self.chunks.len() && self.tail.length() > 0 => {
                self.tail.first_entry as usize
            }
            None => self.indexes.offsets.len(),
        };
        self.indexes
            .position_before(self.relative(offset), from, to)
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
        let before = |position| {
            let entries = &indexes.offsets;
            entries.partition_point(|entry| entry.position < position) as u32
        };
        for at in 0..self.chunks.len() {
            if let Some(chunk) = self.chunks.get_mut(at) {
                chunk.first_entry = before(chunk.position);
            }
        }
        self.tail.first_entry = before(self.tail.position);
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
        self.chunks.partition_point(|chunk| chunk.end() <= position)
    }

    /// Bytes of the chunk with this number from `position` on, and where the chunk begins;
    /// `None` when it is cold or there is none.
    pub(crate) fn chunk_bytes(&self, at: usize) -> Option<(u32, &[u8])> {
        match self.chunks.get(at) {
            Some(chunk) => Some((chunk.position, chunk.data.as_deref()?)),
            None if at == self.chunks.len() => Some((self.tail.position, &self.tail.data)),
            None => None,
        }
    }

    /// The first cold chunk that holds bytes of `position..end`.
    pub(crate) fn first_cold(&self, position: u32, end: u32) -> Option<LogSlice> {
        (self.chunk_at(position)..self.chunks.len())
            .map_while(|at| self.chunks.get(at))
            .take_while(|chunk| chunk.position < end)
            .find(|chunk| chunk.data.is_none())
            .map(|chunk| self.slice(chunk.position, chunk.length))
    }

    /// Drops everything from `position` on, where a batch begins; `end` is the offset there.
    ///
    /// The chunk that is cut must be in memory; it becomes the tail. Gives the hot bytes freed.
    pub(crate) fn cut(&mut self, position: u32, end: Offset, now: Time) -> u64 {
        let hot_before = self.hot_bytes();
        let keep = self.chunk_at(position);
        if keep < self.chunks.len() {
            let cut = self.chunks.get(keep).cloned();
            self.chunks.truncate(keep);
            if let Some(chunk) = cut {
                let kept = (position - chunk.position) as usize;
                let data = chunk.data.unwrap_or_default();
                self.tail = Tail::new(chunk.position, chunk.base_offset);
                self.tail.first_entry = chunk.first_entry;
                self.tail.data = data.get(..kept).unwrap_or_default().to_vec();
            }
        } else {
            let kept = position.saturating_sub(self.tail.position);
            self.tail.data.truncate(kept as usize);
        }
        self.size = position;
        self.end = end;
        self.tail.max_timestamp = self.tail_max_timestamp();
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
                .is_some_and(|chunk| chunk.data.is_some() && chunk.length < CHUNK_BYTES);
        if !last_fits {
            return;
        }
        if let Some(chunk) = self.chunks.pop() {
            self.tail = Tail {
                position: chunk.position,
                base_offset: chunk.base_offset,
                max_timestamp: chunk.max_timestamp,
                first_entry: chunk.first_entry,
                data: chunk.data.unwrap_or_default().to_vec(),
            };
        }
    }

    fn tail_max_timestamp(&self) -> MaxTimestamp {
        let mut max = MaxTimestamp::none(self.tail.base_offset);
        for (_, batch) in records::Batches::new(&self.tail.data) {
            max.note(MaxTimestamp {
                timestamp: batch.max_timestamp,
                offset: batch.last_offset(),
            });
        }
        max
    }

    /// Bytes held in memory.
    pub(crate) fn hot_bytes(&self) -> u64 {
        let sealed = self.chunks.iter().filter(|chunk| chunk.data.is_some());
        let sealed: u64 = sealed.map(|chunk| u64::from(chunk.length)).sum();
        sealed + u64::from(self.tail.length())
    }
}
