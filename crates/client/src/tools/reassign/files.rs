//! The files of `kafka-reassign-partitions`: topics to move, and where partitions are to be.

use super::super::begin::Thrown;
use super::super::log_dirs::json;
use super::Place;
use crate::tools::Env;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::Value;
use sorted::{SortedMap, SortedSet};

/// The directory of a replica that may lie in any.
pub(super) const ANY: &str = "any";

pub(super) fn failed(message: &str) -> Thrown {
    Thrown::new(
        "org.apache.kafka.tools.AdminCommandFailedException",
        message,
    )
}

fn operation(message: &str) -> Thrown {
    Thrown::new("org.apache.kafka.tools.AdminOperationException", message)
}

fn mapping(message: &str) -> Thrown {
    let class = "com.fasterxml.jackson.databind.JsonMappingException";
    Thrown::new(class, message)
}

/// A file of JSON, of version 1.
pub(super) fn read(file: &str, env: &Env) -> Result<Value, Thrown> {
    let missing = || {
        let message = format!("Unable to read file {file}");
        Thrown::new("java.io.IOException", &message).caused_by(&Thrown::no_file(file))
    };
    let bytes = env.files.get(file).ok_or_else(missing)?;
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|_| operation("The input string is not a valid JSON"))?;
    match value.get("version").map_or(Some(1), Value::as_i64) {
        Some(1) => Ok(value),
        Some(version) => Err(operation(&format!(
            "Not supported version field value {version}"
        ))),
        None => Err(mapping("Expected `Integer` value, received a version")),
    }
}

/// The topics to move.
pub(super) fn topics(value: &Value) -> Result<Vec<String>, Thrown> {
    let mut found: Vec<String> = Vec::new();
    let mut seen = SortedSet::new();
    let mut twice = SortedSet::new();
    for row in value
        .get("topics")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let topic = row.get("topic").and_then(Value::as_str);
        let topic = topic.ok_or_else(|| mapping("No such field exists: `topic`"))?;
        if !seen.insert(topic.to_string()) {
            twice.insert(topic.to_string());
        }
        found.push(topic.to_string());
    }
    if !twice.is_empty() {
        let names: Vec<String> = twice.into_iter().collect();
        let names = names.join(", ");
        let message = format!("List of topics to reassign contains duplicate entries: [{names}]");
        return Err(failed(&message));
    }
    Ok(found)
}

/// The brokers of `--broker-list`.
pub(super) fn brokers(text: &str) -> Result<Vec<i32>, Thrown> {
    let mut found: Vec<i32> = Vec::new();
    for part in text.split(',') {
        let class = "java.lang.NumberFormatException";
        let bad = || Thrown::new(class, &format!("For input string: \"{part}\""));
        let id = part.parse().map_err(|_| bad())?;
        if found.contains(&id) {
            let message = format!("Broker list contains duplicate entries: [{id}]");
            return Err(failed(&message));
        }
        found.push(id);
    }
    Ok(found)
}

/// Where partitions are to be.
pub(super) type Plan = SortedMap<Place, Vec<i32>>;

/// The plan of a file; what it says about directories as well, which can only be that any will do.
pub(super) fn plan(value: &Value, to_execute: bool) -> Result<Plan, Thrown> {
    let mut plan = Plan::new();
    let mut twice: Vec<String> = Vec::new();
    for row in value
        .get("partitions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let missing = |name: &str| mapping(&format!("No such field exists: `{name}`"));
        let topic = row.get("topic").and_then(Value::as_str);
        let topic = topic.ok_or_else(|| missing("topic"))?;
        let partition = row.get("partition").and_then(number);
        let partition = partition.ok_or_else(|| missing("partition"))?;
        let replicas = row.get("replicas").and_then(Value::as_array);
        let replicas = replicas.ok_or_else(|| missing("replicas"))?;
        let read: Option<Vec<i32>> = replicas.iter().map(number).collect();
        let replicas = read.ok_or_else(|| mapping("Expected `Integer` value in replicas"))?;
        let place = (topic.to_string(), partition);
        directories(row, &place, &replicas)?;
        if plan.insert(place, replicas).is_some() {
            twice.push(format!("{topic}-{partition}"));
        }
    }
    if to_execute {
        check(&plan, &twice)?;
    }
    Ok(plan)
}

fn number(value: &Value) -> Option<i32> {
    value.as_i64().and_then(|number| i32::try_from(number).ok())
}

fn directories(row: &Value, (topic, partition): &Place, replicas: &[i32]) -> Result<(), Thrown> {
    let Some(dirs) = row.get("log_dirs").and_then(Value::as_array) else {
        return Ok(());
    };
    if dirs.len() != replicas.len() {
        let dirs: Vec<&str> = dirs.iter().filter_map(Value::as_str).collect();
        let message = format!(
            "Size of replicas list {replicas:?} is different from size of log dirs list [{}] for partition {topic}-{partition}",
            dirs.join(", ")
        );
        return Err(failed(&message));
    }
    Ok(())
}

fn check(plan: &Plan, twice: &[String]) -> Result<(), Thrown> {
    if plan.is_empty() {
        return Err(failed("Partition reassignment list cannot be empty"));
    }
    if plan.values().any(Vec::is_empty) {
        return Err(failed("Partition replica list cannot be empty"));
    }
    if !twice.is_empty() {
        let names = twice.join(",");
        let message =
            format!("Partition reassignment contains duplicate topic partitions: {names}");
        return Err(failed(&message));
    }
    for ((topic, partition), replicas) in plan {
        let again = |(at, id): &(usize, &i32)| replicas.iter().take(*at).any(|other| other == *id);
        let found = replicas.iter().enumerate().find(again);
        if let Some((_, id)) = found {
            let message = format!(
                "Partition replica lists may not contain duplicate entries: {topic}-{partition} contains multiple entries for {id}"
            );
            return Err(failed(&message));
        }
    }
    Ok(())
}

/// A plan as JSON, with a directory for each replica.
pub(super) fn shown(plan: &Plan, directory: impl Fn(&Place, i32) -> String) -> String {
    let row = |(place, replicas): (&Place, &Vec<i32>)| {
        let (topic, partition) = place;
        let dirs = replicas.iter().map(|id| json(&directory(place, *id)));
        let dirs: Vec<String> = dirs.collect();
        let (topic, dirs) = (json(topic), dirs.join(","));
        let replicas = super::super::log_dirs::numbers(replicas);
        format!(
            "{{\"topic\":{topic},\"partition\":{partition},\"replicas\":[{replicas}],\"log_dirs\":[{dirs}]}}"
        )
    };
    let rows: Vec<String> = plan.iter().map(row).collect();
    format!("{{\"version\":1,\"partitions\":[{}]}}", rows.join(","))
}
