//! `kafka-topics`: create, list, describe, alter and delete topics.

mod create;

pub(super) use create::uuid;

use super::options::topics::{OPTIONS, misuse, no_action};
use super::options::{OLD_BROKER_LIST, OLD_ZOOKEEPER, Parsed};
use super::table::java_bucket;
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown};
use crate::admin::{Call, Failure, Outcome, Request, Response, Target};
use crate::errors;
use crate::pattern::Pattern;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use create::{by_hand, creatable, topic_id};
use ids::{ErrorCode, Uuid};
use sorted::SortedMap;
use wire::Str;
use wire::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::describe_configs_response::DescribeConfigsResult;
use wire::describe_topic_partitions_request::{DescribeTopicPartitionsRequest, TopicRequest};
use wire::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use wire::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use wire::list_partition_reassignments_response::OngoingPartitionReassignment;
use wire::metadata_request::MetadataRequest;
use wire::metadata_response::MetadataResponseTopic;

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
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let refuse = |thrown: Thrown| Said::default().err(&thrown.message).exit(1);
    let about = match words {
        [] => "Create, delete, describe, or change a topic.",
        _ => ABOUT,
    };
    let old = [OLD_ZOOKEEPER, OLD_BROKER_LIST];
    let parsed = super::read(words, about, (OPTIONS, &old), refuse)?;
    let mut said = Said::default().notes(&parsed);
    if let Some(message) = no_action(&parsed) {
        return Err(said.usage(message, OPTIONS));
    }
    if parsed.has("delete-config") {
        said = said.err("delete-config option is no longer supported and deprecated since version 4.0. The config will be fully removed in future releases.");
    }
    if !parsed.has("bootstrap-server") {
        return Err(said.err("--bootstrap-server must be specified").exit(1));
    }
    if let Some(message) = misuse(&parsed) {
        return Err(said.usage(&message, OPTIONS));
    }
    let two = parsed.has("topic") && parsed.has("topic-id");
    if two && parsed.has("describe") && parsed.has("if-exists") {
        said = said.out("Only topic id will be used when both --topic and --topic-id are specified and topicId is not Uuid.ZERO_UUID");
    }
    let admin = super::admin(&parsed, &env, "bootstrap-server");
    let admin = admin.map_err(|thrown| said.clone().err(&thrown.message).cause(&thrown).exit(1))?;
    match Topics::new(&parsed) {
        Ok(job) => Ok(AdminTool::new(admin, env.rng, Job::Topics(job), said)),
        Err(thrown) => {
            let text = format!("Error while executing topic command : {}", thrown.message);
            let said = said.out(&text).log("ERROR", &format!("{thrown}\n"), LOGGER);
            Err(said.exit(1))
        }
    }
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    action: Action,
    topic: Option<String>,
    /// The topic with this id, whatever its name; never the id that stands for none.
    id: Option<(Uuid, String)>,
    if_exists: bool,
    if_not_exists: bool,
    exclude_internal: bool,
    show: Show,
    /// Topics that match, once known, and how many partitions each has.
    found: Vec<(String, usize)>,
}

#[derive(Clone, Debug)]
enum Action {
    Create(CreatableTopic),
    List,
    Describe,
    /// To so many partitions, all of which may be placed by hand.
    Alter(i32, Option<Vec<Vec<i32>>>),
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
    fn new(parsed: &Parsed) -> Result<Topics, Thrown> {
        let topic = parsed.one("topic")?;
        let action = if parsed.has("create") {
            Action::Create(creatable(topic.unwrap_or_default(), parsed)?)
        } else if parsed.has("list") {
            Action::List
        } else if parsed.has("describe") {
            // One answer holds everything, whatever an answer may hold.
            parsed.integer("partition-size-limit-per-response")?;
            Action::Describe
        } else if parsed.has("alter") {
            let count = parsed.integer("partitions")?.unwrap_or_default();
            Action::Alter(i32::try_from(count).unwrap_or_default(), by_hand(parsed)?)
        } else {
            Action::Delete
        };
        let id = parsed.one("topic-id")?.filter(|_| parsed.has("describe"));
        let id = id.map(topic_id).transpose()?.flatten();
        Ok(Topics {
            action,
            topic: topic.map(String::from).filter(|_| id.is_none()),
            id,
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

    /// The topics that the command is about, sorted by name.
    fn matching(&self, outcome: Outcome) -> Result<Vec<(String, usize)>, Problem> {
        let Response::Metadata(response) = outcome.map_err(problem)? else {
            return Ok(Vec::new());
        };
        let pattern = self.topic.as_deref().map(Pattern::topic_filter).transpose();
        let pattern = pattern.map_err(|_| {
            let topic = self.topic.as_deref().unwrap_or_default();
            let message = format!("{topic} is an invalid regex.");
            ("java.lang.RuntimeException".to_string(), message)
        })?;
        let fits = |topic: &&MetadataResponseTopic, name: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.matches(name))
                && self.id.as_ref().is_none_or(|id| topic.topic_id == id.0)
                && !(self.exclude_internal && INTERNAL.contains(&name))
        };
        let mut found = Vec::new();
        for topic in &response.topics {
            if let Some(name) = topic.name.as_ref().filter(|name| fits(&topic, name)) {
                found.push((name.to_string(), topic.partitions.len()));
            }
        }
        sorted::sort(&mut found);
        let must_exist = !matches!(self.action, Action::List) && !self.if_exists;
        let subject = match (&self.id, &self.topic) {
            (Some((_, id)), _) => Some(format!("TopicId '{id}'")),
            (None, topic) => topic.as_ref().map(|topic| format!("Topic '{topic}'")),
        };
        if let (true, true, Some(subject)) = (found.is_empty(), must_exist, subject) {
            let message = format!("{subject} does not exist as expected");
            return Err(("java.lang.IllegalArgumentException".into(), message));
        }
        Ok(found)
    }

    fn act(&mut self, say: &mut Say<'_>) -> Result<Next, Problem> {
        if let Action::List = self.action {
            let names: Vec<&str> = self.found.iter().map(|(name, _)| name.as_str()).collect();
            say.out(&names.join("\n"));
            return Ok(Next::Exit(0));
        }
        if self.found.is_empty() {
            return Ok(Next::Exit(0));
        }
        let names = self.found.iter().map(|(name, _)| Str::from(name.as_str()));
        match core::mem::replace(&mut self.action, Action::List) {
            Action::Alter(count, by_hand) => {
                self.action = Action::Finish(Last::Alter);
                let list = |brokers: &Vec<i32>| CreatePartitionsAssignment {
                    broker_ids: brokers.clone(),
                    ..Default::default()
                };
                let topic = |(name, there): &(String, usize)| CreatePartitionsTopic {
                    name: Str::from(name.as_str()),
                    count,
                    // The lists begin with the partitions that there are.
                    assignments: by_hand
                        .as_ref()
                        .map(|lists| lists.iter().skip(*there).map(list).collect()),
                    ..Default::default()
                };
                let request = CreatePartitionsRequest {
                    topics: self.found.iter().map(topic).collect(),
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
        let names = || self.found.iter().map(|(name, _)| Str::from(name.as_str()));
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
        let moving = ListPartitionReassignmentsRequest {
            timeout_ms: TIMEOUT_MS,
            topics: None,
            ..Default::default()
        };
        alloc::vec![
            call("describeTopics", Request::DescribePartitions(partitions)),
            call("describeConfigs", Request::DescribeConfigs(configs)),
            call(
                "listPartitionReassignments",
                Request::ListReassignments(moving)
            ),
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
        // Who may not ask for moves, or asks a broker that knows none, sees everything else.
        let moving = match outcomes.next() {
            Some(Ok(Response::ListReassignments(response))) => response.topics,
            _ => Vec::new(),
        };
        for topic in &partitions.topics {
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            let moving = moving.iter().find(|moving| moving.name == name);
            let moving = moving.map_or(&[][..], |moving| &moving.partitions);
            let code = ErrorCode(topic.error_code);
            if !code.is_ok() {
                return Err((errors::exception(code), errors::message(code).into()));
            }
            self.print_topic(topic, configs.get(name).copied(), moving, say);
        }
        Ok(Next::Exit(0))
    }

    fn print_topic(
        &self,
        topic: &DescribeTopicPartitionsResponseTopic,
        config: Option<&DescribeConfigsResult>,
        moving: &[OngoingPartitionReassignment],
        say: &mut Say<'_>,
    ) {
        let name = topic.name.as_ref().map_or("", |name| name.as_str());
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
        let moves = |p: &DescribeTopicPartitionsResponsePartition| {
            let mut moving = moving.iter();
            moving.find(|moving| moving.partition_index == p.partition_index)
        };
        let first = topic.partitions.first();
        let replicas = first.map_or(0, |p| replication_factor(p, moves(p)));
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
            let moving = moves(partition);
            let replicas = replication_factor(partition, moving);
            if self.shows(partition, replicas, min_isr) {
                say.out(&partition_line(name, partition, moving));
            }
        }
    }

    fn shows(
        &self,
        p: &DescribeTopicPartitionsResponsePartition,
        replicas: usize,
        min_isr: usize,
    ) -> bool {
        let isr = p.isr_nodes.len();
        let show = self.show;
        !show.only_partitions()
            || show.under_replicated && isr < replicas
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

/// How many replicas there are without those that are just being added.
fn replication_factor(
    p: &DescribeTopicPartitionsResponsePartition,
    moving: Option<&OngoingPartitionReassignment>,
) -> usize {
    let adding = moving.map_or(0, |moving| moving.adding_replicas.len());
    p.replica_nodes.len().saturating_sub(adding)
}

fn partition_line(
    topic: &str,
    p: &DescribeTopicPartitionsResponsePartition,
    moving: Option<&OngoingPartitionReassignment>,
) -> String {
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
    let moving = moving.map(|moving| {
        let (adding, removing) = (ids(&moving.adding_replicas), ids(&moving.removing_replicas));
        format!("\tAdding Replicas: {adding}\tRemoving Replicas: {removing}")
    });
    let moving = moving.unwrap_or_default();
    format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}{moving}\tElr: {}\tLastKnownElr: {}",
        p.partition_index,
        ids(&p.replica_nodes),
        ids(&p.isr_nodes),
        maybe(&p.eligible_leader_replicas),
        maybe(&p.last_known_elr),
    )
}
