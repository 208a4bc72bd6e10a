//! Heartbeat (key 12, versions 0–4): a member is alive, and learns whether it must rejoin (27).
//!
//! While the groups are still being loaded it is answered with 0: nothing is known against the member.

use super::code_of;
use crate::broker::{Broker, Cx, Handled};
use ids::{ErrorCode, Generation};
use wire::heartbeat_request::HeartbeatRequest;
use wire::heartbeat_response::HeartbeatResponse;

pub(crate) fn handle(broker: &mut Broker, cx: &mut Cx<'_>, request: &HeartbeatRequest) -> Handled {
    let code = match beat(broker, cx, request) {
        Ok(()) | Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => ErrorCode::NONE,
        Err(code) => code,
    };
    cx.reply(&HeartbeatResponse {
        error_code: code.0,
        ..HeartbeatResponse::default()
    })
}

fn beat(broker: &mut Broker, cx: &mut Cx<'_>, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    broker.coordinate(cx.now, &request.group_id, cx.out)?;
    let result = broker.with_group(cx.now, &request.group_id, cx.out, |group, _, _| {
        group.heartbeat(
            cx.now,
            &request.member_id,
            request.group_instance_id.as_deref(),
            Generation(request.generation_id),
        )
    });
    result
        .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?
        .map_err(|why| code_of(&why))
}
