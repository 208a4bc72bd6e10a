//! Nonsense from anyone: requests nobody sends, answers to nothing, numbers at their ends. It is answered or
//! ignored; nothing panics, and nothing grows.

use crate::support::{Bench, begin, bytes, end, fetch, fetched, following, log, vote, vote_answer};
use bytes::Bytes;
use ids::{Rng, Token};
use raft::{CallId, Effect, Event, Request, Response, SendId};
use wire::fetch_snapshot_request as snapshot_request;
use wire::fetch_snapshot_response as snapshot_response;

fn number(rng: &mut Rng) -> i32 {
    match rng.below(8) {
        0 => i32::MAX,
        1 => i32::MIN,
        2 => -1,
        _ => rng.below(8) as i32,
    }
}

fn long(rng: &mut Rng) -> i64 {
    match rng.below(8) {
        0 => i64::MAX,
        1 => i64::MIN,
        _ => number(rng).into(),
    }
}

fn request(rng: &mut Rng) -> Request {
    let (a, b, c) = (number(rng), number(rng), long(rng));
    match rng.below(8) {
        5 => Request::AddRaftVoter(wire::add_raft_voter_request::AddRaftVoterRequest {
            cluster_id: None,
            voter_id: a,
            listeners: vec![Default::default(); rng.below(2) as usize],
            ..Default::default()
        }),
        6 => Request::RemoveRaftVoter(wire::remove_raft_voter_request::RemoveRaftVoterRequest {
            cluster_id: None,
            voter_id: a,
            ..Default::default()
        }),
        7 => Request::UpdateRaftVoter(wire::update_raft_voter_request::UpdateRaftVoterRequest {
            cluster_id: None,
            voter_id: a,
            current_leader_epoch: b,
            ..Default::default()
        }),
        0 => vote(a, (b, c), |vote| {
            let part = &mut vote.topics[0].partitions[0];
            part.replica_id = number(rng);
            part.pre_vote = rng.below(2) == 0;
        }),
        1 => begin(a, |begin| begin.topics[0].partitions[0].leader_id = b),
        2 => end(a, &[b, b, 1], |end| {
            end.topics[0].partitions[0].leader_id = number(rng)
        }),
        3 => fetch(number(rng), a, (b, c), |fetch| {
            fetch.max_wait_ms = number(rng);
            fetch.max_bytes = number(rng);
            fetch.topics[0].partitions[0].high_watermark = long(rng);
        }),
        _ => Request::FetchSnapshot(snapshot_request::FetchSnapshotRequest {
            replica_id: a,
            max_bytes: b,
            topics: vec![snapshot_request::TopicSnapshot {
                name: crate::support::T,
                partitions: vec![snapshot_request::PartitionSnapshot {
                    current_leader_epoch: number(rng),
                    position: c,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
    }
}

fn response(rng: &mut Rng) -> Response {
    let epoch = number(rng);
    match rng.below(4) {
        0 => Response::Vote(vote_answer(epoch, rng.below(2) == 0)),
        1 => {
            let records = match rng.below(3) {
                0 => bytes(&log(&[1, 2, 3]), rng.below(3) as i64),
                1 => Bytes::from(vec![rng.next() as u8; rng.below(100) as usize]),
                _ => Bytes::new(),
            };
            fetched(epoch, long(rng), records, |part| {
                if rng.below(2) == 0 {
                    part.diverging_epoch.epoch = number(rng);
                    part.diverging_epoch.end_offset = long(rng);
                }
                if rng.below(3) == 0 {
                    part.snapshot_id.epoch = number(rng);
                    part.snapshot_id.end_offset = long(rng);
                }
                part.current_leader.leader_id = number(rng);
                part.error_code = [0, 0, 6, 74, 75][rng.below(5) as usize];
            })
        }
        2 => Response::FetchSnapshot(snapshot_response::FetchSnapshotResponse {
            topics: vec![snapshot_response::TopicSnapshot {
                partitions: vec![snapshot_response::PartitionSnapshot {
                    size: long(rng),
                    position: long(rng),
                    unaligned_records: Bytes::from(vec![1; rng.below(9) as usize]).into(),
                    current_leader: snapshot_response::LeaderIdAndEpoch {
                        leader_id: number(rng),
                        leader_epoch: epoch,
                        ..Default::default()
                    },
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        _ => Response::Fetch(wire::fetch_response::FetchResponse::default()),
    }
}

#[test]
fn nonsense_from_anyone_does_no_harm() {
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let mut bench = match rng.below(3) {
            0 => Bench::leader(&[1, 2], 4),
            1 => following(1, 4, &[1, 2]),
            _ => Bench::voter(1, &[1], &[1, 2], raft::Election::default()),
        };
        let committed = bench.raft.log().clone();
        let mut known: Vec<SendId> = Vec::new();
        for call in 0..200 {
            known.extend(bench.sent().into_iter().map(|(id, _, _)| id));
            let event = match rng.below(6) {
                0..=1 => Event::Request {
                    call: CallId(1_000 + call),
                    version: rng.below(19) as i16,
                    request: request(&mut rng),
                },
                2..=3 => Event::Response {
                    id: known.pop().unwrap_or(SendId(rng.next())),
                    response: response(&mut rng),
                },
                4 => Event::Stored {
                    token: Token(rng.next()),
                },
                _ => Event::NoResponse {
                    id: SendId(rng.below(50)),
                },
            };
            bench.step(event);
            bench.wait(rng.below(300));
            let end = bench.raft.log().log_end();
            assert!(bench.raft.high_watermark().is_none_or(|upto| upto <= end));
        }
        assert!(committed.log_end().0 >= 2);
    }
}

#[test]
fn fetches_that_wait_and_observers_that_come_are_bounded() {
    let mut bench = Bench::leader(&[1], 4);
    bench.out.clear();
    for replica in 0..5_000 {
        bench.call(17, fetch(100 + replica, 4, (4, 2), |_| {}));
    }
    let answers = bench.out.iter();
    let answered = answers
        .filter(|effect| matches!(effect, Effect::Answer { .. }))
        .count();
    assert_eq!(
        answered,
        5_000 - 1_024,
        "who comes when all places are taken is answered at once"
    );
    let view = bench.raft.describe(bench.now).expect("it leads");
    assert_eq!(view.observers.len(), 1_024);
}

#[test]
fn the_last_epoch_there_is_ends_elections_and_nothing_else() {
    let mut bench = following(1, 4, &[1]);
    bench.ask(2, vote(i32::MAX, (1, 1), |_| {}));
    bench.elect(&[2, 3]);
    assert!(!bench.raft.is_leader());
    bench.wait(60_000);
    assert_eq!(bench.raft.election().epoch, ids::LeaderEpoch(i32::MAX));
}
