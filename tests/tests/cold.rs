//! Reading what is not in memory: it is loaded first, and the answer is as if it had been there.

use bytes::Bytes;
use ids::ConnId;
use records::{BatchBuilder, BatchOptions};
use tests::direct::Direct;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::fetch_response::FetchResponse;
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::list_offsets_response::ListOffsetsResponse;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Records, Str};

const FIRST_TIMESTAMP: i64 = 1_795_248_000_000;

/// A node with ten records a second apart, too many for the piece of a log that always stays in memory,
/// started again with nothing of its logs in memory.
fn cold() -> (Direct, ConnId) {
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
    for second in 0..10 {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let added = builder.append(
            FIRST_TIMESTAMP + second * 1000,
            None,
            Some(&[7; 20_000]),
            &[],
        );
        assert!(added.is_ok());
        let partition = PartitionProduceData {
            records: Records::Bytes(Bytes::from(builder.build())),
            ..PartitionProduceData::default()
        };
        let topic = TopicProduceData {
            name: Str::from("orders"),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 1000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        let answer: ProduceResponse = direct.ask(conn, 9, &request);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    direct.restart_cold();
    let conn = direct.connect();
    (direct, conn)
}

#[test]
fn a_fetch_of_cold_bytes_that_are_too_few_is_answered_when_its_time_is_over() {
    let (mut direct, conn) = cold();
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
        min_bytes: 10_000_000,
        max_bytes: 1 << 20,
        max_wait_ms: 700,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let (loads, began) = (direct.loads, direct.now);
    let answer: FetchResponse = direct.ask(conn, 11, &request);
    let waited = direct.now.since(began) / 1000;
    assert!((700..1000).contains(&waited), "{waited} ms");
    assert!(direct.loads > loads, "nothing was loaded");
    let data = &answer.responses[0].partitions[0];
    assert!(!data.records.is_empty());
}

#[test]
fn an_offset_is_found_by_timestamp_in_a_cold_log() {
    let (mut direct, conn) = cold();
    let partition = ListOffsetsPartition {
        timestamp: FIRST_TIMESTAMP + 6500,
        ..ListOffsetsPartition::default()
    };
    let topic = ListOffsetsTopic {
        name: Str::from("orders"),
        partitions: vec![partition],
        ..ListOffsetsTopic::default()
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![topic],
        ..ListOffsetsRequest::default()
    };
    let loads = direct.loads;
    let answer: ListOffsetsResponse = direct.ask(conn, 7, &request);
    let found = &answer.topics[0].partitions[0];
    assert_eq!((found.error_code, found.offset), (0, 7));
    assert_eq!(found.timestamp, FIRST_TIMESTAMP + 7000);
    assert!(direct.loads > loads, "nothing was loaded");
}
