//! The sparse indexes of a segment: from offsets to positions, and from timestamps to offsets.

use crate::shared::SharedVec;

/// An offset index entry: the last offset of the batch at `position`, relative to the segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetEntry {
    /// Last offset of the batch less the segment's base offset.
    pub relative: i32,
    /// Where the batch begins in the segment, in bytes.
    pub position: u32,
}

/// A time index entry: the highest timestamp so far and the last offset of the batch that had it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeEntry {
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// Last offset of the batch less the segment's base offset.
    pub relative: i32,
}

/// Both indexes of one segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Indexes {
    pub(crate) offsets: SharedVec<OffsetEntry>,
    pub(crate) times: SharedVec<TimeEntry>,
}

impl Indexes {
    /// Whether no further batch may be indexed with files of `file_bytes`, so that the segment must roll.
    ///
    /// The time index keeps one place for the entry that closing adds.
    pub(crate) fn are_full(&self, file_bytes: u32) -> bool {
        let offsets = file_bytes as usize / OffsetEntry::SIZE;
        let times = file_bytes as usize / TimeEntry::SIZE;
        self.offsets.len() >= offsets || self.times.len() + 1 >= times
    }

    /// Adds a time entry if it is later than the last one; timestamps below 0 never are.
    pub(crate) fn push_time(&mut self, entry: TimeEntry) {
        let last = self.times.last().map_or(-1, |last| last.timestamp);
        if entry.timestamp > last {
            self.times.push(entry);
        }
    }

    /// Drops the entries at and after `relative`.
    pub(crate) fn truncate(&mut self, relative: i64) {
        let offsets = self
            .offsets
            .partition_point(|entry| i64::from(entry.relative) < relative);
        self.offsets.truncate(offsets);
        let times = self
            .times
            .partition_point(|entry| i64::from(entry.relative) < relative);
        self.times.truncate(times);
    }
}

impl OffsetEntry {
    /// Bytes of an entry in a file.
    pub const SIZE: usize = 8;
}

impl TimeEntry {
    /// Bytes of an entry in a file.
    pub const SIZE: usize = 12;
}
