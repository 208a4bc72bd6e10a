//! Topics: creating, deleting, growing.

use crate::controller::Controller;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId, Time, Uuid};
use metadata::{
    ConfigView, DEFAULT_SOURCE, METADATA_TOPIC, MetadataRecord, TOPIC, TOPIC_CONFIGS,
    check_topic_config, topic_name_refusal,
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
use wire::delete_topics_request::DeleteTopicsRequest;
use wire::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use wire::partition_record::PartitionRecord;
use wire::remove_topic_record::RemoveTopicRecord;
use wire::topic_record::TopicRecord;

/// Partitions that all topics together may have; memory must stay bounded.
const PARTITIONS_MAX: usize = 20_000;

/// Why a topic is refused: Kafka's code and sentence.
type Refusal = (ErrorCode, Option<String>);

fn refuse<T>(code: ErrorCode, message: impl ToString) -> Result<T, Refusal> {
    Err((code, Some(message.to_string())))
}

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
        for topic in &request.topics {
            let Some(count) = counts.remove(&topic.name) else {
                continue;
            };
            let result = if count > 1 {
                refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic name.")
            } else {
                self.new_topic(topic)
            };
            results.push(match result {
                Ok((new, topic_id)) => {
                    let partitions = new
                        .iter()
                        .filter(|record| matches!(record, MetadataRecord::Partition(_)))
                        .count();
                    let replicas = replication_of(&new);
                    if !request.validate_only {
                        records.extend(new);
                    }
                    self.created(version, topic, topic_id, partitions, replicas)
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
        topic_id: Uuid,
        partitions: usize,
        replicas: usize,
    ) -> CreatableTopicResult {
        let view = self.view();
        let row = |key: &'static metadata::ConfigKey| {
            let own = topic
                .configs
                .iter()
                .find(|config| *config.name == *key.name)
                .and_then(|config| config.value.clone());
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
    fn new_topic(
        &mut self,
        topic: &CreatableTopic,
    ) -> Result<(Vec<MetadataRecord>, Uuid), Refusal> {
        self.check_name(&topic.name)?;
        let assignments = self.assign(topic)?;
        for config in &topic.configs {
            let Some(value) = &config.value else {
                let name = &config.name;
                return refuse(
                    ErrorCode::INVALID_CONFIG,
                    format!("Null value not supported for topic configs: {name}"),
                );
            };
            check_topic_config(&config.name, value)
                .or_else(|why| refuse(ErrorCode::INVALID_CONFIG, why.0))?;
        }
        let topic_id = self.new_uuid();
        let mut records = alloc::vec![MetadataRecord::Topic(TopicRecord {
            name: topic.name.clone(),
            topic_id,
            ..TopicRecord::default()
        })];
        for config in &topic.configs {
            records.push(MetadataRecord::Config(ConfigRecord {
                resource_type: TOPIC,
                resource_name: topic.name.clone(),
                name: config.name.clone(),
                value: config.value.clone(),
                ..ConfigRecord::default()
            }));
        }
        records.extend(
            (0..)
                .zip(assignments)
                .map(|(index, replicas)| self.new_partition(topic_id, index, replicas)),
        );
        Ok((records, topic_id))
    }

    fn check_name(&self, name: &Str) -> Result<(), Refusal> {
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
        let alike =
            |other: &str| other != &**name && other.replace('.', "_") == name.replace('.', "_");
        let mut others = self.image.topics().map(|topic| &*topic.name);
        match others.find(|other| alike(other)) {
            Some(other) => refuse(
                ErrorCode::INVALID_TOPIC_EXCEPTION,
                format!("Topic '{name}' collides with existing topic: {other}"),
            ),
            None => Ok(()),
        }
    }

    /// Which brokers hold each partition, the first of each being its preferred leader.
    fn assign(&mut self, topic: &CreatableTopic) -> Result<Vec<Vec<NodeId>>, Refusal> {
        if !topic.assignments.is_empty() {
            return self.assign_by_hand(topic);
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
        self.place(0, partitions, factor)
    }

    fn assign_by_hand(&self, topic: &CreatableTopic) -> Result<Vec<Vec<NodeId>>, Refusal> {
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
        for assignment in &topic.assignments {
            let replicas: Vec<NodeId> = assignment.broker_ids.iter().copied().map(NodeId).collect();
            self.check_replicas(&replicas)?;
            if by_index
                .insert(assignment.partition_index, replicas)
                .is_some()
            {
                return refuse(
                    ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                    format!(
                        "Found multiple manual partition assignments for partition {}",
                        assignment.partition_index
                    ),
                );
            }
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
        Ok(by_index.into_values().collect())
    }

    fn check_replicas(&self, replicas: &[NodeId]) -> Result<(), Refusal> {
        if replicas.is_empty() {
            return refuse(
                ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                "The manual partition assignment includes an empty replica list.",
            );
        }
        for (at, node) in replicas.iter().enumerate() {
            if replicas[..at].contains(node) {
                return refuse(
                    ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                    format!(
                        "The manual partition assignment includes the broker {node} more than once."
                    ),
                );
            }
            if !self.image.brokers().contains_key(node) {
                return refuse(
                    ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                    format!(
                        "The manual partition assignment includes broker {node}, but no such broker is registered."
                    ),
                );
            }
        }
        Ok(())
    }

    /// Spreads partitions over the live brokers: a random start, then in turn (KIP-455's rules for
    /// one rack).
    fn place(
        &mut self,
        first: i32,
        partitions: i32,
        factor: i16,
    ) -> Result<Vec<Vec<NodeId>>, Refusal> {
        let live: Vec<NodeId> = self.image.live_brokers().map(|(id, _)| id).collect();
        let wanted = usize::try_from(factor).unwrap_or(usize::MAX);
        if live.is_empty() || wanted > live.len() {
            let registered = self.image.brokers().len();
            return refuse(
                ErrorCode::INVALID_REPLICATION_FACTOR,
                format!(
                    "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} \
                     cannot be reached because only {registered} broker(s) are registered or some brokers have all \
                     their log directories cordoned."
                ),
            );
        }
        let count = usize::try_from(partitions).unwrap_or(usize::MAX);
        if self.image.partition_count().saturating_add(count) > PARTITIONS_MAX {
            return refuse(
                ErrorCode::INVALID_PARTITIONS,
                format!(
                    "{partitions} more partitions would exceed this cluster's limit of {PARTITIONS_MAX}."
                ),
            );
        }
        let start =
            self.rng.below(live.len() as u64) as usize + usize::try_from(first).unwrap_or(0);
        let replicas = |partition: usize| {
            (0..wanted)
                .map(|replica| live[(start + partition + replica) % live.len()])
                .collect::<Vec<NodeId>>()
        };
        Ok((0..count).map(replicas).collect())
    }

    fn new_partition(&self, topic_id: Uuid, index: i32, replicas: Vec<NodeId>) -> MetadataRecord {
        let isr: Vec<i32> = replicas
            .iter()
            .filter(|node| self.is_live(**node))
            .map(|node| node.0)
            .collect();
        MetadataRecord::Partition(PartitionRecord {
            partition_id: index,
            topic_id,
            leader: isr.first().copied().unwrap_or(-1),
            leader_epoch: 0,
            partition_epoch: 0,
            directories: replicas.iter().map(|_| Uuid::default()).collect(),
            replicas: replicas.iter().map(|node| node.0).collect(),
            isr,
            ..PartitionRecord::default()
        })
    }

    /// DeleteTopics (key 20, versions 1–6).
    pub(crate) fn delete_topics(
        &mut self,
        _now: Time,
        version: i16,
        request: &DeleteTopicsRequest,
    ) -> (Vec<MetadataRecord>, DeleteTopicsResponse) {
        let asked: Vec<(Option<Str>, Uuid)> = if version >= 6 {
            request
                .topics
                .iter()
                .map(|topic| (topic.name.clone(), topic.topic_id))
                .collect()
        } else {
            request
                .topic_names
                .iter()
                .map(|name| (Some(name.clone()), Uuid::ZERO))
                .collect()
        };
        let mut records = Vec::new();
        let mut responses: Vec<DeletableTopicResult> = Vec::new();
        let mut times: SortedMap<(Option<&str>, Uuid), u32> = SortedMap::new();
        for (name, id) in &asked {
            *times.entry((name.as_deref(), *id)).or_default() += 1;
        }
        for (name, id) in &asked {
            // What is named twice is answered once.
            let Some(count) = times.remove(&(name.as_deref(), *id)) else {
                continue;
            };
            let twice = count > 1;
            let result = self.deletable(name.as_ref(), *id, twice);
            let mut answer = DeletableTopicResult {
                name: name.clone(),
                topic_id: *id,
                ..DeletableTopicResult::default()
            };
            match result {
                Ok((name, topic_id)) => {
                    answer.name = Some(name);
                    answer.topic_id = topic_id;
                    records.push(MetadataRecord::RemoveTopic(RemoveTopicRecord {
                        topic_id,
                        ..RemoveTopicRecord::default()
                    }));
                }
                Err((code, message)) => {
                    answer.error_code = code.0;
                    answer.error_message = message.map(Str::from);
                }
            }
            responses.push(answer);
        }
        (
            records,
            DeleteTopicsResponse {
                responses,
                ..DeleteTopicsResponse::default()
            },
        )
    }

    fn deletable(&self, name: Option<&Str>, id: Uuid, twice: bool) -> Result<(Str, Uuid), Refusal> {
        let found = match (name, id) {
            (Some(_), id) if id != Uuid::ZERO => {
                return refuse(
                    ErrorCode::INVALID_REQUEST,
                    "You may not specify both topic name and topic id.",
                );
            }
            (None, Uuid::ZERO) => {
                return refuse(
                    ErrorCode::INVALID_REQUEST,
                    "Neither topic name nor id were specified.",
                );
            }
            (Some(_), _) if twice => {
                return refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
            }
            (None, _) if twice => return refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic id."),
            (Some(name), _) => self.image.topic(name),
            (None, id) => self.image.topic_by_id(id),
        };
        match found {
            Some(topic) => Ok((Str::from(&*topic.name), topic.id)),
            None if name.is_some() => refuse(
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                "This server does not host this topic-partition.",
            ),
            None => refuse(
                ErrorCode::UNKNOWN_TOPIC_ID,
                "This server does not host this topic ID.",
            ),
        }
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
                self.grow(topic)
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

    fn grow(&mut self, ask: &CreatePartitionsTopic) -> Result<Vec<MetadataRecord>, Refusal> {
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
                let mut replicas = Vec::new();
                for assignment in assignments {
                    let nodes: Vec<NodeId> =
                        assignment.broker_ids.iter().copied().map(NodeId).collect();
                    self.check_replicas(&nodes)?;
                    replicas.push(nodes);
                }
                replicas
            }
            None => {
                let factor = topic
                    .partitions
                    .values()
                    .next()
                    .map_or(1, |partition| partition.replicas.len());
                self.place(now, added, i16::try_from(factor).unwrap_or(1))?
            }
        };
        Ok((now..)
            .zip(replicas)
            .map(|(index, nodes)| self.new_partition(topic.id, index, nodes))
            .collect())
    }

    pub(crate) fn view(&self) -> ConfigView<'_> {
        ConfigView {
            image: &self.image,
            properties: &self.config.properties,
            node: None,
        }
    }
}

fn replication_of(records: &[MetadataRecord]) -> usize {
    let factor = |record: &MetadataRecord| match record {
        MetadataRecord::Partition(partition) => Some(partition.replicas.len()),
        _ => None,
    };
    records.iter().find_map(factor).unwrap_or(0)
}
