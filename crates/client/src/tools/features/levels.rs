//! The features of Kafka 4.3, their levels, and which release brings which.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The feature that says which records and requests there are.
pub(super) const METADATA: &str = "metadata.version";
/// The level of the first of [`RELEASES`].
const FIRST: i16 = 7;
const RELEASES: [&str; 25] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2",
    "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0",
    "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
    "4.4-IV0",
];
/// The other features: the highest level, and the metadata version from which on it is the usual one.
const OTHERS: [(&str, i16, i16); 6] = [
    ("kraft.version", 1, 21),
    ("transaction.version", 2, 24),
    ("group.version", 1, 22),
    ("eligible.leader.replicas.version", 1, 26),
    ("share.version", 1, 28),
    ("streams.version", 1, 29),
];

/// A release, by its metadata version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Release(pub(super) i16);

impl Release {
    pub(super) const LATEST_STABLE: Release = Release(30);
}

fn name_of(level: i16) -> Option<&'static str> {
    let at = usize::try_from(level.checked_sub(FIRST)?).ok()?;
    RELEASES.get(at).copied()
}

/// The release of a name such as `4.1-IV1`, or of the last of those that begin with `4.1`.
pub(super) fn release_of(text: &str) -> Result<Release, String> {
    let of_line = |name: &&str| *name == text || name.split('-').next() == Some(text);
    let at = RELEASES.iter().rposition(of_line);
    let level = at.and_then(|at| i16::try_from(at).ok());
    let unknown = || {
        let all = RELEASES.join(", ");
        format!("Unknown metadata.version '{text}'. Supported metadata.version are: {all}")
    };
    level.map(|at| Release(FIRST + at)).ok_or_else(unknown)
}

/// All features of a release, with their levels.
pub(super) fn mapping(release: Release) -> Vec<(&'static str, i16)> {
    let other = |&(name, most, from): &(&'static str, i16, i16)| {
        (name, if release.0 >= from { most } else { 0 })
    };
    let others = OTHERS.iter().map(other);
    core::iter::once((METADATA, release.0))
        .chain(others)
        .collect()
}

/// `feature=level`, taken apart.
pub(super) fn level(text: &str) -> Result<(&str, i16), String> {
    let bad = |why: &str| format!("Can't parse feature=level string {text}: {why}");
    let halves = text.split_once('=');
    let (name, level) = halves.ok_or_else(|| bad("equals sign not found."))?;
    let level = level.trim();
    match level.parse() {
        Ok(number) => Ok((name.trim(), number)),
        Err(_) => Err(bad(&format!("unable to parse {level} as a short."))),
    }
}

/// The features without which one does not go at a level.
pub(super) fn dependencies(name: &str, level: i16) -> Result<Vec<(&'static str, i16)>, String> {
    if name == METADATA {
        let known = name_of(level).map(|_| Vec::new());
        return known.ok_or_else(|| format!("Unknown metadata.version {level}"));
    }
    let mut others = OTHERS.iter();
    let Some((known, most, _)) = others.find(|other| other.0 == name) else {
        return Err(format!("Unknown feature: {name}"));
    };
    if !(0..=*most).contains(&level) {
        return Err(format!("No feature:{name} with feature level {level}"));
    }
    Ok(match (*known, level) {
        ("eligible.leader.replicas.version", 1) => alloc::vec![(METADATA, 23)],
        _ => Vec::new(),
    })
}

/// `name=level`, with the release if it is the metadata's.
pub(super) fn shown(name: &str, level: i16) -> String {
    match name_of(level).filter(|_| name == METADATA) {
        Some(release) => format!("{name}={level} ({release})"),
        None => format!("{name}={level}"),
    }
}

/// A level as the description shows it: the metadata's by its release.
pub(super) fn version(name: &str, level: i16) -> String {
    match (name, name_of(level)) {
        (METADATA, Some(release)) => release.to_string(),
        (METADATA, None) => format!("UNKNOWN [{level}]"),
        _ => level.to_string(),
    }
}
