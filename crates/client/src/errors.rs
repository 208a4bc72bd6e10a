//! Kafka's words for its error codes, as its clients and tools show them.

use alloc::format;
use alloc::string::String;
use ids::ErrorCode;

/// Code, Java exception without `org.apache.kafka.common.errors.` and `Exception`, default message.
const TABLE: &[(ErrorCode, &str, &str)] = &[
    (
        ErrorCode::UNKNOWN_SERVER_ERROR,
        "UnknownServer",
        "The server experienced an unexpected error when processing the request.",
    ),
    (
        ErrorCode::OFFSET_OUT_OF_RANGE,
        "OffsetOutOfRange",
        "The requested offset is not within the range of offsets maintained by the server.",
    ),
    (
        ErrorCode::CORRUPT_MESSAGE,
        "CorruptRecord",
        "This message has failed its CRC checksum, exceeds the valid size, has a null key for a compacted topic, or is otherwise corrupt.",
    ),
    (
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        "UnknownTopicOrPartition",
        "This server does not host this topic-partition.",
    ),
    (
        ErrorCode::LEADER_NOT_AVAILABLE,
        "LeaderNotAvailable",
        "There is no leader for this topic-partition as we are in the middle of a leadership election.",
    ),
    (
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        "NotLeaderOrFollower",
        "For requests intended only for the leader, this error indicates that the broker is not the current leader. For requests intended for any replica, this error indicates that the broker is not a replica of the topic partition.",
    ),
    (
        ErrorCode::REQUEST_TIMED_OUT,
        "Timeout",
        "The request timed out.",
    ),
    (
        ErrorCode::MESSAGE_TOO_LARGE,
        "RecordTooLarge",
        "The request included a message larger than the max message size the server will accept.",
    ),
    (
        ErrorCode::NETWORK_EXCEPTION,
        "Network",
        "Disconnected from node",
    ),
    (
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        "CoordinatorLoadInProgress",
        "The coordinator is loading and hence can't process requests.",
    ),
    (
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        "CoordinatorNotAvailable",
        "The coordinator is not available.",
    ),
    (
        ErrorCode::NOT_COORDINATOR,
        "NotCoordinator",
        "This is not the correct coordinator.",
    ),
    (
        ErrorCode::INVALID_TOPIC_EXCEPTION,
        "InvalidTopic",
        "The request attempted to perform an operation on an invalid topic.",
    ),
    (
        ErrorCode::RECORD_LIST_TOO_LARGE,
        "RecordBatchTooLarge",
        "The request included message batch larger than the configured segment size on the server.",
    ),
    (
        ErrorCode::NOT_ENOUGH_REPLICAS,
        "NotEnoughReplicas",
        "Messages are rejected since there are fewer in-sync replicas than required.",
    ),
    (
        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        "NotEnoughReplicasAfterAppend",
        "Messages are written to the log, but to fewer in-sync replicas than required.",
    ),
    (
        ErrorCode::ILLEGAL_GENERATION,
        "IllegalGeneration",
        "Specified group generation id is not valid.",
    ),
    (
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        "InconsistentGroupProtocol",
        "The group member's supported protocols are incompatible with those of existing members or first group member tried to join with empty protocol type or empty protocol list.",
    ),
    (
        ErrorCode::INVALID_GROUP_ID,
        "InvalidGroupId",
        "The group id is invalid.",
    ),
    (
        ErrorCode::UNKNOWN_MEMBER_ID,
        "UnknownMemberId",
        "The coordinator is not aware of this member.",
    ),
    (
        ErrorCode::INVALID_SESSION_TIMEOUT,
        "InvalidSessionTimeout",
        "The session timeout is not within the range allowed by the broker (as configured by group.min.session.timeout.ms and group.max.session.timeout.ms).",
    ),
    (
        ErrorCode::REBALANCE_IN_PROGRESS,
        "RebalanceInProgress",
        "The group is rebalancing, so a rejoin is needed.",
    ),
    (
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        "TopicAuthorization",
        "Topic authorization failed.",
    ),
    (
        ErrorCode::GROUP_AUTHORIZATION_FAILED,
        "GroupAuthorization",
        "Group authorization failed.",
    ),
    (
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        "ClusterAuthorization",
        "Cluster authorization failed.",
    ),
    (
        ErrorCode::INVALID_TIMESTAMP,
        "InvalidTimestamp",
        "The timestamp of the message is out of acceptable range.",
    ),
    (
        ErrorCode::UNSUPPORTED_VERSION,
        "UnsupportedVersion",
        "The version of API is not supported.",
    ),
    (
        ErrorCode::TOPIC_ALREADY_EXISTS,
        "TopicExists",
        "Topic with this name already exists.",
    ),
    (
        ErrorCode::INVALID_PARTITIONS,
        "InvalidPartitions",
        "Number of partitions is below 1.",
    ),
    (
        ErrorCode::INVALID_REPLICATION_FACTOR,
        "InvalidReplicationFactor",
        "Replication factor is below 1 or larger than the number of available brokers.",
    ),
    (
        ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        "InvalidReplicaAssignment",
        "Replica assignment is invalid.",
    ),
    (
        ErrorCode::INVALID_CONFIG,
        "InvalidConfiguration",
        "Configuration is invalid.",
    ),
    (
        ErrorCode::NOT_CONTROLLER,
        "NotController",
        "This is not the correct controller for this cluster.",
    ),
    (
        ErrorCode::INVALID_REQUEST,
        "InvalidRequest",
        "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.",
    ),
    (
        ErrorCode::POLICY_VIOLATION,
        "PolicyViolation",
        "Request parameters do not satisfy the configured policy.",
    ),
    (
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        "OutOfOrderSequence",
        "The broker received an out of order sequence number.",
    ),
    (
        ErrorCode::INVALID_PRODUCER_EPOCH,
        "InvalidProducerEpoch",
        "Producer attempted to produce with an old epoch.",
    ),
    (
        ErrorCode::KAFKA_STORAGE_ERROR,
        "KafkaStorage",
        "Disk error when trying to access log file on the disk.",
    ),
    (
        ErrorCode::UNKNOWN_PRODUCER_ID,
        "UnknownProducerId",
        "This exception is raised by the broker if it could not locate the producer metadata associated with the producerId in question.",
    ),
    (
        ErrorCode::NON_EMPTY_GROUP,
        "GroupNotEmpty",
        "The group is not empty.",
    ),
    (
        ErrorCode::GROUP_ID_NOT_FOUND,
        "GroupIdNotFound",
        "The group id does not exist.",
    ),
    (
        ErrorCode::TOPIC_DELETION_DISABLED,
        "TopicDeletionDisabled",
        "Topic deletion is disabled.",
    ),
    (
        ErrorCode::FENCED_INSTANCE_ID,
        "FencedInstanceId",
        "The broker rejected this static consumer since another consumer with the same group.instance.id has registered with a different member.id.",
    ),
    (
        ErrorCode::GROUP_MAX_SIZE_REACHED,
        "GroupMaxSizeReached",
        "The consumer group has reached its max size.",
    ),
    (
        ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        "GroupSubscribedToTopic",
        "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.",
    ),
    (
        ErrorCode::INVALID_RECORD,
        "InvalidRecord",
        "This record has failed the validation on the broker and hence will be rejected.",
    ),
    (
        ErrorCode::UNSTABLE_OFFSET_COMMIT,
        "UnstableOffsetCommit",
        "There are unstable offsets that need to be cleared.",
    ),
    (
        ErrorCode::UNKNOWN_TOPIC_ID,
        "UnknownTopicId",
        "This server does not host this topic ID.",
    ),
    (
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        "UnsupportedCompressionType",
        "The requesting client does not support the compression type of given partition.",
    ),
    (
        ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE,
        "PreferredLeaderNotAvailable",
        "The preferred leader was not available.",
    ),
    (
        ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE,
        "EligibleLeadersNotAvailable",
        "Eligible topic partition leaders are not available.",
    ),
    (
        ErrorCode::ELECTION_NOT_NEEDED,
        "ElectionNotNeeded",
        "Leader election not needed for topic partition.",
    ),
    (
        ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
        "NoReassignmentInProgress",
        "No partition reassignment is in progress.",
    ),
    (
        ErrorCode::INVALID_UPDATE_VERSION,
        "InvalidUpdateVersion",
        "The given update version was invalid.",
    ),
    (
        ErrorCode::FEATURE_UPDATE_FAILED,
        "FeatureUpdateFailed",
        "Unable to update finalized features due to an unexpected server error.",
    ),
    (
        ErrorCode::BROKER_ID_NOT_REGISTERED,
        "BrokerIdNotRegistered",
        "The given broker ID was not registered.",
    ),
    (
        ErrorCode::MISMATCHED_ENDPOINT_TYPE,
        "MismatchedEndpointType",
        "The request was sent to an endpoint of the wrong type.",
    ),
    (
        ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
        "UnsupportedEndpointType",
        "This endpoint type is not supported yet.",
    ),
    (
        ErrorCode::DUPLICATE_VOTER,
        "DuplicateVoter",
        "The voter is already part of the set of voters.",
    ),
    (
        ErrorCode::VOTER_NOT_FOUND,
        "VoterNotFound",
        "The voter is not part of the set of voters.",
    ),
];

/// Kafka's default message for a code.
#[must_use]
pub fn message(code: ErrorCode) -> &'static str {
    let found = TABLE.iter().find(|(listed, ..)| *listed == code);
    found.map_or(
        "The server experienced an unexpected error when processing the request.",
        |row| row.2,
    )
}

/// The Java exception for a code, by its full name.
#[must_use]
pub fn exception(code: ErrorCode) -> String {
    let found = TABLE.iter().find(|(listed, ..)| *listed == code);
    let name = found.map_or("UnknownServer", |row| row.1);
    format!("org.apache.kafka.common.errors.{name}Exception")
}
