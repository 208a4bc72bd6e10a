//! ConsumerGroupDescribe (key 69, versions 0–1): describes groups of KIP-848, of which there are none.
//!
//! Kafka's tools ask it first; told that a group is classic or unknown (69), they ask `DescribeGroups`.

use super::NO_OPERATIONS;
use crate::broker::{Broker, Cx, Handled};
use alloc::format;
use ids::ErrorCode;
use wire::Str;
use wire::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use wire::consumer_group_describe_response::{ConsumerGroupDescribeResponse, DescribedGroup};

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &ConsumerGroupDescribeRequest,
) -> Handled {
    let mut response = ConsumerGroupDescribeResponse::default();
    response.groups.reserve(request.group_ids.len());
    for id in &request.group_ids {
        let (code, message) = refuse(broker, cx, id);
        response.groups.push(DescribedGroup {
            error_code: code.0,
            error_message: message,
            group_id: id.clone(),
            authorized_operations: NO_OPERATIONS,
            ..DescribedGroup::default()
        });
    }
    cx.reply(&response)
}

fn refuse(broker: &mut Broker, cx: &mut Cx<'_>, id: &str) -> (ErrorCode, Option<Str>) {
    if id.is_empty() {
        return (ErrorCode::INVALID_GROUP_ID, None);
    }
    if let Err(code) = broker.coordinate(cx.now, id, cx.out) {
        return (code, None);
    }
    let message = match broker.coordinator.group(id) {
        Some(_) => format!("Group {id} is not a consumer group."),
        None => format!("Group {id} not found."),
    };
    (ErrorCode::GROUP_ID_NOT_FOUND, Some(Str::from(message)))
}
