//! What a leader does with the fetches of those who follow it.

use crate::support::{Cluster, Node, PRODUCE, TOPIC, batch, produce_batch, produced};
use brooklet_broker::{ControllerEvent, Event};
use bytes::Bytes;
use ids::{ErrorCode, NodeId, Token};
use metadata::MetadataRecord;
use wire::alter_partition_request::AlterPartitionRequest;
use wire::alter_partition_response::{
    AlterPartitionResponse, PartitionData as AlteredPartition, TopicData as AlteredTopic,
};
use wire::broker_registration_change_record::BrokerRegistrationChangeRecord;
use wire::config_record::ConfigRecord;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ReplicaState};
use wire::fetch_response::{FetchResponse, PartitionData};
use wire::partition_change_record::PartitionChangeRecord;
use wire::produce_request::ProduceRequest;
use wire::produce_response::ProduceResponse;
use wire::{Message, RequestFrame, Str};

/// Versions that are spoken here.
const FETCH: i16 = 17;
const ALTER: i16 = 3;

fn produce(acks: i16) -> ProduceRequest {
    produce_batch(acks, batch(b"value"))
}

/// A fetch of `node` as a follower whose log ends at `end`.
fn fetch(node: i32, end: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition: 0,
        current_leader_epoch: -1,
        fetch_offset: end,
        last_fetched_epoch: -1,
        log_start_offset: 0,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic_id: TOPIC,
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    FetchRequest {
        replica_state: ReplicaState {
            replica_id: node,
            replica_epoch: -1,
            ..ReplicaState::default()
        },
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

fn fetched(cluster: &mut Cluster, node: i32, end: i64) -> PartitionData {
    let answer: FetchResponse = cluster.ask(1, FETCH, &fetch(node, end));
    answer.responses[0].partitions[0].clone()
}

/// One that is answered at once.
fn produced_now(cluster: &mut Cluster, acks: i16) -> (ErrorCode, i64) {
    produced(&cluster.ask(1, PRODUCE, &produce(acks)))
}

/// Broker 1 leads 2 and 3.
fn led(isr: &[i32], min_isr: &'static str) -> Cluster {
    let mut cluster = Cluster::new(3, &[("replica.lag.time.max.ms", "10000")]);
    cluster.write(&[MetadataRecord::Config(ConfigRecord {
        resource_type: metadata::TOPIC,
        resource_name: Str::from_static("t"),
        name: Str::from_static("min.insync.replicas"),
        value: Some(Str::from_static(min_isr)),
        ..ConfigRecord::default()
    })]);
    // The test is the followers.
    cluster.cut_off(&[1, 2, 3]);
    cluster.create(&[1, 2, 3], isr);
    cluster
}

fn isr(isr: &[i32]) -> PartitionChangeRecord {
    PartitionChangeRecord {
        isr: Some(isr.to_vec()),
        ..PartitionChangeRecord::default()
    }
}

/// The in-sync replicas that the leader asks for.
fn asked(node: &mut Node) -> Vec<(Token, Vec<i32>)> {
    let asked = node.asked.drain(..);
    let read = |(token, frame): (Token, Bytes)| {
        let mut body = RequestFrame::decode(frame).unwrap().body;
        let request = AlterPartitionRequest::decode(&mut body, ALTER).unwrap();
        let partition = &request.topics[0].partitions[0];
        let isr = partition.new_isr_with_epochs.iter();
        (token, isr.map(|state| state.broker_id).collect())
    };
    asked.map(read).collect()
}

fn answer_ask(cluster: &mut Cluster, token: Token, code: ErrorCode) {
    let partition = AlteredPartition {
        error_code: code.0,
        partition_epoch: 1,
        ..AlteredPartition::default()
    };
    let topic = AlteredTopic {
        topic_id: TOPIC,
        partitions: vec![partition],
        ..AlteredTopic::default()
    };
    let answer = AlterPartitionResponse {
        topics: vec![topic],
        ..AlterPartitionResponse::default()
    };
    let key = AlterPartitionResponse::API_KEY;
    let frame = wire::encode_response(0, key, ALTER, &answer).unwrap().bytes;
    let event = ControllerEvent::Answered { token, frame };
    cluster.step(NodeId(1), Event::Controller(event));
}

#[test]
fn a_record_is_committed_when_all_in_sync_replicas_have_fetched_past_it() {
    let mut cluster = led(&[1, 2, 3], "1");
    let waits = cluster.send(1, PRODUCE, &produce(-1));
    assert_eq!(produced_now(&mut cluster, 1), (ErrorCode::NONE, 1));
    let got = fetched(&mut cluster, 2, 0);
    assert!(
        !got.records.is_empty(),
        "a follower gets what is not committed"
    );
    assert_eq!(got.high_watermark, 0);
    fetched(&mut cluster, 2, 2);
    let early: Option<ProduceResponse> = cluster.answer(1, waits, PRODUCE);
    assert!(early.is_none(), "3 has nothing yet");
    let learns = fetched(&mut cluster, 3, 1);
    assert_eq!(
        learns.high_watermark, 0,
        "the next fetch tells what this one has moved"
    );
    let answer = cluster.answer(1, waits, PRODUCE).expect("all have it");
    assert_eq!(produced(&answer), (ErrorCode::NONE, 0));
    assert_eq!(cluster.log(1).high_watermark().0, 1);
    assert_eq!(fetched(&mut cluster, 3, 2).high_watermark, 1);
    assert_eq!(cluster.log(1).high_watermark().0, 2);
}

#[test]
fn a_waiting_follower_is_answered_when_the_leader_has_stored_more() {
    let mut cluster = led(&[1, 2, 3], "1");
    let mut waiting = fetch(2, 0);
    waiting.max_wait_ms = 500;
    let conn = cluster.send(1, FETCH, &waiting);
    assert!(cluster.answer::<FetchResponse>(1, conn, FETCH).is_none());
    produced_now(&mut cluster, 1);
    let answer: FetchResponse = cluster.answer(1, conn, FETCH).expect("an answer");
    assert!(!answer.responses[0].partitions[0].records.is_empty());
}

#[test]
fn the_high_watermark_stands_still_below_min_insync_replicas() {
    let mut cluster = led(&[1, 2], "2");
    fetched(&mut cluster, 2, 0);
    let late = cluster.send(1, PRODUCE, &produce(-1));
    cluster.change(isr(&[1]));
    assert_eq!(produced_now(&mut cluster, 1), (ErrorCode::NONE, 1));
    assert_eq!(cluster.log(1).high_watermark().0, 0);
    let refused = (ErrorCode::NOT_ENOUGH_REPLICAS, -1);
    assert_eq!(produced_now(&mut cluster, -1), refused);
    cluster.advance(60_000);
    // The controller has not answered anything, and what was appended is not undone.
    let answer = cluster.answer(1, late, PRODUCE).expect("its time is over");
    assert_eq!(produced(&answer).0, ErrorCode::REQUEST_TIMED_OUT);
    // By now nobody but the leader is caught up.
    assert_eq!(produced_now(&mut cluster, 1), (ErrorCode::NONE, 2));
    assert_eq!(cluster.log(1).high_watermark().0, 0);
    fetched(&mut cluster, 2, 3);
    cluster.change(isr(&[1, 2]));
    assert_eq!(cluster.log(1).high_watermark().0, 3);
}

#[test]
fn a_silent_follower_is_to_leave_and_what_waited_for_it_is_committed_then() {
    let mut cluster = led(&[1, 2, 3], "1");
    let waits = cluster.send(1, PRODUCE, &produce(-1));
    for _ in 0..16 {
        fetched(&mut cluster, 2, 1);
        cluster.advance(1_000);
    }
    let (token, wanted) = asked(cluster.node(1)).remove(0);
    assert_eq!(wanted, [1, 2]);
    answer_ask(&mut cluster, token, ErrorCode::NONE);
    let early: Option<ProduceResponse> = cluster.answer(1, waits, PRODUCE);
    assert!(
        early.is_none(),
        "a shrink is not trusted before the metadata tells"
    );
    cluster.change(isr(&[1, 2]));
    let answer = cluster
        .answer(1, waits, PRODUCE)
        .expect("3 is not waited for");
    assert_eq!(produced(&answer), (ErrorCode::NONE, 0));
    for _ in 0..16 {
        fetched(&mut cluster, 2, 1);
        cluster.advance(1_000);
    }
    assert!(asked(cluster.node(1)).is_empty(), "who keeps up stays");
}

#[test]
fn a_follower_that_has_caught_up_is_to_join_and_counts_from_that_moment() {
    let mut cluster = led(&[1, 2], "1");
    produced_now(&mut cluster, 1);
    fetched(&mut cluster, 2, 1);
    assert_eq!(cluster.log(1).high_watermark().0, 1);
    fetched(&mut cluster, 3, 0);
    assert!(
        asked(cluster.node(1)).is_empty(),
        "3 is below the high watermark"
    );
    fetched(&mut cluster, 3, 1);
    let (token, wanted) = asked(cluster.node(1)).remove(0);
    assert_eq!(wanted, [1, 2, 3]);
    produced_now(&mut cluster, 1);
    fetched(&mut cluster, 2, 2);
    assert_eq!(
        cluster.log(1).high_watermark().0,
        1,
        "3 may be in sync already"
    );
    fetched(&mut cluster, 3, 1);
    assert!(asked(cluster.node(1)).is_empty(), "one question at a time");
    // A controller that is busy is asked again, one that refuses is not believed to have agreed.
    answer_ask(&mut cluster, token, ErrorCode::NOT_CONTROLLER);
    cluster.advance(50);
    let (token, wanted) = asked(cluster.node(1)).remove(0);
    assert_eq!(wanted, [1, 2, 3]);
    answer_ask(&mut cluster, token, ErrorCode::INELIGIBLE_REPLICA);
    cluster.change(isr(&[1, 2, 3]));
    fetched(&mut cluster, 3, 2);
    assert_eq!(cluster.log(1).high_watermark().0, 2);
}

#[test]
fn only_an_assigned_replica_that_is_not_the_leader_is_believed() {
    let mut cluster = led(&[1, 2], "2");
    let waits = cluster.send(1, PRODUCE, &produce(-1));
    for pretended in [1, 4, 9] {
        let row = fetched(&mut cluster, pretended, 1);
        assert_eq!(ErrorCode(row.error_code), ErrorCode::NOT_LEADER_OR_FOLLOWER);
        let mut request = fetch(pretended, 1);
        request.topics[0].partitions[0].current_leader_epoch = 0;
        let answer: FetchResponse = cluster.ask(1, FETCH, &request);
        let code = ErrorCode(answer.responses[0].partitions[0].error_code);
        assert_eq!(code, ErrorCode::UNKNOWN_LEADER_EPOCH);
    }
    assert_eq!(cluster.log(1).high_watermark().0, 0);
    // From anyone, as in Kafka.
    fetched(&mut cluster, 2, 1);
    let answer = cluster.answer(1, waits, PRODUCE).expect("an answer");
    assert_eq!(produced(&answer), (ErrorCode::NONE, 0));
}

#[test]
fn epochs_are_judged_before_leadership_and_a_parted_log_is_told_where_it_parts() {
    let mut cluster = led(&[1, 2, 3], "1");
    produced_now(&mut cluster, 1);
    let next = PartitionChangeRecord {
        leader: 1,
        ..PartitionChangeRecord::default()
    };
    cluster.change(next.clone());
    produced_now(&mut cluster, 1);
    let with = |current: i32, last: i32, end: i64| {
        let mut request = fetch(2, end);
        let partition = &mut request.topics[0].partitions[0];
        partition.current_leader_epoch = current;
        partition.last_fetched_epoch = last;
        request
    };
    let ask = |cluster: &mut Cluster, to: i32, request: &FetchRequest| {
        let answer: FetchResponse = cluster.ask(to, FETCH, request);
        answer.responses[0].partitions[0].clone()
    };
    for to in [1, 3] {
        let older = ask(&mut cluster, to, &with(0, 0, 0));
        assert_eq!(ErrorCode(older.error_code), ErrorCode::FENCED_LEADER_EPOCH);
        let newer = ask(&mut cluster, to, &with(2, 0, 0));
        assert_eq!(ErrorCode(newer.error_code), ErrorCode::UNKNOWN_LEADER_EPOCH);
    }
    let elsewhere = ask(&mut cluster, 3, &with(1, 0, 0));
    assert_eq!(
        ErrorCode(elsewhere.error_code),
        ErrorCode::NOT_LEADER_OR_FOLLOWER
    );
    // Three records of epoch 0, of which this leader has one.
    let parted = ask(&mut cluster, 1, &with(1, 0, 3));
    assert_eq!(parted.error_code, 0);
    let end = &parted.diverging_epoch;
    assert_eq!((end.epoch, end.end_offset), (0, 1));
    assert!(parted.records.is_empty());
    assert_eq!(
        cluster.log(1).high_watermark().0,
        0,
        "what it claimed does not count"
    );
}

#[test]
fn a_consumer_may_read_at_a_follower_from_v11_on() {
    let mut cluster = led(&[1, 2, 3], "1");
    let mut consumer = fetch(-1, 0);
    consumer.replica_state.replica_id = -1;
    let answer: FetchResponse = cluster.ask(2, FETCH, &consumer);
    assert_eq!(answer.responses[0].partitions[0].error_code, 0);
    consumer.topics[0].topic = Str::from_static("t");
    consumer.topics[0].topic_id = ids::Uuid::default();
    consumer.replica_state = ReplicaState::default();
    let answer: FetchResponse = cluster.ask(2, 10, &consumer);
    let code = ErrorCode(answer.responses[0].partitions[0].error_code);
    assert_eq!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn a_follower_that_is_fenced_or_about_to_stop_is_not_to_join() {
    for (fenced, in_controlled_shutdown) in [(1, 0), (0, 1)] {
        let mut cluster = led(&[1, 2], "1");
        cluster.write(&[MetadataRecord::BrokerRegistrationChange(
            BrokerRegistrationChangeRecord {
                broker_id: 3,
                broker_epoch: 2,
                fenced,
                in_controlled_shutdown,
                ..BrokerRegistrationChangeRecord::default()
            },
        )]);
        fetched(&mut cluster, 3, 0);
        assert!(asked(cluster.node(1)).is_empty());
        produced_now(&mut cluster, 1);
        fetched(&mut cluster, 2, 1);
        assert_eq!(cluster.log(1).high_watermark().0, 1, "3 is not waited for");
    }
}

#[test]
fn a_follower_that_claims_to_have_more_than_its_leader_is_not_believed() {
    let mut cluster = led(&[1, 2], "2");
    let waits = cluster.send(1, PRODUCE, &produce(-1));
    let row = fetched(&mut cluster, 2, 100);
    assert_eq!(ErrorCode(row.error_code), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert!(
        cluster
            .answer::<ProduceResponse>(1, waits, PRODUCE)
            .is_none()
    );
    assert_eq!(cluster.log(1).high_watermark().0, 0);
}
