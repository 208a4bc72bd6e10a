//! What only the controller decides or knows, asked of any broker: it goes on in an envelope, and the answer comes back.

use crate::quorum::create;
use crate::support::Bench;
use ids::{NodeId, PartitionIndex};
use wire::Str;
use wire::alter_partition_reassignments_request as alter;
use wire::alter_partition_reassignments_response::AlterPartitionReassignmentsResponse;
use wire::api_versions_request::ApiVersionsRequest;
use wire::api_versions_response::ApiVersionsResponse;
use wire::describe_quorum_request as describe;
use wire::describe_quorum_response::DescribeQuorumResponse;
use wire::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use wire::list_partition_reassignments_response::ListPartitionReassignmentsResponse;
use wire::unregister_broker_request::UnregisterBrokerRequest;
use wire::unregister_broker_response::UnregisterBrokerResponse;
use wire::update_features_request as features;
use wire::update_features_response::UpdateFeaturesResponse;

fn ready() -> Bench {
    let mut bench = Bench::split(1, 4);
    bench.start_all();
    bench.run_until(10_000, Bench::all_serve);
    bench
}

#[test]
fn replicas_are_moved_through_any_broker() {
    let mut bench = ready();
    assert_eq!(create(&mut bench, 1, "t"), 0);
    let partition = bench.image(101).partition("t", PartitionIndex(0)).unwrap();
    let before = partition.replicas.clone();
    let new = (1..=4).map(NodeId).find(|id| !before.contains(id)).unwrap();
    let wanted = [new, before[0], before[1]];
    let (first, second) = (before[0].0, before[1].0);
    bench.kill(new.0);
    let request = alter::AlterPartitionReassignmentsRequest {
        topics: vec![alter::ReassignableTopic {
            name: Str::from("t"),
            partitions: vec![alter::ReassignablePartition {
                replicas: Some(wanted.iter().map(|node| node.0).collect()),
                ..alter::ReassignablePartition::default()
            }],
            ..alter::ReassignableTopic::default()
        }],
        ..alter::AlterPartitionReassignmentsRequest::default()
    };
    let answer: AlterPartitionReassignmentsResponse = bench.ask(first, 1, &request);
    assert_eq!(
        (
            answer.error_code,
            answer.responses[0].partitions[0].error_code
        ),
        (0, 0)
    );
    // The new replica is away, so the move is under way.
    let request = ListPartitionReassignmentsRequest {
        topics: None,
        ..ListPartitionReassignmentsRequest::default()
    };
    let answer: ListPartitionReassignmentsResponse = bench.ask(second, 0, &request);
    assert_eq!(answer.topics.len(), 1, "{answer:?}");
    bench.start(new.0);
    bench.run_until(60_000, |bench| {
        let partition = bench.image(101).partition("t", PartitionIndex(0)).unwrap();
        partition.replicas == wanted && partition.isr.len() == 3
    });
    let answer: ListPartitionReassignmentsResponse = bench.ask(second, 0, &request);
    assert!(answer.topics.is_empty(), "{answer:?}");
}

#[test]
fn the_quorum_is_described_by_any_broker() {
    let mut bench = ready();
    let request = describe::DescribeQuorumRequest {
        topics: vec![describe::TopicData {
            topic_name: Str::from("__cluster_metadata"),
            partitions: vec![describe::PartitionData::default()],
            ..describe::TopicData::default()
        }],
        ..describe::DescribeQuorumRequest::default()
    };
    let answer: DescribeQuorumResponse = bench.ask(2, 2, &request);
    let part = &answer.topics[0].partitions[0];
    assert_eq!(
        (part.error_code, part.leader_id, part.observers.len()),
        (0, 101, 4)
    );
    assert_eq!(answer.nodes[0].listeners[0].port, 19_101);
}

#[test]
fn a_broker_that_is_gone_is_unregistered_and_a_feature_set() {
    let mut bench = ready();
    bench.kill(4);
    let request = UnregisterBrokerRequest {
        broker_id: 4,
        ..UnregisterBrokerRequest::default()
    };
    let answer: UnregisterBrokerResponse = bench.ask(1, 0, &request);
    assert_eq!(answer.error_code, 0);
    assert!(!bench.image(101).brokers().contains_key(&NodeId(4)));
    let name = "eligible.leader.replicas.version";
    let request = features::UpdateFeaturesRequest {
        feature_updates: vec![features::FeatureUpdateKey {
            feature: Str::from(name),
            max_version_level: 0,
            upgrade_type: 2,
            ..features::FeatureUpdateKey::default()
        }],
        ..features::UpdateFeaturesRequest::default()
    };
    let answer: UpdateFeaturesResponse = bench.ask(1, 1, &request);
    assert_eq!((answer.error_code, answer.results[0].error_code), (0, 0));
    assert_eq!(bench.image(101).feature(name), 0);
}

#[test]
fn a_broker_and_a_controller_tell_which_apis_they_answer() {
    let mut bench = ready();
    let request = ApiVersionsRequest::default();
    let keys = |answer: ApiVersionsResponse| {
        let rows = answer.api_keys.iter().map(|row| row.api_key);
        rows.collect::<Vec<i16>>()
    };
    let brokers = keys(bench.ask(1, 0, &request));
    assert!([45, 46, 55, 57, 64].iter().all(|key| brokers.contains(key)));
    assert!([52, 56, 62, 63].iter().all(|key| !brokers.contains(key)));
    let controllers = keys(bench.ask_controller(101, 0, &request));
    for key in [1, 52, 53, 54, 56, 58, 59, 62, 63, 64, 67, 70, 73] {
        assert!(controllers.contains(&key), "{key}");
    }
    assert!(!controllers.contains(&0));
}
