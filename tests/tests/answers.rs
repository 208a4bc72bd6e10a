//! Brooklet answers as Apache Kafka does, script by script.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tests::answers::play;
use tests::schema::Schemas;

/// Scripts of what Brooklet does not have: a prefix of their names, and what it is.
const NOT_BUILT: &[(&str, &str)] = &[
    ("addpartitionstotxn/", "transactions"),
    ("describetransactions/", "transactions"),
    ("endtxn/", "transactions"),
    ("transactions/", "transactions"),
    ("consumergroupheartbeat/", "the group protocol of KIP-848"),
    ("admin/alter-partition-reassignments", "moving replicas"),
    ("admin/client-quotas", "quotas"),
    ("admin/create-delete-acls", "ACLs"),
    ("admin/describe-acls", "ACLs"),
    ("admin/delegation-token", "delegation tokens"),
    ("admin/describe-quorum", "a controller quorum to describe"),
    ("admin/scram", "SCRAM credentials"),
    ("admin/unregister", "unregistering brokers"),
    ("admin/update-features", "changing features"),
];

/// Scripts of which some steps are answered otherwise: which steps, and why. All other steps must be
/// Kafka's, and these must not.
const KNOWN: &[(&str, &[usize], &str)] = &[
    (
        "describeconfigs/topic-no-keys",
        &[0, 1],
        "eligible leader replicas are not built; with them Kafka sets min.insync.replicas=1 for all brokers",
    ),
    (
        "describeproducers/idempotent-open-txn-and-errors",
        &[0, 2, 3, 4, 5],
        "transactions are not built",
    ),
    (
        "findcoordinator/batched-v6",
        &[1],
        "transactions are not built",
    ),
    (
        "findcoordinator/empty-key",
        &[2],
        "transactions are not built",
    ),
    (
        "incrementalalterconfigs/errors",
        &[8],
        "the error text: the controller, which refuses, does not know which broker was asked",
    ),
    (
        "initproducerid/happy-v0",
        &[1, 2],
        "transactions are not built",
    ),
    (
        "initproducerid/happy-v2",
        &[1, 2],
        "transactions are not built",
    ),
    (
        "initproducerid/happy-v3",
        &[1, 2],
        "transactions are not built",
    ),
    (
        "initproducerid/happy-v5",
        &[1, 2],
        "transactions are not built",
    ),
    (
        "initproducerid/timeout-and-empty-id",
        &[5],
        "transactions are not built",
    ),
    (
        "initproducerid/with-current-producer-id-and-epoch",
        &[0, 1, 2, 3, 4, 5, 6, 7],
        "transactions are not built",
    ),
    (
        "produce/null-records",
        &[0],
        "Kafka never answers null records, which is a defect of its own; Brooklet answers 87",
    ),
    (
        "wire/api-versions-twice-then-metadata-one-connection",
        &[1],
        "features that are not built have no level",
    ),
];

#[test]
fn answers_are_kafkas() {
    let schemas = Schemas::load();
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut passed, mut known, mut skipped) = (0, 0, 0);
    let mut names = BTreeSet::new();
    for script in scripts() {
        let name = script["name"]
            .as_str()
            .expect("a script's name")
            .to_string();
        names.insert(name.clone());
        if NOT_BUILT.iter().any(|(prefix, _)| name.starts_with(prefix)) {
            skipped += 1;
            continue;
        }
        match (judge(&schemas, &script), is_known(&name)) {
            (why, false) if why.is_empty() => passed += 1,
            (why, true) if why.is_empty() => known += 1,
            (why, _) => {
                failures.insert(name, why);
            }
        }
    }
    println!(
        "{passed} scripts as Kafka; {known} but for known differences; {skipped} of what is not built"
    );
    for (name, steps, why) in KNOWN {
        println!("  {name}, steps {steps:?}: {why}");
    }
    for (prefix, what) in NOT_BUILT {
        println!("  {prefix}…: {what}");
    }
    for (name, why) in &failures {
        println!("{name}\n    {}", why.join("\n    "));
    }
    for (name, _, _) in KNOWN {
        assert!(names.contains(*name), "{name}: there is no such script");
    }
    for (prefix, _) in NOT_BUILT {
        let met = names.iter().any(|name| name.starts_with(prefix));
        assert!(met, "{prefix}: no script's name begins so");
    }
    assert!(
        failures.is_empty(),
        "{} scripts differ from Kafka",
        failures.len()
    );
}

fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|(known, _, _)| *known == name)
}

/// What is wrong with the answers to a script; nothing, if they differ from Kafka's just where listed.
fn judge(schemas: &Schemas, script: &Value) -> Vec<String> {
    let played = std::panic::catch_unwind(|| play(schemas, script));
    let differences = match played {
        Ok(Ok(differences)) => differences,
        Ok(Err(why)) => return vec![why],
        Err(_) => return vec!["a panic, see above".to_string()],
    };
    let listed = KNOWN.iter().find(|(known, _, _)| script["name"] == *known);
    let listed: BTreeSet<usize> = listed
        .into_iter()
        .flat_map(|(_, steps, _)| *steps)
        .copied()
        .collect();
    let differing: BTreeSet<usize> = differences.iter().map(|found| found.step).collect();
    let equal = listed.difference(&differing);
    let new = differences
        .iter()
        .filter(|found| !listed.contains(&found.step));
    new.map(|found| format!("step {}: {}", found.step, found.what))
        .chain(equal.map(|step| format!("step {step} is as Kafka's now: take it off the list")))
        .collect()
}

/// All scripts.
fn scripts() -> Vec<Value> {
    let files = vectors::files("answers", ".ndjson").into_iter();
    let text = files.map(|file| vectors::text(&file));
    let scripts = text.flat_map(|text| text.lines().map(str::to_string).collect::<Vec<_>>());
    scripts
        .map(|line| serde_json::from_str(&line).expect("a script is JSON"))
        .collect()
}

#[test]
fn an_idempotent_producer_is_described_as_kafka_does() {
    // Kafka's script goes on with transactions; what comes before them holds without them, too.
    let script = scripts()
        .into_iter()
        .find(|script| script["name"] == "describeproducers/idempotent-open-txn-and-errors");
    let mut script = script.expect("the script");
    script["requests"][0]["body"]["TransactionalId"] = Value::Null;
    for list in ["requests", "responses"] {
        script[list].as_array_mut().expect("a list").truncate(3);
    }
    let differences = play(&Schemas::load(), &script).expect("a script that can be played");
    let told: Vec<&str> = differences.iter().map(|found| &*found.what).collect();
    assert!(told.is_empty(), "{told:#?}");
}
