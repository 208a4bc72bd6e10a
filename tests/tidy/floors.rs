//! Inside a crate, too, arrows point down: who stands on a lower floor knows nothing of what is above.

use crate::sources::{Source, assert_none, below};

const BROKER: &str = "crates/broker/src/";

/// The modules of `broker` that see lower floors only.
const FLOORS: [(&str, u8); 8] = [
    ("ascending", 0),
    ("by_id", 0),
    ("event", 0),
    ("waiting", 1),
    ("connection", 2),
    ("replicas", 2),
    ("fetcher", 3),
    ("topics", 3),
];

/// Those that still form a circle through `Broker`: their handlers take all of it. They see what is below
/// them, and each other.
const CIRCLE: [&str; 10] = [
    "api",
    "auto_create",
    "broker",
    "coordinator",
    "forward",
    "isr",
    "parked",
    "producer_ids",
    "register",
    "view",
];

#[test]
fn what_is_below_in_the_broker_knows_nothing_of_what_is_above() {
    let mut wrong = Vec::new();
    for source in below(BROKER, &[".rs"]) {
        let Some(own) = module(&source) else { continue };
        let Some(floor) = floor(own) else {
            if !CIRCLE.contains(&own) {
                wrong.push(format!("{}: is on no floor", source.path));
            }
            continue;
        };
        for (at, line) in source.code_lines() {
            for other in named(line) {
                if other != own && self::floor(other).is_none_or(|other| other >= floor) {
                    wrong.push(format!("{}:{at}: sees `{other}`", source.path));
                }
            }
        }
    }
    assert_none("arrows in crates/broker point down", &wrong);
}

#[test]
fn every_module_that_is_named_here_is_there() {
    let sources = below(BROKER, &[".rs"]);
    let there: Vec<&str> = sources.iter().filter_map(module).collect();
    let named = FLOORS.iter().map(|(name, _)| *name).chain(CIRCLE);
    let gone = named.filter(|name| !there.contains(name)).map(String::from);
    assert_none("a floor has modules", &gone.collect::<Vec<_>>());
}

fn floor(module: &str) -> Option<u8> {
    let found = FLOORS.iter().find(|(name, _)| *name == module);
    found.map(|(_, floor)| *floor)
}

/// The module at the crate's root that a file is of; `lib.rs` is of none.
fn module(source: &Source) -> Option<&str> {
    let path = source.path.strip_prefix(BROKER)?;
    let name = path.split(['/', '.']).next()?;
    (name != "lib").then_some(name)
}

/// The modules at the crate's root that a line names. `super::super` is how a folder would reach past it.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let ways = line
        .match_indices("crate::")
        .map(|(at, way)| at + way.len());
    let outwards = line.match_indices("super::super::").map(|(at, _)| at);
    ways.chain(outwards).map(|at| {
        let rest = &line[at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}
