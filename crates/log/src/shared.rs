//! A growing list that is cheap to clone.

use alloc::{sync::Arc, vec::Vec};

/// Items in one shared block.
const BLOCK: usize = 256;

/// A list whose clones share all full blocks; a clone copies fewer than 256 items.
///
/// Changing a shared block copies that block alone.
#[derive(Clone, Debug)]
pub(crate) struct SharedVec<T> {
    full: Vec<Arc<[T]>>,
    last: Vec<T>,
}

impl<T> Default for SharedVec<T> {
    fn default() -> Self {
        SharedVec {
            full: Vec::new(),
            last: Vec::new(),
        }
    }
}

impl<T: Clone> SharedVec<T> {
    pub(crate) fn len(&self) -> usize {
        self.full.len() * BLOCK + self.last.len()
    }

    pub(crate) fn push(&mut self, item: T) {
        self.last.push(item);
        if self.last.len() == BLOCK {
            // Copied out, so that an item is one step from the list, and the room is used again.
            self.full.push(self.last.drain(..).collect());
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        match self.full.get(at / BLOCK) {
            Some(block) => block.get(at % BLOCK),
            None => self.last.get(at.checked_sub(self.full.len() * BLOCK)?),
        }
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let full = self.full.len() * BLOCK;
        match self.full.get_mut(at / BLOCK) {
            Some(block) => Arc::make_mut(block).get_mut(at % BLOCK),
            None => self.last.get_mut(at.checked_sub(full)?),
        }
    }

    pub(crate) fn last(&self) -> Option<&T> {
        self.last
            .last()
            .or_else(|| self.full.last().and_then(|block| block.last()))
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.last.is_empty() {
            self.last = self.full.pop()?.to_vec();
        }
        self.last.pop()
    }

    /// Keeps the first `len` items.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len >= self.full.len() * BLOCK {
            self.last.truncate(len - self.full.len() * BLOCK);
            return;
        }
        self.full.truncate(len / BLOCK + 1);
        self.last = self
            .full
            .pop()
            .map(|block| block.to_vec())
            .unwrap_or_default();
        self.last.truncate(len % BLOCK);
    }

    /// How many leading items satisfy `holds`; they must all come before the others.
    pub(crate) fn partition_point(&self, holds: impl Fn(&T) -> bool) -> usize {
        let blocks = self
            .full
            .partition_point(|block| block.last().is_some_and(&holds));
        let inner = (self.full.get(blocks)).map_or(&self.last[..], |block| block);
        blocks * BLOCK + inner.partition_point(holds)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.full
            .iter()
            .flat_map(|block| block.iter())
            .chain(self.last.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::SharedVec;
    use std::vec::Vec;

    fn numbers(n: u32) -> SharedVec<u32> {
        let mut list = SharedVec::default();
        (0..n).for_each(|i| list.push(i));
        list
    }

    #[test]
    fn it_behaves_as_a_vector_at_every_block_boundary() {
        for n in [0, 1, 255, 256, 257, 511, 512, 700] {
            let list = numbers(n);
            assert_eq!(list.len(), n as usize);
            assert_eq!(list.last().copied(), n.checked_sub(1));
            assert!(list.iter().copied().eq(0..n));
            assert_eq!(list.get(n as usize), None);
            for cut in [0, 1, 200, 255, 256, 257, 512, 699] {
                assert_eq!(list.partition_point(|&i| i < cut), cut.min(n) as usize);
                let mut cut_list = list.clone();
                cut_list.truncate(cut as usize);
                assert!(cut_list.iter().copied().eq(0..cut.min(n)));
                cut_list.push(7);
                assert_eq!(cut_list.pop(), Some(7));
                assert_eq!(cut_list.len(), cut.min(n) as usize);
            }
            assert_eq!(list.iter().copied().collect::<Vec<_>>().len(), n as usize);
        }
    }

    #[test]
    fn changing_a_clone_leaves_the_original_alone() {
        let list = numbers(600);
        let mut clone = list.clone();
        *clone.get_mut(3).unwrap() = 99;
        *clone.get_mut(599).unwrap() = 99;
        assert!(list.iter().copied().eq(0..600));
        assert_eq!(clone.get(3), Some(&99));
    }
}
