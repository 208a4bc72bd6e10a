//! What the brokers of the cluster answer.

use super::{FakeCluster, Node, Partition};
use wire::alter_partition_reassignments_request::AlterPartitionReassignmentsRequest;
use wire::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};
use wire::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use wire::create_topics_request::CreateTopicsRequest;
use wire::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use wire::describe_cluster_request::DescribeClusterRequest;
use wire::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use wire::describe_configs_request::DescribeConfigsRequest;
use wire::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use wire::describe_log_dirs_request::DescribeLogDirsRequest;
use wire::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use wire::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use wire::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use wire::elect_leaders_request::ElectLeadersRequest;
use wire::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};
use wire::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
use wire::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};
use wire::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};
use wire::metadata_request::MetadataRequest;
use wire::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use wire::remove_raft_voter_request::RemoveRaftVoterRequest;
use wire::remove_raft_voter_response::RemoveRaftVoterResponse;
use wire::unregister_broker_request::UnregisterBrokerRequest;
use wire::unregister_broker_response::UnregisterBrokerResponse;

/// The features of a new cluster: name, the least, the most, and the level it has.
const FEATURES: [(&str, i16, i16, i16); 7] = [
    ("metadata.version", 7, 30, 30),
    ("eligible.leader.replicas.version", 0, 1, 1),
    ("group.version", 0, 1, 1),
    ("kraft.version", 0, 1, 1),
    ("share.version", 0, 1, 1),
    ("streams.version", 0, 1, 1),
    ("transaction.version", 0, 2, 2),
];

impl Partition {
    fn adding(&self) -> Vec<i32> {
        let target = self.target.iter().flatten().copied();
        let there = |id: &i32| self.isr.contains(id) || self.elr.contains(id);
        target.filter(|id| !there(id)).collect()
    }

    fn removing(&self) -> Vec<i32> {
        let target = self.target.as_ref();
        let goes = |id: &i32| target.is_some_and(|target| !target.contains(id));
        self.replicas.iter().copied().filter(goes).collect()
    }
}

impl FakeCluster {
    /// The names of topics, in the order in which they are told.
    fn names(&self) -> Vec<String> {
        let others = self.topics.keys().filter(|name| !self.order.contains(name));
        self.order.iter().chain(others).cloned().collect()
    }

    pub(super) fn versions(&self, controller: bool) -> ApiVersionsResponse {
        let known = |api: &&wire::api_table::Api| !controller || api.key != 3;
        let row = |api: &wire::api_table::Api| ApiVersion {
            api_key: api.key,
            min_version: api.min,
            max_version: api.max,
            ..Default::default()
        };
        let supported =
            |&(name, min_version, max_version, _): &(&str, i16, i16, i16)| SupportedFeatureKey {
                name: name.into(),
                min_version,
                max_version,
                ..Default::default()
            };
        let finalized = |&(name, _, _, level): &(&str, i16, i16, i16)| FinalizedFeatureKey {
            name: name.into(),
            max_version_level: level,
            min_version_level: level,
            ..Default::default()
        };
        ApiVersionsResponse {
            api_keys: wire::api_table::APIS
                .iter()
                .filter(known)
                .map(row)
                .collect(),
            supported_features: FEATURES.iter().map(supported).collect(),
            finalized_features: FEATURES.iter().map(finalized).collect(),
            finalized_features_epoch: self.features_epoch,
            ..Default::default()
        }
    }

    pub(super) fn metadata(&mut self, request: MetadataRequest) -> MetadataResponse {
        let alive = self.brokers.iter().filter(|node| !node.fenced);
        let broker = |node: &Node| MetadataResponseBroker {
            node_id: node.id,
            host: "localhost".into(),
            port: i32::from(node.port),
            rack: node.rack.as_deref().map(Into::into),
            ..Default::default()
        };
        let brokers: Vec<_> = alive.map(broker).collect();
        let asked = request.topics.map(|topics| {
            let names = topics.into_iter().filter_map(|topic| topic.name);
            names.map(|name| name.to_string()).collect::<Vec<_>>()
        });
        let topic = |name: String| {
            let found = self.topics.get(&name);
            let partition = |(index, p): (usize, &Partition)| MetadataResponsePartition {
                partition_index: i32::try_from(index).expect("few partitions"),
                leader_id: p.leader,
                replica_nodes: p.replicas.clone(),
                isr_nodes: p.isr.clone(),
                ..Default::default()
            };
            let partitions = found.map(|topic| topic.partitions.iter().enumerate());
            MetadataResponseTopic {
                error_code: if found.is_some() { 0 } else { 3 },
                name: Some(name.as_str().into()),
                topic_id: found.map(|topic| topic.id).unwrap_or_default(),
                partitions: partitions.into_iter().flatten().map(partition).collect(),
                ..Default::default()
            }
        };
        MetadataResponse {
            controller_id: brokers.first().map_or(-1, |broker| broker.node_id),
            brokers,
            topics: asked
                .unwrap_or_else(|| self.names())
                .into_iter()
                .map(topic)
                .collect(),
            ..Default::default()
        }
    }

    pub(super) fn create_topics(&mut self, request: CreateTopicsRequest) -> CreateTopicsResponse {
        let alive = self.brokers.len();
        let answer = |topic: wire::create_topics_request::CreatableTopic| {
            let mut placed = topic.assignments.iter().flat_map(|list| &list.broker_ids);
            let factor = usize::try_from(topic.replication_factor).unwrap_or(0);
            let unknown = placed.find(|id| !self.brokers.iter().any(|node| node.id == **id));
            let (error_code, message) = match unknown {
                Some(id) => (
                    39,
                    format!(
                        "The manual partition assignment includes broker {id}, but no such broker is registered."
                    ),
                ),
                None if factor > alive => (
                    38,
                    format!(
                        "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only {alive} broker(s) are registered or some brokers have all their log directories cordoned."
                    ),
                ),
                None => (0, String::new()),
            };
            CreatableTopicResult {
                name: topic.name,
                error_code,
                error_message: (error_code != 0).then(|| message.as_str().into()),
                ..Default::default()
            }
        };
        CreateTopicsResponse {
            topics: request.topics.into_iter().map(answer).collect(),
            ..Default::default()
        }
    }

    pub(super) fn describe_configs(
        &mut self,
        request: DescribeConfigsRequest,
    ) -> DescribeConfigsResponse {
        let result = |resource: wire::describe_configs_request::DescribeConfigsResource| {
            let kind = resource.resource_type;
            let key = (kind, resource.resource_name.to_string());
            let set = self.configs.get(&key).cloned().unwrap_or_default();
            let own = if kind == 2 { 1 } else { 2 };
            let config = |name: &str| {
                let value = set.get(name);
                // Every topic of this cluster has the least ISR that the cluster has.
                let source = match value {
                    Some(value) if name != "min.insync.replicas" || value != "1" => own,
                    Some(_) => 3,
                    None => 5,
                };
                let value = value.map(|value| value.as_str().into());
                let synonym = DescribeConfigsSynonym {
                    name: name.into(),
                    value: value.clone(),
                    source,
                    ..Default::default()
                };
                DescribeConfigsResourceResult {
                    name: name.into(),
                    value,
                    config_source: source,
                    synonyms: vec![synonym],
                    ..Default::default()
                }
            };
            let known: Vec<&str> = match kind {
                2 => metadata::TOPIC_CONFIGS
                    .iter()
                    .map(|config| config.name)
                    .collect(),
                _ => set.keys().map(String::as_str).collect(),
            };
            DescribeConfigsResult {
                resource_type: kind,
                resource_name: resource.resource_name,
                configs: known.into_iter().map(config).collect(),
                ..Default::default()
            }
        };
        DescribeConfigsResponse {
            results: request.resources.into_iter().map(result).collect(),
            ..Default::default()
        }
    }

    pub(super) fn alter_configs(
        &mut self,
        request: IncrementalAlterConfigsRequest,
    ) -> IncrementalAlterConfigsResponse {
        let mut responses = Vec::new();
        for resource in request.resources {
            let name = resource.resource_name.to_string();
            let there = resource.resource_type != 2 || self.topics.contains_key(&name);
            responses.push(AlterConfigsResourceResponse {
                error_code: if there { 0 } else { 3 },
                error_message: (!there).then(|| {
                    format!("The topic '{name}' does not exist.")
                        .as_str()
                        .into()
                }),
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
                ..Default::default()
            });
            let configs = self
                .configs
                .entry((resource.resource_type, name))
                .or_default();
            for config in resource.configs {
                match config.value {
                    Some(value) => configs.insert(config.name.to_string(), value.to_string()),
                    None => configs.remove(config.name.as_str()),
                };
            }
        }
        IncrementalAlterConfigsResponse {
            responses,
            ..Default::default()
        }
    }

    pub(super) fn log_dirs(
        &self,
        port: u16,
        request: &DescribeLogDirsRequest,
    ) -> DescribeLogDirsResponse {
        let asked = request.topics.as_ref();
        let wanted =
            |name: &str| asked.is_none_or(|topics| topics.iter().any(|t| *t.topic == *name));
        let node = self
            .brokers
            .iter()
            .find(|node| node.port == port)
            .expect("a broker");
        let mut topics = Vec::new();
        for (name, topic) in self.topics.iter().filter(|row| wanted(row.0)) {
            let here = topic.partitions.iter().enumerate();
            let here = here.filter(|(_, p)| p.replicas.contains(&node.id));
            let partition = |(index, p): (usize, &Partition)| DescribeLogDirsPartition {
                partition_index: i32::try_from(index).expect("few partitions"),
                partition_size: p.size,
                ..Default::default()
            };
            topics.push(DescribeLogDirsTopic {
                name: name.as_str().into(),
                partitions: here.map(partition).collect(),
                ..Default::default()
            });
        }
        DescribeLogDirsResponse {
            results: vec![DescribeLogDirsResult {
                log_dir: format!("DIR/T/broker-{}/data", node.id).as_str().into(),
                topics,
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    pub(super) fn elect(&mut self, request: ElectLeadersRequest) -> ElectLeadersResponse {
        let unclean = request.election_type == 1;
        let all = request.topic_partitions.is_none();
        let every = |name: &String| {
            let count = self.topics[name].partitions.len();
            (
                name.clone(),
                (0..i32::try_from(count).expect("few")).collect::<Vec<i32>>(),
            )
        };
        let asked: Vec<(String, Vec<i32>)> = match request.topic_partitions {
            None => self.names().iter().map(every).collect(),
            Some(topics) => topics
                .into_iter()
                .map(|t| (t.topic.to_string(), t.partitions))
                .collect(),
        };
        let mut results = Vec::new();
        for (name, partitions) in asked {
            let mut partition_result = Vec::new();
            for partition in partitions {
                let (error_code, message) = self.elect_one(&name, partition, unclean);
                // Of all partitions only those are told of which there is something to tell.
                if all && error_code == 84 {
                    continue;
                }
                partition_result.push(PartitionResult {
                    partition_id: partition,
                    error_code,
                    error_message: message.map(|message| message.as_str().into()),
                    ..Default::default()
                });
            }
            results.push(ReplicaElectionResult {
                topic: name.as_str().into(),
                partition_result,
                ..Default::default()
            });
        }
        ElectLeadersResponse {
            replica_election_results: results,
            ..Default::default()
        }
    }

    fn elect_one(&mut self, topic: &str, partition: i32, unclean: bool) -> (i16, Option<String>) {
        let alive: Vec<i32> = self
            .brokers
            .iter()
            .map(|node| node.id)
            .filter(|id| self.is_alive(*id))
            .collect();
        let Some(found) = self.topics.get_mut(topic) else {
            return (3, Some(format!("No such topic as {topic}")));
        };
        let at = usize::try_from(partition).expect("a partition");
        let Some(p) = found.partitions.get_mut(at) else {
            return (3, Some(format!("No such partition as {topic}-{partition}")));
        };
        let next = match unclean {
            true if p.leader >= 0 => return (84, None),
            true => p.replicas.iter().copied().find(|id| alive.contains(id)),
            false if p.leader == p.replicas[0] => return (84, None),
            false => Some(p.replicas[0]).filter(|id| alive.contains(id) && p.isr.contains(id)),
        };
        match next {
            Some(leader) => {
                p.leader = leader;
                (0, None)
            }
            None => (if unclean { 83 } else { 80 }, None),
        }
    }

    pub(super) fn reassign(
        &mut self,
        request: AlterPartitionReassignmentsRequest,
    ) -> AlterPartitionReassignmentsResponse {
        let mut responses = Vec::new();
        for topic in request.topics {
            let mut partitions = Vec::new();
            for wanted in topic.partitions {
                let found = self.topics.get_mut(topic.name.as_str());
                let at = usize::try_from(wanted.partition_index).expect("a partition");
                let p = &mut found.expect("a topic").partitions[at];
                match wanted.replicas {
                    None => {
                        let adding = p.adding();
                        p.replicas.retain(|id| !adding.contains(id));
                        p.target = None;
                    }
                    Some(target) if target == p.replicas => {}
                    Some(target) => {
                        let before = p.replicas.iter().copied().filter(|id| !target.contains(id));
                        p.replicas = target.iter().copied().chain(before).collect();
                        p.target = Some(target);
                    }
                }
                partitions.push(ReassignablePartitionResponse {
                    partition_index: wanted.partition_index,
                    ..Default::default()
                });
            }
            responses.push(ReassignableTopicResponse {
                name: topic.name,
                partitions,
                ..Default::default()
            });
        }
        AlterPartitionReassignmentsResponse {
            responses,
            ..Default::default()
        }
    }

    pub(super) fn reassignments(&self) -> ListPartitionReassignmentsResponse {
        let mut topics = Vec::new();
        for (name, topic) in &self.topics {
            let moving = topic
                .partitions
                .iter()
                .enumerate()
                .filter(|(_, p)| p.target.is_some());
            let ongoing = |(index, p): (usize, &Partition)| OngoingPartitionReassignment {
                partition_index: i32::try_from(index).expect("few partitions"),
                replicas: p.replicas.clone(),
                adding_replicas: p.adding(),
                removing_replicas: p.removing(),
                ..Default::default()
            };
            let partitions: Vec<_> = moving.map(ongoing).collect();
            if !partitions.is_empty() {
                topics.push(OngoingTopicReassignment {
                    name: name.as_str().into(),
                    partitions,
                    ..Default::default()
                });
            }
        }
        ListPartitionReassignmentsResponse {
            topics,
            ..Default::default()
        }
    }

    pub(super) fn describe_cluster(
        &mut self,
        request: DescribeClusterRequest,
    ) -> DescribeClusterResponse {
        let nodes = match request.endpoint_type {
            2 => &self.controllers,
            _ => &self.brokers,
        };
        let shown = nodes
            .iter()
            .filter(|node| request.include_fenced_brokers || !node.fenced);
        let broker = |node: &Node| DescribeClusterBroker {
            broker_id: node.id,
            host: "localhost".into(),
            port: i32::from(node.port),
            rack: node.rack.as_deref().map(Into::into),
            is_fenced: node.fenced,
            ..Default::default()
        };
        DescribeClusterResponse {
            endpoint_type: request.endpoint_type,
            cluster_id: self.id.as_str().into(),
            controller_id: self.controllers.first().map_or(-1, |node| node.id),
            brokers: shown.map(broker).collect(),
            ..Default::default()
        }
    }

    pub(super) fn unregister(
        &mut self,
        request: UnregisterBrokerRequest,
    ) -> UnregisterBrokerResponse {
        let id = request.broker_id;
        let count = self.brokers.len();
        self.brokers.retain(|node| node.id != id);
        let gone = self.brokers.len() < count;
        let message = format!("Broker ID {id} is not currently registered");
        UnregisterBrokerResponse {
            error_code: if gone { 0 } else { 102 },
            error_message: (!gone).then(|| message.as_str().into()),
            ..Default::default()
        }
    }

    pub(super) fn remove_voter(
        &mut self,
        request: RemoveRaftVoterRequest,
    ) -> RemoveRaftVoterResponse {
        let voters = &mut self.quorum.topics[0].partitions[0].current_voters;
        let count = voters.len();
        let is_it =
            |id: i32, directory| id == request.voter_id && directory == request.voter_directory_id;
        voters.retain(|voter| !is_it(voter.replica_id, voter.replica_directory_id));
        let gone = voters.len() < count;
        let (id, directory) = (request.voter_id, request.voter_directory_id);
        let key = |id: i32, directory| format!("ReplicaKey(id={id}, directoryId={directory})");
        let all = voters
            .iter()
            .rev()
            .map(|v| key(v.replica_id, v.replica_directory_id));
        let all: Vec<String> = all.collect();
        let message = format!(
            "Cannot remove voter {} from the set of voters [{}]",
            key(id, directory),
            all.join(", ")
        );
        RemoveRaftVoterResponse {
            error_code: if gone { 0 } else { 127 },
            error_message: (!gone).then(|| message.as_str().into()),
            ..Default::default()
        }
    }

    pub(super) fn describe_topics(
        &mut self,
        request: DescribeTopicPartitionsRequest,
    ) -> DescribeTopicPartitionsResponse {
        let topic = |asked: wire::describe_topic_partitions_request::TopicRequest| {
            let topic = &self.topics[asked.name.as_str()];
            let partition =
                |(index, p): (usize, &Partition)| DescribeTopicPartitionsResponsePartition {
                    partition_index: i32::try_from(index).expect("few partitions"),
                    leader_id: p.leader,
                    replica_nodes: p.replicas.clone(),
                    isr_nodes: p.isr.clone(),
                    eligible_leader_replicas: Some(p.elr.clone()),
                    last_known_elr: Some(p.last_known.clone()),
                    ..Default::default()
                };
            DescribeTopicPartitionsResponseTopic {
                name: Some(asked.name),
                topic_id: topic.id,
                partitions: topic.partitions.iter().enumerate().map(partition).collect(),
                ..Default::default()
            }
        };
        DescribeTopicPartitionsResponse {
            topics: request.topics.into_iter().map(topic).collect(),
            ..Default::default()
        }
    }
}
