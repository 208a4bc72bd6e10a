//! `kafka-get-offsets`: the offsets of partitions at a moment.

use super::options::get_offsets::OPTIONS;
use super::options::{OLD_BROKER_LIST, Parsed};
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::pattern::Pattern;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId};
use sorted::SortedMap;
use wire::Str;
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::metadata_request::MetadataRequest;
use wire::metadata_response::MetadataResponse;

const ABOUT: &str = "An interactive shell for getting topic-partition offsets.";
const LATEST: i64 = -1;

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let failed = |said: Said, thrown: &Thrown| {
        let said = said.err(&format!("Error occurred: {}", thrown.message));
        said.cause(thrown).exit(1)
    };
    let refuse = |thrown: Thrown| {
        Said::default()
            .err(&format!("Error occurred: {}", thrown.message))
            .exit(1)
    };
    let parsed = super::read(words, ABOUT, (OPTIONS, &[OLD_BROKER_LIST]), refuse)?;
    let said = Said::default().notes(&parsed);
    if let Some(message) = parsed.missing(&["bootstrap-server"]) {
        return Err(said.usage(&message, OPTIONS));
    }
    let servers = parsed.one("bootstrap-server");
    let servers = servers.map_err(|refusal| failed(said.clone(), &refusal.into()))?;
    if let Some(message) = super::no_address(servers.unwrap_or_default()) {
        return Err(said.usage(message, OPTIONS));
    }
    let job = GetOffsets::new(&parsed);
    let admin = super::admin(&parsed, &env, "bootstrap-server");
    match admin.and_then(|admin| Ok((admin, job?))) {
        Ok((mut admin, job)) => {
            admin.client_id = "GetOffsetShell".into();
            Ok(AdminTool::new(admin, env.rng, Job::Offsets(job), said))
        }
        Err(thrown) => Err(failed(said, &thrown)),
    }
}

/// A topic pattern and the partitions from, and below.
#[derive(Clone, Debug)]
struct Filter {
    topics: Option<Pattern>,
    partitions: Vec<(i32, i32)>,
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct GetOffsets {
    filters: Vec<Filter>,
    exclude_internal: bool,
    timestamp: i64,
}

impl GetOffsets {
    fn new(parsed: &Parsed) -> Result<GetOffsets, Thrown> {
        let given = parsed.has("topic") || parsed.has("partitions");
        if parsed.has("topic-partitions") && given {
            let both = "--topic-partitions cannot be used with --topic or --partitions";
            return Err(terse(both));
        }
        let timestamp = timestamp(parsed.one("time")?.unwrap_or("latest"))?;
        let filters = match parsed.one("topic-partitions")? {
            Some(list) => list.split(',').map(filter).collect::<Result<_, _>>()?,
            None => alloc::vec![Filter {
                topics: parsed.one("topic")?.map(pattern).transpose()?,
                partitions: match parsed.one("partitions")?.filter(|list| !list.is_empty()) {
                    Some(list) => partitions(list)?,
                    None => alloc::vec![(0, i32::MAX)],
                },
            }],
        };
        Ok(GetOffsets {
            filters,
            exclude_internal: parsed.has("exclude-internal-topics"),
            timestamp,
        })
    }

    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        let fail = |say: &mut Say<'_>, message: &str| {
            say.err(&format!("Error occurred: {message}"));
            Next::Exit(1)
        };
        if outcomes.is_empty() {
            let request = MetadataRequest {
                topics: None,
                allow_auto_topic_creation: true,
                ..Default::default()
            };
            return Next::Ask(alloc::vec![Call {
                name: "listTopics",
                target: Target::Any,
                request: Request::Metadata(request),
            }]);
        }
        let mut offsets: SortedMap<(String, i32), i64> = SortedMap::new();
        for outcome in outcomes {
            match outcome {
                Ok(Response::Metadata(metadata)) => {
                    let calls = self.list_calls(&metadata, say);
                    if calls.is_empty() {
                        let message =
                            "Could not match any topic-partitions with the specified filters";
                        return fail(say, message);
                    }
                    return Next::Ask(calls);
                }
                Ok(Response::ListOffsets(response)) => {
                    for topic in response.topics {
                        for p in topic.partitions {
                            let code = ErrorCode(p.error_code);
                            let name = topic.name.to_string();
                            if code.is_ok() {
                                offsets.insert((name, p.partition_index), p.offset);
                            } else {
                                say.err(&format!(
                                    "Skip getting offsets for topic-partition {name}-{} due to error: {}: {}",
                                    p.partition_index,
                                    crate::errors::exception(code),
                                    crate::errors::message(code)
                                ));
                            }
                        }
                    }
                }
                Ok(_) => {}
                Err(failure) => return fail(say, &failure.message),
            }
        }
        for ((topic, partition), offset) in offsets {
            // Kafka leaves out partitions for which there is no such offset.
            if offset >= 0 {
                say.out(&format!("{topic}:{partition}:{offset}"));
            }
        }
        Next::Exit(0)
    }

    fn wants(&self, topic: &str, internal: bool, partition: i32) -> bool {
        let fits = |filter: &Filter| {
            filter
                .topics
                .as_ref()
                .is_none_or(|pattern| pattern.matches(topic))
                && filter
                    .partitions
                    .iter()
                    .any(|&(from, below)| (from..below).contains(&partition))
        };
        !(internal && self.exclude_internal) && self.filters.iter().any(fits)
    }

    /// One ListOffsets for each leader.
    fn list_calls(&self, metadata: &MetadataResponse, say: &mut Say<'_>) -> Vec<Call> {
        let mut by_leader: SortedMap<i32, SortedMap<&str, Vec<i32>>> = SortedMap::new();
        for topic in &metadata.topics {
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            for p in &topic.partitions {
                if !self.wants(name, topic.is_internal, p.partition_index) {
                    continue;
                }
                if p.leader_id < 0 {
                    say.err(&format!(
                        "Skip getting offsets for topic-partition {name}-{} due to error: {}",
                        p.partition_index,
                        crate::errors::message(ErrorCode::LEADER_NOT_AVAILABLE)
                    ));
                    continue;
                }
                let topics = by_leader.entry(p.leader_id).or_default();
                topics.entry(name).or_default().push(p.partition_index);
            }
        }
        let call = |(leader, topics)| list_offsets(leader, topics, self.timestamp);
        by_leader.into_iter().map(call).collect()
    }
}

/// Asks one leader for the offsets of partitions at a timestamp.
pub(super) fn list_offsets(leader: i32, topics: SortedMap<&str, Vec<i32>>, timestamp: i64) -> Call {
    let partition = |partition_index: i32| ListOffsetsPartition {
        partition_index,
        timestamp,
        ..Default::default()
    };
    let topic = |(name, partitions): (&str, Vec<i32>)| ListOffsetsTopic {
        name: Str::from(name),
        partitions: partitions.into_iter().map(partition).collect(),
        ..Default::default()
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: topics.into_iter().map(topic).collect(),
        timeout_ms: 30_000,
        ..Default::default()
    };
    Call {
        name: "listOffsets",
        target: Target::Broker(NodeId(leader)),
        request: Request::ListOffsets(request),
    }
}

/// What the tool throws itself.
fn terse(message: &str) -> Thrown {
    Thrown::new("org.apache.kafka.tools.TerseException", message)
}

fn pattern(text: &str) -> Result<Pattern, Thrown> {
    let invalid = format!("{text} is an invalid regex.");
    let bad = |_| Thrown::new("java.lang.RuntimeException", &invalid);
    Pattern::topic_filter(text).map_err(bad)
}

/// Numbers with commas between them, each as a range.
fn partitions(list: &str) -> Result<Vec<(i32, i32)>, Thrown> {
    let range = |number: i32| (number, number.saturating_add(1));
    let numbers = list.split(',').map(|text| text.parse().map(range));
    let numbers: Result<_, core::num::ParseIntError> = numbers.collect();
    let expected =
        "--partitions expects a comma separated list of numeric partition ids, but received: ";
    numbers.map_err(|_| terse(&(expected.to_string() + list)))
}

/// `topic`, `topic:1`, `topic:1-3`, `topic:1-`, `topic:-3` (the end is not included); no topic is all.
fn filter(text: &str) -> Result<Filter, Thrown> {
    let (topic, partitions) = text.split_once(':').unwrap_or((text, ""));
    let bad = || {
        let thrown = terse(&format!("Invalid rule specification: {text}"));
        thrown.within("java.lang.RuntimeException")
    };
    let number = |text: &str, default: i32| match text {
        "" => Ok(default),
        text if text.bytes().all(|c| c.is_ascii_digit()) => text.parse().map_err(|_| bad()),
        _ => Err(bad()),
    };
    let range = match partitions.split_once('-') {
        None if partitions.is_empty() => (0, i32::MAX),
        None => {
            let one = number(partitions, 0)?;
            (one, one.saturating_add(1))
        }
        Some((from, below)) => (number(from, 0)?, number(below, i32::MAX)?),
    };
    let topics = if topic.is_empty() {
        None
    } else {
        Some(pattern(topic)?)
    };
    Ok(Filter {
        topics,
        partitions: alloc::vec![range],
    })
}

fn timestamp(text: &str) -> Result<i64, Thrown> {
    Ok(match text {
        "latest" => LATEST,
        "earliest" => -2,
        "max-timestamp" => -3,
        "earliest-local" => -4,
        "latest-tiered" => -5,
        "earliest-pending-upload" => -6,
        number => match number.parse::<i64>() {
            Ok(number) => number,
            Err(_) => {
                return Err(terse(&format!(
                    "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp"
                )));
            }
        },
    })
}
