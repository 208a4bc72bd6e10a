//! What a topic is created with, placed by hand as, and called by.

use super::super::Thrown;
use super::super::options::Parsed;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::Uuid;
use wire::Str;
use wire::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};

/// A Java exception of the tool's own checks.
fn illegal(message: &str) -> Thrown {
    Thrown::new("java.lang.IllegalArgumentException", message)
}

/// The id of a topic; `None` for the id that stands for none.
pub(super) fn topic_id(text: &str) -> Result<Option<(Uuid, String)>, Thrown> {
    let id = uuid(text)?;
    Ok((id != Uuid::ZERO).then(|| (id, text.to_string())))
}

/// An id in Kafka's base64.
pub(in super::super) fn uuid(text: &str) -> Result<Uuid, Thrown> {
    let of_alphabet = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    if let Some(bad) = text.bytes().find(|&c| !of_alphabet(c)) {
        return Err(illegal(&format!("Illegal base64 character {bad:x}")));
    }
    if text.len() < 2 {
        let short = "Input byte[] should at least have 2 bytes for base64 bytes";
        return Err(illegal(short));
    }
    Uuid::parse(text).ok_or_else(|| {
        let bytes = text.len() * 6 / 8;
        illegal(&format!(
            "Input string `{text}` decoded as {bytes} bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID"
        ))
    })
}

pub(super) fn creatable(name: &str, parsed: &Parsed) -> Result<CreatableTopic, Thrown> {
    let count = parsed.integer("partitions")?;
    let replicas = parsed.integer("replication-factor")?;
    let assignments = by_hand(parsed)?;
    let configs = parsed.all("config").iter().map(|pair| config(pair));
    let configs = configs.collect::<Result<_, _>>()?;
    if replicas.is_some_and(|replicas| !(1..=i64::from(i16::MAX)).contains(&replicas)) {
        let range = "The replication factor must be between 1 and 32767 inclusive";
        return Err(illegal(range));
    }
    if count.is_some_and(|count| count < 1) {
        return Err(illegal("The partitions must be greater than 0"));
    }
    if name.is_empty() {
        let class = "org.apache.kafka.common.errors.InvalidTopicException";
        let message = "The given topic name '' cannot be represented in a request.";
        return Err(Thrown::new(class, message));
    }
    let list = |(partition_index, broker_ids)| CreatableReplicaAssignment {
        partition_index,
        broker_ids,
        ..Default::default()
    };
    Ok(CreatableTopic {
        name: Str::from(name),
        num_partitions: count.and_then(|n| i32::try_from(n).ok()).unwrap_or(-1),
        replication_factor: replicas.and_then(|r| i16::try_from(r).ok()).unwrap_or(-1),
        assignments: (0..)
            .zip(assignments.unwrap_or_default())
            .map(list)
            .collect(),
        configs,
        ..Default::default()
    })
}

/// One `name=value` for a topic to be created.
fn config(pair: &str) -> Result<CreatableTopicConfig, Thrown> {
    let halves = pair.split_once('=');
    let halves = halves.filter(|(_, value)| !value.is_empty() && !value.contains('='));
    let (name, value) = halves.ok_or_else(|| illegal("requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\"."))?;
    Ok(CreatableTopicConfig {
        name: Str::from(name.trim()),
        value: Some(Str::from(value.trim())),
        ..Default::default()
    })
}

/// `1:2,2:3` as lists of brokers, one for each partition; an empty text is none.
pub(super) fn by_hand(parsed: &Parsed) -> Result<Option<Vec<Vec<i32>>>, Thrown> {
    let text = parsed.one("replica-assignment")?;
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let mut lists: Vec<Vec<i32>> = Vec::new();
    for (at, part) in text.split(',').enumerate() {
        let id = |id: &str| {
            let class = "java.lang.NumberFormatException";
            let bad = || Thrown::new(class, &format!("For input string: \"{id}\""));
            id.trim().parse().map_err(|_| bad())
        };
        let ids: Vec<i32> = part.split(':').map(id).collect::<Result<_, _>>()?;
        let twice = |(i, id): (usize, &i32)| ids.iter().take(i).any(|other| other == id);
        let mut again = ids
            .iter()
            .enumerate()
            .filter(|at| twice(*at))
            .map(|at| at.1);
        if let Some(id) = again.next() {
            let class = "org.apache.kafka.tools.AdminCommandFailedException";
            let message =
                format!("Partition replica lists may not contain duplicate entries: {id}");
            return Err(Thrown::new(class, &message));
        }
        if lists.first().is_some_and(|first| first.len() != ids.len()) {
            let class = "org.apache.kafka.tools.AdminOperationException";
            let message = format!("Partition {at} has different replication factor: {ids:?}");
            return Err(Thrown::new(class, &message));
        }
        lists.push(ids);
    }
    Ok(Some(lists))
}
