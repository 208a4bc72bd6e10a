//! LeaveGroup (key 13, versions 0–5): members leave at once instead of when their sessions end.
//!
//! One member up to v2, a list from v3 (an administrator may name static members only, KIP-345).

use super::{code_of, optional_text, text};
use crate::broker::{Broker, Cx, Handled};
use alloc::vec::Vec;
use group::Leaver;
use ids::ErrorCode;
use wire::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use wire::leave_group_response::{LeaveGroupResponse, MemberResponse};

pub(crate) fn handle(broker: &mut Broker, cx: &mut Cx<'_>, request: &LeaveGroupRequest) -> Handled {
    let mut response = LeaveGroupResponse::default();
    match leave(broker, cx, request) {
        Err(code) => response.error_code = code.0,
        Ok(codes) if cx.caller.version < 3 => {
            response.error_code = codes.first().map_or(0, |code| code.0);
        }
        Ok(codes) => {
            let members = request.members.iter().zip(codes);
            response.members = members
                .map(|(member, code)| MemberResponse {
                    member_id: member.member_id.clone(),
                    group_instance_id: member.group_instance_id.clone(),
                    error_code: code.0,
                    ..MemberResponse::default()
                })
                .collect();
        }
    }
    cx.reply(&response)
}

fn leave(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &LeaveGroupRequest,
) -> Result<Vec<ErrorCode>, ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    broker.coordinate(cx.now, &request.group_id, cx.out)?;
    let leavers: Vec<Leaver> = if cx.caller.version < 3 {
        Vec::from([Leaver {
            member_id: text(&request.member_id),
            instance_id: None,
        }])
    } else {
        let leaver = |member: &MemberIdentity| Leaver {
            member_id: text(&member.member_id),
            instance_id: optional_text(&member.group_instance_id),
        };
        request.members.iter().map(leaver).collect()
    };
    let answers = broker.with_group(cx.now, &request.group_id, cx.out, |group, _, outputs| {
        group.leave(cx.now, &leavers, outputs)
    });
    let Some(answers) = answers else {
        return Ok(leavers
            .iter()
            .map(|_| ErrorCode::UNKNOWN_MEMBER_ID)
            .collect());
    };
    let code = |answer| match answer {
        Ok(()) => ErrorCode::NONE,
        Err(why) => code_of(&why),
    };
    Ok(answers.into_iter().map(code).collect())
}
