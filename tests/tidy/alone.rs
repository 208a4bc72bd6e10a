//! A clone stands alone: what its tests read is in it, and none of them passes by reading nothing.

use crate::function_length;
use crate::sources::{self, Source, assert_none, below};

/// The one file that knows where the vectors lie.
const FINDER: &str = "tests/vectors/src/lib.rs";

#[test]
fn nothing_is_read_from_outside_the_checkout() {
    // What once lay beside it, in words or in a path; spelt so that this line does not name it.
    let beside = ["..", "shared"].join("/");
    let all = sources::all();
    let crates: Vec<&str> = all
        .iter()
        .filter_map(|source| source.path.strip_suffix("Cargo.toml"))
        .collect();
    let mut wrong = Vec::new();
    for source in &all {
        for (at, line) in (1..).zip(source.text.lines()) {
            let room = levels(starting_point(source, line, &crates));
            if line.contains(&beside) || climbs(line).any(|climb| climb > room) {
                wrong.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none("a clone with nothing beside it is whole", &wrong);
}

/// The folder that a path in this line is relative to: its crate's in Rust, unless the compiler reads it.
fn starting_point<'a>(source: &'a Source, line: &str, crates: &[&'a str]) -> &'a str {
    let file = source
        .path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    if !source.ends_with(&[".rs"]) || line.contains("include") || line.contains("#[path") {
        return file;
    }
    let owners = crates
        .iter()
        .filter(|folder| source.path.starts_with(**folder));
    owners
        .max_by_key(|folder| folder.len())
        .map_or("", |folder| folder.trim_end_matches('/'))
}

fn levels(folder: &str) -> usize {
    folder.split('/').filter(|name| !name.is_empty()).count()
}

/// How many folders each path that begins in this line goes up.
fn climbs(line: &str) -> impl Iterator<Item = usize> {
    line.split('"').map(|text| {
        let steps = text.trim_start_matches('/').split('/');
        steps.take_while(|step| *step == "..").count()
    })
}

#[test]
fn vectors_are_found_by_one_helper_that_fails_without_them() {
    let mut wrong = Vec::new();
    for source in below("", &[".rs", ".ts", ".mjs", ".py"]) {
        if source.path == FINDER || source.path.starts_with("tests/tidy") {
            continue;
        }
        for (at, line) in (1..).zip(source.text.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            let by_hand = code.split('"').skip(1).step_by(2).any(|text| {
                let mut steps = text.split('/');
                text.contains('/') && steps.any(|step| step == "vectors")
            });
            if by_hand {
                wrong.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(
        "tests ask the crate `vectors`, which knows no \"not there\"",
        &wrong,
    );
}

#[test]
fn no_test_ends_early_and_passes() {
    let mut wrong = Vec::new();
    for source in below("", &[".rs"]) {
        let lines: Vec<(usize, &str)> = (1..).zip(source.text.lines()).collect();
        let tests = lines.iter().filter(|(_, line)| line.trim() == "#[test]");
        for (at, _) in tests {
            let head = lines[*at..]
                .iter()
                .position(|(_, line)| line.contains("fn "));
            let body = &lines[at + head.unwrap_or_default()..];
            let ends = body[..function_length(body)].iter();
            let ends = ends.filter(|(_, line)| line.trim() == "return;");
            wrong.extend(ends.map(|(at, _)| format!("{}:{at}", source.path)));
        }
    }
    assert_none("a test that cannot do its work fails", &wrong);
}
