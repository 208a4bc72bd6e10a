//! When two answers are the same: what differs from run to run is masked, everything else must be equal,
//! error texts too.

use crate::schema::{hex, unhex};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Any value will do.
const ANY: &[&str] = &[
    "ThrottleTimeMs",
    "ClusterId",
    "Host",
    "Port",
    "Rack",
    "ClientHost",
    "LogDir",
    "PartitionSize",
    "TotalBytes",
    "UsableBytes",
    "FinalizedFeaturesEpoch",
    "LastFetchTimestamp",
    "LastCaughtUpTimestamp",
    "TransactionStartTimeMs",
    "LastTimestamp",
    "StartTimestamp",
    "BrokerEpoch",
];
/// Any value will do, but "none" stays itself.
const ANY_IF_SET: &[&str] = &[
    "TopicId",
    "ProducerId",
    "MemberId",
    "SessionId",
    "LogAppendTimeMs",
    "NodeId",
    "BrokerId",
    "LeaderId",
    "ControllerId",
    "CoordinatorId",
    "ReplicaId",
    "ReplicaDirectoryId",
];
/// Only how many there are.
const ONLY_LENGTH: &[&str] = &[
    "ReplicaNodes",
    "IsrNodes",
    "OfflineReplicas",
    "EligibleLeaderReplicas",
    "LastKnownElr",
    "Replicas",
];

const ZERO_UUID: &str = "00000000-0000-0000-0000-000000000000";
const ANYTHING: &str = "*";

/// What a script knows by name.
pub(crate) type Vars = BTreeMap<String, Value>;

/// An answer with everything masked that may differ from run to run.
#[must_use]
pub(crate) fn masked(answer: &Value, step: &Value, vars: &Vars) -> Value {
    let mask = Mask { step, vars };
    mask.value("", answer)
}

struct Mask<'a> {
    step: &'a Value,
    vars: &'a Vars,
}

impl Mask<'_> {
    fn lists(&self, option: &str, name: &str) -> bool {
        self.step[option]
            .as_array()
            .is_some_and(|names| names.iter().any(|listed| listed == name))
    }

    fn value(&self, name: &str, value: &Value) -> Value {
        let anything = json!(ANYTHING);
        if ANY.contains(&name) || self.lists("mask", name) {
            return anything;
        }
        if ONLY_LENGTH.contains(&name)
            && let Some(list) = value.as_array()
        {
            return json!(list.len());
        }
        if ANY_IF_SET.contains(&name) {
            let unset = value.is_null()
                || *value == 0
                || *value == -1
                || *value == ""
                || *value == ZERO_UUID;
            let named = matches!(name, "TopicId" | "MemberId")
                .then(|| self.variable(value))
                .flatten();
            return if unset {
                value.clone()
            } else {
                named.unwrap_or(anything)
            };
        }
        match value {
            Value::String(text) if name == "Records" => batches(&unhex(text)),
            Value::String(text) if text.len() >= 8 => json!(self.named(without_window(text))),
            Value::Array(list) => self.list(name, list),
            Value::Object(object) => self.object(object),
            other => other.clone(),
        }
    }

    fn object(&self, object: &Map<String, Value>) -> Value {
        let kept = object
            .iter()
            .filter(|(name, _)| !self.lists("ignore", name));
        Value::Object(
            kept.map(|(name, value)| (name.clone(), self.value(name, value)))
                .collect(),
        )
    }

    fn list(&self, name: &str, list: &[Value]) -> Value {
        let wanted = self.step["keep"][name].as_object();
        let keeps = |element: &&Value| {
            wanted.is_none_or(|wanted| {
                wanted.iter().all(|(field, values)| {
                    values
                        .as_array()
                        .is_some_and(|values| values.contains(&element[field.as_str()]))
                })
            })
        };
        let mut masked: Vec<Value> = list
            .iter()
            .filter(keeps)
            .map(|element| self.value("", element))
            .collect();
        if masked.iter().all(Value::is_object) {
            masked.sort_by_key(Value::to_string);
        }
        Value::Array(masked)
    }

    fn variable(&self, value: &Value) -> Option<Value> {
        self.vars
            .iter()
            .find(|(_, known)| *known == value)
            .map(|(name, _)| json!(format!("${name}")))
    }

    fn named(&self, text: &str) -> String {
        let mut text = text.to_string();
        for (name, value) in self.vars {
            if let Some(value) = value.as_str().filter(|value| value.len() >= 8) {
                text = text.replace(value, &format!("${name}"));
            }
        }
        text
    }
}

/// An error text without the time it was written at: it tells which timestamps are right just then.
fn without_window(text: &str) -> &str {
    text.split_once("should be within [")
        .map_or(text, |(before, _)| before)
}

/// Record batches as JSON; of a batch that is cut off, only how long it is.
fn batches(bytes: &[u8]) -> Value {
    const HEADER: usize = 61;
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = rest.get(8..12).map(|size| 12 + number(size) as usize);
        let Some(batch) = size
            .filter(|size| *size >= HEADER)
            .and_then(|size| rest.get(..size))
        else {
            found.push(json!({"cut": rest.len()}));
            break;
        };
        rest = &rest[batch.len()..];
        let attributes = number(&batch[21..23]);
        let clock = attributes & 0x20 != 0 || attributes & 0x08 != 0;
        let time = |bytes: &[u8]| {
            if clock {
                json!(ANYTHING)
            } else {
                json!(number(bytes))
            }
        };
        let producer = number(&batch[43..51]);
        found.push(json!({
            "baseOffset": number(&batch[0..8]), "leaderEpoch": number(&batch[12..16]), "magic": batch[16],
            "crc": crc32c::crc32c(&batch[21..]) == number(&batch[17..21]) as u32,
            "attributes": attributes, "lastOffsetDelta": number(&batch[23..27]),
            "baseTimestamp": time(&batch[27..35]), "maxTimestamp": time(&batch[35..43]),
            "producerId": if producer == u64::MAX { json!(-1) } else { json!(ANYTHING) },
            "producerEpoch": number(&batch[51..53]), "baseSequence": number(&batch[53..57]),
            "count": number(&batch[57..61]), "payload": hex(&batch[61..]),
        }));
    }
    Value::Array(found)
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Where two masked answers differ, in words; the first few places.
#[must_use]
pub(crate) fn difference(kafka: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk("", kafka, ours, &mut found);
    found.truncate(6);
    found
}

fn walk(path: &str, kafka: &Value, ours: &Value, found: &mut Vec<String>) {
    match (kafka, ours) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let absent = json!("(absent)");
                let (a, b) = (
                    a.get(name).unwrap_or(&absent),
                    b.get(name).unwrap_or(&absent),
                );
                walk(&format!("{path}.{name}"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}.{at}"), a, b, found);
            }
        }
        (a, b) => found.push(format!(
            "{}: Kafka {}, Brooklet {}",
            path.trim_start_matches('.'),
            short(a),
            short(b)
        )),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(400) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
