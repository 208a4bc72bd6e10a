//! What a lane shows of each record, its key class, with sums over ten to ten thousand records.
//!
//! Filled from the partition's log up to the high watermark, a bounded piece at a time. At most
//! [`RECORDS_MAX`] records of a lane are kept; older ones are shown as not in memory.

use ids::Offset;
use log::{Log, Read};
use records::{BatchView, Batches, Record, decompress, records};
use sorted::SortedMap;

/// Records kept of one lane.
const RECORDS_MAX: i64 = 1_000_000;
/// Bytes of a log read in one go.
const READ_BYTES: u32 = 256 * 1024;
/// The most that one batch may decompress to.
const BATCH_BYTES_MAX: u32 = 16 << 20;
/// Keys of a topic that are told apart by first appearance; those after them by hash.
const KEYS_MAX: usize = 65_536;
/// Key classes, from 1.
const CLASSES: u64 = 252;
/// The largest cell, in records; kept lanes begin at its multiples.
const CELL_MAX: i64 = 10_000;

/// No key.
pub(crate) const NONE: u8 = 0;
/// There, but not in memory.
pub(crate) const COLD: u8 = 254;
/// No record at this offset.
pub(crate) const GAP: u8 = 255;

/// Records by hue: no key, six hues, unknown.
pub(crate) type Mix = [u16; 8];

/// The keys of one topic, numbered by first appearance.
#[derive(Default)]
pub(crate) struct Keys {
    numbers: SortedMap<Vec<u8>, u8>,
}

impl Keys {
    fn class(&mut self, key: Option<&[u8]>) -> u8 {
        let Some(key) = key else {
            return NONE;
        };
        if let Some(class) = self.numbers.get(key) {
            return *class;
        }
        if self.numbers.len() >= KEYS_MAX {
            let hash = key.iter().fold(0u64, |hash, byte| {
                hash.wrapping_mul(31).wrapping_add(u64::from(*byte))
            });
            return wrapped(hash);
        }
        let class = wrapped(self.numbers.len() as u64);
        self.numbers.insert(key.to_vec(), class);
        class
    }
}

fn wrapped(number: u64) -> u8 {
    u8::try_from(number % CLASSES + 1).unwrap_or(1)
}

/// One lane's records.
#[derive(Default)]
pub(crate) struct Lane {
    /// Offset of the first record kept, a multiple of [`CELL_MAX`].
    first: i64,
    classes: Vec<u8>,
    /// Timestamps in milliseconds since the world began; saturating.
    times: Vec<u32>,
    /// Sums over 10, 100, 1000 and 10000 records, from `first` on.
    mixes: [Vec<Mix>; 4],
}

/// What a look into a log came to.
pub(crate) enum Progress {
    /// The lane has everything up to the high watermark.
    Done,
    /// There is more.
    More,
}

impl Lane {
    /// Offset after the last record taken in.
    fn end(&self) -> i64 {
        self.first + i64::try_from(self.classes.len()).unwrap_or(i64::MAX)
    }

    /// Takes in the next piece of `log`; `began` is the world's beginning in Unix milliseconds.
    pub(crate) fn extend(&mut self, log: &Log, keys: &mut Keys, began: i64) -> Progress {
        let upto = log.high_watermark().0;
        if self.end() > upto {
            *self = Lane::default();
        }
        let oldest = (upto - RECORDS_MAX).max(log.log_start().0).max(0);
        if self.end() < oldest {
            self.restart(oldest - oldest % CELL_MAX);
        }
        let from = Offset(self.end().max(log.log_start().0));
        self.fill(from.0, GAP);
        if from.0 >= upto {
            return Progress::Done;
        }
        let slice = match log.read(from, READ_BYTES, Offset(upto), true) {
            Ok(Read::Slice(slice)) => slice,
            Ok(Read::Cold(_)) | Err(_) => {
                // The next whole cell may be in memory again.
                self.fill((from.0 + CELL_MAX - from.0 % CELL_MAX).min(upto), COLD);
                return Progress::More;
            }
        };
        for piece in log.slice_bytes(&slice).into_iter().flatten() {
            for (_, batch) in Batches::new(piece) {
                self.take(&batch, upto, keys, began);
            }
        }
        if self.end() == from.0 {
            self.fill(upto, COLD);
        }
        self.trim();
        Progress::More
    }

    fn restart(&mut self, first: i64) {
        *self = Lane {
            first,
            ..Lane::default()
        };
    }

    fn take(&mut self, batch: &BatchView<'_>, upto: i64, keys: &mut Keys, began: i64) {
        let header = *batch.header();
        let next = header.next_offset().0.min(upto);
        if !header.attributes.is_control() {
            if let Some(plain) = batch.records() {
                plain
                    .flatten()
                    .for_each(|record| self.take_record(&record, next, keys, began));
            } else if let Ok(payload) = decompress(batch, BATCH_BYTES_MAX) {
                records(&header, &payload)
                    .flatten()
                    .for_each(|record| self.take_record(&record, next, keys, began));
            } else {
                self.fill(next, COLD);
            }
        }
        self.fill(next, GAP);
    }

    fn take_record(&mut self, record: &Record<'_>, next: i64, keys: &mut Keys, began: i64) {
        let offset = record.offset.0;
        if offset < self.end() || offset >= next {
            return;
        }
        self.fill(offset, GAP);
        let since = record.timestamp.saturating_sub(began).max(0);
        self.push(
            keys.class(record.key),
            u32::try_from(since).unwrap_or(u32::MAX),
        );
    }

    /// Fills up to an offset with one class.
    fn fill(&mut self, upto: i64, class: u8) {
        while self.end() < upto {
            self.push(class, u32::MAX);
        }
    }

    fn push(&mut self, class: u8, time: u32) {
        let index = self.classes.len();
        self.classes.push(class);
        self.times.push(time);
        let mut size = 1;
        for mix in &mut self.mixes {
            size *= 10;
            if index.is_multiple_of(size) {
                mix.push([0; 8]);
            }
            if let (Some(cell), Some(hue)) = (mix.last_mut(), hue(class)) {
                cell[hue] = cell[hue].saturating_add(1);
            }
        }
    }

    /// Lets go of the oldest records when there are far too many.
    fn trim(&mut self) {
        let kept = i64::try_from(self.classes.len()).unwrap_or(i64::MAX);
        if kept < RECORDS_MAX + RECORDS_MAX / 4 {
            return;
        }
        let drop = (kept - RECORDS_MAX) / CELL_MAX * CELL_MAX;
        let count = usize::try_from(drop).unwrap_or(0);
        self.classes.drain(..count);
        self.times.drain(..count);
        let mut size = 1;
        for mix in &mut self.mixes {
            size *= 10;
            mix.drain(..count / size);
        }
        self.first += drop;
    }

    /// Class of the record at an offset.
    pub(crate) fn class(&self, offset: i64) -> u8 {
        let at = usize::try_from(offset - self.first);
        at.ok()
            .and_then(|at| self.classes.get(at).copied())
            .unwrap_or(COLD)
    }

    /// Sums over the cell of 10^`decade` records that begins at an offset.
    pub(crate) fn mix(&self, offset: i64, decade: u32, upto: i64) -> Mix {
        let size = 10i64.pow(decade);
        let at = usize::try_from((offset - self.first).div_euclid(size));
        let found = (self.mixes.get(decade as usize - 1))
            .zip(at.ok())
            .and_then(|(mixes, at)| mixes.get(at).copied());
        found.unwrap_or_else(|| {
            let unknown = (upto - offset).clamp(0, size);
            [
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                u16::try_from(unknown).unwrap_or(u16::MAX),
            ]
        })
    }

    /// Timestamp of the first record at or after an offset, within a cell's size.
    pub(crate) fn time(&self, offset: i64, size: i64) -> f64 {
        let from = usize::try_from(offset - self.first);
        let to = usize::try_from(offset - self.first + size);
        let (Ok(from), Ok(to)) = (from, to) else {
            return f64::NAN;
        };
        let cell = self
            .times
            .get(from.min(self.times.len())..to.min(self.times.len()));
        let first = cell.and_then(|times| times.iter().find(|time| **time != u32::MAX));
        first.map_or(f64::NAN, |time| f64::from(*time))
    }
}

/// Place of a class among a cell's sums; `None` where there is no record.
fn hue(class: u8) -> Option<usize> {
    match class {
        GAP => None,
        COLD => Some(7),
        NONE => Some(0),
        class => Some(usize::from((class - 1) % 6) + 1),
    }
}
