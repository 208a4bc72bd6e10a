//! SyncGroup (key 14, versions 0–5): the leader hands in the assignment, everybody fetches a share.
//!
//! Parked until the assignment is committed to the log. v3 knows static members; from v5 a client must
//! say which kind of group and protocol it means (KIP-559), else 23.

use super::{code_of, optional_str, optional_text, park, text};
use crate::broker::{Broker, Cx, Handled};
use crate::coordinator::PendingGroup;
use bytes::Bytes;
use group::{Refusal, SyncAnswer, SyncRequest};
use ids::{ErrorCode, Generation};
use wire::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use wire::sync_group_response::SyncGroupResponse;

pub(crate) fn handle(broker: &mut Broker, cx: &mut Cx<'_>, request: &SyncGroupRequest) -> Handled {
    if let Err(code) = check(broker, cx, request) {
        return cx.reply(&refusal(code));
    }
    let id = park(broker, cx, None, PendingGroup::Sync);
    let assignment = |assignment: &SyncGroupRequestAssignment| {
        let bytes = Bytes::copy_from_slice(&assignment.assignment);
        (text(&assignment.member_id), bytes)
    };
    let sync = SyncRequest {
        waiter: id.0,
        member_id: text(&request.member_id),
        instance_id: optional_text(&request.group_instance_id),
        generation: Generation(request.generation_id),
        protocol_type: optional_text(&request.protocol_type),
        protocol: optional_text(&request.protocol_name),
        assignments: request.assignments.iter().map(assignment).collect(),
    };
    broker.with_group(cx.now, &request.group_id, cx.out, |group, _, outputs| {
        group.sync(cx.now, &sync, outputs);
    });
    Handled::Parked(id)
}

fn check(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &SyncGroupRequest,
) -> Result<(), ErrorCode> {
    let says_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if cx.caller.version >= 5 && !says_protocol {
        return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    broker.coordinate(cx.now, &request.group_id, cx.out)?;
    match broker.coordinator.group(&request.group_id) {
        Some(_) => Ok(()),
        None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
    }
}

/// What a parked sync is answered.
pub(crate) fn answer(result: Result<SyncAnswer, Refusal>) -> SyncGroupResponse {
    match result {
        Ok(share) => SyncGroupResponse {
            protocol_type: optional_str(&share.protocol_type),
            protocol_name: optional_str(&share.protocol),
            assignment: share.assignment,
            ..SyncGroupResponse::default()
        },
        Err(why) => refusal(code_of(&why)),
    }
}

fn refusal(code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: code.0,
        ..SyncGroupResponse::default()
    }
}
