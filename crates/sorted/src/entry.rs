//! One key's place in a map.

use crate::SortedMap;
use crate::map::Place;

/// A key's place, with a value or without; see [`SortedMap::entry`].
pub enum Entry<'a, K, V> {
    /// The key has a value.
    Occupied(OccupiedEntry<'a, K, V>),
    /// The key has none.
    Vacant(VacantEntry<'a, K, V>),
}

/// The place of a key that has a value.
pub struct OccupiedEntry<'a, K, V> {
    map: &'a mut SortedMap<K, V>,
    place: Place,
}

/// The place where a missing key would be.
pub struct VacantEntry<'a, K, V> {
    map: &'a mut SortedMap<K, V>,
    place: Place,
    key: K,
}

impl<'a, K, V> Entry<'a, K, V> {
    /// The value; if there is none, `value` becomes it.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value; if there is none, what `make` makes becomes it.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        match self {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(make()),
        }
    }

    /// The value; if there is none, the default becomes it.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value, if there is one.
    #[must_use]
    pub fn and_modify(mut self, change: impl FnOnce(&mut V)) -> Self {
        if let Entry::Occupied(entry) = &mut self {
            change(entry.get_mut());
        }
        self
    }
}

impl<'a, K, V> OccupiedEntry<'a, K, V> {
    pub(crate) fn new(map: &'a mut SortedMap<K, V>, place: Place) -> Self {
        Self { map, place }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.map.chunk(self.place.chunk)[self.place.at].0
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> &V {
        &self.map.chunk(self.place.chunk)[self.place.at].1
    }

    /// The value, to be changed.
    pub fn get_mut(&mut self) -> &mut V {
        self.map.value_at(self.place)
    }

    /// The value, to be changed for as long as the map is borrowed.
    #[must_use]
    pub fn into_mut(self) -> &'a mut V {
        self.map.value_at(self.place)
    }

    /// Takes out the value.
    #[must_use]
    pub fn remove(self) -> V {
        self.map.remove_at(self.place).1
    }
}

impl<'a, K, V> VacantEntry<'a, K, V> {
    pub(crate) fn new(map: &'a mut SortedMap<K, V>, place: Place, key: K) -> Self {
        Self { map, place, key }
    }

    /// Gives the key a value.
    pub fn insert(self, value: V) -> &'a mut V {
        let place = self.map.insert_at(self.place, self.key, value);
        self.map.value_at(place)
    }
}
