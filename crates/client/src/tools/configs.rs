//! `kafka-configs`: the configs of topics and brokers, shown and changed.
//!
//! Not here: quotas of users, clients and addresses; configs of groups, client metrics and loggers.

use super::options::configs::{OPTIONS, changes, entity, incomplete, misuse};
use super::options::{OLD_ZOOKEEPER, Parsed};
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown};
use crate::admin::{Call, Failure, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId};
use wire::Str;
use wire::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use wire::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::metadata_request::MetadataRequest;
use wire::metadata_response::MetadataResponse;

const ABOUT: &str = "This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, client-metrics or group";
/// Sources of a value in DescribeConfigs (KIP-226), by number.
const SOURCES: [&str; 9] = [
    "UNKNOWN",
    "DYNAMIC_TOPIC_CONFIG",
    "DYNAMIC_BROKER_CONFIG",
    "DYNAMIC_DEFAULT_BROKER_CONFIG",
    "STATIC_BROKER_CONFIG",
    "DEFAULT_CONFIG",
    "DYNAMIC_BROKER_LOGGER_CONFIG",
    "DYNAMIC_CLIENT_METRICS_CONFIG",
    "DYNAMIC_GROUP_CONFIG",
];

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let refuse = |thrown: Thrown| Said::default().err(&thrown.message).exit(1);
    let parsed = super::read(words, ABOUT, (OPTIONS, &[OLD_ZOOKEEPER]), refuse)?;
    let said = Said::default().notes(&parsed);
    if let Some(message) = misuse(&parsed) {
        return Err(said.usage(&message, OPTIONS));
    }
    let refused = |thrown: Thrown| said.clone().err(&thrown.message).exit(1);
    let entity = entity(&parsed).map_err(refused)?;
    if parsed.has("alter") {
        incomplete(&parsed).map_err(refused)?;
    }
    let servers = match parsed.has("bootstrap-server") {
        true => "bootstrap-server",
        false => "bootstrap-controller",
    };
    let one = parsed.one(servers).map(|_| ());
    one.map_err(|refusal| refused(refusal.into()))?;
    let built = super::admin(&parsed, &env, servers).and_then(|admin| {
        let job = Configs::new(&parsed, entity, words, &env)?;
        Ok((admin, job))
    });
    match built {
        Ok((admin, job)) => {
            let tool = AdminTool::new(admin, env.rng, Job::Configs(job), said);
            Ok(tool.within(TIMEOUT_MS))
        }
        // Its own refusals the tool says without an exception's name.
        Err(thrown) if thrown.is_of(&["java.lang.Illegal", "joptsimple.", INVALID_TOPIC]) => {
            Err(refused(thrown))
        }
        Err(thrown) => {
            let said = said.err(&failed(words)).err(&thrown.to_string());
            Err(said.cause(&thrown).exit(1))
        }
    }
}

const INVALID_TOPIC: &str = "org.apache.kafka.common.errors.InvalidTopicException";

/// How long a call of this tool may take.
const TIMEOUT_MS: u64 = 30_000;

fn failed(words: &[String]) -> String {
    let words = words.join(" ");
    format!("Error while executing config command with args '{words}'")
}

/// What has configs here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Topic,
    Broker,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Topic => "topic",
            Kind::Broker => "broker",
        }
    }

    pub(super) fn plural(self) -> &'static str {
        match self {
            Kind::Topic => "topics",
            Kind::Broker => "brokers",
        }
    }

    /// The resource's number in the protocol.
    fn number(self) -> i8 {
        match self {
            Kind::Topic => 2,
            Kind::Broker => 4,
        }
    }

    /// The source of a value that was set for this very thing.
    fn own_source(self, name: &str) -> i8 {
        match self {
            Kind::Topic => 1,
            Kind::Broker if name.is_empty() => 3,
            Kind::Broker => 2,
        }
    }
}

/// A topic or a broker; the broker without a name stands for what holds for all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entity {
    pub(super) kind: Kind,
    /// `None`: every one of the kind.
    pub(super) name: Option<String>,
}

/// One change of a config: its new value, or `None` to unset it.
pub(super) type Change = (String, Option<String>);

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Configs {
    entity: Entity,
    all: bool,
    /// Whether it changes configs, and how.
    alters: bool,
    changes: Vec<Change>,
    /// What is said when it fails.
    failed: String,
    /// The names that are described, once known.
    names: Vec<String>,
}

impl Configs {
    fn new(
        parsed: &Parsed,
        entity: Entity,
        words: &[String],
        env: &Env,
    ) -> Result<Configs, Thrown> {
        let mut changes_wanted = Vec::new();
        if parsed.has("alter") {
            changes_wanted = changes(parsed, env)?;
        } else if let (Kind::Topic, Some(name)) = (entity.kind, &entity.name) {
            valid_topic(name)?;
        }
        Ok(Configs {
            entity,
            all: parsed.has("all"),
            changes: changes_wanted,
            alters: parsed.has("alter"),
            failed: failed(words),
            names: Vec::new(),
        })
    }

    /// Whether nothing is changed.
    pub(super) fn only_reads(&self) -> bool {
        !self.alters
    }

    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        match self.go(outcomes, say) {
            Ok(next) => next,
            Err(problem) => {
                say.err(&self.failed);
                say.err(&format!(
                    "java.util.concurrent.ExecutionException: {problem}"
                ));
                Next::Exit(1)
            }
        }
    }

    fn go(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, String> {
        if outcomes.is_empty() {
            let call = match self.alters {
                true => self.alter_call(),
                false => metadata_call(),
            };
            return Ok(Next::Ask(alloc::vec![call]));
        }
        let mut found = Vec::new();
        for outcome in outcomes {
            match outcome.map_err(|failure| failure_problem(&failure))? {
                Response::Metadata(metadata) => return Ok(self.look_up(&metadata, say)),
                Response::AlterConfigs(response) => {
                    let answer = response
                        .responses
                        .first()
                        .ok_or("the broker's answer is empty")?;
                    check(answer.error_code, answer.error_message.as_ref())?;
                    let (kind, name) = (self.entity.kind.word(), self.entity.name.as_deref());
                    say.out(&match name.unwrap_or_default() {
                        "" => {
                            format!("Completed updating default config for {kind}s in the cluster.")
                        }
                        name => format!("Completed updating config for {kind} {name}."),
                    });
                }
                Response::DescribeConfigs(response) => found.extend(response.results),
                _ => {}
            }
        }
        for (name, result) in self.names.iter().zip(&found) {
            self.print(name, result, say)?;
        }
        Ok(Next::Exit(0))
    }

    fn alter_call(&self) -> Call {
        let config = |(name, value): &Change| AlterableConfig {
            name: Str::from(name.as_str()),
            // 0 sets, 1 unsets.
            config_operation: i8::from(value.is_none()),
            value: value.as_deref().map(Str::from),
            ..Default::default()
        };
        let name = self.entity.name.as_deref().unwrap_or_default();
        let resource = AlterConfigsResource {
            resource_type: self.entity.kind.number(),
            resource_name: Str::from(name),
            configs: self.changes.iter().map(config).collect(),
            ..Default::default()
        };
        Call {
            name: "incrementalAlterConfigs",
            target: target(self.entity.kind, name),
            request: Request::AlterConfigs(IncrementalAlterConfigsRequest {
                resources: alloc::vec![resource],
                ..Default::default()
            }),
        }
    }

    /// Decides what to describe, out of what there is.
    fn look_up(&mut self, metadata: &MetadataResponse, say: &mut Say<'_>) -> Next {
        let mut there: Vec<String> = match self.entity.kind {
            Kind::Topic => {
                let names = metadata
                    .topics
                    .iter()
                    .filter_map(|topic| topic.name.as_ref());
                names.map(ToString::to_string).collect()
            }
            Kind::Broker => {
                let ids = metadata
                    .brokers
                    .iter()
                    .map(|broker| broker.node_id.to_string());
                ids.collect()
            }
        };
        sorted::sort(&mut there);
        if self.entity.kind == Kind::Broker {
            there.push(String::new());
        }
        self.names = match &self.entity.name {
            None => there,
            Some(name) if !self.all && !there.contains(name) => {
                let kind = self.entity.kind.word();
                say.out(&format!(
                    "The {kind} '{name}' doesn't exist and doesn't have dynamic config."
                ));
                return Next::Exit(0);
            }
            Some(name) => alloc::vec![name.clone()],
        };
        if self.names.is_empty() {
            return Next::Exit(0);
        }
        Next::Ask(
            self.names
                .iter()
                .map(|name| self.describe_call(name))
                .collect(),
        )
    }

    fn describe_call(&self, name: &str) -> Call {
        let resource = DescribeConfigsResource {
            resource_type: self.entity.kind.number(),
            resource_name: Str::from(name),
            configuration_keys: None,
            ..Default::default()
        };
        Call {
            name: "describeConfigs",
            target: target(self.entity.kind, name),
            request: Request::DescribeConfigs(DescribeConfigsRequest {
                resources: alloc::vec![resource],
                include_synonyms: true,
                ..Default::default()
            }),
        }
    }

    fn print(
        &self,
        name: &str,
        result: &DescribeConfigsResult,
        say: &mut Say<'_>,
    ) -> Result<(), String> {
        let kind = self.entity.kind;
        let which = if self.all { "All" } else { "Dynamic" };
        say.out(&match name {
            "" => format!("Default configs for {}s in the cluster are:", kind.word()),
            name => format!("{which} configs for {} {name} are:", kind.word()),
        });
        check(result.error_code, result.error_message.as_ref())?;
        let own = kind.own_source(name);
        let shown = result.configs.iter();
        let mut shown: Vec<_> = shown
            .filter(|c| self.all || c.config_source == own)
            .collect();
        sorted::sort_by(&mut shown, |a, b| a.name.cmp(&b.name));
        shown.iter().for_each(|config| say.out(&line(config)));
        Ok(())
    }
}

/// Kafka's tool checks a topic's name before it asks for its configs.
fn valid_topic(name: &str) -> Result<(), Thrown> {
    let of_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = match name {
        "" => "the empty string is not allowed".to_string(),
        "." | ".." => format!("'{name}' is not allowed"),
        name if name.len() > 249 => {
            format!("the length of '{name}' is longer than the max allowed length 249")
        }
        name if !name.chars().all(of_names) => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
        _ => return Ok(()),
    };
    Err(Thrown::new(
        INVALID_TOPIC,
        &format!("Topic name is invalid: {why}"),
    ))
}

fn line(config: &DescribeConfigsResourceResult) -> String {
    let value = |value: &Option<Str>| value.as_ref().map_or("null".into(), ToString::to_string);
    let synonym = |s: &wire::describe_configs_response::DescribeConfigsSynonym| {
        let source = usize::try_from(s.source).ok();
        let source = source
            .and_then(|source| SOURCES.get(source))
            .unwrap_or(&SOURCES[0]);
        format!("{source}:{}={}", s.name, value(&s.value))
    };
    let synonyms: Vec<String> = config.synonyms.iter().map(synonym).collect();
    format!(
        "  {}={} sensitive={} synonyms={{{}}}",
        config.name,
        value(&config.value),
        config.is_sensitive,
        synonyms.join(", ")
    )
}

/// A broker answers for itself; everything else any of them knows.
fn target(kind: Kind, name: &str) -> Target {
    match (kind, name.parse::<i32>()) {
        (Kind::Broker, Ok(id)) => Target::Broker(NodeId(id)),
        _ => Target::Any,
    }
}

fn metadata_call() -> Call {
    let request = MetadataRequest {
        topics: None,
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    Call {
        name: "listTopics",
        target: Target::Any,
        request: Request::Metadata(request),
    }
}

fn check(code: i16, message: Option<&Str>) -> Result<(), String> {
    let code = ErrorCode(code);
    if code.is_ok() {
        return Ok(());
    }
    let own = message.map(|message| &**message);
    let message = own.unwrap_or(errors::message(code));
    Err(format!("{}: {message}", errors::exception(code)))
}

fn failure_problem(failure: &Failure) -> String {
    format!("{}: {}", errors::exception(failure.code), failure.message)
}
