//! The map: one chunk for most maps, a list of chunks for large ones.

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::mem;
use core::ops::{Bound, Index, RangeBounds};

use crate::entry::{Entry, OccupiedEntry, VacantEntry};
use crate::iter::{IntoIter, Iter};

/// Entries in a chunk, at most. An insertion moves no more than this many, so that even a map of a
/// million entries, filled in the worst order, costs little for each.
const CHUNK: usize = 128;

/// A map ordered by key, with the methods and the meaning of the standard library's `BTreeMap`.
///
/// Search takes O(log n); insertion and removal move at most a chunk's entries and, once in a chunk's
/// worth of insertions, the list of chunks.
pub struct SortedMap<K, V> {
    /// The lowest entries; empty only if the map is.
    first: Vec<(K, V)>,
    /// The chunks after it, none of them empty.
    rest: Vec<Vec<(K, V)>>,
}

/// Where an entry is, or where one would be inserted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) chunk: usize,
    pub(crate) at: usize,
}

impl<K, V> SortedMap<K, V> {
    /// An empty map; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first: Vec::new(),
            rest: Vec::new(),
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rest.iter().fold(self.first.len(), |n, c| n + c.len())
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Removes every entry.
    pub fn clear(&mut self) {
        self.first.clear();
        self.rest.clear();
    }

    /// The entries by ascending key.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::new(self, Place { chunk: 0, at: 0 }, self.end())
    }

    /// The entries by ascending key, with values that can be changed.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        let rest = self.rest.iter_mut().flatten();
        let all = self.first.iter_mut().chain(rest);
        all.map(|(key, value)| (&*key, value))
    }

    /// The keys, ascending.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The values by ascending key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// The values by ascending key, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }

    /// The values by ascending key, without the map.
    pub fn into_values(self) -> impl ExactSizeIterator<Item = V> {
        self.into_iter().map(|(_, value)| value)
    }

    /// The entry with the lowest key.
    #[must_use]
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.first.first().map(|(key, value)| (key, value))
    }

    /// The entry with the highest key.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        let chunk = self.rest.last().unwrap_or(&self.first);
        chunk.last().map(|(key, value)| (key, value))
    }

    /// Takes out the entry with the lowest key.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        if self.is_empty() {
            return None;
        }
        Some(self.remove_at(Place { chunk: 0, at: 0 }))
    }

    /// Takes out the entry with the highest key.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        let chunk = self.rest.len();
        let at = self.chunk(chunk).len().checked_sub(1)?;
        Some(self.remove_at(Place { chunk, at }))
    }

    /// Keeps the entries that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.first.retain_mut(|(key, value)| keep(key, value));
        for chunk in &mut self.rest {
            chunk.retain_mut(|(key, value)| keep(key, value));
        }
        self.rest.retain(|chunk| !chunk.is_empty());
        self.refill_first();
    }

    /// Moves every entry of `other` here; where both have a key, `other`'s value stays.
    pub fn append(&mut self, other: &mut Self)
    where
        K: Ord,
    {
        self.extend(mem::take(other));
    }

    pub(crate) fn chunk(&self, chunk: usize) -> &Vec<(K, V)> {
        match chunk.checked_sub(1) {
            None => &self.first,
            Some(chunk) => &self.rest[chunk],
        }
    }

    fn chunk_mut(&mut self, chunk: usize) -> &mut Vec<(K, V)> {
        match chunk.checked_sub(1) {
            None => &mut self.first,
            Some(chunk) => &mut self.rest[chunk],
        }
    }

    pub(crate) fn value_at(&mut self, place: Place) -> &mut V {
        &mut self.chunk_mut(place.chunk)[place.at].1
    }

    /// The place after the last entry.
    fn end(&self) -> Place {
        let chunk = if self.is_empty() {
            0
        } else {
            self.rest.len() + 1
        };
        Place { chunk, at: 0 }
    }

    /// Inserts where `search` said that the key is missing; says where it is now.
    pub(crate) fn insert_at(&mut self, place: Place, key: K, value: V) -> Place {
        let place = self.make_room(place);
        self.chunk_mut(place.chunk).insert(place.at, (key, value));
        place
    }

    /// Splits the chunk at `place` if it is full; says where `place` is after that.
    fn make_room(&mut self, place: Place) -> Place {
        let last = place.chunk == self.rest.len();
        let chunk = self.chunk_mut(place.chunk);
        if chunk.len() < CHUNK {
            return place;
        }
        // A map filled in order keeps its chunks full: only the new entry goes on to the next.
        let cut = if last && place.at == CHUNK {
            CHUNK
        } else {
            CHUNK / 2
        };
        let upper = chunk.split_off(cut);
        self.rest.insert(place.chunk, upper);
        if place.at < cut {
            return place;
        }
        Place {
            chunk: place.chunk + 1,
            at: place.at - cut,
        }
    }

    /// Takes out the entry at `place`, which has one.
    pub(crate) fn remove_at(&mut self, place: Place) -> (K, V) {
        let chunk = self.chunk_mut(place.chunk);
        let entry = chunk.remove(place.at);
        if chunk.is_empty() && place.chunk > 0 {
            self.rest.remove(place.chunk - 1);
        }
        self.refill_first();
        entry
    }

    /// Keeps the promise that `first` is empty only if the map is.
    fn refill_first(&mut self) {
        if self.first.is_empty() && !self.rest.is_empty() {
            self.first = self.rest.remove(0);
        }
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// Where `key` is, or where it would be.
    pub(crate) fn search<Q: Ord + ?Sized>(&self, key: &Q) -> Result<Place, Place>
    where
        K: Borrow<Q>,
    {
        let chunk = (self.rest).partition_point(|chunk| chunk[0].0.borrow() <= key);
        let place = |at| Place { chunk, at };
        let found = (self.chunk(chunk)).binary_search_by(|(k, _)| {
            ids::step();
            k.borrow().cmp(key)
        });
        found.map(place).map_err(place)
    }

    /// The value of `key`.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The map's own key equal to `key`, and its value.
    #[must_use]
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let place = self.search(key).ok()?;
        let (key, value) = &self.chunk(place.chunk)[place.at];
        Some((key, value))
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.search(key).ok()?;
        Some(self.value_at(place))
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.search(key).is_ok()
    }

    /// Gives `key` a value; hands back the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.search(&key) {
            Ok(place) => Some(mem::replace(self.value_at(place), value)),
            Err(place) => {
                self.insert_at(place, key, value);
                None
            }
        }
    }

    /// Takes out `key`; hands back its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Takes out `key`; hands back the map's own key and the value.
    pub fn remove_entry<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let place = self.search(key).ok()?;
        Some(self.remove_at(place))
    }

    /// The place of `key` in the map, to look and insert with one search.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        match self.search(&key) {
            Ok(place) => Entry::Occupied(OccupiedEntry::new(self, place)),
            Err(place) => Entry::Vacant(VacantEntry::new(self, place, key)),
        }
    }

    /// The entry with the highest key, to be changed or removed.
    pub fn last_entry(&mut self) -> Option<OccupiedEntry<'_, K, V>> {
        let chunk = self.rest.len();
        let at = self.chunk(chunk).len().checked_sub(1)?;
        Some(OccupiedEntry::new(self, Place { chunk, at }))
    }

    /// The entries whose keys lie in `keys`, ascending; none if it ends before it begins.
    pub fn range<Q: Ord + ?Sized>(&self, keys: impl RangeBounds<Q>) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let from = match keys.start_bound() {
            Bound::Unbounded => Place { chunk: 0, at: 0 },
            Bound::Included(key) => self.bound(key, false),
            Bound::Excluded(key) => self.bound(key, true),
        };
        let to = match keys.end_bound() {
            Bound::Unbounded => self.end(),
            Bound::Included(key) => self.bound(key, true),
            Bound::Excluded(key) => self.bound(key, false),
        };
        Iter::new(self, from, to.max(from))
    }

    /// The place of the first entry that is not below `key`, or, with `past`, that is above it.
    fn bound<Q: Ord + ?Sized>(&self, key: &Q, past: bool) -> Place
    where
        K: Borrow<Q>,
    {
        let mut place = match self.search(key) {
            Ok(place) => Place {
                at: place.at + usize::from(past),
                ..place
            },
            Err(place) => place,
        };
        if place.at > 0 && place.at == self.chunk(place.chunk).len() {
            place = Place {
                chunk: place.chunk + 1,
                at: 0,
            };
        }
        place
    }

    /// Takes out the entries from `key` on, as a map of their own.
    pub fn split_off<Q: Ord + ?Sized>(&mut self, key: &Q) -> Self
    where
        K: Borrow<Q>,
    {
        let place = self.search(key).unwrap_or_else(|place| place);
        let upper = self.chunk_mut(place.chunk).split_off(place.at);
        let mut taken = Self {
            first: upper,
            rest: self.rest.split_off(place.chunk),
        };
        taken.refill_first();
        if place.chunk > 0 && self.chunk(place.chunk).is_empty() {
            self.rest.pop();
        }
        taken
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone, V: Clone> Clone for SortedMap<K, V> {
    fn clone(&self) -> Self {
        Self {
            first: self.first.clone(),
            rest: self.rest.clone(),
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

// Two maps are equal by their entries: how these fell into chunks tells only their history.
impl<K: PartialEq, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for SortedMap<K, V> {}

impl<K: PartialOrd, V: PartialOrd> PartialOrd for SortedMap<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.iter().partial_cmp(other.iter())
    }
}

impl<K: Ord, V: Ord> Ord for SortedMap<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl<Q: Ord + ?Sized, K: Ord + Borrow<Q>, V> Index<&Q> for SortedMap<K, V> {
    type Output = V;

    /// # Panics
    ///
    /// If `key` has no value.
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("a map is indexed by a key it has")
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SortedMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> IntoIter<K, V> {
        IntoIter::new(self.first, self.rest)
    }
}

impl<'a, K, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}
