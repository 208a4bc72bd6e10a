//! Brokers that follow each other: what one leads the others have, and what its successor lacks goes.

use crate::support::{Cluster, batch};
use ids::ErrorCode;
use wire::partition_change_record::PartitionChangeRecord;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Records, Str};

const PRODUCE: i16 = 12;

/// Sends a record and lets half a second pass.
fn produce(cluster: &mut Cluster, leader: i32, acks: i16, value: &[u8]) -> Option<ErrorCode> {
    let partition = PartitionProduceData {
        index: 0,
        records: Records::Bytes(batch(value)),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: Str::from_static("t"),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    let conn = cluster.send(leader, PRODUCE, &request);
    let answer: Option<ProduceResponse> = cluster.answer(leader, conn, PRODUCE);
    let row = answer?.responses[0].partition_responses[0].clone();
    Some(ErrorCode(row.error_code))
}

fn leads(leader: i32, isr: &[i32]) -> PartitionChangeRecord {
    PartitionChangeRecord {
        leader,
        isr: Some(isr.to_vec()),
        ..PartitionChangeRecord::default()
    }
}

/// The whole of a log.
fn bytes(cluster: &Cluster, id: i32) -> Vec<u8> {
    let log = cluster.log(id);
    let read = log.read(log.log_start(), u32::MAX, log.log_end(), true);
    match read.expect("a log that is there") {
        log::Read::Slice(slice) if slice.length > 0 => log.slice_pieces(&slice).unwrap().concat(),
        _ => Vec::new(),
    }
}

fn assert_alike(cluster: &Cluster, end: i64) {
    for id in cluster.nodes.keys() {
        let log = cluster.log(id.0);
        assert_eq!(log.log_end().0, end, "broker {}", id.0);
        assert_eq!(log.high_watermark().0, end, "broker {}", id.0);
        assert_eq!(bytes(cluster, id.0), bytes(cluster, 1), "broker {}", id.0);
        assert_eq!(log.leader_epochs(), cluster.log(1).leader_epochs());
    }
}

#[test]
fn followers_have_byte_for_byte_what_their_leader_has() {
    let mut cluster = Cluster::new(3, &[]);
    cluster.create(&[1, 2, 3], &[1, 2, 3]);
    for value in [b"a", b"b", b"c"] {
        let code = produce(&mut cluster, 1, -1, value);
        assert_eq!(code, Some(ErrorCode::NONE), "all in sync have it at once");
    }
    // They learn the high watermark with the next answer, at the latest when their wait is over.
    cluster.advance(1_000);
    assert_alike(&cluster, 3);
}

#[test]
fn what_the_next_leader_lacks_is_cut_away_also_over_several_epochs() {
    let mut cluster = Cluster::new(3, &[]);
    cluster.create(&[1, 2, 3], &[1, 2, 3]);
    produce(&mut cluster, 1, -1, b"all have it");
    // Leaders that nobody hears write what only they have, in epochs of their own.
    cluster.cut_off(&[1, 2, 3]);
    produce(&mut cluster, 1, 1, b"lost");
    produce(&mut cluster, 1, 1, b"lost, too");
    cluster.change(leads(2, &[2, 3]));
    produce(&mut cluster, 2, 1, b"lost as well");
    cluster.change(leads(3, &[3]));
    produce(&mut cluster, 3, 1, b"kept");
    assert_eq!(cluster.log(1).log_end().0, 3);
    cluster.cut_off(&[]);
    cluster.advance(5_000);
    assert_alike(&cluster, 2);
}

#[test]
fn a_follower_that_was_cut_off_catches_up_and_the_leader_asks_to_have_it_back() {
    let mut cluster = Cluster::new(3, &[("replica.lag.time.max.ms", "10000")]);
    cluster.cut_off(&[3]);
    cluster.create(&[1, 2, 3], &[1, 2]);
    for _ in 0..5 {
        assert_eq!(produce(&mut cluster, 1, -1, b"v"), Some(ErrorCode::NONE));
    }
    cluster.advance(20_000);
    assert!(cluster.node(1).asked.is_empty(), "2 keeps up, 3 is out");
    cluster.cut_off(&[]);
    cluster.advance(5_000);
    assert_eq!(cluster.log(3).log_end().0, 5);
    assert!(!cluster.node(1).asked.is_empty(), "3 is to come back");
    assert_alike(&cluster, 5);
}

#[test]
fn a_follower_behind_the_start_of_its_leaders_log_begins_there() {
    use wire::delete_records_request::{
        DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
    };
    use wire::delete_records_response::DeleteRecordsResponse;
    let mut cluster = Cluster::new(3, &[]);
    cluster.cut_off(&[3]);
    cluster.create(&[1, 2, 3], &[1, 2]);
    for _ in 0..4 {
        produce(&mut cluster, 1, -1, b"v");
    }
    let partition = DeleteRecordsPartition {
        partition_index: 0,
        offset: 3,
        ..DeleteRecordsPartition::default()
    };
    let topic = DeleteRecordsTopic {
        name: Str::from_static("t"),
        partitions: vec![partition],
        ..DeleteRecordsTopic::default()
    };
    let request = DeleteRecordsRequest {
        topics: vec![topic],
        timeout_ms: 1_000,
        ..DeleteRecordsRequest::default()
    };
    let _: DeleteRecordsResponse = cluster.ask(1, 2, &request);
    cluster.cut_off(&[]);
    cluster.advance(5_000);
    let (start, end) = (cluster.log(3).log_start().0, cluster.log(3).log_end().0);
    assert_eq!((start, end), (3, 4));
    assert_eq!(
        cluster.log(2).log_start().0,
        3,
        "who keeps up follows the start"
    );
}
