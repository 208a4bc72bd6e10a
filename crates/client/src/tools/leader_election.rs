//! `kafka-leader-election`: the preferred replica, or any, becomes the leader.

use super::options::Parsed;
use super::options::leader_election::OPTIONS;
use super::quorum::check;
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::ErrorCode;
use serde_json::Value;
use sorted::SortedMap;
use wire::Str;
use wire::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use wire::elect_leaders_response::ElectLeadersResponse;

const ABOUT: &str = "This tool attempts to elect a new leader for a set of topic partitions. The type of elections supported are preferred replicas and unclean replicas.";
const TIMEOUT_MS: i32 = 30_000;

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let refuse = |thrown: Thrown| Said::default().err(&thrown.message).exit(1);
    let parsed = super::read(words, ABOUT, (OPTIONS, &[]), refuse)?;
    let refuse = |thrown: Thrown| Said::default().err(&thrown.message).cause(&thrown).exit(1);
    let election = Election::new(&parsed, &env).map_err(refuse)?;
    if election.partitions.as_ref().is_some_and(Vec::is_empty) {
        return Err(Said::default().exit(0));
    }
    let mut given = parsed.clone();
    let mut said = Said::default();
    if let Some(file) = parsed.last("admin.config") {
        said = said.out("Option --admin.config has been deprecated and will be removed in a future version. Use --command-config instead.");
        given.put("command-config", Some(file.to_string()));
    }
    let admin = super::admin(&given, &env, "bootstrap-server").map_err(refuse)?;
    Ok(AdminTool::new(
        admin,
        env.rng,
        Job::Election(election),
        said,
    ))
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Election {
    unclean: bool,
    /// `None`: all there are.
    partitions: Option<Vec<(String, i32)>>,
}

fn failed(message: &str) -> Thrown {
    Thrown::new(
        "org.apache.kafka.tools.AdminCommandFailedException",
        message,
    )
}

fn operation(message: &str) -> Thrown {
    Thrown::new("org.apache.kafka.tools.AdminOperationException", message)
}

impl Election {
    fn new(parsed: &Parsed, env: &Env) -> Result<Election, Thrown> {
        let kind = match parsed.one("election-type")? {
            Some(kind) if kind.eq_ignore_ascii_case("preferred") => Some(false),
            Some(kind) if kind.eq_ignore_ascii_case("unclean") => Some(true),
            Some(kind) => {
                let message = format!("Cannot parse argument '{kind}' of option election-type");
                let class = "joptsimple.OptionArgumentConversionException";
                return Err(Thrown::new(class, &message));
            }
            None => None,
        };
        let partition = parsed.integer("partition")?;
        let required = ["bootstrap-server", "election-type"].into_iter();
        let missing: Vec<&str> = required.filter(|name| !parsed.has(name)).collect();
        let missing_options =
            |names: &[&str]| failed(&format!("Missing required option(s): {}", names.join(", ")));
        if !missing.is_empty() {
            return Err(missing_options(&missing));
        }
        let exclusive = ["topic", "all-topic-partitions", "path-to-json-file"];
        if exclusive.iter().filter(|name| parsed.has(name)).count() != 1 {
            let names = exclusive.join(", ");
            return Err(failed(&format!(
                "One and only one of the following options is required: {names}"
            )));
        }
        let partitions = match (parsed.one("topic")?, parsed.one("path-to-json-file")?) {
            (Some(topic), _) => {
                let partition = partition.and_then(|p| i32::try_from(p).ok());
                let partition = partition.ok_or_else(|| missing_options(&["partition"]))?;
                Some(alloc::vec![(topic.to_string(), partition)])
            }
            (None, _) if parsed.has("partition") => {
                let message = "Option partition is only allowed if topic is used";
                return Err(failed(message));
            }
            (None, Some(file)) => Some(listed(file, env)?),
            (None, None) => None,
        };
        Ok(Election {
            unclean: kind.unwrap_or(false),
            partitions,
        })
    }

    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        match outcomes.into_iter().next() {
            None => Next::Ask(alloc::vec![self.call()]),
            Some(Ok(Response::ElectLeaders(response))) => Next::Exit(self.tell(&response, say)),
            Some(Ok(_)) => Next::Exit(1),
            Some(Err(failure)) => {
                let late = failure.code == ErrorCode::REQUEST_TIMED_OUT;
                let late = late.then_some("Timeout waiting for election results");
                say.err(late.unwrap_or(&failure.message));
                Next::Exit(1)
            }
        }
    }

    fn call(&self) -> Call {
        let mut topics: SortedMap<&str, Vec<i32>> = SortedMap::new();
        for (topic, partition) in self.partitions.iter().flatten() {
            topics.entry(topic.as_str()).or_default().push(*partition);
        }
        let topic = |(topic, partitions): (&str, Vec<i32>)| TopicPartitions {
            topic: Str::from(topic),
            partitions,
            ..Default::default()
        };
        let topics = topics.into_iter().map(topic).collect();
        Call {
            name: "electLeaders",
            target: Target::Controller,
            request: Request::ElectLeaders(ElectLeadersRequest {
                election_type: i8::from(self.unclean),
                topic_partitions: self.partitions.as_ref().map(|_| topics),
                timeout_ms: TIMEOUT_MS,
                ..Default::default()
            }),
        }
    }

    /// How it went; the exit status.
    fn tell(&self, response: &ElectLeadersResponse, say: &mut Say<'_>) -> i32 {
        if let Err(thrown) = check(response.error_code, None) {
            let refused = ErrorCode(response.error_code) == ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
            let refused = refused.then_some("Not authorized to perform leader election");
            say.err(refused.unwrap_or(&thrown.message));
            return 1;
        }
        let (mut elected, mut valid, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for topic in &response.replica_election_results {
            for p in &topic.partition_result {
                let name = format!("{}-{}", topic.topic, p.partition_id);
                match ErrorCode(p.error_code) {
                    ErrorCode::NONE => elected.push(name),
                    ErrorCode::ELECTION_NOT_NEEDED => valid.push(name),
                    code => {
                        let own = p.error_message.as_ref().map(|message| message.as_str());
                        let message = own.unwrap_or(errors::message(code));
                        failed.push((name, Thrown::new(&errors::exception(code), message)));
                    }
                }
            }
        }
        let kind = if self.unclean { "UNCLEAN" } else { "PREFERRED" };
        if !elected.is_empty() {
            let names = elected.join(", ");
            say.out(&format!(
                "Successfully completed leader election ({kind}) for partitions {names}"
            ));
        }
        if !valid.is_empty() {
            let names = valid.join(", ");
            say.out(&format!(
                "Valid replica already elected for partitions {names}"
            ));
        }
        for (name, thrown) in &failed {
            say.out(&format!(
                "Error completing leader election ({kind}) for partition: {name}: {thrown}"
            ));
        }
        if failed.is_empty() {
            return 0;
        }
        say.err(&format!("{} replica(s) could not be elected", failed.len()));
        1
    }
}

/// The partitions that a file lists.
fn listed(file: &str, env: &Env) -> Result<Vec<(String, i32)>, Thrown> {
    let missing = || {
        let cause = Thrown::new(
            "java.io.IOException",
            &format!("Unable to read file {file}"),
        );
        cause.within("java.lang.RuntimeException")
    };
    let bytes = env.files.get(file).ok_or_else(missing)?;
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return Err(operation("Replica election data is empty"));
    };
    let rows = value.get("partitions").and_then(Value::as_array);
    let missing = || operation("Replica election data is missing \"partitions\" field");
    let mut found: Vec<(String, i32)> = Vec::new();
    let mut seen = sorted::SortedSet::new();
    let mut twice: Vec<String> = Vec::new();
    for row in rows.ok_or_else(missing)? {
        let topic = row.get("topic").and_then(Value::as_str);
        let partition = row.get("partition").and_then(Value::as_i64);
        let partition = partition.and_then(|p| i32::try_from(p).ok());
        let (Some(topic), Some(partition)) = (topic, partition) else {
            let class = "com.fasterxml.jackson.databind.JsonMappingException";
            let name = if topic.is_none() {
                "topic"
            } else {
                "partition"
            };
            return Err(Thrown::new(
                class,
                &format!("No such field exists: `{name}`"),
            ));
        };
        let named = (topic.to_string(), partition);
        if !seen.insert(named.clone()) {
            twice.push(format!("{topic}-{partition}"));
        }
        found.push(named);
    }
    if !twice.is_empty() {
        let names = twice.join(", ");
        return Err(operation(&format!(
            "Replica election data contains duplicate partitions: [{names}]"
        )));
    }
    Ok(found)
}
