//! Several brokers: leaders and followers, one that dies and comes back.

use brooklet_world as world;
use ids::NodeId;
use log::{Log, Read};
use serde_json::{Value, json};
use world::{Command, Fault, Input, PartitionView, ProducerChange, Scenario, World};

/// The session of a broker is 9 s; by then another leads.
const FAILOVER_MS: u64 = 15_000;

fn three(changes: &[(&str, Value)]) -> World {
    let mut document: Value =
        serde_json::from_str(include_str!("three.json")).expect("the scenario is JSON");
    for (field, value) in changes {
        document[*field] = value.clone();
    }
    let scenario = Scenario::parse(&document.to_string()).expect("a scenario");
    let mut world = World::new(scenario).expect("it keeps to the limits");
    world.watch_rules();
    world
}

fn run(world: &mut World, millis: u64) {
    let until = world.now().plus_millis(millis);
    while world.run_until(until, 10_000) > 0 {}
    assert_eq!(world.broken().next(), None);
}

fn fault(world: &mut World, fault: Fault) {
    world.input(Input::Command(Command::Fault { fault }));
}

fn partition(world: &World, index: usize) -> PartitionView {
    let topics = world.snapshot().topics;
    let orders = topics.into_iter().find(|topic| topic.name == "orders");
    orders.expect("there is orders").partitions[index].clone()
}

/// No more is sent, and all that was sent is answered and replicated.
fn settle(world: &mut World) {
    let change = ProducerChange {
        paused: Some(true),
        ..ProducerChange::default()
    };
    let name = "checkout".to_owned();
    world.input(Input::Command(Command::UpdateProducer { name, change }));
    run(world, 10_000);
}

fn bytes(log: &Log) -> Vec<u8> {
    let (mut all, mut from) = (Vec::new(), log.log_start());
    while let Ok(Read::Slice(slice)) = log.read(from, 1 << 20, log.log_end(), true)
        && slice.length > 0
    {
        let pieces = log.slice_pieces(&slice).expect("it is in memory").concat();
        for (_, batch) in records::Batches::new(&pieces) {
            from = from.max(batch.next_offset());
        }
        all.extend(pieces);
    }
    all
}

/// Of each partition all replicas are in sync and have the same log, all of which is committed. Gives the
/// records there are.
fn converged(world: &World) -> i64 {
    let mut count = 0;
    for index in 0..3 {
        let view = partition(world, usize::try_from(index).expect("it is small"));
        let mut isr = view.isr.clone();
        isr.sort_unstable();
        assert_eq!(isr, [1, 2, 3], "{view:?}");
        let logs = [1, 2, 3].map(|node| {
            let log = world.replica_log(NodeId(node), "orders", index);
            log.expect("every broker has a replica")
        });
        let ends = logs.map(|log| (log.log_end(), log.high_watermark()));
        assert_eq!(ends, [(logs[0].log_end(), logs[0].log_end()); 3]);
        assert_eq!(view.high_watermark, logs[0].log_end().to_string());
        let [first, second, third] = logs.map(bytes);
        assert!(first == second && second == third, "partition {index}");
        count += logs[0].log_end().0;
    }
    count
}

fn acknowledged(world: &World) -> (u64, u64) {
    let sent = world.sent().next();
    sent.map(|(_, sent, failed)| (sent, failed))
        .expect("there is a producer")
}

#[test]
fn a_leader_is_killed_another_leads_and_nothing_acknowledged_is_lost() {
    let life = || {
        let mut world = three(&[]);
        run(&mut world, 10_000);
        let before = partition(&world, 0);
        assert_eq!(before.replicas.len(), 3);
        assert_eq!(before.replicas[0], before.leader);
        let (sent, _) = acknowledged(&world);
        assert!(sent > 100, "{sent} were sent");
        fault(
            &mut world,
            Fault::Kill {
                node: before.leader,
            },
        );
        run(&mut world, FAILOVER_MS);
        let between = partition(&world, 0);
        assert_ne!(between.leader, before.leader);
        assert!(between.leader_epoch > before.leader_epoch);
        assert!(!between.isr.contains(&before.leader), "{between:?}");
        let (later, _) = acknowledged(&world);
        assert!(later > sent + 100, "{later} after {sent}");
        fault(
            &mut world,
            Fault::Start {
                node: before.leader,
            },
        );
        run(&mut world, 10_000);
        settle(&mut world);
        let (sent, failed) = acknowledged(&world);
        assert_eq!(
            (converged(&world), failed),
            (i64::try_from(sent).expect("few"), 0)
        );
        let group = &world.snapshot().groups[0];
        assert_eq!(group.state, "Stable");
        assert!(
            group
                .offsets
                .iter()
                .all(|row| row.lag.as_deref() == Some("0")),
            "{group:?}"
        );
        world.trace().hash()
    };
    assert_eq!(life(), life());
}

#[test]
fn each_of_three_brokers_may_be_killed_and_the_group_goes_on() {
    for node in 1..=3 {
        let mut world = three(&[]);
        run(&mut world, 10_000);
        fault(&mut world, Fault::Kill { node });
        run(&mut world, 30_000);
        fault(&mut world, Fault::Start { node });
        run(&mut world, 20_000);
        settle(&mut world);
        let (sent, failed) = acknowledged(&world);
        assert_eq!(
            (converged(&world), failed),
            (i64::try_from(sent).expect("few"), 0)
        );
        let group = &world.snapshot().groups[0];
        assert_eq!(group.state, "Stable");
        assert!(
            group
                .offsets
                .iter()
                .all(|row| row.lag.as_deref() == Some("0")),
            "{group:?}"
        );
    }
}

#[test]
fn a_controller_of_three_dies_and_another_elects_leaders() {
    let mut world = three(&[("controllers", json!(3))]);
    run(&mut world, 10_000);
    let controller = |world: &World| {
        let brokers = world.snapshot().brokers;
        brokers
            .into_iter()
            .find(|broker| broker.controller)
            .map(|broker| broker.id)
    };
    let first = controller(&world).expect("one is the controller");
    fault(&mut world, Fault::Kill { node: first });
    run(&mut world, FAILOVER_MS);
    let second = controller(&world).expect("another is the controller");
    assert_ne!(first, second);
    for index in 0..3 {
        assert_ne!(partition(&world, index).leader, first);
    }
    fault(&mut world, Fault::Start { node: first });
    run(&mut world, 15_000);
    settle(&mut world);
    let (sent, failed) = acknowledged(&world);
    assert_eq!(
        (converged(&world), failed),
        (i64::try_from(sent).expect("few"), 0)
    );
}

#[test]
fn too_many_brokers_or_controllers_are_refused_in_one_line() {
    let parse = |field: &str, number: u32| {
        let mut document: Value =
            serde_json::from_str(include_str!("three.json")).expect("the scenario is JSON");
        document[field] = json!(number);
        Scenario::parse(&document.to_string()).map_err(|error| error.0)
    };
    assert!(parse("brokers", 50).is_ok());
    for (field, number) in [
        ("brokers", 0),
        ("brokers", 1_000_000_000),
        ("controllers", 2),
    ] {
        let why = parse(field, number).expect_err("it is refused");
        assert!(
            why.starts_with("the scenario asks for another number of"),
            "{why}"
        );
    }
    assert!(parse("controllers", 3).is_ok());
}

#[test]
fn a_broker_that_is_back_before_it_was_missed_appends_nothing_in_its_old_epoch() {
    for brokers in [1, 3] {
        let topics = json!([{ "name": "orders", "partitions": 3, "replicationFactor": brokers }]);
        let offsets = json!({ "offsets.topic.replication.factor": brokers.to_string() });
        let mut world = three(&[
            ("brokers", json!(brokers)),
            ("topics", topics),
            ("properties", offsets),
        ]);
        for again in 0..12 {
            run(&mut world, 3_000 + 37 * again);
            // A producer that keeps its connection to another broker asks the one that is back at once.
            let node = partition(&world, 0).leader;
            fault(&mut world, Fault::Kill { node });
            run(&mut world, 20 + 11 * again);
            fault(&mut world, Fault::Start { node });
        }
        run(&mut world, 20_000);
        settle(&mut world);
        let (sent, failed) = acknowledged(&world);
        assert!(sent > 100 && failed == 0, "{sent} sent, {failed} failed");
    }
}
