//! Random lives of three brokers lose nothing that was acknowledged, and come to the same when all is healed.

use std::panic::resume_unwind;
use std::thread;
use tests::several::live;
use tests::simulation::Life;

/// Lives that are lived; `BROOKLET_SEEDS` asks for more, `BROOKLET_SEED` for the one of that seed.
const SEEDS: u64 = 6;

#[test]
fn random_lives_of_three_brokers_lose_nothing_and_converge() {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        text.parse::<u64>().ok()
    };
    let (first, last) = match number("BROOKLET_SEED") {
        Some(seed) => (seed, seed),
        None => (1, number("BROOKLET_SEEDS").unwrap_or(SEEDS)),
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let every = |first: u64| {
        let lives = (first..=last).step_by(cores).map(live);
        lives.collect::<Vec<_>>()
    };
    let lives: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (first..first + cores as u64)
            .map(|first| scope.spawn(move || every(first)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        let lives = joined.map(|lives| lives.unwrap_or_else(|panic| resume_unwind(panic)));
        lives.flatten().collect()
    });
    let broken = lives.iter().filter_map(|life| life.as_ref().err());
    let broken: Vec<String> = broken.map(ToString::to_string).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let sum = |of: fn(&Life) -> u64| lives.iter().flatten().map(of).sum::<u64>();
    println!(
        "{} lives: {} events, {} ends, {} records, {} s of world time",
        lives.len(),
        sum(|life| life.events),
        sum(|life| life.kills.into()),
        sum(|life| life.acknowledged),
        sum(|life| life.millis) / 1_000,
    );
    assert!(sum(|life| life.acknowledged) > 500 * lives.len() as u64);
}
