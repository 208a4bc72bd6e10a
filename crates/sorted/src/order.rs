//! Sorting lists whose elements are compared seldom.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::mem;

/// Sorts by the elements' own order; equal elements stay as they were.
pub fn sort<T: Ord>(list: &mut Vec<T>) {
    sort_by(list, T::cmp);
}

/// Sorts by a key of each element; elements of equal keys stay as they were.
pub fn sort_by_key<T, K: Ord>(list: &mut Vec<T>, key: impl Fn(&T) -> K) {
    sort_by(list, |a, b| key(a).cmp(&key(b)));
}

/// Sorts by a comparison; equal elements stay as they were.
///
/// The standard library's sorts are compiled anew for each type and closure, to some 5 KB of Wasm. Here
/// one sort orders positions, and only the last step knows the type.
pub fn sort_by<T>(list: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let order = positions(list.len(), &|a, b| {
        ids::step();
        compare(&list[a], &list[b])
    });
    let mut unsorted: Vec<Option<T>> = mem::take(list).into_iter().map(Some).collect();
    list.extend(order.into_iter().filter_map(|at| unsorted[at].take()));
}

/// The positions below `len` in the order of what is at them.
fn positions(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..len).collect();
    positions.sort_by(|a, b| compare(*a, *b));
    positions
}
