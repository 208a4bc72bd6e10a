//! The past: undone commands are as if never given, and can be given again.

use brooklet_world as world;
use world::{Command, Input, Scenario, Snapshot, World};

fn world() -> World {
    let text = include_str!("orders.json");
    World::new(Scenario::parse(text).expect("a scenario")).expect("the scenario is fine")
}

fn run(world: &mut World, millis: u64) {
    let until = world.now().plus_millis(millis);
    while world.run_until(until, 100_000) > 0 {}
}

fn topic(name: &str) -> Input {
    let topic = world::TopicSpec {
        name: name.to_string(),
        partitions: 2,
        config: Default::default(),
    };
    Input::Command(Command::CreateTopic { topic })
}

fn kill(name: &str) -> Input {
    Input::Command(Command::RemoveMember {
        group_id: "billing".to_string(),
        name: name.to_string(),
        how: world::How::Kill,
    })
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot
        .topics
        .iter()
        .map(|topic| topic.name.as_str())
        .collect()
}

#[test]
fn undo_brings_back_exactly_what_was_before_the_command_and_redo_what_came_of_it() {
    let mut world = world();
    run(&mut world, 8_000);
    let (before, hash) = (world.snapshot(), world.trace().hash());
    world.input(topic("returns"));
    run(&mut world, 5_000);
    let after = world.snapshot();
    assert_eq!(names(&after), ["orders", "returns"]);
    assert!(world.undo());
    assert_eq!(
        (world.snapshot(), world.trace().hash()),
        (before.clone(), hash)
    );
    assert!(world.timeline().can_redo);
    assert!(world.redo().is_some());
    run(&mut world, 5_000);
    assert_eq!(names(&world.snapshot()), ["orders", "returns"]);
    assert_eq!(world.snapshot().topics[0], after.topics[0]);
    assert!(world.redo().is_none(), "there is nothing more to do again");
    assert!(world.undo());
    assert_eq!((world.snapshot(), world.trace().hash()), (before, hash));
}

#[test]
fn several_commands_are_undone_one_by_one_and_done_again_in_their_order() {
    let mut world = world();
    run(&mut world, 6_000);
    let mut moments = Vec::new();
    for input in [topic("a"), kill("billing-1"), topic("b")] {
        moments.push(world.snapshot());
        world.input(input);
        run(&mut world, 3_000);
    }
    for moment in moments.iter().rev() {
        assert!(world.undo());
        assert_eq!(world.snapshot(), *moment);
    }
    assert!(!world.undo(), "nothing is left to undo");
    for _ in 0..3 {
        assert!(world.redo().is_some());
        run(&mut world, 3_000);
    }
    assert_eq!(names(&world.snapshot()), ["a", "b", "orders"]);
    assert!(world.redo().is_none());
    assert!(world.undo());
    assert_eq!(names(&world.snapshot()), ["a", "orders"]);
}

#[test]
fn after_an_undo_the_world_goes_on_as_if_the_command_had_never_been() {
    let mut plain = world();
    run(&mut plain, 20_000);
    let mut world = world();
    run(&mut world, 9_000);
    world.input(kill("billing-2"));
    run(&mut world, 4_000);
    assert!(world.undo());
    run(&mut world, 11_000);
    assert_eq!(world.world_millis(), 20_000);
    assert_eq!(world.trace().hash(), plain.trace().hash());
    assert_eq!(world.snapshot(), plain.snapshot());
}

#[test]
fn going_on_from_the_past_gives_up_what_came_after_it() {
    let mut world = world();
    run(&mut world, 10_000);
    world.input(topic("given-up"));
    run(&mut world, 10_000);
    world.seek(7_000);
    assert!(world.is_in_the_past());
    assert!(world.continue_here());
    assert!(!world.is_in_the_past() && world.take_fork());
    assert_eq!(world.timeline().end, 7_000);
    run(&mut world, 13_000);
    assert_eq!(names(&world.snapshot()), ["orders"]);
    assert!(!world.undo(), "the command was given up with its time");
    let (now, hash) = (world.snapshot(), world.trace().hash());
    world.seek(9_000);
    world.seek_present();
    assert_eq!((world.snapshot(), world.trace().hash()), (now, hash));
}
