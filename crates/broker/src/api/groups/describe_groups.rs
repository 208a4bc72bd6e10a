//! DescribeGroups (key 15, versions 0–6): state, protocol, members and their assignments.
//!
//! A group that does not exist is described as dead; only v6 says that it is unknown (69, KIP-1043).
//! Without an authorizer every operation is allowed (v3).

use super::{NO_OPERATIONS, optional_str};
use crate::broker::{Broker, Cx, Handled};
use alloc::format;
use group::{Group, MemberDescription};
use ids::ErrorCode;
use sorted::SortedSet;
use wire::Str;
use wire::describe_groups_request::DescribeGroupsRequest;
use wire::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

/// Read, delete, describe, describe and alter configs: one bit each (KIP-430).
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &DescribeGroupsRequest,
) -> Handled {
    let mut response = DescribeGroupsResponse::default();
    // What is named twice is described once: a group may have a thousand members.
    let mut seen: SortedSet<&Str> = SortedSet::new();
    for id in request.groups.iter().filter(|id| seen.insert(*id)) {
        let mut row = match broker.coordinate(cx.now, id, cx.out) {
            Err(code) => DescribedGroup {
                error_code: code.0,
                ..DescribedGroup::default()
            },
            Ok(_) => match broker.coordinator.group(id) {
                Some(group) => describe(group),
                None => dead(cx.caller.version, id),
            },
        };
        row.group_id = id.clone();
        row.authorized_operations = match request.include_authorized_operations {
            true if row.error_code == 0 => ALL_OPERATIONS,
            _ => NO_OPERATIONS,
        };
        response.groups.push(row);
    }
    cx.reply(&response)
}

fn dead(version: i16, id: &str) -> DescribedGroup {
    let group_state = Str::from_static("Dead");
    if version < 6 {
        return DescribedGroup {
            group_state,
            ..DescribedGroup::default()
        };
    }
    DescribedGroup {
        group_state,
        error_code: ErrorCode::GROUP_ID_NOT_FOUND.0,
        error_message: Some(Str::from(format!("Group {id} not found."))),
        ..DescribedGroup::default()
    }
}

fn describe(group: &Group) -> DescribedGroup {
    let found = group.describe();
    let member = |member: MemberDescription| DescribedGroupMember {
        member_id: Str::from(&*member.member_id),
        group_instance_id: optional_str(&member.instance_id),
        client_id: Str::from(&*member.client_id),
        client_host: Str::from(&*member.client_host),
        member_metadata: member.metadata,
        member_assignment: member.assignment,
        ..DescribedGroupMember::default()
    };
    DescribedGroup {
        group_state: Str::from_static(found.state.name()),
        protocol_type: Str::from(&*found.protocol_type),
        protocol_data: Str::from(&*found.protocol),
        members: found.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}
