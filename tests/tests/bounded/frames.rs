//! The worst frames that there are of each API: the longest list it can carry of what costs most.

use super::{Frame, frame};
use wire::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use wire::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use wire::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use wire::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::delete_groups_request::DeleteGroupsRequest;
use wire::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use wire::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::describe_groups_request::DescribeGroupsRequest;
use wire::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use wire::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use wire::describe_topic_partitions_request::{
    DescribeTopicPartitionsRequest, TopicRequest as NamedTopic,
};
use wire::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::find_coordinator_request::FindCoordinatorRequest;
use wire::incremental_alter_configs_request::{
    AlterConfigsResource as IncrementalResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use wire::list_groups_request::ListGroupsRequest;
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use wire::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use wire::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use wire::{Records, Str};

/// The topic that there is.
pub(crate) const TOPIC: &str = "orders";
/// The group that there is.
pub(crate) const GROUP: &str = "readers";

/// A list of so many elements.
fn list<T>(count: usize, element: impl Fn(usize) -> T) -> Vec<T> {
    (0..count).map(element).collect()
}

fn text(at: usize) -> Str {
    Str::from(format!("n{at}"))
}

/// Frames of metadata and of records.
pub(crate) const TOPICS: &[(&str, Frame)] = &[
    ("Metadata of names that there are not", |count| {
        let topics = list(count, |at| MetadataRequestTopic {
            name: Some(text(at)),
            ..MetadataRequestTopic::default()
        });
        let request = MetadataRequest {
            topics: Some(topics),
            allow_auto_topic_creation: true,
            ..MetadataRequest::default()
        };
        frame(9, &request)
    }),
    ("Produce of nothing", |count| {
        let partition_data = list(count, |_| PartitionProduceData {
            records: Records::None,
            ..PartitionProduceData::default()
        });
        let topic = TopicProduceData {
            name: Str::from(TOPIC),
            partition_data,
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: 1,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        frame(9, &request)
    }),
    ("Fetch of an unknown isolation", |count| {
        let request = FetchRequest {
            isolation_level: 7,
            ..fetch(count)
        };
        frame(11, &request)
    }),
    ("Fetch of topics that there are not", |count| {
        frame(11, &fetch(count))
    }),
    ("ListOffsets of one partition", |count| {
        let topics = list(count, |_| ListOffsetsTopic {
            name: Str::from(TOPIC),
            partitions: vec![ListOffsetsPartition::default()],
            ..ListOffsetsTopic::default()
        });
        let request = ListOffsetsRequest {
            topics,
            ..ListOffsetsRequest::default()
        };
        frame(6, &request)
    }),
    ("OffsetForLeaderEpoch", |count| {
        let topic = OffsetForLeaderTopic {
            topic: Str::from(TOPIC),
            partitions: list(count, |_| OffsetForLeaderPartition::default()),
            ..OffsetForLeaderTopic::default()
        };
        let request = OffsetForLeaderEpochRequest {
            topics: vec![topic],
            ..OffsetForLeaderEpochRequest::default()
        };
        frame(4, &request)
    }),
    ("DeleteRecords of one partition", |count| {
        let topic = DeleteRecordsTopic {
            name: Str::from(TOPIC),
            partitions: list(count, |_| DeleteRecordsPartition::default()),
            ..DeleteRecordsTopic::default()
        };
        let request = DeleteRecordsRequest {
            topics: vec![topic],
            ..DeleteRecordsRequest::default()
        };
        frame(2, &request)
    }),
    ("DescribeLogDirs", |count| {
        let topics = list(count, |at| DescribableLogDirTopic {
            topic: text(at),
            partitions: vec![0],
            ..DescribableLogDirTopic::default()
        });
        let request = DescribeLogDirsRequest {
            topics: Some(topics),
            ..DescribeLogDirsRequest::default()
        };
        frame(4, &request)
    }),
    ("DescribeProducers of one partition", |count| {
        let topic = TopicRequest {
            name: Str::from(TOPIC),
            partition_indexes: vec![0; count],
            ..TopicRequest::default()
        };
        let request = DescribeProducersRequest {
            topics: vec![topic],
            ..DescribeProducersRequest::default()
        };
        frame(0, &request)
    }),
    ("DescribeTopicPartitions", |count| {
        let topics = list(count, |at| NamedTopic {
            name: text(count - at),
            ..NamedTopic::default()
        });
        let request = DescribeTopicPartitionsRequest {
            topics,
            ..DescribeTopicPartitionsRequest::default()
        };
        frame(0, &request)
    }),
];

/// A fetch outside any session of partition 0 of so many topics.
fn fetch(count: usize) -> FetchRequest {
    let topics = list(count, |at| FetchTopic {
        topic: text(count - at),
        partitions: vec![FetchPartition::default()],
        ..FetchTopic::default()
    });
    FetchRequest {
        session_epoch: -1,
        topics,
        ..FetchRequest::default()
    }
}

/// Frames that the controller decides.
pub(crate) const FORWARDED: &[(&str, Frame)] = &[
    ("CreateTopics", |count| {
        let topics = list(count, |at| CreatableTopic {
            name: Str::from(format!("a.b_{at}")),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        });
        let request = CreateTopicsRequest {
            topics,
            ..CreateTopicsRequest::default()
        };
        frame(7, &request)
    }),
    ("CreateTopics with a config many times", |count| {
        let configs = list(count, |_| CreatableTopicConfig {
            name: Str::from("retention.ms"),
            value: Some(Str::from("1")),
            ..CreatableTopicConfig::default()
        });
        let topic = CreatableTopic {
            name: Str::from("configured"),
            num_partitions: 1,
            replication_factor: 1,
            configs,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..CreateTopicsRequest::default()
        };
        frame(7, &request)
    }),
    ("CreatePartitions", |count| {
        let topics = list(count, |at| CreatePartitionsTopic {
            name: Str::from(TOPIC),
            count: 2 + i32::try_from(at).unwrap_or(0),
            ..CreatePartitionsTopic::default()
        });
        let request = CreatePartitionsRequest {
            topics,
            ..CreatePartitionsRequest::default()
        };
        frame(3, &request)
    }),
    ("DeleteTopics", |count| {
        let topics = list(count, |at| DeleteTopicState {
            name: Some(text(at)),
            ..DeleteTopicState::default()
        });
        let request = DeleteTopicsRequest {
            topics,
            ..DeleteTopicsRequest::default()
        };
        frame(6, &request)
    }),
    ("AlterConfigs of one topic", |count| {
        let resources = list(count, |_| AlterConfigsResource {
            resource_type: 2,
            resource_name: Str::from(TOPIC),
            ..AlterConfigsResource::default()
        });
        let request = AlterConfigsRequest {
            resources,
            ..AlterConfigsRequest::default()
        };
        frame(2, &request)
    }),
    ("IncrementalAlterConfigs of one topic", |count| {
        let resources = list(count, |_| IncrementalResource {
            resource_type: 2,
            resource_name: Str::from(TOPIC),
            ..IncrementalResource::default()
        });
        let request = IncrementalAlterConfigsRequest {
            resources,
            ..IncrementalAlterConfigsRequest::default()
        };
        frame(1, &request)
    }),
    (
        "IncrementalAlterConfigs with a config many times",
        |count| {
            let configs = list(count, |_| AlterableConfig {
                name: Str::from("retention.ms"),
                value: Some(Str::from("1")),
                ..AlterableConfig::default()
            });
            let resource = IncrementalResource {
                resource_type: 2,
                resource_name: Str::from(TOPIC),
                configs,
                ..IncrementalResource::default()
            };
            let request = IncrementalAlterConfigsRequest {
                resources: vec![resource],
                ..IncrementalAlterConfigsRequest::default()
            };
            frame(1, &request)
        },
    ),
    ("ElectLeaders", |count| {
        let topic = TopicPartitions {
            topic: Str::from(TOPIC),
            partitions: vec![0; count],
            ..TopicPartitions::default()
        };
        let request = ElectLeadersRequest {
            topic_partitions: Some(vec![topic]),
            ..ElectLeadersRequest::default()
        };
        frame(2, &request)
    }),
    ("DescribeConfigs of one topic", |count| {
        let resources = list(count, |_| DescribeConfigsResource {
            resource_type: 2,
            resource_name: Str::from(TOPIC),
            configuration_keys: None,
            ..DescribeConfigsResource::default()
        });
        let request = DescribeConfigsRequest {
            resources,
            include_synonyms: true,
            ..DescribeConfigsRequest::default()
        };
        frame(4, &request)
    }),
    ("DescribeConfigs of many keys", |count| {
        let resource = DescribeConfigsResource {
            resource_type: 4,
            resource_name: Str::from("1"),
            configuration_keys: Some(list(count, text)),
            ..DescribeConfigsResource::default()
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            ..DescribeConfigsRequest::default()
        };
        frame(4, &request)
    }),
];

/// Frames of groups.
pub(crate) const GROUPS: &[(&str, Frame)] = &[
    ("FindCoordinator", |count| {
        let request = FindCoordinatorRequest {
            coordinator_keys: list(count, text),
            ..FindCoordinatorRequest::default()
        };
        frame(4, &request)
    }),
    ("JoinGroup with many protocols", |count| {
        let protocols = list(count, |at| JoinGroupRequestProtocol {
            name: text(at),
            ..JoinGroupRequestProtocol::default()
        });
        let request = JoinGroupRequest {
            group_id: Str::from(GROUP),
            session_timeout_ms: 10_000,
            protocol_type: Str::from("consumer"),
            protocols,
            ..JoinGroupRequest::default()
        };
        frame(3, &request)
    }),
    ("SyncGroup", |count| {
        let assignments = list(count, |at| SyncGroupRequestAssignment {
            member_id: text(at),
            ..SyncGroupRequestAssignment::default()
        });
        let request = SyncGroupRequest {
            group_id: Str::from(GROUP),
            assignments,
            ..SyncGroupRequest::default()
        };
        frame(3, &request)
    }),
    ("LeaveGroup", |count| {
        let members = list(count, |at| MemberIdentity {
            member_id: text(at),
            ..MemberIdentity::default()
        });
        let request = LeaveGroupRequest {
            group_id: Str::from(GROUP),
            members,
            ..LeaveGroupRequest::default()
        };
        frame(4, &request)
    }),
    ("DescribeGroups of one group", |count| {
        let request = DescribeGroupsRequest {
            groups: vec![Str::from(GROUP); count],
            ..DescribeGroupsRequest::default()
        };
        frame(5, &request)
    }),
    ("ConsumerGroupDescribe", |count| {
        let request = ConsumerGroupDescribeRequest {
            group_ids: list(count, text),
            ..ConsumerGroupDescribeRequest::default()
        };
        frame(0, &request)
    }),
    ("ListGroups in many states", |count| {
        let request = ListGroupsRequest {
            states_filter: list(count, text),
            ..ListGroupsRequest::default()
        };
        frame(4, &request)
    }),
    ("DeleteGroups", |count| {
        let request = DeleteGroupsRequest {
            groups_names: list(count, text),
            ..DeleteGroupsRequest::default()
        };
        frame(2, &request)
    }),
    ("OffsetFetch of all offsets of one group", |count| {
        let group = OffsetFetchRequestGroup {
            group_id: Str::from(GROUP),
            topics: None,
            ..OffsetFetchRequestGroup::default()
        };
        let request = OffsetFetchRequest {
            groups: vec![group; count],
            ..OffsetFetchRequest::default()
        };
        frame(8, &request)
    }),
    ("OffsetFetch of one partition", |count| {
        let topic = OffsetFetchRequestTopics {
            name: Str::from(TOPIC),
            partition_indexes: vec![0; count],
            ..OffsetFetchRequestTopics::default()
        };
        let group = OffsetFetchRequestGroup {
            group_id: Str::from(GROUP),
            topics: Some(vec![topic]),
            ..OffsetFetchRequestGroup::default()
        };
        let request = OffsetFetchRequest {
            groups: vec![group],
            ..OffsetFetchRequest::default()
        };
        frame(8, &request)
    }),
    ("OffsetCommit of one partition", |count| {
        let topic = OffsetCommitRequestTopic {
            name: Str::from(TOPIC),
            partitions: list(count, |_| OffsetCommitRequestPartition::default()),
            ..OffsetCommitRequestTopic::default()
        };
        let request = OffsetCommitRequest {
            group_id: Str::from(GROUP),
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        };
        frame(8, &request)
    }),
    ("OffsetDelete of topics that there are not", |count| {
        let topics = list(count, |at| OffsetDeleteRequestTopic {
            name: text(at),
            partitions: vec![OffsetDeleteRequestPartition::default()],
        });
        let request = OffsetDeleteRequest {
            group_id: Str::from(GROUP),
            topics,
        };
        frame(0, &request)
    }),
];
