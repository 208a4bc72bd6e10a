//! What a leader tells who fetches, what a follower makes of it, and when something is committed.

use crate::support::{Bench, batch, bytes, codes, directory, fetch, fetched, following, its_fetch};
use crate::support::{kept, log, part};
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, SnapshotId, Time};
use raft::{AppendError, Effect, Election, Event, FromDisk, Order, Raft, Request, Response};
use wire::Str;
use wire::fetch_response::{EpochEndOffset, SnapshotId as WireSnapshotId};

const CODE: fn(ErrorCode) -> (i16, Option<i16>) = |code| (0, Some(code.0));
const WHOLE: fn(ErrorCode) -> (i16, Option<i16>) = |code| (code.0, None);

/// Node 1 leads in epoch 4 over three voters, all of which have everything.
fn steady_leader() -> Bench {
    let mut bench = Bench::leader(&[1], 4);
    for replica in [2, 3] {
        bench.ask(17, fetch(replica, 4, (1, 1), |_| {}));
        bench.call(17, fetch(replica, 4, (4, 2), |_| {}));
    }
    bench
}

fn append(bench: &mut Bench, value: &str) -> Result<Offset, AppendError> {
    let epoch = bench.raft.election().epoch;
    let (now, from) = (bench.now, bench.out.len());
    let appended = bench
        .raft
        .append(now, epoch, &batch(value), &mut bench.out)?;
    let tokens: Vec<_> = (bench.out[from..].iter())
        .filter_map(|effect| match effect {
            Effect::Store { token, .. } => Some(*token),
            _ => None,
        })
        .collect();
    for token in tokens {
        bench.step(Event::Stored { token });
    }
    Ok(appended.base_offset)
}

#[test]
fn nothing_of_an_earlier_epoch_is_committed_by_counting() {
    // Offset 1 was appended in epoch 2 and is on a majority, yet another leader may still cut it away.
    let mut bench = Bench::leader(&[1, 2], 4);
    bench.ask(17, fetch(2, 4, (2, 2), |_| {}));
    assert_eq!(bench.committed(), None);
    assert_eq!(
        append(&mut bench, "x"),
        Err(AppendError::NotLeading),
        "it may not append yet"
    );
    bench.call(17, fetch(2, 4, (4, 3), |_| {}));
    assert_eq!(bench.committed(), Some(3));
    let leading = Effect::Leading {
        epoch: LeaderEpoch(4),
        from: Offset(3),
    };
    assert!(bench.out.contains(&leading));
    assert_eq!(append(&mut bench, "x"), Ok(Offset(3)));
}

#[test]
fn committed_is_what_a_majority_has_stored_the_leader_too() {
    let mut bench = steady_leader();
    bench.flushes = false;
    bench.out.clear();
    let (now, epoch) = (bench.now, LeaderEpoch(4));
    bench
        .raft
        .append(now, epoch, &batch("x"), &mut bench.out)
        .expect("it leads");
    let token = bench.tokens()[0];
    bench.ask(17, fetch(2, 4, (4, 3), |_| {}));
    assert_eq!(bench.committed(), None, "not stored here");
    bench.step(Event::Stored { token });
    assert_eq!(bench.committed(), Some(3));
}

#[test]
fn observers_are_told_everything_and_count_for_nothing() {
    let mut bench = steady_leader();
    append(&mut bench, "x").expect("it leads");
    let answer = part(bench.ask(17, fetch(50, 4, (4, 2), |_| {})));
    assert!(!answer.records.is_empty(), "what is not committed yet, too");
    assert_eq!(answer.high_watermark, 2);
    bench.ask(17, fetch(50, 4, (4, 3), |_| {}));
    bench.ask(17, fetch(51, 4, (4, 3), |_| {}));
    assert_eq!(bench.committed(), Some(2));
    let view = bench.raft.describe(bench.now).expect("it leads");
    let ends = |views: &[raft::ReplicaView]| -> Vec<(i32, Option<i64>)> {
        views
            .iter()
            .map(|view| (view.key.id.0, view.log_end.map(|end| end.0)))
            .collect()
    };
    assert_eq!(
        ends(&view.voters),
        [(1, Some(3)), (2, Some(2)), (3, Some(2))]
    );
    assert_eq!(ends(&view.observers), [(50, Some(3)), (51, Some(3))]);
    assert_eq!((view.leader, view.epoch), (NodeId(1), LeaderEpoch(4)));
    // It is forgotten when it is silent for five minutes; voters never are.
    for _ in 0..310 {
        bench.wait(1_000);
        bench.ask(17, fetch(2, 4, (4, 3), |fetch| fetch.max_wait_ms = 0));
    }
    let view = bench.raft.describe(bench.now).expect("it leads");
    assert_eq!((view.voters.len(), view.observers.len()), (3, 0));
}

#[test]
fn who_does_not_lead_describes_nothing() {
    let bench = following(1, 4, &[1]);
    let told = bench.raft.describe_partition(bench.now);
    let nothing = wire::describe_quorum_response::PartitionData {
        error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER.0,
        ..Default::default()
    };
    assert_eq!(told, nothing);
}

#[test]
fn a_fetch_waits_for_news_and_no_longer_than_it_says() {
    let mut bench = steady_leader();
    let call = bench.call(17, fetch(3, 4, (4, 2), |_| {}));
    bench.wait(499);
    assert_eq!(bench.answer(call), None);
    bench.wait(1);
    assert_eq!(part(bench.answer(call)).records.len(), 0);
    let call = bench.call(17, fetch(3, 4, (4, 2), |_| {}));
    append(&mut bench, "x").expect("it leads");
    assert_eq!(
        part(bench.answer(call)).high_watermark,
        2,
        "told before it is committed"
    );
    // Of version 18 on a replica says what it knows, and hears of what is committed at once.
    let knows = |upto: i64| {
        move |fetch: &mut wire::fetch_request::FetchRequest| {
            fetch.topics[0].partitions[0].high_watermark = upto;
        }
    };
    let call = bench.call(18, fetch(3, 4, (4, 3), knows(2)));
    assert_eq!(part(bench.answer(call)).high_watermark, 3);
    let call = bench.call(18, fetch(3, 4, (4, 3), knows(3)));
    assert_eq!(bench.answer(call), None);
    let old = bench.call(17, fetch(2, 4, (4, 3), |_| {}));
    assert_eq!(bench.answer(old), None);
}

#[test]
fn who_waits_for_a_leader_that_is_deposed_is_told_so() {
    let mut bench = steady_leader();
    let call = bench.call(17, fetch(3, 4, (4, 2), |_| {}));
    bench.ask(2, crate::support::vote(5, (4, 2), |_| {}));
    assert_eq!(
        codes(bench.answer(call)),
        CODE(ErrorCode::FENCED_LEADER_EPOCH)
    );
    assert_eq!(append(&mut bench, "x"), Err(AppendError::NotLeading));
}

#[test]
fn a_fetch_is_answered_with_kafkas_codes() {
    let mut bench = steady_leader();
    let part = |change: fn(&mut wire::fetch_request::FetchPartition)| {
        move |fetch: &mut wire::fetch_request::FetchRequest| {
            fetch.max_wait_ms = 0;
            change(&mut fetch.topics[0].partitions[0]);
        }
    };
    let mut say = |request| codes(bench.ask(17, request));
    let at = (1, 1);
    assert_eq!(
        say(fetch(9, 4, at, |fetch| fetch.cluster_id = Some(Str::from("x")))),
        WHOLE(ErrorCode::INCONSISTENT_CLUSTER_ID)
    );
    let invalid = ErrorCode::INVALID_REQUEST;
    assert_eq!(
        say(fetch(9, 4, at, |fetch| fetch.topics.clear())),
        WHOLE(invalid)
    );
    assert_eq!(
        say(fetch(9, 4, at, |fetch| fetch.topics[0].topic_id = directory(7))),
        WHOLE(invalid)
    );
    assert_eq!(
        say(fetch(9, 4, at, part(|part| part.partition = 1))),
        WHOLE(invalid)
    );
    assert_eq!(say(fetch(9, -1, at, part(|_| {}))), CODE(invalid));
    assert_eq!(
        say(fetch(9, 3, at, part(|_| {}))),
        CODE(ErrorCode::FENCED_LEADER_EPOCH)
    );
    assert_eq!(
        say(fetch(9, 5, at, part(|_| {}))),
        CODE(ErrorCode::UNKNOWN_LEADER_EPOCH)
    );
    assert_eq!(say(fetch(9, 4, (-1, 1), part(|_| {}))), CODE(invalid));
    assert_eq!(say(fetch(9, 4, (1, -1), part(|_| {}))), CODE(invalid));
    assert_eq!(
        say(fetch(9, 4, at, |fetch| fetch.max_wait_ms = -1)),
        CODE(invalid)
    );
    assert_eq!(
        say(fetch(9, 4, (7, 1), part(|_| {}))),
        CODE(invalid),
        "an epoch to come"
    );
    assert_eq!(
        say(fetch(1, 4, at, part(|_| {}))),
        CODE(ErrorCode::UNKNOWN_SERVER_ERROR)
    );
    assert_eq!(say(fetch(9, 4, at, part(|_| {}))), CODE(ErrorCode::NONE));
    let mut other = following(1, 4, &[1]);
    let said = codes(other.ask(17, fetch(9, 4, at, |_| {})));
    assert_eq!(said, CODE(ErrorCode::NOT_LEADER_OR_FOLLOWER));
}

#[test]
fn a_log_that_differs_is_told_where() {
    let mut bench = Bench::leader(&[1, 1, 3], 6);
    let mut told = |last, offset| {
        let answer = part(bench.ask(
            17,
            fetch(9, 6, (last, offset), |fetch| fetch.max_wait_ms = 0),
        ));
        (
            answer.diverging_epoch.epoch,
            answer.diverging_epoch.end_offset,
        )
    };
    let same = (-1, -1);
    assert_eq!(told(0, 0), same, "an empty log");
    assert_eq!(told(1, 2), same);
    assert_eq!(told(1, 3), (1, 2), "more of an epoch than there was");
    assert_eq!(told(2, 3), (1, 2), "an epoch that was never led here");
    assert_eq!(told(3, 3), same);
    assert_eq!(told(5, 4), (3, 3));
    assert_eq!(told(6, 4), same);
    assert_eq!(told(6, 5), (6, 4));
    assert_eq!(told(0, 1), (0, 0));
}

#[test]
fn a_follower_cuts_what_its_leader_does_not_have() {
    // As told, or where its own largest epoch that is not above ends, whichever is less.
    for (own, epoch, end, left) in [
        (&[1, 1, 2, 2][..], 2, 3, 3),
        (&[1, 1, 2, 2], 1, 1, 1),
        (&[1, 1, 4, 4], 3, 9, 2),
        (&[3, 3], 1, 1, 0),
    ] {
        let mut bench = following(1, 6, own);
        let (id, _) = its_fetch(&mut bench);
        let response = fetched(6, 0, Vec::new().into(), |part| {
            part.diverging_epoch = EpochEndOffset {
                epoch,
                end_offset: end,
                ..Default::default()
            };
        });
        bench.step(Event::Response { id, response });
        assert_eq!(
            bench.raft.log().log_end(),
            Offset(left),
            "{own:?} {epoch} {end}"
        );
        assert!(bench.out.contains(&Effect::Truncated { to: Offset(left) }));
        let (_, request) = its_fetch(&mut bench);
        let Request::Fetch(next) = request else {
            panic!("{request:?}");
        };
        assert_eq!(next.topics[0].partitions[0].fetch_offset, left);
    }
}

#[test]
fn what_is_committed_is_never_cut_whoever_asks() {
    let mut bench = following(1, 6, &[1, 1, 2]);
    let (id, _) = its_fetch(&mut bench);
    bench.step(Event::Response {
        id,
        response: fetched(6, 2, Vec::new().into(), |_| {}),
    });
    assert_eq!(bench.committed(), Some(2));
    let (id, _) = its_fetch(&mut bench);
    let response = fetched(6, 0, Vec::new().into(), |part| {
        (part.diverging_epoch.epoch, part.diverging_epoch.end_offset) = (1, 1);
    });
    bench.step(Event::Response { id, response });
    assert_eq!(bench.raft.log().log_end(), Offset(3));
}

#[test]
fn a_follower_fetches_on_only_when_all_is_stored() {
    let mut bench = following(1, 6, &[1]);
    let (id, _) = its_fetch(&mut bench);
    bench.flushes = false;
    bench.out.clear();
    let records = bytes(&log(&[1, 2, 6]), 1);
    bench.step(Event::Response {
        id,
        response: fetched(6, 3, records, |_| {}),
    });
    assert_eq!(bench.raft.log().log_end(), Offset(3));
    assert!(
        bench.sent().is_empty(),
        "a fetch would say that it is stored"
    );
    assert_eq!(bench.committed(), Some(1));
    let token = bench.tokens()[0];
    bench.step(Event::Stored { token });
    assert_eq!(bench.committed(), Some(3));
    let (_, request) = its_fetch(&mut bench);
    let Request::Fetch(fetch) = request else {
        panic!("{request:?}");
    };
    let part = &fetch.topics[0].partitions[0];
    assert_eq!((part.fetch_offset, part.last_fetched_epoch), (3, 6));
}

#[test]
fn records_that_do_not_continue_the_log_are_not_taken() {
    let whole = bytes(&log(&[1, 2, 6]), 0);
    let mut damaged = bytes(&log(&[1, 2, 6]), 1).to_vec();
    damaged[40] ^= 1;
    let later = bytes(&log(&[1, 2, 9]), 1);
    for (records, end) in [
        (whole, 1),
        (bytes(&log(&[1, 2, 6]), 2), 1),
        (damaged.into(), 1),
        (later, 2),
        (bytes(&log(&[1, 2, 6]), 1).slice(..90), 2),
    ] {
        let mut bench = following(1, 6, &[1]);
        let (id, _) = its_fetch(&mut bench);
        bench.step(Event::Response {
            id,
            response: fetched(6, 3, records, |_| {}),
        });
        assert_eq!(bench.raft.log().log_end(), Offset(end));
    }
}

#[test]
fn a_leader_whose_disk_refuses_leads_no_more_and_forgets_what_it_could_not_store() {
    let mut bench = steady_leader();
    bench.flushes = false;
    bench.out.clear();
    let (now, epoch) = (bench.now, LeaderEpoch(4));
    bench
        .raft
        .append(now, epoch, &batch("x"), &mut bench.out)
        .expect("it leads");
    let token = bench.tokens()[0];
    bench.step(Event::StoreFailed { token });
    assert!(!bench.raft.is_leader());
    assert_eq!(bench.raft.log().log_end(), Offset(2));
    let gone = Effect::LeaderChanged {
        leader: None,
        epoch: LeaderEpoch(4),
    };
    assert!(bench.out.contains(&gone));
}

#[test]
fn who_lacks_what_the_log_has_no_more_is_given_the_snapshot_in_pieces() {
    let mut bench = steady_leader();
    for value in ["a", "b", "c"] {
        append(&mut bench, value).expect("it leads");
    }
    bench.ask(17, fetch(2, 4, (4, 5), |fetch| fetch.max_wait_ms = 0));
    assert_eq!(bench.committed(), Some(5));
    let id = SnapshotId {
        end: Offset(4),
        epoch: LeaderEpoch(4),
    };
    bench.step(Event::SnapshotTaken {
        id,
        bytes: b"all of it".to_vec().into(),
        log_from: Offset(4),
    });
    assert_eq!(bench.raft.log().log_start(), Offset(4));
    let put = Order::Snapshot {
        id,
        bytes: b"all of it".to_vec().into(),
    };
    assert!(
        bench.has(|effect| matches!(effect, Effect::Store { orders, .. } if orders.contains(&put)))
    );
    let told = part(bench.ask(17, fetch(9, 4, (0, 0), |_| {})));
    assert_eq!(
        (told.snapshot_id.end_offset, told.snapshot_id.epoch),
        (4, 4)
    );
    assert_eq!(
        part(bench.ask(17, fetch(9, 4, (4, 4), |_| {})))
            .snapshot_id
            .epoch,
        -1
    );

    let mut piece = |id: SnapshotId, position: i64, most: i32| {
        use wire::fetch_snapshot_request as request;
        let asked = request::PartitionSnapshot {
            current_leader_epoch: 4,
            snapshot_id: request::SnapshotId {
                end_offset: id.end.0,
                epoch: id.epoch.0,
                ..Default::default()
            },
            position,
            ..Default::default()
        };
        let response = bench.ask(
            1,
            Request::FetchSnapshot(request::FetchSnapshotRequest {
                replica_id: 9,
                max_bytes: most,
                topics: vec![request::TopicSnapshot {
                    name: crate::support::T,
                    partitions: vec![asked],
                    ..Default::default()
                }],
                ..Default::default()
            }),
        );
        let Some(Response::FetchSnapshot(response)) = response else {
            panic!("{response:?}");
        };
        let part = &response.topics[0].partitions[0];
        let bytes = part.unaligned_records.bytes().expect("bytes").to_vec();
        (
            part.error_code,
            part.size,
            String::from_utf8(bytes).expect("text"),
        )
    };
    assert_eq!(piece(id, 0, 4), (0, 9, "all ".into()));
    assert_eq!(piece(id, 4, 100), (0, 9, "of it".into()));
    let out_of_range = ErrorCode::POSITION_OUT_OF_RANGE.0;
    assert_eq!(piece(id, 9, 4).0, out_of_range);
    assert_eq!(piece(id, -1, 4).0, out_of_range);
    let other = SnapshotId {
        end: Offset(3),
        ..id
    };
    assert_eq!(piece(other, 0, 4).0, ErrorCode::SNAPSHOT_NOT_FOUND.0);
}

#[test]
fn a_snapshot_takes_the_place_of_the_log() {
    let mut bench = following(1, 6, &[1, 1]);
    let (id, _) = its_fetch(&mut bench);
    let snapshot = SnapshotId {
        end: Offset(40),
        epoch: LeaderEpoch(5),
    };
    let response = fetched(6, 50, Vec::new().into(), |part| {
        part.snapshot_id = WireSnapshotId {
            end_offset: 40,
            epoch: 5,
            ..Default::default()
        };
    });
    bench.step(Event::Response { id, response });
    for (position, piece) in [(0, "all "), (4, "of it")] {
        let (id, request) = its_fetch(&mut bench);
        let Request::FetchSnapshot(asked) = request else {
            panic!("{request:?}");
        };
        assert_eq!(asked.topics[0].partitions[0].position, position);
        use wire::fetch_snapshot_response as response;
        let part = response::PartitionSnapshot {
            size: 9,
            position,
            unaligned_records: bytes::Bytes::from(piece).into(),
            current_leader: response::LeaderIdAndEpoch {
                leader_id: 2,
                leader_epoch: 6,
                ..Default::default()
            },
            ..Default::default()
        };
        let response = Response::FetchSnapshot(response::FetchSnapshotResponse {
            topics: vec![response::TopicSnapshot {
                partitions: vec![part],
                ..Default::default()
            }],
            ..Default::default()
        });
        bench.step(Event::Response { id, response });
    }
    let load = Effect::LoadSnapshot {
        id: snapshot,
        bytes: b"all of it".to_vec().into(),
    };
    assert!(bench.out.contains(&load));
    assert_eq!(bench.committed(), Some(40));
    let log = bench.raft.log();
    assert_eq!((log.log_start(), log.log_end()), (Offset(40), Offset(40)));
    let (_, request) = its_fetch(&mut bench);
    let Request::Fetch(fetch) = request else {
        panic!("{request:?}");
    };
    let part = &fetch.topics[0].partitions[0];
    assert_eq!((part.fetch_offset, part.last_fetched_epoch), (40, 5));
}

#[test]
fn a_log_that_could_not_follow_its_snapshot_begins_anew_at_it() {
    let disk = FromDisk {
        quorum_state: None,
        log: log(&[1, 1]),
        snapshot: Some(kept("00000000000000000040-0000000005.checkpoint", vec![1])),
    };
    let mut raft = Raft::new(
        crate::support::config(1, crate::support::voters(&[1, 2, 3])),
        disk,
    )
    .expect("whole");
    raft.step(Time(0), Event::Start, &mut Vec::new());
    assert_eq!(raft.log().log_start(), Offset(40));
    assert_eq!(raft.high_watermark(), Some(Offset(40)));
    assert_eq!(raft.election().epoch, LeaderEpoch(5));
}

#[test]
fn a_node_of_an_older_file_than_its_log_goes_by_the_log() {
    let election = Election {
        epoch: LeaderEpoch(2),
        leader: Some(NodeId(2)),
        voted: None,
    };
    let bench = Bench::voter(1, &[1, 2, 3], &[1, 7], election);
    let now = bench.raft.election();
    assert_eq!((now.epoch, now.leader), (LeaderEpoch(7), None));
}

#[test]
fn who_comes_from_an_epoch_that_is_forgotten_is_given_the_snapshot() {
    // Recovery found the first segment again, but the epochs from before the snapshot are gone.
    let mut log = log(&[1, 2, 5, 5]);
    let mut ops = Vec::new();
    log.advance_high_watermark(Offset(3));
    log.delete_records_before(Offset(3), &mut ops)
        .expect("it is committed");
    let whole = crate::support::log(&[1, 2, 5, 5]);
    let mut recovery = log::Recovery::new(whole.config().clone(), Default::default(), Time(0));
    for op in ops {
        if let log::StoreOp::Put { file, bytes } = op {
            recovery.file(file, bytes.into());
        }
    }
    recovery.segment(Offset(0));
    recovery.bytes(bytes(&whole, 0));
    let (log, _) = recovery.finish();
    assert_eq!((log.log_start(), log.leader_epochs().len()), (Offset(0), 1));
    let disk = FromDisk {
        quorum_state: None,
        log,
        snapshot: Some(kept("00000000000000000003-0000000005.checkpoint", vec![1])),
    };
    let mut bench = Bench::new(
        crate::support::config(1, crate::support::voters(&[1, 2, 3])),
        disk,
    );
    bench.step(Event::Start);
    bench.elect(&[2]);
    let told = part(bench.ask(17, fetch(2, 6, (2, 4), |_| {})));
    assert_eq!(told.snapshot_id.end_offset, 3, "{told:?}");
    assert_eq!(
        told.diverging_epoch.epoch, -1,
        "where epoch 2 ended is not known"
    );
}
