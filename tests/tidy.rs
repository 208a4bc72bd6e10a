//! The style guide as a test: what CONTRIBUTING.md and ARCHITECTURE.md say that a machine can see.

#[path = "tidy/alone.rs"]
mod alone;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/programs.rs"]
mod programs;
#[path = "tidy/sources.rs"]
mod sources;

use std::collections::BTreeMap;
use std::fs;

use sources::{assert_none, below, has_word};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Which floor each crate is on. A crate sees lower floors only; see [`PEERS`].
const FLOORS: [(&str, u8); 18] = [
    ("ids", 0),
    ("sorted", 0),
    ("wire", 0),
    ("records", 0),
    ("codecs", 0),
    ("log", 1),
    ("group", 1),
    ("metadata", 1),
    ("raft", 1),
    ("broker", 2),
    ("controller", 2),
    ("client", 2),
    ("cluster", 3),
    ("world", 3),
    ("server", 4),
    ("wasm", 4),
    ("bench", 4),
    ("brooklet", 4),
];

/// Who may see whom on the same floor: the bottom one, the raft the log it is about, the world its cluster, the command what it starts.
const PEERS: [(&str, &str); 9] = [
    ("sorted", "ids"),
    ("wire", "ids"),
    ("records", "ids"),
    ("records", "codecs"),
    ("raft", "log"),
    ("world", "cluster"),
    ("brooklet", "server"),
    ("brooklet", "bench"),
    ("bench", "server"),
];

/// What lies at the root, and nothing else.
const ROOT: &[&str] = &[
    ".cargo",
    ".ci",
    ".git",
    ".gitattributes",
    ".gitignore",
    ".npmrc",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "DESIGN.md",
    "LICENSE",
    "README.md",
    "biome.json",
    "clippy.toml",
    "crates",
    "deny.toml",
    "dist",
    "fuzz",
    "index.html",
    "node_modules",
    "package-lock.json",
    "package.json",
    "playwright-report",
    "rust-toolchain.toml",
    "target",
    "test-results",
    "tests",
    "tsconfig.json",
    "vite.config.ts",
    "web",
    "xtask",
];

#[test]
fn files_stay_below_their_size() {
    let sources = below("", &[".rs", ".ts", ".svelte"]);
    let long = sources
        .iter()
        .filter(|source| source.is_product())
        .filter_map(|source| {
            let lines = source.product_lines().len();
            (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", source.path))
        });
    let rule = format!("a file has at most {FILE_LINES_MAX} lines without its tests: split it");
    assert_none(&rule, &long.collect::<Vec<_>>());
}

#[test]
fn functions_stay_below_their_size() {
    let mut long = Vec::new();
    for source in below("", &[".rs"])
        .iter()
        .filter(|source| source.is_product())
    {
        let lines = source.product_lines();
        for (at, line) in &lines {
            let length = function_length(&lines[at - 1..]);
            if length > FUNCTION_LINES_MAX {
                long.push(format!(
                    "{}:{at}: {length} lines: {}",
                    source.path,
                    line.trim()
                ));
            }
        }
    }
    let rule = format!("a function has at most {FUNCTION_LINES_MAX} lines: split it");
    assert_none(&rule, &long);
}

/// Lines of the function that begins on the first of these rustfmt'd lines, or 0 if none does.
fn function_length(lines: &[(usize, &str)]) -> usize {
    let Some((_, first)) = lines.first() else {
        return 0;
    };
    let is_function = first.trim_start().starts_with("fn ") || first.contains(" fn ");
    let is_code = !first.trim_start().starts_with(['/', '"', '#', '*']);
    if !is_function || !is_code || first.ends_with(['}', ';']) {
        return 0;
    }
    let indent = &first[..first.len() - first.trim_start().len()];
    let closing = format!("{indent}}}");
    let bodiless = format!("{indent})");
    let ends = |line: &str| line == closing || (line.starts_with(&bodiless) && line.ends_with(';'));
    lines
        .iter()
        .position(|(_, line)| ends(line))
        .map_or(0, |end| end + 1)
}

#[test]
fn every_crate_has_a_floor_and_dependencies_point_down() {
    let floors = BTreeMap::from(FLOORS);
    let mut wrong = Vec::new();
    for manifest in below("crates/", &["/Cargo.toml"]) {
        let name = manifest.path.split('/').nth(1).unwrap_or_default();
        let Some(floor) = floors.get(name) else {
            wrong.push(format!(
                "{name} is on no floor: name it here and in ARCHITECTURE.md"
            ));
            continue;
        };
        for needed in dependencies(&manifest.text) {
            let Some(below) = floors.get(needed) else {
                continue;
            };
            if below >= floor && !PEERS.contains(&(name, needed)) {
                wrong.push(format!(
                    "{name} (floor {floor}) needs {needed} (floor {below})"
                ));
            }
        }
    }
    assert_none("dependencies point down only", &wrong);
}

/// Names in `[dependencies]`; those of tests may look up.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut section = "";
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && !section.contains("dev-") {
            names.extend(line.split(['.', ' ', '=']).next());
        }
    }
    names
}

#[test]
fn the_core_is_no_std_and_safe() {
    let mut wrong = Vec::new();
    for name in core() {
        let path = format!("crates/{name}/src/lib.rs");
        let text = fs::read_to_string(sources::root().join(&path)).unwrap_or_default();
        let attributes = ["#![no_std]", "#![forbid(unsafe_code)]"];
        for attribute in attributes.iter().skip(usize::from(name == "codecs")) {
            if !text.lines().any(|line| line == *attribute) {
                wrong.push(format!("{path} lacks {attribute}"));
            }
        }
    }
    assert_none(
        "floors 0 to 3 are no_std (all but codecs) and have no unsafe code",
        &wrong,
    );
}

#[test]
fn the_core_has_no_clock_no_float_and_no_hash_order() {
    let banned = [
        "HashMap",
        "HashSet",
        "std::time",
        "Instant",
        "SystemTime",
        "f32",
        "f64",
    ];
    let mut wrong = Vec::new();
    for name in core() {
        for source in below(&format!("crates/{name}/src/"), &[".rs"]) {
            for (at, line) in source.code_lines() {
                // Quotas are floats in Kafka's messages; `wire` hands on their bits.
                let passes = |word: &str| name == "wire" && word == "f64";
                let found = banned
                    .iter()
                    .filter(|word| has_word(line, word) && !passes(word));
                wrong.extend(found.map(|word| format!("{}:{at}: {word}", source.path)));
            }
        }
    }
    assert_none(
        "floors 0 to 3 are told the time, count in integers and keep order",
        &wrong,
    );
}

/// The crates of floors 0 to 3.
fn core() -> impl Iterator<Item = &'static str> {
    FLOORS
        .iter()
        .filter(|(_, floor)| *floor <= 3)
        .map(|(name, _)| *name)
}

#[test]
fn the_root_holds_only_what_belongs_there() {
    let entries = fs::read_dir(sources::root()).expect("the root").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let known = |name: &str| ROOT.contains(&name) || name.ends_with(".tmp");
    let stray: Vec<String> = names.filter(|name| !known(name)).collect();
    assert_none("the root holds only what ARCHITECTURE.md leads to", &stray);
}

#[test]
fn nothing_names_a_machine_or_a_registry_host() {
    let homes = [
        "root",
        "home",
        "Users",
        "work/main",
        "work/wt",
        "work/shared",
    ];
    let banned = homes.map(|folder| format!("/{folder}/"));
    let mut wrong = Vec::new();
    for source in sources::all() {
        let lock = source.ends_with(&["package-lock.json", "Cargo.lock"]);
        for (at, line) in (1..).zip(source.text.lines()) {
            let path = banned.iter().any(|path| line.contains(path.as_str()));
            let host = lock && names_a_host(line);
            if path || host {
                wrong.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none("a checkout must work on any machine", &wrong);
}

/// Cargo's lock names its public index; npm's need not name any host.
fn names_a_host(line: &str) -> bool {
    let index = "registry+https://github.com/rust-lang/crates.io-index";
    let entry = line.trim_start();
    entry.starts_with("\"resolved\"") || (entry.starts_with("source = ") && !entry.contains(index))
}

#[test]
fn tests_are_named_as_claims() {
    let mut wrong = Vec::new();
    for source in below("", &[".rs"]) {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for (at, pair) in (2..).zip(lines.windows(2)) {
            if pair[0] == "#[test]" && pair[1].starts_with("fn test_") {
                wrong.push(format!("{}:{at}: {}", source.path, pair[1]));
            }
        }
    }
    assert_none("a test's name says what is true, without `test_`", &wrong);
}

#[test]
fn only_the_engine_imports_the_core() {
    let mut wrong = Vec::new();
    for source in below("web/", &[".ts", ".svelte"]) {
        let outside = !source.path.starts_with("web/engine/");
        let lines = source.code_lines().into_iter();
        let imports = lines.filter(|(_, line)| outside && imports_the_core(line));
        wrong.extend(imports.map(|(at, line)| format!("{}:{at}: {}", source.path, line.trim())));
    }
    assert_none("only web/engine/ imports web/wasm/", &wrong);
}

fn imports_the_core(line: &str) -> bool {
    (line.contains("from ") || line.contains("import")) && line.contains("/wasm/")
}

#[test]
fn the_page_makes_no_markup_of_data_and_stores_nothing_itself() {
    let banned = [
        "{@html",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "indexedDB",
    ];
    let mut wrong = Vec::new();
    for source in below("web/", &[".ts", ".svelte"]) {
        for (at, line) in source.code_lines() {
            let found = banned.iter().filter(|word| line.contains(**word));
            wrong.extend(found.map(|word| format!("{}:{at}: {word}", source.path)));
        }
    }
    assert_none(
        "text nodes only (links carry hostile text); the wasm crate owns IndexedDB",
        &wrong,
    );
}
