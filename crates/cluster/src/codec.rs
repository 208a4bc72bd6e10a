//! Frames to messages and back: what the quorum's part and other nodes say in each other's words.

use bytes::Bytes;
use ids::{ErrorCode, NodeId, Time};
use raft::{Raft, Request, Response, SendId};
use wire::add_raft_voter_request::AddRaftVoterRequest;
use wire::api_versions_response::{ApiVersion, ApiVersionsResponse};
use wire::begin_quorum_epoch_request::BeginQuorumEpochRequest;
use wire::controller_registration_request::ControllerRegistrationRequest;
use wire::default_principal_data::DefaultPrincipalData;
use wire::describe_quorum_request::DescribeQuorumRequest;
use wire::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node as QuorumNode, PartitionData, TopicData,
};
use wire::end_quorum_epoch_request::EndQuorumEpochRequest;
use wire::envelope_request::EnvelopeRequest;
use wire::envelope_response::EnvelopeResponse;
use wire::fetch_request::FetchRequest;
use wire::fetch_snapshot_request::FetchSnapshotRequest;
use wire::remove_raft_voter_request::RemoveRaftVoterRequest;
use wire::update_raft_voter_request::UpdateRaftVoterRequest;
use wire::vote_request::VoteRequest;
use wire::{Message, Reader, RequestFrame, RequestHeader, Str, Writer};

/// What a request on the controller's listener is about.
pub(crate) enum Asked {
    Quorum {
        version: i16,
        request: Request,
    },
    Describe {
        header: RequestHeader,
        request: DescribeQuorumRequest,
    },
    Versions {
        header: RequestHeader,
    },
    /// The controller will say.
    Controller(Bytes),
    /// Nobody here knows it.
    Nothing,
}

/// The APIs of the controller's listener, with the versions that are answered.
const SPOKEN: &[(i16, i16, i16)] = &[
    (1, FetchRequest::MIN_VERSION, FetchRequest::MAX_VERSION),
    (18, 0, 4),
    (19, 2, 7),
    (20, 1, 6),
    (33, 0, 2),
    (37, 0, 3),
    (43, 0, 2),
    (44, 0, 1),
    (45, 0, 1),
    (46, 0, 0),
    (52, VoteRequest::MIN_VERSION, VoteRequest::MAX_VERSION),
    (53, 0, BeginQuorumEpochRequest::MAX_VERSION),
    (54, 0, EndQuorumEpochRequest::MAX_VERSION),
    (55, 0, DescribeQuorumRequest::MAX_VERSION),
    (56, 2, 3),
    (57, 0, 2),
    (58, 0, 0),
    (59, 0, FetchSnapshotRequest::MAX_VERSION),
    (62, 0, 4),
    (63, 0, 1),
    (64, 0, 0),
    (67, 0, 0),
    (70, 0, 0),
    (73, 0, 0),
    (80, 0, AddRaftVoterRequest::MAX_VERSION),
    (81, 0, RemoveRaftVoterRequest::MAX_VERSION),
    (82, 0, UpdateRaftVoterRequest::MAX_VERSION),
];

/// The API that a frame is of; -1 for one that is too short.
pub(crate) fn api_key(frame: &Bytes) -> i16 {
    frame
        .first_chunk()
        .map_or(-1, |key| i16::from_be_bytes(*key))
}

/// What a frame asks for.
pub(crate) fn asked(frame: Bytes) -> Asked {
    let Ok(RequestFrame { header, body }) = RequestFrame::decode(frame.clone()) else {
        return Asked::Nothing;
    };
    let (key, version) = (header.api_key, header.api_version);
    let row = SPOKEN.iter().find(|(spoken, _, _)| *spoken == key);
    if row.is_none_or(|(_, least, most)| !(*least..=*most).contains(&version)) {
        return match key {
            18 => Asked::Versions { header },
            _ => Asked::Nothing,
        };
    }
    macro_rules! quorum {
        ($variant:ident) => {
            decode(body, version).map(Request::$variant)
        };
    }
    let request = match key {
        1 => quorum!(Fetch),
        52 => quorum!(Vote),
        53 => quorum!(BeginQuorumEpoch),
        54 => quorum!(EndQuorumEpoch),
        59 => quorum!(FetchSnapshot),
        80 => quorum!(AddRaftVoter),
        81 => quorum!(RemoveRaftVoter),
        82 => quorum!(UpdateRaftVoter),
        18 => return Asked::Versions { header },
        55 => {
            return match decode(body, version) {
                Some(request) => Asked::Describe { header, request },
                None => Asked::Nothing,
            };
        }
        _ => return Asked::Controller(frame),
    };
    match request {
        Some(request) => Asked::Quorum { version, request },
        None => Asked::Nothing,
    }
}

fn decode<M: Message>(mut body: Reader, version: i16) -> Option<M> {
    M::decode(&mut body, version).ok()
}

/// A request of the quorum's as a frame, and its API.
pub(crate) fn request(
    from: NodeId,
    id: SendId,
    version: i16,
    request: &Request,
) -> Option<(i16, Bytes)> {
    fn frame<M: Message>(
        from: NodeId,
        id: SendId,
        version: i16,
        message: &M,
    ) -> Option<(i16, Bytes)> {
        let header = RequestHeader {
            api_key: M::API_KEY,
            api_version: version,
            correlation_id: correlation(id.0),
            client_id: Some(Str::from(alloc::format!("raft-client-{from}"))),
        };
        let frame = wire::encode_request(&header, message).ok()?;
        Some((M::API_KEY, frame))
    }
    match request {
        Request::Vote(of) => frame(from, id, version, of),
        Request::BeginQuorumEpoch(of) => frame(from, id, version, of),
        Request::EndQuorumEpoch(of) => frame(from, id, version, of),
        Request::Fetch(of) => frame(from, id, version, of),
        Request::FetchSnapshot(of) => frame(from, id, version, of),
        Request::AddRaftVoter(of) => frame(from, id, version, of),
        Request::RemoveRaftVoter(of) => frame(from, id, version, of),
        Request::UpdateRaftVoter(of) => frame(from, id, version, of),
    }
}

fn correlation(number: u64) -> i32 {
    i32::try_from(number & 0x7fff_ffff).unwrap_or(0)
}

/// A response to a request of the quorum's; `None` for bytes that are none.
pub(crate) fn response(key: i16, version: i16, frame: Bytes) -> Option<Response> {
    macro_rules! decoded {
        ($variant:ident) => {{
            let decoded = wire::decode_response(frame, version).ok()?;
            Response::$variant(decoded.1)
        }};
    }
    Some(match key {
        1 => decoded!(Fetch),
        52 => decoded!(Vote),
        53 => decoded!(BeginQuorumEpoch),
        54 => decoded!(EndQuorumEpoch),
        59 => decoded!(FetchSnapshot),
        80 => decoded!(AddRaftVoter),
        81 => decoded!(RemoveRaftVoter),
        82 => decoded!(UpdateRaftVoter),
        _ => return None,
    })
}

/// The quorum's answer as a frame.
pub(crate) fn answer(header: &RequestHeader, response: &Response) -> Result<Bytes, ErrorCode> {
    match response {
        Response::Vote(of) => encode(header, of),
        Response::BeginQuorumEpoch(of) => encode(header, of),
        Response::EndQuorumEpoch(of) => encode(header, of),
        Response::Fetch(of) => encode(header, of),
        Response::FetchSnapshot(of) => encode(header, of),
        Response::AddRaftVoter(of) => encode(header, of),
        Response::RemoveRaftVoter(of) => encode(header, of),
        Response::UpdateRaftVoter(of) => encode(header, of),
    }
}

fn encode<M: Message>(header: &RequestHeader, message: &M) -> Result<Bytes, ErrorCode> {
    let (key, version) = (header.api_key, header.api_version);
    let encoded = wire::encode_response(header.correlation_id, key, version, message);
    match encoded {
        Ok(encoded) => Ok(encoded.bytes),
        Err(_) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

/// Which APIs the controller's listener speaks; in version 0, with an error, for who asks in one that is not known.
pub(crate) fn versions(header: &RequestHeader) -> Result<Bytes, ErrorCode> {
    let row = |(api_key, min_version, max_version): &(i16, i16, i16)| ApiVersion {
        api_key: *api_key,
        min_version: *min_version,
        max_version: *max_version,
        ..ApiVersion::default()
    };
    let known = (0..=4).contains(&header.api_version);
    let rows = SPOKEN.iter().filter(|(key, _, _)| known || *key == 18);
    let response = ApiVersionsResponse {
        error_code: match known {
            true => 0,
            false => ErrorCode::UNSUPPORTED_VERSION.0,
        },
        api_keys: rows.map(row).collect(),
        finalized_features_epoch: -1,
        ..ApiVersionsResponse::default()
    };
    let version = if known { header.api_version } else { 0 };
    let header = RequestHeader {
        api_version: version,
        ..header.clone()
    };
    encode(&header, &response)
}

/// DescribeQuorum (key 55, versions 0–2), which only who leads answers in full.
pub(crate) fn describe(
    raft: &Raft,
    now: Time,
    header: &RequestHeader,
    request: &DescribeQuorumRequest,
) -> Result<Bytes, ErrorCode> {
    let partition = |topic: &Str, index: i32| {
        let known = &**topic == "__cluster_metadata" && index == 0;
        let mut part = match known {
            true => raft.describe_partition(now),
            false => PartitionData {
                error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0,
                ..PartitionData::default()
            },
        };
        part.partition_index = index;
        part.error_message = None;
        part
    };
    let topics = request.topics.iter().map(|topic| TopicData {
        topic_name: topic.topic_name.clone(),
        partitions: (topic.partitions.iter())
            .map(|asked| partition(&topic.topic_name, asked.partition_index))
            .collect(),
        ..TopicData::default()
    });
    let voters = raft.voters().iter().filter(|_| raft.is_leader());
    let nodes = voters.map(|voter| QuorumNode {
        node_id: voter.key.id.0,
        listeners: (voter.endpoints.iter())
            .map(|endpoint| Listener {
                name: endpoint.listener.clone(),
                host: endpoint.host.clone(),
                port: endpoint.port,
                ..Listener::default()
            })
            .collect(),
        ..QuorumNode::default()
    });
    let response = DescribeQuorumResponse {
        topics: topics.collect(),
        nodes: nodes.filter(|_| header.api_version >= 2).collect(),
        error_message: None,
        ..DescribeQuorumResponse::default()
    };
    encode(header, &response)
}

/// ControllerRegistration (key 70, version 0) as a frame.
pub(crate) fn registration(message: &ControllerRegistrationRequest) -> Bytes {
    let header = RequestHeader {
        api_key: ControllerRegistrationRequest::API_KEY,
        api_version: 0,
        correlation_id: 0,
        client_id: Some(Str::from_static("controller")),
    };
    wire::encode_request(&header, message).unwrap_or_default()
}

/// A client's frame in an envelope (KIP-590), as from a client without a name.
pub(crate) fn envelope(frame: &Bytes) -> Bytes {
    let principal = DefaultPrincipalData {
        r#type: Str::from_static("User"),
        name: Str::from_static("ANONYMOUS"),
        ..DefaultPrincipalData::default()
    };
    let mut writer = Writer::new();
    writer.i16(0);
    let written = principal.encode(&mut writer, 0);
    debug_assert!(written.is_ok(), "a principal fits its version");
    let message = EnvelopeRequest {
        request_data: frame.clone(),
        request_principal: Some(Bytes::copy_from_slice(writer.as_slice())),
        client_host_address: Bytes::from_static(&[127, 0, 0, 1]),
        ..EnvelopeRequest::default()
    };
    let header = RequestHeader {
        api_key: EnvelopeRequest::API_KEY,
        api_version: 0,
        correlation_id: 0,
        client_id: Some(Str::from_static("forwarding")),
    };
    wire::encode_request(&header, &message).unwrap_or_default()
}

/// What lies in an envelope.
pub(crate) fn opened(frame: Bytes) -> Option<(RequestHeader, Bytes)> {
    let RequestFrame { header, body } = RequestFrame::decode(frame).ok()?;
    let message: EnvelopeRequest = decode(body, header.api_version)?;
    let (header, _) = wire::decode_request_header(message.request_data.clone()).ok()?;
    (header.api_key != EnvelopeRequest::API_KEY).then_some((header, message.request_data))
}

/// An answer in its envelope.
pub(crate) fn wrapped(envelope: &RequestHeader, answer: Result<Bytes, ErrorCode>) -> Option<Bytes> {
    let message = match answer {
        Ok(frame) => EnvelopeResponse {
            response_data: Some(frame),
            ..EnvelopeResponse::default()
        },
        Err(code) => EnvelopeResponse {
            response_data: None,
            error_code: code.0,
            ..EnvelopeResponse::default()
        },
    };
    encode(envelope, &message).ok()
}

/// What lies in the envelope of an answer.
pub(crate) fn unwrapped(frame: Bytes) -> Result<Bytes, ErrorCode> {
    let answer = wire::decode_response::<EnvelopeResponse>(frame, 0);
    match answer.map(|(_, message)| (message.error_code, message.response_data)) {
        Ok((0, Some(frame))) => Ok(frame),
        Ok((code, _)) if code != 0 => Err(ErrorCode(code)),
        _ => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

/// An answer to a broker's own request, unless it says that who was asked is no controller. They all begin alike:
/// correlation id, no tags, throttle time, and then the code.
pub(crate) fn of_controller(frame: Bytes) -> Result<Bytes, ErrorCode> {
    let code = frame.get(9..11) == Some(&ErrorCode::NOT_CONTROLLER.0.to_be_bytes());
    match code {
        true => Err(ErrorCode::NOT_CONTROLLER),
        false => Ok(frame),
    }
}

/// Why a broker's own request has no other answer; `None` where there is no room for it.
pub(crate) fn refusal(header: &RequestHeader, code: ErrorCode) -> Option<Bytes> {
    macro_rules! refused {
        ($module:ident, $response:ident) => {
            encode(
                header,
                &wire::$module::$response {
                    error_code: code.0,
                    ..wire::$module::$response::default()
                },
            )
        };
    }
    let frame = match header.api_key {
        56 => refused!(alter_partition_response, AlterPartitionResponse),
        62 => refused!(broker_registration_response, BrokerRegistrationResponse),
        63 => refused!(broker_heartbeat_response, BrokerHeartbeatResponse),
        64 => refused!(unregister_broker_response, UnregisterBrokerResponse),
        67 => refused!(allocate_producer_ids_response, AllocateProducerIdsResponse),
        70 => refused!(
            controller_registration_response,
            ControllerRegistrationResponse
        ),
        73 => refused!(
            assign_replicas_to_dirs_response,
            AssignReplicasToDirsResponse
        ),
        _ => return None,
    };
    frame.ok()
}
