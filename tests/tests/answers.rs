//! Brooklet answers as Apache Kafka does, script by script.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tests::answers::play;
use tests::schema::Schemas;

/// Scripts of APIs that Brooklet does not have: a prefix of their names, and why.
const NOT_BUILT: &[(&str, &str)] = &[
    ("addpartitionstotxn/", "transactions"),
    ("endtxn/", "transactions"),
    ("describetransactions/", "transactions"),
    ("transactions/", "transactions"),
    ("consumergroup", "the group protocol of KIP-848"),
    ("joingroup/", "x"),
    ("syncgroup/", "x"),
    ("heartbeat/", "x"),
    ("leavegroup/", "x"),
    ("describegroups/", "x"),
    ("listgroups/", "x"),
    ("offsetcommit/", "x"),
    ("offsetfetch/", "x"),
    ("offsetdelete/", "x"),
    ("deletegroups/", "x"),
];

/// Where Brooklet answers otherwise on purpose, or is known to be wrong: the script, and why.
const KNOWN: &[(&str, &str)] = &[];

#[test]
fn answers_are_kafkas() {
    let schemas = Schemas::load();
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut passed, mut skipped, mut known) = (0, 0, 0);
    for script in scripts() {
        let name = script["name"]
            .as_str()
            .expect("a script's name")
            .to_string();
        if !name.starts_with(&only) {
            continue;
        }
        if NOT_BUILT.iter().any(|(prefix, _)| name.starts_with(prefix)) {
            skipped += 1;
            continue;
        }
        let played = std::panic::catch_unwind(|| play(&schemas, &script));
        let result = played.unwrap_or_else(|_| Err(vec!["a panic".to_string()]));
        match (result, KNOWN.iter().find(|(known, _)| *known == name)) {
            (Ok(()), None) => passed += 1,
            (Ok(()), Some(_)) => {
                failures.insert(name, vec!["passes now: take it off the list".to_string()]);
            }
            (Err(_), Some(_)) => known += 1,
            (Err(why), None) => {
                failures.insert(name, why);
            }
        }
    }
    println!("{passed} scripts as Kafka, {known} known differences, {skipped} of APIs not built");
    for (name, why) in KNOWN.iter().chain(NOT_BUILT) {
        println!("  {name}: {why}");
    }
    for (name, why) in &failures {
        println!("{name}");
        for line in why {
            println!("    {line}");
        }
    }
    assert!(
        failures.is_empty(),
        "{} scripts differ from Kafka",
        failures.len()
    );
}

/// All scripts: those beside the repository if they are there, else the selection in it.
fn scripts() -> Vec<Value> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let beside = root.join("../../shared/vectors/answers");
    let folder = if beside.is_dir() {
        beside
    } else {
        println!(
            "{} is not there: only the selection in tests/vectors is played",
            beside.display()
        );
        root.join("vectors/answers")
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "ndjson")
        })
        .collect();
    files.sort();
    let text = files
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("a readable file"));
    let scripts = text.flat_map(|text| text.lines().map(str::to_string).collect::<Vec<_>>());
    scripts
        .map(|line| serde_json::from_str(&line).expect("a script is JSON"))
        .collect()
}
