//! A broker that is killed and starts again begins anew: nothing of its earlier life reaches it.

use brooklet_world as world;
use ids::Time;
use world::{Command, Input, Scenario, World};

/// World microseconds that a disk needs to write, and a message to arrive.
const WRITE: u64 = 50;
const LATENCY: u64 = 400;

fn command(world: &mut World, command: Command) {
    world.input(Input::Command(command));
}

/// What happens until `until`, in words, with the time of each.
fn happens(world: &mut World, until: Time) -> Vec<(Time, String)> {
    let mut seen = Vec::new();
    let mut told = world.trace().points().len();
    while world.next_time().is_some_and(|next| next <= until) && world.step() {
        let points = &world.trace().points()[told..];
        seen.extend(points.iter().map(|point| (world.now(), point.what.clone())));
        told += points.len();
    }
    seen
}

#[test]
fn what_was_on_its_way_to_a_killed_broker_does_not_reach_its_next_life() {
    let text = include_str!("orders.json");
    let mut world = World::new(Scenario::parse(text).expect("a scenario")).expect("it is fine");
    let settled = world.now().plus_millis(3_000);
    while world.run_until(settled, 10_000) > 0 {}
    world.record_trace();
    let (mut stored, mut asked) = (0, 0);
    for _ in 0..40 {
        // The moments in which something is being written and something is on the wire.
        while !world.step() || !last(&world).contains("node 1 hears") {}
        let began = world.now();
        if last(&world).contains("hears Produce") {
            stored += 1;
        }
        command(&mut world, Command::KillBroker { broker: 1 });
        command(&mut world, Command::StartBroker { broker: 1 });
        for (at, what) in happens(&mut world, began.plus_micros(2 * LATENCY - 1)) {
            if what.contains("node 1 has stored") {
                assert!(at.since(began) >= WRITE, "{at:?}: {what}");
            }
            // A new connection takes one way to be known and one to be used.
            assert!(!what.contains("node 1 hears"), "{at:?}: {what}");
            assert!(!what.contains("node 1 is left"), "{at:?}: {what}");
            asked += 1;
        }
        let later = world.now().plus_millis(60);
        while world.run_until(later, 10_000) > 0 {}
    }
    assert!(
        stored > 0,
        "only {stored} of the kills came while a batch was being written"
    );
    assert!(asked > 40, "only {asked} events were looked at");
}

fn last(world: &World) -> &str {
    world
        .trace()
        .points()
        .last()
        .map_or("", |point| &point.what)
}

/// Deletes the records of `orders-0` before `offset` as a client from outside does (DeleteRecords v1).
fn delete_records(world: &mut World, offset: i64) {
    let id = world.input(Input::Connect { broker: 1 });
    run(world, 10);
    let mut frame = Vec::new();
    for number in [21_i16, 1] {
        frame.extend(number.to_be_bytes());
    }
    frame.extend(7_i32.to_be_bytes());
    frame.extend((-1_i16).to_be_bytes());
    frame.extend(1_i32.to_be_bytes());
    frame.extend([0, 6]);
    frame.extend(b"orders");
    frame.extend(1_i32.to_be_bytes());
    frame.extend(0_i32.to_be_bytes());
    frame.extend(offset.to_be_bytes());
    frame.extend(1_000_i32.to_be_bytes());
    let frame = frame.into();
    world.input(Input::Frame { id, frame });
    run(world, 10);
}

fn run(world: &mut World, millis: u64) {
    let until = world.now().plus_millis(millis);
    while world.run_until(until, 10_000) > 0 {}
}

#[test]
fn records_that_were_deleted_stay_deleted_when_the_broker_is_killed() {
    let text = include_str!("orders.json");
    let mut world = World::new(Scenario::parse(text).expect("a scenario")).expect("it is fine");
    run(&mut world, 10_000);
    delete_records(&mut world, 12);
    let start = |world: &World| {
        let partition = &world.snapshot().topics[0].partitions[0];
        partition.log_start_offset.clone()
    };
    assert_eq!(start(&world), "12");
    command(&mut world, Command::KillBroker { broker: 1 });
    command(&mut world, Command::StartBroker { broker: 1 });
    run(&mut world, 2_000);
    assert_eq!(start(&world), "12");
}
