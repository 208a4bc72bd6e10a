//! Taking a segment over from its index files, without reading it.
//!
//! As in Kafka: what was closed cleanly, or flushed, is not looked at again. Kafka maps its index
//! files into memory; here they become a table of cold chunks, which say where they begin and of
//! which offsets they are at most. A chunk's own bytes say it exactly, when they are loaded.

use crate::chunk::{CHUNK_BYTES, Chunk, MaxTimestamp, NEVER_HOT, Tail};
use crate::files::{self, LogFile};
use crate::index::{Indexes, OffsetEntry, TimeEntry};
use crate::recovery::Recovery;
use crate::segment::Segment;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::Offset;
use records::{Batches, Header, Stop};
use sorted::SortedSet;

/// A segment's file, as a directory lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentFile {
    /// Base offset of the segment.
    pub base: Offset,
    /// Length in bytes.
    pub length: u64,
    /// Base offset of the next segment; `None` for the last one.
    pub next: Option<Offset>,
}

/// What the index files of a segment say about it.
#[derive(Clone, Debug)]
pub(crate) struct Indexed {
    file: SegmentFile,
    offsets: Vec<OffsetEntry>,
    times: Vec<TimeEntry>,
    /// The last entry of `offsets`.
    last: OffsetEntry,
}

impl Recovery {
    /// From where on [`Recovery::resume`] needs the bytes of a segment; `None` when the segment is
    /// to be fed: nobody knows that it is whole, its index files do not do, it is small, or its
    /// producers are in no snapshot.
    #[must_use]
    pub fn resume_at(&mut self, file: SegmentFile) -> Option<u32> {
        self.end_segment();
        let proven = self.checkpoints.clean || file.next? <= self.checkpoints.recovery_point;
        let follows = !self.is_lost(file.base) && self.may_begin(file.base);
        let snapshot = self.trusted_snapshot()?;
        let state_is_known = match file.next {
            Some(next) => next <= snapshot,
            None => snapshot > file.base,
        };
        if !(proven && follows && state_is_known) {
            return None;
        }
        let indexed = self.indexed(file)?;
        let at = indexed.last.position;
        self.indexed = Some(indexed);
        Some(at)
    }

    /// Begins the segment that [`Recovery::resume_at`] was last asked about, and takes everything
    /// in it from its index files; the next segment may follow.
    ///
    /// `head` is the beginning of the file, 61 bytes at least; `tail` are all bytes from the
    /// position on that was given. Says whether they are what the indexes have promised. If not,
    /// nothing has changed, and the segment is to be fed.
    pub fn resume(&mut self, head: &[u8], tail: Bytes) -> bool {
        let Some((indexed, first)) = self.indexed.take().zip(Header::peek(head).ok()) else {
            return false;
        };
        let file = indexed.file;
        let at = indexed.last.position;
        let whole = u64::from(at) + tail.len() as u64 == file.length;
        let promised = Offset(file.base.0.saturating_add(indexed.last.relative.into()));
        if !whole || first.base_offset < file.base || first.last_offset() >= promised {
            return false;
        }
        let Some((behind, end)) = judge(&tail, promised) else {
            return false;
        };
        let fits = match file.next {
            Some(next) => end <= next,
            None => self.trusted_snapshot() == Some(end),
        };
        if end == self.trusted_snapshot().unwrap_or_default() && !self.agrees(end, &tail) {
            self.contradicted = Some(end);
            return false;
        }
        let epoch = self.log.epochs.latest();
        if !fits || epoch.is_none_or(|latest| latest < behind.partition_leader_epoch) {
            return false;
        }
        // The producers are not known before that snapshot's offset.
        self.pending = self.trusted_snapshot();
        self.segment(file.base);
        self.resumed = true;
        let active = &mut self.log.active;
        active.assume(&first, &behind, indexed);
        self.log.end = behind.base_offset;
        self.bytes(tail);
        true
    }

    /// The offset of a snapshot that is whole, but does not know the producers of the batches before
    /// it: it was emptied, or is another log's. What has been taken over rests on it, so that the
    /// recovery is to be begun anew without this file.
    #[must_use]
    pub fn contradicted(&self) -> Option<Offset> {
        self.contradicted
    }

    /// Whether the snapshot at `end` knows the producers of the batches that end there, but for
    /// those that have been silent for long enough to be forgotten.
    fn agrees(&self, end: Offset, tail: &[u8]) -> bool {
        let producers = self.producers_of(end);
        let oldest = self
            .now
            .millis()
            .saturating_sub(self.log.config.producer_expiry_ms);
        let headers: Vec<Header> = Batches::new(tail)
            .map(|(_, batch)| *batch.header())
            .collect();
        let mut later = SortedSet::new();
        headers.iter().rev().all(|header| {
            let counts = header.producer_id.0 >= 0 && !header.attributes.is_control();
            // Of a producer's batches only the last is sure to be in there.
            !counts
                || !later.insert(header.producer_id)
                || header.max_timestamp <= oldest
                || producers.has_appended(header)
        })
    }

    /// The newest snapshot of the producers that can be trusted.
    fn trusted_snapshot(&mut self) -> Option<Offset> {
        if let Some(known) = self.trusted {
            return known;
        }
        let limit = match self.checkpoints.clean {
            true => Offset(i64::MAX),
            false => self.checkpoints.recovery_point,
        };
        let snapshots = self.log.snapshots.range(..=limit).rev();
        let whole = |at: &Offset| self.decoded_snapshot(*at).is_some();
        let found = snapshots.copied().find(whole);
        self.trusted = Some(found);
        found
    }

    /// The segment's indexes, if they are there, fit the file, and spare enough of its reading.
    fn indexed(&self, file: SegmentFile) -> Option<Indexed> {
        u32::try_from(file.length).ok()?;
        let index = self.files.get(&LogFile::Index(file.base))?;
        let times = self.files.get(&LogFile::TimeIndex(file.base))?;
        let offsets = files::decode_offset_index(index)?;
        let times = files::decode_time_index(times)?;
        let (first, last) = (*offsets.first()?, *offsets.last()?);
        let end = |entry: i32| file.base.0.checked_add(entry.into());
        let inside = |entry: i32| match file.next {
            Some(next) => end(entry).is_some_and(|last| last < next.0),
            None => end(entry).is_some(),
        };
        let fits = first.position > 0
            && u64::from(last.position) < file.length
            && inside(last.relative)
            && times.last().is_none_or(|last| inside(last.relative));
        (fits && last.position > CHUNK_BYTES).then_some(Indexed {
            file,
            offsets,
            times,
            last,
        })
    }
}

/// Judges the bytes behind the last index entry: whole batches, undamaged and in order, of which
/// the first ends with the offset that the index has promised. Gives its header and the end.
fn judge(tail: &[u8], promised: Offset) -> Option<(Header, Offset)> {
    let mut first = None;
    let mut end = Offset(0);
    let mut batches = Batches::new(tail);
    for (_, batch) in &mut batches {
        let follows = match first {
            None => batch.last_offset() == promised,
            Some(_) => batch.base_offset >= end,
        };
        if !follows || batch.last_offset_delta < 0 || !batch.crc_is_valid() {
            return None;
        }
        first = first.or(Some(*batch.header()));
        end = batch.next_offset();
    }
    (batches.stop() == Some(Stop::End)).then_some(())?;
    Some((first?, end))
}

impl Segment {
    /// Fills an empty segment with cold chunks up to its last index entry, which `behind` is the
    /// batch of; `first` is the segment's first batch.
    fn assume(&mut self, first: &Header, behind: &Header, indexed: Indexed) {
        let Indexed {
            offsets,
            times,
            last,
            ..
        } = indexed;
        if let Some(time) = times.last() {
            self.max_timestamp = self.time_of(time);
        }
        self.first_timestamp = Some(first.max_timestamp);
        let mut begin = (first.base_offset, 0);
        let mut before = begin;
        let mut times_left = times.as_slice();
        for entry in &offsets {
            let here = (self.offset_of(entry.relative), entry.position);
            if here.1 - begin.1 > CHUNK_BYTES && before.1 > begin.1 {
                self.push_cold(begin, before, &mut times_left);
                begin = before;
            }
            before = here;
        }
        self.push_cold(begin, before, &mut times_left);
        self.size = last.position;
        self.tail = Tail::new(last.position, behind.base_offset);
        let mut indexes = Indexes::default();
        (offsets.into_iter()).for_each(|entry| indexes.offsets.push(entry));
        (times.into_iter()).for_each(|entry| indexes.times.push(entry));
        self.indexes = indexes;
    }

    /// Adds a chunk between two index entries, given as offset and position. The offset of an
    /// entry is the last of its batch.
    fn push_cold(
        &mut self,
        (base_offset, position): (Offset, u32),
        (upto, end): (Offset, u32),
        times: &mut &[TimeEntry],
    ) {
        // An entry says that nothing up to its own offset is later than it.
        while let Some((time, later)) = times.split_first()
            && self.offset_of(time.relative) < upto
        {
            *times = later;
        }
        let bound = times.first().map(|time| self.time_of(time));
        self.chunks.push_cold(Chunk {
            position,
            length: end - position,
            base_offset,
            max_timestamp: bound.unwrap_or(self.max_timestamp),
            hot: None,
            stamp: NEVER_HOT,
        });
    }

    fn offset_of(&self, relative: i32) -> Offset {
        Offset(self.base.0.saturating_add(relative.into()))
    }

    fn time_of(&self, entry: &TimeEntry) -> MaxTimestamp {
        MaxTimestamp {
            timestamp: entry.timestamp,
            offset: self.offset_of(entry.relative),
        }
    }
}
