//! `brooklet serve` killed at random moments of a continuous produce: nothing that was
//! acknowledged is lost, and no offset is missing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::{Served, ask, connect, frame, fresh_dir, receive};
use bytes::Bytes;
use ids::Rng;
use records::{BatchBuilder, BatchOptions, Batches};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;
use wire::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::fetch_response::FetchResponse;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Records, Str};

const KILLS: u64 = 60;
const PRODUCERS: u64 = 3;
/// Requests that a producer has under way at once.
const UNDER_WAY: u64 = 5;
const TOPIC: &str = "killed";

/// Values by the offset they were acknowledged at: kept here, outside the server.
type Acknowledged = BTreeMap<i64, String>;

#[test]
fn sixty_kills_lose_nothing_acknowledged_and_leave_no_gap() {
    let dir = fresh_dir("sigkill");
    let mut rng = Rng::new(20_261_121);
    let mut acknowledged = Acknowledged::new();
    let mut served = spawn(&dir);
    create(served.ready());
    for kill in 0..KILLS {
        if kill % 6 == 5 {
            // In the middle of its recovery, perhaps.
            std::thread::sleep(Duration::from_micros(rng.below(30_000)));
            served.child.kill().unwrap();
        } else {
            let address = served.ready();
            let producers: Vec<_> = (0..PRODUCERS)
                .map(|producer| std::thread::spawn(move || produce(address, kill, producer)))
                .collect();
            std::thread::sleep(Duration::from_micros(rng.below(150_000)));
            served.child.kill().unwrap();
            for producer in producers {
                acknowledged.extend(producer.join().unwrap());
            }
        }
        drop(served);
        served = spawn(&dir);
        if kill % 10 == 9 {
            check(&read_all(served.ready()), &acknowledged);
        }
    }
    let count = acknowledged.len();
    assert!(count > 1000, "only {count} acknowledged");
}

/// The whole log against what was acknowledged.
fn check(found: &[(i64, String)], acknowledged: &Acknowledged) {
    for (at, (offset, _)) in found.iter().enumerate() {
        assert_eq!(*offset, at as i64, "an offset is missing");
    }
    for (offset, value) in acknowledged {
        let there = usize::try_from(*offset).ok().and_then(|at| found.get(at));
        assert_eq!(
            there.map(|(_, value)| value),
            Some(value),
            "at offset {offset}"
        );
    }
}

fn spawn(dir: &Path) -> Served {
    Served::spawn(&["--data", dir.to_str().unwrap()])
}

fn create(address: SocketAddr) {
    let topic = CreatableTopic {
        name: Str::from(TOPIC),
        num_partitions: 1,
        replication_factor: 1,
        // Small segments, so that kills meet rolls as well.
        configs: vec![CreatableTopicConfig {
            name: Str::from("internal.segment.bytes"),
            value: Some(Str::from("30000")),
            ..CreatableTopicConfig::default()
        }],
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 5000,
        ..CreateTopicsRequest::default()
    };
    let answer: CreateTopicsResponse = ask(&mut connect(address), 7, &request);
    assert_eq!(answer.topics[0].error_code, 0);
}

/// Produces until the server is gone; what it acknowledged.
fn produce(address: SocketAddr, kill: u64, producer: u64) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    let Ok(mut stream) = TcpStream::connect(address) else {
        return acknowledged;
    };
    let (mut sent, mut answered) = (0u64, 0u64);
    let value = |number: u64| format!("{kill}/{producer}/{number}");
    loop {
        while sent < answered + UNDER_WAY {
            if stream.write_all(&frame(9, &request(&value(sent)))).is_err() {
                return acknowledged;
            }
            sent += 1;
        }
        let Ok(answer) = receive::<ProduceResponse>(&mut stream, 9) else {
            return acknowledged;
        };
        let partition = &answer.responses[0].partition_responses[0];
        // Before the broker leads again it says so; that is no acknowledgement.
        if partition.error_code == 0 {
            acknowledged.insert(partition.base_offset, value(answered));
        }
        answered += 1;
    }
}

fn request(value: &str) -> ProduceRequest {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder
        .append(1_795_248_000_000, None, Some(value.as_bytes()), &[])
        .unwrap();
    let partition = PartitionProduceData {
        index: 0,
        records: Records::Bytes(Bytes::from(builder.build())),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: Str::from(TOPIC),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    ProduceRequest {
        acks: 1,
        timeout_ms: 5000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    }
}

fn read_all(address: SocketAddr) -> Vec<(i64, String)> {
    let mut stream = connect(address);
    let mut all = Vec::new();
    loop {
        let partition = FetchPartition {
            partition: 0,
            fetch_offset: all.len() as i64,
            partition_max_bytes: 8 << 20,
            ..FetchPartition::default()
        };
        let request = FetchRequest {
            max_bytes: 8 << 20,
            topics: vec![FetchTopic {
                topic: Str::from(TOPIC),
                partitions: vec![partition],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let answer: FetchResponse = ask(&mut stream, 12, &request);
        let data = &answer.responses[0].partitions[0];
        assert_eq!(data.error_code, 0);
        for (_, batch) in Batches::new(data.records.bytes().map_or(&[], |bytes| &bytes[..])) {
            for record in batch.records().unwrap() {
                let record = record.unwrap();
                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                all.push((record.offset.0, value));
            }
        }
        if all.len() as i64 >= data.high_watermark {
            return all;
        }
    }
}
