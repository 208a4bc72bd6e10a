//! Kafka's files around the segments: their names and their bytes, both ways.

use crate::epochs::EpochStart;
use crate::index::{OffsetEntry, TimeEntry};
use crate::producers::{AbortedTxn, Producer, ProducerBatch};
use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;
use ids::{
    LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, SnapshotId, Uuid,
};
use sorted::SortedMap;

/// A file in a partition's directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LogFile {
    /// The batches from this base offset on.
    Log(Offset),
    /// The offset index of a segment.
    Index(Offset),
    /// The time index of a segment.
    TimeIndex(Offset),
    /// The aborted transactions of a segment; only where there are any.
    TxnIndex(Offset),
    /// The producers as they were when the log ended at this offset.
    Snapshot(Offset),
    /// Where each leader epoch began.
    LeaderEpochs,
    /// The topic's id.
    PartitionMetadata,
    /// What a node may not forget of the quorum's elections; beside the metadata log only.
    QuorumState,
    /// What the metadata log's records below an offset add up to.
    MetadataSnapshot(SnapshotId),
}

impl LogFile {
    /// Kafka's name of the file, offsets in 20 digits.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            LogFile::Log(base) => format!("{:020}.log", base.0),
            LogFile::Index(base) => format!("{:020}.index", base.0),
            LogFile::TimeIndex(base) => format!("{:020}.timeindex", base.0),
            LogFile::TxnIndex(base) => format!("{:020}.txnindex", base.0),
            LogFile::Snapshot(end) => format!("{:020}.snapshot", end.0),
            LogFile::LeaderEpochs => String::from("leader-epoch-checkpoint"),
            LogFile::PartitionMetadata => String::from("partition.metadata"),
            LogFile::QuorumState => String::from("quorum-state"),
            LogFile::MetadataSnapshot(id) => id.name(),
        }
    }

    /// Reads a file's name; `None` for a file that is no part of a log.
    #[must_use]
    pub fn parse(name: &str) -> Option<LogFile> {
        match name {
            "leader-epoch-checkpoint" => return Some(LogFile::LeaderEpochs),
            "partition.metadata" => return Some(LogFile::PartitionMetadata),
            "quorum-state" => return Some(LogFile::QuorumState),
            _ => {}
        }
        if let Some(id) = SnapshotId::parse(name) {
            return Some(LogFile::MetadataSnapshot(id));
        }
        let (digits, kind) = name.split_once('.')?;
        if digits.len() != 20 || !digits.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let offset = Offset(digits.parse().ok()?);
        match kind {
            "log" => Some(LogFile::Log(offset)),
            "index" => Some(LogFile::Index(offset)),
            "timeindex" => Some(LogFile::TimeIndex(offset)),
            "txnindex" => Some(LogFile::TxnIndex(offset)),
            "snapshot" => Some(LogFile::Snapshot(offset)),
            _ => None,
        }
    }
}

/// The bytes of an offset index: relative offset i32, position i32, in order.
pub fn encode_offset_index<'a>(entries: impl IntoIterator<Item = &'a OffsetEntry>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend(entry.relative.to_be_bytes());
        out.extend(entry.position.to_be_bytes());
    }
    out
}

/// Reads an offset index up to its end or to the zeros that Kafka preallocates.
///
/// `None` when the entries do not rise or the length is no whole number of them.
#[must_use]
pub fn decode_offset_index(bytes: &[u8]) -> Option<Vec<OffsetEntry>> {
    let mut entries: Vec<OffsetEntry> = Vec::new();
    let (chunks, []) = bytes.as_chunks::<{ OffsetEntry::SIZE }>() else {
        return None;
    };
    for chunk in chunks {
        let mut input = Input(chunk);
        let entry = OffsetEntry {
            relative: input.i32()?,
            position: input.u32()?,
        };
        if chunk == &[0; OffsetEntry::SIZE] {
            // No entry looks like padding: the first batch of a segment never has one.
            break;
        }
        let rises = entries
            .last()
            .is_none_or(|last| entry.relative > last.relative && entry.position > last.position);
        if !rises || entry.relative < 0 {
            return None;
        }
        entries.push(entry);
    }
    Some(entries)
}

/// The bytes of a time index: timestamp i64, relative offset i32, in order.
pub fn encode_time_index<'a>(entries: impl IntoIterator<Item = &'a TimeEntry>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend(entry.timestamp.to_be_bytes());
        out.extend(entry.relative.to_be_bytes());
    }
    out
}

/// Reads a time index up to its end or to the zeros that Kafka preallocates.
///
/// `None` when the entries do not rise or the length is no whole number of them.
#[must_use]
pub fn decode_time_index(bytes: &[u8]) -> Option<Vec<TimeEntry>> {
    let mut entries: Vec<TimeEntry> = Vec::new();
    let (chunks, []) = bytes.as_chunks::<{ TimeEntry::SIZE }>() else {
        return None;
    };
    let used = chunks
        .iter()
        .rposition(|chunk| chunk != &[0; TimeEntry::SIZE])
        .map_or(0, |last| last + 1);
    for chunk in chunks.get(..used)? {
        let mut input = Input(chunk);
        let entry = TimeEntry {
            timestamp: input.i64()?,
            relative: input.i32()?,
        };
        let rises = entries
            .last()
            .is_none_or(|last| entry.timestamp > last.timestamp && entry.relative >= last.relative);
        if !rises || entry.relative < 0 {
            return None;
        }
        entries.push(entry);
    }
    Some(entries)
}

/// The bytes of a transaction index: 34 bytes for each aborted transaction.
pub fn encode_txn_index<'a>(entries: impl IntoIterator<Item = &'a AbortedTxn>) -> Vec<u8> {
    let mut out = Vec::new();
    for txn in entries {
        out.extend(0i16.to_be_bytes());
        out.extend(txn.producer_id.0.to_be_bytes());
        out.extend(txn.first_offset.0.to_be_bytes());
        out.extend(txn.last_offset.0.to_be_bytes());
        out.extend(txn.last_stable_offset.0.to_be_bytes());
    }
    out
}

/// Reads a transaction index; `None` when it is cut off or of another version.
#[must_use]
pub fn decode_txn_index(bytes: &[u8]) -> Option<Vec<AbortedTxn>> {
    let mut input = Input(bytes);
    let mut entries = Vec::new();
    while !input.0.is_empty() {
        if input.i16()? != 0 {
            return None;
        }
        entries.push(AbortedTxn {
            producer_id: ProducerId(input.i64()?),
            first_offset: Offset(input.i64()?),
            last_offset: Offset(input.i64()?),
            last_stable_offset: Offset(input.i64()?),
        });
    }
    Some(entries)
}

/// The bytes of a producer snapshot: version 1, CRC-32C of what follows it, 46 bytes a producer.
pub fn encode_snapshot<'a>(
    producers: impl ExactSizeIterator<Item = (ProducerId, &'a Producer)>,
) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 + producers.len() * 46);
    body.extend((producers.len() as i32).to_be_bytes());
    for (id, producer) in producers {
        let none = ProducerBatch {
            last_sequence: -1,
            last_offset: -1,
            offset_delta: 0,
            timestamp: -1,
        };
        let batch = producer.last_batch().unwrap_or(&none);
        body.extend(id.0.to_be_bytes());
        body.extend(producer.epoch.0.to_be_bytes());
        body.extend(batch.last_sequence.to_be_bytes());
        body.extend(batch.last_offset.to_be_bytes());
        body.extend(batch.offset_delta.to_be_bytes());
        body.extend(producer.last_timestamp.to_be_bytes());
        body.extend(producer.coordinator_epoch.to_be_bytes());
        let open = producer.transaction_start.map_or(-1, |first| first.0);
        body.extend(open.to_be_bytes());
    }
    let mut out = Vec::with_capacity(6 + body.len());
    out.extend(1i16.to_be_bytes());
    out.extend(codecs::crc32c(&body).to_be_bytes());
    out.extend(body);
    out
}

/// Reads a producer snapshot; `None` when its checksum or anything else is wrong.
#[must_use]
pub fn decode_snapshot(bytes: &[u8]) -> Option<Vec<(ProducerId, Producer)>> {
    let mut input = Input(bytes);
    if input.i16()? != 1 || input.u32()? != codecs::crc32c(bytes.get(6..)?) {
        return None;
    }
    let count = input.i32()?;
    let mut producers = Vec::new();
    for _ in 0..count {
        let id = ProducerId(input.i64()?);
        let epoch = ProducerEpoch(input.i16()?);
        let (last_sequence, last_offset) = (input.i32()?, input.i64()?);
        let (offset_delta, timestamp) = (input.i32()?, input.i64()?);
        let batch = ProducerBatch {
            last_sequence,
            last_offset,
            offset_delta,
            timestamp,
        };
        let mut producer = Producer::new(epoch, (last_offset >= 0).then_some(batch), timestamp);
        producer.coordinator_epoch = input.i32()?;
        let open = input.i64()?;
        producer.transaction_start = (open >= 0).then_some(Offset(open));
        producers.push((id, producer));
    }
    input.0.is_empty().then_some(producers)
}

/// The text of `leader-epoch-checkpoint`: version, count, then `epoch start` a line.
#[must_use]
pub fn encode_leader_epochs(entries: &[EpochStart]) -> Vec<u8> {
    let mut text = format!("0\n{}\n", entries.len());
    for entry in entries {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {}", entry.epoch, entry.start);
    }
    text.into_bytes()
}

/// Reads `leader-epoch-checkpoint`; `None` when it is anything else.
#[must_use]
pub fn decode_leader_epochs(bytes: &[u8]) -> Option<Vec<EpochStart>> {
    checkpoint_lines(bytes)?
        .map(|line| {
            let (epoch, start) = line.split_once(' ')?;
            Some(EpochStart {
                epoch: LeaderEpoch(epoch.parse().ok()?),
                start: Offset(start.parse().ok()?),
            })
        })
        .collect()
}

/// An offset for each partition, as the checkpoint files of a log directory hold it.
pub type OffsetCheckpoint = SortedMap<(String, PartitionIndex), Offset>;

/// The text of `recovery-point-offset-checkpoint` and its like: `topic partition offset` a line.
#[must_use]
pub fn encode_offset_checkpoint(offsets: &OffsetCheckpoint) -> Vec<u8> {
    let mut text = format!("0\n{}\n", offsets.len());
    for ((topic, partition), offset) in offsets {
        let _ = writeln!(text, "{topic} {partition} {offset}");
    }
    text.into_bytes()
}

/// Reads an offset checkpoint; `None` when it is anything else.
#[must_use]
pub fn decode_offset_checkpoint(bytes: &[u8]) -> Option<OffsetCheckpoint> {
    checkpoint_lines(bytes)?
        .map(|line| {
            let mut words = line.split(' ');
            let topic = String::from(words.next()?);
            let partition = PartitionIndex(words.next()?.parse().ok()?);
            let offset = Offset(words.next()?.parse().ok()?);
            words
                .next()
                .is_none()
                .then_some(((topic, partition), offset))
        })
        .collect()
}

/// The lines of a checkpoint of version 0, when there are as many as it says.
fn checkpoint_lines(bytes: &[u8]) -> Option<impl Iterator<Item = &str>> {
    let mut lines = core::str::from_utf8(bytes).ok()?.lines();
    if lines.next()? != "0" {
        return None;
    }
    let count: usize = lines.next()?.parse().ok()?;
    (lines.clone().count() == count).then_some(lines)
}

/// The text of `partition.metadata`.
#[must_use]
pub fn encode_partition_metadata(topic_id: Uuid) -> Vec<u8> {
    format!("version: 0\ntopic_id: {topic_id}").into_bytes()
}

/// Reads the topic's id from `partition.metadata`.
#[must_use]
pub fn decode_partition_metadata(bytes: &[u8]) -> Option<Uuid> {
    let mut lines = core::str::from_utf8(bytes).ok()?.lines();
    if lines.next()? != "version: 0" {
        return None;
    }
    Uuid::parse(lines.next()?.strip_prefix("topic_id: ")?)
}

/// What `meta.properties` says about a log directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaProperties {
    /// The node that the directory belongs to.
    pub node_id: NodeId,
    /// The directory's own id (KIP-858).
    pub directory_id: Uuid,
    /// The cluster's id, as text.
    pub cluster_id: String,
}

impl MetaProperties {
    /// The text of `meta.properties`, version 1; Kafka puts the time into a comment, we do not.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let MetaProperties {
            node_id,
            directory_id,
            cluster_id,
        } = self;
        let ids = format!("node.id={node_id}\ndirectory.id={directory_id}\n");
        format!("#\n{ids}version=1\ncluster.id={cluster_id}\n").into_bytes()
    }

    /// Reads `meta.properties`; `None` when a property is missing or the version is not 1.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<MetaProperties> {
        let text = core::str::from_utf8(bytes).ok()?;
        let property = |name: &str| {
            (text.lines().map(str::trim))
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once('='))
                .find_map(|(key, value)| (key.trim() == name).then(|| value.trim()))
        };
        if property("version")? != "1" {
            return None;
        }
        Some(MetaProperties {
            node_id: NodeId(property("node.id")?.parse().ok()?),
            directory_id: Uuid::parse(property("directory.id")?)?,
            cluster_id: String::from(property("cluster.id")?),
        })
    }
}

/// Big-endian numbers taken from the front of some bytes.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }
}
