//! JoinGroup (key 11, versions 0–9): become, or stay, a member of the next generation.
//!
//! Parked until the join phase ends. From v4 a new dynamic member first gets its id with 79 (KIP-394);
//! v5 knows static members (KIP-345), v7 tells the kind of group (KIP-559), v9 a leader that may skip the
//! assignment (KIP-814). v0 has one timeout for both. Ours: 44 when the broker has too many groups.

use super::{code_of, optional_str, optional_text, park, text};
use crate::broker::{Broker, Cx, Handled};
use crate::coordinator::PendingGroup;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use group::{JoinAnswer, JoinRequest, JoinedMember, Protocol, Refusal};
use ids::ErrorCode;
use wire::Str;
use wire::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};

pub(crate) fn handle(broker: &mut Broker, cx: &mut Cx<'_>, request: &JoinGroupRequest) -> Handled {
    if let Err(code) = prepare(broker, cx, request) {
        let member_id = request.member_id.clone();
        return cx.reply(&refusal(cx.caller.version, member_id, code));
    }
    let member_id = request.member_id.detached();
    let id = park(broker, cx, None, PendingGroup::Join { member_id });
    let join = join_request(broker, cx, request, id.0);
    let group_id = request.group_id.as_str();
    broker.with_group(cx.now, group_id, cx.out, |group, rng, outputs| {
        group.join(cx.now, &join, rng, outputs);
    });
    broker.drop_blank_group(group_id);
    Handled::Parked(id)
}

/// Sees to it that this broker has the group.
fn prepare(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &JoinGroupRequest,
) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    let partition = broker.coordinate(cx.now, &request.group_id, cx.out)?;
    broker.ensure_group(cx.now, &request.group_id, partition)
}

fn join_request(
    broker: &Broker,
    cx: &Cx<'_>,
    request: &JoinGroupRequest,
    waiter: u64,
) -> JoinRequest {
    let host = broker.connection(cx.caller.conn);
    let host = host.map_or("", |connection| &connection.host);
    let protocol = |protocol: &JoinGroupRequestProtocol| Protocol {
        name: text(&protocol.name),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    };
    let version = cx.caller.version;
    JoinRequest {
        waiter,
        member_id: text(&request.member_id),
        instance_id: optional_text(&request.group_instance_id),
        client_id: optional_text(&cx.client_id).unwrap_or_default(),
        client_host: Arc::from(format!("/{host}")),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: if version == 0 {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        protocol_type: text(&request.protocol_type),
        protocols: request.protocols.iter().map(protocol).collect(),
        require_known_member: version >= 4,
        can_skip_assignment: version >= 9,
    }
}

/// What a parked join is answered; an error tells the member id the client came with.
pub(crate) fn answer(
    version: i16,
    member_id: Str,
    result: Result<JoinAnswer, Refusal>,
) -> JoinGroupResponse {
    let joined = match result {
        Ok(joined) => joined,
        Err(Refusal::MemberIdRequired(given)) => {
            let given = Str::from(&*given);
            return refusal(version, given, ErrorCode::MEMBER_ID_REQUIRED);
        }
        Err(why) => return refusal(version, member_id, code_of(&why)),
    };
    let member = |member: JoinedMember| JoinGroupResponseMember {
        member_id: Str::from(&*member.member_id),
        group_instance_id: optional_str(&member.instance_id),
        metadata: member.metadata,
        ..JoinGroupResponseMember::default()
    };
    JoinGroupResponse {
        generation_id: joined.generation.0,
        protocol_type: optional_str(&joined.protocol_type),
        protocol_name: Some(optional_str(&joined.protocol).unwrap_or_default()),
        leader: Str::from(&*joined.leader),
        skip_assignment: joined.skip_assignment && version >= 9,
        member_id: Str::from(&*joined.member_id),
        members: joined.members.into_iter().map(member).collect::<Vec<_>>(),
        ..JoinGroupResponse::default()
    }
}

fn refusal(version: i16, member_id: Str, code: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: code.0,
        member_id,
        // Null is known from v7 on.
        protocol_name: (version < 7).then_some(Str::EMPTY),
        ..JoinGroupResponse::default()
    }
}
