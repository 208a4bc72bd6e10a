//! Fetch sessions (KIP-227) and idempotent producers: what a broker remembers of its clients, and for how long.

use bytes::Bytes;
use ids::{ConnId, ProducerEpoch, ProducerId};
use records::{BatchBuilder, BatchOptions};
use tests::direct::{Direct, NODE};
use wire::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use wire::describe_producers_response::DescribeProducersResponse;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::fetch_response::FetchResponse;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Records, Str};

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 3;
/// Time after which a session that is not used may give way.
const EVICTION_MS: u64 = 120_000;

fn node(properties: &[(&str, &str)]) -> (Direct, ConnId) {
    let mut direct = Direct::new(properties);
    let conn = direct.connect();
    direct.create_topic(conn, TOPIC, PARTITIONS);
    (direct, conn)
}

/// Produces a batch of one producer; gives the error code.
fn produce(direct: &mut Direct, conn: ConnId, index: i32, producer: (i64, i32)) -> i16 {
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: ProducerId(producer.0),
        producer_epoch: ProducerEpoch(if producer.0 < 0 { -1 } else { 0 }),
        base_sequence: producer.1,
        ..BatchOptions::default()
    });
    let added = builder.append(direct.now.millis(), None, Some(&[7; 1_000]), &[]);
    assert!(added.is_ok());
    let partition = PartitionProduceData {
        index,
        records: Records::Bytes(Bytes::from(builder.build())),
        ..PartitionProduceData::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        topic_data: vec![TopicProduceData {
            name: Str::from(TOPIC),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let answer: ProduceResponse = direct.ask(conn, 9, &request);
    answer.responses[0].partition_responses[0].error_code
}

/// A fetch of a session, about the first partitions from their beginning.
fn fetch(
    direct: &mut Direct,
    conn: ConnId,
    (session_id, session_epoch): (i32, i32),
    partitions: i32,
) -> FetchResponse {
    let partition = |partition| FetchPartition {
        partition,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::from(TOPIC),
        partitions: (0..partitions).map(partition).collect(),
        ..FetchTopic::default()
    };
    let request = FetchRequest {
        max_bytes: 1_100,
        session_id,
        session_epoch,
        topics: if partitions > 0 {
            vec![topic]
        } else {
            Vec::new()
        },
        ..FetchRequest::default()
    };
    direct.ask(conn, 11, &request)
}

/// The partition that an answer has records of.
fn served(answer: &FetchResponse) -> Vec<i32> {
    let rows = answer.responses.iter().flat_map(|topic| &topic.partitions);
    rows.filter(|row| !row.records.is_empty())
        .map(|row| row.partition_index)
        .collect()
}

#[test]
fn when_there_are_as_many_sessions_as_there_may_be_the_next_client_has_none() {
    let slots = ("max.incremental.fetch.session.cache.slots", "2");
    let (mut direct, conn) = node(&[slots]);
    let one = fetch(&mut direct, conn, (0, 0), 1).session_id;
    let two = fetch(&mut direct, conn, (0, 0), 1).session_id;
    assert!(one != 0 && two != 0 && one != two);
    let three = fetch(&mut direct, conn, (0, 0), 3);
    assert_eq!((three.error_code, three.session_id), (0, 0));
    // Those who have one keep it, and whoever has none is served all the same.
    for id in [one, two] {
        assert_eq!(fetch(&mut direct, conn, (id, 1), 0).error_code, 0);
    }
    assert_eq!(three.responses[0].partitions.len(), 3);
}

#[test]
fn a_session_gives_way_when_it_has_not_been_used_or_is_smaller() {
    let slots = ("max.incremental.fetch.session.cache.slots", "2");
    let (mut direct, conn) = node(&[slots]);
    let one = fetch(&mut direct, conn, (0, 0), 1).session_id;
    let two = fetch(&mut direct, conn, (0, 0), 2).session_id;
    direct.advance(EVICTION_MS - 1_000);
    for id in [one, two] {
        assert_eq!(fetch(&mut direct, conn, (id, 1), 0).error_code, 0);
    }
    direct.advance(2_000);
    // Both are old enough now, and were used just before: the smaller one goes for a larger one only.
    assert_eq!(fetch(&mut direct, conn, (0, 0), 1).session_id, 0);
    let three = fetch(&mut direct, conn, (0, 0), 3).session_id;
    assert_ne!(three, 0);
    assert_eq!(fetch(&mut direct, conn, (one, 2), 0).error_code, 70);
    assert_eq!(fetch(&mut direct, conn, (two, 2), 0).error_code, 0);
    direct.advance(EVICTION_MS + 1_000);
    assert_ne!(fetch(&mut direct, conn, (0, 0), 1).session_id, 0);
}

#[test]
fn a_client_that_takes_little_at_a_time_is_served_every_partition_in_turn() {
    let (mut direct, conn) = node(&[]);
    for index in 0..PARTITIONS {
        assert_eq!(produce(&mut direct, conn, index, (-1, -1)), 0);
    }
    let first = fetch(&mut direct, conn, (0, 0), PARTITIONS);
    let id = first.session_id;
    let mut turns = vec![served(&first)];
    // The client's positions stay where they are, so that each partition always has records for it.
    for epoch in 1..=6 {
        turns.push(served(&fetch(&mut direct, conn, (id, epoch), 0)));
    }
    assert_eq!(
        turns,
        [[0], [0], [1], [2], [0], [1], [2]],
        "the order in which partitions are served"
    );
}

#[test]
fn a_producer_that_has_been_silent_for_its_time_is_forgotten_while_the_broker_runs() {
    let (mut direct, conn) = node(&[("producer.id.expiration.ms", "60000")]);
    assert_eq!(produce(&mut direct, conn, 0, (7, 0)), 0);
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: Str::from(TOPIC),
            partition_indexes: vec![0],
            ..TopicRequest::default()
        }],
        ..DescribeProducersRequest::default()
    };
    let known = |direct: &mut Direct| {
        let answer: DescribeProducersResponse = direct.ask(conn, 0, &request);
        answer.topics[0].partitions[0].active_producers.len()
    };
    assert_eq!(known(&mut direct), 1);
    // Kafka looks every ten minutes.
    direct.advance(660_000);
    assert_eq!(known(&mut direct), 0);
    // An unknown producer may begin anywhere.
    assert_eq!(produce(&mut direct, conn, 0, (7, 40)), 0);
}

#[test]
fn what_is_remembered_of_producers_fits_in_the_memory_there_is_for_it() {
    let (mut direct, conn) = node(&[]);
    for producer in 0..2_000 {
        assert_eq!(produce(&mut direct, conn, 0, (producer, 0)), 0);
        direct.advance(1);
    }
    let states = |direct: &Direct| {
        let node = direct.cluster.node(NODE).expect("the node");
        let replicas = node.broker().expect("a broker").replicas();
        replicas
            .map(|replica| replica.log.producer_states())
            .sum::<usize>()
    };
    assert!(states(&direct) >= 2_000);
    let node = direct.cluster.node_mut(NODE).expect("the node");
    // At 256 bytes for each of them.
    node.limit_producers(256 << 10);
    assert!(states(&direct) <= 1_024, "{}", states(&direct));
    // The latest is known, and its retry is recognised as one.
    assert_eq!(produce(&mut direct, conn, 0, (1_999, 0)), 0);
    assert_eq!(produce(&mut direct, conn, 0, (1_999, 5)), 45);
}
