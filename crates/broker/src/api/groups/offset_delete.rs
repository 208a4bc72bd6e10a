//! OffsetDelete (key 47, version 0): forget a group's offsets of some partitions (KIP-496).
//!
//! Refused for topics that the group's members subscribe to (86), for groups with members that are no
//! consumers (68) and for partitions that do not exist (3). Answered when the tombstones are committed.

use super::{COMMIT_TIMEOUT_MS, code_of, park};
use crate::broker::{Broker, Cx, Handled};
use crate::coordinator::{PendingGroup, Requester, is_subscribed, subscribed_topics};
use alloc::vec::Vec;
use group::{Group, OffsetChange};
use ids::{ErrorCode, PartitionIndex};
use wire::offset_delete_request::{OffsetDeleteRequest, OffsetDeleteRequestTopic};
use wire::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &OffsetDeleteRequest,
) -> Handled {
    let mut changes = Vec::new();
    let response = match judge(broker, cx, request, &mut changes) {
        Ok(topics) => OffsetDeleteResponse {
            topics,
            ..OffsetDeleteResponse::default()
        },
        Err(code) => OffsetDeleteResponse {
            error_code: code.0,
            ..OffsetDeleteResponse::default()
        },
    };
    if changes.is_empty() {
        return cx.reply(&response);
    }
    let deadline = cx.now.plus_millis(COMMIT_TIMEOUT_MS);
    let pending = PendingGroup::OffsetDelete(response);
    let id = park(broker, cx, Some(deadline), pending);
    let requester = Some(Requester { id, row: 0 });
    broker.write_offsets(cx.now, &request.group_id, changes, requester, cx.out);
    Handled::Parked(id)
}

/// What each partition is answered if all can be stored, and what is to be stored.
fn judge(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &OffsetDeleteRequest,
    changes: &mut Vec<OffsetChange>,
) -> Result<Vec<OffsetDeleteResponseTopic>, ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    broker.coordinate(cx.now, &request.group_id, cx.out)?;
    let group = broker.coordinator.group(&request.group_id);
    let group = group.ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
    let subscribes = group.check_offset_delete().map_err(|why| code_of(&why))?;
    let subscribed = subscribed_topics(group);
    let topic = |topic: &OffsetDeleteRequestTopic| {
        let kept = subscribes && is_subscribed(&subscribed, &topic.name);
        judge_topic(broker, group, topic, kept, changes)
    };
    Ok(request.topics.iter().map(topic).collect())
}

fn judge_topic(
    broker: &Broker,
    group: &Group,
    topic: &OffsetDeleteRequestTopic,
    subscribed: bool,
    changes: &mut Vec<OffsetChange>,
) -> OffsetDeleteResponseTopic {
    let mut answer = OffsetDeleteResponseTopic {
        name: topic.name.detached(),
        ..OffsetDeleteResponseTopic::default()
    };
    let found = broker.image.topic(&topic.name);
    for asked in &topic.partitions {
        let partition = PartitionIndex(asked.partition_index);
        let there = found.filter(|found| found.partitions.contains_key(&partition));
        let code = match there {
            None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Some(_) if subscribed => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
            Some(found) => {
                if group.offsets.fetch(&found.name, partition).is_some() {
                    changes.push(OffsetChange {
                        topic: found.name.clone(),
                        partition,
                        commit: None,
                    });
                }
                ErrorCode::NONE
            }
        };
        answer.partitions.push(OffsetDeleteResponsePartition {
            partition_index: asked.partition_index,
            error_code: code.0,
        });
    }
    answer
}
