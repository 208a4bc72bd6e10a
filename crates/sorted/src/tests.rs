//! The map beside the standard library's, step by step.

use core::ops::Bound;
use std::collections::BTreeMap;
use std::vec::Vec;

use ids::Rng;

use crate::{Entry, SortedMap, SortedSet};

fn same(map: &SortedMap<u32, u32>, model: &BTreeMap<u32, u32>) {
    assert!(map.iter().eq(model.iter()));
    assert!(map.iter().rev().eq(model.iter().rev()));
    assert_eq!(map.len(), model.len());
    assert_eq!(map.iter().len(), model.len());
    assert_eq!(map.is_empty(), model.is_empty());
    assert_eq!(map.first_key_value(), model.first_key_value());
    assert_eq!(map.last_key_value(), model.last_key_value());
}

/// Random steps on both, with keys below `keys`; every step's answers are equal.
fn walk(seed: u64, keys: u64, steps: u32) {
    let mut rng = Rng::new(seed);
    let mut map = SortedMap::new();
    let mut model = BTreeMap::new();
    for step in 0..steps {
        let key = rng.below(keys) as u32;
        match rng.below(12) {
            0..5 => assert_eq!(map.insert(key, step), model.insert(key, step)),
            5 => assert_eq!(map.remove(&key), model.remove(&key)),
            6 => {
                map.entry(key).and_modify(|value| *value += 1).or_insert(7);
                model
                    .entry(key)
                    .and_modify(|value| *value += 1)
                    .or_insert(7);
            }
            7 => {
                let to = key.saturating_add(rng.below(40) as u32);
                assert!(map.range(key..to).eq(model.range(key..to)));
                assert!(map.range(..=key).rev().eq(model.range(..=key).rev()));
                assert!(map.range(key..).eq(model.range(key..)));
                assert_eq!(map.range(key..to).len(), model.range(key..to).count());
            }
            8 => assert_eq!(map.pop_first(), model.pop_first()),
            9 => assert_eq!(map.pop_last(), model.pop_last()),
            10 if rng.below(50) == 0 => {
                let mut upper = map.split_off(&key);
                let mut model_upper = model.split_off(&key);
                same(&upper, &model_upper);
                same(&map, &model);
                map.append(&mut upper);
                model.append(&mut model_upper);
            }
            11 if rng.below(200) == 0 => {
                map.retain(|key, _| key % 3 != 0);
                model.retain(|key, _| key % 3 != 0);
            }
            _ => assert_eq!(map.get(&key), model.get(&key)),
        }
        if step % 16 == 0 {
            same(&map, &model);
        }
    }
    same(&map, &model);
    assert!(map.clone().into_iter().eq(model));
}

#[test]
fn answers_are_those_of_a_b_tree() {
    walk(1, 20, 3_000);
    walk(2, 700, 6_000);
    walk(3, 1 << 31, 6_000);
}

#[test]
fn every_order_of_insertion_gives_the_same_map() {
    let up: SortedMap<u32, ()> = (0..1_000).map(|key| (key, ())).collect();
    let down: SortedMap<u32, ()> = (0..1_000).rev().map(|key| (key, ())).collect();
    let mixed: SortedMap<u32, ()> = (0..1_000).map(|key| (key * 377 % 1_000, ())).collect();
    assert_eq!(up, down);
    assert_eq!(up, mixed);
    assert!(up.keys().copied().eq(0..1_000));
}

#[test]
fn a_range_between_two_chunks_begins_with_the_next_entry() {
    let map: SortedMap<u32, u32> = (0..1_000).map(|key| (key * 2, key)).collect();
    for key in 0..2_000 {
        let next = map.range(key..).next().map(|(key, _)| *key);
        assert_eq!(
            next,
            Some(key.next_multiple_of(2)).filter(|key| *key < 2_000)
        );
    }
    let backwards = (Bound::Included(10), Bound::Excluded(5));
    assert_eq!(map.range(backwards).count(), 0);
}

#[test]
fn values_change_in_place() {
    let mut map: SortedMap<u32, u32> = (0..300).map(|key| (key, 0)).collect();
    for (key, value) in map.iter_mut() {
        *value = *key;
    }
    *map.values_mut().next_back().expect("300 values") += 1;
    if let Entry::Occupied(mut entry) = map.entry(7) {
        *entry.get_mut() = 70;
    }
    assert_eq!((map[&7], map[&8], map[&299]), (70, 8, 300));
}

#[test]
fn a_set_keeps_each_element_once_in_order() {
    let set: SortedSet<&str> = ["b", "a", "b", "c"].into();
    let other: SortedSet<&str> = ["c", "d"].into();
    assert_eq!(set.iter().copied().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(
        set.difference(&other).copied().collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(set.intersection(&other).copied().collect::<Vec<_>>(), ["c"]);
    assert!(set.contains("a") && !set.contains("d"));
}

#[test]
fn sorting_keeps_the_order_of_equal_elements() {
    let mut rng = Rng::new(4);
    for len in [0, 1, 2, 40, 300] {
        let mut list: Vec<(u64, usize)> = (0..len).map(|at| (rng.below(9), at)).collect();
        let mut model = list.clone();
        model.sort_by_key(|(key, _)| *key);
        crate::sort_by_key(&mut list, |(key, _)| *key);
        assert_eq!(list, model);
        crate::sort_by(&mut list, |a, b| b.1.cmp(&a.1));
        assert!(list.iter().map(|(_, at)| *at).eq((0..len).rev()));
        crate::sort(&mut list);
        assert_eq!(list, model);
    }
}
