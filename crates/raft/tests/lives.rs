//! Random lives of a quorum, with kills, cut links and slow disks, keep all rules, and the check that says so
//! finds every bug that is planted.
//!
//! `cargo xtask test --only mutants` builds this with `--cfg brooklet_mutants` and lives more lives.

#[path = "lives/deeds.rs"]
mod deeds;
#[path = "lives/disk.rs"]
mod disk;
#[path = "lives/life.rs"]
mod life;
#[path = "lives/plan.rs"]
mod plan;
#[path = "lives/watch.rs"]
mod watch;

use life::Life;
use plan::{Lived, Plan};

/// Lives that are lived; `BROOKLET_SEEDS` asks for more, and `BROOKLET_FROM` leaves out those before.
const SEEDS: u64 = 24;
/// Lives in one of which a planted bug must be found.
#[cfg(brooklet_mutants)]
const SEEDS_TO_FIND: u64 = 400;

fn live(seed: u64) -> Result<Lived, String> {
    let plan = Plan {
        seed,
        voters: [3, 5, 3, 1][seed as usize % 4],
        observers: seed.is_multiple_of(3),
        dynamic: seed % 5 < 2,
        hasty: seed % 7 < 3,
        fall: [7, 4, 0, 0, 2, 0, 1][seed as usize % 7],
    };
    let lived = Life::new(plan).live();
    lived.map_err(|broken| format!("seed {seed}, {plan:?}: {broken}"))
}

#[test]
fn random_lives_with_kills_cuts_and_slow_disks_break_no_rule() {
    let seeds = std::env::var("BROOKLET_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS, |text| {
        text.parse().expect("BROOKLET_SEEDS is a number")
    });
    let from = std::env::var("BROOKLET_FROM").ok();
    let from = from.map_or(1, |text| text.parse().expect("BROOKLET_FROM is a number"));
    let lives: Vec<Lived> = (from..=seeds)
        .map(|seed| live(seed).unwrap_or_else(|broken| panic!("{broken}")))
        .collect();
    let seeds = lives.len() as u64;
    let sum = |of: fn(&Lived) -> u64| lives.iter().map(of).sum::<u64>();
    println!(
        "{seeds} lives: {} events, {} kills, {} epochs, {} records, {} snapshots loaded, {} changes of voters",
        sum(|life| life.events),
        sum(|life| life.kills),
        sum(|life| life.epochs as u64),
        sum(|life| life.committed as u64),
        sum(|life| life.snapshots_loaded),
        sum(|life| life.voters_changed),
    );
    assert!(sum(|life| life.kills) > 5 * seeds);
    assert!(sum(|life| life.epochs as u64) > 3 * seeds);
    assert!(sum(|life| life.committed as u64) > 300 * seeds);
    assert!(sum(|life| life.snapshots_loaded) > seeds / 2);
    assert!(sum(|life| life.voters_changed) > 0);
}

/// A bug is planted in the whole process, so the tests of this file take turns.
#[cfg(brooklet_mutants)]
#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for mutant in ids::Mutant::OF_QUORUM {
        ids::plant(Some(*mutant));
        let found = (1..=SEEDS_TO_FIND).find_map(|seed| live(seed).err());
        ids::plant(None);
        match found {
            Some(broken) => println!("{mutant:?}: {broken}"),
            None => missed.push(mutant),
        }
    }
    assert!(
        missed.is_empty(),
        "not found in {SEEDS_TO_FIND} lives: {missed:?}"
    );
}
