//! Produce (key 0, versions 3–13): append one batch to each of several partitions.
//!
//! Every batch is validated, then appended under the log's own checks (idempotence, epochs); the
//! bytes go to the shell as a `Store` order. acks=1 is answered when they are stored, acks=all when
//! the high watermark has passed them, acks=0 never: an error then closes the connection.
//! v13 names topics by id. v10 tells the current leader with `NOT_LEADER_OR_FOLLOWER`.
//!
//! Left out: transactions (a transactional batch is refused with 48), throttling. Null records are
//! answered with 87, where Kafka gives no answer at all. A batch that wrongly claims LogAppendTime loses the
//! claim, as in Kafka; compressed anew, its records keep their own times, where Kafka gives them the batch's.

use crate::broker::{Broker, Cx, Handled, encode};
use crate::event::{Closing, Effect};
use crate::parked::Parked;
use crate::replicas::{AppendRules, Awaiter, Ending, Replica, TopicSlot};
use crate::waiting::{Caller, WaitId};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, Mutant, Offset, PartitionIndex, Time, is_planted};
use log::{Appended, Log, LogId, Refused, StoreOp};
use metadata::is_internal;
use records::{Invalid, Rules, ValidBatch};
use wire::Str;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    ProduceResponse, TopicProduceResponse,
};

/// The first version whose clients understand zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// A produce request of which not all partitions are settled.
#[derive(Clone, Debug)]
pub(crate) struct PendingProduce {
    response: ProduceResponse,
    /// Where each partition of the response stands; none for a response with a single one.
    spots: Vec<Spot>,
    open: u32,
}

/// A partition of a response.
#[derive(Clone, Copy, Debug, Default)]
struct Spot {
    topic: u32,
    partition: u32,
    settled: bool,
}

/// What is the same for all partitions of a request.
#[derive(Clone, Copy, Debug)]
struct Ask {
    acks: i16,
    /// What it will be called if it has to wait.
    id: WaitId,
    /// Whether it is for one partition.
    single: bool,
}

/// What an append came to.
enum Outcome {
    /// The partition's answer is final.
    Now(PartitionProduceResponse),
    /// The answer holds once the log is stored, or committed, up to an offset.
    When(PartitionProduceResponse, LogId, Offset),
}

pub(crate) fn handle(broker: &mut Broker, cx: &mut Cx<'_>, request: ProduceRequest) -> Handled {
    if !(-1..=1).contains(&request.acks) {
        return refuse_all(cx, &request, ErrorCode::INVALID_REQUIRED_ACKS);
    }
    if let Some(code) = transactional_refusal(&request) {
        return refuse_all(cx, &request, code);
    }
    let id = broker.waiting.next_id();
    let mut pending = PendingProduce {
        response: ProduceResponse::default(),
        spots: Vec::new(),
        open: 0,
    };
    let (acks, timeout_ms) = (request.acks, request.timeout_ms);
    let single = matches!(&request.topic_data[..], [topic] if topic.partition_data.len() == 1);
    let ask = Ask { acks, id, single };
    let topics = request.topic_data.into_iter().zip(0..);
    pending.response.responses = topics
        .map(|(topic, at)| append_topic(broker, cx, ask, (at, topic), &mut pending))
        .collect();
    if acks == 0 {
        let failed = |topic: &TopicProduceResponse| {
            topic
                .partition_responses
                .iter()
                .any(|found| found.error_code != 0)
        };
        let closes = pending.response.responses.iter().any(failed);
        return if closes {
            Handled::Close(Closing::UnacknowledgedFailure)
        } else {
            Handled::Silent
        };
    }
    if pending.open == 0 {
        name_leaders(broker, cx.caller.version, &mut pending.response);
        return cx.reply(&pending.response);
    }
    let timeout = u64::try_from(timeout_ms).unwrap_or(0);
    // What is committed at this very moment is in time, even where there was none to wait.
    let deadline = cx.now.plus_millis(timeout).max(cx.now.plus_micros(1));
    broker
        .waiting
        .park(id, cx.caller, Some(deadline), Parked::Produce(pending));
    Handled::Parked(id)
}

fn append_topic(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    Ask { acks, id, single }: Ask,
    (at, topic): (u32, TopicProduceData),
    pending: &mut PendingProduce,
) -> TopicProduceResponse {
    let place = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let name = name_of(broker, cx.caller.version, &topic);
    let slot = name
        .as_ref()
        .ok()
        .and_then(|name| broker.replicas.topic(name));
    let mut answers = Vec::with_capacity(topic.partition_data.len());
    for data in &topic.partition_data {
        let outcome = match &name {
            Err(code) => Outcome::Now(refusal(data.index, *code)),
            Ok(name) => append(broker, cx, acks, (name, slot), data),
        };
        let (answer, settled) = match outcome {
            Outcome::Now(answer) => (answer, true),
            Outcome::When(answer, replica, end) => {
                let spot = place(pending.spots.len());
                let found = broker.replicas.get_mut(replica);
                let waits = found.filter(|found| acks != 0 && !is_reached(&found.log, end, acks));
                let settled = waits.is_none();
                if let Some(found) = waits {
                    pending.open += 1;
                    found.wait(end, acks == -1, Awaiter { id, spot });
                }
                (answer, settled)
            }
        };
        if !single {
            pending.spots.push(Spot {
                topic: at,
                partition: place(answers.len()),
                settled,
            });
        }
        answers.push(answer);
    }
    TopicProduceResponse {
        name: topic.name,
        topic_id: topic.topic_id,
        partition_responses: answers,
        ..TopicProduceResponse::default()
    }
}

/// The name of a topic that clients may produce to.
fn name_of(broker: &Broker, version: i16, topic: &TopicProduceData) -> Result<Arc<str>, ErrorCode> {
    let found = if version >= 13 {
        let found = broker.image.topic_by_id(topic.topic_id);
        found.ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?
    } else {
        let found = broker.image.topic(&topic.name);
        found.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
    };
    match is_internal(&found.name) {
        true => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
        false => Ok(found.name.clone()),
    }
}

fn is_reached(log: &Log, end: Offset, acks: i16) -> bool {
    if is_planted(Mutant::AcknowledgedUnstored) {
        return true;
    }
    match acks {
        -1 => end <= log.high_watermark(),
        _ => end <= log.stored_end(),
    }
}

/// Validates and appends one partition's batch.
fn append(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    acks: i16,
    (topic, slot): (&str, Option<TopicSlot>),
    data: &PartitionProduceData,
) -> Outcome {
    let partition = PartitionIndex(data.index);
    let id = match writable(broker, acks, (topic, slot), partition) {
        Ok(id) => id,
        Err(code) => return Outcome::Now(refusal(data.index, code)),
    };
    let (wall, through) = (broker.wall(cx.now), broker.sends_files);
    let Some(replica) = broker.replicas.get_mut(id) else {
        return Outcome::Now(refusal(data.index, ErrorCode::NOT_LEADER_OR_FOLLOWER));
    };
    let Some(bytes) = data.records.bytes() else {
        return Outcome::Now(refusal(data.index, ErrorCode::INVALID_RECORD));
    };
    let rules = rules(&replica.rules, wall, cx.caller.version);
    let batch = match records::validate(bytes, &rules) {
        Ok(batch) => batch,
        Err(invalid) => {
            let at = (topic, replica.log.log_start());
            return Outcome::Now(invalid_answer(data.index, &invalid, at));
        }
    };
    // Seldom more than one: to append.
    let mut ops = Vec::with_capacity(1);
    let result = write(replica, through, wall, (&batch, bytes), &mut ops);
    let mut answer = PartitionProduceResponse {
        index: data.index,
        log_start_offset: replica.log.log_start().0,
        ..PartitionProduceResponse::default()
    };
    match result {
        Ok(appended) => {
            answer.base_offset = appended.base_offset.0;
            answer.log_append_time_ms = appended.log_append_time.unwrap_or(-1);
            broker.replicas.order_store(id, ops, cx.out);
            Outcome::When(answer, id, appended.last_offset.plus(1))
        }
        // A client repeats a batch whose answer got lost; the answer is what it would have been (KIP-98).
        Err(Refused::Duplicate {
            base_offset,
            last_offset,
            timestamp,
        }) => {
            answer.base_offset = base_offset.0;
            answer.log_append_time_ms = timestamp;
            Outcome::When(answer, id, last_offset.plus(1))
        }
        Err(why) => {
            let refused = refusal(data.index, append_refusal(&why));
            // Kafka tells the log start with every refusal but those about sizes.
            let told = match why {
                Refused::LargerThanSegment { .. } => refused.log_start_offset,
                _ => answer.log_start_offset,
            };
            Outcome::Now(PartitionProduceResponse {
                log_start_offset: told,
                ..refused
            })
        }
    }
}

/// Appends a batch; `through` the request's bytes, where the shell sends from the logs' files.
fn write(
    replica: &mut Replica,
    through: bool,
    wall: Time,
    (batch, bytes): (&ValidBatch<'_>, &Bytes),
    ops: &mut Vec<StoreOp>,
) -> Result<Appended, Refused> {
    let epoch = replica.epoch();
    match through {
        true => replica.log.append_through(wall, (batch, bytes), epoch, ops),
        false => replica.log.append(wall, batch, epoch, ops),
    }
}

/// The replica that takes a partition's batches, if it may.
fn writable(
    broker: &Broker,
    acks: i16,
    (topic, slot): (&str, Option<TopicSlot>),
    partition: PartitionIndex,
) -> Result<LogId, ErrorCode> {
    let id = slot.and_then(|slot| broker.replicas.find_in(slot, partition));
    let id = id.filter(|id| broker.leads(*id));
    let id = id.ok_or_else(|| broker.led_refusal(topic, partition))?;
    let replica = broker.replicas.get(id);
    let replica = replica.ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
    if acks == -1 && !replica.has_enough_in_sync() {
        return Err(ErrorCode::NOT_ENOUGH_REPLICAS);
    }
    Ok(id)
}

fn append_refusal(why: &Refused) -> ErrorCode {
    match why {
        Refused::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        Refused::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        Refused::InvalidTxnState => ErrorCode::INVALID_TXN_STATE,
        Refused::LargerThanSegment { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
        Refused::OffsetsExhausted | Refused::NotNext { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
        Refused::Duplicate { .. } => ErrorCode::NONE,
    }
}

fn rules(topic: &AppendRules, now: Time, version: i16) -> Rules {
    Rules {
        now_millis: now.millis(),
        max_message_bytes: topic.max_message_bytes,
        compacted: topic.compacted,
        timestamp_type: topic.timestamp_type,
        timestamp_before_max_ms: topic.timestamp_before_max_ms,
        timestamp_after_max_ms: topic.timestamp_after_max_ms,
        target: topic.compression,
        zstd_allowed: version >= ZSTD_FROM,
        ..Rules::default()
    }
}

/// A transactional batch needs a transaction, which this broker does not have yet.
fn transactional_refusal(request: &ProduceRequest) -> Option<ErrorCode> {
    let transactional = |data: &PartitionProduceData| {
        let header = data
            .records
            .bytes()
            .and_then(|bytes| records::BatchView::peek(bytes).ok());
        header.is_some_and(|header| header.attributes.is_transactional())
    };
    let any = request
        .topic_data
        .iter()
        .flat_map(|topic| &topic.partition_data)
        .any(transactional);
    match (any, &request.transactional_id) {
        (false, _) => None,
        (true, None) => Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        (true, Some(_)) => Some(ErrorCode::INVALID_TXN_STATE),
    }
}

fn refusal(index: i32, code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: code.0,
        base_offset: -1,
        ..PartitionProduceResponse::default()
    }
}

fn invalid_answer(
    index: i32,
    invalid: &Invalid,
    (topic, log_start): (&str, Offset),
) -> PartitionProduceResponse {
    let mut answer = refusal(index, invalid.code());
    if invalid.tells_log_start_offset() {
        answer.log_start_offset = log_start.0;
    }
    let name = format!("{topic}-{index}");
    let rejected = invalid
        .rejected()
        .iter()
        .map(|rejected| BatchIndexAndErrorMessage {
            batch_index: rejected.index,
            batch_index_error_message: Some(Str::from(rejected.message(&name))),
            ..BatchIndexAndErrorMessage::default()
        });
    answer.record_errors = rejected.collect();
    answer.error_message = invalid.message(&name).map(Str::from);
    answer
}

/// Answers every partition with the same error.
fn refuse_all(cx: &Cx<'_>, request: &ProduceRequest, code: ErrorCode) -> Handled {
    if request.acks == 0 {
        return Handled::Close(Closing::UnacknowledgedFailure);
    }
    let topic = |topic: &TopicProduceData| TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|data| refusal(data.index, code))
            .collect(),
        ..TopicProduceResponse::default()
    };
    let responses = request.topic_data.iter().map(topic).collect();
    cx.reply(&ProduceResponse {
        responses,
        ..ProduceResponse::default()
    })
}

/// Tells the new leader beside every `NOT_LEADER_OR_FOLLOWER` (KIP-951).
fn name_leaders(broker: &Broker, version: i16, response: &mut ProduceResponse) {
    let mut answers = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses);
    let elsewhere = |answer: &PartitionProduceResponse| {
        ErrorCode(answer.error_code) == ErrorCode::NOT_LEADER_OR_FOLLOWER
    };
    if version < 10 || !answers.any(elsewhere) {
        return;
    }
    let mut named: Vec<i32> = Vec::new();
    for topic in &mut response.responses {
        let found = if version >= 13 {
            broker.image.topic_by_id(topic.topic_id)
        } else {
            broker.image.topic(&topic.name)
        };
        let Some(found) = found else { continue };
        for answer in &mut topic.partition_responses {
            if ErrorCode(answer.error_code) != ErrorCode::NOT_LEADER_OR_FOLLOWER {
                continue;
            }
            if let Some(partition) = found.partitions.get(&PartitionIndex(answer.index)) {
                answer.current_leader = LeaderIdAndEpoch {
                    leader_id: partition.leader.0,
                    leader_epoch: partition.leader_epoch.0,
                    ..LeaderIdAndEpoch::default()
                };
                named.push(partition.leader.0);
            }
        }
    }
    named.sort_unstable();
    named.dedup();
    let brokers = broker
        .image
        .live_brokers()
        .filter(|(id, _)| named.contains(&id.0));
    response.node_endpoints = brokers
        .map(|(id, entry)| NodeEndpoint {
            node_id: id.0,
            host: Str::from(&*entry.host),
            port: i32::from(entry.port),
            rack: entry.rack.as_deref().map(Str::from),
            ..NodeEndpoint::default()
        })
        .collect();
}

impl Broker {
    /// Waiting for one partition of a parked request has ended.
    pub(crate) fn produce_settled(
        &mut self,
        Awaiter { id, spot }: Awaiter,
        ending: Ending,
        out: &mut Vec<Effect>,
    ) {
        let error = match ending {
            Ending::Done => None,
            Ending::NotStored => Some(ErrorCode::KAFKA_STORAGE_ERROR),
            Ending::TooFewInSync => Some(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND),
            Ending::LeaderLost => Some(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        };
        let Some(waiter) = self.waiting.get_mut(id) else {
            return;
        };
        let Parked::Produce(pending) = &mut waiter.parked else {
            return;
        };
        let place = match pending.spots.get_mut(spot as usize) {
            Some(place) if place.settled => return,
            Some(place) => {
                place.settled = true;
                *place
            }
            None => Spot::default(),
        };
        pending.open -= 1;
        if let Some(code) = error {
            pending.refuse(place, code);
        }
        if pending.open == 0 {
            let Some(waiter) = self.waiting.remove(id) else {
                return;
            };
            if let Parked::Produce(mut pending) = waiter.parked {
                name_leaders(self, waiter.caller.version, &mut pending.response);
                let reply = encode(&waiter.caller, &pending.response, &[]);
                self.finish(&waiter.caller, reply, out);
            }
        }
    }

    /// The time of a request is over: what is not settled may still come to be (it is not undone).
    pub(crate) fn produce_timed_out(
        &mut self,
        caller: &Caller,
        mut pending: PendingProduce,
        out: &mut Vec<Effect>,
    ) {
        let spots = core::mem::take(&mut pending.spots);
        if spots.is_empty() {
            pending.refuse(Spot::default(), ErrorCode::REQUEST_TIMED_OUT);
        }
        for spot in spots.into_iter().filter(|spot| !spot.settled) {
            pending.refuse(spot, ErrorCode::REQUEST_TIMED_OUT);
        }
        self.finish_with(caller, &pending.response, out);
    }
}

impl PendingProduce {
    fn refuse(&mut self, spot: Spot, code: ErrorCode) {
        let topic = self.response.responses.get_mut(spot.topic as usize);
        let answer =
            topic.and_then(|topic| topic.partition_responses.get_mut(spot.partition as usize));
        if let Some(answer) = answer {
            *answer = refusal(answer.index, code);
        }
    }
}
