//! DeleteRecords (key 21, versions 0–2): raise the log start of partitions; −1 means up to the high
//! watermark (KIP-107).
//!
//! Records before the new start are gone for readers at once; their segments go with retention. As in
//! Kafka the new start is not on disk when the answer goes out: a crash may bring records back. The answer
//! goes out when the followers that are alive have followed, or after `timeout_ms`, with 7.

use crate::broker::{Broker, Cx, Handled};
use crate::event::Effect;
use crate::parked::Parked;
use crate::waiting::{Caller, WaitId};
use alloc::vec::Vec;
use ids::{ErrorCode, Offset, PartitionIndex};
use log::LogId;
use metadata::is_internal;
use wire::delete_records_request::DeleteRecordsRequest;
use wire::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};

/// `offset` that means "all that may be read".
const HIGH_WATERMARK: i64 = -1;

/// A request that waits for followers.
#[derive(Clone, Debug)]
pub(crate) struct PendingDelete {
    response: DeleteRecordsResponse,
    open: Vec<Open>,
}

/// A partition whose followers have not all let go of the records.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Its place in the response.
    topic: usize,
    partition: usize,
    id: LogId,
    /// Where all logs are to begin, or later.
    upto: Offset,
}

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &DeleteRecordsRequest,
) -> Handled {
    let mut open = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for ask in &topic.partitions {
            let partition = PartitionIndex(ask.partition_index);
            let code = match delete(broker, cx, &topic.name, partition, ask.offset) {
                Ok((id, upto)) => {
                    open.push(Open {
                        topic: topics.len(),
                        partition: partitions.len(),
                        id,
                        upto,
                    });
                    ErrorCode::NONE
                }
                Err(code) => code,
            };
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: ask.partition_index,
                low_watermark: -1,
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
    let response = DeleteRecordsResponse {
        topics,
        ..DeleteRecordsResponse::default()
    };
    let mut pending = PendingDelete { response, open };
    broker.settle_deletes(&mut pending);
    let millis = u64::try_from(request.timeout_ms).unwrap_or(0);
    if pending.open.is_empty() {
        return cx.reply(&pending.response);
    }
    let id = broker.waiting.next_id();
    for open in &pending.open {
        if let Some(replica) = broker.replicas.get_mut(open.id) {
            replica.note_deleter(id);
        }
    }
    let deadline = Some(cx.now.plus_millis(millis));
    let parked = Parked::DeleteRecords(pending);
    broker.waiting.park(id, cx.caller, deadline, parked);
    Handled::Parked(id)
}

impl Broker {
    /// Fills in what has come to be; what has not stays open.
    fn settle_deletes(&self, pending: &mut PendingDelete) {
        let PendingDelete { response, open } = pending;
        open.retain(|open| {
            let topic = response.topics.get_mut(open.topic);
            let row = topic.and_then(|topic| topic.partitions.get_mut(open.partition));
            let Some(row) = row else { return false };
            let low = self.low_watermark(open.id);
            row.low_watermark = low.map_or(-1, |low| low.0);
            if low.is_none() {
                row.error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER.0;
            }
            low.is_some_and(|low| low < open.upto)
        });
    }

    /// Where the log begins that begins first, of this leader's and those of followers that are alive.
    fn low_watermark(&self, id: LogId) -> Option<Offset> {
        let replica = self.replicas.get(id)?;
        let brokers = self.image.brokers();
        replica.low_watermark(|node| brokers.get(&node).is_some_and(|entry| !entry.fenced))
    }

    /// A follower's log begins later now, or this broker does not lead any more.
    pub(crate) fn retry_delete_records(&mut self, id: WaitId, out: &mut Vec<Effect>) {
        let Some(waiter) = self.waiting.get(id) else {
            return;
        };
        let Parked::DeleteRecords(pending) = &waiter.parked else {
            return;
        };
        let mut pending = pending.clone();
        self.settle_deletes(&mut pending);
        if pending.open.is_empty() {
            if let Some(waiter) = self.waiting.remove(id) {
                self.forget_delete_records(id, &waiter.parked);
                self.finish_with(&waiter.caller, &pending.response, out);
            }
        } else if let Some(waiter) = self.waiting.get_mut(id)
            && let Parked::DeleteRecords(kept) = &mut waiter.parked
        {
            // What is settled is so for good; all that were noted are forgotten in the end.
            kept.response = pending.response;
        }
    }

    /// Not all followers have heard of it in time; they will.
    pub(crate) fn delete_records_timed_out(
        &mut self,
        id: WaitId,
        caller: &Caller,
        mut pending: PendingDelete,
        out: &mut Vec<Effect>,
    ) {
        self.forget_deletes(id, &pending);
        self.settle_deletes(&mut pending);
        for open in &pending.open {
            let topic = pending.response.topics.get_mut(open.topic);
            let row = topic.and_then(|topic| topic.partitions.get_mut(open.partition));
            if let Some(row) = row {
                row.error_code = ErrorCode::REQUEST_TIMED_OUT.0;
            }
        }
        self.finish_with(caller, &pending.response, out);
    }

    pub(crate) fn forget_deletes(&mut self, id: WaitId, pending: &PendingDelete) {
        for open in &pending.open {
            if let Some(replica) = self.replicas.get_mut(open.id) {
                replica.forget_deleter(id);
            }
        }
    }

    fn forget_delete_records(&mut self, id: WaitId, parked: &Parked) {
        if let Parked::DeleteRecords(pending) = parked {
            self.forget_deletes(id, pending);
        }
    }
}

fn delete(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    topic: &str,
    partition: PartitionIndex,
    offset: i64,
) -> Result<(LogId, Offset), ErrorCode> {
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
    replica
        .log
        .delete_records_before(upto, &mut ops)
        .map_err(|_| ErrorCode::OFFSET_OUT_OF_RANGE)?;
    broker.replicas.order_store(id, ops, cx.out);
    Ok((id, upto))
}
