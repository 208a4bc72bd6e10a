//! A world as a person first sees it.

use brooklet_world as world;
use world::{Input, Looked, Scenario, World};

fn scenario() -> Scenario {
    Scenario::parse(include_str!("orders.json")).expect("a scenario")
}

fn run(world: &mut World, millis: u64) {
    let until = world.now().plus_millis(millis);
    while world.run_until(until, 100_000) > 0 {}
}

#[test]
fn a_producer_fills_three_partitions_and_a_group_reads_them() {
    let mut world = World::new(scenario()).expect("the scenario is fine");
    run(&mut world, 20_000);
    let snapshot = world.snapshot();
    assert_eq!(snapshot.brokers[0].state, "running");
    let topic = &snapshot.topics[0];
    assert_eq!((topic.name.as_str(), topic.partitions.len()), ("orders", 3));
    let total: u64 = topic
        .partitions
        .iter()
        .map(|partition| partition.high_watermark.parse::<u64>().unwrap())
        .sum();
    assert!(total > 150, "{snapshot:#?}");
    let Looked::Found(records) = world.records("orders", 0, 0, 5) else {
        panic!("no records")
    };
    assert_eq!(records.len(), 5);
    assert_eq!(records[0].offset, "0");
}

#[test]
fn the_same_scenario_gives_the_same_trace_and_one_bit_another() {
    let runs: Vec<u64> = (0..2)
        .map(|_| {
            let mut world = World::new(scenario()).expect("the scenario is fine");
            run(&mut world, 5_000);
            world.trace().hash()
        })
        .collect();
    assert_eq!(runs[0], runs[1]);
    let mut world = World::new(scenario()).expect("the scenario is fine");
    world.plant_bit();
    run(&mut world, 5_000);
    assert_ne!(world.trace().hash(), runs[0]);
}

#[test]
fn looking_back_and_returning_changes_nothing() {
    let mut world = World::new(scenario()).expect("the scenario is fine");
    run(&mut world, 30_000);
    let (now, hash) = (world.snapshot(), world.trace().hash());
    world.seek(12_000);
    assert_eq!(world.world_millis(), 12_000);
    let past = world.snapshot();
    assert_ne!(past.topics, now.topics);
    world.seek(12_000);
    assert_eq!(world.snapshot(), past, "the same moment looks the same");
    world.seek_present();
    assert_eq!((world.snapshot(), world.trace().hash()), (now, hash));
}

#[test]
fn a_line_typed_into_one_terminal_appears_in_another() {
    let mut world = World::new(scenario()).expect("the scenario is fine");
    run(&mut world, 2_000);
    let reader = world.input(Input::Spawn {
        line: "kafka-console-consumer --bootstrap-server b1:9092 --topic orders".into(),
    });
    run(&mut world, 8_000);
    let writer = world.input(Input::Spawn {
        line: "kafka-console-producer --bootstrap-server b1:9092 --topic orders".into(),
    });
    let mut heard = String::new();
    for _ in 0..20 {
        world.input(Input::Stdin {
            id: writer,
            text: b"hello there\n".as_slice().into(),
        });
        run(&mut world, 1_000);
        for said in world.take_said() {
            if let world::Said::Terminal {
                id,
                text: world::TerminalText::Out(text),
            } = said
                && id == reader
            {
                heard.push_str(&String::from_utf8_lossy(&text));
            }
        }
    }
    assert!(heard.contains("hello there\n"), "{heard:?}");
}

#[test]
fn a_producer_placed_at_rate_1_sends_what_any_kafka_producer_sends() {
    let mut world = World::new(scenario()).expect("the scenario is fine");
    run(&mut world, 3_000);
    world.record_frames(1_000);
    let mut producer = scenario().producers[0].clone();
    producer.name = "placed".to_string();
    producer.rate = 1;
    world.input(Input::Command(world::Command::AddProducer { producer }));
    run(&mut world, 3_500);
    let placed = world.snapshot().producers;
    let placed = placed.iter().find(|view| view.name == "placed");
    let id: u32 = placed.expect("it is there").id.parse().expect("a number");
    let frames = world.sent_frames().filter(|frame| frame.actor.0 == id);
    let sent: Vec<&str> = frames
        .map(|frame| {
            let api = wire::api_table::api(frame.api_key).expect("an API of Kafka");
            assert!((api.min..=api.max).contains(&frame.version) && frame.bytes > 10);
            api.name
        })
        .collect();
    for api in ["ApiVersions", "Metadata", "InitProducerId"] {
        assert!(sent.contains(&api), "{sent:?}");
    }
    assert_eq!(sent[0], "ApiVersions");
    let produced = sent.iter().filter(|api| **api == "Produce").count();
    assert_eq!(produced, 3, "{sent:?}");
    world.record_frames(4);
    run(&mut world, 3_000);
    assert_eq!(world.sent_frames().count(), 4, "only so many are kept");
}

#[test]
fn a_topic_is_configured_by_one_line_that_kafkas_tool_takes() {
    let mut world = World::new(scenario()).expect("the scenario is fine");
    run(&mut world, 2_000);
    let pairs = [
        ("cleanup.policy", Some("compact,delete")),
        ("flush.ms", None),
        ("retention.ms", Some("60000")),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_string(), value.map(str::to_string)));
    let command = world::Command::ConfigureTopic {
        name: "orders".into(),
        config: pairs.into_iter().collect(),
    };
    let line = "kafka-configs --bootstrap-server localhost:9092 --alter --entity-type topics --entity-name orders --add-config cleanup.policy=[compact,delete],retention.ms=60000 --delete-config flush.ms";
    assert_eq!(command.cli().as_deref(), Some(line));
    let input = u64::from(world.input(Input::Command(command)));
    run(&mut world, 2_000);
    assert_eq!(world.take_said().last(), Some(&world::Said::Done { input }));
}

#[test]
fn several_configs_of_a_topic_change_at_once() {
    let mut world = World::new(scenario()).expect("the scenario is fine");
    run(&mut world, 2_000);
    let config = [
        ("retention.ms", None),
        ("max.message.bytes", Some("2000000")),
        ("segment.bytes", Some("20000000")),
    ];
    let config = config.map(|(name, value)| (name.to_string(), value.map(str::to_string)));
    let name = "orders".to_string();
    let config = config.into_iter().collect();
    world.take_said();
    world.input(Input::Command(world::Command::ConfigureTopic {
        name,
        config,
    }));
    run(&mut world, 2_000);
    let said = world.take_said();
    let done = said
        .iter()
        .any(|said| matches!(said, world::Said::Done { .. }));
    assert!(done, "{said:?}");
    let topic = &world.actors().topics[0];
    let now: Vec<&str> = topic.config.values().map(String::as_str).collect();
    assert_eq!(now, ["2000000", "20000000"]);
}

#[test]
fn a_command_of_the_scenario_at_time_0_finds_its_producer() {
    let mut scenario = scenario();
    scenario.producers[0].rate = 0;
    let line = world::Line {
        key: None,
        value: "from the script".into(),
    };
    scenario.events.push(world::TimedCommand {
        at: 0,
        command: world::Command::Send {
            producer: "checkout".into(),
            lines: vec![line],
            more: false,
        },
    });
    let mut world = World::new(scenario).expect("the scenario is fine");
    run(&mut world, 2_000);
    let total: i64 = (0..3)
        .filter_map(|partition| world.partition_log("orders", partition))
        .map(|log| log.log_end().0)
        .sum();
    assert_eq!(total, 1);
}

#[test]
fn a_log_says_when_it_goes_on_in_a_new_segment() {
    let mut scenario = scenario();
    scenario.producers[0].value_size = 20_000;
    scenario.producers[0].rate = 50;
    let config = &mut scenario.topics[0].config;
    config.insert("segment.bytes".to_string(), "1048576".to_string());
    let mut world = World::new(scenario).expect("the scenario is fine");
    run(&mut world, 10_000);
    let said = world.take_said();
    let rolled = said.iter().filter_map(|said| match said {
        world::Said::Rolled { name, offset } => Some((name.partition, *offset)),
        _ => None,
    });
    let rolled: Vec<_> = rolled.collect();
    assert!(rolled.len() >= 3, "{rolled:?}");
    assert!(rolled.iter().all(|(_, offset)| offset.0 > 20), "{rolled:?}");
}
