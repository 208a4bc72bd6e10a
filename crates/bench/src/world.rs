//! The simulated world: clients, network, disks and a broker, with the trace hash on.

use crate::Bench;
use crate::load::{CHECK_AND_COPY, Ring};
use crate::measure::Rounds;
use crate::report::{Row, Work};
use ids::Time;
use world::{Scenario, World};

/// Four busy producers, two groups.
const SCENARIO: &str = include_str!("world.json");
/// Events that happen before the measurement begins.
const WARM_UP: u64 = 20_000;
/// Log bytes that the world may keep in memory, as in the page.
const HOT_BYTES: u64 = 64 << 20;
const FOREVER: Time = Time(u64::MAX);

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<(), String> {
    let name = "world/events";
    if !bench.wants(name) {
        return Ok(());
    }
    let scenario = Scenario::parse(SCENARIO).map_err(|why| format!("{name}: {why:?}"))?;
    let mut world = World::new(scenario).map_err(|why| format!("{name}: {why:?}"))?;
    let warm = world.run_until(FOREVER, bench.plan.size(WARM_UP).max(2_000));
    let each = (stored(&world) / warm.max(1)).max(1);
    let mut done = 0;
    let mut asked = 0;
    let mut events = |repetitions: u64| {
        asked += repetitions;
        done += world.run_until(FOREVER, repetitions);
    };
    let mut ring = Ring::new(HOT_BYTES);
    let bytes = vec![3; each as usize];
    let mut limit = |repetitions: u64| (0..repetitions).for_each(|_| ring.check_and_copy(&bytes));
    let rounds = Rounds::run(bench.plan, &mut [&mut events, &mut limit]);
    if done != asked {
        return Err(format!("{name}: {done} events happened of {asked}"));
    }
    let work = Work {
        unit: "events",
        count: 1,
        bytes: each,
    };
    let row = Row::new(name.to_owned(), work, CHECK_AND_COPY, &rounds);
    bench.push(row.with("ns_per_event", rounds.nanos(0).median));
    Ok(())
}

/// Bytes in the logs of the broker.
fn stored(world: &World) -> u64 {
    let snapshot = world.snapshot();
    let partitions = snapshot.topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .filter_map(|partition| partition.bytes.parse::<u64>().ok())
        .sum()
}
