//! FindCoordinator (key 10, versions 0–6): which broker keeps a group.
//!
//! The coordinator is the leader of the group's partition of `__consumer_offsets`; the topic is created
//! when it is first asked for. From v4 several groups are asked for at once.
//!
//! Left out: share coordinators (42), and transaction coordinators. A transactional client is told so with 31
//! and a sentence: of all codes this is the one that Java's client, librdkafka and kafka-python each take as
//! final, and the first two show the sentence. Anything that may be tried again (15, or for librdkafka 35 and
//! 42, too) has it asking without end.

use super::INVALID_REQUEST;
use crate::broker::{Broker, Cx, Handled};
use alloc::vec::Vec;
use group::coordinator_partition;
use ids::{ErrorCode, PartitionIndex};
use metadata::OFFSETS_TOPIC;
use wire::Str;
use wire::find_coordinator_request::FindCoordinatorRequest;
use wire::find_coordinator_response::{Coordinator, FindCoordinatorResponse};

/// `key_type` of a group.
const GROUP: i8 = 0;
/// `key_type` of a transactional id.
const TRANSACTION: i8 = 1;
/// Why there is no coordinator for a transactional id.
const NO_TRANSACTIONS: &str = "This broker has no transactions yet. Leave transactional.id unset; idempotence works without it.";
/// `key_type` of a share group's partition.
const SHARE: i8 = 2;

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &FindCoordinatorRequest,
) -> Handled {
    let batched = cx.caller.version >= 4;
    let keys: Vec<Str> = if batched {
        request.coordinator_keys.clone()
    } else {
        alloc::vec![request.key.clone()]
    };
    // However many keys a request has, the topic is asked for once.
    if request.key_type == GROUP && !keys.is_empty() && broker.image.topic(OFFSETS_TOPIC).is_none()
    {
        broker.auto_create(&[Str::from(OFFSETS_TOPIC)], cx.out);
    }
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        rows.push(find(broker, cx, request.key_type, key));
    }
    if batched {
        return cx.reply(&FindCoordinatorResponse {
            coordinators: rows,
            ..FindCoordinatorResponse::default()
        });
    }
    let Some(row) = rows.pop() else {
        return cx.reply(&FindCoordinatorResponse::default());
    };
    cx.reply(&FindCoordinatorResponse {
        error_code: row.error_code,
        error_message: row.error_message,
        node_id: row.node_id,
        host: row.host,
        port: row.port,
        ..FindCoordinatorResponse::default()
    })
}

fn find(broker: &Broker, cx: &Cx<'_>, key_type: i8, key: Str) -> Coordinator {
    let none = |key: Str, code: ErrorCode| Coordinator {
        key,
        node_id: -1,
        port: -1,
        error_code: code.0,
        error_message: None,
        ..Coordinator::default()
    };
    match key_type {
        GROUP => {}
        TRANSACTION => {
            let mut refused = none(key, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
            refused.error_message = Some(Str::from(NO_TRANSACTIONS));
            return refused;
        }
        SHARE => {
            let mut refused = none(key, ErrorCode::INVALID_REQUEST);
            refused.error_message = Some(Str::from(""));
            return refused;
        }
        _ => {
            let mut refused = none(key, ErrorCode::INVALID_REQUEST);
            refused.error_message = Some(Str::from(INVALID_REQUEST));
            return refused;
        }
    }
    let Some(topic) = broker.image.topic(OFFSETS_TOPIC) else {
        return none(key, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    };
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let partition = coordinator_partition(&key, count);
    let leader = topic
        .partitions
        .get(&PartitionIndex(partition))
        .and_then(|partition| partition.leader());
    match leader.and_then(|leader| Some((leader, broker.image.brokers().get(&leader)?))) {
        Some((leader, entry)) if !entry.fenced => Coordinator {
            key,
            node_id: leader.0,
            host: Str::from(&*entry.host),
            port: i32::from(entry.port),
            error_message: if cx.caller.version >= 4 {
                Some(Str::from(""))
            } else {
                Some(Str::from("NONE"))
            },
            ..Coordinator::default()
        },
        _ => none(key, ErrorCode::COORDINATOR_NOT_AVAILABLE),
    }
}
