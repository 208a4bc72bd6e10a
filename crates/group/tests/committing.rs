//! What is committed, when it is seen, and when it goes.

use brooklet_group::{Commit, Expiry, Group, GroupConfig, GroupState, OffsetChange, Offsets};
use ids::{Generation, LeaderEpoch, Offset, PartitionIndex, ProducerId, Time, Uuid};
use std::sync::Arc;

const DAY_MS: u64 = 86_400_000;
const P0: PartitionIndex = PartitionIndex(0);

#[test]
fn a_commit_is_seen_only_once_it_is_stored() {
    let mut offsets = Offsets::default();
    let first = offsets.begin(vec![change("t", Some(5))]);
    assert_eq!(seen(&offsets, "t"), None);
    assert!(!offsets.is_empty());
    offsets.persisted(first, true);
    assert_eq!(seen(&offsets, "t"), Some(5));
    let lost = offsets.begin(vec![change("t", Some(9))]);
    offsets.persisted(lost, false);
    offsets.persisted(lost, true);
    assert_eq!(seen(&offsets, "t"), Some(5));
}

#[test]
fn the_later_of_two_commits_wins_in_whichever_order_they_are_confirmed() {
    for confirm_first in [0, 1] {
        let mut offsets = Offsets::default();
        let tickets = [5, 4].map(|offset| offsets.begin(vec![change("t", Some(offset))]));
        offsets.persisted(tickets[confirm_first], true);
        offsets.persisted(tickets[1 - confirm_first], true);
        assert_eq!(seen(&offsets, "t"), Some(4), "going back is allowed");
    }
}

#[test]
fn a_deletion_leaves_nothing_behind() {
    let mut offsets = Offsets::default();
    offsets.replay(None, change("t", Some(-7)));
    assert_eq!(
        seen(&offsets, "t"),
        Some(-7),
        "negative offsets are accepted"
    );
    offsets.replay(Some(ProducerId(1)), change("t", Some(8)));
    let ticket = offsets.begin(vec![change("t", None)]);
    offsets.persisted(ticket, true);
    assert!(offsets.is_empty());
    assert_eq!(offsets.len(), 0);
}

#[test]
fn a_transactions_commits_are_unstable_until_it_ends_and_vanish_if_it_aborts() {
    for committed in [true, false] {
        let mut offsets = Offsets::default();
        let producer = ProducerId(7);
        let ticket = offsets.begin_transactional(producer, vec![change("t", Some(5))]);
        assert!(offsets.is_unstable("t", P0));
        offsets.persisted(ticket, true);
        assert!(offsets.is_unstable("t", P0));
        assert!(!offsets.is_unstable("other", P0));
        assert_eq!(seen(&offsets, "t"), None);
        offsets.end_transaction(producer, committed);
        assert!(!offsets.is_unstable("t", P0));
        assert_eq!(seen(&offsets, "t"), committed.then_some(5));
    }
}

#[test]
fn a_transaction_does_not_undo_a_later_commit() {
    let mut offsets = Offsets::default();
    offsets.replay(Some(ProducerId(7)), change("t", Some(5)));
    offsets.replay(None, change("t", Some(6)));
    offsets.end_transaction(ProducerId(7), true);
    assert_eq!(seen(&offsets, "t"), Some(6));
}

#[test]
fn offsets_age_from_the_moment_the_groups_state_says() {
    let mut offsets = Offsets::default();
    offsets.replay(None, change("kept", Some(1)));
    offsets.replay(None, change("left", Some(1)));
    offsets.replay(Some(ProducerId(7)), change("left", Some(2)));
    offsets.replay(None, change("old", Some(1)));
    let subscribed = |topic: &str| topic == "kept";
    let gone = |now: u64, expiry: Expiry| -> Vec<String> {
        let now = Time(0).plus_millis(now);
        let changes = offsets.expired(now, 7 * DAY_MS, expiry, &subscribed);
        assert!(changes.iter().all(|change| change.commit.is_none()));
        changes
            .iter()
            .map(|change| change.topic.to_string())
            .collect()
    };
    assert!(gone(100 * DAY_MS, Expiry::Never).is_empty());
    assert!(gone(7 * DAY_MS - 1, Expiry::SinceCommit).is_empty());
    // What an open transaction may still change stays.
    assert_eq!(gone(7 * DAY_MS, Expiry::SinceCommit), ["kept", "old"]);
    assert_eq!(gone(7 * DAY_MS, Expiry::UnsubscribedSinceCommit), ["old"]);
    let since = Expiry::Since(Time(0).plus_millis(DAY_MS));
    assert!(gone(8 * DAY_MS - 1, since).is_empty());
    assert_eq!(gone(8 * DAY_MS, since), ["kept", "old"]);
}

#[test]
fn an_old_clients_own_expiry_counts_instead() {
    let mut offsets = Offsets::default();
    let mut own = change("t", Some(1));
    if let Some(commit) = &mut own.commit {
        commit.expires_at = Some(Time(0).plus_millis(10));
    }
    offsets.replay(None, own);
    let at = |ms| {
        offsets.expired(
            Time(0).plus_millis(ms),
            DAY_MS,
            Expiry::SinceCommit,
            &|_| false,
        )
    };
    assert!(at(9).is_empty());
    assert_eq!(at(10).len(), 1);
}

#[test]
fn which_moment_counts_follows_from_the_group() {
    let now = Time(0).plus_millis(5);
    let group = |kind: Option<&str>, since: Option<Time>| {
        let state = GroupState {
            protocol_type: kind.map(Arc::from),
            generation: Generation(3),
            protocol: None,
            leader: None,
            state_since: since,
            members: Vec::new(),
        };
        Group::restore(Arc::from("g"), GroupConfig::default(), now, state).offset_expiry()
    };
    assert_eq!(group(None, Some(now)), Expiry::SinceCommit);
    assert_eq!(group(Some(""), Some(now)), Expiry::SinceCommit);
    assert_eq!(group(Some("consumer"), Some(now)), Expiry::Since(now));
    assert_eq!(group(Some("consumer"), None), Expiry::SinceCommit);
}

fn seen(offsets: &Offsets, topic: &str) -> Option<i64> {
    offsets.fetch(topic, P0).map(|commit| commit.offset.0)
}

fn change(topic: &str, offset: Option<i64>) -> OffsetChange {
    OffsetChange {
        topic: Arc::from(topic),
        partition: P0,
        commit: offset.map(|offset| Commit {
            offset: Offset(offset),
            leader_epoch: LeaderEpoch::NONE,
            metadata: Arc::from(""),
            committed_at: Time(0),
            expires_at: None,
            topic_id: Uuid::ZERO,
        }),
    }
}
