//! Topics: creating and growing.

use crate::controller::Controller;
use crate::room::{RECORDS_MAX, Room};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{ErrorCode, METADATA_TOPIC, NodeId, Time, Uuid};
use metadata::{
    ConfigView, DEFAULT_SOURCE, MetadataRecord, TOPIC, TOPIC_CONFIGS, check_topic_config,
    topic_name_refusal,
};
use sorted::SortedMap;
use wire::Str;
use wire::config_record::ConfigRecord;
use wire::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use wire::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use wire::topic_record::TopicRecord;

/// Why a topic is refused: Kafka's code and sentence.
pub(crate) type Refusal = (ErrorCode, Option<String>);

pub(crate) fn refuse<T>(code: ErrorCode, message: impl ToString) -> Result<T, Refusal> {
    Err((code, Some(message.to_string())))
}

/// Partitions that one CreateTopics may name, as in Kafka.
const PARTITIONS_PER_REQUEST: u64 = 10_000;
/// Kafka's sentence about more of them.
const EXCESSIVE: &str = "Excessively large number of partitions per request.";

/// What all topics of one CreateTopics are judged by.
struct Creation {
    room: Room,
    /// The topics there are whose names others may be mixed up with, by their names in metrics.
    metric_names: SortedMap<String, Arc<str>>,
}

/// Configs of a new topic; of one that is named twice the last counts.
type NewConfigs<'a> = SortedMap<&'a str, &'a Str>;

impl Controller {
    /// CreateTopics (key 19, versions 2–7).
    pub(crate) fn create_topics(
        &mut self,
        _now: Time,
        version: i16,
        request: &CreateTopicsRequest,
    ) -> (Vec<MetadataRecord>, CreateTopicsResponse) {
        let mut records = Vec::new();
        let mut results = Vec::new();
        let mut counts: SortedMap<&Str, u32> = SortedMap::new();
        for topic in &request.topics {
            *counts.entry(&topic.name).or_default() += 1;
        }
        let mut creation = self.begin_creation();
        let excessive = self.partitions_named(request) > PARTITIONS_PER_REQUEST;
        for topic in &request.topics {
            let Some(count) = counts.remove(&topic.name) else {
                continue;
            };
            // Too many: the request as a whole is refused, so there is no need to go on.
            if records.len() > RECORDS_MAX {
                break;
            }
            let result = if excessive {
                refuse(ErrorCode::POLICY_VIOLATION, EXCESSIVE)
            } else if count > 1 {
                refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic name.")
            } else {
                self.new_topic(topic, &mut creation)
            };
            results.push(match result {
                Ok((new, topic_id, configs)) => {
                    let partitions = new
                        .iter()
                        .filter(|record| matches!(record, MetadataRecord::Partition(_)))
                        .count();
                    let replicas = replication_of(&new);
                    if !request.validate_only {
                        records.extend(new);
                    }
                    self.created(version, topic, &configs, (topic_id, partitions, replicas))
                }
                Err((code, message)) => CreatableTopicResult {
                    name: topic.name.clone(),
                    error_code: code.0,
                    error_message: message.map(Str::from),
                    num_partitions: -1,
                    replication_factor: -1,
                    configs: Some(Vec::new()),
                    ..CreatableTopicResult::default()
                },
            });
        }
        (
            records,
            CreateTopicsResponse {
                topics: results,
                ..CreateTopicsResponse::default()
            },
        )
    }

    fn created(
        &self,
        version: i16,
        topic: &CreatableTopic,
        configs: &NewConfigs<'_>,
        (topic_id, partitions, replicas): (Uuid, usize, usize),
    ) -> CreatableTopicResult {
        let view = self.view();
        let row = |key: &'static metadata::ConfigKey| {
            let own = configs.get(key.name).map(|value| (*value).clone());
            let source = if own.is_some() {
                metadata::Source::Topic as i8
            } else {
                view.topic_default(key).source as i8
            };
            CreatableTopicConfigs {
                name: Str::from(key.name),
                value: Some(own.unwrap_or_else(|| Str::from(view.topic_default(key).value))),
                config_source: if source == 0 { DEFAULT_SOURCE } else { source },
                ..CreatableTopicConfigs::default()
            }
        };
        let shown = TOPIC_CONFIGS
            .iter()
            .filter(|key| key.name != "internal.segment.bytes");
        CreatableTopicResult {
            name: topic.name.clone(),
            topic_id,
            error_message: None,
            num_partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
            configs: if version >= 5 {
                Some(shown.map(row).collect())
            } else {
                Some(Vec::new())
            },
            ..CreatableTopicResult::default()
        }
    }

    /// Judges one topic; the records that make it.
    fn new_topic<'a>(
        &mut self,
        topic: &'a CreatableTopic,
        creation: &mut Creation,
    ) -> Result<(Vec<MetadataRecord>, Uuid, NewConfigs<'a>), Refusal> {
        self.check_name(&topic.name, creation)?;
        let configs = check_configs(topic)?;
        for (name, value) in configs.iter() {
            let taken = creation.room.take_config(&topic.name, name, value);
            taken.or_else(|(code, why)| refuse(code, why))?;
        }
        let assignments = self.assign(topic, &mut creation.room)?;
        let topic_id = self.new_uuid();
        let mut records = alloc::vec![MetadataRecord::Topic(TopicRecord {
            name: topic.name.clone(),
            topic_id,
            ..TopicRecord::default()
        })];
        for (name, value) in configs.iter() {
            records.push(MetadataRecord::Config(ConfigRecord {
                resource_type: TOPIC,
                resource_name: topic.name.clone(),
                name: Str::from(*name),
                value: Some((*value).clone()),
                ..ConfigRecord::default()
            }));
        }
        records.extend(self.clear_elr_records(&records));
        let by_hand = !topic.assignments.is_empty();
        for (index, replicas) in (0..).zip(&assignments) {
            records.push(self.new_partition(topic_id, index, replicas, by_hand)?);
        }
        Ok((records, topic_id, configs))
    }

    /// How many partitions a request names, whatever becomes of it.
    fn partitions_named(&self, request: &CreateTopicsRequest) -> u64 {
        let default = self.view().broker_number("num.partitions");
        let of = |topic: &CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
            (0, -1) => u64::try_from(default).unwrap_or(0),
            (0, count) => u64::try_from(count).unwrap_or(0),
            (named, _) => named as u64,
        };
        request.topics.iter().map(of).sum()
    }

    fn begin_creation(&self) -> Creation {
        let names = self.image.topics().map(|topic| &topic.name);
        let metric_names = names
            .filter(|name| name.contains(['.', '_']))
            .map(|name| (metric_name(name), name.clone()));
        Creation {
            room: Room::beside(&self.image),
            metric_names: metric_names.collect(),
        }
    }

    fn check_name(&self, name: &Str, creation: &Creation) -> Result<(), Refusal> {
        if let Some(why) = topic_name_refusal(name) {
            return refuse(ErrorCode::INVALID_TOPIC_EXCEPTION, why);
        }
        if **name == *METADATA_TOPIC {
            return refuse(
                ErrorCode::INVALID_REQUEST,
                format!("Creation of internal topic {name} is prohibited."),
            );
        }
        if self.image.topic(name).is_some() {
            return refuse(
                ErrorCode::TOPIC_ALREADY_EXISTS,
                format!("Topic '{name}' already exists."),
            );
        }
        // Metrics write both characters the same way, so two such names would be mixed up. Like Kafka,
        // this lets two new ones of the same request pass.
        match creation.metric_names.get(&metric_name(name)) {
            Some(other) => refuse(
                ErrorCode::INVALID_TOPIC_EXCEPTION,
                format!("Topic '{name}' collides with existing topic: {other}"),
            ),
            None => Ok(()),
        }
    }

    /// Which brokers hold each partition, the first of each being its preferred leader.
    fn assign(
        &mut self,
        topic: &CreatableTopic,
        room: &mut Room,
    ) -> Result<Vec<Vec<NodeId>>, Refusal> {
        if !topic.assignments.is_empty() {
            return self.assign_by_hand(topic, room);
        }
        let view = self.view();
        let partitions = match topic.num_partitions {
            -1 => i32::try_from(view.broker_number("num.partitions")).unwrap_or(1),
            count if count <= 0 => {
                return refuse(
                    ErrorCode::INVALID_PARTITIONS,
                    "Number of partitions was set to an invalid non-positive value.",
                );
            }
            count => count,
        };
        let factor = match topic.replication_factor {
            -1 => i16::try_from(view.broker_number("default.replication.factor")).unwrap_or(1),
            factor if factor <= 0 => {
                return refuse(
                    ErrorCode::INVALID_REPLICATION_FACTOR,
                    "Replication factor must be larger than 0, or -1 to use the default value.",
                );
            }
            factor => factor,
        };
        self.place(partitions, factor, room)
    }

    fn assign_by_hand(
        &self,
        topic: &CreatableTopic,
        room: &mut Room,
    ) -> Result<Vec<Vec<NodeId>>, Refusal> {
        if topic.num_partitions != -1 {
            return refuse(
                ErrorCode::INVALID_REQUEST,
                "A manual partition assignment was specified, but numPartitions was not set to -1.",
            );
        }
        if topic.replication_factor != -1 {
            return refuse(
                ErrorCode::INVALID_REQUEST,
                "A manual partition assignment was specified, but replicationFactor was not set to -1.",
            );
        }
        let mut by_index: SortedMap<i32, Vec<NodeId>> = SortedMap::new();
        let mut factor = None;
        for assignment in &topic.assignments {
            let index = assignment.partition_index;
            if by_index.contains_key(&index) {
                return refuse(
                    ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                    format!("Found multiple manual partition assignments for partition {index}"),
                );
            }
            self.check_replicas(&assignment.broker_ids, factor)?;
            factor = Some(assignment.broker_ids.len());
            let replicas: Vec<NodeId> = nodes(&assignment.broker_ids);
            if !replicas.iter().any(|node| self.is_active(*node)) {
                self.new_partition(Uuid::ZERO, index, &replicas, true)?;
            }
            by_index.insert(index, replicas);
        }
        let consecutive = by_index
            .keys()
            .copied()
            .eq(0..i32::try_from(by_index.len()).unwrap_or(i32::MAX));
        if !consecutive {
            return refuse(
                ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                "partitions should be a consecutive 0-based integer sequence",
            );
        }
        take(room, by_index.len())?;
        Ok(by_index.into_values().collect())
    }

    /// CreatePartitions (key 37, versions 0–3).
    pub(crate) fn create_partitions(
        &mut self,
        _now: Time,
        _version: i16,
        request: &CreatePartitionsRequest,
    ) -> (Vec<MetadataRecord>, CreatePartitionsResponse) {
        let mut records = Vec::new();
        let mut results = Vec::new();
        let mut room = Room::beside(&self.image);
        let mut counts: SortedMap<&Str, u32> = SortedMap::new();
        for topic in &request.topics {
            *counts.entry(&topic.name).or_default() += 1;
        }
        for topic in &request.topics {
            let Some(count) = counts.remove(&topic.name) else {
                continue;
            };
            let mut result = CreatePartitionsTopicResult {
                name: topic.name.clone(),
                ..Default::default()
            };
            let grown = if count > 1 {
                refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic name.")
            } else {
                self.grow(topic, &mut room)
            };
            match grown {
                Ok(new) if !request.validate_only => records.extend(new),
                Ok(_) => {}
                Err((code, message)) => {
                    result.error_code = code.0;
                    result.error_message = message.map(Str::from);
                }
            }
            results.push(result);
        }
        (
            records,
            CreatePartitionsResponse {
                results,
                ..CreatePartitionsResponse::default()
            },
        )
    }

    fn grow(
        &mut self,
        ask: &CreatePartitionsTopic,
        room: &mut Room,
    ) -> Result<Vec<MetadataRecord>, Refusal> {
        let Some(topic) = self.image.topic(&ask.name).cloned() else {
            return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None));
        };
        let (now, wanted) = (
            i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
            ask.count,
        );
        if wanted == now {
            return refuse(
                ErrorCode::INVALID_PARTITIONS,
                format!("Topic already has {now} partition(s)."),
            );
        }
        if wanted < now {
            let name = &ask.name;
            return refuse(
                ErrorCode::INVALID_PARTITIONS,
                format!(
                    "The topic {name} currently has {now} partition(s); {wanted} would not be an increase."
                ),
            );
        }
        let added = wanted - now;
        let first = topic.partitions.values().next();
        let replicas = match &ask.assignments {
            Some(assignments) => {
                if assignments.len() as u64 != u64::try_from(added).unwrap_or(0) {
                    return refuse(
                        ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                        format!(
                            "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
                            assignments.len()
                        ),
                    );
                }
                let factor = first.map(|partition| partition.replicas.len());
                let mut replicas = Vec::new();
                for assignment in assignments {
                    self.check_replicas(&assignment.broker_ids, factor)?;
                    replicas.push(nodes(&assignment.broker_ids));
                }
                take(room, replicas.len())?;
                replicas
            }
            None => {
                let factor = first.map_or(1, |partition| partition.replicas.len());
                self.place(added, i16::try_from(factor).unwrap_or(1), room)?
            }
        };
        let by_hand = ask.assignments.is_some();
        (now..)
            .zip(&replicas)
            .map(|(index, nodes)| self.new_partition(topic.id, index, nodes, by_hand))
            .collect()
    }

    pub(crate) fn view(&self) -> ConfigView<'_> {
        ConfigView {
            image: &self.image,
            properties: &self.config.properties,
            node: None,
        }
    }
}

fn nodes(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

pub(crate) fn take(room: &mut Room, partitions: usize) -> Result<(), Refusal> {
    let taken = room.take_partitions(partitions);
    taken.or_else(|(code, why)| refuse(code, why))
}

/// A topic's name as metrics write it, in which a dot and an underscore are the same.
fn metric_name(name: &str) -> String {
    name.replace('.', "_")
}

/// The configs a topic is to have.
fn check_configs(topic: &CreatableTopic) -> Result<NewConfigs<'_>, Refusal> {
    let mut configs = NewConfigs::new();
    for config in &topic.configs {
        let name = &*config.name;
        let Some(value) = &config.value else {
            return refuse(
                ErrorCode::INVALID_CONFIG,
                format!("Null value not supported for topic configs: {name}"),
            );
        };
        check_topic_config(name, value).or_else(|why| refuse(ErrorCode::INVALID_CONFIG, why.0))?;
        configs.insert(name, value);
    }
    Ok(configs)
}

fn replication_of(records: &[MetadataRecord]) -> usize {
    let factor = |record: &MetadataRecord| match record {
        MetadataRecord::Partition(partition) => Some(partition.replicas.len()),
        _ => None,
    };
    records.iter().find_map(factor).unwrap_or(0)
}
