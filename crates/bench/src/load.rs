//! What is sent: batches, the frames around them, and what the machine does with the same bytes.

use bytes::Bytes;
use ids::Time;
use records::{BatchBuilder, BatchOptions};
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::{Message, Records, RequestHeader, Str};

/// The time everything happens at.
pub(crate) const NOW: Time = Time(1_795_248_000_000_000);
/// The last version of Produce and Fetch that names topics by name.
pub(crate) const VERSION: i16 = 12;
/// The topic all load goes to.
pub(crate) const TOPIC: &str = "bench";

/// The batches that a case sends: how many records, of which size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Bytes of a record's value; it has no key.
    pub(crate) value_bytes: u32,
    pub(crate) records: u32,
    /// How the shape is called in a figure's name.
    pub(crate) name: &'static str,
}

/// Every shape that append and produce are measured with.
pub(crate) const SHAPES: [Shape; 10] = [
    shape(100, 1, "100B/1"),
    shape(100, 10, "100B/10"),
    shape(100, 100, "100B/100"),
    shape(100, 1000, "100B/1000"),
    shape(100, 149, "100B/16KiB"),
    shape(1024, 1, "1KiB/1"),
    shape(1024, 10, "1KiB/10"),
    shape(1024, 100, "1KiB/100"),
    shape(1024, 1000, "1KiB/1000"),
    shape(1024, 15, "1KiB/16KiB"),
];

const fn shape(value_bytes: u32, records: u32, name: &'static str) -> Shape {
    Shape {
        value_bytes,
        records,
        name,
    }
}

impl Shape {
    /// A batch as a client sends it.
    pub(crate) fn batch(&self) -> Bytes {
        self.batch_at(NOW.millis())
    }

    /// A batch whose records begin at a time, in milliseconds: a server with a clock refuses what
    /// comes from its future.
    pub(crate) fn batch_at(&self, millis: i64) -> Bytes {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let mut rng = ids::Rng::new(u64::from(self.value_bytes));
        for at in 0..self.records {
            let value: Vec<u8> = (0..self.value_bytes)
                .map(|_| (rng.next() >> 56) as u8)
                .collect();
            let timestamp = millis + i64::from(at / 10);
            assert!(builder.append(timestamp, None, Some(&value), &[]).is_ok());
        }
        Bytes::from(builder.build())
    }
}

/// A produce request's frame with one batch for one partition.
pub(crate) fn produce_frame(partition: i32, acks: i16, batch: &Bytes) -> Bytes {
    let partition = PartitionProduceData {
        index: partition,
        records: Records::Bytes(batch.clone()),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: Str::from(TOPIC),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    frame(&ProduceRequest {
        acks,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    })
}

/// A fetch request's frame, without a session, for one partition.
pub(crate) fn fetch_frame(partition: i32, offset: i64, max_bytes: i32) -> Bytes {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: max_bytes,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::from(TOPIC),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    frame(&FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    })
}

/// A request's frame in the version the benchmark speaks, or the last one of the API below it.
pub(crate) fn frame<Q: Message>(request: &Q) -> Bytes {
    let header = RequestHeader {
        api_key: Q::API_KEY,
        api_version: VERSION.min(Q::MAX_VERSION),
        correlation_id: 7,
        client_id: Some(Str::from("bench")),
    };
    wire::encode_request(&header, request).expect("the request fits its version")
}

/// Where the limits put what they copy: as much memory as a log may keep, used round and round.
pub(crate) struct Ring {
    bytes: Vec<u8>,
    at: usize,
}

impl Ring {
    pub(crate) fn new(bytes: u64) -> Ring {
        Ring {
            bytes: vec![1; bytes as usize],
            at: 0,
        }
    }

    /// Copies some bytes; they must be no more than the ring has.
    pub(crate) fn copy(&mut self, from: &[u8]) {
        if self.at + from.len() > self.bytes.len() {
            self.at = 0;
        }
        let to = &mut self.bytes[self.at..self.at + from.len()];
        to.copy_from_slice(from);
        std::hint::black_box(to);
        self.at += from.len();
    }

    /// Computes the checksum of some bytes, then copies them: the least that an append can do.
    pub(crate) fn check_and_copy(&mut self, from: &[u8]) {
        std::hint::black_box(codecs::crc32c(from));
        self.copy(from);
    }
}

/// What [`Ring::check_and_copy`] is called.
pub(crate) const CHECK_AND_COPY: &str = "CRC-32C + memcpy";
/// What [`Ring::copy`] is called.
pub(crate) const COPY: &str = "memcpy";
