//! `kafka-get-offsets`: the offsets of partitions at a moment.

use super::options::{OLD_BROKER_LIST, Opt, Parsed, file, switch, text};
use super::{AdminTool, Body, Env, Job, Next, Said, Say};
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

/// The options of `kafka-get-offsets`.
pub(super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "HOST1:PORT1,...,HOST3:PORT3",
        "REQUIRED. The server(s) to connect to in the form HOST1:PORT1,HOST2:PORT2.",
    ),
    file(
        "command-config",
        "config file",
        "Property file containing configs to be passed to Admin Client.",
    ),
    switch("exclude-internal-topics", "Leave out internal topics."),
    switch("help", "Print usage information."),
    text(
        "partitions",
        "partition ids",
        "Numbers of the partitions to ask for, with commas between. Without it, all.",
    ),
    text(
        "time",
        "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered",
        "The offset of the first record at or after this timestamp, or one of the special ones. (default: latest)",
    ),
    text(
        "topic",
        "topic",
        "The topic to ask for, or a regular expression of topics. Without it, all.",
    ),
    text(
        "topic-partitions",
        "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
        "Topic patterns with partitions to ask for; not together with --topic and --partitions.",
    ),
    switch("version", "Display Kafka version."),
];

const ABOUT: &str = "An interactive shell for getting topic-partition offsets.";
const LATEST: i64 = -1;

pub(super) fn start(words: &[String], env: Env) -> Body {
    if let Some(body) = super::help_or_version(words, ABOUT, OPTIONS) {
        return body;
    }
    let failed = |said: Said, message: &str| {
        Body::Said(said.err(&format!("Error occurred: {message}")).exit(1))
    };
    let parsed = match super::parse(words, OPTIONS, &[OLD_BROKER_LIST]) {
        Ok(parsed) => parsed,
        Err(refusal) => return failed(Said::default(), &refusal.to_string()),
    };
    let said = Said::default().notes(&parsed);
    let Some(servers) = parsed.last("bootstrap-server") else {
        return said.usage("Missing required argument \"[bootstrap-server]\"", OPTIONS);
    };
    match (super::addresses(servers), GetOffsets::new(&parsed)) {
        (Ok(bootstrap), Ok(job)) => {
            Body::Admin(AdminTool::new(bootstrap, env, Job::Offsets(job), said))
        }
        (Err(message), _) | (_, Err(message)) => failed(said, &message),
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
    fn new(parsed: &Parsed) -> Result<GetOffsets, String> {
        let given = parsed.has("topic") || parsed.has("partitions");
        if parsed.has("topic-partitions") && given {
            return Err("--topic-partitions cannot be used with --topic or --partitions".into());
        }
        let filters = match parsed.last("topic-partitions") {
            Some(list) => list.split(',').map(filter).collect::<Result<_, _>>()?,
            None => alloc::vec![Filter {
                topics: parsed.last("topic").map(pattern).transpose()?,
                partitions: match parsed.last("partitions") {
                    Some(list) => list.split(',').map(partition).collect::<Result<_, _>>()?,
                    None => alloc::vec![(0, i32::MAX)],
                },
            }],
        };
        Ok(GetOffsets {
            filters,
            exclude_internal: parsed.has("exclude-internal-topics"),
            timestamp: timestamp(parsed.last("time").unwrap_or("latest"))?,
        })
    }

    /// One round further.
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
                                    "Skip getting offsets for topic-partition {name}-{} due to error: {}",
                                    p.partition_index,
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

fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::topic_filter(text).map_err(|bad| format!("{text} is an invalid regex: {bad}."))
}

fn partition(text: &str) -> Result<(i32, i32), String> {
    let number = text.trim().parse::<i32>();
    let number = number.map_err(|_| {
        "--partitions expects a comma separated list of numeric partition ids, but received: "
            .to_string()
            + text
    })?;
    Ok((number, number.saturating_add(1)))
}

/// `topic`, `topic:1`, `topic:1-3`, `topic:1-`, `topic:-3` (the end is not included); no topic is all.
fn filter(text: &str) -> Result<Filter, String> {
    let (topic, partitions) = text.rsplit_once(':').unwrap_or((text, ""));
    let number = |text: &str, default: i32| match text {
        "" => Ok(default),
        text => text.parse().map_err(|_| format!("Invalid rule: {text}")),
    };
    let range = match partitions.split_once('-') {
        None if partitions.is_empty() => (0, i32::MAX),
        None => partition(partitions)?,
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

fn timestamp(text: &str) -> Result<i64, String> {
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
                return Err(format!(
                    "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp"
                ));
            }
        },
    })
}
