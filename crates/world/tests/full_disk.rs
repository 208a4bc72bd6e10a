//! A disk with an end: appends are refused, nothing acknowledged is lost, and what is deleted makes room.

use brooklet_world as world;
use ids::NodeId;
use world::{Command, Fault, Input, Note, Said, Scenario, World};

const ROOM: u64 = 8 << 20;
/// What one look at the disk may miss, and the batches in flight beside it.
const SLACK: u64 = 2 << 20;

fn filling() -> World {
    let mut scenario = Scenario::parse(include_str!("orders.json")).expect("a scenario");
    scenario.producers[0].value_size = 10_000;
    scenario.producers[0].rate = 200;
    let mut world = World::new(scenario).expect("the scenario is fine");
    world.bound_disks(ROOM);
    world
}

fn run(world: &mut World, millis: u64) {
    let until = world.now().plus_millis(millis);
    while world.run_until(until, 10_000) > 0 {}
}

/// What is said meanwhile, as how many stores were refused.
fn refused(world: &mut World) -> usize {
    let refused = |said: &Said| {
        matches!(
            said,
            Said::Note {
                note: Note::StoreRefused { .. },
                ..
            }
        )
    };
    world
        .take_said()
        .iter()
        .filter(|said| refused(said))
        .count()
}

/// Bytes, records and acknowledged records of the topic.
fn filled(world: &World) -> (u64, u64, u64) {
    let topics = world.snapshot().topics;
    let partitions = topics.iter().filter(|topic| topic.name == "orders");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    partitions.flat_map(|topic| &topic.partitions).fold(
        (0, 0, 0),
        |(bytes, records, committed), partition| {
            (
                bytes + number(&partition.bytes),
                records + number(&partition.log_end_offset),
                committed + number(&partition.high_watermark),
            )
        },
    )
}

#[test]
fn a_full_disk_refuses_records_and_keeps_what_it_acknowledged() {
    let mut world = filling();
    run(&mut world, 3_000);
    assert_eq!(refused(&mut world), 0, "there is room at first");
    run(&mut world, 7_000);
    assert!(refused(&mut world) > 0, "the disk is full by now");
    let full = filled(&world);
    assert!((ROOM - SLACK..ROOM + SLACK).contains(&full.0), "{full:?}");
    assert_eq!(full.1, full.2, "what was refused must not stay in the log");
    let acknowledged: u64 = world.sent().map(|(_, sent, _)| sent).sum();
    assert!(acknowledged <= full.2, "{acknowledged} of {full:?}");
    run(&mut world, 10_000);
    assert_eq!(filled(&world), full);
}

#[test]
fn deleting_a_topic_makes_room_and_undoing_that_fills_the_disk_again() {
    let mut world = filling();
    run(&mut world, 10_000);
    let full = filled(&world);
    let name = "orders".to_string();
    world.input(Input::Command(Command::DeleteTopic { name }));
    refused(&mut world);
    // The producer makes the topic anew.
    run(&mut world, 2_000);
    let begun = filled(&world);
    assert!(begun.2 > 0 && begun.0 < full.0, "{begun:?}");
    assert_eq!(refused(&mut world), 0);
    assert!(world.undo());
    assert_eq!(filled(&world), full);
}

#[test]
fn history_holds_no_more_than_the_disk_beside_the_present() {
    let mut world = filling();
    for _ in 0..6 {
        run(&mut world, 10_000);
        let name = "orders".to_string();
        world.input(Input::Command(Command::DeleteTopic { name }));
    }
    run(&mut world, 10_000);
    // Each round fills the disk, so only the last one or two can still be gone back to.
    let began = world.now().since(world.history_start());
    assert!(began < 30_000_000, "{began}");
}

#[test]
fn what_heals_everything_makes_no_room_on_a_disk_that_is_full() {
    let mut world = filling();
    run(&mut world, 40_000);
    assert!(world.has_full_disk());
    for _ in 0..10 {
        let fault = Fault::HealAll;
        world.input(Input::Command(Command::Fault { fault }));
        run(&mut world, 5_000);
    }
    let held = world.disk_bytes(NodeId(1));
    assert!((ROOM..ROOM + SLACK).contains(&held), "{held}");
}
