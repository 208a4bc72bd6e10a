//! DescribeConfigs (key 32, versions 1–4): configs of topics and brokers, with their types (v3), where
//! their values come from, and what else would give one (synonyms, KIP-226).
//!
//! A broker answers for itself only; the empty name asks for what is set for all brokers. Of a broker
//! those configs are told that have a meaning here and whatever it was started with.
//!
//! Left out: documentation, which is null also when asked for; loggers, client metrics and groups, which
//! are answered with 42.

use super::INVALID_REQUEST;
use crate::broker::{Broker, Cx, Handled};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::ErrorCode;
use metadata::{
    BROKER, ConfigKind, ConfigView, Resolved, Source, TOPIC, TOPIC_CONFIGS, broker_config_kind,
    broker_config_names, is_dynamic, is_sensitive, topic_name_refusal,
};
use wire::Str;
use wire::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};

/// Kafka hides this one: it is for its own tests.
const HIDDEN: &str = "internal.segment.bytes";
/// `config_type` of a value that is kept secret.
const PASSWORD: i8 = 9;

type Refusal = (ErrorCode, String);

pub(crate) fn handle(broker: &Broker, cx: &Cx<'_>, request: &DescribeConfigsRequest) -> Handled {
    let result = |resource: &DescribeConfigsResource| {
        let found = match resource.resource_type {
            TOPIC => topic(broker, request, resource),
            BROKER => own(broker, request, resource),
            _ => Err((ErrorCode::INVALID_REQUEST, INVALID_REQUEST.to_string())),
        };
        let mut answer = DescribeConfigsResult {
            error_message: Some(Str::from("")),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..DescribeConfigsResult::default()
        };
        match found {
            Ok(configs) => answer.configs = configs,
            Err((code, message)) => {
                answer.error_code = code.0;
                answer.error_message = Some(Str::from(message));
            }
        }
        answer
    };
    cx.reply(&DescribeConfigsResponse {
        results: request.resources.iter().map(result).collect(),
        ..DescribeConfigsResponse::default()
    })
}

fn is_asked(resource: &DescribeConfigsResource, name: &str) -> bool {
    let keys = resource.configuration_keys.as_deref();
    keys.is_none_or(|keys| keys.iter().any(|key| **key == *name))
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
    let asked = TOPIC_CONFIGS.iter().filter(|key| {
        let set = view.image.config(TOPIC, name, key.name).is_some();
        is_asked(resource, key.name) && (key.name != HIDDEN || set)
    });
    let row = |key: &'static metadata::ConfigKey| {
        let mut row = entry(key.name, &view.topic(name, key), key.kind);
        if request.include_synonyms {
            row.synonyms = synonyms(&view.topic_synonyms(name, key));
        }
        row
    };
    Ok(asked.map(row).collect())
}

fn own(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let name = &*resource.resource_name;
    let refuse = |why: String| Err((ErrorCode::INVALID_REQUEST, why));
    let node = broker.config.node;
    if name.is_empty() {
        return Ok(of_all_brokers(broker, request, resource));
    }
    match name.parse::<i32>() {
        Ok(id) if id == node.0 => {}
        Ok(id) => {
            return refuse(format!(
                "Unexpected broker id, expected {node} or empty string, but received {id}"
            ));
        }
        Err(_) => return refuse(format!("Broker id must be an integer, but it is: {name}")),
    }
    let view = broker.configs();
    let own_name = node.to_string();
    let mut names: Vec<&str> = broker_config_names();
    names.extend(view.properties.keys().map(String::as_str));
    let dynamic = ["", own_name.as_str()];
    let set = dynamic
        .iter()
        .filter_map(|name| view.image.configs_of(BROKER, name));
    names.extend(set.flat_map(|configs| configs.keys().map(|name| &**name)));
    sorted::sort(&mut names);
    names.dedup();
    let asked = names.into_iter().filter(|name| is_asked(resource, name));
    Ok(asked
        .filter_map(|name| broker_row(&view, request, name))
        .collect())
}

fn broker_row<'a>(
    view: &ConfigView<'a>,
    request: &DescribeConfigsRequest,
    name: &'a str,
) -> Option<DescribeConfigsResourceResult> {
    let mut row = entry(name, &view.broker(name)?, broker_config_kind(name));
    row.read_only = !is_dynamic(name);
    if request.include_synonyms && !row.is_sensitive {
        row.synonyms = synonyms(&view.broker_synonyms(name));
    }
    Some(row)
}

/// What is set for all brokers while they run; nothing else belongs to the empty name.
fn of_all_brokers(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> Vec<DescribeConfigsResourceResult> {
    let set = broker.image.configs_of(BROKER, "");
    let asked = set
        .into_iter()
        .flatten()
        .filter(|(name, _)| is_asked(resource, name));
    let row = |(name, value): (&alloc::sync::Arc<str>, &alloc::sync::Arc<str>)| {
        let found = Resolved {
            value,
            source: Source::DynamicDefaultBroker,
            name,
        };
        let mut row = entry(name, &found, broker_config_kind(name));
        if request.include_synonyms && !row.is_sensitive {
            row.synonyms = synonyms(&[found]);
        }
        row
    };
    asked.map(row).collect()
}

fn entry(name: &str, found: &Resolved<'_>, kind: ConfigKind) -> DescribeConfigsResourceResult {
    let is_sensitive = is_sensitive(name);
    DescribeConfigsResourceResult {
        name: Str::from(name),
        value: (!is_sensitive).then(|| Str::from(found.value)),
        config_source: found.source as i8,
        is_sensitive,
        config_type: if is_sensitive { PASSWORD } else { kind as i8 },
        documentation: None,
        ..DescribeConfigsResourceResult::default()
    }
}

fn synonyms(found: &[Resolved<'_>]) -> Vec<DescribeConfigsSynonym> {
    let row = |found: &Resolved<'_>| DescribeConfigsSynonym {
        name: Str::from(found.name),
        value: Some(Str::from(found.value)),
        source: found.source as i8,
        ..DescribeConfigsSynonym::default()
    };
    found.iter().map(row).collect()
}
