//! Replicas come, take up their parts, and go as the metadata says.

use crate::support::{Cluster, TOPIC};
use ids::ErrorCode;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::fetch_response::FetchResponse;
use wire::partition_change_record::PartitionChangeRecord;

fn waiting_consumer() -> FetchRequest {
    let partition = FetchPartition {
        partition: 0,
        current_leader_epoch: -1,
        fetch_offset: 0,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic_id: TOPIC,
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    FetchRequest {
        max_wait_ms: 60_000,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

#[test]
fn a_replica_that_is_moved_away_goes_with_its_log_and_says_so_to_who_reads_it() {
    let mut cluster = Cluster::new(2, &[]);
    cluster.create(&[1], &[1]);
    let reader = cluster.send(1, 13, &waiting_consumer());
    cluster.change(PartitionChangeRecord {
        replicas: Some(vec![2]),
        isr: Some(vec![2]),
        leader: 2,
        ..PartitionChangeRecord::default()
    });
    assert_eq!(cluster.node(1).removed.len(), 1, "its log is removed");
    assert_eq!(cluster.node(1).broker.replicas().count(), 0);
    assert_eq!(cluster.node(2).broker.replicas().count(), 1);
    let answer: FetchResponse = cluster.answer(1, reader, 13).expect("the reader is told");
    let row = &answer.responses[0].partitions[0];
    assert_eq!(ErrorCode(row.error_code), ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn a_replica_that_has_lost_its_leader_waits_for_another() {
    let mut cluster = Cluster::new(2, &[]);
    cluster.create(&[1, 2], &[1, 2]);
    let leads = |cluster: &mut Cluster| {
        let broker = &cluster.node(1).broker;
        let replica = broker.replicas().next().expect("a replica");
        replica.is_leader
    };
    assert!(leads(&mut cluster));
    let nobody = PartitionChangeRecord {
        leader: -1,
        ..PartitionChangeRecord::default()
    };
    cluster.change(nobody);
    assert!(!leads(&mut cluster), "nobody leads");
    assert!(cluster.node(1).removed.is_empty(), "its log stays");
    cluster.change(PartitionChangeRecord {
        leader: 1,
        ..PartitionChangeRecord::default()
    });
    assert!(leads(&mut cluster), "it leads again");
}
