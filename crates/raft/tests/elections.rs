//! Who is elected, who votes for whom, and what is answered to whom.

use crate::support::{Bench, begin, codes, config, directory, end, fetched, following, granted};
use crate::support::{its_fetch, log, vote, vote_answer, voters};
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset};
use log::{Log, LogConfig};
use raft::{Effect, Election, Event, FromDisk, Order, Request, Response};
use wire::Str;

const CODE: fn(ErrorCode) -> (i16, Option<i16>) = |code| (0, Some(code.0));
const WHOLE: fn(ErrorCode) -> (i16, Option<i16>) = |code| (code.0, None);

fn unattached(epoch: i32, epochs: &[i32]) -> Bench {
    let election = Election {
        epoch: LeaderEpoch(epoch),
        ..Election::default()
    };
    Bench::voter(1, &[1, 2, 3], epochs, election)
}

#[test]
fn a_node_alone_leads_in_its_first_step_and_asks_nobody() {
    let disk = FromDisk {
        quorum_state: None,
        log: Log::new(LogConfig::default(), Offset(0), ids::Time(0)),
        snapshot: None,
    };
    let mut bench = Bench::new(config(1, voters(&[1])), disk);
    bench.step(Event::Start);
    assert!(bench.sent().is_empty());
    let leading = Effect::Leading {
        epoch: LeaderEpoch(1),
        from: Offset(1),
    };
    assert!(bench.out.contains(&leading), "{:?}", bench.out);
    assert_eq!(bench.tokens().len(), 1, "one write, and it leads");
    assert_eq!(
        bench.raft.next_deadline(),
        None,
        "nothing is to be done any more"
    );
}

#[test]
fn a_vote_is_not_told_before_it_is_saved() {
    let mut bench = unattached(3, &[1]);
    bench.flushes = false;
    bench.out.clear();
    let call = bench.call(2, vote(4, (1, 1), |_| {}));
    assert_eq!(bench.answer(call), None);
    let Some(Effect::Store { token, orders }) = bench.out.first().cloned() else {
        panic!("nothing is saved: {:?}", bench.out);
    };
    let Some(Order::QuorumState(file)) = orders.first() else {
        panic!("{orders:?}");
    };
    let saved = Election::decode(file).expect("it can be read");
    assert_eq!(
        (saved.epoch, saved.voted.map(|voted| voted.id)),
        (LeaderEpoch(4), Some(NodeId(2)))
    );
    bench.step(Event::Stored { token });
    assert!(granted(bench.answer(call)));
}

#[test]
fn a_vote_that_cannot_be_saved_is_no_vote() {
    let mut bench = unattached(3, &[1]);
    bench.flushes = false;
    bench.out.clear();
    let call = bench.call(2, vote(4, (1, 1), |_| {}));
    let token = bench.tokens()[0];
    bench.step(Event::StoreFailed { token });
    assert_eq!(
        codes(bench.answer(call)),
        WHOLE(ErrorCode::KAFKA_STORAGE_ERROR)
    );
    // It is saved once the disk takes it, and then it may be told.
    bench.flushes = true;
    bench.wait(1_100);
    assert!(granted(bench.ask(2, vote(4, (1, 1), |_| {}))));
}

#[test]
fn there_is_one_vote_in_an_epoch_even_after_a_restart() {
    let mut bench = unattached(3, &[1]);
    assert!(granted(bench.ask(2, vote(4, (1, 1), |_| {}))));
    let other = |vote: &mut wire::vote_request::VoteRequest| {
        vote.topics[0].partitions[0].replica_id = 3;
        vote.topics[0].partitions[0].replica_directory_id = directory(3);
    };
    assert!(!granted(bench.ask(2, vote(4, (1, 1), other))));
    assert!(
        granted(bench.ask(2, vote(4, (1, 1), |_| {}))),
        "the same one may ask twice"
    );
    let election = bench.raft.election();
    let mut again = Bench::voter(1, &[1, 2, 3], &[1], election);
    assert!(!granted(again.ask(2, vote(4, (1, 1), other))));
    assert!(granted(again.ask(2, vote(4, (1, 1), |_| {}))));
}

#[test]
fn nobody_is_elected_whose_log_lacks_something() {
    // The epoch counts first, then the length.
    for (last, elected) in [
        ((1, 9), false),
        ((2, 2), false),
        ((2, 3), true),
        ((3, 1), true),
    ] {
        let mut bench = unattached(3, &[1, 2, 2]);
        assert_eq!(
            granted(bench.ask(2, vote(4, last, |_| {}))),
            elected,
            "{last:?}"
        );
        let pre = |vote: &mut wire::vote_request::VoteRequest| {
            vote.topics[0].partitions[0].pre_vote = true;
        };
        let mut bench = unattached(3, &[1, 2, 2]);
        assert_eq!(
            granted(bench.ask(2, vote(4, last, pre))),
            elected,
            "{last:?}, asked before"
        );
    }
}

#[test]
fn who_hears_its_leader_encourages_nobody_else() {
    let pre = |vote: &mut wire::vote_request::VoteRequest| {
        let part = &mut vote.topics[0].partitions[0];
        (part.pre_vote, part.replica_id) = (true, 3);
        part.replica_directory_id = directory(3);
    };
    let mut bench = following(1, 3, &[1]);
    assert!(
        granted(bench.ask(2, vote(3, (1, 1), pre))),
        "it has not heard of it yet"
    );
    let (id, _) = its_fetch(&mut bench);
    let response = fetched(3, 1, Vec::new().into(), |_| {});
    bench.step(Event::Response { id, response });
    assert!(!granted(bench.ask(2, vote(3, (1, 1), pre))));
    assert_eq!(bench.raft.election().epoch, LeaderEpoch(3));
    // The leader takes its leave: then it does.
    assert_eq!(
        codes(bench.ask(1, end(3, &[3, 1], |_| {}))),
        CODE(ErrorCode::NONE)
    );
    assert!(granted(bench.ask(2, vote(3, (1, 1), pre))));
}

#[test]
fn a_voter_asks_before_it_begins_an_epoch() {
    let mut bench = unattached(3, &[1]);
    while bench.raft.state_name() == "Unattached" {
        bench.wait(1);
    }
    // Where something has just failed, it waits for a moment.
    bench.wait(30);
    let asked = |sent: Vec<(raft::SendId, NodeId, Request)>| -> Vec<_> {
        let votes = sent
            .into_iter()
            .filter_map(|(id, to, request)| match request {
                Request::Vote(vote) => Some((id, to.0, vote.topics[0].partitions[0].clone())),
                _ => None,
            });
        votes.collect()
    };
    let before = asked(bench.sent());
    assert_eq!(
        before.iter().map(|(_, to, _)| *to).collect::<Vec<_>>(),
        [2, 3]
    );
    assert!(
        before
            .iter()
            .all(|(_, _, part)| part.pre_vote && part.replica_epoch == 3)
    );
    assert_eq!(bench.raft.election().epoch, LeaderEpoch(3));
    let response = Response::Vote(vote_answer(3, true));
    bench.step(Event::Response {
        id: before[0].0,
        response,
    });
    let votes = asked(bench.sent());
    assert_eq!(votes.len(), 2);
    assert!(
        votes
            .iter()
            .all(|(_, _, part)| !part.pre_vote && part.replica_epoch == 4)
    );
    assert_eq!(bench.raft.state_name(), "Candidate");
}

#[test]
fn without_a_majority_no_epoch_begins() {
    let mut bench = unattached(3, &[1]);
    bench.wait(60_000);
    assert_eq!(bench.raft.election().epoch, LeaderEpoch(3));
}

#[test]
fn a_vote_is_answered_with_kafkas_codes() {
    let mut bench = Bench::leader(&[1], 4);
    let mut say = |request| codes(bench.ask(2, request));
    let part = |vote: &mut wire::vote_request::VoteRequest,
                change: fn(&mut wire::vote_request::PartitionData)| {
        change(&mut vote.topics[0].partitions[0]);
    };
    let other = |vote: &mut wire::vote_request::VoteRequest| vote.cluster_id = Some(Str::from("x"));
    assert_eq!(
        say(vote(4, (1, 1), other)),
        WHOLE(ErrorCode::INCONSISTENT_CLUSTER_ID)
    );
    assert_eq!(
        say(vote(4, (1, 1), |vote| vote.topics.clear())),
        WHOLE(ErrorCode::INVALID_REQUEST)
    );
    assert_eq!(
        say(vote(3, (1, 1), |_| {})),
        CODE(ErrorCode::FENCED_LEADER_EPOCH)
    );
    assert_eq!(
        say(vote(4, (4, 9), |_| {})),
        CODE(ErrorCode::INVALID_REQUEST)
    );
    assert_eq!(
        say(vote(4, (5, 9), |_| {})),
        CODE(ErrorCode::INVALID_REQUEST)
    );
    assert_eq!(
        say(vote(0, (0, 0), |_| {})),
        CODE(ErrorCode::INVALID_REQUEST)
    );
    let nobody = |vote: &mut _| part(vote, |part| part.replica_id = -1);
    assert_eq!(
        say(vote(4, (1, 1), nobody)),
        CODE(ErrorCode::INVALID_REQUEST)
    );
    assert_eq!(
        say(vote(4, (1, 1), |vote| vote.voter_id = 9)),
        CODE(ErrorCode::INVALID_VOTER_KEY)
    );
    let elsewhere = |vote: &mut wire::vote_request::VoteRequest| {
        vote.voter_id = 1;
        part(vote, |part| part.voter_directory_id = directory(9));
    };
    assert_eq!(
        say(vote(4, (1, 1), elsewhere)),
        CODE(ErrorCode::INVALID_VOTER_KEY)
    );
    // Asked beforehand, the last record may be of the very epoch.
    let pre = |vote: &mut _| part(vote, |part| part.pre_vote = true);
    assert_eq!(say(vote(4, (4, 99), pre)), CODE(ErrorCode::NONE));
    assert_eq!(say(vote(4, (5, 99), pre)), CODE(ErrorCode::INVALID_REQUEST));
    assert!(!granted(bench.ask(2, vote(4, (4, 99), pre))));
    assert!(bench.raft.is_leader());
}

#[test]
fn beginning_and_end_are_answered_with_kafkas_codes() {
    let mut bench = following(1, 4, &[1]);
    let mut say = |request| codes(bench.ask(1, request));
    assert_eq!(
        say(begin(4, |begin| begin.cluster_id = Some(Str::from("x")))),
        WHOLE(ErrorCode::INCONSISTENT_CLUSTER_ID)
    );
    assert_eq!(
        say(begin(4, |begin| begin.topics.clear())),
        WHOLE(ErrorCode::INVALID_REQUEST)
    );
    assert_eq!(say(begin(3, |_| {})), CODE(ErrorCode::FENCED_LEADER_EPOCH));
    assert_eq!(say(begin(4, |_| {})), CODE(ErrorCode::NONE));
    assert_eq!(
        say(begin(4, |begin| begin.voter_id = 9)),
        CODE(ErrorCode::INVALID_VOTER_KEY)
    );
    let nobody = |begin: &mut wire::begin_quorum_epoch_request::BeginQuorumEpochRequest| {
        begin.topics[0].partitions[0].leader_id = -1;
    };
    assert_eq!(say(begin(4, nobody)), CODE(ErrorCode::INVALID_REQUEST));
    // A second leader of one epoch makes Kafka's process end; here it is only refused.
    let second = |begin: &mut wire::begin_quorum_epoch_request::BeginQuorumEpochRequest| {
        begin.topics[0].partitions[0].leader_id = 3;
    };
    assert_eq!(say(begin(4, second)), CODE(ErrorCode::INVALID_REQUEST));
    assert_eq!(
        say(end(4, &[], |end| end.cluster_id = Some(Str::from("x")))),
        WHOLE(ErrorCode::INCONSISTENT_CLUSTER_ID)
    );
    assert_eq!(
        say(end(3, &[], |_| {})),
        CODE(ErrorCode::FENCED_LEADER_EPOCH)
    );
    let second = |end: &mut wire::end_quorum_epoch_request::EndQuorumEpochRequest| {
        end.topics[0].partitions[0].leader_id = 3;
    };
    assert_eq!(say(end(4, &[], second)), CODE(ErrorCode::INVALID_REQUEST));
    assert_eq!(bench.raft.election().leader, Some(NodeId(2)));
}

#[test]
fn a_leader_makes_itself_known_again_to_who_does_not_fetch() {
    let mut bench = Bench::leader(&[1], 4);
    let told = |bench: &mut Bench| -> Vec<i32> {
        let sent = bench.sent().into_iter();
        let begun = sent.filter(|(_, _, request)| matches!(request, Request::BeginQuorumEpoch(_)));
        begun.map(|(_, to, _)| to.0).collect()
    };
    assert_eq!(told(&mut bench), [2, 3]);
    bench.ask(18, crate::support::fetch(2, 4, (1, 1), |_| {}));
    // The answers to the first ones were lost.
    for id in 1..100 {
        bench.step(Event::NoResponse {
            id: raft::SendId(id),
        });
    }
    bench.wait(999);
    assert_eq!(told(&mut bench), Vec::<i32>::new());
    bench.ask(18, crate::support::fetch(2, 4, (4, 2), |_| {}));
    bench.wait(2);
    assert_eq!(told(&mut bench), [3], "2 fetches, 3 does not");
}

#[test]
fn a_leader_that_no_majority_fetches_from_resigns() {
    let mut bench = Bench::leader(&[1], 4);
    bench.wait(2_000);
    bench.ask(18, crate::support::fetch(3, 4, (1, 1), |_| {}));
    bench.wait(2_990);
    assert!(
        bench.raft.is_leader(),
        "one of two others is a majority with itself"
    );
    bench.wait(10);
    assert_eq!(bench.raft.state_name(), "Resigned");
    // Where something has just failed, it waits for a moment.
    bench.wait(30);
    let sent = bench.sent();
    let ended = sent
        .iter()
        .filter(|(_, _, request)| matches!(request, Request::EndQuorumEpoch(_)));
    assert_eq!(ended.count(), 2);
    let gone = Effect::LeaderChanged {
        leader: None,
        epoch: LeaderEpoch(4),
    };
    assert!(bench.out.contains(&gone));
}

#[test]
fn after_a_leave_the_first_successor_goes_first() {
    let campaigns_after = |successors: &[i32]| {
        let mut bench = following(1, 4, &[1]);
        bench.ask(1, end(4, successors, |_| {}));
        (0..3_000).find(|_| {
            bench.wait(1);
            bench.raft.state_name() == "Prospective"
        })
    };
    assert_eq!(campaigns_after(&[1, 3]), Some(0));
    assert_eq!(campaigns_after(&[3, 1]), Some(499));
}

#[test]
fn a_leader_that_is_to_stop_names_successors_and_waits_for_who_must_know() {
    let mut bench = Bench::leader(&[1], 4);
    bench.ask(18, crate::support::fetch(2, 4, (1, 1), |_| {}));
    bench.ask(18, crate::support::fetch(3, 4, (4, 2), |_| {}));
    bench.sent();
    bench.step(Event::Resign);
    assert!(!bench.has(|effect| matches!(effect, Effect::MayStop)));
    let ends = bench.sent();
    for (_, _, request) in &ends {
        let Request::EndQuorumEpoch(end) = request else {
            panic!("{request:?}");
        };
        let named = &end.topics[0].partitions[0].preferred_candidates;
        let named: Vec<i32> = named.iter().map(|one| one.candidate_id).collect();
        assert_eq!(named, [3, 2], "3 has more");
    }
    for (id, _, _) in ends {
        let part = wire::end_quorum_epoch_response::PartitionData {
            leader_id: 1,
            leader_epoch: 4,
            ..Default::default()
        };
        let response =
            Response::EndQuorumEpoch(wire::end_quorum_epoch_response::EndQuorumEpochResponse {
                topics: vec![wire::end_quorum_epoch_response::TopicData {
                    partitions: vec![part],
                    ..Default::default()
                }],
                ..Default::default()
            });
        bench.step(Event::Response { id, response });
    }
    assert!(bench.has(|effect| matches!(effect, Effect::MayStop)));
    bench.wait(60_000);
    assert_ne!(bench.raft.state_name(), "Leader", "it never leads again");
    assert_eq!(bench.raft.election().epoch, LeaderEpoch(4));
}

#[test]
fn who_led_before_a_restart_does_not_lead_on_in_that_epoch() {
    let election = Election {
        epoch: LeaderEpoch(4),
        leader: Some(NodeId(1)),
        voted: None,
    };
    let mut bench = Bench::voter(1, &[1, 2, 3], &[1, 4], election);
    assert_eq!(bench.raft.state_name(), "Resigned");
    assert!(
        !granted(bench.ask(2, vote(4, (1, 1), |_| {}))),
        "the epoch has had its leader"
    );
    bench.elect(&[2]);
    assert_eq!(bench.raft.election().epoch, LeaderEpoch(5));
    assert_eq!(log(&[1, 4]).log_end(), Offset(2));
    assert_eq!(
        bench.raft.log().log_end(),
        Offset(3),
        "one record, that it leads"
    );
}
