//! `cargo xtask test`: sets up what the tests need and runs them all, part by part.
//!
//! Its last line is `N passed, N failed, N skipped`, over test cases. A part whose tool can not be
//! installed here counts as one skipped case; a part that finds nothing to run fails.

mod clients;
mod count;
mod imports;
mod rust;
mod web;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use crate::options;
use crate::trouble::{Outcome, Trouble};
use count::Tally;

/// One part of the tests.
struct Part {
    name: &'static str,
    about: &'static str,
    /// Whether it runs without being asked for by name.
    by_default: bool,
    run: fn() -> Outcome<Tally>,
}

const PARTS: &[Part] = &[
    Part {
        name: "fmt",
        about: "Rust is formatted",
        by_default: true,
        run: rust::fmt,
    },
    Part {
        name: "codegen",
        about: "generated code is fresh",
        by_default: true,
        run: rust::codegen,
    },
    Part {
        name: "clippy",
        about: "no lint warns",
        by_default: true,
        run: rust::clippy,
    },
    Part {
        name: "deny",
        about: "licences, sources",
        by_default: true,
        run: rust::deny,
    },
    Part {
        name: "rust",
        about: "tests of the workspace",
        by_default: true,
        run: rust::tests,
    },
    Part {
        name: "mutants",
        about: "worst frames, random lives, bugs",
        by_default: true,
        run: rust::mutants,
    },
    Part {
        name: "no-std",
        about: "the core without std",
        by_default: true,
        run: rust::no_std,
    },
    Part {
        name: "wasm",
        about: "floors 0 to 3 on wasm32",
        by_default: true,
        run: rust::wasm_tests,
    },
    Part {
        name: "imports",
        about: "the core: no host, one trace",
        by_default: true,
        run: imports::imports,
    },
    Part {
        name: "lint",
        about: "biome on the page",
        by_default: true,
        run: web::lint,
    },
    Part {
        name: "types",
        about: "svelte-check",
        by_default: true,
        run: web::types,
    },
    Part {
        name: "unit",
        about: "vitest",
        by_default: true,
        run: web::unit,
    },
    Part {
        name: "page",
        about: "Playwright",
        by_default: true,
        run: web::page,
    },
    Part {
        name: "python",
        about: "kafka-python, kcat",
        by_default: true,
        run: clients::python,
    },
    Part {
        name: "node",
        about: "KafkaJS",
        by_default: true,
        run: clients::node,
    },
    Part {
        name: "advisories",
        about: "weaknesses known by now",
        // Their answer changes with the day and needs a database that is fetched anew.
        by_default: false,
        run: rust::advisories,
    },
];

/// Runs the chosen parts; the status is a failure when a single case failed.
pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    let chosen = choose(arguments)?;
    let started = Instant::now();
    let mut total = Tally::default();
    for part in chosen {
        total.add(run_part(part));
    }
    for reason in &total.reasons {
        println!("skipped: {reason}");
    }
    println!("\n{:.0} s in all", started.elapsed().as_secs_f64());
    println!(
        "{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    Ok(ExitCode::from(u8::from(total.failed > 0)))
}

fn choose(arguments: &[String]) -> Outcome<Vec<&'static Part>> {
    let mut only = options::read("test", arguments, &["--only="])?;
    let names = match only.pop() {
        None => {
            // A part left out is named, so that nobody takes silence for success.
            for part in PARTS.iter().filter(|part| !part.by_default) {
                println!(
                    "{:<10} {:<26}not by default: `cargo xtask test --only {}`",
                    part.name, part.about, part.name
                );
            }
            return Ok(PARTS.iter().filter(|part| part.by_default).collect());
        }
        Some((_, names)) => names,
    };
    let by_name = |name: &str| {
        let part = PARTS.iter().find(|part| part.name == name);
        part.ok_or_else(|| {
            let known: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
            Trouble::Usage(format!(
                "no part is called `{name}`; there are: {}.",
                known.join(", ")
            ))
        })
    };
    names.split(',').map(by_name).collect()
}

fn run_part(part: &Part) -> Tally {
    print!("{:<10} {:<26}", part.name, part.about);
    // A lost line of progress is no reason to stop.
    let _ = std::io::stdout().flush();
    let started = Instant::now();
    let tally = match (part.run)() {
        Ok(tally) => tally,
        Err(Trouble::Missing(why)) => Tally::skipped(format!("{}: {why}", part.name)),
        Err(Trouble::Failed(why) | Trouble::Usage(why)) => Tally::failed(why),
    };
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{:>5} passed {:>3} failed {:>3} skipped {seconds:>7.1} s",
        tally.passed, tally.failed, tally.skipped
    );
    for failure in &tally.failures {
        println!("{failure}\n");
    }
    tally
}
