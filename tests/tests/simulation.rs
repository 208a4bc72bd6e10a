//! Random lives keep all rules, and the check that says so finds every bug that is planted.
//!
//! `cargo xtask test --only mutants` builds this with `--cfg brooklet_mutants` and lives more lives.

use std::panic::resume_unwind;
use std::thread;
use tests::simulation::{Life, live};

/// Lives that are lived; `BROOKLET_SEEDS` asks for more.
const SEEDS: u64 = 4;
/// Lives in one of which a planted bug must be found.
#[cfg(brooklet_mutants)]
const SEEDS_TO_FIND: u64 = 30;

#[test]
fn random_lives_with_crashes_full_disks_and_rebalances_break_no_rule() {
    let seeds = std::env::var("BROOKLET_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS, |text| {
        text.parse().expect("BROOKLET_SEEDS is a number")
    });
    let lives = lives(seeds);
    let sum = |of: fn(&Life) -> u64| lives.iter().map(of).sum::<u64>();
    println!(
        "{seeds} lives: {} events, {} kills, {} records, {} s of world time",
        sum(|life| life.events),
        sum(|life| life.kills.into()),
        sum(|life| life.acknowledged),
        sum(|life| life.millis) / 1_000,
    );
    assert!(sum(|life| life.kills.into()) > 10 * seeds);
    assert!(sum(|life| life.acknowledged) > 500 * seeds);
}

/// A life is of its seed alone, so each of the machine's cores lives some of them.
fn lives(seeds: u64) -> Vec<Life> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let every = |first: u64| {
        let seeds = (first..=seeds).step_by(cores);
        let lives = seeds.map(|seed| live(seed).unwrap_or_else(|violation| panic!("{violation}")));
        lives.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (1..=cores as u64)
            .map(|first| scope.spawn(move || every(first)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        let lives = joined.map(|lives| lives.unwrap_or_else(|panic| resume_unwind(panic)));
        lives.flatten().collect()
    })
}

/// A bug is planted in the whole process, so the tests of this file take turns.
#[cfg(brooklet_mutants)]
#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    let of_quorum = ids::Mutant::OF_QUORUM;
    for mutant in (ids::Mutant::ALL.iter()).filter(|mutant| !of_quorum.contains(mutant)) {
        ids::plant(Some(*mutant));
        let found = (1..=SEEDS_TO_FIND).find_map(|seed| live(seed).err());
        ids::plant(None);
        match found {
            Some(violation) => println!("{mutant:?}: {violation}"),
            None => missed.push(mutant),
        }
    }
    assert!(
        missed.is_empty(),
        "not found in {SEEDS_TO_FIND} lives: {missed:?}"
    );
}
