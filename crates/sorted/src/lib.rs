//! Sorted maps, sets and lists, made to be small where they are compiled.
//!
//! The core may use no hash map: its order would differ between runs. A B-tree from the standard
//! library is sorted, but compiles to some 9 KB of Wasm for each pair of types it is used with, and the
//! core has about a hundred pairs. [`SortedMap`] is a list of sorted chunks instead: the same answers in
//! the same order, and a sixth of the code.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod entry;
mod iter;
#[cfg(feature = "serde")]
mod json;
mod map;
mod order;
mod set;
#[cfg(test)]
mod tests;

pub use entry::{Entry, OccupiedEntry, VacantEntry};
pub use iter::{IntoIter, Iter};
pub use map::SortedMap;
pub use order::{sort, sort_by, sort_by_key};
pub use set::SortedSet;
