//! The join phase, as members and their operator notice it.

use crate::script::{Script, asks, id, protocols};
use brooklet_group::{GroupConfig, PROTOCOL_BYTES_MAX, PROTOCOLS_MAX, Refusal, State};
use bytes::Bytes;

#[test]
fn a_new_member_first_gets_its_id_and_joins_with_it() {
    let mut s = Script::new();
    let mut request = asks("");
    request.require_known_member = true;
    let Err(Refusal::MemberIdRequired(given)) = s.join(request.clone()) else {
        panic!("expected an id");
    };
    assert!(given.starts_with("app-"));
    assert_eq!(given.len(), "app-".len() + 36);
    // Until it joins it is nobody.
    assert_eq!(s.heartbeat(&given, -1), Err(Refusal::UnknownMember));
    assert_eq!(s.group.state(), State::Empty);

    request.member_id = given.clone();
    let answer = s.join(request).unwrap();
    assert_eq!(answer.member_id, given);
    assert_eq!(answer.leader, given);
    assert_eq!(answer.generation.0, 1);
    assert_eq!(answer.protocol.as_deref(), Some("range"));
    assert_eq!(answer.members.len(), 1);
    assert_eq!(&answer.members[0].metadata[..], b"topics for range");
}

#[test]
fn an_id_that_nobody_joins_with_is_forgotten_after_the_session_timeout() {
    let mut s = Script::new();
    let mut request = asks("");
    request.require_known_member = true;
    let Err(Refusal::MemberIdRequired(given)) = s.join(request.clone()) else {
        panic!("expected an id");
    };
    assert!(!s.group.is_blank());
    s.pass(10_000);
    assert!(s.group.is_blank());
    request.member_id = given;
    assert_eq!(s.join(request), Err(Refusal::UnknownMember));
}

#[test]
fn the_first_rebalance_waits_and_each_newcomer_prolongs_it() {
    let mut s = Script::with(GroupConfig::default());
    let first = s.send_join(asks(""));
    s.pass(2_999);
    let second = s.send_join(asks(""));
    s.pass(2_999);
    assert!(s.joins.is_empty());
    s.pass(2);
    // 6 seconds after the first, for the second came within the first delay.
    let leader = s.joins[&first].clone().unwrap();
    let follower = s.joins[&second].clone().unwrap();
    assert_eq!(leader.generation.0, 1);
    assert_eq!(leader.leader, leader.member_id);
    assert_eq!(follower.leader, leader.member_id);
    let order: Vec<_> = leader.members.iter().map(|m| m.member_id.clone()).collect();
    assert_eq!(order, [leader.member_id, follower.member_id]);
    assert!(follower.members.is_empty());
}

#[test]
fn the_first_rebalance_is_not_prolonged_beyond_the_rebalance_timeout() {
    let mut s = Script::with(GroupConfig::default());
    let mut request = asks("");
    request.rebalance_timeout_ms = 5_000;
    let first = s.send_join(request.clone());
    for _ in 0..4 {
        s.pass(1_500);
        s.send_join(request.clone());
        if s.joins.contains_key(&first) {
            break;
        }
    }
    // 3 s of delay and the 2 s that remain of 5 s.
    assert!(s.joins[&first].is_ok());
    assert!(s.now.since(ids::Time::from_millis(1_000_000)) <= 6_000_000);
}

#[test]
fn a_later_rebalance_ends_as_soon_as_everybody_is_back() {
    let mut s = Script::new();
    let members = s.stable(1);
    let newcomer = s.send_join(asks(""));
    assert_eq!(s.group.state(), State::PreparingRebalance);
    assert!(!s.joins.contains_key(&newcomer));
    let answer = s.join(asks(&members[0])).unwrap();
    assert_eq!(answer.generation.0, 2);
    assert_eq!(answer.leader, members[0]);
    assert_eq!(answer.members.len(), 2);
    assert_eq!(s.joins[&newcomer].clone().unwrap().members.len(), 0);
}

#[test]
fn a_member_that_does_not_rejoin_is_removed_and_its_leadership_passes_on() {
    let mut s = Script::new();
    let members = s.stable(1);
    let mut request = asks("");
    request.rebalance_timeout_ms = 1_000;
    let newcomer = s.send_join(request);
    s.heartbeat(&members[0], 1).unwrap_err();
    // The longest rebalance timeout of all members counts; heartbeats go on.
    for _ in 0..11 {
        s.pass(5_000);
        assert_eq!(
            s.heartbeat(&members[0], 1),
            Err(Refusal::RebalanceInProgress)
        );
        assert!(!s.joins.contains_key(&newcomer));
    }
    s.pass(5_000);
    let answer = s.joins[&newcomer].clone().unwrap();
    assert_eq!(answer.generation.0, 2);
    assert_eq!(answer.leader, answer.member_id);
    assert_eq!(s.timed_out, [id("app")]);
    assert_eq!(s.heartbeat(&members[0], 2), Err(Refusal::UnknownMember));
}

#[test]
fn the_leader_keeps_its_role_whatever_the_order_of_rejoining() {
    let mut s = Script::new();
    let members = s.stable(2);
    let newcomer = s.send_join(asks(""));
    s.send_join(asks(&members[1]));
    let answer = s.join(asks(&members[0])).unwrap();
    assert_eq!(answer.leader, members[0]);
    assert_eq!(s.joins[&newcomer].clone().unwrap().leader, members[0]);
}

#[test]
fn an_unchanged_follower_that_joins_a_stable_group_hears_the_generation_again() {
    let mut s = Script::new();
    let members = s.stable(2);
    let generation = s.group.generation();
    let answer = s.join(asks(&members[1])).unwrap();
    assert_eq!(answer.generation, generation);
    assert_eq!(s.group.state(), State::Stable);
}

#[test]
fn a_leader_or_a_changed_follower_that_joins_a_stable_group_rebalances_it() {
    for (who, changed) in [(0, false), (1, true)] {
        let mut s = Script::new();
        let members = s.stable(2);
        let mut request = asks(&members[who]);
        if changed {
            request.protocols = protocols(&["range", "roundrobin"]);
        }
        let waiter = s.send_join(request);
        assert!(!s.joins.contains_key(&waiter));
        assert_eq!(s.group.state(), State::PreparingRebalance);
    }
}

#[test]
fn the_protocol_most_members_prefer_among_the_shared_ones_wins() {
    let mut s = Script::with(GroupConfig::default());
    for names in [
        &["only-mine", "sticky", "range"][..],
        &["range", "sticky"],
        &["range", "sticky", "only-his"],
    ] {
        let mut request = asks("");
        request.protocols = protocols(names);
        s.send_join(request);
    }
    s.pass(60_000);
    assert_eq!(
        s.joins[&1].clone().unwrap().protocol.as_deref(),
        Some("range")
    );
}

#[test]
fn a_member_supports_a_bounded_number_of_protocols_with_bounded_metadata() {
    let mut s = Script::new();
    let names: Vec<String> = (0..=PROTOCOLS_MAX).map(|at| format!("p{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut many = asks("");
    many.protocols = protocols(&names);
    assert_eq!(s.join(many.clone()), Err(Refusal::InconsistentProtocol));
    many.protocols.pop();
    many.protocols[0].metadata = vec![0; PROTOCOL_BYTES_MAX + 1].into();
    assert_eq!(s.join(many.clone()), Err(Refusal::InconsistentProtocol));
    many.protocols[0].metadata = Bytes::new();
    many.require_known_member = true;
    let asked = s.join(many);
    assert!(matches!(asked, Err(Refusal::MemberIdRequired(_))));
}

#[test]
fn a_member_without_a_shared_protocol_or_of_another_kind_is_refused() {
    let mut s = Script::new();
    let mut nothing = asks("");
    nothing.protocols = Vec::new();
    assert_eq!(s.join(nothing.clone()), Err(Refusal::InconsistentProtocol));
    nothing.protocols = protocols(&["range"]);
    nothing.protocol_type = id("");
    assert_eq!(s.join(nothing), Err(Refusal::InconsistentProtocol));
    assert!(s.group.is_blank());

    s.stable(1);
    let mut other = asks("");
    other.protocols = protocols(&["sticky"]);
    assert_eq!(s.join(other), Err(Refusal::InconsistentProtocol));
    let mut kind = asks("");
    kind.protocol_type = id("connect");
    assert_eq!(s.join(kind), Err(Refusal::InconsistentProtocol));
}

#[test]
fn session_timeouts_outside_of_the_configured_range_are_refused() {
    let mut s = Script::new();
    for millis in [100, 5_999, 1_800_001, -1] {
        let mut request = asks("");
        request.session_timeout_ms = millis;
        assert_eq!(s.join(request), Err(Refusal::InvalidSessionTimeout));
    }
}

#[test]
fn a_full_group_takes_no_more_members_and_keeps_those_it_has() {
    let mut s = Script::with(GroupConfig {
        initial_delay_ms: 0,
        max_size: 2,
        ..GroupConfig::default()
    });
    let members = s.stable(2);
    assert_eq!(s.join(asks("")), Err(Refusal::GroupMaxSize));
    assert_eq!(s.group.state(), State::Stable);
    assert!(s.join(asks(&members[1])).is_ok());
}

#[test]
fn an_unknown_member_cannot_join() {
    let mut s = Script::new();
    assert_eq!(s.join(asks("nobody")), Err(Refusal::UnknownMember));
    s.stable(1);
    assert_eq!(s.join(asks("nobody")), Err(Refusal::UnknownMember));
}

#[test]
fn a_repeated_join_takes_the_place_of_the_parked_one() {
    let mut s = Script::new();
    let members = s.stable(2);
    let mut request = asks(&members[0]);
    request.protocols = protocols(&["range", "roundrobin"]);
    let parked = s.send_join(request.clone());
    let again = s.send_join(request);
    assert_eq!(s.joins[&parked], Err(Refusal::RebalanceInProgress));
    assert!(!s.joins.contains_key(&again));
}

#[test]
fn a_closed_group_answers_all_who_wait() {
    let mut s = Script::new();
    let members = s.stable(2);
    let parked = s.send_join(asks(&members[0]));
    let mut out = Vec::new();
    s.group.close(s.now, &Refusal::Dead, &mut out);
    s.take(out);
    assert_eq!(s.joins[&parked], Err(Refusal::Dead));
    assert_eq!(s.join(asks("")), Err(Refusal::Dead));
    assert_eq!(s.heartbeat(&members[0], 2), Err(Refusal::Dead));
    assert_eq!(s.group.next_deadline(), None);
}
