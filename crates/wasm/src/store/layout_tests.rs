//! The layout against a naive model: a log as a list of batches, a database as a map.

use super::*;
use sorted::SortedMap;

/// A small generator of its own (splitmix64), so that a failing seed can be run again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

#[derive(Clone)]
struct Batch {
    base_offset: i64,
    bytes: Bytes,
}

/// The log as it should be, and the database as the turns left it.
#[derive(Default)]
struct Model {
    segments: SortedMap<i64, Vec<Batch>>,
    next_offset: i64,
    database: SortedMap<i64, Vec<u8>>,
    put_bytes: u64,
}

impl Model {
    fn bytes_of(&self, segment: i64) -> Vec<u8> {
        self.segments[&segment]
            .iter()
            .flat_map(|batch| batch.bytes.to_vec())
            .collect()
    }

    fn end_of(&self, segment: i64) -> u32 {
        self.segments[&segment]
            .iter()
            .map(|batch| batch.bytes.len() as u32)
            .sum()
    }

    fn append(&mut self, layout: &mut Layout, len: u32, records: i64) {
        let segment = *self.segments.last_key_value().expect("a segment").0;
        let fill = (self.next_offset % 251) as u8;
        let batch = Batch {
            base_offset: self.next_offset,
            bytes: vec![fill; len as usize].into(),
        };
        layout.append(
            segment,
            self.end_of(segment),
            batch.base_offset,
            batch.bytes.clone(),
        );
        self.next_offset += records;
        self.segments
            .get_mut(&segment)
            .expect("present")
            .push(batch);
    }

    fn roll(&mut self) {
        let last = self.segments.last_key_value();
        if last.is_none_or(|(_, batches)| !batches.is_empty()) {
            self.segments.insert(self.next_offset, Vec::new());
        }
    }

    /// Cuts at the start of a batch somewhere in the last two segments.
    fn truncate(&mut self, layout: &mut Layout, chance: &mut Chance) {
        let back = chance.below(2) as usize;
        let Some(segment) = self.segments.keys().rev().nth(back).copied() else {
            return;
        };
        let batches = self.segments.get_mut(&segment).expect("present");
        let keep = chance.below(batches.len() as u64 + 1) as usize;
        if let Some(first_cut) = batches.get(keep) {
            self.next_offset = first_cut.base_offset;
        }
        batches.truncate(keep);
        self.segments.retain(|base, _| *base <= segment);
        let batches = &self.segments[&segment];
        if batches.is_empty() {
            self.next_offset = segment;
        }
        layout.truncate(segment, self.end_of(segment));
    }

    fn delete_oldest(&mut self, layout: &mut Layout) {
        if self.segments.len() > 1 {
            let (segment, _) = self.segments.pop_first().expect("two segments");
            layout.delete_segment(segment);
        }
    }

    fn store(&mut self, turn: LayoutTurn) {
        for (from, to) in turn.deletes {
            let keys: Vec<i64> = self.database.range(from..to).map(|(key, _)| *key).collect();
            assert!(
                keys.len() <= MAX_DELETE_KEYS,
                "{} keys in one delete",
                keys.len()
            );
            keys.iter().for_each(|key| drop(self.database.remove(key)));
        }
        for (key, keep) in turn.cuts {
            let value = self
                .database
                .get_mut(&key)
                .expect("a cut shortens a stored value");
            assert!(keep as usize <= value.len());
            value.truncate(keep as usize);
        }
        for (key, pieces) in turn.puts {
            let value: Vec<u8> = pieces.concat();
            self.put_bytes += value.len() as u64;
            self.database.insert(key, value);
        }
    }

    /// The database holds the log's bytes, in values of whole batches of one segment.
    fn check(&self, layout: &Layout, chance: &mut Chance) {
        let first = *self.segments.first_key_value().expect("a segment").0;
        let live = self.database.range(first..);
        assert_eq!(
            live.clone()
                .map(|(_, value)| value.len() as u64)
                .sum::<u64>(),
            layout.bytes()
        );
        for (segment, batches) in &self.segments {
            let after = self
                .segments
                .range(segment + 1..)
                .next()
                .map_or(i64::MAX, |(base, _)| *base);
            let values = self.database.range(*segment..after);
            let stored: Vec<u8> = values
                .clone()
                .flat_map(|(_, value)| value.clone())
                .collect();
            assert!(
                stored == self.bytes_of(*segment),
                "segment {segment} differs"
            );
            let listed: Vec<(i64, u32)> = layout.values_of(*segment).collect();
            let expected: Vec<(i64, u32)> = values.map(|(key, v)| (*key, v.len() as u32)).collect();
            assert_eq!(listed, expected);
            let mut rest = batches.iter();
            for (key, len) in listed {
                let mut left = len;
                for batch in rest.by_ref() {
                    left = left.saturating_sub(batch.bytes.len() as u32);
                    if left == 0 {
                        assert!(
                            len <= MAX_VALUE || batch.base_offset == key,
                            "{len} bytes at {key}"
                        );
                        break;
                    }
                }
                assert_eq!(left, 0, "value {key} holds a part of a batch");
            }
            self.check_pieces(layout, *segment, chance);
        }
    }

    fn check_pieces(&self, layout: &Layout, segment: i64, chance: &mut Chance) {
        let bytes = self.bytes_of(segment);
        let position = chance.below(bytes.len() as u64 + 1) as usize;
        let len = chance.below((bytes.len() - position) as u64 + 1) as usize;
        let pieces = layout
            .pieces(segment, position as u32, len as u32)
            .expect("covered");
        let read: Vec<u8> = pieces
            .iter()
            .flat_map(|p| {
                self.database[&p.base_offset][p.skip as usize..][..p.take as usize].to_vec()
            })
            .collect();
        assert!(
            read == bytes[position..position + len],
            "range {position}+{len} of {segment}"
        );
        let past = layout.pieces(segment, bytes.len() as u32, 1);
        assert_eq!(
            past,
            Err(Gap {
                segment,
                position: bytes.len() as u32
            })
        );
    }

    fn restored(&self) -> Layout {
        let segments: Vec<i64> = self.segments.keys().copied().collect();
        let stored = self
            .database
            .iter()
            .map(|(key, value)| (*key, value.len() as u32));
        Layout::restore(&segments, stored)
    }
}

#[test]
fn after_any_turn_the_values_hold_exactly_the_log_in_whole_batches() {
    for seed in 0..24 {
        let mut chance = Chance(seed);
        let (mut model, mut layout) = (Model::default(), Layout::default());
        model.roll();
        for _ in 0..25 {
            for _ in 0..chance.below(12) {
                match chance.below(100) {
                    0..80 => {
                        let scale = [200, 2_000, 6_000, 30_000, 70_000][chance.below(5) as usize];
                        let records = 1 + chance.below(4) as i64;
                        model.append(&mut layout, 1 + chance.below(scale) as u32, records);
                    }
                    80..90 => model.roll(),
                    90..97 => model.truncate(&mut layout, &mut chance),
                    _ => model.delete_oldest(&mut layout),
                }
            }
            model.store(layout.take_turn(1));
            assert!(!layout.is_dirty());
            model.check(&layout, &mut chance);
            if chance.below(8) == 0 {
                layout = model.restored();
                model.check(&layout, &mut chance);
            }
        }
        model.store(layout.take_turn(usize::MAX));
        let first = *model.segments.first_key_value().expect("a segment").0;
        assert_eq!(layout.stale_keys(), 0);
        assert_eq!(
            model.database.range(..first).count(),
            0,
            "seed {seed}: stale keys stay"
        );
    }
}

#[test]
fn small_turns_fill_one_value_up_to_the_seal_and_no_further() {
    let (mut model, mut layout) = (Model::default(), Layout::default());
    model.roll();
    for _ in 0..100 {
        model.append(&mut layout, 1_000, 1);
        model.store(layout.take_turn(0));
    }
    let lens: Vec<usize> = model.database.values().map(Vec::len).collect();
    assert_eq!(lens[..5], [17_000; 5]);
    assert!(
        model.put_bytes < 100 * 10_000,
        "{} bytes written for 100,000",
        model.put_bytes
    );
}

#[test]
fn a_busy_turn_gathers_batches_up_to_the_limit() {
    let (mut model, mut layout) = (Model::default(), Layout::default());
    model.roll();
    (0..256).for_each(|_| model.append(&mut layout, 1_024, 1));
    let turn = layout.take_turn(0);
    let counts: Vec<usize> = turn.puts.iter().map(|(_, pieces)| pieces.len()).collect();
    assert_eq!(counts, [60, 60, 60, 60, 16]);
}

#[test]
fn a_batch_above_the_limit_is_a_value_of_its_own() {
    let (mut model, mut layout) = (Model::default(), Layout::default());
    model.roll();
    for len in [100, MAX_VALUE + 1, 100, 100] {
        model.append(&mut layout, len, 1);
    }
    let lens: Vec<usize> = layout
        .take_turn(0)
        .puts
        .iter()
        .map(|(_, pieces)| pieces.concat().len())
        .collect();
    assert_eq!(lens, [100, MAX_VALUE as usize + 1, 200]);
}

#[test]
fn what_was_appended_and_truncated_in_one_turn_is_never_written() {
    let (mut model, mut layout) = (Model::default(), Layout::default());
    model.roll();
    model.append(&mut layout, 40_000, 1);
    model.append(&mut layout, 40_000, 1);
    layout.truncate(0, 40_000);
    let turn = layout.take_turn(0);
    assert_eq!(turn.puts.len(), 1);
    assert_eq!((turn.deletes.len(), turn.cuts.len()), (0, 0));
}

#[test]
fn a_sealed_value_is_cut_in_place() {
    let mut layout = Layout::restore(&[0], [(0, 30_000), (30, 30_000)]);
    layout.truncate(0, 40_000);
    assert_eq!(layout.take_turn(0).cuts, [(30, 10_000)]);
    assert_eq!(layout.bytes(), 40_000);
}

#[test]
fn retention_deletes_at_most_sixty_four_keys_in_a_range() {
    let mut layout = Layout::restore(&[0, 1_000], (0..1_001).map(|key| (key, 10)));
    layout.delete_segment(0);
    assert!(!layout.is_dirty(), "deletes of retention can wait");
    assert_eq!(layout.take_turn(2).deletes, [(0, 64), (64, 128)]);
    assert_eq!(layout.stale_keys(), 1_000 - 128);
}

#[test]
fn values_before_the_first_segment_are_left_over_and_go() {
    let mut layout = Layout::restore(&[100], [(10, 5), (90, 5), (100, 7)]);
    assert_eq!(layout.bytes(), 7);
    assert_eq!(layout.take_turn(9).deletes, [(10, 91)]);
}
