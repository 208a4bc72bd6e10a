//! `kafka-delete-records`: moves the beginnings of partitions to the offsets that a JSON file names.
//!
//! Unlike Kafka's, which asks for a topic that does not exist for a minute, this one says so at once.

use super::options::{Opt, file, switch, text};
use super::{AdminTool, Body, Env, Job, Next, Said, Say};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId};
use serde_json::Value;
use sorted::SortedMap;
use wire::Str;
use wire::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use wire::delete_records_response::DeleteRecordsResponse;
use wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::metadata_response::MetadataResponse;

/// The options of `kafka-delete-records`.
pub(super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "server(s) to use for bootstrapping",
        "REQUIRED: The server(s) to connect to.",
    ),
    file(
        "command-config",
        "command config property file path",
        "A file of properties of the admin client.",
    ),
    switch("help", "Print usage information."),
    file(
        "offset-json-file",
        "Offset json file path",
        "REQUIRED: A JSON file with the offset below which each partition's records go: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}], \"version\": 1}",
    ),
    switch("version", "Display Kafka version."),
];

const ABOUT: &str =
    "This tool helps to delete records of the given partitions down to the specified offset.";
const TIMEOUT_MS: i32 = 60_000;

pub(super) fn start(words: &[String], env: Env) -> Body {
    if let Some(body) = super::help_or_version(words, ABOUT, OPTIONS) {
        return body;
    }
    let parsed = match super::parse(words, OPTIONS, &[]) {
        Ok(parsed) => parsed,
        Err(refusal) => return Said::default().usage(&refusal.to_string(), OPTIONS),
    };
    let said = Said::default();
    for required in ["bootstrap-server", "offset-json-file"] {
        if !parsed.has(required) {
            let message = format!("Missing required argument \"[{required}]\"");
            return said.usage(&message, OPTIONS);
        }
    }
    let file = parsed.last("offset-json-file").unwrap_or_default();
    let wanted = match env.files.get(file) {
        Some(bytes) => offsets(bytes),
        None => Err(format!("Unable to read file {file}")),
    };
    let servers = parsed.last("bootstrap-server").unwrap_or_default();
    match (super::addresses(servers), wanted) {
        (Ok(bootstrap), Ok(wanted)) => {
            let said = said.out("Executing records delete operation");
            let job = DeleteRecords {
                results: alloc::vec![None; wanted.len()],
                wanted,
            };
            Body::Admin(AdminTool::new(
                bootstrap,
                env,
                Job::DeleteRecords(job),
                said,
            ))
        }
        (Err(message), _) | (_, Err(message)) => Body::Said(said.err(&message).exit(1)),
    }
}

/// One partition of the file and the offset its log is to begin at; -1 is the high watermark.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wanted {
    topic: String,
    partition: i32,
    offset: i64,
}

/// What the file asks for, in its order.
fn offsets(json: &[u8]) -> Result<Vec<Wanted>, String> {
    let invalid = || "The input string is not a valid JSON".to_string();
    let file: Value = serde_json::from_slice(json).map_err(|_| invalid())?;
    match file.get("version") {
        None => {}
        Some(version) if version.as_i64() == Some(1) => {}
        Some(version) => return Err(format!("Not supported version field value {version}")),
    }
    let rows = file.get("partitions").and_then(Value::as_array);
    let rows = rows.ok_or("Missing partitions field")?;
    let mut wanted: Vec<Wanted> = Vec::new();
    for row in rows {
        let found = Wanted {
            topic: text_of(row, "topic")?,
            partition: i32::try_from(number_of(row, "partition")?).map_err(|_| invalid())?,
            offset: number_of(row, "offset")?,
        };
        let same = |w: &&Wanted| w.topic == found.topic && w.partition == found.partition;
        if wanted.iter().any(|w| same(&w)) {
            let (topic, partition) = (&found.topic, found.partition);
            return Err(format!(
                "Offset json file contains duplicate topic partitions: {topic}-{partition}"
            ));
        }
        wanted.push(found);
    }
    Ok(wanted)
}

fn text_of(row: &Value, field: &str) -> Result<String, String> {
    let found = row.get(field).and_then(Value::as_str);
    let missing = || format!("Missing or wrong field '{field}' in a partition of the offset file");
    found.map(ToString::to_string).ok_or_else(missing)
}

fn number_of(row: &Value, field: &str) -> Result<i64, String> {
    let found = row.get(field).and_then(Value::as_i64);
    let missing = || format!("Missing or wrong field '{field}' in a partition of the offset file");
    found.ok_or_else(missing)
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct DeleteRecords {
    wanted: Vec<Wanted>,
    /// The new beginning of each partition, or why it has none.
    results: Vec<Option<Result<i64, String>>>,
}

impl DeleteRecords {
    /// One round further.
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        if outcomes.is_empty() && !self.wanted.is_empty() {
            return Next::Ask(alloc::vec![self.metadata_call()]);
        }
        let mut failure = None;
        for outcome in outcomes {
            match outcome {
                Ok(Response::Metadata(metadata)) => {
                    let calls = self.delete_calls(&metadata);
                    if !calls.is_empty() {
                        return Next::Ask(calls);
                    }
                }
                Ok(Response::DeleteRecords(response)) => self.take(&response),
                Ok(_) => {}
                Err(problem) => {
                    failure = Some(format!(
                        "{}: {}",
                        errors::exception(problem.code),
                        problem.message
                    ))
                }
            }
        }
        say.out("Records delete operation completed:");
        for (wanted, result) in self.wanted.iter().zip(&self.results) {
            let (topic, partition) = (&wanted.topic, wanted.partition);
            let said = match (result, &failure) {
                (Some(Ok(begin)), _) => format!("low_watermark: {begin}"),
                (Some(Err(problem)), _) | (None, Some(problem)) => format!("error: {problem}"),
                (None, None) => "error: the broker did not answer for this partition".to_string(),
            };
            say.out(&format!("partition: {topic}-{partition}\t{said}"));
        }
        Next::Exit(0)
    }

    fn metadata_call(&self) -> Call {
        let topic = |name: &String| MetadataRequestTopic {
            name: Some(Str::from(name.as_str())),
            ..Default::default()
        };
        let mut names: Vec<&String> = self.wanted.iter().map(|wanted| &wanted.topic).collect();
        sorted::sort(&mut names);
        names.dedup();
        let request = MetadataRequest {
            topics: Some(names.into_iter().map(topic).collect()),
            ..Default::default()
        };
        Call {
            name: "deleteRecords",
            target: Target::Any,
            request: Request::Metadata(request),
        }
    }

    /// One DeleteRecords for each leader; partitions without one fail here.
    fn delete_calls(&mut self, metadata: &MetadataResponse) -> Vec<Call> {
        let mut by_leader: SortedMap<i32, SortedMap<&str, Vec<DeleteRecordsPartition>>> =
            SortedMap::new();
        for (wanted, result) in self.wanted.iter().zip(&mut self.results) {
            match leader(metadata, wanted) {
                Ok(leader) => {
                    let topics = by_leader.entry(leader).or_default();
                    let partitions = topics.entry(wanted.topic.as_str()).or_default();
                    partitions.push(DeleteRecordsPartition {
                        partition_index: wanted.partition,
                        offset: wanted.offset,
                        ..Default::default()
                    });
                }
                Err(code) => *result = Some(Err(problem(code))),
            }
        }
        let topic = |(name, partitions): (&str, Vec<DeleteRecordsPartition>)| DeleteRecordsTopic {
            name: Str::from(name),
            partitions,
            ..Default::default()
        };
        let call = |(leader, topics): (i32, SortedMap<&str, Vec<DeleteRecordsPartition>>)| Call {
            name: "deleteRecords",
            target: Target::Broker(NodeId(leader)),
            request: Request::DeleteRecords(DeleteRecordsRequest {
                topics: topics.into_iter().map(topic).collect(),
                timeout_ms: TIMEOUT_MS,
                ..Default::default()
            }),
        };
        by_leader.into_iter().map(call).collect()
    }

    fn take(&mut self, response: &DeleteRecordsResponse) {
        for topic in &response.topics {
            for p in &topic.partitions {
                let is_it = |wanted: &Wanted| {
                    *wanted.topic == *topic.name && wanted.partition == p.partition_index
                };
                let at = self.wanted.iter().position(is_it);
                if let Some(result) = at.and_then(|at| self.results.get_mut(at)) {
                    let code = ErrorCode(p.error_code);
                    let begin = || p.low_watermark;
                    *result = Some(if code.is_ok() {
                        Ok(begin())
                    } else {
                        Err(problem(code))
                    });
                }
            }
        }
    }
}

fn leader(metadata: &MetadataResponse, wanted: &Wanted) -> Result<i32, ErrorCode> {
    let mut topics = metadata.topics.iter();
    let named = |name: &Option<Str>| name.as_ref().is_some_and(|name| **name == *wanted.topic);
    let topic = topics.find(|topic| named(&topic.name));
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if topic.error_code != 0 {
        return Err(ErrorCode(topic.error_code));
    }
    let mut partitions = topic.partitions.iter();
    match partitions.find(|p| p.partition_index == wanted.partition) {
        None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        Some(p) if p.leader_id < 0 => Err(ErrorCode::LEADER_NOT_AVAILABLE),
        Some(p) => Ok(p.leader_id),
    }
}

fn problem(code: ErrorCode) -> String {
    format!("{}: {}", errors::exception(code), errors::message(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_each_partition_once() {
        let one = br#"{"partitions":[{"topic":"t","partition":2,"offset":-1}],"version":1}"#;
        let wanted = Wanted {
            topic: "t".into(),
            partition: 2,
            offset: -1,
        };
        assert_eq!(offsets(one), Ok(alloc::vec![wanted]));
        let twice = br#"{"partitions":[{"topic":"t","partition":2,"offset":1},{"topic":"t","partition":2,"offset":3}]}"#;
        assert_eq!(
            offsets(twice).unwrap_err(),
            "Offset json file contains duplicate topic partitions: t-2"
        );
        assert_eq!(
            offsets(b"offsets").unwrap_err(),
            "The input string is not a valid JSON"
        );
        assert_eq!(
            offsets(br#"{"partitions":[],"version":2}"#).unwrap_err(),
            "Not supported version field value 2"
        );
    }
}
