//! Allocations are counted, in this binary alone.

#![allow(unsafe_code, reason = "an allocator can only be written with it")]

use brooklet_log::{Log, LogConfig};
use ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Time};
use records::{BatchBuilder, BatchOptions, Rules, validate};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size() as u64));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(step: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    step();
    COUNT.with(Cell::get) - before
}

fn batch(records: u32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for _ in 0..records {
        assert!(builder.append(1000, None, Some(b"v"), &[]).is_ok());
    }
    builder.build()
}

/// Allocations of validating, appending and reading back a batch of so many records.
fn cost(records: u32) -> u64 {
    let bytes = batch(records);
    let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
    let mut ops = Vec::with_capacity(8);
    allocations(|| {
        let valid = validate(&bytes, &Rules::default());
        let appended = valid.map(|valid| log.append(Time(0), &valid, LeaderEpoch(0), &mut ops));
        assert!(matches!(appended, Ok(Ok(_))));
        let read = log.read(Offset(0), u32::MAX, Offset(i64::MAX), true);
        assert!(read.is_ok());
    })
}

#[test]
fn a_batch_of_ten_thousand_records_allocates_as_often_as_a_batch_of_one() {
    let (one, many) = (cost(1), cost(10_000));
    // Larger than a chunk, it becomes a chunk of its own; that costs no more than the first of a log.
    assert!(many <= one + 2, "{many} allocations, not {one}");
}

#[test]
fn looking_up_an_offset_allocates_nothing() {
    let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
    let mut builder = BatchBuilder::new(BatchOptions::default());
    assert!(builder.append(1000, None, Some(b"v"), &[]).is_ok());
    let batch = builder.into_valid();
    for _ in 0..10_000 {
        let appended = log.append(Time(0), &batch, LeaderEpoch(0), &mut Vec::new());
        assert!(appended.is_ok());
    }
    let count = allocations(|| {
        for offset in (0..10_000).step_by(7) {
            let read = log.read(Offset(offset), 5000, Offset(9_000), true);
            assert!(read.is_ok());
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn what_is_known_of_many_producers_is_copied_for_less_than_their_records_take() {
    const PRODUCERS: i32 = 20_000;
    let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
    let mut append = |sequence: i32, producer: i32| {
        let mut builder = BatchBuilder::new(BatchOptions {
            producer_id: ProducerId(producer.into()),
            producer_epoch: ProducerEpoch(0),
            base_sequence: sequence,
            ..BatchOptions::default()
        });
        assert!(builder.append(1000, None, Some(&[7; 700]), &[]).is_ok());
        let batch = builder.into_valid();
        let before = BYTES.with(Cell::get);
        let appended = log.append(Time(0), &batch, LeaderEpoch(0), &mut Vec::new());
        assert!(appended.is_ok());
        (u64::from(batch.size()), BYTES.with(Cell::get) - before)
    };
    let (mut appended, mut allocated) = (0, 0);
    for sequence in 0..3 {
        for producer in 0..PRODUCERS {
            let (size, bytes) = append(sequence, producer);
            (appended, allocated) = (appended + size, allocated + bytes);
        }
    }
    assert!(allocated < 3 * appended, "{allocated} for {appended}");
}
