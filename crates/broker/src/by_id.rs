//! Things by ids that are given out once and never again.

use alloc::boxed::Box;
use alloc::vec::Vec;
use log::LogId;

/// Removed entries that may stay in any case.
const DEAD_MAX: usize = 64;

/// A map whose ids are numbers in ascending order, each found where its number says.
///
/// What is removed leaves a hole, so that the others stay where they are. When most are holes,
/// they go; older ids are then searched for.
#[derive(Clone, Debug)]
pub(crate) struct ById<T> {
    entries: Vec<(LogId, Option<Box<T>>)>,
    /// How many of the entries are holes.
    holes: usize,
    next: u32,
}

impl<T> Default for ById<T> {
    fn default() -> Self {
        ById {
            entries: Vec::new(),
            holes: 0,
            next: LogId::METADATA.0 + 1,
        }
    }
}

impl<T> ById<T> {
    /// The id that the next one will get.
    pub(crate) fn next_id(&self) -> LogId {
        LogId(self.next)
    }

    /// Adds something under [`ById::next_id`].
    pub(crate) fn push(&mut self, value: Box<T>) {
        self.entries.push((self.next_id(), Some(value)));
        self.next = self.next.saturating_add(1);
    }

    pub(crate) fn get(&self, id: LogId) -> Option<&T> {
        self.entries.get(self.place(id)?)?.1.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: LogId) -> Option<&mut T> {
        let at = self.place(id)?;
        self.entries.get_mut(at)?.1.as_deref_mut()
    }

    pub(crate) fn remove(&mut self, id: LogId) -> Option<Box<T>> {
        let at = self.place(id)?;
        let removed = self.entries.get_mut(at)?.1.take()?;
        self.holes += 1;
        if self.holes > DEAD_MAX && self.holes > self.entries.len() / 2 {
            self.entries.retain(|(_, value)| value.is_some());
            self.holes = 0;
        }
        Some(removed)
    }

    /// In order of the ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LogId, &T)> {
        let entries = self.entries.iter();
        entries.filter_map(|(id, value)| Some((*id, value.as_deref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let entries = self.entries.iter_mut();
        entries.filter_map(|(_, value)| value.as_deref_mut())
    }

    fn place(&self, id: LogId) -> Option<usize> {
        // Counted from the end: exact for all ids while no hole has gone, and for newer ones after.
        let from_end = self.next.checked_sub(id.0)? as usize;
        let guess = self.entries.len().checked_sub(from_end);
        match guess.and_then(|at| self.entries.get(at)) {
            Some((found, _)) if *found == id => guess,
            _ => self.entries.binary_search_by_key(&id, |(id, _)| *id).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ById, DEAD_MAX};
    use alloc::boxed::Box;
    use ids::Rng;
    use log::LogId;
    use std::collections::BTreeMap;

    #[test]
    fn it_behaves_as_a_map_and_stays_as_small() {
        let mut rng = Rng::new(3);
        let mut ids = ById::default();
        let mut map = BTreeMap::new();
        let mut most = 0;
        for step in 0..30_000_u64 {
            // Now it grows, now it shrinks.
            let grows = step / 3000 % 2 == 0;
            if rng.below(10) < if grows { 7 } else { 3 } {
                let id = ids.next_id();
                ids.push(Box::new(step));
                assert_eq!(map.insert(id, step), None, "no id comes twice");
            } else {
                let id = LogId(rng.below(u64::from(ids.next_id().0) + 2) as u32);
                let id = map.range(id..).next().map_or(id, |(id, _)| *id);
                assert_eq!(ids.get(id).copied(), map.get(&id).copied());
                assert_eq!(ids.remove(id).map(|value| *value), map.remove(&id));
                assert_eq!(ids.get_mut(id), None);
            }
            most = most.max(map.len());
            assert!(ids.entries.len() <= 2 * map.len() + DEAD_MAX + 1);
        }
        assert!(most > 1000 && ids.next_id().0 > 10_000);
        assert!(ids.iter().map(|(id, value)| (id, *value)).eq(map.clone()));
        assert!(ids.iter_mut().map(|value| *value).eq(map.into_values()));
    }
}
