//! Reading what is no longer in memory.

use bytes::Bytes;
use records::{BatchBuilder, BatchOptions};
use tests::direct::Direct;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsResponse};
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Records, Str};

const TOPIC: &str = "history";
const FIRST: i64 = 1_795_247_000_000;

/// A node whose topic holds 50 batches of 8 KiB, one for each millisecond from `FIRST` on.
fn node() -> Direct {
    let mut direct = Direct::new(&[]);
    let conn = direct.connect();
    let topic = CreatableTopic {
        name: Str::from(TOPIC),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 1000,
        ..Default::default()
    };
    let answer: CreateTopicsResponse = direct.ask(conn, 7, &request);
    assert_eq!(answer.topics[0].error_code, 0);
    for at in 0..50 {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let value = [at as u8; 8 << 10];
        builder
            .append(FIRST + at, None, Some(&value), &[])
            .expect("room");
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 1000,
            topic_data: vec![TopicProduceData {
                name: Str::from(TOPIC),
                partition_data: vec![PartitionProduceData {
                    records: Records::Bytes(Bytes::from(builder.build())),
                    ..PartitionProduceData::default()
                }],
                ..TopicProduceData::default()
            }],
            ..Default::default()
        };
        let answer: ProduceResponse = direct.ask(conn, 9, &request);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    direct
}

fn offset_at(direct: &mut Direct, timestamp: i64) -> ListOffsetsPartitionResponse {
    let conn = direct.connect();
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: Str::from(TOPIC),
            partitions: vec![ListOffsetsPartition {
                timestamp,
                ..ListOffsetsPartition::default()
            }],
            ..ListOffsetsTopic::default()
        }],
        ..ListOffsetsRequest::default()
    };
    let answer: ListOffsetsResponse = direct.ask(conn, 8, &request);
    answer.topics[0].partitions[0].clone()
}

#[test]
fn an_offset_in_cold_bytes_is_found_when_it_is_asked_for_again() {
    let mut direct = node();
    direct.restart_cold();
    assert_eq!(offset_at(&mut direct, FIRST + 1).error_code, 78);
    assert!(direct.loads > 0, "nothing was asked for");
    let found = offset_at(&mut direct, FIRST + 1);
    assert_eq!((found.error_code, found.offset), (0, 1));
    assert_eq!(found.timestamp, FIRST + 1);
}
