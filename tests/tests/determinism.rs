//! The same scenario leaves the same trace, event by event, however time is cut into slices; and
//! while it runs, what must hold at every moment holds.
//!
//! `cargo xtask test --only imports` runs it in Wasm, too, and compares every event.

use ids::Rng;
use log::Log;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::OnceLock;
use world::{Acks, Looked, Scenario, Snapshot, Trace, World};

/// How long the scenario lasts; its producers stop before, so that groups can catch up.
const MILLIS: u64 = 70_000;
/// What the scenario is to have, at least.
const EVENTS_MIN: u64 = 50_000;
/// Events between two looks at what must hold.
const LOOK_EVENTS: u64 = 500;

fn begin() -> World {
    let text = include_str!("../scenarios/determinism.json");
    let mut world =
        World::new(Scenario::parse(text).expect("a scenario")).expect("it keeps to the limits");
    world.record_trace();
    world
}

/// The run that the others are compared with, and that is looked at on its way.
fn watched() -> &'static World {
    static WATCHED: OnceLock<World> = OnceLock::new();
    WATCHED.get_or_init(|| {
        let mut world = begin();
        let until = world.now().plus_millis(MILLIS);
        let mut watch = Watch::default();
        while world.run_until(until, LOOK_EVENTS) > 0 {
            watch.look(&world.snapshot());
            world.take_said();
        }
        world
    })
}

fn assert_same(ours: &Trace, theirs: &Trace) {
    if let Some((ours, theirs)) = ours.first_difference(theirs) {
        panic!("the first event that differs:\n  {ours:?}\n  {theirs:?}");
    }
    assert_eq!(
        (ours.hash(), ours.events()),
        (theirs.hash(), theirs.events())
    );
}

#[test]
fn time_sliced_at_random_gives_the_same_trace() {
    let watched = watched();
    assert!(
        watched.trace().events() >= EVENTS_MIN,
        "only {} events",
        watched.trace().events()
    );
    let mut chance = Rng::new(4711);
    let mut world = begin();
    let end = world.now().plus_millis(MILLIS);
    while world.now() < end {
        let until = world.now().plus_micros(chance.below(200_000));
        world.run_until(until.min(end), 1 + chance.below(900));
        if chance.below(3) == 0 {
            world.take_said();
        }
    }
    assert_same(watched.trace(), world.trace());
}

#[test]
fn one_planted_bit_changes_the_trace_and_the_first_difference_is_found() {
    let watched = watched().trace();
    let mut world = begin();
    let middle = world.now().plus_millis(3_000);
    while world.run_until(middle, 10_000) > 0 {}
    let before = world.trace().events();
    world.plant_bit();
    let end = world.now().plus_millis(1_000);
    while world.run_until(end, 10_000) > 0 {}
    let (ours, theirs) = world
        .trace()
        .first_difference(watched)
        .expect("a difference");
    let (ours, theirs) = (ours.expect("ours"), theirs.expect("theirs"));
    assert!(ours.event >= before, "{ours:?} is before the bit");
    assert_eq!(ours.event, theirs.event);
    assert_ne!(ours.hash, theirs.hash);
    assert!(
        ours.event < before + 2_000,
        "{ours:?} is long after the bit"
    );
}

#[test]
fn the_scenario_has_all_that_it_is_to_have() {
    let world = watched();
    let segments = |log: &Log| log.segment_sizes().count();
    for (topic, partition) in [("orders", 0), ("clicks", 1), ("payments", 0), ("late", 1)] {
        let log = world.partition_log(topic, partition).expect("a log");
        assert!(segments(log) > 1, "{topic}-{partition} has not rolled");
    }
    let mut codecs: Vec<&str> = Vec::new();
    for (topic, partition) in [("orders", 0), ("clicks", 0), ("audit", 0), ("payments", 0)] {
        for offset in (0..600).step_by(3) {
            if let Looked::Found(found) = world.inspect(topic, partition, offset) {
                codecs.push(found.batch.codec);
            }
        }
    }
    codecs.sort_unstable();
    codecs.dedup();
    assert_eq!(codecs, ["gzip", "lz4", "none", "snappy", "zstd"]);
    let crashes = world.snapshot().topics[0].partitions[0].leader_epoch;
    assert!(crashes >= 3, "leader epoch {crashes} after three crashes");
}

#[test]
fn what_was_acknowledged_is_there_and_the_groups_have_read_it() {
    let snapshot = watched().snapshot();
    let mut sent: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    for producer in &snapshot.producers {
        let entry = sent.entry(&producer.topic).or_insert((0, true));
        entry.0 += number::<u64>(&producer.sent);
        entry.1 &= producer.acks != Acks::None;
    }
    for topic in &snapshot.topics {
        let ends = topic.partitions.iter();
        let held: u64 = ends.map(|view| number::<u64>(&view.log_end_offset)).sum();
        let (sent, acknowledged) = sent[topic.name.as_str()];
        if acknowledged {
            assert!(held >= sent, "{}: {held} of {sent} records", topic.name);
        }
        // Written by idempotent producers only: nothing twice either.
        if ["payments", "late"].contains(&topic.name.as_str()) {
            assert_eq!(held, sent, "{}", topic.name);
        }
    }
    for group in &snapshot.groups {
        assert_eq!(group.state, "Stable", "{group:?}");
        for row in &group.offsets {
            assert_eq!(row.lag.as_deref(), Some("0"), "{} {row:?}", group.group_id);
        }
    }
}

/// State invariants of SEMANTICS that can be seen from outside.
#[derive(Default)]
struct Watch {
    /// The high watermark of each partition with its leader epoch.
    marks: BTreeMap<(String, i32), (i32, i64)>,
    /// Generations never fall.
    generations: BTreeMap<String, i32>,
}

impl Watch {
    fn look(&mut self, snapshot: &Snapshot) {
        for topic in &snapshot.topics {
            for partition in &topic.partitions {
                let start: i64 = number(&partition.log_start_offset);
                let mark: i64 = number(&partition.high_watermark);
                let end: i64 = number(&partition.log_end_offset);
                let what = || format!("{}-{partition:?}", topic.name);
                assert!(start <= mark && mark <= end, "{}", what());
                assert!(
                    partition.leader == -1 || partition.isr.contains(&partition.leader),
                    "{}",
                    what()
                );
                let key = (topic.topic_id.clone(), partition.partition);
                let epoch = partition.leader_epoch;
                let (seen_epoch, seen_mark) =
                    self.marks.insert(key, (epoch, mark)).unwrap_or((epoch, 0));
                assert!(seen_epoch <= epoch, "{}", what());
                let is_down = snapshot
                    .brokers
                    .iter()
                    .any(|broker| broker.state != "running");
                assert!(
                    seen_mark <= mark || seen_epoch < epoch || is_down,
                    "the high watermark fell from {seen_mark}: {}",
                    what()
                );
            }
        }
        for group in &snapshot.groups {
            let seen = self
                .generations
                .insert(group.group_id.clone(), group.generation);
            let is_empty = group.members.is_empty();
            assert!(
                is_empty || seen.is_none_or(|seen| seen <= group.generation),
                "{group:?} after generation {seen:?}"
            );
            if group.state == "Stable" {
                assert_single_owners(&group.group_id, snapshot);
            }
        }
    }
}

/// A stable group owns each partition of what it reads once.
fn assert_single_owners(group_id: &str, snapshot: &Snapshot) {
    let group = snapshot
        .groups
        .iter()
        .find(|group| group.group_id == group_id);
    let members = &group.expect("the group").members;
    let mut owned: Vec<(&str, i32)> = members
        .iter()
        .flat_map(|member| &member.assignment)
        .map(|assigned| (assigned.topic.as_str(), assigned.partition))
        .collect();
    let count = owned.len();
    owned.sort_unstable();
    owned.dedup();
    assert_eq!(owned.len(), count, "{group_id} owns a partition twice");
    let topics: &[&str] = match group_id {
        "billing" => &["clicks", "orders"],
        _ => &["audit", "orders"],
    };
    for topic in snapshot
        .topics
        .iter()
        .filter(|topic| topics.contains(&topic.name.as_str()))
    {
        for partition in &topic.partitions {
            let key = (topic.name.as_str(), partition.partition);
            assert!(
                owned.contains(&key),
                "{group_id} leaves {key:?} out: {group:#?}"
            );
        }
    }
}

fn number<T: std::str::FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("a number")
}
