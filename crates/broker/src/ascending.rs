//! A map for keys that mostly come in ascending order and do not stay for long.

use alloc::collections::VecDeque;

/// A map in a ring buffer: what is added behind all others and taken from either end costs next
/// to nothing and allocates nothing, which is how requests, orders and deadlines come and go.
#[derive(Clone, Debug)]
pub(crate) struct Ascending<K, V> {
    entries: VecDeque<(K, V)>,
}

impl<K, V> Default for Ascending<K, V> {
    fn default() -> Self {
        Ascending {
            entries: VecDeque::new(),
        }
    }
}

impl<K: Ord + Copy, V: Copy> Ascending<K, V> {
    /// Adds an entry, or puts it in the place of the one with this key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.entries.back().is_none_or(|(last, _)| *last < key) {
            return self.entries.push_back((key, value));
        }
        match self.place(key) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    pub(crate) fn get(&self, key: K) -> Option<V> {
        let at = self.place(key).ok()?;
        self.entries.get(at).map(|(_, value)| *value)
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let entry = match self.place(key).ok()? {
            0 => self.entries.pop_front(),
            at => self.entries.remove(at),
        };
        entry.map(|(_, value)| value)
    }

    /// The least key.
    pub(crate) fn first(&self) -> Option<K> {
        self.entries.front().map(|(key, _)| *key)
    }

    fn place(&self, key: K) -> Result<usize, usize> {
        match (self.entries.front(), self.entries.back()) {
            (Some((first, _)), _) if *first == key => Ok(0),
            (_, Some((last, _))) if *last == key => Ok(self.entries.len() - 1),
            _ => self.entries.binary_search_by_key(&key, |(key, _)| *key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ascending;
    use ids::Rng;
    use std::collections::BTreeMap;

    #[test]
    fn it_behaves_as_an_ordered_map() {
        let mut rng = Rng::new(5);
        let mut map = BTreeMap::new();
        let mut ring = Ascending::default();
        for step in 0..20_000_u64 {
            // Mostly ascending, sometimes anywhere; gone soon.
            let key = match rng.below(4) {
                0 => rng.below(step + 1),
                _ => step,
            };
            match rng.below(5) {
                0 | 1 => {
                    ring.insert(key, step);
                    map.insert(key, step);
                }
                2 => assert_eq!(ring.remove(key), map.remove(&key)),
                3 => {
                    let first = map.first_key_value().map(|(key, _)| *key);
                    assert_eq!(ring.first(), first);
                    if let Some(first) = first {
                        assert_eq!(ring.remove(first), map.remove(&first));
                    }
                }
                _ => assert_eq!(ring.get(key), map.get(&key).copied()),
            }
        }
        while let Some((key, value)) = map.pop_first() {
            assert_eq!(ring.first(), Some(key));
            assert_eq!(ring.remove(key), Some(value));
        }
        assert_eq!(ring.first(), None);
    }
}
