//! Which IndexedDB values hold which bytes of one replica's log. Pure: no browser in it.
//!
//! The unit of cost in IndexedDB is the `put`, not the byte, and a value of 64 KiB or more becomes a
//! file of its own in Chromium. So batches are gathered into values below [`MAX_VALUE`], and the last
//! value, while it is small, is written again with what came after it rather than followed by crumbs.
//!
//! A value holds whole batches of one segment; its key is the base offset of its first batch. The
//! order of keys is the order of bytes, so a log can be put together again from its values alone.

use bytes::Bytes;
use sorted::{SortedMap, SortedSet};

/// Bytes of a value at most. A single batch that is larger is a value of its own.
pub const MAX_VALUE: u32 = 61_440;

/// A stored last value below this many bytes is written again with what is appended to it.
pub const SEAL_VALUE: u32 = 16 * 1024;

/// Keys that one range delete removes at most: deletes hold the write lock for as long as they run.
pub const MAX_DELETE_KEYS: usize = 64;

/// The values of one replica: what is stored, what changed since [`Layout::take_turn`].
#[derive(Debug, Default)]
pub struct Layout {
    /// By place in the log, which is also the order of their keys.
    values: SortedMap<Place, Value>,
    /// Places of the values that the next turn writes.
    dirty: SortedSet<Place>,
    /// Stored values to shorten in the next turn, whose bytes are no longer held here.
    cuts: SortedMap<i64, u32>,
    /// Stored keys that were truncated away: the next turn deletes all of them.
    gone: SortedSet<i64>,
    /// Stored keys of deleted segments, and how long their values are: they may go in any later turn.
    stale: SortedMap<i64, u32>,
    /// The stored last value, while it may grow and therefore still has its bytes here.
    open: Option<Place>,
    /// Sum of the lengths of `values`.
    bytes: u64,
}

/// Where bytes lie: the segment's base offset and the position in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    segment: i64,
    position: u32,
}

#[derive(Debug)]
struct Value {
    base_offset: i64,
    len: u32,
    /// Whether the database has a value of this key, perhaps an older state of it.
    stored: bool,
    /// The value's bytes, batch by batch, while it is unwritten or may still grow; else empty.
    held: Vec<Bytes>,
}

/// What one turn changes of one replica. Deletes come first, then cuts and puts; no key is in two.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LayoutTurn {
    /// Values to write whole: base offset and bytes in order.
    pub puts: Vec<(i64, Vec<Bytes>)>,
    /// Stored values to shorten: base offset and the length to keep.
    pub cuts: Vec<(i64, u32)>,
    /// Keys to delete, from and up to but not including; each covers [`MAX_DELETE_KEYS`] at most.
    pub deletes: Vec<(i64, i64)>,
}

/// A part of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Key of the value.
    pub base_offset: i64,
    /// Bytes of the value to leave out at its start.
    pub skip: u32,
    /// Bytes to take from there, at least 1.
    pub take: u32,
}

/// No value covers this byte of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Base offset of the segment.
    pub segment: i64,
    /// First position in it that is not covered.
    pub position: u32,
}

impl Layout {
    /// The layout of values already stored, in order of their keys: base offset and length of each.
    ///
    /// `segments` are the base offsets of the log's segments in ascending order. A value belongs to the
    /// last segment that does not begin after it; those before the first segment are what deleted
    /// segments left behind, and are deleted by and by.
    pub fn restore(segments: &[i64], stored: impl IntoIterator<Item = (i64, u32)>) -> Self {
        let mut layout = Self::default();
        let mut end = Place {
            segment: i64::MIN,
            position: 0,
        };
        for (base_offset, len) in stored {
            let after = segments.partition_point(|segment| *segment <= base_offset);
            let Some(segment) = after.checked_sub(1).map(|index| segments[index]) else {
                layout.stale.insert(base_offset, len);
                continue;
            };
            if segment != end.segment {
                end = Place {
                    segment,
                    position: 0,
                };
            }
            layout.insert(
                end,
                Value {
                    base_offset,
                    len,
                    stored: true,
                    held: Vec::new(),
                },
            );
            end.position = end.position.saturating_add(len);
        }
        layout
    }

    /// Takes one appended batch: `position` is the end of `segment`'s bytes so far.
    ///
    /// # Panics
    /// When the batch does not follow the last one: that would be a bug of the log, not bad input.
    pub fn append(&mut self, segment: i64, position: u32, base_offset: i64, batch: Bytes) {
        let len = u32::try_from(batch.len()).expect("a batch is shorter than 4 GiB");
        assert!(
            len > 0,
            "an empty batch at offset {base_offset} of segment {segment}"
        );
        let place = Place { segment, position };
        if let Some((last_place, last)) = self.values.last_key_value() {
            let end = last_place.position.checked_add(last.len);
            let follows = segment > last_place.segment || Some(position) == end;
            assert!(
                follows && segment >= last_place.segment && base_offset > last.base_offset,
                "batch {base_offset} at {segment}+{position} does not follow {} at {last_place:?}",
                last.base_offset,
            );
            if segment == last_place.segment && self.grows(*last_place, last, len) {
                return self.extend_last(len, batch);
            }
        }
        let stored = self.gone.remove(&base_offset) | self.stale.remove(&base_offset).is_some();
        self.insert(
            place,
            Value {
                base_offset,
                len,
                stored,
                held: vec![batch],
            },
        );
        self.dirty.insert(place);
    }

    /// Cuts `segment` at `position` and drops every later segment.
    pub fn truncate(&mut self, segment: i64, position: u32) {
        for (place, value) in self.values.split_off(&Place { segment, position }) {
            self.bytes -= u64::from(value.len);
            self.dirty.remove(&place);
            self.cuts.remove(&value.base_offset);
            if value.stored {
                self.gone.insert(value.base_offset);
            }
        }
        let Some(mut last) = self.values.last_entry() else {
            return;
        };
        let place = *last.key();
        let keep = position.saturating_sub(place.position);
        if place.segment != segment || last.get().len <= keep {
            return;
        }
        let value = last.get_mut();
        self.bytes -= u64::from(value.len - keep);
        value.len = keep;
        if value.held.is_empty() {
            self.cuts.insert(value.base_offset, keep);
        } else {
            shorten(&mut value.held, keep);
            self.dirty.insert(place);
        }
    }

    /// Drops a segment. The keys of the oldest one, which retention drops, may go by and by: they lie
    /// before the log's first segment, wherever a restart looks. Any other's go in the next turn.
    pub fn delete_segment(&mut self, segment: i64) {
        let from = Place {
            segment,
            position: 0,
        };
        let mut values = self.values.split_off(&from);
        let to = Place {
            segment: segment.saturating_add(1),
            position: 0,
        };
        self.values.append(&mut values.split_off(&to));
        let oldest = self.values.range(..from).next().is_none();
        for (place, value) in values {
            self.bytes -= u64::from(value.len);
            self.dirty.remove(&place);
            self.cuts.remove(&value.base_offset);
            if value.stored && oldest {
                self.stale.insert(value.base_offset, value.len);
            } else if value.stored {
                self.gone.insert(value.base_offset);
            }
        }
    }

    /// Drops everything, as the deletion of a topic does. The keys go by and by.
    pub fn delete_all(&mut self) {
        let stored = self.values.values().filter(|value| value.stored);
        self.stale
            .extend(stored.map(|value| (value.base_offset, value.len)));
        let gone = std::mem::take(&mut self.gone);
        self.stale.extend(gone.iter().map(|key| (*key, 0)));
        self.values.clear();
        self.dirty.clear();
        self.cuts.clear();
        self.bytes = 0;
    }

    /// What changed since the last turn, and at most `stale_ranges` ranges of keys of deleted segments.
    ///
    /// From here on the turn counts as stored. When its transaction fails, this layout is wrong and has
    /// to be made anew from what the database holds.
    pub fn take_turn(&mut self, stale_ranges: usize) -> LayoutTurn {
        let gone = std::mem::take(&mut self.gone);
        let mut deletes = self.ranges(gone.iter(), usize::MAX);
        for (from, to) in self.ranges(self.stale.keys(), stale_ranges) {
            let kept = self.stale.split_off(&to);
            self.stale.retain(|key, _| *key < from);
            self.stale.append(&mut { kept });
            deletes.push((from, to));
        }
        let last_place = self.values.last_key_value().map(|(place, _)| *place);
        self.release_open(last_place);
        let mut puts = Vec::new();
        for place in std::mem::take(&mut self.dirty) {
            let Some(value) = self.values.get_mut(&place) else {
                continue;
            };
            value.stored = true;
            let grows = Some(place) == last_place && value.len < SEAL_VALUE;
            self.open = if grows { Some(place) } else { self.open };
            let pieces = if grows {
                value.held.clone()
            } else {
                std::mem::take(&mut value.held)
            };
            puts.push((value.base_offset, pieces));
        }
        let cuts = std::mem::take(&mut self.cuts).into_iter().collect();
        LayoutTurn {
            puts,
            cuts,
            deletes,
        }
    }

    /// Which stored values hold `len` bytes of `segment` from `position` on. Only what an earlier turn
    /// took is stored; what came since is held by the log.
    ///
    /// # Errors
    /// The first byte that no value covers.
    pub fn pieces(&self, segment: i64, position: u32, len: u32) -> Result<Vec<Piece>, Gap> {
        let end = u64::from(position) + u64::from(len);
        let mut pieces = Vec::new();
        let mut next = position;
        let first = Place { segment, position };
        let first = self
            .values
            .range(..=first)
            .next_back()
            .map_or(first, |(place, _)| *place);
        let last = Place {
            segment,
            position: u32::MAX,
        };
        for (place, value) in self.values.range(first..=last) {
            if place.segment < segment {
                continue;
            }
            let value_end = u64::from(place.position) + u64::from(value.len);
            if u64::from(next) >= end || place.position > next {
                break;
            }
            let take = (value_end.min(end)).saturating_sub(u64::from(next)) as u32;
            if take > 0 {
                let skip = next - place.position;
                pieces.push(Piece {
                    base_offset: value.base_offset,
                    skip,
                    take,
                });
                next = next.saturating_add(take);
            }
        }
        if u64::from(next) < end {
            Err(Gap {
                segment,
                position: next,
            })
        } else {
            Ok(pieces)
        }
    }

    /// Base offset and length of each value of `segment`, in order: what [`Layout::restore`] takes.
    pub fn values_of(&self, segment: i64) -> impl Iterator<Item = (i64, u32)> + '_ {
        let from = Place {
            segment,
            position: 0,
        };
        let to = Place {
            segment,
            position: u32::MAX,
        };
        self.values
            .range(from..=to)
            .map(|(_, value)| (value.base_offset, value.len))
    }

    /// Bytes of the log that are stored or about to be.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of deleted segments that are still stored.
    pub fn stale_bytes(&self) -> u64 {
        self.stale.values().map(|length| u64::from(*length)).sum()
    }

    /// Whether the next turn has something to do for this replica, deletes that can wait apart.
    pub fn is_dirty(&self) -> bool {
        !(self.dirty.is_empty() && self.cuts.is_empty() && self.gone.is_empty())
    }

    /// Keys of deleted segments that are still stored.
    pub fn stale_keys(&self) -> usize {
        self.stale.len()
    }

    fn insert(&mut self, place: Place, value: Value) {
        self.bytes += u64::from(value.len);
        self.values.insert(place, value);
    }

    /// Whether `more` bytes join the last value. One that was stored at [`SEAL_VALUE`] or above has let
    /// go of its bytes; one that this turn writes anyway takes all it may.
    fn grows(&self, place: Place, last: &Value, more: u32) -> bool {
        let unwritten = self.dirty.contains(&place);
        let open = unwritten || last.len < SEAL_VALUE;
        let fits = last
            .len
            .checked_add(more)
            .is_some_and(|len| len <= MAX_VALUE);
        !last.held.is_empty() && open && fits
    }

    fn extend_last(&mut self, len: u32, batch: Bytes) {
        if let Some(mut last) = self.values.last_entry() {
            self.dirty.insert(*last.key());
            last.get_mut().len += len;
            last.get_mut().held.push(batch);
            self.bytes += u64::from(len);
        }
    }

    /// Lets go of the bytes of the value that was the last one, when another one is now.
    fn release_open(&mut self, last: Option<Place>) {
        if self.open == last {
            return;
        }
        let Some(place) = self.open.take() else {
            return;
        };
        let clean = !self.dirty.contains(&place);
        if let Some(value) = self.values.get_mut(&place).filter(|_| clean) {
            value.held = Vec::new();
        }
    }

    /// `keys` as ranges that hold at most [`MAX_DELETE_KEYS`] of them and no key that is in use.
    fn ranges<'a>(&self, keys: impl Iterator<Item = &'a i64>, limit: usize) -> Vec<(i64, i64)> {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        let mut in_last = 0;
        let mut live = self
            .values
            .values()
            .map(|value| value.base_offset)
            .peekable();
        for key in keys {
            let mut live_between = false;
            while live.next_if(|offset| offset < key).is_some() {
                live_between = true;
            }
            let full = ranges.len() >= limit;
            match ranges.last_mut() {
                Some((_, to)) if !live_between && in_last < MAX_DELETE_KEYS => {
                    *to = key.saturating_add(1);
                    in_last += 1;
                }
                _ if full => break,
                _ => {
                    ranges.push((*key, key.saturating_add(1)));
                    in_last = 1;
                }
            }
        }
        ranges
    }
}

/// Keeps the first `keep` bytes.
fn shorten(batches: &mut Vec<Bytes>, keep: u32) {
    let mut left = keep as usize;
    batches.retain_mut(|batch| {
        batch.truncate(left);
        left -= batch.len();
        !batch.is_empty()
    });
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
