//! ListOffsets (key 2, versions 1–11): offsets by timestamp, and the special ones.
//!
//! −1 is the latest a client may read, −2 the log start, −3 the offset of the largest timestamp (v7),
//! −4 the earliest local one (v8, the same as −2 without tiers), −5 the latest tiered one (v9: none),
//! −6 the earliest pending upload (v11: none). A special timestamp that the version does not have is
//! answered with 35. Where the bytes to look into are not in memory, they are asked for, and clients are
//! told to try again (78, before v5 5).
//!
//! Left out: asking as a follower.

use crate::broker::{Broker, Cx, Handled};
use crate::event::ReplicaId;
use crate::replicas::epoch_refusal;
use alloc::vec::Vec;
use ids::{ErrorCode, LeaderEpoch, Offset, PartitionIndex};
use log::{Log, LogSlice, Lookup};
use records::{BatchView, decompress};
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use wire::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};

/// What was found: timestamp, offset, the epoch of the record or of the leader.
type Found = (i64, i64, i32);
/// The most that one batch may decompress to while a record is looked for in it.
const BATCH_BYTES_MAX: u32 = 64 << 20;

const NOTHING: Found = (-1, -1, -1);

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &ListOffsetsRequest,
) -> Handled {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for ask in &topic.partitions {
            let same = |other: &ListOffsetsPartition| other.partition_index == ask.partition_index;
            // A partition named twice is answered once.
            if partitions
                .iter()
                .any(|told: &ListOffsetsPartitionResponse| {
                    told.partition_index == ask.partition_index
                })
            {
                continue;
            }
            let twice = topic.partitions.iter().filter(|other| same(other)).count() > 1;
            let result = if twice {
                Err(ErrorCode::INVALID_REQUEST)
            } else {
                find(broker, cx.caller.version, request, &topic.name, ask)
                    .or_else(|why| refuse(broker, cx, why))
            };
            let (code, (timestamp, offset, epoch)) = match result {
                Ok(found) => (ErrorCode::NONE, found),
                Err(code) => (code, NOTHING),
            };
            partitions.push(ListOffsetsPartitionResponse {
                partition_index: ask.partition_index,
                error_code: code.0,
                timestamp,
                offset,
                leader_epoch: if cx.caller.version >= 4 { epoch } else { -1 },
                ..ListOffsetsPartitionResponse::default()
            });
        }
        topics.push(ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions,
            ..ListOffsetsTopicResponse::default()
        });
    }
    cx.reply(&ListOffsetsResponse {
        topics,
        ..ListOffsetsResponse::default()
    })
}

/// What an offset is not told for.
enum Why {
    Refused(ErrorCode),
    /// These bytes of a log are not in memory.
    Cold(ReplicaId, LogSlice),
}

impl From<ErrorCode> for Why {
    fn from(code: ErrorCode) -> Why {
        Why::Refused(code)
    }
}

fn refuse(broker: &mut Broker, cx: &mut Cx<'_>, why: Why) -> Result<Found, ErrorCode> {
    match why {
        Why::Refused(code) => Err(code),
        Why::Cold(replica, slice) => {
            broker.order_load(replica, slice, cx.out);
            // Older clients do not know that code; the other means "try again" as well.
            Err(if cx.caller.version >= 5 {
                ErrorCode::OFFSET_NOT_AVAILABLE
            } else {
                ErrorCode::LEADER_NOT_AVAILABLE
            })
        }
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
    topic: &str,
    ask: &ListOffsetsPartition,
) -> Result<Found, Why> {
    let partition = PartitionIndex(ask.partition_index);
    if broker.image.partition(topic, partition).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
    }
    if version < least_version(ask.timestamp) {
        return Err(ErrorCode::UNSUPPORTED_VERSION.into());
    }
    let id = broker.led_replica(topic, partition)?;
    let replica = broker
        .replicas
        .get(id)
        .ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
    if let Some(code) = epoch_refusal(LeaderEpoch(ask.current_leader_epoch), replica.epoch) {
        return Err(code.into());
    }
    let log = &replica.log;
    let bound = if request.isolation_level == 1 {
        log.last_stable()
    } else {
        log.high_watermark()
    };
    Ok(match ask.timestamp {
        -1 => (-1, bound.0, replica.epoch.0),
        -2 | -4 => {
            let epoch = log.epoch_for(log.log_start()).unwrap_or(replica.epoch);
            (-1, log.log_start().0, epoch.0)
        }
        -3 => by_timestamp(id, log, log.max_timestamp_offset(), None, bound)?,
        -5 | -6 => NOTHING,
        timestamp => {
            let first = log.offset_for_timestamp(timestamp, log.log_start());
            by_timestamp(id, log, first, Some(timestamp), bound)?
        }
    })
}

/// The first record of a batch that is late enough; without a timestamp, the batch's latest record.
fn by_timestamp(
    replica: ReplicaId,
    log: &Log,
    found: Lookup,
    timestamp: Option<i64>,
    bound: Offset,
) -> Result<Found, Why> {
    let batch = match found {
        Lookup::Batch(batch) => batch,
        Lookup::None => return Ok(NOTHING),
        Lookup::Cold(slice) => return Err(Why::Cold(replica, slice)),
    };
    let Some(pieces) = log.slice_pieces(&batch.slice) else {
        return Err(Why::Cold(replica, batch.slice));
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
