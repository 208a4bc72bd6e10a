//! DeleteRecords (key 21, versions 0–2): raise the log start of partitions; −1 means up to the high
//! watermark (KIP-107).
//!
//! Records before the new start are gone for readers at once; their segments go with retention. As in
//! Kafka the new start is not on disk when the answer goes out: a crash may bring records back.
//!
//! Left out: waiting for followers (there are none yet); `timeout_ms` has no meaning then.

use crate::broker::{Broker, Cx, Handled};
use alloc::vec::Vec;
use ids::{ErrorCode, Offset, PartitionIndex};
use metadata::is_internal;
use wire::delete_records_request::DeleteRecordsRequest;
use wire::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};

/// `offset` that means "all that may be read".
const HIGH_WATERMARK: i64 = -1;

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &DeleteRecordsRequest,
) -> Handled {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for ask in &topic.partitions {
            let partition = PartitionIndex(ask.partition_index);
            let (low_watermark, code) = match delete(broker, cx, &topic.name, partition, ask.offset)
            {
                Ok(start) => (start.0, ErrorCode::NONE),
                Err(code) => (-1, code),
            };
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: ask.partition_index,
                low_watermark,
                error_code: code.0,
                ..DeleteRecordsPartitionResult::default()
            });
        }
        topics.push(DeleteRecordsTopicResult {
            name: topic.name.clone(),
            partitions,
            ..DeleteRecordsTopicResult::default()
        });
    }
    cx.reply(&DeleteRecordsResponse {
        topics,
        ..DeleteRecordsResponse::default()
    })
}

fn delete(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    topic: &str,
    partition: PartitionIndex,
    offset: i64,
) -> Result<Offset, ErrorCode> {
    if is_internal(topic) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let id = broker.led_replica(topic, partition)?;
    let replica = broker
        .replicas
        .get_mut(id)
        .ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
    if replica.rules.compacted && !replica.log.config().delete {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let upto = match offset {
        HIGH_WATERMARK => replica.log.high_watermark(),
        offset if offset < 0 => return Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        offset => Offset(offset),
    };
    let mut ops = Vec::new();
    let start = replica
        .log
        .delete_records_before(upto, &mut ops)
        .map_err(|_| ErrorCode::OFFSET_OUT_OF_RANGE)?;
    broker.replicas.order_store(id, ops, cx.out);
    Ok(start)
}
