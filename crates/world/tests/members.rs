//! What is said of the members of a group.

use brooklet_world as world;
use world::{Command, How, Input, Note, Said, Scenario, World};

/// The members that were given up so far, with their group.
fn timed_out(world: &mut World) -> Vec<(String, String)> {
    let said = world.take_said().into_iter();
    said.filter_map(|said| match said {
        Said::Note {
            note: Note::MemberTimedOut { group, client_id },
            ..
        } => Some((group.to_string(), client_id.to_string())),
        _ => None,
    })
    .collect()
}

fn run(world: &mut World, millis: u64) {
    let until = world.now().plus_millis(millis);
    while world.run_until(until, 10_000) > 0 {}
}

fn remove(world: &mut World, name: &str, how: How) {
    world.input(Input::Command(Command::RemoveMember {
        group_id: "billing".to_owned(),
        name: name.to_owned(),
        how,
    }));
}

#[test]
fn a_member_that_stops_without_a_word_is_said_to_have_timed_out() {
    let text = include_str!("orders.json");
    let mut world = World::new(Scenario::parse(text).expect("a scenario")).expect("it is fine");
    run(&mut world, 5_000);
    remove(&mut world, "billing-1", How::Leave);
    run(&mut world, 15_000);
    assert_eq!(timed_out(&mut world), [], "one that leaves says so itself");
    remove(&mut world, "billing-2", How::Kill);
    // Its session of 10 s began with its last heartbeat.
    run(&mut world, 6_000);
    assert_eq!(timed_out(&mut world), []);
    run(&mut world, 5_000);
    let expected = ("billing".to_owned(), "billing-2".to_owned());
    assert_eq!(timed_out(&mut world), [expected]);
}

#[test]
fn a_removed_group_is_gone_from_the_broker_too() {
    let text = include_str!("orders.json");
    let mut world = World::new(Scenario::parse(text).expect("a scenario")).expect("it is fine");
    run(&mut world, 12_000);
    let ids = |world: &World| -> Vec<String> {
        let groups = world.snapshot().groups.into_iter();
        groups.map(|group| group.group_id).collect()
    };
    assert_eq!(ids(&world), ["billing"]);
    // The session of a member that was killed has to end first.
    remove(&mut world, "billing-2", How::Kill);
    world.input(Input::Command(Command::RemoveGroup {
        group_id: "billing".to_owned(),
    }));
    run(&mut world, 15_000);
    assert_eq!(ids(&world), Vec::<String>::new());
}

#[test]
fn removing_a_group_that_never_had_a_member_is_not_refused_later() {
    let text = include_str!("orders.json");
    let mut world = World::new(Scenario::parse(text).expect("a scenario")).expect("it is fine");
    run(&mut world, 5_000);
    let mut group = world.actors().groups.remove(0);
    group.group_id = "idle".to_owned();
    group.members.clear();
    world.input(Input::Command(Command::AddGroup { group }));
    run(&mut world, 1_000);
    world.input(Input::Command(Command::RemoveGroup {
        group_id: "idle".to_owned(),
    }));
    run(&mut world, 5_000);
    let refused = world
        .take_said()
        .into_iter()
        .filter(|said| matches!(said, Said::Refused { .. }))
        .count();
    assert_eq!(refused, 0);
}
