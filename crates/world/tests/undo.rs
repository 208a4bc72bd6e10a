//! The past: undone commands are as if never given, and can be given again.

use brooklet_world as world;
use world::{Command, Input, Redone, Said, Scenario, Snapshot, World};

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
        replication_factor: None,
        name: name.to_string(),
        partitions: 2,
        config: Default::default(),
    };
    Input::Command(Command::CreateTopic { topic })
}

fn spawn(world: &mut World, line: &str) -> u32 {
    let line = line.to_string();
    world.input(Input::Spawn { line })
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
    assert_eq!(world.to_redo(), Some("createTopic"));
    assert!(world.redo().is_some());
    assert_eq!(world.snapshot(), after);
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
fn what_was_undone_is_done_again_with_everything_that_had_come_of_it() {
    let mut world = world();
    run(&mut world, 8_000);
    world.input(topic("returns"));
    run(&mut world, 5_000);
    let (after, hash) = (world.snapshot(), world.trace().hash());
    assert!(world.undo());
    run(&mut world, 1_000);
    assert_eq!(world.redo(), Some(Redone::Rejoined));
    assert_eq!((world.snapshot(), world.trace().hash()), (after, hash));
    assert_eq!(world.to_undo(), Some("createTopic"));
}

#[test]
fn refused_commands_are_passed_over_on_the_way_back_and_on_the_way_forth() {
    let mut world = world();
    run(&mut world, 1_000);
    for name in ["a", "a", "b", "b"] {
        world.input(topic(name));
        run(&mut world, 2_000);
    }
    assert_eq!(names(&world.snapshot()), ["a", "b", "orders"]);
    for left in [vec!["a", "orders"], vec!["orders"]] {
        assert_eq!(world.to_undo(), Some("createTopic"));
        assert!(world.undo());
        assert_eq!(names(&world.snapshot()), left);
    }
    assert_eq!(world.to_undo(), None);
    for there in [vec!["a", "orders"], vec!["a", "b", "orders"]] {
        assert_eq!(world.to_redo(), Some("createTopic"));
        assert!(world.redo().is_some());
        run(&mut world, 2_000);
        assert_eq!(names(&world.snapshot()), there);
    }
    assert_eq!(world.to_redo(), None);
    assert_eq!(world.redo(), None);
}

#[test]
fn a_command_line_that_changes_something_is_taken_back_like_a_deed_of_the_stage() {
    let mut world = world();
    run(&mut world, 6_000);
    let before = world.snapshot();
    let line = "kafka-topics --bootstrap-server localhost:9092 --create --topic typed";
    let id = spawn(&mut world, line);
    run(&mut world, 2_000);
    assert_eq!(names(&world.snapshot()), ["orders", "typed"]);
    spawn(
        &mut world,
        "kafka-topics --bootstrap-server localhost:9092 --list",
    );
    run(&mut world, 1_000);
    assert_eq!(world.to_undo(), Some(line), "a list is no step");
    assert!(world.undo());
    assert_eq!(world.snapshot(), before);
    assert!(!world.has_terminal(id), "its terminal was undone with it");
}

#[test]
fn running_on_from_the_past_plays_what_happened_until_the_newest_moment() {
    let mut world = world();
    run(&mut world, 10_000);
    world.input(topic("later"));
    run(&mut world, 10_000);
    let (now, hash) = (world.snapshot(), world.trace().hash());
    world.seek(7_000);
    for millis in [9_999, 10_001, 14_321, 19_999] {
        let wait = millis - world.world_millis();
        run(&mut world, wait);
        assert!(world.is_in_the_past());
        assert_eq!(world.world_millis(), millis);
        let played = world.snapshot();
        world.seek(millis);
        assert_eq!(world.snapshot(), played, "at {millis}");
    }
    run(&mut world, 1);
    assert!(!world.is_in_the_past());
    assert_eq!((world.snapshot(), world.trace().hash()), (now, hash));
    run(&mut world, 1_000);
    assert_eq!(world.world_millis(), 21_000);
}

#[test]
fn steps_in_the_past_are_the_events_that_happened_one_by_one() {
    let mut world = world();
    run(&mut world, 5_000);
    let hash = world.trace().hash();
    let events = world.trace().events();
    world.seek(4_000);
    let from = world.trace().events();
    let mut steps = 0;
    while world.is_in_the_past() {
        world.step();
        steps += u64::from(world.is_in_the_past());
    }
    assert_eq!(world.trace().hash(), hash);
    assert!(steps <= events - from && steps > 10, "{steps} steps");
}

#[test]
fn a_deed_in_the_past_leaves_the_future_aside_and_undo_leads_back_to_it() {
    let mut world = world();
    run(&mut world, 10_000);
    world.input(topic("left-aside"));
    run(&mut world, 10_000);
    let (future, hash) = (world.snapshot(), world.trace().hash());
    world.seek(7_000);
    let then = world.snapshot();
    assert!(world.can_branch());
    world.input(topic("other"));
    assert!(!world.is_in_the_past() && world.take_fork());
    run(&mut world, 13_000);
    assert_eq!(names(&world.snapshot()), ["orders", "other"]);
    assert!(world.undo());
    assert!(world.take_fork());
    assert!(
        world.is_in_the_past(),
        "as it was before the deed, the past is shown"
    );
    assert_eq!(names(&world.snapshot()), names(&then));
    assert_eq!(world.world_millis(), 7_000);
    world.seek_present();
    assert_eq!((world.snapshot(), world.trace().hash()), (future, hash));
    assert_eq!(world.to_undo(), Some("createTopic"));
    // And forth again: the deed is done again where one looks.
    world.seek(7_000);
    assert!(world.redo().is_some());
    run(&mut world, 1_000);
    assert_eq!(names(&world.snapshot()), ["orders", "other"]);
}

#[test]
fn branches_within_branches_are_left_and_found_again_one_by_one() {
    let mut world = world();
    run(&mut world, 12_000);
    let mut hashes = vec![world.trace().hash()];
    for (at, name) in [(9_000, "a"), (6_000, "b"), (3_000, "c")] {
        world.seek(at);
        world.input(topic(name));
        run(&mut world, 9_000);
        hashes.push(world.trace().hash());
    }
    for hash in hashes.iter().rev() {
        world.seek_present();
        assert_eq!(world.trace().hash(), *hash);
        world.undo();
    }
    assert!(!world.undo());
}

#[test]
fn reading_commands_are_answered_from_the_moment_shown_and_leave_it_as_it_is() {
    let mut world = world();
    run(&mut world, 10_000);
    world.input(topic("later"));
    run(&mut world, 2_000);
    let list = "kafka-topics --bootstrap-server localhost:9092 --list";
    let printed = |world: &World, line: &str| {
        let answer = world.ask(line).expect("it only reads");
        let text = answer.printed.iter().map(|text| match text {
            world::TerminalText::Out(bytes) | world::TerminalText::Err(bytes) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
        });
        (text.collect::<String>(), answer.code)
    };
    let shown = |world: &World| {
        (
            world.snapshot(),
            world.trace().hash(),
            world.timeline(),
            world.journal_length(),
        )
    };
    for (moment, topics) in [(12_000, "later\norders\n"), (5_000, "orders\n")] {
        world.seek(moment);
        let before = shown(&world);
        let (text, code) = printed(&world, list);
        assert!(text.ends_with(topics), "{text}");
        assert_eq!(code, 0);
        assert_eq!(shown(&world), before);
    }
    let offsets = "kafka-get-offsets --bootstrap-server localhost:9092 --topic orders --time -1";
    assert!(printed(&world, offsets).0.contains("orders:0:"));
    assert_eq!(
        world.ask("kafka-console-consumer --bootstrap-server localhost:9092 --topic orders"),
        None
    );
    assert_eq!(
        world.ask("kafka-topics --bootstrap-server localhost:9092 --delete --topic orders"),
        None
    );
}

#[test]
fn a_running_command_is_interrupted_where_it_runs_and_not_where_one_looks() {
    let mut world = world();
    run(&mut world, 4_000);
    let consumer =
        "kafka-console-consumer --bootstrap-server localhost:9092 --topic orders --group typed";
    let id = spawn(&mut world, consumer);
    run(&mut world, 4_000);
    world.take_said();
    world.seek(2_000);
    let length = world.timeline().end;
    world.input(Input::Interrupt { id });
    assert!(world.is_in_the_past() && world.world_millis() == 2_000);
    assert_eq!(world.timeline().end, length, "nothing is erased");
    world.seek_present();
    run(&mut world, 2_000);
    let said = world.take_said();
    let ended = |said: &Said| matches!(said, Said::Exit { id: of, .. } if *of == id);
    assert!(said.iter().any(ended), "{said:?}");
}

#[test]
fn only_so_much_is_kept_aside() {
    let mut world = world();
    run(&mut world, 2_000);
    let bulk = world::ProducerChange {
        rate: Some(500),
        value_size: Some(20_000),
        ..Default::default()
    };
    world.input(Input::Command(Command::UpdateProducer {
        name: "checkout".to_string(),
        change: bulk,
    }));
    run(&mut world, 4_500);
    world.seek(1_000);
    assert!(!world.can_branch(), "more than 32 MiB came since");
    world.seek(5_000);
    assert!(world.can_branch());
}

fn send(lines: &[&str], more: bool) -> Input {
    let line = |value: &&str| world::Line {
        key: None,
        value: (*value).to_string(),
    };
    Input::Command(Command::Send {
        producer: "checkout".to_string(),
        lines: lines.iter().map(line).collect(),
        more,
    })
}

#[test]
fn a_file_sent_in_pieces_is_one_step_back_and_one_step_forth() {
    let mut world = world();
    run(&mut world, 6_000);
    world.input(topic("before"));
    run(&mut world, 1_000);
    let before = world.snapshot();
    for more in [true, true, false] {
        world.input(send(&["one", "two"], more));
        run(&mut world, 1_000);
    }
    assert!(world.undo());
    assert_eq!(world.snapshot(), before);
    assert!(world.redo().is_some());
    assert_eq!(world.redo(), None, "the file is sent again in one");
    world.input(send(&["by hand"], false));
    assert!(world.undo(), "what is sent afterwards is a step of its own");
    assert!(world.undo(), "then the file goes");
    assert_eq!(names(&world.snapshot()), ["before", "orders"]);
    assert!(world.undo());
    assert_eq!(names(&world.snapshot()), ["orders"]);
}
