//! DescribeConfigs (key 32, versions 1–4): configs of topics, brokers, groups and client metrics, with their
//! types (v3), where their values come from, what else would give one (synonyms, KIP-226), and what they are
//! for, when asked.
//!
//! A broker answers for itself only; the empty name asks for what is set for all brokers. The shell's catalog
//! has all configs of Kafka's brokers and the sentences; without one only those are told that have a meaning
//! here, and whatever the broker was started with. A name that a catalog does not have may be a secret, so that
//! its value is not told, as in Kafka.
//!
//! Left out: loggers by class; there is one, `root`, and its level is fixed.

use super::INVALID_REQUEST;
use crate::broker::{Broker, Cx, Handled};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::ErrorCode;
use metadata::{
    BROKER, BROKER_LOGGER, CLIENT_METRICS, CLIENT_METRICS_CONFIGS, Catalog, ConfigKey, ConfigKind,
    ConfigView, GROUP, GROUP_CONFIGS, Resolved, Source, TOPIC, TOPIC_CONFIGS, broker_config_kind,
    broker_config_names, is_dynamic, is_sensitive, topic_name_refusal,
};
use sorted::SortedSet;
use wire::Str;
use wire::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};

/// Kafka hides this one: it is for its own tests.
const HIDDEN: &str = "internal.segment.bytes";
/// Configs that one answer tells of: those of some 15,000 topics. Groups need not exist to be asked for, so
/// that a small request could ask for any number of them.
const ROWS_MAX: usize = 1 << 19;
/// `config_type` of a value of which nothing is known.
const UNKNOWN: i8 = 0;

type Refusal = (ErrorCode, String);

pub(crate) fn handle(broker: &Broker, cx: &Cx<'_>, request: &DescribeConfigsRequest) -> Handled {
    let mut told = 0;
    let result = |resource: &DescribeConfigsResource| {
        let found = match resource.resource_type {
            _ if told >= ROWS_MAX => {
                let why = format!("One answer has room for {ROWS_MAX} configs; ask again.");
                Err((ErrorCode::INVALID_REQUEST, why))
            }
            TOPIC => topic(broker, request, resource),
            BROKER => own(broker, request, resource),
            BROKER_LOGGER => logger(broker, resource),
            GROUP => named(broker, request, resource, GROUP_CONFIGS, "Group name"),
            CLIENT_METRICS => {
                let keys = CLIENT_METRICS_CONFIGS;
                named(
                    broker,
                    request,
                    resource,
                    keys,
                    "Client metrics subscription name",
                )
            }
            _ => Err((ErrorCode::INVALID_REQUEST, INVALID_REQUEST.to_string())),
        };
        let mut answer = DescribeConfigsResult {
            error_message: Some(Str::from("")),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..DescribeConfigsResult::default()
        };
        match found {
            Ok(configs) => {
                told += configs.len();
                answer.configs = configs;
            }
            Err((code, message)) => {
                answer.error_code = code.0;
                answer.error_message = Some(Str::from(message));
            }
        }
        answer
    };
    cx.reply(&DescribeConfigsResponse {
        results: distinct(request).map(result).collect(),
        ..DescribeConfigsResponse::default()
    })
}

/// What is named twice is described once: an answer is much longer than the question.
fn distinct(
    request: &DescribeConfigsRequest,
) -> impl Iterator<Item = &DescribeConfigsResource> + '_ {
    let mut seen: SortedSet<(i8, &str)> = SortedSet::new();
    let resources = request.resources.iter();
    resources.filter(move |one| seen.insert((one.resource_type, &*one.resource_name)))
}

/// The names of the configs that are asked for, in order; all of them when none are named.
struct Asked<'a>(Option<Vec<&'a str>>);

impl<'a> Asked<'a> {
    fn of(resource: &'a DescribeConfigsResource) -> Asked<'a> {
        let keys = resource.configuration_keys.as_deref();
        Asked(keys.map(|keys| {
            let mut keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
            sorted::sort(&mut keys);
            keys
        }))
    }

    fn has(&self, name: &str) -> bool {
        let keys = self.0.as_deref();
        keys.is_none_or(|keys| keys.binary_search(&name).is_ok())
    }
}

fn topic(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let name = &*resource.resource_name;
    if let Some(why) = topic_name_refusal(name) {
        return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why));
    }
    if broker.image.topic(name).is_none() {
        return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, String::new()));
    }
    let view = broker.configs();
    let shown = |key: &&'static ConfigKey| {
        key.name != HIDDEN || view.image.config(TOPIC, name, key.name).is_some()
    };
    let keys = TOPIC_CONFIGS.iter().filter(shown);
    Ok(rows(broker, request, resource, keys))
}

/// A group or a subscription: neither need exist to be asked for.
fn named(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
    keys: &'static [ConfigKey],
    what: &str,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    if resource.resource_name.is_empty() {
        let why = format!("{what} must not be empty");
        return Err((ErrorCode::INVALID_REQUEST, why));
    }
    Ok(rows(broker, request, resource, keys.iter()))
}

fn rows(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
    keys: impl Iterator<Item = &'static ConfigKey>,
) -> Vec<DescribeConfigsResourceResult> {
    let view = broker.configs();
    let (kind, name) = (resource.resource_type, &*resource.resource_name);
    let row = |key: &'static ConfigKey| {
        let found = view.of(kind, name, key);
        let mut row = DescribeConfigsResourceResult {
            name: Str::from(key.name),
            value: Some(Str::from(found.value)),
            config_source: found.source as i8,
            config_type: key.kind as i8,
            documentation: documentation(broker, request, kind, key.name),
            ..DescribeConfigsResourceResult::default()
        };
        if request.include_synonyms {
            row.synonyms = synonyms(&view.synonyms(kind, name, key), false);
        }
        row
    };
    let asked = Asked::of(resource);
    keys.filter(|key| asked.has(key.name)).map(row).collect()
}

fn documentation(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    kind: i8,
    name: &str,
) -> Option<Str> {
    let known = broker.config.catalog.find(kind, name);
    let asked = known.filter(|_| request.include_documentation);
    asked.map(|known| Str::from(known.documentation))
}

/// The broker that is asked about itself, by the number in a resource's name.
fn check_own(broker: &Broker, name: &str, or: &str) -> Result<(), Refusal> {
    let node = broker.config.node;
    let why = match name.parse::<i32>() {
        Ok(id) if id == node.0 => return Ok(()),
        Ok(id) => format!("Unexpected broker id, expected {node}{or} but received {id}"),
        Err(_) => format!("Broker id must be an integer, but it is: {name}"),
    };
    Err((ErrorCode::INVALID_REQUEST, why))
}

fn logger(
    broker: &Broker,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let name = &*resource.resource_name;
    if name.is_empty() {
        let why = "Broker id must not be empty".to_string();
        return Err((ErrorCode::INVALID_REQUEST, why));
    }
    check_own(broker, name, "")?;
    let root = DescribeConfigsResourceResult {
        name: Str::from("root"),
        value: Some(Str::from("INFO")),
        config_source: Source::BrokerLogger as i8,
        config_type: UNKNOWN,
        documentation: Some(Str::from("")),
        ..DescribeConfigsResourceResult::default()
    };
    Ok(Vec::from_iter(
        Asked::of(resource).has("root").then_some(root),
    ))
}

fn own(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let name = &*resource.resource_name;
    if name.is_empty() {
        return Ok(of_all_brokers(broker, request, resource));
    }
    check_own(broker, name, " or empty string,")?;
    let view = broker.configs();
    let own_name = broker.config.node.to_string();
    let mut names: Vec<&str> = broker_config_names();
    names.extend(broker.config.catalog.of(BROKER).map(|known| known.name));
    names.extend(view.properties.keys().map(String::as_str));
    let dynamic = ["", own_name.as_str()];
    let set = dynamic
        .iter()
        .filter_map(|name| view.image.configs_of(BROKER, name));
    names.extend(set.flat_map(|configs| configs.keys().map(|name| &**name)));
    let asked = Asked::of(resource);
    names.retain(|name| asked.has(name));
    sorted::sort(&mut names);
    names.dedup();
    let row = |name: &str| broker_row(broker, &view, request, name);
    Ok(names.into_iter().filter_map(row).collect())
}

fn broker_row(
    broker: &Broker,
    view: &ConfigView<'_>,
    request: &DescribeConfigsRequest,
    name: &str,
) -> Option<DescribeConfigsResourceResult> {
    let known = broker.config.catalog.find(BROKER, name);
    let default = match known {
        Some(known) => known.default.map(|value| Resolved {
            value,
            source: Source::Default,
            name,
        }),
        None => view.default(name),
    };
    let all: Vec<Resolved<'_>> = view.set(name).chain(default).collect();
    if all.is_empty() && known.is_none() {
        return None;
    }
    Some(broker_entry(broker, request, name, &all))
}

/// What is set for all brokers while they run; nothing else belongs to the empty name.
fn of_all_brokers(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> Vec<DescribeConfigsResourceResult> {
    let set = broker.image.configs_of(BROKER, "");
    let asked = Asked::of(resource);
    let set = set.into_iter().flatten();
    let asked = set.filter(|(name, _)| asked.has(name));
    let row = |(name, value): (&alloc::sync::Arc<str>, &alloc::sync::Arc<str>)| {
        let found = Resolved {
            value,
            source: Source::DynamicDefaultBroker,
            name,
        };
        broker_entry(broker, request, name, &[found])
    };
    asked.map(row).collect()
}

/// A broker's config: of all places that give it a value the first is in force.
fn broker_entry(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    name: &str,
    all: &[Resolved<'_>],
) -> DescribeConfigsResourceResult {
    let kind = kind_of(&broker.config.catalog, name);
    let is_sensitive = matches!(kind, None | Some(ConfigKind::Password));
    let found = all.first();
    DescribeConfigsResourceResult {
        name: Str::from(name),
        value: found
            .filter(|_| !is_sensitive)
            .map(|found| Str::from(found.value)),
        read_only: match broker.config.catalog.find(BROKER, name) {
            Some(known) => !known.is_dynamic,
            None => !is_dynamic(name),
        },
        config_source: found.map_or(Source::Default, |found| found.source) as i8,
        is_sensitive,
        config_type: kind.map_or(UNKNOWN, |kind| kind as i8),
        documentation: documentation(broker, request, BROKER, name),
        synonyms: match request.include_synonyms {
            true => synonyms(all, is_sensitive),
            false => Vec::new(),
        },
        ..DescribeConfigsResourceResult::default()
    }
}

/// The type of a broker config's value; none of one that the catalog should have and does not.
fn kind_of(catalog: &Catalog, name: &str) -> Option<ConfigKind> {
    match catalog.find(BROKER, name) {
        Some(known) => Some(known.kind),
        None if catalog.of(BROKER).next().is_some() => None,
        None if is_sensitive(name) => Some(ConfigKind::Password),
        None => Some(broker_config_kind(name)),
    }
}

fn synonyms(found: &[Resolved<'_>], is_sensitive: bool) -> Vec<DescribeConfigsSynonym> {
    let row = |found: &Resolved<'_>| DescribeConfigsSynonym {
        name: Str::from(found.name),
        value: (!is_sensitive).then(|| Str::from(found.value)),
        source: found.source as i8,
        ..DescribeConfigsSynonym::default()
    };
    found.iter().map(row).collect()
}
