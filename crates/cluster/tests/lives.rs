//! Nodes that die and come back: another one leads, nothing that was committed is lost.

use crate::quorum::{assert_agreed, create};
use crate::support::Bench;
use ids::NodeId;

fn ready(bench: &Bench) -> bool {
    bench.controller().is_some() && bench.all_serve()
}

#[test]
fn another_controller_takes_over_from_one_that_is_killed_and_brokers_go_on() {
    let mut bench = Bench::split(3, 3);
    bench.start_all();
    bench.run_until(10_000, ready);
    assert_eq!(create(&mut bench, 1, "before"), 0);
    let first = bench.controller().unwrap();
    bench.kill(first);
    // Asked while nobody leads: answered by who leads next.
    assert_eq!(create(&mut bench, 2, "meanwhile"), 0);
    let second = bench.controller().unwrap();
    assert_ne!(first, second);
    assert_agreed(&mut bench, "meanwhile");
    bench.run(15_000);
    assert!(
        bench.all_serve(),
        "a broker was fenced by the new controller"
    );
    bench.start(first);
    assert_agreed(&mut bench, "before");
    assert_eq!(bench.controller(), Some(second));
}

#[test]
fn without_a_majority_nothing_is_decided_and_with_it_all_goes_on() {
    let mut bench = Bench::split(3, 3);
    bench.start_all();
    bench.run_until(10_000, ready);
    let leader = bench.controller().unwrap();
    let others: Vec<i32> = [101, 102, 103]
        .into_iter()
        .filter(|id| *id != leader)
        .collect();
    bench.kill(leader);
    bench.kill(others[0]);
    bench.run(10_000);
    assert_eq!(bench.controller(), None);
    bench.start(leader);
    bench.run_until(15_000, |bench| bench.controller().is_some());
    assert_eq!(create(&mut bench, 3, "after"), 0);
    assert_agreed(&mut bench, "after");
}

#[test]
fn all_nodes_start_again_and_know_what_they_knew() {
    for kind in 0..3 {
        let mut bench = match kind {
            0 => Bench::combined(1),
            1 => Bench::combined(3),
            _ => Bench::split(1, 3),
        };
        bench.start_all();
        bench.run_until(10_000, ready);
        let replicas = if kind == 0 { 1 } else { 3 };
        bench.set("default.replication.factor", &replicas.to_string());
        if kind > 0 {
            assert_eq!(create(&mut bench, 1, "t"), 0);
            bench.run(1_000);
        }
        let before = bench.image(1).clone();
        for id in bench.running() {
            bench.kill(id);
        }
        bench.start_all();
        bench.run_until(30_000, ready);
        bench.run(1_000);
        let after = bench.image(1);
        let ids = |image: &metadata::Image| {
            let topics = image.topics().map(|topic| (topic.name.clone(), topic.id));
            topics.collect::<Vec<_>>()
        };
        assert_eq!(ids(&before), ids(after), "kind {kind}");
        assert_eq!(before.brokers().len(), after.brokers().len());
        for id in bench.running() {
            assert_eq!(bench.image(id), after, "kind {kind}, node {id}");
            let files = bench.hosts[&id].disk.metadata_files();
            assert!(files.contains(&"quorum-state".to_string()), "{files:?}");
        }
    }
}

#[test]
fn a_controller_that_stops_in_order_hands_over_at_once() {
    let mut bench = Bench::split(3, 1);
    bench.start_all();
    bench.run_until(10_000, ready);
    let leader = bench.controller().unwrap();
    bench.stop(leader, 2_000);
    // A real quorum takes a tenth of a second.
    bench.run_until(500, |bench| bench.controller().is_some());
}

#[test]
fn a_broker_that_stops_in_order_knows_its_epoch_when_it_comes_back() {
    let mut bench = Bench::split(1, 3);
    bench.start_all();
    bench.run_until(10_000, ready);
    assert_eq!(create(&mut bench, 1, "t"), 0);
    bench.run(1_000);
    bench.stop(2, 10_000);
    let entry = bench.image(101).brokers()[&NodeId(2)].clone();
    assert!(entry.fenced && entry.in_controlled_shutdown);
    bench.start(2);
    // Its session of before has to end first, as in Kafka.
    bench.run_until(15_000, Bench::all_serve);
    assert_ne!(bench.image(101).brokers()[&NodeId(2)].epoch, entry.epoch);
    assert_agreed(&mut bench, "t");
}

#[test]
fn a_combined_node_that_stops_in_order_gives_up_what_it_leads_and_the_quorum() {
    let mut bench = Bench::combined(3);
    bench.start_all();
    bench.run_until(10_000, ready);
    assert_eq!(create(&mut bench, 1, "t"), 0);
    bench.run(1_000);
    let leader = bench.controller().unwrap();
    bench.stop(leader, 15_000);
    bench.run_until(1_000, |bench| bench.controller().is_some());
    assert_agreed(&mut bench, "t");
}
