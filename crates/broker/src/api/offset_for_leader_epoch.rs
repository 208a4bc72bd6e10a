//! OffsetForLeaderEpoch (key 23, versions 2–4): where an epoch ended, so that a consumer can tell whether
//! what it has read was cut away (KIP-101, KIP-279, KIP-320).
//!
//! The largest epoch at or below the asked one is answered, with the offset at which the next began, or
//! the log's end; an epoch above all known ones gets −1 and −1.
//!
//! Left out: nothing; followers ask the same way.

use crate::broker::{Broker, Cx, Handled};
use alloc::vec::Vec;
use ids::{ErrorCode, LeaderEpoch, PartitionIndex};
use wire::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition,
};
use wire::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

pub(crate) fn handle(
    broker: &Broker,
    cx: &Cx<'_>,
    request: &OffsetForLeaderEpochRequest,
) -> Handled {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let asks = topic.partitions.iter();
        let answer = |ask: &OffsetForLeaderPartition| {
            let mut row = EpochEndOffset {
                partition: ask.partition,
                leader_epoch: -1,
                end_offset: -1,
                ..EpochEndOffset::default()
            };
            match find(broker, &topic.topic, ask) {
                Ok((epoch, end)) => (row.leader_epoch, row.end_offset) = (epoch, end),
                Err(code) => row.error_code = code.0,
            }
            row
        };
        topics.push(OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            partitions: asks.map(answer).collect(),
            ..OffsetForLeaderTopicResult::default()
        });
    }
    cx.reply(&OffsetForLeaderEpochResponse {
        topics,
        ..OffsetForLeaderEpochResponse::default()
    })
}

/// The epoch that was found and its end; −1 and −1 when there is none.
fn find(
    broker: &Broker,
    topic: &str,
    ask: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ErrorCode> {
    let current = LeaderEpoch(ask.current_leader_epoch);
    let partition = PartitionIndex(ask.partition);
    let (_, replica) = broker.led_replica_in(topic, partition, current)?;
    let end = match LeaderEpoch(ask.leader_epoch) {
        LeaderEpoch::NONE => None,
        epoch => replica.log.offset_for_leader_epoch(epoch),
    };
    Ok(end.map_or((-1, -1), |end| (end.epoch.0, end.end.0)))
}
