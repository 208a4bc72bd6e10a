//! DeleteGroups (key 42, versions 0–2): forget empty groups and their offsets.
//!
//! Each is answered for itself: 68 while it has members, 69 if there is none. Answered when all
//! tombstones are committed to the log.

use super::{COMMIT_TIMEOUT_MS, code_of, park};
use crate::broker::{Broker, Cx, Handled};
use crate::coordinator::{PendingGroup, Requester};
use alloc::vec::Vec;
use ids::ErrorCode;
use sorted::SortedSet;
use wire::Str;
use wire::delete_groups_request::DeleteGroupsRequest;
use wire::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &DeleteGroupsRequest,
) -> Handled {
    let mut response = DeleteGroupsResponse::default();
    let mut rows: Vec<(u32, Str)> = Vec::new();
    let mut seen: SortedSet<Str> = SortedSet::new();
    for (row, id) in (0u32..).zip(&request.groups_names) {
        let result = if !seen.insert(id.clone()) {
            Err(ErrorCode::GROUP_ID_NOT_FOUND)
        } else {
            check(broker, cx, id)
        };
        if result.is_ok() {
            rows.push((row, id.clone()));
        }
        response.results.push(DeletableGroupResult {
            group_id: id.detached(),
            error_code: result.err().unwrap_or(ErrorCode::NONE).0,
            ..DeletableGroupResult::default()
        });
    }
    if rows.is_empty() {
        return cx.reply(&response);
    }
    let open = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let deadline = cx.now.plus_millis(COMMIT_TIMEOUT_MS);
    let pending = PendingGroup::Delete { response, open };
    let id = park(broker, cx, Some(deadline), pending);
    for (row, group_id) in rows {
        let requester = Some(Requester { id, row });
        broker.delete_group(cx.now, &group_id, requester, cx.out);
    }
    Handled::Parked(id)
}

fn check(broker: &mut Broker, cx: &mut Cx<'_>, id: &str) -> Result<(), ErrorCode> {
    broker.coordinate(cx.now, id, cx.out)?;
    let group = broker.coordinator.group(id);
    let group = group.ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
    group.check_delete().map_err(|why| code_of(&why))
}
