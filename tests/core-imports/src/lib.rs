//! The whole core as one WebAssembly module. `cargo xtask test --only imports` links it and asserts
//! that the module imports nothing (no clock, no chance, no host), and that the scenario below leaves
//! the same trace in it, event by event, as it does natively.

pub use world;

use ids::Time;
use std::cell::RefCell;
use std::sync::OnceLock;
use world::{Scenario, World};

/// The scenario that `tests/tests/determinism.rs` runs natively.
const SCENARIO: &str = include_str!("../../scenarios/determinism.json");
/// Events between two calls for more.
const SLICE: u64 = 10_000;

/// Runs the scenario for `millis` of world time; gives the number of events, 0 if it cannot be run.
/// Only the first call runs it.
#[expect(unsafe_code, reason = "the host finds an export by its plain name")]
#[unsafe(no_mangle)]
pub extern "C" fn run_scenario(millis: u64) -> u32 {
    let hashes = HASHES.get_or_init(|| run(millis).unwrap_or_default());
    u32::try_from(hashes.len()).unwrap_or(u32::MAX)
}

/// The hash of the trace after an event of [`run_scenario`], counted from 0; 0 if there is none.
#[expect(unsafe_code, reason = "the host finds an export by its plain name")]
#[unsafe(no_mangle)]
pub extern "C" fn hash_after(event: u32) -> u64 {
    let hashes = HASHES.get().map(Vec::as_slice).unwrap_or_default();
    hashes.get(event as usize).copied().unwrap_or_default()
}

/// The world that `brooklet bench` measures natively.
const BUSY: &str = include_str!("../../../crates/bench/src/world.json");

thread_local! {
    static BUSY_WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Lets the busy world of the benchmark go on for so many events; gives how many happened.
#[expect(unsafe_code, reason = "the host finds an export by its plain name")]
#[unsafe(no_mangle)]
pub extern "C" fn run_busy(events: u64) -> u64 {
    BUSY_WORLD.with_borrow_mut(|world| {
        if world.is_none() {
            *world = Scenario::parse(BUSY).ok().and_then(|s| World::new(s).ok());
        }
        let world = world.as_mut();
        world.map_or(0, |world| world.run_until(Time(u64::MAX), events))
    })
}

static HASHES: OnceLock<Vec<u64>> = OnceLock::new();

fn run(millis: u64) -> Option<Vec<u64>> {
    let mut world = World::new(Scenario::parse(SCENARIO).ok()?).ok()?;
    world.record_trace();
    let until = world.now().plus_millis(millis);
    while world.run_until(until, SLICE) > 0 {
        world.take_said();
    }
    Some(
        world
            .trace()
            .points()
            .iter()
            .map(|point| point.hash)
            .collect(),
    )
}
