//! ListOffsets (key 2, versions 1–11): offsets by timestamp, and the special ones.
//!
//! −1 is the latest a client may read, −2 the log start, −3 the offset of the largest timestamp (v7),
//! −4 the earliest local one (v8, the same as −2 without tiers), −5 the latest tiered one (v9: none),
//! −6 the earliest pending upload (v11: none). A special timestamp that the version does not have is
//! answered with 35. A log whose bytes are not in memory is loaded first. A follower is told of all that the
//! leader has, and so is who asks as −2, at any replica. A new leader that does not know yet what was
//! committed before it answers 78 (5 before v5).

use crate::broker::{Broker, Cx, Handled};
use crate::event::Effect;
use crate::parked::Parked;
use crate::waiting::{Caller, WaitId};
use alloc::vec::Vec;
use ids::{ErrorCode, LeaderEpoch, Offset, PartitionIndex};
use log::{Log, LogId, LogSlice, Lookup};
use records::{BatchView, decompress};
use sorted::SortedMap;
use wire::Str;
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use wire::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};

/// What was found: timestamp, offset, the epoch of the record or of the leader.
type Found = (i64, i64, i32);
/// The most that one batch may decompress to while a record is looked for in it.
const BATCH_BYTES_MAX: u32 = 64 << 20;

/// The `ReplicaId` of a consumer.
const CONSUMER: i32 = -1;
/// The `ReplicaId` of who wants to know what any replica has.
const DEBUGGER: i32 = -2;

const NOTHING: Found = (-1, -1, -1);

/// How long a request waits for bytes that are not in memory.
const LOAD_TIMEOUT_MS: u64 = 30_000;

/// A request that waits for bytes to be loaded.
#[derive(Clone, Debug)]
pub(crate) struct PendingListOffsets {
    request: ListOffsetsRequest,
    /// The replicas under whose `readers` it is noted.
    at: Vec<LogId>,
}

/// Why a partition has no answer.
enum Miss {
    Refused(ErrorCode),
    /// These bytes must be in memory first.
    Cold(LogId, LogSlice),
}

impl From<ErrorCode> for Miss {
    fn from(code: ErrorCode) -> Miss {
        Miss::Refused(code)
    }
}

pub(crate) fn handle(broker: &mut Broker, cx: &mut Cx<'_>, request: ListOffsetsRequest) -> Handled {
    let mut cold = Vec::new();
    let answer = answer(broker, cx.caller.version, &request, None, &mut cold);
    if cold.is_empty() {
        return cx.reply(&answer);
    }
    let id = broker.waiting.next_id();
    let mut at = Vec::with_capacity(cold.len());
    for (replica, _) in &cold {
        at.push(*replica);
        if let Some(found) = broker.replicas.get_mut(*replica) {
            found.note_reader(id, false);
        }
    }
    let deadline = Some(cx.now.plus_millis(LOAD_TIMEOUT_MS));
    let parked = Parked::ListOffsets(PendingListOffsets { request, at });
    broker.waiting.park(id, cx.caller, deadline, parked);
    for (replica, slice) in cold {
        broker.replicas.order_load(replica, slice, cx.out);
    }
    Handled::Parked(id)
}

impl Broker {
    /// Bytes have come that a parked request may have waited for, or those of the log `unreadable`
    /// were loaded in vain.
    pub(crate) fn retry_list_offsets(
        &mut self,
        id: WaitId,
        unreadable: Option<LogId>,
        out: &mut Vec<Effect>,
    ) {
        let Some(waiter) = self.waiting.get(id) else {
            return;
        };
        let Parked::ListOffsets(pending) = &waiter.parked else {
            return;
        };
        let caller = waiter.caller;
        let mut cold = Vec::new();
        let (version, request) = (caller.version, &pending.request);
        let answer = answer(self, version, request, unreadable, &mut cold);
        if cold.is_empty() {
            if let Some(waiter) = self.waiting.remove(id)
                && let Parked::ListOffsets(pending) = waiter.parked
            {
                self.forget_list_offsets(id, &pending);
                self.finish_with(&caller, &answer, out);
            }
            return;
        }
        for (replica, slice) in cold {
            self.replicas.order_load(replica, slice, out);
        }
    }

    /// The bytes did not come in time: what rests on them is answered so that the client asks again.
    pub(crate) fn list_offsets_timed_out(
        &mut self,
        id: WaitId,
        caller: &Caller,
        pending: &PendingListOffsets,
        out: &mut Vec<Effect>,
    ) {
        self.forget_list_offsets(id, pending);
        let (version, request) = (caller.version, &pending.request);
        let answer = answer(self, version, request, None, &mut Vec::new());
        self.finish_with(caller, &answer, out);
    }

    pub(crate) fn forget_list_offsets(&mut self, id: WaitId, pending: &PendingListOffsets) {
        for replica in &pending.at {
            if let Some(found) = self.replicas.get_mut(*replica) {
                found.forget_reader(id);
            }
        }
    }
}

/// The answer as far as memory gives it; what must be loaded first goes to `cold`.
fn answer(
    broker: &Broker,
    version: i16,
    request: &ListOffsetsRequest,
    unreadable: Option<LogId>,
    cold: &mut Vec<(LogId, LogSlice)>,
) -> ListOffsetsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut times: SortedMap<(&Str, i32), u32> = SortedMap::new();
    for topic in &request.topics {
        for ask in &topic.partitions {
            *times.entry((&topic.name, ask.partition_index)).or_default() += 1;
        }
    }
    for topic in &request.topics {
        let mut partitions = Vec::new();
        for ask in &topic.partitions {
            let result = match times.remove(&(&topic.name, ask.partition_index)) {
                Some(1) => find(broker, version, request, unreadable, &topic.name, ask),
                Some(_) => Err(Miss::Refused(ErrorCode::INVALID_REQUEST)),
                // A partition named twice is answered once.
                None => continue,
            };
            let (code, (timestamp, offset, epoch)) = match result {
                Ok(found) => (ErrorCode::NONE, found),
                Err(Miss::Refused(code)) => (code, NOTHING),
                Err(Miss::Cold(replica, slice)) => {
                    cold.push((replica, slice));
                    (not_yet(version), NOTHING)
                }
            };
            partitions.push(ListOffsetsPartitionResponse {
                partition_index: ask.partition_index,
                error_code: code.0,
                timestamp,
                offset,
                leader_epoch: if version >= 4 { epoch } else { -1 },
                ..ListOffsetsPartitionResponse::default()
            });
        }
        topics.push(ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions,
            ..ListOffsetsTopicResponse::default()
        });
    }
    ListOffsetsResponse {
        topics,
        ..ListOffsetsResponse::default()
    }
}

/// "Try again", in words that a client of this version knows.
fn not_yet(version: i16) -> ErrorCode {
    match version {
        ..5 => ErrorCode::LEADER_NOT_AVAILABLE,
        _ => ErrorCode::OFFSET_NOT_AVAILABLE,
    }
}

/// The least version that knows a special timestamp.
fn least_version(timestamp: i64) -> i16 {
    match timestamp {
        -2.. => 1,
        -3 => 7,
        -4 => 8,
        -5 => 9,
        -6 => 11,
        _ => i16::MAX,
    }
}

fn find(
    broker: &Broker,
    version: i16,
    request: &ListOffsetsRequest,
    unreadable: Option<LogId>,
    topic: &str,
    ask: &ListOffsetsPartition,
) -> Result<Found, Miss> {
    let partition = PartitionIndex(ask.partition_index);
    if broker.image.partition(topic, partition).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
    }
    if version < least_version(ask.timestamp) {
        return Err(ErrorCode::UNSUPPORTED_VERSION.into());
    }
    let epoch = LeaderEpoch(ask.current_leader_epoch);
    let (id, replica) = if request.replica_id == DEBUGGER {
        let id = broker.replicas.find(topic, partition);
        let found = id.and_then(|id| Some((id, broker.replicas.get(id)?)));
        found.ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?
    } else {
        broker.led_replica_in(topic, partition, epoch)?
    };
    if unreadable == Some(id) {
        return Err(ErrorCode::KAFKA_STORAGE_ERROR.into());
    }
    let log = &replica.log;
    // A follower, too, is told what is there, committed or not.
    let bound = if request.replica_id != CONSUMER {
        log.stored_end()
    } else if request.isolation_level == 1 {
        log.last_stable()
    } else {
        log.high_watermark()
    };
    // Until a new leader knows what was committed before it, what is latest is not told (KIP-207).
    let is_unsure = request.replica_id == CONSUMER && replica.is_unsure(bound);
    let told = |found: Found| match found {
        NOTHING if is_unsure => Err(Miss::Refused(not_yet(version))),
        found => Ok(found),
    };
    Ok(match ask.timestamp {
        -1 if is_unsure => return Err(not_yet(version).into()),
        -1 => (-1, bound.0, replica.epoch().0),
        -2 | -4 => {
            let epoch = log.epoch_for(log.log_start()).unwrap_or(replica.epoch());
            (-1, log.log_start().0, epoch.0)
        }
        -3 => told(by_timestamp(
            id,
            log,
            log.max_timestamp_offset(),
            None,
            bound,
        )?)?,
        -5 | -6 => NOTHING,
        timestamp => {
            let first = log.offset_for_timestamp(timestamp, log.log_start());
            told(by_timestamp(id, log, first, Some(timestamp), bound)?)?
        }
    })
}

/// The first record of a batch that is late enough; without a timestamp, the batch's latest record.
fn by_timestamp(
    id: LogId,
    log: &Log,
    found: Lookup,
    timestamp: Option<i64>,
    bound: Offset,
) -> Result<Found, Miss> {
    let batch = match found {
        Lookup::Batch(batch) => batch,
        Lookup::None => return Ok(NOTHING),
        Lookup::Cold(slice) => return Err(Miss::Cold(id, slice)),
    };
    let Some(pieces) = log.slice_pieces(&batch.slice) else {
        return Err(Miss::Cold(id, batch.slice));
    };
    let bytes = pieces.concat();
    let Ok(view) = BatchView::parse(&bytes) else {
        return Err(ErrorCode::KAFKA_STORAGE_ERROR.into());
    };
    let header = *view.header();
    let least = timestamp.unwrap_or(header.max_timestamp);
    let payload;
    let records = match view.records() {
        Some(records) => records,
        None => {
            payload =
                decompress(&view, BATCH_BYTES_MAX).map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?;
            records::records(&header, &payload)
        }
    };
    let late = |record: &records::Record<'_>| {
        record.timestamp >= least && record.offset >= log.log_start()
    };
    let hit = records
        .flatten()
        .find(late)
        .map(|record| (record.timestamp, record.offset));
    Ok(match hit {
        Some((timestamp, offset)) if offset < bound => (timestamp, offset.0, batch.epoch().0),
        _ => NOTHING,
    })
}
