//! However partitions are asked for, there are never more of them than a cluster may have.

use tests::direct::{Direct, NODE};
use wire::Str;
use wire::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use wire::create_partitions_response::CreatePartitionsResponse;
use wire::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use wire::create_topics_response::CreateTopicsResponse;
use wire::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::incremental_alter_configs_response::IncrementalAlterConfigsResponse;
use wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::metadata_response::MetadataResponse;

/// Partitions that a cluster may have.
const PARTITIONS_MAX: usize = 20_000;
/// Records that one request may make.
const RECORDS_MAX: i32 = 10_000;

fn partitions(direct: &Direct) -> usize {
    let node = direct.cluster.node(NODE).expect("the node");
    node.broker().expect("a broker").image().partition_count()
}

fn topic(number: i32, partitions: i32) -> CreatableTopic {
    CreatableTopic {
        name: Str::from(format!("topic-{number}")),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    }
}

/// The topic with each partition's replica named.
fn by_hand(number: i32, partitions: i32) -> CreatableTopic {
    let assignment = |partition_index| CreatableReplicaAssignment {
        partition_index,
        broker_ids: vec![NODE.0],
        ..CreatableReplicaAssignment::default()
    };
    CreatableTopic {
        num_partitions: -1,
        replication_factor: -1,
        assignments: (0..partitions).map(assignment).collect(),
        ..topic(number, -1)
    }
}

fn create(direct: &mut Direct, topics: Vec<CreatableTopic>) -> CreateTopicsResponse {
    let conn = direct.connect();
    let request = CreateTopicsRequest {
        topics,
        timeout_ms: 1000,
        ..CreateTopicsRequest::default()
    };
    direct.ask(conn, 7, &request)
}

fn codes(answer: &CreateTopicsResponse) -> Vec<i16> {
    let topics = answer.topics.iter();
    topics.map(|topic| topic.error_code).collect()
}

#[test]
fn a_request_for_too_many_partitions_makes_none_of_them() {
    type Shape = fn(i32, i32) -> CreatableTopic;
    for shape in [topic as Shape, by_hand] {
        let mut direct = Direct::new(&[]);
        let answer = create(&mut direct, (0..100).map(|n| shape(n, 1_000)).collect());
        assert_eq!(codes(&answer), [44; 100]);
        let message = answer.topics[99].error_message.as_deref();
        assert_eq!(
            message,
            Some("Excessively large number of partitions per request.")
        );
        assert_eq!(partitions(&direct), 0);
    }
}

#[test]
fn what_earlier_topics_of_a_request_take_is_not_there_for_later_ones() {
    let mut direct = Direct::new(&[]);
    for number in 0..3 {
        assert_eq!(codes(&create(&mut direct, vec![topic(number, 6_000)])), [0]);
    }
    let answer = create(&mut direct, (3..9).map(|n| topic(n, 900)).collect());
    assert_eq!(codes(&answer), [0, 0, 37, 37, 37, 37]);
    let answer = create(&mut direct, (9..12).map(|n| by_hand(n, 150)).collect());
    assert_eq!(codes(&answer), [0, 37, 37]);
    assert!(partitions(&direct) <= PARTITIONS_MAX);
}

#[test]
fn topics_grow_no_further_than_all_of_them_may() {
    let mut direct = Direct::new(&[]);
    let answer = create(&mut direct, (0..5).map(|n| topic(n, 1)).collect());
    assert_eq!(codes(&answer), [0; 5]);
    let conn = direct.connect();
    for count in [3_000, 6_000, 9_000] {
        for by_hand in [false, true] {
            let grow = |number: i32| CreatePartitionsTopic {
                name: Str::from(format!("topic-{number}")),
                count,
                assignments: by_hand.then(|| {
                    let one = CreatePartitionsAssignment {
                        broker_ids: vec![NODE.0],
                        ..CreatePartitionsAssignment::default()
                    };
                    vec![one; 3_000]
                }),
                ..CreatePartitionsTopic::default()
            };
            for pair in [[0, 1], [2, 3]] {
                let request = CreatePartitionsRequest {
                    topics: pair.map(grow).to_vec(),
                    timeout_ms: 1000,
                    ..CreatePartitionsRequest::default()
                };
                let _: CreatePartitionsResponse = direct.ask(conn, 3, &request);
            }
        }
    }
    let count = partitions(&direct);
    assert!((15_000..=PARTITIONS_MAX).contains(&count), "{count}");
}

#[test]
fn topics_that_are_made_on_the_way_count_as_well() {
    let mut direct = Direct::new(&[("num.partitions", "100")]);
    let conn = direct.connect();
    let name = |number: i32| MetadataRequestTopic {
        name: Some(Str::from(format!("topic-{number}"))),
        ..MetadataRequestTopic::default()
    };
    for from in [0, 500] {
        let request = MetadataRequest {
            topics: Some((from..from + 90).map(name).collect()),
            allow_auto_topic_creation: true,
            ..MetadataRequest::default()
        };
        for _ in 0..3 {
            let _: MetadataResponse = direct.ask(conn, 9, &request);
        }
    }
    let count = partitions(&direct);
    assert!((9_000..=PARTITIONS_MAX).contains(&count), "{count}");
}

#[test]
fn one_request_makes_no_more_records_than_kafka_lets_it() {
    let mut direct = Direct::new(&[]);
    let refused = create(&mut direct, vec![topic(0, RECORDS_MAX)]);
    assert_eq!(codes(&refused), [44]);
    let message = refused.topics[0].error_message.as_deref();
    assert_eq!(
        message,
        Some("Unable to perform excessively large batch operation.")
    );
    // The topic's own record is one of them.
    let made = create(&mut direct, vec![topic(0, RECORDS_MAX - 1)]);
    assert_eq!(codes(&made), [0]);
}

#[test]
fn configs_take_bounded_memory_however_many_topics_have_them() {
    let mut direct = Direct::new(&[]);
    let long = "1:1,".repeat(8_000) + "1:1";
    let with_config = |number: i32| CreatableTopic {
        configs: vec![CreatableTopicConfig {
            name: Str::from("leader.replication.throttled.replicas"),
            value: Some(Str::from(long.as_str())),
            ..CreatableTopicConfig::default()
        }],
        ..topic(number, 1)
    };
    for from in [0, 300, 600, 900, 1200] {
        create(&mut direct, (from..from + 300).map(with_config).collect());
    }
    let conn = direct.connect();
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: Str::from("topic-0"),
        configs: vec![AlterableConfig {
            name: Str::from("follower.replication.throttled.replicas"),
            value: Some(Str::from(long.as_str())),
            ..AlterableConfig::default()
        }],
        ..AlterConfigsResource::default()
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![resource],
        ..IncrementalAlterConfigsRequest::default()
    };
    let answer: IncrementalAlterConfigsResponse = direct.ask(conn, 1, &request);
    assert_eq!(answer.responses[0].error_code, 44);
    let node = direct.cluster.node(NODE).expect("the node");
    let bytes = node.broker().expect("a broker").image().config_bytes();
    assert!((30 << 20..=32 << 20).contains(&bytes), "{bytes}");
}

#[test]
fn a_request_that_cannot_be_stored_is_answered_at_once() {
    let mut direct = Direct::new(&[]);
    direct.is_full = true;
    let now = direct.now;
    assert_eq!(codes(&create(&mut direct, vec![topic(0, 1)])), [56]);
    assert_eq!(direct.now, now);
    direct.is_full = false;
    assert_eq!(codes(&create(&mut direct, vec![topic(0, 1)])), [0]);
}

#[test]
fn a_refusal_that_quotes_a_very_long_name_is_cut_and_not_fatal() {
    let mut direct = Direct::new(&[]);
    assert_eq!(codes(&create(&mut direct, vec![topic(0, 1)])), [0]);
    let conn = direct.connect();
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: Str::from("topic-0"),
        configs: vec![AlterableConfig {
            name: Str::from("x".repeat(32_767)),
            value: Some(Str::from("1")),
            ..AlterableConfig::default()
        }],
        ..AlterConfigsResource::default()
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![resource],
        ..IncrementalAlterConfigsRequest::default()
    };
    // Version 0 has no room for longer texts, version 1 has but no client reads them.
    for version in [0, 1] {
        let answer: IncrementalAlterConfigsResponse = direct.ask(conn, version, &request);
        let message = answer.responses[0].error_message.as_deref();
        let message = message.expect("a sentence");
        assert!(message.starts_with("Unknown topic config name: xxx"));
        assert_eq!(message.len(), 32_767);
    }
}
