//! Moving a group's committed offset from the stage.

use brooklet_world as world;
use world::{Command, Input, ProducerChange, Said, Scenario, World};

fn run(world: &mut World, millis: u64) {
    let until = world.now().plus_millis(millis);
    while world.run_until(until, 100_000) > 0 {}
}

fn committed(world: &World) -> Option<String> {
    let snapshot = world.snapshot();
    let group = snapshot.groups.iter().find(|g| g.group_id == "billing")?;
    let offset = group.offsets.iter().find(|o| o.partition == 0)?;
    offset.committed.clone()
}

#[test]
fn offsets_are_reset_even_when_members_wait_for_a_fetch_before_they_leave() {
    let text = include_str!("orders.json");
    let scenario = Scenario::parse(text).expect("a scenario");
    let mut world = World::new(scenario).expect("the scenario is fine");
    run(&mut world, 8_000);
    world.input(Input::Command(Command::UpdateProducer {
        name: "checkout".to_string(),
        change: ProducerChange {
            paused: Some(true),
            ..ProducerChange::default()
        },
    }));
    // Everything is read and committed; each member's fetch waits for records that do not come.
    run(&mut world, 20_000);
    let all = committed(&world);
    world.take_said();
    let number = world.input(Input::Command(Command::ResetOffsets {
        group_id: "billing".to_string(),
        topic: "orders".to_string(),
        partition: 0,
        offset: 0,
        restart: true,
    }));
    run(&mut world, 1_500);
    assert_eq!(committed(&world).as_deref(), Some("0"));
    let said = world.take_said();
    let done = |said: &Said| matches!(said, Said::Done { input } if *input == u64::from(number));
    assert!(said.iter().any(done), "the reset was refused");
    // The members are back, read everything again and commit it again.
    run(&mut world, 60_000);
    assert_eq!(committed(&world), all);
}
