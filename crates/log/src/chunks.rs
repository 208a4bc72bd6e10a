//! The sealed chunks of a segment, found by offset or by position without looking at many of them.

use crate::chunk::Chunk;
use crate::shared::SharedVec;
use ids::Offset;

/// Sealed chunks in order.
///
/// A lookup in a large log costs what it misses in the processor's caches. So a search begins
/// where an even log would have what is looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunks {
    list: SharedVec<Chunk>,
    /// All chunks from this number on are in memory; perhaps some before it are, too.
    hot_from: usize,
}

impl Chunks {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Chunk> {
        self.list.get(at)
    }

    pub(crate) fn last(&self) -> Option<&Chunk> {
        self.list.last()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.list.iter()
    }

    /// Adds a chunk that is not in memory.
    pub(crate) fn push_cold(&mut self, chunk: Chunk) {
        self.list.push(chunk);
        self.hot_from = self.len();
    }

    /// Adds a chunk that is in memory.
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.list.push(chunk);
    }

    pub(crate) fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.list.pop();
        self.hot_from = self.hot_from.min(self.len());
        chunk
    }

    /// Keeps the first `len` chunks.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.list.truncate(len);
        self.hot_from = self.hot_from.min(len);
    }

    /// The number of the last chunk that begins at or before `offset`, if there is one. The
    /// chunks' offsets begin at `begin` and end before `end`.
    pub(crate) fn at_offset(&self, offset: Offset, begin: Offset, end: Offset) -> Option<usize> {
        let distance = |to: Offset| u32::try_from(to.0.saturating_sub(begin.0)).unwrap_or(0);
        let guess = share(distance(offset), self.len(), distance(end));
        let after = partition_near(self.len(), guess, |at| {
            let chunk = self.list.get(at);
            chunk.is_some_and(|chunk| chunk.base_offset <= offset)
        });
        after.checked_sub(1)
    }

    /// The number of the chunk that a position lies in; their count when it lies behind them.
    /// `end` is the position behind the last chunk.
    pub(crate) fn at_position(&self, position: u32, end: u32) -> usize {
        let guess = share(position, self.len(), end);
        partition_near(self.len(), guess, |at| {
            self.list
                .get(at)
                .is_some_and(|chunk| chunk.end() <= position)
        })
    }

    /// The first chunk from number `from` on that is cold and begins before position `end`.
    pub(crate) fn first_cold(&self, from: usize, end: u32) -> Option<&Chunk> {
        (from..self.hot_from)
            .map_while(|at| self.list.get(at))
            .take_while(|chunk| chunk.position < end)
            .find(|chunk| chunk.hot.is_none())
    }

    /// Drops a chunk's bytes from memory; gives how many there were.
    pub(crate) fn cool(&mut self, at: usize) -> u64 {
        let hot = self.list.get_mut(at).and_then(|chunk| chunk.hot.take());
        self.hot_from = self.hot_from.max(at + 1).min(self.len());
        hot.map_or(0, |hot| hot.data.len() as u64)
    }

    /// Puts a chunk back that has its bytes again.
    pub(crate) fn warm(&mut self, at: usize, hot: Chunk) {
        if let Some(chunk) = self.list.get_mut(at) {
            *chunk = hot;
        }
        if at + 1 == self.hot_from {
            self.hot_from = at;
        }
    }
}

/// Where `value` would be among `count` items that divide `0..end` evenly.
pub(crate) fn share(value: u32, count: usize, end: u32) -> usize {
    let place = u64::from(value) * count as u64 / u64::from(end.max(1));
    place as usize
}

/// How many leading items of `count` satisfy `holds`, which must all come before the others.
///
/// The nearer `guess` is, the fewer are looked at: two when it is right, never more than twice
/// the logarithm of its distance.
pub(crate) fn partition_near(count: usize, guess: usize, holds: impl Fn(usize) -> bool) -> usize {
    let guess = guess.min(count);
    let (mut low, mut high);
    let mut reach = 1;
    if guess < count && holds(guess) {
        low = guess + 1;
        while low + reach <= count && holds(low + reach - 1) {
            low += reach;
            reach *= 2;
        }
        high = count.min(low + reach - 1);
    } else {
        high = guess;
        while reach <= high && !holds(high - reach) {
            high -= reach;
            reach *= 2;
        }
        low = (high + 1).saturating_sub(reach);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::{partition_near, share};
    use core::cell::Cell;

    #[test]
    fn a_guess_changes_the_way_but_not_the_result() {
        for count in 0..40 {
            for place in 0..=count {
                for guess in 0..=count + 3 {
                    let found = partition_near(count, guess, |at| {
                        assert!(at < count);
                        at < place
                    });
                    assert_eq!(found, place, "of {count}, guessed {guess}");
                }
            }
        }
    }

    #[test]
    fn a_right_guess_looks_at_two_items() {
        let (place, count) = (500_000, 1_000_000);
        let looks = Cell::new(0);
        let found = partition_near(count, place, |at| {
            looks.set(looks.get() + 1);
            at < place
        });
        assert_eq!((found, looks.get()), (place, 2));
    }

    #[test]
    fn the_worst_guess_costs_twice_a_binary_search() {
        let count = 1 << 20;
        for (place, guess) in [(0, count), (count, 0), (1, count - 1)] {
            let looks = Cell::new(0);
            partition_near(count, guess, |at| {
                looks.set(looks.get() + 1);
                at < place
            });
            assert!(looks.get() <= 42, "{} looks", looks.get());
        }
    }

    #[test]
    fn an_even_share_is_never_beyond_the_count() {
        assert_eq!(share(u32::MAX, 10, u32::MAX), 10);
        assert_eq!(share(0, 10, 0), 0);
        assert_eq!(share(50, 10, 100), 5);
    }
}
