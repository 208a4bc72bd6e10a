//! A world that is made from logs, as after a reload of the page.

use brooklet_world as world;
use bytes::Bytes;
use ids::{NodeId, Offset, Time, TopicIdPartition};
use log::{Checkpoints, Log, LogConfig, LogSlice, Recovery};
use std::collections::BTreeMap;
use world::{RecoveredLog, Scenario, StoredLog, World};

fn scenario() -> Scenario {
    Scenario::parse(include_str!("orders.json")).expect("a scenario")
}

/// What somebody sees of each partition: topic, number, high watermark.
fn seen(world: &World) -> Vec<(String, i32, String)> {
    let topics = world.snapshot().topics;
    let partitions = topics.iter().flat_map(|topic| {
        let name = topic.name.clone();
        let all = topic.partitions.iter();
        all.map(move |p| (name.clone(), p.partition, p.high_watermark.clone()))
    });
    partitions.collect()
}

/// The log as it is read back after a kill, when nobody knows how much of it was committed.
fn recovered(log: StoredLog<'_>) -> Log {
    let checkpoints = Checkpoints {
        clean: false,
        recovery_point: Offset(0),
        log_start: log.log_start(),
        high_watermark: Offset(0),
    };
    let mut recovery = Recovery::new(LogConfig::default(), checkpoints, Time(0));
    for (segment, length) in log.segment_sizes() {
        recovery.segment(segment);
        let slice = LogSlice {
            segment,
            position: 0,
            length,
        };
        let pieces = log.slice_pieces(&slice).expect("all is in memory");
        recovery.bytes(Bytes::from(pieces.concat()));
    }
    recovery.finish().0
}

#[test]
fn a_restored_world_shows_all_it_has_at_once() {
    let mut old = World::new(scenario()).expect("the scenario is fine");
    old.keep_writes();
    let end = old.now().plus_millis(3_000);
    while old.run_until(end, 10_000) > 0 {}
    let mut names: BTreeMap<(NodeId, TopicIdPartition), ()> = BTreeMap::new();
    names.insert((NodeId(1), TopicIdPartition::metadata()), ());
    names.extend(
        old.take_writes()
            .into_iter()
            .map(|w| ((w.node, w.name), ())),
    );
    let logs = names.into_keys().filter_map(|(node, name)| {
        let log = recovered(old.stored_log(node, &name)?);
        Some(RecoveredLog { node, name, log })
    });
    let mut quiet = scenario();
    quiet.producers.clear();
    quiet.groups.clear();
    let logs = logs.collect();
    let world = World::restore(quiet, old.world_millis(), logs).expect("a scenario");
    let ends: Vec<_> = (old.snapshot().topics.iter())
        .flat_map(|topic| {
            let all = topic.partitions.iter();
            all.map(|p| (topic.name.clone(), p.partition, p.log_end_offset.clone()))
        })
        .collect();
    assert!(ends.iter().any(|(_, _, end)| end != "0"), "{ends:?}");
    assert_eq!(seen(&world), ends);
}
