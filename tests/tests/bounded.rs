//! What the worst frames cost, counted in steps and in bytes allocated, in this binary alone.
//!
//! A frame of ten megabytes may cost hardly more than ten times what one of one megabyte costs, and
//! neither more than so much for each of its bytes. Those are measured where the code is optimised a little
//! (`cargo xtask test --only mutants`); otherwise frames of a tenth of that.

#![cfg(debug_assertions)]
#![allow(unsafe_code, reason = "an allocator can only be written with it")]

#[path = "bounded/frames.rs"]
mod frames;
#[path = "bounded/sessions.rs"]
mod sessions;

use bytes::Bytes;
use frames::{GROUP, TOPIC};
use ids::ConnId;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tests::direct::Direct;
use wire::find_coordinator_request::FindCoordinatorRequest;
use wire::find_coordinator_response::FindCoordinatorResponse;
use wire::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::offset_commit_response::OffsetCommitResponse;
use wire::{Message, RequestHeader, Str};

/// A frame with a list of so many elements.
type Frame = fn(usize) -> Bytes;

/// Length of the smaller one of two frames, in bytes.
const SMALLER: usize = if cfg!(brooklet_mutants) {
    1_000_000
} else {
    100_000
};
/// Steps that a frame may cost for each of its bytes.
const STEPS_PER_BYTE: u64 = 40;
/// Bytes that a frame may have allocated for each of its bytes.
const ALLOCATED_PER_BYTE: u64 = 150;
/// And anyway: what one request may make does not depend on the frame's length, and shows in a short one.
const ALLOCATED_ANYWAY: u64 = if cfg!(brooklet_mutants) {
    0
} else {
    50_000_000
};
/// How many more steps ten times as much may cost: a little more than ten times, for there are maps.
const TEN_TIMES_STEPS: u64 = 13;
/// How many more bytes it may allocate: lists double, so that one may be just about to and one just have.
const TEN_TIMES_ALLOCATED: u64 = 20;

struct Counting;

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    ALLOCATED.with(|total| total.set(total.get() + bytes as u64));
}

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size.saturating_sub(layout.size()));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a frame cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    len: u64,
    steps: u64,
    allocated: u64,
}

fn frame<Q: Message>(version: i16, request: &Q) -> Bytes {
    let header = RequestHeader {
        api_key: Q::API_KEY,
        api_version: version,
        correlation_id: 5,
        client_id: None,
    };
    wire::encode_request(&header, request).expect("the request fits its version")
}

/// A node with a topic of many partitions, and a group that has committed offsets of all of them.
fn node() -> (Direct, ConnId) {
    let mut direct = Direct::new(&[]);
    let conn = direct.connect();
    direct.create_topic(conn, TOPIC, 200);
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![Str::from(GROUP)],
        ..FindCoordinatorRequest::default()
    };
    for _ in 0..3 {
        let _: FindCoordinatorResponse = direct.ask(conn, 4, &request);
        direct.advance(100);
    }
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        ..OffsetCommitRequestPartition::default()
    };
    let request = OffsetCommitRequest {
        group_id: Str::from(GROUP),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from(TOPIC),
            partitions: (0..200).map(partition).collect(),
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    let answer: OffsetCommitResponse = direct.ask(conn, 8, &request);
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    (direct, conn)
}

/// What it costs to send a frame, and to have its answer.
fn cost_of(direct: &mut Direct, conn: ConnId, frame: Bytes) -> Cost {
    let (len, steps, allocated) = (frame.len() as u64, ids::steps(), ALLOCATED.with(Cell::get));
    direct.send(conn, frame);
    let cost = Cost {
        len,
        steps: ids::steps() - steps,
        allocated: ALLOCATED.with(Cell::get) - allocated,
    };
    assert!(!direct.is_closed(conn), "the frame is not understood");
    cost
}

/// A frame of about so many bytes.
fn of_size(make: Frame, bytes: usize) -> Bytes {
    let thousand = make(1_000).len();
    make(bytes * 1_000 / thousand)
}

/// What is wrong with what a frame and one ten times as long have cost.
fn complaint(name: &str, one: Cost, ten: Cost) -> Option<String> {
    println!("{name}: {one:?}, {ten:?}");
    let fits = |cost: Cost| {
        cost.steps <= STEPS_PER_BYTE * cost.len
            && cost.allocated <= ALLOCATED_PER_BYTE * cost.len + ALLOCATED_ANYWAY
    };
    // Below that nothing can be told.
    let least = SMALLER as u64 / 10;
    let grows = ten.steps > TEN_TIMES_STEPS * one.steps.max(least)
        || ten.allocated > TEN_TIMES_ALLOCATED * one.allocated.max(least);
    (grows || !fits(one) || !fits(ten)).then(|| format!("{name}: {one:?}, {ten:?}"))
}

/// All that is measured is measured in one test, for all tests of a process count together.
#[test]
fn no_frame_costs_more_than_its_length_says() {
    let frames = [frames::TOPICS, frames::FORWARDED, frames::GROUPS].concat();
    let mut complaints = Vec::new();
    for (name, make) in frames {
        let cost = |bytes| {
            let (mut direct, conn) = node();
            cost_of(&mut direct, conn, of_size(make, bytes))
        };
        complaints.extend(complaint(name, cost(SMALLER), cost(10 * SMALLER)));
    }
    complaints.extend(sessions::complaints());
    assert!(complaints.is_empty(), "{complaints:#?}");
}
