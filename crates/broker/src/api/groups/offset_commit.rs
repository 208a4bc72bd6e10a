//! OffsetCommit (key 8, versions 2–10): keep how far a group has read.
//!
//! Answered when the offsets are committed to the log. Partitions that do not exist are refused by
//! themselves (3, by id 100), as is metadata of more UTF-16 units than `offset.metadata.max.bytes` (12); the others stand
//! or fall together. A negative generation makes a group that has no members. v2 to v4 may say how long
//! the offsets are kept; v10 names topics by id.
//!
//! Left out: member epochs of KIP-848.

use super::{COMMIT_TIMEOUT_MS, code_of, park, text};
use crate::broker::{Broker, Cx, Handled};
use crate::coordinator::{PendingGroup, Requester};
use alloc::sync::Arc;
use alloc::vec::Vec;
use group::{Commit, OffsetChange};
use ids::{ErrorCode, Generation, LeaderEpoch, Offset, PartitionIndex, Time};
use metadata::Topic;
use wire::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

/// Gives a partition's row its code; those that are `None` are still to be decided.
type Codes = Vec<Vec<Option<ErrorCode>>>;

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &OffsetCommitRequest,
) -> Handled {
    let mut changes = Vec::new();
    let mut codes: Codes = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        codes.push(read_topic(broker, cx, request, topic, &mut changes));
    }
    let undecided = codes.iter().flatten().any(Option::is_none);
    let result = if undecided {
        check(broker, cx, request)
    } else {
        Ok(())
    };
    let code = result.err().unwrap_or(ErrorCode::NONE);
    let response = respond(request, &codes, code);
    if code != ErrorCode::NONE || changes.is_empty() {
        return cx.reply(&response);
    }
    let deadline = cx.now.plus_millis(COMMIT_TIMEOUT_MS);
    let id = park(broker, cx, Some(deadline), PendingGroup::Commit(response));
    let requester = Some(Requester { id, row: 0 });
    broker.write_offsets(cx.now, &request.group_id, changes, requester, cx.out);
    Handled::Parked(id)
}

/// Judges a topic's partitions and collects the changes; `None` is for those that depend on the group.
fn read_topic(
    broker: &Broker,
    cx: &Cx<'_>,
    request: &OffsetCommitRequest,
    topic: &OffsetCommitRequestTopic,
    changes: &mut Vec<OffsetChange>,
) -> Vec<Option<ErrorCode>> {
    let by_id = cx.caller.version >= 10;
    let (found, unknown) = if by_id {
        let found = broker.image.topic_by_id(topic.topic_id);
        (found, ErrorCode::UNKNOWN_TOPIC_ID)
    } else {
        let found = broker.image.topic(&topic.name);
        (found, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    };
    let Some(found) = found else {
        return topic.partitions.iter().map(|_| Some(unknown)).collect();
    };
    let longest = broker.limits.offset_metadata;
    let mut judge = |asked: &OffsetCommitRequestPartition| {
        let partition = PartitionIndex(asked.partition_index);
        if !found.partitions.contains_key(&partition) {
            return Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
        let metadata = asked.committed_metadata.as_deref().unwrap_or_default();
        if is_longer(metadata, longest) {
            return Some(ErrorCode::OFFSET_METADATA_TOO_LARGE);
        }
        changes.push(change(cx.now, request, found, asked));
        None
    };
    topic.partitions.iter().map(&mut judge).collect()
}

/// Whether a text has more than `most` characters as Java counts them: UTF-16 units, whatever the config's
/// name says of bytes.
fn is_longer(text: &str, most: usize) -> bool {
    // A unit takes at least one byte, so most texts need no counting.
    text.len() > most && text.encode_utf16().nth(most).is_some()
}

fn change(
    now: Time,
    request: &OffsetCommitRequest,
    topic: &Topic,
    asked: &OffsetCommitRequestPartition,
) -> OffsetChange {
    let kept = u64::try_from(request.retention_time_ms).ok();
    OffsetChange {
        topic: topic.name.clone(),
        partition: PartitionIndex(asked.partition_index),
        commit: Some(Commit {
            offset: Offset(asked.committed_offset),
            leader_epoch: LeaderEpoch(asked.committed_leader_epoch),
            metadata: asked
                .committed_metadata
                .as_ref()
                .map_or_else(|| Arc::from(""), text),
            committed_at: now,
            expires_at: kept.map(|millis| now.plus_millis(millis)),
            topic_id: topic.id,
        }),
    }
}

/// Whether the group takes the commit; makes a group without members where there is none.
fn check(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &OffsetCommitRequest,
) -> Result<(), ErrorCode> {
    let group_id = &request.group_id;
    let partition = broker.coordinate(cx.now, group_id, cx.out)?;
    let generation = Generation(request.generation_id_or_member_epoch);
    if broker.coordinator.group(group_id).is_none() {
        if generation.0 >= 0 {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        return broker.ensure_group(cx.now, group_id, partition);
    }
    let instance_id = request.group_instance_id.as_deref();
    let result = broker.with_group(cx.now, group_id, cx.out, |group, _, _| {
        group.check_commit(cx.now, &request.member_id, instance_id, generation, false)
    });
    match result {
        Some(Err(why)) => Err(code_of(&why)),
        Some(Ok(())) | None => Ok(()),
    }
}

fn respond(
    request: &OffsetCommitRequest,
    codes: &Codes,
    otherwise: ErrorCode,
) -> OffsetCommitResponse {
    let topics = request.topics.iter().zip(codes);
    let topics = topics.map(|(topic, codes)| {
        let partitions = topic.partitions.iter().zip(codes);
        let partitions = partitions.map(|(partition, code)| OffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: code.unwrap_or(otherwise).0,
            ..OffsetCommitResponsePartition::default()
        });
        OffsetCommitResponseTopic {
            name: topic.name.detached(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
            ..OffsetCommitResponseTopic::default()
        }
    });
    OffsetCommitResponse {
        topics: topics.collect(),
        ..OffsetCommitResponse::default()
    }
}
