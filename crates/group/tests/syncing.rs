//! The sync phase, heartbeats, commits and leaving.

use crate::script::{Script, asks, id, protocols};
use brooklet_group::{Group, GroupConfig, Leaver, Refusal, State, SyncRequest};
use ids::Generation;

#[test]
fn nobody_gets_an_assignment_before_it_is_stored() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    let follower = s.send_sync(&members[1], 2, &[]);
    let leader = s.send_sync(&members[0], 2, &[(&members[0], "aa"), (&members[1], "bb")]);
    assert!(s.syncs.is_empty());
    assert_eq!(s.group.state(), State::CompletingRebalance);
    let record = &s.records[0].1;
    assert_eq!(record.generation, Generation(2));
    assert_eq!(record.leader.as_ref(), Some(&members[0]));
    assert_eq!(&record.members[1].assignment[..], b"bb");

    s.store(true);
    assert_eq!(s.group.state(), State::Stable);
    assert_eq!(&s.syncs[&leader].clone().unwrap().assignment[..], b"aa");
    assert_eq!(&s.syncs[&follower].clone().unwrap().assignment[..], b"bb");
    // Later ones are answered at once, whatever a leader says now.
    let late = s.send_sync(&members[0], 2, &[(&members[0], "other")]);
    assert_eq!(&s.syncs[&late].clone().unwrap().assignment[..], b"aa");
    assert!(s.records.is_empty());
}

#[test]
fn members_the_leader_leaves_out_get_nothing_and_made_up_ones_are_ignored() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    let leader = s.send_sync(&members[0], 2, &[("made up", "xx")]);
    s.store(true);
    assert!(s.syncs[&leader].clone().unwrap().assignment.is_empty());
    assert_eq!(s.group.describe().members.len(), 2);
}

#[test]
fn an_assignment_that_cannot_be_stored_is_refused_and_the_group_starts_again() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    let follower = s.send_sync(&members[1], 2, &[]);
    let leader = s.send_sync(&members[0], 2, &[(&members[0], "aa")]);
    s.store(false);
    assert_eq!(s.syncs[&leader], Err(Refusal::NotStored));
    assert_eq!(s.syncs[&follower], Err(Refusal::NotStored));
    assert_eq!(s.group.state(), State::PreparingRebalance);
}

#[test]
fn a_leader_that_repeats_its_sync_orders_no_second_assignment() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    let first = s.send_sync(&members[0], 2, &[(&members[0], "aa")]);
    let second = s.send_sync(&members[0], 2, &[(&members[0], "bb")]);
    assert_eq!(s.records.len(), 1);
    assert_eq!(s.syncs[&first], Err(Refusal::RebalanceInProgress));
    s.store(true);
    assert_eq!(&s.syncs[&second].clone().unwrap().assignment[..], b"aa");
}

#[test]
fn a_member_that_does_not_sync_within_the_rebalance_timeout_is_removed() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    s.sync(&members[0], 2, &[(&members[0], "aa")]);
    for _ in 0..11 {
        s.pass(5_000);
        assert!(s.heartbeat(&members[0], 2).is_ok());
        assert!(s.heartbeat(&members[1], 2).is_ok());
    }
    assert_eq!(s.timed_out, []);
    s.pass(5_000);
    assert_eq!(s.timed_out, [id("app")]);
    assert_eq!(s.heartbeat(&members[1], 2), Err(Refusal::UnknownMember));
    assert_eq!(
        s.heartbeat(&members[0], 2),
        Err(Refusal::RebalanceInProgress)
    );
}

#[test]
fn a_rebalance_refuses_the_parked_syncs() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    let follower = s.send_sync(&members[1], 2, &[]);
    s.send_join(asks(""));
    assert_eq!(s.syncs[&follower], Err(Refusal::RebalanceInProgress));
    let again = s.send_sync(&members[1], 2, &[]);
    assert_eq!(s.syncs[&again], Err(Refusal::RebalanceInProgress));
}

#[test]
fn a_sync_is_checked_for_member_generation_and_protocol() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    let unknown = s.send_sync("nobody", 2, &[]);
    assert_eq!(s.syncs[&unknown], Err(Refusal::UnknownMember));
    let old = s.send_sync(&members[1], 1, &[]);
    assert_eq!(s.syncs[&old], Err(Refusal::IllegalGeneration));
    s.sync_request(&SyncRequest {
        waiter: 900,
        member_id: members[1].clone(),
        instance_id: None,
        generation: Generation(2),
        protocol_type: Some(id("consumer")),
        protocol: Some(id("sticky")),
        assignments: Vec::new(),
    });
    assert_eq!(s.syncs[&900], Err(Refusal::InconsistentProtocol));
}

#[test]
fn heartbeats_are_fine_before_the_sync_and_refused_in_a_rebalance() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    assert_eq!(s.heartbeat(&members[0], 2), Ok(()));
    assert_eq!(s.heartbeat(&members[0], 1), Err(Refusal::IllegalGeneration));
    assert_eq!(s.heartbeat("nobody", 2), Err(Refusal::UnknownMember));
    s.send_join(asks(""));
    assert_eq!(
        s.heartbeat(&members[0], 2),
        Err(Refusal::RebalanceInProgress)
    );
}

#[test]
fn a_member_without_heartbeats_is_removed_and_the_rest_rebalances() {
    let mut s = Script::new();
    let members = s.stable(2);
    let generation = s.group.generation().0;
    s.pass(9_999);
    assert!(s.heartbeat(&members[0], generation).is_ok());
    assert_eq!(s.timed_out, []);
    s.pass(1);
    assert_eq!(s.group.member_count(), 1);
    assert_eq!(s.timed_out, [id("app")]);
    assert_eq!(
        s.heartbeat(&members[0], generation),
        Err(Refusal::RebalanceInProgress)
    );
    assert!(s.join(asks(&members[0])).is_ok());
}

#[test]
fn a_parked_join_is_given_up_only_when_its_client_was_never_answered() {
    let mut s = Script::new();
    let mut slow = asks("");
    slow.rebalance_timeout_ms = 1_000_000;
    slow.session_timeout_ms = 1_000_000;
    let staying = s.join(slow.clone()).unwrap().member_id;
    s.sync(&staying, 1, &[]);
    // It keeps heartbeating and never rejoins, so the newcomer's join stays parked.
    let newcomer = s.send_join(asks(""));
    s.pass(299_999);
    assert!(!s.joins.contains_key(&newcomer));
    s.pass(1);
    assert_eq!(s.joins[&newcomer], Err(Refusal::UnknownMember));
}

#[test]
fn members_leave_by_id_or_by_name_each_with_its_own_answer() {
    let mut s = Script::new();
    let mut named = asks("");
    named.instance_id = Some(id("i1"));
    let held = s.join(named).unwrap().member_id;
    assert_eq!(s.leave("nobody", None), Err(Refusal::UnknownMember));
    assert_eq!(s.leave(&held, Some("other")), Err(Refusal::UnknownMember));
    assert_eq!(s.leave("nobody", Some("i1")), Err(Refusal::FencedInstance));
    assert_eq!(s.leave("", Some("i1")), Ok(()));
    assert_eq!(s.leave("", Some("i1")), Err(Refusal::UnknownMember));
    assert_eq!(s.group.state(), State::Empty);

    let members = s.stable(2);
    let leavers: Vec<Leaver> = ["nobody", &members[0], &members[1]]
        .map(|member| Leaver {
            member_id: id(member),
            instance_id: None,
        })
        .into();
    let before = s.group.generation().0;
    let answers = s.group.leave(s.now, &leavers, &mut Vec::new());
    assert_eq!(answers, [Err(Refusal::UnknownMember), Ok(()), Ok(())]);
    assert_eq!(s.group.state(), State::Empty);
    assert_eq!(s.group.generation().0, before + 1);
}

#[test]
fn the_last_to_leave_leaves_an_empty_generation_behind_that_is_stored() {
    let mut s = Script::new();
    let members = s.stable(1);
    s.leave(&members[0], None).unwrap();
    let (_, record) = &s.records[0];
    assert_eq!(record.generation, Generation(2));
    assert_eq!(record.protocol_type.as_deref(), Some("consumer"));
    assert_eq!((&record.protocol, &record.leader), (&None, &None));
    assert!(record.members.is_empty());
    assert_eq!(s.group.check_delete(), Ok(()));
}

#[test]
fn commits_are_checked_for_generation_member_and_state() {
    let mut s = Script::new();
    let check = |s: &mut Script, member: &str, instance: Option<&str>, generation: i32| {
        s.group
            .check_commit(s.now, member, instance, Generation(generation), false)
    };
    // A consumer that manages its partitions itself.
    assert_eq!(check(&mut s, "", None, -1), Ok(()));
    let members = two_joined(&mut s);
    assert_eq!(
        check(&mut s, &members[0], None, 2),
        Err(Refusal::RebalanceInProgress)
    );
    s.sync(&members[0], 2, &[]);
    assert_eq!(check(&mut s, &members[0], None, 2), Ok(()));
    assert_eq!(
        check(&mut s, &members[0], None, 99),
        Err(Refusal::IllegalGeneration)
    );
    assert_eq!(
        check(&mut s, "nobody", None, 2),
        Err(Refusal::UnknownMember)
    );
    assert_eq!(check(&mut s, "", None, -1), Err(Refusal::UnknownMember));
    assert_eq!(
        check(&mut s, &members[0], Some("i2"), 2),
        Err(Refusal::UnknownMember)
    );
    // While rebalancing, the old generation may still commit.
    s.send_join(asks(""));
    assert_eq!(check(&mut s, &members[0], None, 2), Ok(()));
    assert_eq!(s.group.check_delete(), Err(Refusal::NotEmpty));
}

#[test]
fn a_static_member_that_comes_back_disturbs_nobody_and_fences_its_predecessor() {
    let mut s = Script::new();
    let mut named = asks("");
    named.instance_id = Some(id("i1"));
    let former = s.join(named.clone()).unwrap().member_id;
    assert!(former.starts_with("i1-"));
    s.sync(&former, 1, &[(&former, "share")]);

    let waiter = s.send_join(named.clone());
    assert!(
        !s.joins.contains_key(&waiter),
        "answered before the record is stored"
    );
    s.store(true);
    let back = s.joins[&waiter].clone().unwrap();
    assert_ne!(back.member_id, former);
    assert_eq!(back.generation.0, 1);
    assert!(back.skip_assignment);
    assert_eq!(back.members.len(), 1);
    assert_eq!(s.group.state(), State::Stable);
    let fenced = s.group.heartbeat(s.now, &former, Some("i1"), Generation(1));
    assert_eq!(fenced, Err(Refusal::FencedInstance));
    named.member_id = former;
    assert_eq!(s.join(named), Err(Refusal::FencedInstance));
    s.sync(&back.member_id, 1, &[]);
    let share = s
        .syncs
        .last_key_value()
        .unwrap()
        .1
        .clone()
        .unwrap()
        .assignment;
    assert_eq!(&share[..], b"share");
}

#[test]
fn an_old_client_of_a_static_leader_hears_the_former_leaders_id() {
    let mut s = Script::new();
    let mut named = asks("");
    named.instance_id = Some(id("i1"));
    named.can_skip_assignment = false;
    let former = s.join(named.clone()).unwrap().member_id;
    s.sync(&former, 1, &[]);
    let waiter = s.send_join(named);
    s.store(true);
    let back = s.joins[&waiter].clone().unwrap();
    assert_eq!(back.leader, former);
    assert!(!back.skip_assignment && back.members.is_empty());
    assert_eq!(s.group.leader(), Some(&back.member_id));
}

#[test]
fn a_static_member_that_comes_back_during_the_sync_rebalances() {
    let mut s = Script::new();
    let mut named = asks("");
    named.instance_id = Some(id("i1"));
    s.join(named.clone()).unwrap();
    let back = s.join(named).unwrap();
    assert_eq!(back.generation.0, 2);
    assert_eq!(back.leader, back.member_id);
}

#[test]
fn a_static_member_whose_return_meets_a_rebalance_takes_part_in_it() {
    let mut s = Script::new();
    let mut named = asks("");
    named.instance_id = Some(id("i1"));
    let former = s.join(named.clone()).unwrap().member_id;
    s.sync(&former, 1, &[]);
    let back = s.send_join(named);
    let other = s.join(asks("")).unwrap();
    let back = s.joins[&back].clone().unwrap();
    assert_eq!((back.generation.0, other.generation.0), (2, 2));
    assert!(!back.skip_assignment);
    s.store(true);
    assert_eq!(s.group.state(), State::CompletingRebalance);
}

#[test]
fn a_static_member_that_restarts_in_the_first_join_phase_is_waited_for() {
    let mut s = Script::with(GroupConfig {
        initial_delay_ms: 50_000,
        ..GroupConfig::default()
    });
    let mut named = asks("");
    named.instance_id = Some(id("i1"));
    let former = s.send_join(named.clone());
    let back = s.send_join(named);
    assert_eq!(s.joins[&former], Err(Refusal::FencedInstance));
    // Longer than its session, in which it could not send a heartbeat.
    s.pass(50_000);
    assert!(s.joins[&back].is_ok());
}

#[test]
fn an_assignment_stored_late_has_no_effect_on_the_next_generation() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    let overtaken = s.send_sync(&members[0], 2, &[(&members[0], "old")]);
    let mut changed = asks(&members[1]);
    changed.protocols = protocols(&["range", "sticky"]);
    s.send_join(changed);
    assert_eq!(s.syncs[&overtaken], Err(Refusal::RebalanceInProgress));
    assert_eq!(s.join(asks(&members[0])).unwrap().generation.0, 3);
    let waiting = s.send_sync(&members[1], 3, &[]);
    s.store(true);
    assert!(!s.syncs.contains_key(&waiting));
    assert_eq!(s.group.state(), State::CompletingRebalance);
}

#[test]
fn an_absent_static_member_stays_until_its_session_ends() {
    let mut s = Script::new();
    let mut named = asks("");
    named.instance_id = Some(id("i1"));
    named.rebalance_timeout_ms = 1_000;
    let held = s.join(named.clone()).unwrap().member_id;
    s.sync(&held, 1, &[]);
    let mut other = asks("");
    other.rebalance_timeout_ms = 1_000;
    let waiter = s.send_join(other);
    s.pass(1_000);
    let answer = s.joins[&waiter].clone().unwrap();
    assert_eq!(answer.members.len(), 2, "the absent one keeps its place");
    assert_eq!(answer.leader, answer.member_id, "but it does not lead");
}

#[test]
fn a_group_is_restored_from_its_record_with_fresh_sessions() {
    let mut s = Script::new();
    let members = s.stable(2);
    let record = s.group.snapshot();
    s.now = s.now.plus_millis(1_000_000);
    s.group = Group::restore(id("g"), GroupConfig::default(), s.now, record.clone());
    assert_eq!(s.group.snapshot(), record);
    assert_eq!(s.group.state(), State::Stable);
    s.pass(9_999);
    assert_eq!(s.heartbeat(&members[0], 2), Ok(()));
    // Unchanged under the one protocol that the record names: nothing to do.
    assert_eq!(s.join(asks(&members[1])).unwrap().generation.0, 2);
    s.pass(1);
    assert_eq!(s.group.member_count(), 2);
}

#[test]
fn a_description_shows_metadata_of_a_stable_group_only() {
    let mut s = Script::new();
    let members = two_joined(&mut s);
    let before = s.group.describe();
    assert_eq!(
        (&*before.protocol, before.state.name()),
        ("", "CompletingRebalance")
    );
    assert!(before.members[0].metadata.is_empty());
    s.sync(&members[0], 2, &[]);
    let after = s.group.describe();
    assert_eq!(
        (&*after.protocol, &*after.protocol_type),
        ("range", "consumer")
    );
    assert_eq!(&after.members[0].metadata[..], b"topics for range");
    assert_eq!(s.group.subscriptions().count(), 2);
}

/// Two members that have joined generation 2 and not synced; the leader first.
fn two_joined(s: &mut Script) -> [std::sync::Arc<str>; 2] {
    let first = s.join(asks("")).expect("a join").member_id;
    let second = s.send_join(asks(""));
    let mut request = asks(&first);
    request.protocols = protocols(&["range"]);
    assert!(s.join(request).is_ok());
    let second = s.joins[&second].clone().expect("a join").member_id;
    [first, second]
}
