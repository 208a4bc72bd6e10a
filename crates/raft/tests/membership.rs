//! Voters come and go, one at a time (KIP-853).

use crate::support::{Bench, codes, config, directory, fetch, kept, voters};
use ids::{ErrorCode, NodeId, Offset};
use log::{Log, LogConfig};
use raft::{FromDisk, Request, Response, Voters, bootstrap_checkpoint};
use wire::add_raft_voter_request::{AddRaftVoterRequest, Listener};
use wire::remove_raft_voter_request::RemoveRaftVoterRequest;
use wire::update_raft_voter_request::{self, UpdateRaftVoterRequest};

/// Node 1, alone of a quorum that can grow, or one of more with 2 for it.
fn leader(of: &[i32]) -> Bench {
    let checkpoint = bootstrap_checkpoint(&voters(of), 1, (2, 3));
    let disk = FromDisk {
        quorum_state: None,
        log: Log::new(LogConfig::default(), Offset(0), ids::Time(0)),
        snapshot: Some(kept(
            "00000000000000000000-0000000000.checkpoint",
            checkpoint,
        )),
    };
    let mut bench = Bench::new(config(1, Voters::default()), disk);
    bench.step(raft::Event::Start);
    bench.elect(&[2]);
    if of.len() > 1 {
        bench.ask(17, fetch(2, 1, (1, 3), |fetch| fetch.max_wait_ms = 0));
    }
    assert_eq!(bench.committed(), Some(3), "it may append");
    bench
}

fn add(id: i32) -> Request {
    Request::AddRaftVoter(AddRaftVoterRequest {
        cluster_id: None,
        voter_id: id,
        voter_directory_id: directory(id),
        listeners: vec![Listener::default()],
        ack_when_committed: true,
        ..Default::default()
    })
}

fn remove(id: i32) -> Request {
    Request::RemoveRaftVoter(RemoveRaftVoterRequest {
        cluster_id: None,
        voter_id: id,
        voter_directory_id: directory(id),
        ..Default::default()
    })
}

fn ids(bench: &Bench) -> Vec<i32> {
    bench
        .raft
        .voters()
        .iter()
        .map(|voter| voter.key.id.0)
        .collect()
}

#[test]
fn who_has_caught_up_can_become_a_voter_and_counts_from_then_on() {
    let mut bench = leader(&[1]);
    assert_eq!(
        codes(bench.ask(1, add(2))).0,
        ErrorCode::REQUEST_TIMED_OUT.0,
        "never seen"
    );
    bench.ask(17, fetch(2, 1, (1, 3), |fetch| fetch.max_wait_ms = 0));
    let call = bench.call(1, add(2));
    assert_eq!(bench.answer(call), None, "its own vote is needed now");
    assert_eq!(ids(&bench), [1, 2], "it votes from the record on");
    assert_eq!(bench.committed(), Some(3));
    assert_eq!(
        codes(bench.ask(1, add(3))).0,
        ErrorCode::REQUEST_TIMED_OUT.0,
        "one at a time"
    );
    bench.ask(17, fetch(2, 1, (1, 4), |fetch| fetch.max_wait_ms = 0));
    assert_eq!(codes(bench.answer(call)).0, 0);
    assert_eq!(bench.committed(), Some(4));
    assert_eq!(codes(bench.ask(1, add(2))).0, ErrorCode::DUPLICATE_VOTER.0);
    let view = bench.raft.describe(bench.now).expect("it leads");
    assert_eq!((view.voters.len(), view.observers.len()), (2, 0));
    assert_eq!(bench.raft.voters_before(Offset(3)).len(), 1);
    assert_eq!(bench.raft.voters_before(Offset(4)).len(), 2);
}

#[test]
fn a_leader_that_is_removed_leads_until_that_is_committed() {
    let mut bench = leader(&[1, 2, 3]);
    let call = bench.call(0, remove(1));
    assert!(bench.raft.is_leader());
    bench.ask(17, fetch(2, 1, (1, 4), |fetch| fetch.max_wait_ms = 0));
    assert!(bench.raft.is_leader(), "one of two voters is no majority");
    bench.ask(17, fetch(3, 1, (1, 4), |fetch| fetch.max_wait_ms = 0));
    assert_eq!(codes(bench.answer(call)).0, 0);
    assert_eq!(bench.raft.state_name(), "Resigned");
    bench.wait(60_000);
    assert_eq!(bench.raft.state_name(), "Observer");
    assert_eq!(
        bench.raft.election().epoch.0,
        1,
        "it asks for no votes any more"
    );
}

#[test]
fn changes_are_refused_with_kafkas_codes() {
    let mut bench = leader(&[1, 2, 3]);
    let Some(Response::RemoveRaftVoter(answer)) = bench.ask(0, remove(9)) else {
        panic!("it is answered");
    };
    assert_eq!(answer.error_code, ErrorCode::VOTER_NOT_FOUND.0);
    let message = answer.error_message.expect("it says why");
    let key = format!("ReplicaKey(id=9, directoryId={})", directory(9));
    let begins = format!("Cannot remove voter {key} from the set of voters [ReplicaKey(id=1, ");
    assert!(message.as_str().starts_with(&begins), "{message:?}");
    let elsewhere = Request::RemoveRaftVoter(RemoveRaftVoterRequest {
        cluster_id: None,
        voter_id: 2,
        voter_directory_id: directory(9),
        ..Default::default()
    });
    assert_eq!(
        codes(bench.ask(0, elsewhere)).0,
        ErrorCode::VOTER_NOT_FOUND.0
    );
    let mut fixed = Bench::leader(&[1], 4);
    assert_eq!(
        codes(fixed.ask(1, add(9))).0,
        ErrorCode::UNSUPPORTED_VERSION.0
    );
    let mut other = crate::support::following(1, 4, &[1]);
    assert_eq!(
        codes(other.ask(0, remove(2))).0,
        ErrorCode::NOT_LEADER_OR_FOLLOWER.0
    );
    // Who waits for a change when its leader is deposed is told so.
    let call = bench.call(0, remove(3));
    bench.ask(2, crate::support::vote(9, (1, 9), |_| {}));
    assert_eq!(
        codes(bench.answer(call)).0,
        ErrorCode::NOT_LEADER_OR_FOLLOWER.0
    );
}

#[test]
fn a_voter_can_move_to_another_address() {
    let mut bench = leader(&[1, 2, 3]);
    let moved = |id: i32, epoch: i32| {
        Request::UpdateRaftVoter(UpdateRaftVoterRequest {
            current_leader_epoch: epoch,
            cluster_id: None,
            voter_id: id,
            voter_directory_id: directory(id),
            listeners: vec![update_raft_voter_request::Listener {
                name: "CONTROLLER".into(),
                host: "elsewhere".into(),
                port: 1,
                ..Default::default()
            }],
            ..Default::default()
        })
    };
    assert_eq!(
        codes(bench.ask(0, moved(2, 0))).0,
        ErrorCode::FENCED_LEADER_EPOCH.0
    );
    assert_eq!(
        codes(bench.ask(0, moved(9, 1))).0,
        ErrorCode::VOTER_NOT_FOUND.0
    );
    let call = bench.call(0, moved(2, 1));
    bench.ask(17, fetch(2, 1, (1, 4), |fetch| fetch.max_wait_ms = 0));
    assert_eq!(codes(bench.answer(call)).0, 0);
    let at = bench.raft.endpoint_of(NodeId(2)).expect("it is known");
    assert_eq!((at.0.as_str(), at.1), ("elsewhere", 1));
    let end = bench.raft.log().log_end();
    assert_eq!(codes(bench.ask(0, moved(2, 1))).0, 0);
    assert_eq!(
        bench.raft.log().log_end(),
        end,
        "what is so already needs no record"
    );
}

#[test]
fn who_alone_has_everything_can_be_elected_though_it_was_being_removed() {
    // It led, appended its own removal and died; the voter that is left lacks that.
    let mut bench = leader(&[1, 2]);
    bench.call(0, remove(1));
    let checkpoint = bootstrap_checkpoint(&voters(&[1, 2]), 1, (2, 3));
    let disk = FromDisk {
        quorum_state: Some(bench.raft.election().encode(1, bench.raft.voters()).into()),
        log: bench.raft.log().clone(),
        snapshot: Some(kept(
            "00000000000000000000-0000000000.checkpoint",
            checkpoint,
        )),
    };
    let mut again = Bench::new(config(1, Voters::default()), disk);
    again.step(raft::Event::Start);
    assert_eq!(ids(&again), [2]);
    again.elect(&[2]);
    assert!(again.raft.is_leader());
    again.ask(17, fetch(2, 2, (2, 5), |fetch| fetch.max_wait_ms = 0));
    assert_eq!(again.committed(), Some(5));
    assert!(!again.raft.is_leader(), "and then it goes");
}
