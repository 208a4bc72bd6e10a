//! What a request costs in allocations, counted inside the broker's step, in this binary alone.

#![allow(unsafe_code, reason = "an allocator can only be written with it")]

use bytes::Bytes;
use cluster::{ClientEffect, ClientEvent, DiskEffect, DiskEvent, Effect};
use ids::ConnId;
use records::{BatchBuilder, BatchOptions};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tests::direct::{Direct, NODE};
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Message, Records, RequestHeader, Str};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    CALLS.with(|calls| calls.set(calls.get() + 1));
    BYTES.with(|total| total.set(total.get() + bytes as u64));
}

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
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

/// What a step allocated: how often, and how many bytes.
#[derive(Clone, Copy, Debug)]
struct Cost {
    calls: u64,
    bytes: u64,
}

struct Bench {
    direct: Direct,
    conn: ConnId,
}

impl Bench {
    fn new() -> Bench {
        let mut direct = Direct::new(&[]);
        let conn = direct.connect();
        let topic = CreatableTopic {
            name: Str::from("orders"),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 1000,
            ..CreateTopicsRequest::default()
        };
        let answer: CreateTopicsResponse = direct.ask(conn, 7, &request);
        assert_eq!(answer.topics[0].error_code, 0);
        Bench { direct, conn }
    }

    /// Hands a request to the broker and counts what its step allocates, the effects' list aside.
    fn count<Q: Message>(&mut self, version: i16, request: &Q) -> (Cost, Vec<Effect>) {
        let header = RequestHeader {
            api_key: Q::API_KEY,
            api_version: version,
            correlation_id: 5,
            client_id: Some(Str::from("counting")),
        };
        let frame = wire::encode_request(&header, request).expect("the request fits its version");
        let conn = self.conn;
        let mut effects = Vec::with_capacity(16);
        let (calls, bytes) = (CALLS.with(Cell::get), BYTES.with(Cell::get));
        let event = ClientEvent::Request { conn, frame }.into();
        self.direct
            .cluster
            .step(self.direct.now, NODE, event, &mut effects);
        let cost = Cost {
            calls: CALLS.with(Cell::get) - calls,
            bytes: BYTES.with(Cell::get) - bytes,
        };
        (cost, effects)
    }

    /// What one Produce of so many records costs, up to the order to store it.
    fn produce(&mut self, records: u32, value: &[u8]) -> Cost {
        let (cost, effects) = self.count(9, &produce(records, value));
        for effect in effects {
            if let Effect::Disk(DiskEffect::Store { log, token, .. }) = effect {
                self.direct.step(DiskEvent::Stored { log, token });
            }
        }
        let frame = self
            .direct
            .reply(self.conn)
            .expect("a reply once it is stored");
        let (_, answer) = wire::decode_response::<ProduceResponse>(frame, 9).expect("an answer");
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
        cost
    }
}

fn produce(records: u32, value: &[u8]) -> ProduceRequest {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for _ in 0..records {
        let added = builder.append(1_795_248_000_000, None, Some(value), &[]);
        assert!(added.is_ok());
    }
    let partition = PartitionProduceData {
        records: Records::Bytes(Bytes::from(builder.build())),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: Str::from("orders"),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    }
}

/// What a Produce costs in a log that has seen so many others before.
fn cost_after(others: usize, records: u32, value: &[u8]) -> Cost {
    let mut bench = Bench::new();
    for _ in 0..others {
        bench.produce(1, b"v");
    }
    bench.produce(records, value)
}

#[test]
fn a_produce_of_ten_thousand_records_allocates_as_often_as_one_of_one() {
    let (one, many) = (cost_after(0, 1, b"v"), cost_after(0, 10_000, b"v"));
    println!("in a new log: one record {one:?}, ten thousand {many:?}");
    assert_eq!(many.calls, one.calls);
}

#[test]
fn what_counts_is_bytes_and_not_records() {
    // Ten thousand records of a byte take as much room as one record of 80,000 bytes: neither fits
    // what is left of the log's chunk, so both begin another one.
    let (one, many) = (
        cost_after(4, 1, &[b'v'; 80_000]),
        cost_after(4, 10_000, b"v"),
    );
    println!("in a used log: one large record {one:?}, ten thousand {many:?}");
    assert_eq!(many.calls, one.calls);
    let small = cost_after(4, 1, b"v");
    assert!(
        many.calls <= small.calls + 2,
        "a chunk costs more than two: {small:?}, {many:?}"
    );
}

#[test]
fn a_fetch_of_a_mebibyte_allocates_at_most_four_kibibytes() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.produce(100, &[b'v'; 1000]);
    }
    let partition = FetchPartition {
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::from("orders"),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    let request = FetchRequest {
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let (cost, effects) = bench.count(12, &request);
    let [Effect::Client(ClientEffect::Reply { reply, .. })] = effects.as_slice() else {
        panic!("a fetch of what is there is answered at once: {effects:?}");
    };
    println!("{cost:?} for {} bytes", reply.len());
    assert!(reply.len() >= 1 << 20, "{} bytes", reply.len());
    assert!(cost.bytes <= 4096, "{cost:?}");
}
