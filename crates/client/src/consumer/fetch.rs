//! Fetching, and handing records out.
//!
//! What a fetch brings is kept as the bytes it came in and decoded one batch at a time; a partition is
//! fetched again only when all of it has been handed out. So what is buffered is bounded by the fetch
//! limits and one decompressed batch per partition.

use super::{Call, ConsumedRecord, Consumer, Event, Isolation, Key, Place, Position, Reset};
use crate::io::Output;
use crate::net::Node;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, NodeId, Offset, PartitionIndex, Time, Uuid};
use records::{BatchView, Compression, Header, TimestampType};
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::fetch_response::{FetchResponse, PartitionData};

/// The most bytes one compressed batch may grow to; a larger one is an error, not an allocation.
const MAX_BATCH_BYTES: u32 = 256 * 1024 * 1024;
/// Without a fetch session (KIP-227).
const NO_SESSION_EPOCH: i32 = -1;

/// What was fetched from one partition and not handed out yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer {
    records: VecDeque<ConsumedRecord>,
    /// Batches not decoded yet.
    raw: Bytes,
    /// Behind the last batch decoded: where to go on, even when its last records are gone.
    next: Option<Offset>,
    /// Aborted transactions that begin in what is buffered: first offset, producer.
    aborted: VecDeque<(i64, i64)>,
    /// Producers whose records are being left out.
    aborting: SortedSet<i64>,
}

impl Buffer {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.raw.is_empty()
    }
}

impl Consumer {
    /// Hands out up to `max` records, one partition's after the other in the order in which they came in.
    ///
    /// What earlier calls handed out counts as processed now. Give [`Consumer::step`] a `Timer` after it.
    pub fn poll_records(&mut self, now: Time, max: usize) -> Vec<ConsumedRecord> {
        self.polled(now);
        for position in self.positions.values_mut() {
            position.take_as_processed();
        }
        let mut records = Vec::new();
        while records.len() < max {
            let Some(key) = self.ready.front().cloned() else {
                break;
            };
            if let Err(message) = self.drain(&key, max, &mut records) {
                self.error(ErrorCode::CORRUPT_MESSAGE, message);
            }
            let left = self
                .positions
                .get(&key)
                .is_some_and(|p| !p.buffer.is_empty());
            if !left {
                self.ready.pop_front();
            }
        }
        records
    }

    /// Records fetched and decoded, or at least fetched, that wait to be handed out.
    #[must_use]
    pub fn has_records(&self) -> bool {
        !self.ready.is_empty()
    }

    fn drain(
        &mut self,
        key: &Key,
        max: usize,
        records: &mut Vec<ConsumedRecord>,
    ) -> Result<(), alloc::string::String> {
        let isolation = self.config.isolation;
        let Some(position) = self.positions.get_mut(key) else {
            return Ok(());
        };
        while records.len() < max {
            if let Some(record) = position.buffer.records.pop_front() {
                position.position = Some(record.offset.plus(1));
                position.position_epoch = record.leader_epoch;
                records.push(record);
                continue;
            }
            if let Some(next) = position.buffer.next.take() {
                position.position = position.position.map(|at| at.max(next));
            }
            if position.buffer.raw.is_empty() {
                break;
            }
            decode_batch(key, position, isolation)?;
        }
        if position.buffer.records.is_empty()
            && let Some(next) = position.buffer.next.take()
        {
            position.position = position.position.map(|at| at.max(next));
        }
        Ok(())
    }

    /// Sends a fetch to every leader that none is under way to.
    pub(super) fn pump_fetches(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.closing || self.failures > 0 && self.not_before > now {
            return;
        }
        if self.is_member() && !self.group.is_stable() {
            return;
        }
        let busy = self.calls.values().filter_map(|call| match call {
            Call::Fetch(leader, _) => Some(*leader),
            _ => None,
        });
        let busy: SortedSet<NodeId> = busy.collect();
        let mut wanted: SortedMap<NodeId, Vec<(Key, Offset)>> = SortedMap::new();
        let mut leaderless = Vec::new();
        for (key, position) in &self.positions {
            let (Place::Found, Some(at)) = (position.place, position.position) else {
                continue;
            };
            if !position.buffer.is_empty() {
                continue;
            }
            match self
                .net
                .metadata()
                .partition(&key.0, key.1)
                .and_then(|known| known.leader)
            {
                Some(leader) if busy.contains(&leader) => {}
                Some(leader) => wanted.entry(leader).or_default().push((key.clone(), at)),
                None => leaderless.push(key.clone()),
            }
        }
        let waits = self.failures > 0 && self.not_before > now;
        if !leaderless.is_empty() && !waits {
            self.look_for_leaders(now, &leaderless);
        }
        for (leader, asked) in wanted {
            self.send_fetch(now, leader, asked, out);
        }
    }

    fn send_fetch(
        &mut self,
        now: Time,
        leader: NodeId,
        asked: Vec<(Key, Offset)>,
        out: &mut Vec<Output>,
    ) {
        let node = Node::Broker(leader);
        if !self.net.ready(now, node, out) {
            return;
        }
        // From version 13 on topics are named by id: all of them must have one.
        let metadata = self.net.metadata();
        let id = |key: &Key| metadata.topic(&key.0).map_or(Uuid::ZERO, |topic| topic.id);
        let all_have_ids = asked.iter().all(|(key, _)| id(key) != Uuid::ZERO);
        let cap = if all_have_ids { i16::MAX } else { 12 };
        let Some(version) = self.net.version::<FetchRequest>(node, cap) else {
            return;
        };
        let request = self.fetch_request(&asked, version);
        if let Some(correlation) = self.net.send(now, node, version, &request, out) {
            self.calls.insert(correlation, Call::Fetch(leader, asked));
        }
    }

    fn fetch_request(&self, asked: &[(Key, Offset)], version: i16) -> FetchRequest {
        let metadata = self.net.metadata();
        let mut topics: Vec<FetchTopic> = Vec::new();
        let mut last: Option<&Arc<str>> = None;
        for ((topic, partition), offset) in asked {
            if last != Some(topic) {
                last = Some(topic);
                topics.push(FetchTopic {
                    topic: if version >= 13 {
                        Str::EMPTY
                    } else {
                        Str::from(topic.as_ref())
                    },
                    topic_id: metadata.topic(topic).map_or(Uuid::ZERO, |topic| topic.id),
                    ..Default::default()
                });
            }
            let epoch = metadata
                .partition(topic, *partition)
                .map_or(-1, |p| p.leader_epoch);
            if let Some(last) = topics.last_mut() {
                last.partitions.push(FetchPartition {
                    partition: *partition,
                    current_leader_epoch: epoch,
                    fetch_offset: offset.0,
                    partition_max_bytes: self.config.partition_max_bytes.cast_signed(),
                    ..Default::default()
                });
            }
        }
        FetchRequest {
            replica_id: -1,
            max_wait_ms: self.config.fetch_max_wait_ms.cast_signed(),
            min_bytes: self.config.fetch_min_bytes.cast_signed(),
            max_bytes: self.config.fetch_max_bytes.cast_signed(),
            isolation_level: self.isolation_level(),
            session_id: 0,
            session_epoch: NO_SESSION_EPOCH,
            topics,
            ..Default::default()
        }
    }

    pub(super) fn on_fetched(
        &mut self,
        now: Time,
        asked: &[(Key, Offset)],
        version: i16,
        frame: Bytes,
    ) {
        let Ok((_, response)) = wire::decode_response::<FetchResponse>(frame, version) else {
            self.back_off(now);
            return;
        };
        let code = ErrorCode(response.error_code);
        if !code.is_ok() {
            self.on_fetch_error(now, None, code);
            return;
        }
        self.failures = 0;
        for topic in response.responses {
            let name = if version >= 13 {
                self.net.metadata().name_of(topic.topic_id).cloned()
            } else {
                Some(Arc::from(topic.topic.as_str()))
            };
            let Some(name) = name else {
                self.net.refresh_metadata();
                continue;
            };
            for partition in topic.partitions {
                let key = (name.clone(), partition.partition_index);
                let offset = asked
                    .iter()
                    .find(|(asked, _)| *asked == key)
                    .map(|(_, at)| *at);
                self.take_partition(now, key, offset, partition);
            }
        }
    }

    fn take_partition(
        &mut self,
        now: Time,
        key: Key,
        asked: Option<Offset>,
        answer: PartitionData,
    ) {
        let Some(position) = self.positions.get_mut(&key) else {
            return;
        };
        // After a seek or another assignment, an older answer is about something else.
        if asked.is_none() || position.position != asked || !position.buffer.is_empty() {
            return;
        }
        let code = ErrorCode(answer.error_code);
        if !code.is_ok() {
            self.on_fetch_error(now, Some(&key), code);
            return;
        }
        position.high_watermark = Offset(answer.high_watermark);
        let Some(raw) = answer.records.bytes().filter(|raw| !raw.is_empty()) else {
            return;
        };
        let aborted = answer.aborted_transactions.unwrap_or_default();
        let mut aborted: Vec<(i64, i64)> = aborted
            .iter()
            .map(|a| (a.first_offset, a.producer_id))
            .collect();
        sorted::sort(&mut aborted);
        position.buffer = Buffer {
            raw: raw.clone(),
            aborted: aborted.into(),
            ..Default::default()
        };
        self.ready.push_back(key);
    }

    fn on_fetch_error(&mut self, now: Time, key: Option<&Key>, code: ErrorCode) {
        let reset = self.config.reset;
        if let (ErrorCode::OFFSET_OUT_OF_RANGE, Some(key)) = (code, key) {
            let Some(position) = self.positions.get_mut(key) else {
                return;
            };
            let at = position.position.unwrap_or_default();
            match reset {
                Reset::None => {
                    position.needs(Place::Nowhere);
                    let message = format!(
                        "Fetch position {} is out of range for partition {}-{}, and no reset policy is set",
                        at.0, key.0, key.1
                    );
                    self.error(code, message);
                }
                reset => position.needs(Place::NeedsReset(reset)),
            }
            return;
        }
        if code == ErrorCode::TOPIC_AUTHORIZATION_FAILED {
            self.events.push_back(Event::Error {
                code,
                message: crate::errors::message(code).into(),
            });
        }
        self.net.refresh_metadata();
        self.back_off(now);
    }
}

/// Decodes the next batch of a partition into records; drops what cannot be read.
fn decode_batch(
    key: &Key,
    position: &mut Position,
    isolation: Isolation,
) -> Result<(), alloc::string::String> {
    let from = position.position.unwrap_or_default();
    let buffer = &mut position.buffer;
    let raw = buffer.raw.clone();
    let Ok(batch) = BatchView::parse(&raw) else {
        // Kafka cuts the last batch of a fetch where the limit falls; the rest comes with the next one.
        buffer.raw = Bytes::new();
        return Ok(());
    };
    let size = batch.bytes().len();
    buffer.raw = raw.slice(size.min(raw.len())..);
    buffer.next = Some(batch.next_offset());
    let corrupt = |what: &str| {
        format!(
            "Record batch for partition {}-{} at offset {} is invalid, cause: {what}",
            key.0, key.1, batch.base_offset
        )
    };
    if !batch.crc_is_valid() {
        return Err(corrupt("Record is corrupt"));
    }
    if batch.attributes.is_control() {
        end_of_transaction(buffer, &batch);
        return Ok(());
    }
    if isolation == Isolation::ReadCommitted && is_aborted(buffer, &batch) {
        return Ok(());
    }
    let payload = match batch.attributes.compression() {
        Ok(Compression::None) => raw.slice_ref(batch.payload()),
        _ => {
            let opened = records::decompress(&batch, MAX_BATCH_BYTES);
            Bytes::from(opened.map_err(|_| corrupt("its compressed records cannot be read"))?)
        }
    };
    for record in records::records(batch.header(), &payload) {
        let record = record.map_err(|_| corrupt("its records cannot be read"))?;
        if record.offset >= from {
            buffer
                .records
                .push_back(consumed(key, batch.header(), &payload, &record));
        }
    }
    Ok(())
}

fn consumed(
    key: &Key,
    batch: &Header,
    payload: &Bytes,
    record: &records::Record<'_>,
) -> ConsumedRecord {
    let slice = |part: &[u8]| payload.slice_ref(part);
    ConsumedRecord {
        topic: key.0.clone(),
        partition: PartitionIndex(key.1),
        offset: record.offset,
        leader_epoch: batch.partition_leader_epoch.0,
        timestamp: record.timestamp,
        log_append_time: batch.attributes.timestamp_type() == TimestampType::LogAppendTime,
        key: record.key.map(slice),
        value: record.value.map(slice),
        headers: record
            .headers()
            .map(|h| (slice(h.key), h.value.map(slice)))
            .collect(),
    }
}

/// A marker: the transaction of its producer is over, and with it the leaving out of its records.
fn end_of_transaction(buffer: &mut Buffer, batch: &BatchView<'_>) {
    begin_aborted(buffer, batch.last_offset());
    buffer.aborting.remove(&batch.producer_id.0);
}

/// Whether the batch belongs to a transaction that was aborted later on.
fn is_aborted(buffer: &mut Buffer, batch: &BatchView<'_>) -> bool {
    begin_aborted(buffer, batch.last_offset());
    batch.attributes.is_transactional() && buffer.aborting.contains(&batch.producer_id.0)
}

fn begin_aborted(buffer: &mut Buffer, upto: Offset) {
    while let Some(&(first, producer)) = buffer.aborted.front() {
        if first > upto.0 {
            return;
        }
        buffer.aborted.pop_front();
        buffer.aborting.insert(producer);
    }
}
