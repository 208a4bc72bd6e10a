//! Faults, by the words that a scenario and the page write.

use brooklet_world as world;
use log::LogSlice;
use std::collections::BTreeMap;
use world::{Acks, Command, Fault, Input, Looked, Note, Said, Scenario, TimedCommand, World};

/// One fault of each kind, in the order of the enum.
const FAULTS: &str = include_str!("faults.json");

fn read(text: &str) -> Result<Fault, String> {
    serde_json::from_str(text).map_err(|why| why.to_string())
}

/// The orders, as numbers, from a producer that sends each once.
fn scenario() -> Scenario {
    let mut scenario = Scenario::parse(include_str!("orders.json")).expect("a scenario");
    let producer = &mut scenario.producers[0];
    producer.value_template = "{n}".to_string();
    producer.rate = 100;
    scenario.groups.clear();
    scenario
}

fn world() -> World {
    World::new(scenario()).expect("the scenario is fine")
}

fn run(world: &mut World, millis: u64) {
    let until = world.now().plus_millis(millis);
    while world.run_until(until, 10_000) > 0 {}
}

/// Lets a fault happen; gives what the world said of it.
fn fault(world: &mut World, text: &str) -> Vec<Said> {
    let fault = read(text).expect(text);
    world.input(Input::Command(Command::Fault { fault }));
    world.take_said()
}

fn sent(world: &World) -> u64 {
    world.sent().map(|(_, sent, _)| sent).sum()
}

/// How often each number lies in the topic.
fn held(world: &World) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for partition in 0..world.partition_count("orders") {
        let mut from = 0;
        while let Looked::Found(records) = world.records("orders", partition, from, 10_000) {
            let Some(last) = records.last() else { break };
            from = last.offset.parse::<i64>().expect("an offset") + 1;
            for record in &records {
                let value = record.value.as_deref().expect("a value");
                *counts.entry(crate::crashes::decode(value)).or_default() += 1;
            }
        }
    }
    counts
}

/// The producer rests, and everything that is under way comes to its end: what it has been told to be
/// there is there.
fn all_there(world: &mut World) -> BTreeMap<u64, u64> {
    let change = world::ProducerChange {
        paused: Some(true),
        ..world::ProducerChange::default()
    };
    let name = "checkout".to_string();
    world.input(Input::Command(Command::UpdateProducer { name, change }));
    run(world, 40_000);
    let counts = held(world);
    assert_eq!(counts.len() as u64, sent(world), "{counts:?}");
    counts
}

fn exactly_once(world: &mut World) {
    let counts = all_there(world);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn every_fault_is_written_as_it_was_read() {
    let texts: Vec<serde_json::Value> = serde_json::from_str(FAULTS).expect("an array");
    assert_eq!(texts.len(), 21);
    for text in texts {
        let fault = read(&text.to_string()).expect("a fault");
        assert_eq!(serde_json::to_value(&fault).expect("plain data"), text);
        let command = serde_json::json!({"do": "fault", "fault": text});
        let read: Command = serde_json::from_value(command).expect("a command");
        assert_eq!(read, Command::Fault { fault });
    }
}

#[test]
fn a_fault_that_is_none_is_refused_with_what_is_wrong() {
    let refused = |text| read(text).expect_err("no fault");
    assert_eq!(refused(r#"{"fault":"melt"}"#), "there is no fault `melt`");
    assert_eq!(refused(r#"{"fault":"kill"}"#), "missing field `node`");
    assert_eq!(
        refused(r#"{"fault":"kill","node":1,"version":2}"#),
        "faults of version 2 are not known"
    );
    assert_eq!(
        refused(r#"{"fault":"cut","link":[1]}"#),
        "`link`: two hosts, from and to; 0 is the clients"
    );
    assert!(read(r#"{"fault":"kill","node":1,"version":1}"#).is_ok());
    let mut world = world();
    let said = fault(&mut world, r#"{"fault":"cut","link":[0,7]}"#);
    let unknown =
        |said: &Said| matches!(said, Said::Refused { code, .. } if code == "unknown-broker");
    assert!(said.iter().any(unknown), "{said:?}");
}

#[test]
fn a_fault_is_a_step_that_can_be_undone() {
    let mut world = world();
    run(&mut world, 3_000);
    let before = sent(&world);
    fault(&mut world, r#"{"fault":"wipe","node":1}"#);
    run(&mut world, 3_000);
    assert_eq!(world.to_undo(), Some("fault"));
    assert!(world.undo());
    run(&mut world, 1_000);
    assert!(sent(&world) > before);
    exactly_once(&mut world);
}

#[test]
fn a_broker_on_a_new_disk_knows_nothing_of_what_it_had() {
    let mut world = world();
    run(&mut world, 3_000);
    let id = |world: &World| world.snapshot().topics.first().map(|t| t.topic_id.clone());
    let before = id(&world);
    assert!(before.is_some());
    fault(&mut world, r#"{"fault":"wipe","node":1}"#);
    fault(&mut world, r#"{"fault":"start","node":1}"#);
    run(&mut world, 500);
    assert_ne!(id(&world), before);
}

#[test]
fn a_broker_that_loses_power_keeps_what_was_flushed_and_may_lose_the_rest() {
    let mut losses = 0;
    for seed in 1..=6 {
        let mut scenario = scenario();
        scenario.seed = seed.to_string();
        let rolls = ("segment.ms".to_string(), "2000".to_string());
        scenario.topics[0].config.extend([rolls]);
        let mut world = World::new(scenario).expect("the scenario is fine");
        run(&mut world, 9_000);
        let before = sent(&world);
        fault(&mut world, r#"{"fault":"powerLoss","node":1}"#);
        fault(&mut world, r#"{"fault":"start","node":1}"#);
        run(&mut world, 20);
        let left = held(&world).len() as u64;
        // What came in the first segments, which were flushed when the next ones began.
        assert!(left == 0 || left > 400, "{left} of {before}");
        losses += u64::from(left < before);
    }
    assert!(losses > 0, "power was lost six times, and nothing with it");
}

#[test]
fn a_bit_that_turned_over_on_the_disk_is_found_when_the_broker_starts() {
    let mut found = 0;
    for seed in 1..=6 {
        let mut scenario = scenario();
        scenario.seed = seed.to_string();
        let mut world = World::new(scenario).expect("the scenario is fine");
        run(&mut world, 4_000);
        fault(&mut world, r#"{"fault":"flip","node":1}"#);
        fault(&mut world, r#"{"fault":"kill","node":1}"#);
        let said = fault(&mut world, r#"{"fault":"start","node":1}"#);
        found += usize::from(said.iter().any(|said| matches!(said, Said::Cut { .. })));
    }
    assert!(found >= 5, "{found} of 6 were found");
}

#[test]
fn a_torn_write_costs_nothing_that_was_acknowledged() {
    let mut world = world();
    let mut cut = 0;
    for round in 0..12 {
        run(&mut world, 1_000 + 17 * round);
        fault(&mut world, r#"{"fault":"tear","node":1}"#);
        run(&mut world, 200);
        assert!(world.broker(ids::NodeId(1)).is_none(), "it has died of it");
        let said = fault(&mut world, r#"{"fault":"start","node":1}"#);
        cut += usize::from(said.iter().any(|said| matches!(said, Said::Cut { .. })));
    }
    assert!(cut > 0, "no write was torn in the middle");
    exactly_once(&mut world);
}

#[test]
fn a_broker_stopped_in_order_starts_with_all_it_had_even_without_power() {
    let mut world = world();
    run(&mut world, 4_000);
    fault(&mut world, r#"{"fault":"stop","node":1}"#);
    run(&mut world, 3_000);
    assert!(world.broker(ids::NodeId(1)).is_none(), "it has stopped");
    let before = sent(&world);
    fault(&mut world, r#"{"fault":"powerLoss","node":1}"#);
    let said = fault(&mut world, r#"{"fault":"start","node":1}"#);
    assert!(
        !said.iter().any(|said| matches!(said, Said::Cut { .. })),
        "{said:?}"
    );
    run(&mut world, 3_000);
    assert!(sent(&world) > before);
    exactly_once(&mut world);
}

#[test]
fn a_full_disk_refuses_until_there_is_room_again() {
    let mut world = world();
    run(&mut world, 2_000);
    fault(&mut world, r#"{"fault":"fill","node":1}"#);
    run(&mut world, 500);
    let before = sent(&world);
    run(&mut world, 2_000);
    assert_eq!(sent(&world), before);
    let refused = |said: &Said| {
        matches!(
            said,
            Said::Note {
                note: Note::StoreRefused { .. },
                ..
            }
        )
    };
    assert!(world.take_said().iter().any(refused));
    fault(&mut world, r#"{"fault":"free","node":1}"#);
    run(&mut world, 5_000);
    assert!(sent(&world) > before);
    exactly_once(&mut world);
}

#[test]
fn a_paused_broker_answers_when_it_goes_on() {
    let mut world = world();
    run(&mut world, 2_000);
    fault(&mut world, r#"{"fault":"pause","node":1}"#);
    run(&mut world, 100);
    let before = sent(&world);
    run(&mut world, 5_000);
    assert_eq!(sent(&world), before);
    fault(&mut world, r#"{"fault":"resume","node":1}"#);
    run(&mut world, 2_000);
    assert!(sent(&world) > before);
    exactly_once(&mut world);
}

const LIST: &str = "kafka-topics --bootstrap-server b1:9092 --list";

/// World milliseconds that a command line takes.
fn takes(world: &mut World, line: &str) -> u64 {
    world.take_said();
    let line = line.to_string();
    let (began, id) = (world.world_millis(), world.input(Input::Spawn { line }));
    let exited = |said: &Said| matches!(said, Said::Exit { id: of, .. } if *of == id);
    for _ in 0..60_000 {
        run(world, 1);
        if world.take_said().iter().any(exited) {
            return world.world_millis() - began;
        }
    }
    panic!("it does not end");
}

#[test]
fn a_link_is_as_slow_as_it_is_made() {
    let mut world = world();
    run(&mut world, 2_000);
    let before = takes(&mut world, LIST);
    fault(&mut world, r#"{"fault":"delay","link":[0,1],"ms":100}"#);
    let delayed = takes(&mut world, LIST);
    assert!(delayed > before + 150, "{before}, {delayed}");
    fault(&mut world, r#"{"fault":"heal","link":[0,1]}"#);
    fault(
        &mut world,
        r#"{"fault":"slow","link":[1,0],"bytesPerSecond":1000}"#,
    );
    let slow = takes(&mut world, LIST);
    assert!(slow > before + 100, "{before}, {slow}");
    fault(&mut world, r#"{"fault":"healAll"}"#);
    run(&mut world, 60_000);
    assert_eq!(takes(&mut world, LIST), before);
}

#[test]
fn a_disk_is_as_slow_as_it_is_made() {
    let mut world = world();
    run(&mut world, 2_000);
    let create = |name| format!("kafka-topics --bootstrap-server b1:9092 --create --topic {name}");
    let before = takes(&mut world, &create("a"));
    fault(&mut world, r#"{"fault":"slowDisk","node":1,"ms":300}"#);
    let slow = takes(&mut world, &create("b"));
    assert!(slow > before + 250, "{before}, {slow}");
    exactly_once(&mut world);
}

#[test]
fn what_fails_on_the_way_is_sent_again_and_lies_there_once() {
    for text in [
        r#"{"fault":"cut","link":[0,1]}"#,
        r#"{"fault":"blackHole","link":[0,1]}"#,
        r#"{"fault":"blackHole","link":[1,0]}"#,
        r#"{"fault":"isolate","node":1,"how":"cut"}"#,
        r#"{"fault":"isolate","node":1,"how":"blackHole","ways":"out"}"#,
    ] {
        for seconds in [3, 35] {
            let mut world = world();
            run(&mut world, 2_000);
            fault(&mut world, text);
            run(&mut world, 500);
            let before = sent(&world);
            run(&mut world, seconds * 1_000);
            assert_eq!(sent(&world), before, "{text}");
            fault(&mut world, r#"{"fault":"healAll"}"#);
            run(&mut world, 20_000);
            assert!(sent(&world) > before, "{text}");
            exactly_once(&mut world);
        }
    }
}

#[test]
fn a_reset_after_a_request_was_carried_out_doubles_it_unless_its_producer_is_idempotent() {
    for idempotent in [true, false] {
        let mut scenario = scenario();
        scenario.producers[0].idempotent = idempotent;
        let mut world = World::new(scenario).expect("the scenario is fine");
        run(&mut world, 2_000);
        for _ in 0..20 {
            fault(
                &mut world,
                r#"{"fault":"reset","link":[0,1],"moment":"response"}"#,
            );
            run(&mut world, 500);
            fault(
                &mut world,
                r#"{"fault":"reset","link":[0,1],"moment":"request"}"#,
            );
            run(&mut world, 500);
        }
        let counts = all_there(&mut world);
        let doubled = counts.values().filter(|count| **count > 1).count();
        assert_eq!(doubled == 0, idempotent, "{doubled}");
    }
}

#[test]
fn a_skewed_clock_is_seen_in_the_records() {
    let mut scenario = scenario();
    let by_broker = (
        "message.timestamp.type".to_string(),
        "LogAppendTime".to_string(),
    );
    scenario.topics[0].config.extend([by_broker]);
    let mut world = World::new(scenario).expect("the scenario is fine");
    fault(&mut world, r#"{"fault":"skew","node":1,"ms":7200000}"#);
    run(&mut world, 2_000);
    let Looked::Found(records) = world.records("orders", 0, 0, 1) else {
        panic!("no records");
    };
    let time: i64 = records[0].timestamp.parse().expect("a number");
    assert!(time - world.now().millis() > 7_000_000, "{time}");
}

#[test]
fn a_scenario_with_faults_is_the_same_life_each_time() {
    let texts: Vec<serde_json::Value> = serde_json::from_str(FAULTS).expect("an array");
    let live = || {
        let mut scenario = scenario();
        scenario.producers[0].acks = Acks::Leader;
        for (at, text) in (1..).zip(&texts) {
            let fault = read(&text.to_string()).expect("a fault");
            let (at, command) = (at * 700, Command::Fault { fault });
            scenario.events.push(TimedCommand { at, command });
            let (at, start) = (
                at + 300,
                r#"{"do":"fault","fault":{"fault":"start","node":1}}"#,
            );
            let command = serde_json::from_str(start).expect("a command");
            scenario.events.push(TimedCommand { at, command });
        }
        let mut world = World::new(scenario).expect("the scenario is fine");
        run(&mut world, 30_000);
        (world.trace().hash(), world.trace().events())
    };
    assert_eq!(live(), live());
}

#[test]
fn the_disk_shares_the_bytes_that_the_log_has_sealed() {
    let mut scenario = scenario();
    scenario.producers[0].value_size = 5_000;
    let mut world = World::new(scenario).expect("the scenario is fine");
    world.keep_writes();
    run(&mut world, 10_000);
    let names: BTreeMap<_, _> = (world.take_writes().into_iter())
        .filter(|write| &*write.name.topic == "orders")
        .map(|write| (write.name.partition.0, write.name))
        .collect();
    let mut shared = 0;
    for (partition, name) in &names {
        let log = world.partition_log("orders", *partition).expect("a log");
        let disk = world
            .stored_log(ids::NodeId(1), name)
            .expect("it is stored");
        let (segment, length) = log.segment_sizes().next().expect("a segment");
        let whole = LogSlice {
            segment,
            position: 0,
            length,
        };
        for chunk in log.chunks(&whole).filter(|chunk| !chunk.grows) {
            let ours = log.slice_pieces(&chunk.slice).expect("in memory");
            let its = disk.slice_pieces(&chunk.slice).expect("in memory");
            assert_eq!(ours.concat(), its.concat());
            shared += usize::from(ours[0].as_ptr() == its[0].as_ptr());
        }
    }
    assert!(shared > 30, "only {shared} chunks are shared");
}
