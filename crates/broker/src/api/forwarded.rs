//! What the controller decides: CreateTopics (key 19, versions 2–7), DeleteTopics (20, 1–6), AlterConfigs
//! (33, 0–2), CreatePartitions (37, 0–3), ElectLeaders (43, 0–2), IncrementalAlterConfigs (44, 0–1),
//! AlterPartitionReassignments (45, 0–1), ListPartitionReassignments (46, 0), DescribeQuorum (55, 0–2),
//! UpdateFeatures (57, 0–2) and UnregisterBroker (64, 0).
//!
//! Whoever is asked passes the frame on as it came (KIP-590); a body that is none closes the connection
//! before that. Without an answer of the controller each thing that the request names is answered with why:
//! 7 when there was none in time, 56 when it could not be stored, 44 when it would be too much.

use crate::broker::{Broker, Cx, Handled, encode};
use crate::event::{Closing, Reply};
use crate::waiting::Caller;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::ErrorCode;
use wire::alter_configs_request::AlterConfigsRequest;
use wire::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};
use wire::alter_partition_reassignments_request::AlterPartitionReassignmentsRequest;
use wire::alter_partition_reassignments_response::AlterPartitionReassignmentsResponse;
use wire::create_partitions_request::CreatePartitionsRequest;
use wire::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};
use wire::create_topics_request::CreateTopicsRequest;
use wire::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use wire::delete_topics_request::DeleteTopicsRequest;
use wire::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use wire::describe_quorum_request::DescribeQuorumRequest;
use wire::describe_quorum_response::DescribeQuorumResponse;
use wire::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use wire::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};
use wire::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
use wire::incremental_alter_configs_response::{
    AlterConfigsResourceResponse as IncrementalResult, IncrementalAlterConfigsResponse,
};
use wire::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use wire::list_partition_reassignments_response::ListPartitionReassignmentsResponse;
use wire::unregister_broker_request::UnregisterBrokerRequest;
use wire::unregister_broker_response::UnregisterBrokerResponse;
use wire::update_features_request::UpdateFeaturesRequest;
use wire::update_features_response::UpdateFeaturesResponse;
use wire::{Message, Reader, RequestFrame, Str};

/// Kafka's sentence for a request that makes too many records.
const EXCESSIVE: &str = "Unable to perform excessively large batch operation.";

pub(crate) fn handle(broker: &mut Broker, cx: &mut Cx<'_>, mut body: Reader) -> Handled {
    let frame = body.clone().into_inner();
    let version = cx.caller.version;
    let read = match cx.caller.api_key {
        19 => CreateTopicsRequest::decode(&mut body, version).map(drop),
        20 => DeleteTopicsRequest::decode(&mut body, version).map(drop),
        33 => AlterConfigsRequest::decode(&mut body, version).map(drop),
        37 => CreatePartitionsRequest::decode(&mut body, version).map(drop),
        43 => ElectLeadersRequest::decode(&mut body, version).map(drop),
        45 => AlterPartitionReassignmentsRequest::decode(&mut body, version).map(drop),
        46 => ListPartitionReassignmentsRequest::decode(&mut body, version).map(drop),
        55 => DescribeQuorumRequest::decode(&mut body, version).map(drop),
        57 => UpdateFeaturesRequest::decode(&mut body, version).map(drop),
        64 => UnregisterBrokerRequest::decode(&mut body, version).map(drop),
        _ => IncrementalAlterConfigsRequest::decode(&mut body, version).map(drop),
    };
    match read {
        Ok(()) => broker.forward(cx, frame),
        Err(_) => Handled::Close(Closing::Malformed),
    }
}

/// The answer that says everywhere why there is none; `None` if the frame is no request of this kind.
pub(crate) fn refusal(caller: &Caller, frame: &Bytes, code: ErrorCode) -> Option<Reply> {
    let mut body = RequestFrame::decode(frame.clone()).ok()?.body;
    let version = caller.version;
    let why = Why {
        code: code.0,
        message: (code == ErrorCode::POLICY_VIOLATION).then_some(Str::from_static(EXCESSIVE)),
    };
    macro_rules! refuse {
        ($request:ident) => {{
            let request = $request::decode(&mut body, version).ok()?;
            encode(caller, &why.about(version, &request), &[])
        }};
    }
    // These have one code for all that was asked.
    macro_rules! refuse_whole {
        ($response:ident) => {{
            let message = why
                .message
                .clone()
                .filter(|_| caller.api_key != 55 || version >= 2);
            let answer = $response {
                error_code: why.code,
                error_message: message,
                ..$response::default()
            };
            encode(caller, &answer, &[])
        }};
    }
    Some(match caller.api_key {
        19 => refuse!(CreateTopicsRequest),
        20 => refuse!(DeleteTopicsRequest),
        33 => refuse!(AlterConfigsRequest),
        37 => refuse!(CreatePartitionsRequest),
        43 => refuse!(ElectLeadersRequest),
        44 => refuse!(IncrementalAlterConfigsRequest),
        45 => refuse_whole!(AlterPartitionReassignmentsResponse),
        46 => refuse_whole!(ListPartitionReassignmentsResponse),
        55 => refuse_whole!(DescribeQuorumResponse),
        57 => refuse_whole!(UpdateFeaturesResponse),
        64 => refuse_whole!(UnregisterBrokerResponse),
        _ => return None,
    })
}

/// Why there is no answer.
struct Why {
    code: i16,
    message: Option<Str>,
}

/// Says it in the words of an API.
trait About<Q, A> {
    fn about(&self, version: i16, request: &Q) -> A;
}

impl About<CreateTopicsRequest, CreateTopicsResponse> for Why {
    fn about(&self, _version: i16, request: &CreateTopicsRequest) -> CreateTopicsResponse {
        let topics = request.topics.iter().map(|topic| CreatableTopicResult {
            name: topic.name.clone(),
            error_code: self.code,
            error_message: self.message.clone(),
            num_partitions: -1,
            replication_factor: -1,
            configs: Some(Vec::new()),
            ..CreatableTopicResult::default()
        });
        CreateTopicsResponse {
            topics: topics.collect(),
            ..CreateTopicsResponse::default()
        }
    }
}

impl About<DeleteTopicsRequest, DeleteTopicsResponse> for Why {
    fn about(&self, _version: i16, request: &DeleteTopicsRequest) -> DeleteTopicsResponse {
        let names = (request.topic_names.iter()).map(|name| (Some(name.clone()), ids::Uuid::ZERO));
        let named = (request.topics.iter()).map(|topic| (topic.name.clone(), topic.topic_id));
        let responses = names
            .chain(named)
            .map(|(name, topic_id)| DeletableTopicResult {
                name,
                topic_id,
                error_code: self.code,
                error_message: self.message.clone(),
                ..DeletableTopicResult::default()
            });
        DeleteTopicsResponse {
            responses: responses.collect(),
            ..DeleteTopicsResponse::default()
        }
    }
}

impl About<AlterConfigsRequest, AlterConfigsResponse> for Why {
    fn about(&self, _version: i16, request: &AlterConfigsRequest) -> AlterConfigsResponse {
        let resources = request.resources.iter();
        let responses = resources.map(|resource| AlterConfigsResourceResponse {
            error_code: self.code,
            error_message: self.message.clone(),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..AlterConfigsResourceResponse::default()
        });
        AlterConfigsResponse {
            responses: responses.collect(),
            ..AlterConfigsResponse::default()
        }
    }
}

impl About<CreatePartitionsRequest, CreatePartitionsResponse> for Why {
    fn about(&self, _version: i16, request: &CreatePartitionsRequest) -> CreatePartitionsResponse {
        let topics = request.topics.iter();
        let results = topics.map(|topic| CreatePartitionsTopicResult {
            name: topic.name.clone(),
            error_code: self.code,
            error_message: self.message.clone(),
            ..CreatePartitionsTopicResult::default()
        });
        CreatePartitionsResponse {
            results: results.collect(),
            ..CreatePartitionsResponse::default()
        }
    }
}

impl About<ElectLeadersRequest, ElectLeadersResponse> for Why {
    fn about(&self, version: i16, request: &ElectLeadersRequest) -> ElectLeadersResponse {
        let row = |partition_id: &i32| PartitionResult {
            partition_id: *partition_id,
            error_code: self.code,
            error_message: self.message.clone(),
            ..PartitionResult::default()
        };
        let topic = |topic: &TopicPartitions| ReplicaElectionResult {
            topic: topic.topic.clone(),
            partition_result: topic.partitions.iter().map(row).collect(),
            ..ReplicaElectionResult::default()
        };
        let named = request.topic_partitions.iter().flatten();
        ElectLeadersResponse {
            error_code: if version >= 1 { self.code } else { 0 },
            replica_election_results: named.map(topic).collect(),
            ..ElectLeadersResponse::default()
        }
    }
}

impl About<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> for Why {
    fn about(
        &self,
        _version: i16,
        request: &IncrementalAlterConfigsRequest,
    ) -> IncrementalAlterConfigsResponse {
        let resources = request.resources.iter();
        let responses = resources.map(|resource| IncrementalResult {
            error_code: self.code,
            error_message: self.message.clone(),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..IncrementalResult::default()
        });
        IncrementalAlterConfigsResponse {
            responses: responses.collect(),
            ..IncrementalAlterConfigsResponse::default()
        }
    }
}
