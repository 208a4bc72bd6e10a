//! Consumer groups as their clients see them.

use bytes::Bytes;
use cluster::{Broker, ClientEvent, Note};
use ids::{ConnId, PartitionIndex};
use tests::direct::{Direct, NODE};
use wire::Str;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::delete_groups_request::DeleteGroupsRequest;
use wire::delete_groups_response::DeleteGroupsResponse;
use wire::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::delete_topics_response::DeleteTopicsResponse;
use wire::find_coordinator_request::FindCoordinatorRequest;
use wire::find_coordinator_response::FindCoordinatorResponse;
use wire::heartbeat_request::HeartbeatRequest;
use wire::heartbeat_response::HeartbeatResponse;
use wire::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::join_group_response::JoinGroupResponse;
use wire::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use wire::leave_group_response::LeaveGroupResponse;
use wire::list_groups_request::ListGroupsRequest;
use wire::list_groups_response::ListGroupsResponse;
use wire::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::offset_commit_response::OffsetCommitResponse;
use wire::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use wire::offset_fetch_response::OffsetFetchResponse;
use wire::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use wire::sync_group_response::SyncGroupResponse;

const GROUP: &str = "readers";
const TOPIC: &str = "orders";
/// Milliseconds.
const SESSION: i32 = 10_000;
/// A subscription to `TOPIC`: version 0, one topic, no user data.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x06orders\xff\xff\xff\xff";

/// A node with a topic of two partitions, and `__consumer_offsets` as a first client leaves it.
fn node(properties: &[(&str, &str)]) -> Direct {
    let mut all = vec![("group.initial.rebalance.delay.ms", "0")];
    all.extend_from_slice(properties);
    let mut direct = Direct::new(&all);
    let conn = direct.connect();
    let topic = CreatableTopic {
        name: Str::from(TOPIC),
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
    assert_eq!(answer.topics[0].error_code, 0);
    find_coordinator(&mut direct, conn);
    direct
}

/// Asks until there is a coordinator, as clients do.
fn find_coordinator(direct: &mut Direct, conn: ConnId) -> i32 {
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![Str::from(GROUP)],
        ..FindCoordinatorRequest::default()
    };
    for _ in 0..100 {
        let answer: FindCoordinatorResponse = direct.ask(conn, 4, &request);
        if answer.coordinators[0].error_code == 0 {
            return answer.coordinators[0].node_id;
        }
        direct.advance(100);
    }
    panic!("there is no coordinator");
}

fn broker(direct: &Direct) -> &Broker {
    direct
        .cluster
        .node(NODE)
        .expect("the node")
        .broker()
        .expect("a broker")
}

fn joining(member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol {
        name: Str::from("range"),
        metadata: Bytes::from_static(SUBSCRIPTION),
        ..JoinGroupRequestProtocol::default()
    };
    JoinGroupRequest {
        group_id: Str::from(GROUP),
        session_timeout_ms: SESSION,
        rebalance_timeout_ms: 5_000,
        member_id: Str::from(member),
        protocol_type: Str::from("consumer"),
        protocols: vec![protocol],
        ..JoinGroupRequest::default()
    }
}

fn syncing(member: &str, generation: i32, shares: &[(&str, &'static [u8])]) -> SyncGroupRequest {
    let share = |(member, bytes): &(&str, &'static [u8])| SyncGroupRequestAssignment {
        member_id: Str::from(*member),
        assignment: Bytes::from_static(bytes),
        ..SyncGroupRequestAssignment::default()
    };
    SyncGroupRequest {
        group_id: Str::from(GROUP),
        generation_id: generation,
        member_id: Str::from(member),
        protocol_type: Some(Str::from("consumer")),
        protocol_name: Some(Str::from("range")),
        assignments: shares.iter().map(share).collect(),
        ..SyncGroupRequest::default()
    }
}

/// Fetches a member id (KIP-394) and gives it.
fn new_member(direct: &mut Direct, conn: ConnId) -> String {
    let answer: JoinGroupResponse = direct.ask(conn, 9, &joining(""));
    assert_eq!(answer.error_code, 79);
    assert!(answer.member_id.starts_with("direct-"), "{answer:?}");
    String::from(answer.member_id)
}

fn beat(direct: &mut Direct, conn: ConnId, member: &str, generation: i32) -> i16 {
    let request = HeartbeatRequest {
        group_id: Str::from(GROUP),
        generation_id: generation,
        member_id: Str::from(member),
        ..HeartbeatRequest::default()
    };
    let answer: HeartbeatResponse = direct.ask(conn, 4, &request);
    answer.error_code
}

fn committing(member: &str, generation: i32, topic: &str, offsets: &[i64]) -> OffsetCommitRequest {
    let partitions = (0..).zip(offsets);
    let partitions = partitions.map(|(index, offset)| OffsetCommitRequestPartition {
        partition_index: index,
        committed_offset: *offset,
        committed_metadata: Some(Str::from("note")),
        ..OffsetCommitRequestPartition::default()
    });
    OffsetCommitRequest {
        group_id: Str::from(GROUP),
        generation_id_or_member_epoch: generation,
        member_id: Str::from(member),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from(topic),
            partitions: partitions.collect(),
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}

fn commit(direct: &mut Direct, request: &OffsetCommitRequest) -> Vec<i16> {
    let conn = direct.connect();
    let answer: OffsetCommitResponse = direct.ask(conn, 9, request);
    let rows = answer.topics.iter().flat_map(|topic| &topic.partitions);
    rows.map(|row| row.error_code).collect()
}

/// What is committed: topic, partition, offset.
fn committed(direct: &mut Direct) -> Vec<(String, i32, i64)> {
    let conn = direct.connect();
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: Str::from(GROUP),
            topics: None,
            ..OffsetFetchRequestGroup::default()
        }],
        ..OffsetFetchRequest::default()
    };
    let answer: OffsetFetchResponse = direct.ask(conn, 9, &request);
    let group = &answer.groups[0];
    assert_eq!(group.error_code, 0);
    let mut rows = Vec::new();
    for topic in &group.topics {
        for row in &topic.partitions {
            let name = String::from(topic.name.clone());
            rows.push((name, row.partition_index, row.committed_offset));
        }
    }
    rows
}

/// Both partitions of `TOPIC` at these offsets.
fn both(first: i64, second: i64) -> Vec<(String, i32, i64)> {
    vec![
        (TOPIC.to_string(), 0, first),
        (TOPIC.to_string(), 1, second),
    ]
}

/// A stable group of two; the first leads.
struct Pair {
    conns: [ConnId; 2],
    members: [String; 2],
}

fn pair(direct: &mut Direct) -> Pair {
    let conns = [direct.connect(), direct.connect()];
    let first = new_member(direct, conns[0]);
    let joined: JoinGroupResponse = direct.ask(conns[0], 9, &joining(&first));
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    let all: &[(&str, &'static [u8])] = &[(&first, b"both")];
    let synced: SyncGroupResponse = direct.ask(conns[0], 5, &syncing(&first, 1, all));
    assert_eq!(&synced.assignment[..], b"both");

    let second = new_member(direct, conns[1]);
    direct.tell(conns[1], 9, &joining(&second));
    assert_eq!(direct.reply(conns[1]), None, "it waits for the other one");
    assert_eq!(beat(direct, conns[0], &first, 1), 27);
    let joined: JoinGroupResponse = direct.ask(conns[0], 9, &joining(&first));
    assert_eq!(joined.generation_id, 2);
    assert_eq!(&*joined.leader, first.as_str());
    assert_eq!(joined.members.len(), 2);
    let follower: JoinGroupResponse = direct.answer(conns[1], 9);
    assert_eq!(follower.generation_id, 2);
    assert!(
        follower.members.is_empty(),
        "only the leader is told of all"
    );

    direct.tell(conns[1], 5, &syncing(&second, 2, &[]));
    assert_eq!(direct.reply(conns[1]), None, "it waits for the leader");
    let shares: &[(&str, &'static [u8])] = &[(&first, b"zero"), (&second, b"one")];
    let synced: SyncGroupResponse = direct.ask(conns[0], 5, &syncing(&first, 2, shares));
    assert_eq!(&synced.assignment[..], b"zero");
    let synced: SyncGroupResponse = direct.answer(conns[1], 5);
    assert_eq!(&synced.assignment[..], b"one");
    Pair {
        conns,
        members: [first, second],
    }
}

/// The first member rejoins alone and gets everything.
fn takes_over(direct: &mut Direct, pair: &Pair) {
    let member = &pair.members[0];
    let joined: JoinGroupResponse = direct.ask(pair.conns[0], 9, &joining(member));
    assert_eq!((joined.error_code, joined.generation_id), (0, 3));
    assert_eq!(joined.members.len(), 1);
    let all: &[(&str, &'static [u8])] = &[(member, b"both")];
    let synced: SyncGroupResponse = direct.ask(pair.conns[0], 5, &syncing(member, 3, all));
    assert_eq!(&synced.assignment[..], b"both");
    let group = broker(direct).groups().next().expect("the group");
    assert_eq!((group.state, group.generation.0), ("Stable", 3));
    assert_eq!(group.members.len(), 1);
    assert_eq!(&*group.members[0].host, "/127.0.0.1");
    assert_eq!(&group.members[0].assignment[..], b"both");
}

#[test]
fn the_first_client_that_asks_gets_the_offsets_topic_made() {
    let mut direct = Direct::new(&[]);
    let conn = direct.connect();
    assert_eq!(find_coordinator(&mut direct, conn), 1);
    let topic = broker(&direct).image().topic("__consumer_offsets");
    assert_eq!(topic.expect("the topic").partitions.len(), 50);
}

#[test]
fn without_the_offsets_topic_nobody_coordinates() {
    let mut direct = Direct::new(&[]);
    let conn = direct.connect();
    let answer: JoinGroupResponse = direct.ask(conn, 9, &joining(""));
    assert_eq!(answer.error_code, 16);
}

#[test]
fn a_member_that_leaves_hands_its_partitions_to_the_other() {
    let mut direct = node(&[]);
    let pair = pair(&mut direct);
    let leaver = MemberIdentity {
        member_id: Str::from(pair.members[1].as_str()),
        ..MemberIdentity::default()
    };
    let request = LeaveGroupRequest {
        group_id: Str::from(GROUP),
        members: vec![leaver],
        ..LeaveGroupRequest::default()
    };
    let answer: LeaveGroupResponse = direct.ask(pair.conns[1], 5, &request);
    assert_eq!((answer.error_code, answer.members[0].error_code), (0, 0));
    assert_eq!(beat(&mut direct, pair.conns[0], &pair.members[0], 2), 27);
    takes_over(&mut direct, &pair);
}

#[test]
fn a_member_that_falls_silent_is_given_up_when_its_session_ends() {
    let mut direct = node(&[]);
    let pair = pair(&mut direct);
    direct.step(ClientEvent::Disconnected {
        conn: pair.conns[1],
    });
    for _ in 0..3 {
        direct.advance(3_000);
        assert_eq!(beat(&mut direct, pair.conns[0], &pair.members[0], 2), 0);
    }
    direct.advance(1_100);
    assert_eq!(beat(&mut direct, pair.conns[0], &pair.members[0], 2), 27);
    takes_over(&mut direct, &pair);
}

#[test]
fn every_generation_is_noted_once() {
    let mut direct = node(&[]);
    pair(&mut direct);
    let rebalances = direct.notes.iter().filter_map(|note| match note {
        Note::Rebalanced {
            generation,
            members,
            ..
        } => Some((*generation, *members)),
        _ => None,
    });
    assert_eq!(rebalances.collect::<Vec<_>>(), [(1, 1), (2, 2)]);
}

#[test]
fn a_client_that_goes_while_its_join_is_parked_is_counted_in_until_it_does_not_sync() {
    let mut direct = node(&[]);
    let pair = pair(&mut direct);
    // The follower rejoins after a change, and is gone before the leader has come.
    let mut changed = joining(&pair.members[1]);
    changed.protocols[0].metadata = Bytes::from_static(b"changed");
    direct.tell(pair.conns[1], 9, &changed);
    direct.step(ClientEvent::Disconnected {
        conn: pair.conns[1],
    });
    let leader = &pair.members[0];
    let joined: JoinGroupResponse = direct.ask(pair.conns[0], 9, &joining(leader));
    assert_eq!((joined.generation_id, joined.members.len()), (3, 2));
    let all: &[(&str, &'static [u8])] = &[(leader, b"zero")];
    let synced: SyncGroupResponse = direct.ask(pair.conns[0], 5, &syncing(leader, 3, all));
    assert_eq!(&synced.assignment[..], b"zero");
    direct.advance(4_000);
    assert_eq!(beat(&mut direct, pair.conns[0], leader, 3), 0);
    direct.advance(1_100);
    assert_eq!(beat(&mut direct, pair.conns[0], leader, 3), 27);
}

#[test]
fn a_commit_and_its_group_survive_a_restart_that_keeps_only_the_logs() {
    let mut direct = node(&[]);
    let pair = pair(&mut direct);
    let [first, second] = &pair.members;
    let request = committing(first, 2, TOPIC, &[5, -7]);
    assert_eq!(commit(&mut direct, &request), [0, 0]);
    let request = committing(first, 2, TOPIC, &[9]);
    assert_eq!(commit(&mut direct, &request), [0]);
    direct.restart();
    assert_eq!(committed(&mut direct), both(9, -7));
    let group = broker(&direct).groups().next().expect("the group");
    assert_eq!((group.state, group.generation.0), ("Stable", 2));
    let names: Vec<&str> = group.members.iter().map(|m| &*m.member_id).collect();
    assert_eq!(names, [first.as_str(), second.as_str()]);
    assert_eq!(&group.members[1].assignment[..], b"one");
    // The members go on as if nothing had been; their sessions began anew.
    let conn = direct.connect();
    direct.advance(9_000);
    assert_eq!(beat(&mut direct, conn, first, 2), 0);
    direct.advance(2_000);
    assert_eq!(beat(&mut direct, conn, first, 2), 27, "the other is silent");
}

#[test]
fn offsets_that_were_evicted_from_memory_are_loaded_after_a_restart() {
    let mut direct = node(&[]);
    for round in 0..2_000 {
        let request = committing("", -1, TOPIC, &[round, round + 1]);
        assert_eq!(commit(&mut direct, &request), [0, 0]);
    }
    direct.restart_cold();
    assert!(direct.loads > 0, "nothing was cold");
    assert_eq!(committed(&mut direct), both(1_999, 2_000));
}

#[test]
fn a_commit_for_what_does_not_exist_is_refused_for_itself() {
    let mut direct = node(&[]);
    assert_eq!(commit(&mut direct, &committing("", -1, "nope", &[1])), [3]);
    let request = committing("", -1, TOPIC, &[1, 2, 3]);
    assert_eq!(commit(&mut direct, &request), [0, 0, 3]);
    assert_eq!(committed(&mut direct), both(1, 2));
}

#[test]
fn a_commit_that_cannot_be_stored_is_refused_and_not_seen() {
    let mut direct = node(&[]);
    assert_eq!(
        commit(&mut direct, &committing("", -1, TOPIC, &[1, 2])),
        [0, 0]
    );
    direct.is_full = true;
    assert_eq!(
        commit(&mut direct, &committing("", -1, TOPIC, &[3, 4])),
        [15, 15]
    );
    assert_eq!(committed(&mut direct), both(1, 2));
    direct.is_full = false;
    assert_eq!(commit(&mut direct, &committing("", -1, TOPIC, &[5])), [0]);
    direct.restart();
    assert_eq!(committed(&mut direct), both(5, 2));
}

#[test]
fn a_group_whose_deletion_cannot_be_stored_is_still_there() {
    let mut direct = node(&[]);
    commit(&mut direct, &committing("", -1, TOPIC, &[1, 2]));
    direct.is_full = true;
    let conn = direct.connect();
    let request = DeleteGroupsRequest {
        groups_names: vec![Str::from(GROUP)],
        ..DeleteGroupsRequest::default()
    };
    let answer: DeleteGroupsResponse = direct.ask(conn, 2, &request);
    assert_eq!(answer.results[0].error_code, 15);
    assert_eq!(committed(&mut direct), both(1, 2));
}

#[test]
fn an_assignment_that_cannot_be_stored_is_not_handed_out() {
    let mut direct = node(&[]);
    let conn = direct.connect();
    let member = new_member(&mut direct, conn);
    let joined: JoinGroupResponse = direct.ask(conn, 9, &joining(&member));
    assert_eq!(joined.error_code, 0);
    direct.is_full = true;
    let all: &[(&str, &'static [u8])] = &[(&member, b"both")];
    let synced: SyncGroupResponse = direct.ask(conn, 5, &syncing(&member, 1, all));
    assert_eq!((synced.error_code, synced.assignment.len()), (15, 0));
}

#[test]
fn a_parked_join_is_sent_elsewhere_when_the_offsets_topic_goes() {
    let mut direct = node(&[("group.initial.rebalance.delay.ms", "3000")]);
    let conn = direct.connect();
    let member = new_member(&mut direct, conn);
    direct.tell(conn, 9, &joining(&member));
    assert_eq!(direct.reply(conn), None);
    delete_topic(&mut direct, "__consumer_offsets");
    let joined: JoinGroupResponse = direct.answer(conn, 9);
    assert_eq!(joined.error_code, 16);
    assert_eq!(broker(&direct).groups().count(), 0);
}

#[test]
fn a_deleted_group_stays_deleted() {
    let mut direct = node(&[]);
    commit(&mut direct, &committing("", -1, TOPIC, &[1, 2]));
    let conn = direct.connect();
    let request = DeleteGroupsRequest {
        groups_names: vec![Str::from(GROUP), Str::from("other"), Str::from(GROUP)],
        ..DeleteGroupsRequest::default()
    };
    let answer: DeleteGroupsResponse = direct.ask(conn, 2, &request);
    let codes: Vec<i16> = answer.results.iter().map(|row| row.error_code).collect();
    assert_eq!(codes, [0, 69, 69]);
    assert_eq!(committed(&mut direct), []);
    direct.restart();
    assert_eq!(committed(&mut direct), []);
    assert_eq!(broker(&direct).groups().count(), 0);
}

#[test]
fn offsets_expire_a_while_after_the_last_commit() {
    let mut direct = node(&[("offsets.retention.minutes", "30")]);
    commit(&mut direct, &committing("", -1, TOPIC, &[1, 2]));
    direct.advance(20 * 60_000);
    commit(&mut direct, &committing("", -1, TOPIC, &[3]));
    direct.advance(20 * 60_000);
    assert_eq!(committed(&mut direct), [(TOPIC.to_string(), 0, 3)]);
    direct.advance(40 * 60_000);
    let groups = list(&mut direct);
    assert!(groups.is_empty(), "{groups:?}");
    direct.restart();
    assert_eq!(committed(&mut direct), []);
}

#[test]
fn the_offsets_of_a_deleted_topic_go_with_it() {
    let mut direct = node(&[]);
    commit(&mut direct, &committing("", -1, TOPIC, &[1, 2]));
    delete_topic(&mut direct, TOPIC);
    assert_eq!(committed(&mut direct), []);
    direct.restart();
    assert_eq!(committed(&mut direct), []);
}

#[test]
fn a_group_writes_kafkas_records_without_a_producer_but_with_sequences() {
    let mut direct = node(&[]);
    commit(&mut direct, &committing("", -1, TOPIC, &[1, 2]));
    let replicas = broker(&direct).replicas();
    let mut written = replicas.filter(|replica| {
        &*replica.name.topic == "__consumer_offsets" && replica.log.log_end().0 > 0
    });
    let replica = written.next().expect("a partition that was written to");
    assert_eq!(replica.name.partition, PartitionIndex(partition_of_group()));
    let log = replica.log;
    let Ok(log::Read::Slice(slice)) = log.read(ids::Offset(0), 1 << 20, log.log_end(), true) else {
        panic!("the log cannot be read");
    };
    let bytes = log.slice_pieces(&slice).expect("bytes in memory").concat();
    let (_, batch) = records::Batches::new(&bytes).next().expect("a batch");
    assert_eq!((batch.producer_id.0, batch.base_sequence), (-1, 0));
    let found: Vec<_> = batch.records().expect("no codec").flatten().collect();
    assert_eq!(
        found[1].key,
        Some(&b"\0\x01\0\x07readers\0\x06orders\0\0\0\x01"[..])
    );
    let value = found[1].value.expect("a value");
    assert_eq!(
        &value[..10],
        [0, 4, 0, 0, 0, 0, 0, 0, 0, 2],
        "version 4, offset 2"
    );
}

fn delete_topic(direct: &mut Direct, name: &str) {
    let conn = direct.connect();
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some(Str::from(name)),
            ..DeleteTopicState::default()
        }],
        timeout_ms: 1000,
        ..DeleteTopicsRequest::default()
    };
    let answer: DeleteTopicsResponse = direct.ask(conn, 6, &request);
    assert_eq!(answer.responses[0].error_code, 0);
}

/// `"readers".hashCode()` modulo 50.
fn partition_of_group() -> i32 {
    let hash = GROUP.bytes().fold(0i32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(byte.into())
    });
    hash.abs() % 50
}

fn list(direct: &mut Direct) -> Vec<String> {
    let conn = direct.connect();
    let answer: ListGroupsResponse = direct.ask(conn, 4, &ListGroupsRequest::default());
    assert_eq!(answer.error_code, 0);
    let groups = answer.groups.into_iter();
    groups.map(|group| String::from(group.group_id)).collect()
}
