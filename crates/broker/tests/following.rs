//! Brokers that follow each other: what one leads the others have, and what its successor lacks goes.

use crate::support::{Cluster, PRODUCE, TOPIC, batch, produce_batch, produced};
use ids::ErrorCode;
use metadata::MetadataRecord;
use wire::alter_partition_request::AlterPartitionRequest;
use wire::broker_registration_change_record::BrokerRegistrationChangeRecord;
use wire::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use wire::delete_records_response::DeleteRecordsResponse;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ReplicaState};
use wire::fetch_response::{FetchResponse, PartitionData};
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::list_offsets_response::ListOffsetsResponse;
use wire::partition_change_record::PartitionChangeRecord;
use wire::partition_record::PartitionRecord;
use wire::produce_response::ProduceResponse;
use wire::{Message, RequestFrame, Str};

/// Sends a record; what is answered at once.
fn produce(cluster: &mut Cluster, leader: i32, acks: i16, value: &[u8]) -> Option<ErrorCode> {
    let request = produce_batch(acks, batch(value));
    let conn = cluster.send(leader, PRODUCE, &request);
    let answer: Option<ProduceResponse> = cluster.answer(leader, conn, PRODUCE);
    Some(produced(&answer?).0)
}

fn leads(leader: i32, isr: &[i32]) -> PartitionChangeRecord {
    PartitionChangeRecord {
        leader,
        isr: Some(isr.to_vec()),
        ..PartitionChangeRecord::default()
    }
}

fn assert_alike(cluster: &Cluster, end: i64) {
    for id in cluster.nodes.keys() {
        let log = cluster.log(id.0);
        assert_eq!(log.log_end().0, end, "broker {}", id.0);
        assert_eq!(log.high_watermark().0, end, "broker {}", id.0);
        assert_eq!(cluster.bytes(id.0), cluster.bytes(1), "broker {}", id.0);
        assert_eq!(cluster.on_disk(id.0), cluster.bytes(1), "broker {}", id.0);
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
    assert_alike(&cluster, 5);
    let (_, frame) = cluster.node(1).asked.pop().expect("3 is to come back");
    let mut body = RequestFrame::decode(frame).unwrap().body;
    let asked = AlterPartitionRequest::decode(&mut body, 3).unwrap();
    let wanted = &asked.topics[0].partitions[0].new_isr_with_epochs;
    let wanted: Vec<i32> = wanted.iter().map(|state| state.broker_id).collect();
    assert_eq!(wanted, [1, 2, 3]);
    // From then on it is waited for.
    cluster.change(PartitionChangeRecord {
        isr: Some(wanted),
        ..PartitionChangeRecord::default()
    });
    cluster.cut_off(&[3]);
    assert_eq!(produce(&mut cluster, 1, -1, b"v"), None);
}

/// Has all records before offset 3 deleted.
fn delete(timeout_ms: i32) -> DeleteRecordsRequest {
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
    DeleteRecordsRequest {
        topics: vec![topic],
        timeout_ms,
        ..DeleteRecordsRequest::default()
    }
}

fn deleted(answer: &DeleteRecordsResponse) -> (ErrorCode, i64) {
    let row = &answer.topics[0].partitions[0];
    (ErrorCode(row.error_code), row.low_watermark)
}

#[test]
fn records_are_deleted_when_all_followers_that_are_alive_have_let_go_of_them() {
    let mut cluster = Cluster::new(3, &[]);
    cluster.cut_off(&[3]);
    cluster.create(&[1, 2, 3], &[1, 2]);
    for _ in 0..4 {
        produce(&mut cluster, 1, -1, b"v");
    }
    let waits = cluster.send(1, 2, &delete(60_000));
    cluster.advance(2_000);
    let early: Option<DeleteRecordsResponse> = cluster.answer(1, waits, 2);
    assert!(early.is_none(), "3 may come back");
    cluster.write(&[MetadataRecord::BrokerRegistrationChange(
        BrokerRegistrationChangeRecord {
            broker_id: 3,
            broker_epoch: 2,
            fenced: 1,
            ..BrokerRegistrationChangeRecord::default()
        },
    )]);
    let answer = cluster.answer(1, waits, 2).expect("2 has let go of them");
    assert_eq!(deleted(&answer), (ErrorCode::NONE, 3));
}

#[test]
fn a_follower_behind_the_start_of_its_leaders_log_begins_there() {
    let mut cluster = Cluster::new(3, &[]);
    cluster.cut_off(&[3]);
    cluster.create(&[1, 2, 3], &[1, 2]);
    for _ in 0..4 {
        produce(&mut cluster, 1, -1, b"v");
    }
    let in_vain = cluster.send(1, 2, &delete(1_000));
    let waits = cluster.send(1, 2, &delete(60_000));
    cluster.advance(1_000);
    let answer: DeleteRecordsResponse = cluster.answer(1, in_vain, 2).expect("its time is over");
    assert_eq!(deleted(&answer), (ErrorCode::REQUEST_TIMED_OUT, 0));
    let early: Option<DeleteRecordsResponse> = cluster.answer(1, waits, 2);
    assert!(early.is_none(), "3 is alive and has not followed");
    cluster.cut_off(&[]);
    cluster.advance(5_000);
    let answer: DeleteRecordsResponse = cluster.answer(1, waits, 2).expect("all have followed");
    assert_eq!(deleted(&answer), (ErrorCode::NONE, 3));
    let (start, end) = (cluster.log(3).log_start().0, cluster.log(3).log_end().0);
    assert_eq!((start, end), (3, 4));
    assert_eq!(
        cluster.log(2).log_start().0,
        3,
        "who keeps up follows the start"
    );
}

/// A fetch of one partition; consumers have the replica id -1.
fn fetch(replica: i32, current_epoch: i32, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        current_leader_epoch: current_epoch,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    FetchRequest {
        replica_state: ReplicaState {
            replica_id: replica,
            ..ReplicaState::default()
        },
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic_id: TOPIC,
            partitions: vec![partition],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    }
}

fn row(answer: &FetchResponse) -> PartitionData {
    answer.responses[0].partitions[0].clone()
}

#[test]
fn a_leader_that_has_not_heard_of_its_successor_takes_records_that_are_cut_away_and_is_refused() {
    let mut cluster = Cluster::new(3, &[]);
    cluster.create(&[1, 2, 3], &[1, 2, 3]);
    produce(&mut cluster, 1, -1, b"all have it");
    cluster.advance(1_000);
    cluster.deafen(1);
    cluster.change(leads(2, &[2, 3]));
    // It still believes that it leads.
    let code = produce(&mut cluster, 1, 1, b"lost");
    assert_eq!(code, Some(ErrorCode::NONE), "acks=1 needs nobody else");
    let waits = cluster.send(1, PRODUCE, &produce_batch(-1, batch(b"lost, too")));
    let newer: FetchResponse = cluster.ask(1, 17, &fetch(-1, 1, 0));
    let newer = ErrorCode(row(&newer).error_code);
    assert_eq!(newer, ErrorCode::UNKNOWN_LEADER_EPOCH);
    // What it asks of its successor as if that were its follower, or in its own epoch, is refused.
    for replica in [1, 3] {
        let older: FetchResponse = cluster.ask(2, 17, &fetch(replica, 0, 1));
        let older = ErrorCode(row(&older).error_code);
        assert_eq!(older, ErrorCode::FENCED_LEADER_EPOCH);
    }
    let kept = produce(&mut cluster, 2, -1, b"kept");
    assert_eq!(kept, Some(ErrorCode::NONE), "3 follows its successor");
    let early: Option<ProduceResponse> = cluster.answer(1, waits, PRODUCE);
    assert!(early.is_none(), "nobody follows it any more");
    cluster.catch_up(1);
    let late = cluster.answer(1, waits, PRODUCE).expect("it knows now");
    assert_eq!(produced(&late).0, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    cluster.advance(2_000);
    assert_alike(&cluster, 2);
}

#[test]
fn who_reads_at_a_follower_is_answered_when_it_learns_of_more_that_is_committed() {
    let mut cluster = Cluster::new(2, &[]);
    cluster.create(&[1, 2], &[1, 2]);
    let mut waiting = fetch(-1, -1, 0);
    waiting.max_wait_ms = 60_000;
    let reader = cluster.send(2, 17, &waiting);
    produce(&mut cluster, 1, -1, b"v");
    let early: Option<FetchResponse> = cluster.answer(2, reader, 17);
    assert!(early.is_none(), "a follower learns it one fetch later");
    cluster.advance(500);
    let answer: FetchResponse = cluster.answer(2, reader, 17).expect("an answer");
    assert!(!row(&answer).records.is_empty());
}

/// What a broker has asked of its leaders since the last call.
fn asked(cluster: &mut Cluster, id: i32) -> Vec<FetchRequest> {
    let frames = cluster.node(id).called.drain(..);
    let read = |frame| {
        let mut body = RequestFrame::decode(frame).unwrap().body;
        FetchRequest::decode(&mut body, 18).unwrap()
    };
    frames.map(read).collect()
}

fn named(request: &FetchRequest) -> Vec<i32> {
    let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.partition).collect()
}

/// Further partitions of `t`, led by broker 1 and followed by 2.
fn add_partitions(cluster: &mut Cluster, count: i32) {
    let partition = |partition_id| {
        MetadataRecord::Partition(PartitionRecord {
            partition_id,
            topic_id: TOPIC,
            leader_epoch: 0,
            partition_epoch: 0,
            replicas: vec![1, 2],
            isr: vec![1, 2],
            leader: 1,
            ..PartitionRecord::default()
        })
    };
    cluster.write(&(1..=count).map(partition).collect::<Vec<_>>());
}

#[test]
fn a_fetch_names_only_what_has_changed_since_the_last_one() {
    let mut cluster = Cluster::new(2, &[]);
    cluster.create(&[1, 2], &[1, 2]);
    add_partitions(&mut cluster, 99);
    cluster.advance(1_000);
    let first = asked(&mut cluster, 2);
    assert_eq!(named(&first[0]), [0], "what there was when it began");
    let (begun, rest) = first.split_first().expect("a first fetch");
    assert_eq!((begun.session_id, begun.session_epoch), (0, 0));
    let all: Vec<i32> = rest.iter().flat_map(named).collect();
    assert_eq!(all, (1..=99).collect::<Vec<_>>(), "each once");
    for (at, request) in rest.iter().enumerate() {
        assert_ne!(request.session_id, 0);
        assert_eq!(request.session_epoch, i32::try_from(at).unwrap() + 1);
        assert_eq!(request.replica_state.replica_id, 2);
        assert_eq!((request.max_wait_ms, request.min_bytes), (500, 1));
    }
    produce(&mut cluster, 1, 1, b"v");
    cluster.advance(1_000);
    let after = asked(&mut cluster, 2);
    let after: Vec<i32> = after.iter().flat_map(named).collect();
    assert_eq!(after, [0], "only that one has moved");
}

#[test]
fn a_session_that_is_lost_with_its_connection_is_begun_anew_after_a_rest() {
    let mut cluster = Cluster::new(2, &[]);
    cluster.create(&[1, 2], &[1, 2]);
    add_partitions(&mut cluster, 9);
    cluster.advance(1_000);
    let known = asked(&mut cluster, 2).last().expect("a fetch").session_id;
    cluster.cut_off(&[1]);
    cluster.cut_off(&[]);
    cluster.advance(999);
    assert!(asked(&mut cluster, 2).is_empty(), "it rests for a second");
    cluster.advance(1);
    let begun = asked(&mut cluster, 2).remove(0);
    assert_eq!((begun.session_id, begun.session_epoch), (known, 0));
    assert_eq!(named(&begun), (0..=9).collect::<Vec<_>>());
    produce(&mut cluster, 1, -1, b"v");
    cluster.advance(1_000);
    assert_alike(&cluster, 1);
}

#[test]
fn a_follower_that_cannot_store_claims_nothing_of_it_and_rests_before_it_tries_again() {
    let mut cluster = Cluster::new(2, &[]);
    cluster.create(&[1, 2], &[1, 2]);
    cluster.advance(1_000);
    asked(&mut cluster, 2);
    cluster.full = vec![2];
    assert_eq!(produce(&mut cluster, 1, -1, b"v"), None);
    cluster.advance(5_000);
    assert_eq!(cluster.log(2).log_end().0, 0);
    assert_eq!(cluster.log(1).high_watermark().0, 0);
    let tries = asked(&mut cluster, 2).len();
    assert!(tries <= 30, "{tries} fetches in five seconds");
    cluster.full.clear();
    cluster.advance(2_000);
    assert_alike(&cluster, 1);
}

/// The latest offset, as a broker tells it to a consumer.
fn latest(cluster: &mut Cluster, id: i32, version: i16) -> (ErrorCode, i64) {
    let partition = ListOffsetsPartition {
        timestamp: -1,
        ..ListOffsetsPartition::default()
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: Str::from_static("t"),
            partitions: vec![partition],
            ..ListOffsetsTopic::default()
        }],
        ..ListOffsetsRequest::default()
    };
    let answer: ListOffsetsResponse = cluster.ask(id, version, &request);
    let row = &answer.topics[0].partitions[0];
    (ErrorCode(row.error_code), row.offset)
}

#[test]
fn a_new_leader_tells_nobody_what_is_latest_before_it_knows_what_was_committed() {
    let mut cluster = Cluster::new(3, &[]);
    cluster.create(&[1, 2, 3], &[1, 2, 3]);
    assert_eq!(produce(&mut cluster, 1, -1, b"v"), Some(ErrorCode::NONE));
    // 2 has it, and has not heard that all have.
    cluster.cut_off(&[1, 2, 3]);
    cluster.change(leads(2, &[2, 3]));
    let not_yet = (ErrorCode::OFFSET_NOT_AVAILABLE, -1);
    assert_eq!(latest(&mut cluster, 2, 9), not_yet);
    let not_yet = (ErrorCode::LEADER_NOT_AVAILABLE, -1);
    assert_eq!(latest(&mut cluster, 2, 4), not_yet);
    cluster.cut_off(&[1]);
    cluster.advance(2_000);
    assert_eq!(latest(&mut cluster, 2, 9), (ErrorCode::NONE, 1));
}

#[test]
fn a_reader_that_waits_is_told_of_a_new_epoch_of_the_same_leader_at_once() {
    let mut cluster = Cluster::new(1, &[]);
    cluster.create(&[1, 2], &[1]);
    let readers = [-1, 2].map(|replica| {
        let mut waiting = fetch(replica, 0, 0);
        waiting.max_wait_ms = 60_000;
        cluster.send(1, 17, &waiting)
    });
    cluster.change(leads(1, &[1]));
    for reader in readers {
        let answer: FetchResponse = cluster.answer(1, reader, 17).expect("an answer");
        let code = ErrorCode(row(&answer).error_code);
        assert_eq!(code, ErrorCode::FENCED_LEADER_EPOCH);
    }
}

/// Broker 1 has led alone and appended large records; 2 leads instead, and nobody has heard the other yet.
fn parted() -> Cluster {
    let mut cluster = Cluster::new(2, &[]);
    cluster.create(&[1, 2], &[1, 2]);
    let large = vec![b'x'; 50_000];
    produce(&mut cluster, 1, -1, &large);
    cluster.cut_off(&[1, 2]);
    for _ in 0..4 {
        produce(&mut cluster, 1, 1, &large);
    }
    cluster.change(leads(2, &[2]));
    produce(&mut cluster, 2, 1, b"kept");
    cluster
}

#[test]
fn a_log_whose_bytes_are_not_in_memory_is_cut_as_well() {
    let mut cluster = parted();
    cluster.node(1).broker.evict(0);
    cluster.cut_off(&[]);
    cluster.advance(2_000);
    assert!(cluster.node(1).loads > 0, "it has to look where to cut");
    // What is compared has to be in memory.
    assert_eq!(cluster.on_disk(1), cluster.on_disk(2));
    assert_eq!(cluster.log(1).log_end().0, 2);
    assert_eq!(
        cluster.log(1).leader_epochs(),
        cluster.log(2).leader_epochs()
    );
}

#[test]
fn a_cut_that_the_disk_has_refused_is_made_before_anything_is_appended() {
    let mut cluster = parted();
    cluster.full = vec![1];
    cluster.cut_off(&[]);
    cluster.advance(1_200);
    assert_eq!(cluster.log(1).log_end().0, 1, "it is cut in memory");
    cluster.full.clear();
    cluster.advance(5_000);
    assert_alike(&cluster, 2);
}
