//! `kafka-topics`: create, list, describe, alter and delete topics.

mod flags;

pub(super) use flags::OPTIONS;

use super::options::{OLD_BROKER_LIST, OLD_ZOOKEEPER, Parsed};
use super::{AdminTool, Body, Env, Job, Next, Said, Say};
use crate::admin::{Call, Failure, Outcome, Request, Response, Target};
use crate::errors;
use crate::pattern::Pattern;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use flags::misuse;
use ids::ErrorCode;
use sorted::SortedMap;
use wire::Str;
use wire::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use wire::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use wire::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::describe_configs_response::DescribeConfigsResult;
use wire::describe_topic_partitions_request::{DescribeTopicPartitionsRequest, TopicRequest};
use wire::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use wire::metadata_request::MetadataRequest;

const ABOUT: &str = "This tool helps to create, delete, describe, or change a topic.";
const INTERNAL: [&str; 3] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
];
const LOGGER: &str = "org.apache.kafka.tools.TopicCommand";
/// `ConfigSource` of DescribeConfigs: Kafka's default.
const DEFAULT_CONFIG: i8 = 5;
const TOPIC_RESOURCE: i8 = 2;
const TIMEOUT_MS: i32 = 30_000;

pub(super) fn start(words: &[String], env: Env) -> Body {
    if let Some(body) = super::help_or_version(words, ABOUT, OPTIONS) {
        return body;
    }
    let parsed = match super::parse(words, OPTIONS, &[OLD_ZOOKEEPER, OLD_BROKER_LIST]) {
        Ok(parsed) => parsed,
        Err(refusal) => {
            return Body::Said(Said::default().err(&refusal.to_string()).exit(1));
        }
    };
    let said = Said::default().notes(&parsed);
    if let Some(message) = misuse(&parsed) {
        return said.usage(&message, OPTIONS);
    }
    let Some(servers) = parsed.last("bootstrap-server") else {
        return Body::Said(said.err("--bootstrap-server must be specified").exit(1));
    };
    let failed = |message: &str| format!("Error while executing topic command : {message}");
    match (super::addresses(servers), Topics::new(&parsed)) {
        (Ok(bootstrap), Ok(job)) => {
            Body::Admin(AdminTool::new(bootstrap, env, Job::Topics(job), said))
        }
        (Err(message), _) | (_, Err(message)) => Body::Said(said.out(&failed(&message)).exit(1)),
    }
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    action: Action,
    topic: Option<String>,
    if_exists: bool,
    if_not_exists: bool,
    exclude_internal: bool,
    show: Show,
    /// Topics that match, once known.
    found: Vec<String>,
}

#[derive(Clone, Debug)]
enum Action {
    Create(CreatableTopic),
    List,
    Describe,
    Alter(i32, Option<Vec<CreatePartitionsAssignment>>),
    Delete,
    /// The answer to the last round says how it went.
    Finish(Last),
}

#[derive(Clone, Copy, Debug)]
enum Last {
    Create,
    Describe,
    Alter,
    Delete,
}

#[derive(Clone, Copy, Debug, Default)]
struct Show {
    overrides: bool,
    unavailable: bool,
    under_replicated: bool,
    under_min_isr: bool,
    at_min_isr: bool,
}

impl Show {
    fn only_partitions(self) -> bool {
        self.unavailable || self.under_replicated || self.under_min_isr || self.at_min_isr
    }
}

impl Topics {
    fn new(parsed: &Parsed) -> Result<Topics, String> {
        let topic = parsed.one("topic").map_err(|refusal| refusal.to_string())?;
        let action = if parsed.has("create") {
            Action::Create(creatable(topic.unwrap_or_default(), parsed)?)
        } else if parsed.has("list") {
            Action::List
        } else if parsed.has("describe") {
            Action::Describe
        } else if parsed.has("alter") {
            let assignment = parsed
                .last("replica-assignment")
                .map(replica_lists)
                .transpose()?;
            let lists = assignment.map(|lists| {
                let list = |broker_ids| CreatePartitionsAssignment {
                    broker_ids,
                    ..Default::default()
                };
                lists.into_iter().map(list).collect()
            });
            Action::Alter(count(parsed)?.unwrap_or_default(), lists)
        } else {
            Action::Delete
        };
        Ok(Topics {
            action,
            topic: topic.map(String::from),
            if_exists: parsed.has("if-exists"),
            if_not_exists: parsed.has("if-not-exists"),
            exclude_internal: parsed.has("exclude-internal"),
            show: Show {
                overrides: parsed.has("topics-with-overrides"),
                unavailable: parsed.has("unavailable-partitions"),
                under_replicated: parsed.has("under-replicated-partitions"),
                under_min_isr: parsed.has("under-min-isr-partitions"),
                at_min_isr: parsed.has("at-min-isr-partitions"),
            },
            found: Vec::new(),
        })
    }

    /// Whether nothing is changed.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self.action, Action::List | Action::Describe)
    }

    /// One round further.
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        match self.go(outcomes, say) {
            Ok(next) => next,
            Err((class, message)) => {
                say.out(&format!("Error while executing topic command : {message}"));
                say.log("ERROR", &format!("{class}: {message}\n"), LOGGER);
                Next::Exit(1)
            }
        }
    }

    fn go(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Problem> {
        if let Action::Finish(last) = self.action {
            return match last {
                Last::Describe => self.describe(outcomes, say),
                last => self.finish(last, outcomes, say),
            };
        }
        if let Action::Create(topic) = &self.action {
            let (topic, name) = (topic.clone(), topic.name.to_string());
            if name.contains(['.', '_']) {
                say.out("WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.");
            }
            self.action = Action::Finish(Last::Create);
            let request = CreateTopicsRequest {
                topics: alloc::vec![topic],
                timeout_ms: TIMEOUT_MS,
                ..Default::default()
            };
            return Ok(ask(
                "createTopics",
                Target::Controller,
                Request::CreateTopics(request),
            ));
        }
        let Some(outcome) = outcomes.into_iter().next() else {
            let request = MetadataRequest {
                topics: None,
                allow_auto_topic_creation: true,
                ..Default::default()
            };
            return Ok(ask("listTopics", Target::Any, Request::Metadata(request)));
        };
        self.found = self.matching(outcome)?;
        self.act(say)
    }

    /// The names of the topics that the command is about, sorted.
    fn matching(&self, outcome: Outcome) -> Result<Vec<String>, Problem> {
        let Response::Metadata(response) = outcome.map_err(problem)? else {
            return Ok(Vec::new());
        };
        let pattern = self.topic.as_deref().map(Pattern::topic_filter).transpose();
        let pattern = pattern.map_err(|bad| {
            (
                "java.lang.RuntimeException".to_string(),
                format!(
                    "{} is an invalid regex: {bad}.",
                    self.topic.as_deref().unwrap_or_default()
                ),
            )
        })?;
        let names = response
            .topics
            .iter()
            .filter_map(|topic| topic.name.as_ref());
        let fits = |name: &&Str| {
            pattern.as_ref().is_none_or(|pattern| pattern.matches(name))
                && !(self.exclude_internal && INTERNAL.contains(&name.as_str()))
        };
        let mut names: Vec<String> = names.filter(fits).map(|name| name.to_string()).collect();
        sorted::sort(&mut names);
        let must_exist = !matches!(self.action, Action::List) && !self.if_exists;
        if let (true, true, Some(topic)) = (names.is_empty(), must_exist, &self.topic) {
            let message = format!("Topic '{topic}' does not exist as expected");
            return Err(("java.lang.IllegalArgumentException".into(), message));
        }
        Ok(names)
    }

    fn act(&mut self, say: &mut Say<'_>) -> Result<Next, Problem> {
        if let Action::List = self.action {
            say.out(&self.found.join("\n"));
            return Ok(Next::Exit(0));
        }
        if self.found.is_empty() {
            return Ok(Next::Exit(0));
        }
        let names = self.found.iter().map(|name| Str::from(name.as_str()));
        match core::mem::replace(&mut self.action, Action::List) {
            Action::Alter(count, assignments) => {
                self.action = Action::Finish(Last::Alter);
                let topic = |name| CreatePartitionsTopic {
                    name,
                    count,
                    assignments: assignments.clone(),
                    ..Default::default()
                };
                let request = CreatePartitionsRequest {
                    topics: names.map(topic).collect(),
                    timeout_ms: TIMEOUT_MS,
                    ..Default::default()
                };
                let request = Request::CreatePartitions(request);
                Ok(ask("createPartitions", Target::Controller, request))
            }
            Action::Delete => {
                self.action = Action::Finish(Last::Delete);
                let topic = |name: Str| DeleteTopicState {
                    name: Some(name),
                    ..Default::default()
                };
                let request = DeleteTopicsRequest {
                    topics: names.clone().map(topic).collect(),
                    topic_names: names.collect(),
                    timeout_ms: TIMEOUT_MS,
                    ..Default::default()
                };
                Ok(ask(
                    "deleteTopics",
                    Target::Controller,
                    Request::DeleteTopics(request),
                ))
            }
            _ => {
                self.action = Action::Finish(Last::Describe);
                Ok(Next::Ask(self.describe_calls()))
            }
        }
    }

    fn describe_calls(&self) -> Vec<Call> {
        let names = || self.found.iter().map(|name| Str::from(name.as_str()));
        let topic = |name| TopicRequest {
            name,
            ..Default::default()
        };
        let partitions = DescribeTopicPartitionsRequest {
            topics: names().map(topic).collect(),
            response_partition_limit: i32::MAX,
            ..Default::default()
        };
        let resource = |resource_name| DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            configuration_keys: None,
            resource_name,
            ..Default::default()
        };
        let configs = DescribeConfigsRequest {
            resources: names().map(resource).collect(),
            ..Default::default()
        };
        let call = |name, request| Call {
            name,
            target: Target::Any,
            request,
        };
        alloc::vec![
            call("describeTopics", Request::DescribePartitions(partitions)),
            call("describeConfigs", Request::DescribeConfigs(configs)),
        ]
    }

    fn describe(&self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Problem> {
        let mut outcomes = outcomes.into_iter();
        let (Some(partitions), Some(configs)) = (outcomes.next(), outcomes.next()) else {
            return Ok(Next::Exit(1));
        };
        let Response::DescribePartitions(partitions) = partitions.map_err(problem)? else {
            return Ok(Next::Exit(1));
        };
        let configs = match configs.map_err(problem)? {
            Response::DescribeConfigs(response) => response.results,
            _ => Vec::new(),
        };
        let configs: SortedMap<&str, &DescribeConfigsResult> = configs
            .iter()
            .map(|result| (result.resource_name.as_str(), result))
            .collect();
        for topic in &partitions.topics {
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            let code = ErrorCode(topic.error_code);
            if !code.is_ok() {
                return Err((errors::exception(code), errors::message(code).into()));
            }
            self.print_topic(name, topic, configs.get(name).copied(), say);
        }
        Ok(Next::Exit(0))
    }

    fn print_topic(
        &self,
        name: &str,
        topic: &DescribeTopicPartitionsResponseTopic,
        config: Option<&DescribeConfigsResult>,
        say: &mut Say<'_>,
    ) {
        let configs = config
            .map(|config| config.configs.as_slice())
            .unwrap_or_default();
        let set = configs.iter().filter(|c| c.config_source != DEFAULT_CONFIG);
        let shown =
            |value: &Option<Str>| value.as_ref().map_or_else(String::new, ToString::to_string);
        let mut set: Vec<_> = set.collect();
        sorted::sort_by_key(&mut set, |c| java_bucket(&c.name, configs.len()));
        let overrides = set
            .iter()
            .map(|c| format!("{}={}", c.name, shown(&c.value)));
        let overrides: Vec<String> = overrides.collect();
        let min_isr = configs.iter().find(|c| c.name == "min.insync.replicas");
        let min_isr = min_isr
            .and_then(|c| shown(&c.value).parse::<usize>().ok())
            .unwrap_or(1);
        let replicas = topic
            .partitions
            .first()
            .map_or(0, |p| p.replica_nodes.len());
        let wanted = !self.show.overrides || !overrides.is_empty();
        if !self.show.only_partitions() && wanted {
            say.out(&format!(
                "Topic: {name}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {replicas}\tConfigs: {}",
                topic.topic_id,
                topic.partitions.len(),
                overrides.join(",")
            ));
        }
        if self.show.overrides {
            return;
        }
        let mut partitions: Vec<_> = topic.partitions.iter().collect();
        sorted::sort_by_key(&mut partitions, |partition| partition.partition_index);
        for partition in partitions {
            if self.shows(partition, min_isr) {
                say.out(&partition_line(name, partition));
            }
        }
    }

    fn shows(&self, p: &DescribeTopicPartitionsResponsePartition, min_isr: usize) -> bool {
        let isr = p.isr_nodes.len();
        let show = self.show;
        !show.only_partitions()
            || show.under_replicated && isr < p.replica_nodes.len()
            || show.unavailable && p.leader_id < 0
            || show.under_min_isr && isr < min_isr
            || show.at_min_isr && isr == min_isr
    }

    fn finish(
        &self,
        last: Last,
        outcomes: Vec<Outcome>,
        say: &mut Say<'_>,
    ) -> Result<Next, Problem> {
        let Some(outcome) = outcomes.into_iter().next() else {
            return Ok(Next::Exit(1));
        };
        let results: Vec<(i16, Option<Str>)> = match outcome.map_err(problem)? {
            Response::CreateTopics(r) => r
                .topics
                .into_iter()
                .map(|t| (t.error_code, t.error_message))
                .collect(),
            Response::CreatePartitions(r) => r
                .results
                .into_iter()
                .map(|t| (t.error_code, t.error_message))
                .collect(),
            Response::DeleteTopics(r) => r
                .responses
                .into_iter()
                .map(|t| (t.error_code, t.error_message))
                .collect(),
            _ => Vec::new(),
        };
        for (code, said) in results {
            let code = ErrorCode(code);
            if code == ErrorCode::TOPIC_ALREADY_EXISTS && self.if_not_exists {
                return Ok(Next::Exit(0));
            }
            if !code.is_ok() {
                let said = said
                    .filter(|said| !said.is_empty())
                    .map(|said| said.to_string());
                let message = said.unwrap_or_else(|| errors::message(code).into());
                return Err((errors::exception(code), message));
            }
        }
        if matches!(last, Last::Create) {
            say.out(&format!(
                "Created topic {}.",
                self.topic.as_deref().unwrap_or_default()
            ));
        }
        Ok(Next::Exit(0))
    }
}

/// A Java exception's class and its message.
type Problem = (String, String);

fn problem(failure: Failure) -> Problem {
    (errors::exception(failure.code), failure.message)
}

fn ask(name: &'static str, target: Target, request: Request) -> Next {
    Next::Ask(alloc::vec![Call {
        name,
        target,
        request
    }])
}

fn partition_line(topic: &str, p: &DescribeTopicPartitionsResponsePartition) -> String {
    let ids = |ids: &[i32]| {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        ids.join(",")
    };
    let maybe = |list: &Option<Vec<i32>>| list.as_deref().map_or_else(|| "N/A".into(), ids);
    let leader = if p.leader_id < 0 {
        "none".into()
    } else {
        p.leader_id.to_string()
    };
    format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}\tElr: {}\tLastKnownElr: {}",
        p.partition_index,
        ids(&p.replica_nodes),
        ids(&p.isr_nodes),
        maybe(&p.eligible_leader_replicas),
        maybe(&p.last_known_elr),
    )
}

fn count(parsed: &Parsed) -> Result<Option<i32>, String> {
    let count = parsed.number("partitions");
    if count.is_some_and(|count| count < 1) {
        return Err("The partitions must be greater than 0".into());
    }
    Ok(count.and_then(|count| i32::try_from(count).ok()))
}

fn creatable(name: &str, parsed: &Parsed) -> Result<CreatableTopic, String> {
    let replicas = parsed.number("replication-factor");
    if replicas.is_some_and(|replicas| !(1..=i64::from(i16::MAX)).contains(&replicas)) {
        return Err("The replication factor must be between 1 and 32767 inclusive".into());
    }
    let mut topic = CreatableTopic {
        name: Str::from(name),
        num_partitions: count(parsed)?.unwrap_or(-1),
        replication_factor: replicas.and_then(|r| i16::try_from(r).ok()).unwrap_or(-1),
        ..Default::default()
    };
    if let Some(text) = parsed.last("replica-assignment") {
        for (index, broker_ids) in (0..).zip(replica_lists(text)?) {
            topic.assignments.push(CreatableReplicaAssignment {
                partition_index: index,
                broker_ids,
                ..Default::default()
            });
        }
        topic.num_partitions = -1;
        topic.replication_factor = -1;
    }
    for pair in parsed.all("config") {
        let Some((name, value)) = pair.split_once('=') else {
            return Err("requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".".into());
        };
        topic.configs.push(CreatableTopicConfig {
            name: Str::from(name.trim()),
            value: Some(Str::from(value.trim())),
            ..Default::default()
        });
    }
    Ok(topic)
}

/// `1:2,2:3` as lists of brokers, one for each partition.
fn replica_lists(text: &str) -> Result<Vec<Vec<i32>>, String> {
    let list = |part: &str| -> Result<Vec<i32>, String> {
        let id = |id: &str| {
            id.trim()
                .parse()
                .map_err(|_| format!("For input string: \"{id}\""))
        };
        let ids: Vec<i32> = part.split(':').map(id).collect::<Result<_, _>>()?;
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() < ids.len() {
            return Err("Partition replica lists may not contain duplicate entries: ".into());
        }
        Ok(ids)
    };
    text.split(',').map(list).collect()
}

/// Where a Java `HashMap` with this many keys keeps a key: Kafka prints configs in that order.
fn java_bucket(key: &str, keys: usize) -> u32 {
    let code = |hash: u32, unit: u16| hash.wrapping_mul(31).wrapping_add(u32::from(unit));
    let hash = key.encode_utf16().fold(0, code);
    // Its table begins with 16 places and doubles when more than three quarters of them are taken.
    let mut places = 16_u32;
    while usize::try_from(places / 4 * 3).is_ok_and(|most| most < keys) {
        places = places.saturating_mul(2);
    }
    (hash ^ (hash >> 16)) & (places - 1)
}
