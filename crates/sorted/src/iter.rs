//! Walking through a map.

use alloc::vec;
use alloc::vec::Vec;
use core::iter::FusedIterator;

use crate::SortedMap;
use crate::map::Place;

/// Entries by ascending key; see [`SortedMap::iter`] and [`SortedMap::range`].
pub struct Iter<'a, K, V> {
    map: &'a SortedMap<K, V>,
    from: Place,
    to: Place,
}

impl<'a, K, V> Iter<'a, K, V> {
    pub(crate) fn new(map: &'a SortedMap<K, V>, from: Place, to: Place) -> Self {
        Self { map, from, to }
    }
}

// A derive would ask that keys and values can be cloned.
impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        if self.from == self.to {
            return None;
        }
        let chunk = self.map.chunk(self.from.chunk);
        let (key, value) = &chunk[self.from.at];
        self.from.at += 1;
        if self.from.at == chunk.len() {
            self.from.chunk += 1;
            self.from.at = 0;
        }
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let chunks = self.from.chunk..self.to.chunk;
        let whole = chunks.fold(0, |n, chunk| n + self.map.chunk(chunk).len());
        let left = whole + self.to.at - self.from.at;
        (left, Some(left))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.from == self.to {
            return None;
        }
        if self.to.at == 0 {
            self.to.chunk -= 1;
            self.to.at = self.map.chunk(self.to.chunk).len();
        }
        self.to.at -= 1;
        let (key, value) = &self.map.chunk(self.to.chunk)[self.to.at];
        Some((key, value))
    }
}

impl<K, V> FusedIterator for Iter<'_, K, V> {}

/// The entries of a map that is no more, by ascending key.
pub struct IntoIter<K, V> {
    chunk: vec::IntoIter<(K, V)>,
    rest: vec::IntoIter<Vec<(K, V)>>,
}

impl<K, V> IntoIter<K, V> {
    pub(crate) fn new(first: Vec<(K, V)>, rest: Vec<Vec<(K, V)>>) -> Self {
        Self {
            chunk: first.into_iter(),
            rest: rest.into_iter(),
        }
    }
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        // No chunk of `rest` is empty, so one step on is enough.
        if self.chunk.as_slice().is_empty() {
            self.chunk = self.rest.next()?.into_iter();
        }
        self.chunk.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = self.rest.as_slice().iter();
        let left = rest.fold(self.chunk.len(), |n, chunk| n + chunk.len());
        (left, Some(left))
    }
}

impl<K, V> ExactSizeIterator for IntoIter<K, V> {}

impl<K, V> FusedIterator for IntoIter<K, V> {}
