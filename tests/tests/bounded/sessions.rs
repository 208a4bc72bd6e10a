//! What it costs a fetch session to change all that it has.

use super::{Cost, complaint, cost_of, frame, node};
use bytes::Bytes;
use ids::ConnId;
use tests::direct::Direct;
use wire::Str;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use wire::fetch_response::FetchResponse;

/// Partitions of a session: as many as it may have, and a tenth of that.
const MANY: usize = 19_000;
const FEW: usize = MANY / 10;

/// A request of a session about partition 0 of so many topics; the first makes the session.
fn fetch(session_id: i32, session_epoch: i32, topics: usize, forgotten: usize) -> Bytes {
    let name = |at: usize| Str::from(format!("topic-{at}"));
    let wanted = (0..topics).rev().map(|at| FetchTopic {
        topic: name(at),
        partitions: vec![FetchPartition::default()],
        ..FetchTopic::default()
    });
    let forgotten = (0..forgotten).map(|at| ForgottenTopic {
        topic: name(at),
        partitions: vec![0],
        ..ForgottenTopic::default()
    });
    let request = FetchRequest {
        session_id,
        session_epoch,
        topics: wanted.collect(),
        forgotten_topics_data: forgotten.collect(),
        ..FetchRequest::default()
    };
    frame(11, &request)
}

/// Sends what makes a session of so many partitions; gives its id and what that cost.
fn begin(direct: &mut Direct, conn: ConnId, topics: usize) -> (i32, Cost) {
    let cost = cost_of(direct, conn, fetch(0, 0, topics, 0));
    let answer: FetchResponse = direct.answer(conn, 11);
    assert_ne!(answer.session_id, 0, "there is room for a session");
    (answer.session_id, cost)
}

/// A session is made of one partition, gets all others at once, names them all again, forgets them.
fn life(topics: usize) -> [Cost; 4] {
    let (mut direct, conn) = node();
    let (full, _) = begin(&mut direct, conn, topics);
    let (id, _) = begin(&mut direct, conn, 1);
    let added = cost_of(&mut direct, conn, fetch(id, 1, topics, 0));
    let again = cost_of(&mut direct, conn, fetch(id, 2, topics, 0));
    let forgotten = cost_of(&mut direct, conn, fetch(id, 3, 0, topics));
    // Of the other one as well, which was made with all of them.
    let other = cost_of(&mut direct, conn, fetch(full, 1, 0, topics));
    [added, again, forgotten, other]
}

pub(crate) fn complaints() -> Vec<String> {
    let what = [
        "a session that gets partitions",
        "a session whose partitions are all named again",
        "a session that forgets its partitions",
        "a session that forgets what it was made with",
    ];
    let costs = life(FEW).into_iter().zip(life(MANY));
    let costs = what.into_iter().zip(costs);
    costs
        .filter_map(|(name, (few, many))| complaint(name, few, many))
        .collect()
}
