//! The shortest whole path: a topic, a record in, the same bytes out.

use bytes::Bytes;
use ids::Uuid;
use records::{BatchBuilder, BatchOptions};
use tests::direct::Direct;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::fetch_response::FetchResponse;
use wire::init_producer_id_request::InitProducerIdRequest;
use wire::init_producer_id_response::InitProducerIdResponse;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Records, Str};

fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for value in values {
        builder
            .append(1_795_248_000_000, None, Some(value.as_bytes()), &[])
            .expect("a batch takes it");
    }
    Bytes::from(builder.build())
}

fn create(direct: &mut Direct, name: &str) -> Uuid {
    let conn = direct.connect();
    let topic = CreatableTopic {
        name: Str::from(name),
        num_partitions: 2,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 1000,
        ..Default::default()
    };
    let answer: CreateTopicsResponse = direct.ask(conn, 7, &request);
    assert_eq!(
        answer.topics[0].error_code, 0,
        "{:?}",
        answer.topics[0].error_message
    );
    answer.topics[0].topic_id
}

#[test]
fn what_is_produced_is_fetched_with_offset_and_epoch_set() {
    let mut direct = Direct::new(&[]);
    create(&mut direct, "orders");
    let conn = direct.connect();
    let sent = batch(&["a", "b", "c"]);
    let partition = PartitionProduceData {
        index: 1,
        records: Records::Bytes(sent.clone()),
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
        ..Default::default()
    };
    let first: ProduceResponse = direct.ask(conn, 9, &request);
    assert_eq!(first.responses[0].partition_responses[0].error_code, 0);
    assert_eq!(first.responses[0].partition_responses[0].base_offset, 0);
    let second: ProduceResponse = direct.ask(conn, 9, &request);
    assert_eq!(second.responses[0].partition_responses[0].base_offset, 3);

    let partition = FetchPartition {
        partition: 1,
        fetch_offset: 3,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::from("orders"),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = FetchRequest {
        max_wait_ms: 100,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let answer: FetchResponse = direct.ask(conn, 12, &request);
    let data = &answer.responses[0].partitions[0];
    assert_eq!((data.error_code, data.high_watermark), (0, 6));
    let got = data.records.bytes().expect("records");
    assert_eq!(got[..8], 3i64.to_be_bytes());
    assert_eq!(
        got[16..],
        sent[16..],
        "all but offset and epoch is what was sent"
    );
}

#[test]
fn producers_get_ids_from_blocks_of_the_controller() {
    let mut direct = Direct::new(&[]);
    let conn = direct.connect();
    let request = InitProducerIdRequest {
        transactional_id: None,
        ..Default::default()
    };
    let first: InitProducerIdResponse = direct.ask(conn, 4, &request);
    let second: InitProducerIdResponse = direct.ask(conn, 4, &request);
    assert_eq!((first.error_code, first.producer_id), (0, 0));
    assert_eq!((second.error_code, second.producer_id), (0, 1));
}
