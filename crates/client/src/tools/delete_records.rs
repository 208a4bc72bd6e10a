//! `kafka-delete-records`: moves the beginnings of partitions to the offsets that a JSON file names.
//!
//! Unlike Kafka's, which asks for a topic that does not exist for a minute, this one says so at once.

use super::options::delete_records::OPTIONS;
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown};
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

const ABOUT: &str =
    "This tool helps to delete records of the given partitions down to the specified offset.";
const TIMEOUT_MS: i32 = 60_000;

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let refuse = |thrown: Thrown| Said::default().err(&thrown.message).exit(1);
    let parsed = super::read(words, ABOUT, (OPTIONS, &[]), refuse)?;
    let said = Said::default();
    if let Some(message) = parsed.missing(&["bootstrap-server", "offset-json-file"]) {
        return Err(said.usage(&message, OPTIONS));
    }
    let built = super::admin(&parsed, &env, "bootstrap-server").and_then(|admin| {
        let file = parsed.one("offset-json-file")?.unwrap_or_default();
        let missing = || {
            let message = format!("Unable to read file {file}");
            Thrown::new("java.io.IOException", &message).caused_by(&Thrown::no_file(file))
        };
        let bytes = env.files.get(file).ok_or_else(missing)?;
        Ok((admin, offsets(bytes)?))
    });
    let (admin, wanted) =
        built.map_err(|thrown| Said::default().err(&thrown.message).cause(&thrown).exit(1))?;
    let job = DeleteRecords {
        results: alloc::vec![None; wanted.len()],
        wanted,
    };
    let said = said.out("Executing records delete operation");
    Ok(AdminTool::new(
        admin,
        env.rng,
        Job::DeleteRecords(job),
        said,
    ))
}

/// One partition of the file and the offset its log is to begin at; -1 is the high watermark.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wanted {
    topic: String,
    partition: i32,
    offset: i64,
}

fn operation(message: &str) -> Thrown {
    Thrown::new("org.apache.kafka.tools.AdminOperationException", message)
}

fn mapping(message: &str) -> Thrown {
    let class = "com.fasterxml.jackson.databind.JsonMappingException";
    Thrown::new(class, message)
}

/// What the file asks for, in its order.
fn offsets(json: &[u8]) -> Result<Vec<Wanted>, Thrown> {
    let file: Value = serde_json::from_slice(json)
        .map_err(|_| operation("The input string is not a valid JSON"))?;
    let object = |value: &Value| {
        let received = || mapping(&format!("Expected JSON object, received {value}"));
        value.as_object().map(|_| ()).ok_or_else(received)
    };
    object(&file)?;
    if let Some(version) = file.get("version") {
        let version = number_of(version, "Integer", i64::from(i32::MAX))?;
        if version != 1 {
            return Err(operation(&format!(
                "Not supported version field value {version}"
            )));
        }
    }
    let rows = file.get("partitions");
    let rows = rows.ok_or_else(|| operation("Missing partitions field"))?;
    let array = || mapping(&format!("Expected JSON array, received {rows}"));
    let mut wanted: Vec<Wanted> = Vec::new();
    for row in rows.as_array().ok_or_else(array)? {
        object(row)?;
        let topic = field(row, "topic")?;
        let text = || mapping(&format!("Expected `String` value, received {topic}"));
        let partition = number_of(field(row, "partition")?, "Integer", i64::from(i32::MAX))?;
        let found = Wanted {
            topic: topic.as_str().ok_or_else(text)?.to_string(),
            partition: i32::try_from(partition).unwrap_or(i32::MAX),
            offset: number_of(field(row, "offset")?, "Long", i64::MAX)?,
        };
        let same = |w: &&Wanted| w.topic == found.topic && w.partition == found.partition;
        if wanted.iter().any(|w| same(&w)) {
            let class = "org.apache.kafka.tools.AdminCommandFailedException";
            let (topic, partition) = (&found.topic, found.partition);
            let message = format!(
                "Offset json file contains duplicate topic partitions: {topic}-{partition}"
            );
            return Err(Thrown::new(class, &message));
        }
        wanted.push(found);
    }
    Ok(wanted)
}

fn field<'a>(row: &'a Value, name: &str) -> Result<&'a Value, Thrown> {
    let missing = || mapping(&format!("No such field exists: `{name}`"));
    row.get(name).ok_or_else(missing)
}

fn number_of(value: &Value, kind: &str, most: i64) -> Result<i64, Thrown> {
    let received = || mapping(&format!("Expected `{kind}` value, received {value}"));
    value.as_i64().filter(|&n| n <= most).ok_or_else(received)
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
    #[inline(never)]
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
            offsets(twice).unwrap_err().message,
            "Offset json file contains duplicate topic partitions: t-2"
        );
        assert_eq!(
            offsets(b"offsets").unwrap_err().message,
            "The input string is not a valid JSON"
        );
        assert_eq!(
            offsets(br#"{"partitions":[],"version":2}"#)
                .unwrap_err()
                .message,
            "Not supported version field value 2"
        );
    }
}
