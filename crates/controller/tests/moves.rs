//! Replicas and leaders that people move: every rule and every refusal.

use crate::alone::Alone;
use ids::PartitionIndex;
use metadata::MetadataRecord;
use wire::Str;
use wire::alter_partition_reassignments_request as reassign;
use wire::alter_partition_reassignments_response::AlterPartitionReassignmentsResponse;
use wire::broker_registration_response::BrokerRegistrationResponse;
use wire::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use wire::elect_leaders_response::ElectLeadersResponse;
use wire::incremental_alter_configs_request as configs;
use wire::incremental_alter_configs_response::IncrementalAlterConfigsResponse;
use wire::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use wire::list_partition_reassignments_response::ListPartitionReassignmentsResponse;
use wire::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use wire::update_features_response::UpdateFeaturesResponse;

fn cluster(level: i16) -> Alone {
    let mut alone = Alone::with_elr(&[], level);
    for id in 1..=4 {
        alone.join(id, None);
    }
    alone
}

fn reassign(
    alone: &mut Alone,
    topic: &str,
    index: i32,
    replicas: Option<&[i32]>,
    may_change: bool,
) -> (i16, Option<String>) {
    let request = reassign::AlterPartitionReassignmentsRequest {
        allow_replication_factor_change: may_change,
        topics: vec![reassign::ReassignableTopic {
            name: Str::from(topic),
            partitions: vec![reassign::ReassignablePartition {
                partition_index: index,
                replicas: replicas.map(<[i32]>::to_vec),
                ..reassign::ReassignablePartition::default()
            }],
            ..reassign::ReassignableTopic::default()
        }],
        ..reassign::AlterPartitionReassignmentsRequest::default()
    };
    let answer: AlterPartitionReassignmentsResponse = alone.ask(1, &request);
    let row = &answer.responses[0].partitions[0];
    (
        row.error_code,
        row.error_message.as_deref().map(str::to_string),
    )
}

/// A partition's number, its replicas, those that are added, and those that go.
type Ongoing = (i32, Vec<i32>, Vec<i32>, Vec<i32>);

fn ongoing(alone: &mut Alone) -> Vec<Ongoing> {
    let request = ListPartitionReassignmentsRequest {
        topics: None,
        ..ListPartitionReassignmentsRequest::default()
    };
    let answer: ListPartitionReassignmentsResponse = alone.ask(0, &request);
    let rows = answer.topics.into_iter().flat_map(|topic| topic.partitions);
    rows.map(|row| {
        (
            row.partition_index,
            row.replicas,
            row.adding_replicas,
            row.removing_replicas,
        )
    })
    .collect()
}

fn replicas(alone: &Alone) -> Vec<i32> {
    let partition = alone.image().partition("t", PartitionIndex(0)).unwrap();
    partition.replicas.iter().map(|node| node.0).collect()
}

#[test]
fn reassignments_are_refused_in_kafkas_words() {
    let mut alone = cluster(1);
    alone.create("moving", &[vec![2, 3]], &[]);
    let mut refuse = |topic: &str, index, list: Option<&[i32]>, may_change| {
        reassign(&mut alone, topic, index, list, may_change)
    };
    let said = |code, why: &str| (code, Some(why.to_string()));
    assert_eq!(refuse("moving", 0, None, true), (85, None));
    assert_eq!(
        refuse("moving", 0, Some(&[2, 77]), true),
        said(
            39,
            "The manual partition assignment includes broker 77, but no such broker is registered."
        )
    );
    assert_eq!(
        refuse("moving", 0, Some(&[2, 2]), true),
        said(
            39,
            "The manual partition assignment includes the broker 2 more than once."
        )
    );
    assert_eq!(
        refuse("moving", 0, Some(&[]), true),
        said(
            39,
            "The manual partition assignment includes an empty replica list."
        )
    );
    assert_eq!(
        refuse("moving", 9, Some(&[2, 3]), true),
        said(3, "Unable to find partition moving:9.")
    );
    assert_eq!(
        refuse("no-such", 0, Some(&[2, 3]), true),
        said(3, "Unable to find a topic named no-such.")
    );
    assert_eq!(
        refuse("moving", 0, Some(&[2]), false),
        said(38, "The replication factor is changed from 2 to 1")
    );
    assert_eq!(refuse("moving", 0, Some(&[2, 3]), false), (0, None));
    alone.take_written();
    assert!(ongoing(&mut alone).is_empty());
}

#[test]
fn a_cancelled_reassignment_keeps_the_order_it_made() {
    let mut alone = cluster(1);
    alone.create("t", &[vec![1, 2]], &[]);
    assert_eq!(reassign(&mut alone, "t", 0, Some(&[3, 2]), true), (0, None));
    assert_eq!(ongoing(&mut alone), [(0, vec![3, 2, 1], vec![3], vec![1])]);
    assert_eq!(reassign(&mut alone, "t", 0, None, true), (0, None));
    assert_eq!(replicas(&alone), [2, 1]);
    assert_eq!(alone.state("t").0, 1, "the leader stays");
    assert!(ongoing(&mut alone).is_empty());
}

#[test]
fn a_reassignment_that_replaces_another_still_waits_for_what_is_added() {
    let mut alone = cluster(1);
    alone.create("t", &[vec![1, 2]], &[]);
    reassign(&mut alone, "t", 0, Some(&[1, 3]), true);
    reassign(&mut alone, "t", 0, Some(&[3, 4]), true);
    let (_, mut merged, adding, removing) = ongoing(&mut alone).remove(0);
    merged.sort_unstable();
    assert_eq!(
        (merged, adding, removing),
        (vec![1, 2, 3, 4], vec![3, 4], vec![1, 2])
    );
    alone.propose("t", 0, &[1, 2, 3], |_, _| {});
    assert_eq!(ongoing(&mut alone).len(), 1, "4 is not in sync yet");
    let row = alone.propose("t", 0, &[1, 2, 3, 4], |_, _| {});
    assert_eq!(row.error_code, 108, "the leader is told that another leads");
    assert_eq!((replicas(&alone), alone.state("t").0), (vec![3, 4], 3));
}

#[test]
fn a_partition_that_is_named_twice_is_moved_once() {
    let mut alone = cluster(1);
    alone.create("t", &[vec![1, 2]], &[]);
    let target = |list: &[i32]| reassign::ReassignablePartition {
        partition_index: 0,
        replicas: Some(list.to_vec()),
        ..reassign::ReassignablePartition::default()
    };
    let request = reassign::AlterPartitionReassignmentsRequest {
        topics: vec![reassign::ReassignableTopic {
            name: Str::from("t"),
            partitions: vec![target(&[1, 3]), target(&[2, 1])],
            ..reassign::ReassignableTopic::default()
        }],
        ..reassign::AlterPartitionReassignmentsRequest::default()
    };
    let answer: AlterPartitionReassignmentsResponse = alone.ask(1, &request);
    let codes = answer.responses[0]
        .partitions
        .iter()
        .map(|row| row.error_code);
    assert_eq!(codes.collect::<Vec<_>>(), [0, 42]);
    assert_eq!(ongoing(&mut alone), [(0, vec![1, 3, 2], vec![3], vec![2])]);
}

fn elect(alone: &mut Alone, kind: i8, topic: &str, index: i32) -> i16 {
    let request = ElectLeadersRequest {
        election_type: kind,
        topic_partitions: Some(vec![TopicPartitions {
            topic: Str::from(topic),
            partitions: vec![index],
            ..TopicPartitions::default()
        }]),
        ..ElectLeadersRequest::default()
    };
    let answer: ElectLeadersResponse = alone.ask(2, &request);
    answer.replica_election_results[0].partition_result[0].error_code
}

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

#[test]
fn elections_that_are_asked_for_have_kafkas_codes() {
    let mut alone = cluster(1);
    alone.create("t", &[vec![1, 2]], &[]);
    assert_eq!(elect(&mut alone, PREFERRED, "t", 0), 84);
    assert_eq!(elect(&mut alone, UNCLEAN, "t", 0), 84);
    assert_eq!(elect(&mut alone, PREFERRED, "t", 5), 3);
    assert_eq!(elect(&mut alone, PREFERRED, "none", 0), 3);
    alone.beat(1, |request| request.want_fence = true);
    assert_eq!(elect(&mut alone, PREFERRED, "t", 0), 80);
    alone.beat(2, |request| request.want_fence = true);
    assert_eq!(alone.state("t"), (-1, vec![], vec![2], vec![2]));
    assert_eq!(elect(&mut alone, UNCLEAN, "t", 0), 83);
    alone.beat(1, |_| {});
    assert_eq!(alone.state("t").0, -1, "1 was not in sync");
    assert_eq!(elect(&mut alone, UNCLEAN, "t", 0), 0);
    assert_eq!(alone.state("t"), (1, vec![1], vec![], vec![]));
    let partition = alone.image().partition("t", PartitionIndex(0)).unwrap();
    assert!(partition.recovering);
    alone.beat(2, |_| {});
    let row = alone.propose("t", 0, &[1, 2], |_, _| {});
    assert_eq!((row.error_code, row.leader_recovery_state), (0, 0));
}

fn configure(alone: &mut Alone, kind: i8, resource: &str, name: &str, value: &str) {
    let request = configs::IncrementalAlterConfigsRequest {
        resources: vec![configs::AlterConfigsResource {
            resource_type: kind,
            resource_name: Str::from(resource),
            configs: vec![configs::AlterableConfig {
                name: Str::from(name),
                value: Some(Str::from(value)),
                ..configs::AlterableConfig::default()
            }],
            ..configs::AlterConfigsResource::default()
        }],
        ..configs::IncrementalAlterConfigsRequest::default()
    };
    let answer: IncrementalAlterConfigsResponse = alone.ask(1, &request);
    assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
}

#[test]
fn another_minimum_of_replicas_in_sync_clears_the_eligible_leaders() {
    for (kind, resource) in [(metadata::TOPIC, "t"), (metadata::BROKER, "")] {
        let mut alone = cluster(1);
        alone.create("t", &[vec![1, 2, 3]], &[("min.insync.replicas", "3")]);
        let cleared = |record: &MetadataRecord| matches!(record, MetadataRecord::ClearElr(_));
        assert_eq!(
            alone
                .take_written()
                .iter()
                .filter(|record| cleared(record))
                .count(),
            1
        );
        alone.beat(3, |request| request.want_fence = true);
        assert_eq!(alone.state("t").2, [3]);
        configure(&mut alone, kind, resource, "min.insync.replicas", "2");
        assert_eq!(alone.state("t").2, Vec::<i32>::new());
        assert!(alone.take_written().iter().any(cleared));
    }
}

#[test]
fn where_records_may_be_lost_the_next_check_finds_a_leader() {
    let mut alone = cluster(1);
    alone.create("t", &[vec![1, 2]], &[]);
    alone.beat(2, |request| request.want_fence = true);
    alone.beat(1, |request| request.want_fence = true);
    alone.beat(2, |_| {});
    assert_eq!(alone.state("t").0, -1);
    configure(
        &mut alone,
        metadata::TOPIC,
        "t",
        "unclean.leader.election.enable",
        "true",
    );
    alone.pass(299, &[2, 3, 4], true);
    assert_eq!(alone.state("t").0, -1);
    alone.pass(2, &[2, 3, 4], true);
    assert_eq!(alone.state("t"), (2, vec![2], vec![], vec![]));
}

#[test]
fn preferred_replicas_do_not_lead_again_where_that_is_off() {
    for (setting, leader) in [("false", 2), ("true", 1)] {
        let mut alone = Alone::with_elr(&[("auto.leader.rebalance.enable", setting)], 1);
        alone.join(1, None);
        alone.join(2, None);
        alone.create("t", &[vec![1, 2]], &[]);
        alone.beat(1, |request| request.want_fence = true);
        alone.beat(1, |_| {});
        alone.propose("t", 0, &[2, 1], |_, _| {});
        alone.pass(301, &[1, 2], true);
        assert_eq!(alone.state("t").0, leader);
    }
}

#[test]
fn nothing_is_due_while_preferred_replicas_lead() {
    let mut alone = cluster(1);
    alone.create("t", &[vec![1, 2]], &[]);
    let session = alone.now.plus_millis(9000);
    assert_eq!(alone.controller.next_deadline(), Some(session));
}

#[test]
fn who_falls_silent_together_does_not_inherit_from_each_other() {
    let mut alone = cluster(1);
    alone.create("t", &[vec![1, 2, 3]], &[]);
    alone.pass(10, &[3, 4], false);
    alone.tick();
    assert_eq!(alone.state("t"), (3, vec![3], vec![], vec![]));
    let partition = alone.image().partition("t", PartitionIndex(0)).unwrap();
    assert!(partition.leader_epoch.0 <= 2, "{partition:?}");
}

#[test]
fn a_failed_directory_costs_its_replicas_alone() {
    let mut alone = cluster(1);
    alone.create("t", &[vec![1, 2]], &[]);
    let directory = alone.brokers[&1].directory;
    alone.beat(1, |request| request.offline_log_dirs = vec![directory]);
    assert_eq!(alone.state("t"), (2, vec![2], vec![], vec![]));
    assert!(alone.image().brokers()[&ids::NodeId(1)].is_active());
}

#[test]
fn a_broker_that_is_slow_to_read_is_not_let_go() {
    let mut alone = cluster(1);
    alone.create("t", &[vec![1, 2]], &[]);
    let stop = |alone: &mut Alone| alone.beat(1, |request| request.want_shut_down = true);
    assert!(!stop(&mut alone).should_shut_down, "it leads");
    alone.beat(2, |request| request.current_metadata_offset = 3);
    assert!(
        !stop(&mut alone).should_shut_down,
        "2 has not heard that it leads"
    );
    assert_eq!(alone.propose("t", 0, &[2, 1], |_, _| {}).error_code, 107);
    for id in 2..=4 {
        alone.beat(id, |_| {});
    }
    assert!(stop(&mut alone).should_shut_down);
}

#[test]
fn a_restart_on_the_controllers_own_node_is_let_in_at_once() {
    let mut alone = Alone::with_elr(&[], 1);
    alone.join(crate::alone::CONTROLLER, None);
    let register = |alone: &mut Alone, byte| -> BrokerRegistrationResponse {
        let id = crate::alone::CONTROLLER;
        alone.brokers.get_mut(&id).unwrap().incarnation = ids::Uuid([byte; 16]);
        alone.register(id, -1)
    };
    assert_eq!(register(&mut alone, 77).error_code, 0);
}

#[test]
fn features_change_within_what_all_nodes_speak() {
    let mut alone = cluster(0);
    let mut set = |name: &str, level, upgrade_type| {
        let request = UpdateFeaturesRequest {
            feature_updates: vec![FeatureUpdateKey {
                feature: Str::from(name),
                max_version_level: level,
                upgrade_type,
                ..FeatureUpdateKey::default()
            }],
            ..UpdateFeaturesRequest::default()
        };
        let answer: UpdateFeaturesResponse = alone.ask(1, &request);
        answer.results[0].error_code
    };
    let elr = "eligible.leader.replicas.version";
    assert_eq!(set("no.such.feature", 1, 1), 96);
    assert_eq!(set(elr, 2, 1), 96);
    assert_eq!(set(elr, 1, 1), 0);
    assert_eq!(set(elr, 0, 1), 96, "a lower level has to be wanted");
    assert_eq!(set(elr, 0, 2), 0);
}
