//! A topic that nobody creates by hand is made by who names it, and that is said.

use brooklet_world as world;
use world::{Command, Input, Note, Said, Scenario, World};

fn run(world: &mut World, millis: u64) {
    let until = world.now().plus_millis(millis);
    while world.run_until(until, 10_000) > 0 {}
}

/// Topics that came by being named, and the clients that named them.
fn made(world: &mut World) -> Vec<(String, String)> {
    let said = world.take_said().into_iter();
    said.filter_map(|said| match said {
        Said::Note {
            note: Note::TopicMade { topic, client_id },
            ..
        } => Some((topic.to_string(), client_id.to_string())),
        _ => None,
    })
    .collect()
}

fn topic_id(world: &World) -> String {
    world.snapshot().topics[0].topic_id.clone()
}

#[test]
fn a_deleted_topic_is_made_again_by_its_producer_and_that_is_said() {
    let mut scenario = Scenario::parse(include_str!("orders.json")).expect("a scenario");
    scenario.groups.clear();
    let producer = scenario.producers[0].name.clone();
    let mut world = World::new(scenario).expect("it is fine");
    run(&mut world, 5_000);
    assert_eq!(made(&mut world), [], "the scenario created its topic");
    let first = topic_id(&world);
    world.input(Input::Command(Command::DeleteTopic {
        name: "orders".to_owned(),
    }));
    run(&mut world, 10_000);
    assert_ne!(topic_id(&world), first);
    let made = made(&mut world);
    assert!(!made.is_empty());
    for each in made {
        assert_eq!(each, ("orders".to_owned(), producer.clone()));
    }
}
