//! Configs of topics and brokers.

use crate::controller::Controller;
use crate::room::{RECORDS_MAX, Room};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::{ErrorCode, Time};
use metadata::{
    BROKER, BROKER_LOGGER, CLIENT_METRICS, ConfigKind, GROUP, MetadataRecord, TOPIC,
    check_broker_config, check_client_metrics_config, check_group_config, check_topic_config,
    topic_config,
};
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::alter_configs_request::AlterConfigsRequest;
use wire::alter_configs_response::{
    AlterConfigsResourceResponse, AlterConfigsResponse as AlterAnswer,
};
use wire::clear_elr_record::ClearElrRecord;
use wire::config_record::ConfigRecord;
use wire::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::incremental_alter_configs_response::{
    AlterConfigsResourceResponse as IncrementalResult, IncrementalAlterConfigsResponse,
};

type Refusal = (ErrorCode, String);

/// Bytes of a value at most: as many as a text of the protocol may have.
const VALUE_MAX: usize = i16::MAX as usize;

/// What an operation of IncrementalAlterConfigs does (KIP-339).
mod operation {
    pub(super) const SET: i8 = 0;
    pub(super) const DELETE: i8 = 1;
    pub(super) const APPEND: i8 = 2;
    pub(super) const SUBTRACT: i8 = 3;
}

impl Controller {
    /// IncrementalAlterConfigs (key 44, versions 0–1): each config by itself.
    pub(crate) fn incremental_alter_configs(
        &mut self,
        _now: Time,
        _version: i16,
        request: &IncrementalAlterConfigsRequest,
    ) -> (Vec<MetadataRecord>, IncrementalAlterConfigsResponse) {
        let mut records = Vec::new();
        let mut responses = Vec::new();
        let mut times: SortedMap<(i8, &str), u32> = SortedMap::new();
        for resource in &request.resources {
            *times.entry(named(resource)).or_default() += 1;
        }
        let mut room = Room::beside(&self.image);
        for resource in &request.resources {
            // Too many: the request as a whole is refused, so there is no need to go on.
            if records.len() > RECORDS_MAX {
                break;
            }
            let result = if times.get(&named(resource)).is_some_and(|times| *times > 1) {
                Err((
                    ErrorCode::INVALID_REQUEST,
                    "Each resource must appear at most once.".to_string(),
                ))
            } else {
                self.alter_resource(resource, &mut room)
            };
            let mut answer = IncrementalResult {
                resource_type: resource.resource_type,
                resource_name: resource.resource_name.clone(),
                error_message: None,
                ..IncrementalResult::default()
            };
            match result {
                Ok(new) if !request.validate_only => records.extend(new),
                Ok(_) => {}
                Err((code, message)) => {
                    answer.error_code = code.0;
                    answer.error_message = (!message.is_empty()).then(|| Str::from(message));
                }
            }
            responses.push(answer);
        }
        records.extend(self.clear_elr_records(&records));
        (
            records,
            IncrementalAlterConfigsResponse {
                responses,
                ..IncrementalAlterConfigsResponse::default()
            },
        )
    }

    fn alter_resource(
        &self,
        resource: &AlterConfigsResource,
        room: &mut Room,
    ) -> Result<Vec<MetadataRecord>, Refusal> {
        self.check_resource(resource.resource_type, &resource.resource_name)?;
        let names: SortedSet<&str> = resource
            .configs
            .iter()
            .map(|config| &*config.name)
            .collect();
        if names.len() < resource.configs.len() {
            return Err((
                ErrorCode::INVALID_REQUEST,
                "Error due to duplicate config keys".to_string(),
            ));
        }
        let mut records = Vec::new();
        for config in &resource.configs {
            let value = self.altered(resource, config)?;
            if let Some(value) = &value {
                self.check(resource.resource_type, &config.name, value)?;
                room.take_config(&resource.resource_name, &config.name, value)?;
            }
            records.push(record(
                resource.resource_type,
                &resource.resource_name,
                &config.name,
                value,
            ));
        }
        Ok(records)
    }

    /// The value a config gets; `None` removes it.
    fn altered(
        &self,
        resource: &AlterConfigsResource,
        config: &AlterableConfig,
    ) -> Result<Option<Str>, Refusal> {
        let given = || {
            config.value.clone().ok_or_else(|| {
                (
                    ErrorCode::INVALID_REQUEST,
                    format!("Null value not supported for : {}", config.name),
                )
            })
        };
        let list = |verb: &str| match topic_config(&config.name) {
            Some(key) if key.kind == ConfigKind::List => Ok(key),
            _ => Err((
                ErrorCode::INVALID_CONFIG,
                format!(
                    "Can't {verb} to key {} because its type is not LIST.",
                    config.name
                ),
            )),
        };
        let current = |default: &str| {
            let own = self.image.config(
                resource.resource_type,
                &resource.resource_name,
                &config.name,
            );
            String::from(own.unwrap_or(default))
        };
        match config.config_operation {
            operation::SET => given().map(Some),
            operation::DELETE => Ok(None),
            operation::APPEND => {
                let (old, new) = (current(list("APPEND")?.default), given()?);
                let mut known: SortedSet<&str> = words(&old).collect();
                let mut all: Vec<&str> = words(&old).collect();
                all.extend(new.split(',').filter(|word| known.insert(*word)));
                let joined = all.join(",");
                if joined.len() > VALUE_MAX {
                    let why = format!("A value may have {VALUE_MAX} bytes.");
                    return Err((ErrorCode::INVALID_CONFIG, why));
                }
                Ok(Some(Str::from(joined)))
            }
            operation::SUBTRACT => {
                let (given, old) = (given()?, current(list("SUBTRACT")?.default));
                let gone: SortedSet<&str> = given.split(',').collect();
                let kept = words(&old).filter(|word| !gone.contains(word));
                Ok(Some(Str::from(kept.collect::<Vec<&str>>().join(","))))
            }
            // Kafka trips over it and has nothing to say.
            _ => Err((ErrorCode::UNKNOWN_SERVER_ERROR, String::new())),
        }
    }

    /// AlterConfigs (key 33, versions 0–2): the given configs replace all others.
    pub(crate) fn alter_configs(
        &mut self,
        _now: Time,
        _version: i16,
        request: &AlterConfigsRequest,
    ) -> (Vec<MetadataRecord>, AlterAnswer) {
        let mut records = Vec::new();
        let mut responses = Vec::new();
        let mut room = Room::beside(&self.image);
        for resource in &request.resources {
            if records.len() > RECORDS_MAX {
                break;
            }
            let (kind, name) = (resource.resource_type, &resource.resource_name);
            let mut wanted: SortedMap<Str, Str> = SortedMap::new();
            let judged = self.check_resource(kind, name).and_then(|()| {
                for config in &resource.configs {
                    let missing = || {
                        (
                            ErrorCode::INVALID_REQUEST,
                            format!("Null value not supported for : {}", config.name),
                        )
                    };
                    let value = config.value.clone().ok_or_else(missing)?;
                    self.check(kind, &config.name, &value)?;
                    room.take_config(name, &config.name, &value)?;
                    wanted.insert(config.name.clone(), value);
                }
                Ok(())
            });
            let mut answer = AlterConfigsResourceResponse {
                resource_type: kind,
                resource_name: name.clone(),
                error_message: None,
                ..AlterConfigsResourceResponse::default()
            };
            match judged {
                Ok(()) if !request.validate_only => {
                    let old = self
                        .image
                        .configs_of(kind, name)
                        .into_iter()
                        .flat_map(SortedMap::keys);
                    let gone = old.filter(|old| !wanted.contains_key(&***old));
                    records.extend(gone.map(|gone| record(kind, name, &Str::from(&**gone), None)));
                    records.extend(
                        wanted
                            .into_iter()
                            .map(|(key, value)| record(kind, name, &key, Some(value))),
                    );
                }
                Ok(()) => {}
                Err((code, message)) => {
                    answer.error_code = code.0;
                    answer.error_message = Some(Str::from(message));
                }
            }
            responses.push(answer);
        }
        records.extend(self.clear_elr_records(&records));
        (
            records,
            AlterAnswer {
                responses,
                ..AlterAnswer::default()
            },
        )
    }

    /// Whoever changes `min.insync.replicas` makes what is known of eligible leaders worthless (KIP-966).
    pub(crate) fn clear_elr_records(&self, configs: &[MetadataRecord]) -> Vec<MetadataRecord> {
        if !self.keeps_elr() {
            return Vec::new();
        }
        let clear = |record: &MetadataRecord| match record {
            MetadataRecord::Config(config) if &*config.name == "min.insync.replicas" => {
                let topic_name = match config.resource_type {
                    TOPIC => config.resource_name.clone(),
                    _ => Str::EMPTY,
                };
                Some(MetadataRecord::ClearElr(ClearElrRecord {
                    topic_name,
                    ..ClearElrRecord::default()
                }))
            }
            _ => None,
        };
        configs.iter().filter_map(clear).collect()
    }

    fn check_resource(&self, kind: i8, name: &str) -> Result<(), Refusal> {
        match kind {
            TOPIC if name.is_empty() => Err((
                ErrorCode::INVALID_REQUEST,
                "Default topic resources are not allowed.".to_string(),
            )),
            TOPIC if self.image.topic(name).is_some() => Ok(()),
            TOPIC => Err((
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                format!("The topic '{name}' does not exist."),
            )),
            BROKER if name.is_empty() => Ok(()),
            BROKER => match name.parse::<i32>() {
                Ok(id) if self.image.brokers().contains_key(&ids::NodeId(id)) => Ok(()),
                Ok(id) => Err((
                    ErrorCode::INVALID_REQUEST,
                    format!("No broker with id {id} is registered."),
                )),
                Err(_) => Err((
                    ErrorCode::INVALID_REQUEST,
                    format!("Broker id must be an integer, but it is: {name}"),
                )),
            },
            GROUP | CLIENT_METRICS if !name.is_empty() => Ok(()),
            other => Err((
                ErrorCode::INVALID_REQUEST,
                match other {
                    GROUP => "Default group resources are not allowed.".to_string(),
                    CLIENT_METRICS => "Subscription name can't be empty".to_string(),
                    BROKER_LOGGER => "The level of this broker's logger is fixed.".to_string(),
                    _ => format!("Unknown resource type {other}"),
                },
            )),
        }
    }

    fn check(&self, kind: i8, name: &str, value: &str) -> Result<(), Refusal> {
        let config = |why: metadata::ConfigError| (ErrorCode::INVALID_CONFIG, why.0);
        match kind {
            TOPIC => check_topic_config(name, value).map_err(config),
            GROUP => check_group_config(&self.view(), name, value).map_err(config),
            CLIENT_METRICS => check_client_metrics_config(name, value).map_err(|(config, why)| {
                let code = match config {
                    true => ErrorCode::INVALID_CONFIG,
                    false => ErrorCode::INVALID_REQUEST,
                };
                (code, why)
            }),
            _ => {
                let known = self.config.catalog.find(BROKER, name);
                let checked = known.map_or(Ok(()), |known| known.check(value));
                let checked = checked.and_then(|()| check_broker_config(name, value));
                checked.map_err(|why| (ErrorCode::INVALID_REQUEST, why))
            }
        }
    }
}

/// The words of a list.
fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|word| !word.is_empty())
}

fn named(resource: &AlterConfigsResource) -> (i8, &str) {
    (resource.resource_type, &resource.resource_name)
}

fn record(kind: i8, resource: &Str, name: &Str, value: Option<Str>) -> MetadataRecord {
    MetadataRecord::Config(ConfigRecord {
        resource_type: kind,
        resource_name: resource.clone(),
        name: name.clone(),
        value,
        ..ConfigRecord::default()
    })
}
