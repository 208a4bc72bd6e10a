//! Looking into a log: records as consumers get them, and a batch as it lies there.

use crate::world::World;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use client::partitioner::explain;
use ids::{NodeId, Offset, PartitionIndex, TopicIdPartition};
use log::{Log, LogSlice, Lookup};
use records::spans::record_spans;
use records::{Compression, Header, decompress};
use serde::Serialize;

/// The most that one batch may decompress to while it is looked at.
const BATCH_BYTES_MAX: u32 = 16 << 20;
/// Records given in one answer.
const RECORDS_MAX: usize = 10_000;

/// A record as `records()` gives it; bytes are base64.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct RecordView {
    pub offset: String,
    pub timestamp: String,
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: Vec<HeaderView>,
}

/// A record's header.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct HeaderView {
    pub key: String,
    pub value: Option<String>,
}

/// What a batch says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the document's own names")]
pub struct BatchView {
    pub base_offset: String,
    pub last_offset: String,
    pub records: i32,
    /// One of `none`, `gzip`, `snappy`, `lz4`, `zstd`.
    pub codec: &'static str,
    pub partition_leader_epoch: i32,
    pub producer_id: String,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    /// One of `CreateTime`, `LogAppendTime`.
    pub timestamp_type: &'static str,
    pub transactional: bool,
    pub control: bool,
    pub crc: u32,
}

/// A field of the batch's bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct Span {
    /// Kafka's name of the field.
    pub name: String,
    pub start: u32,
    pub end: u32,
    /// What it belongs to. One of `batch`, `record`, `otherRecord`.
    pub part: &'static str,
    /// In words, e.g. `38` or `lz4`; empty for opaque bytes.
    pub value: String,
}

/// How a key leads to its partition.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct Partitioning {
    pub hash: i32,
    pub positive: i32,
    pub partitions: i32,
    pub partition: i32,
}

/// One record with everything around it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the document's own names")]
pub struct Inspection {
    pub record: RecordView,
    pub batch: BatchView,
    /// The batch as it lies in the log: carried beside the document.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// Fields of the batch header, and of this record if the batch is not compressed; they cover every byte once,
    /// in order.
    pub spans: Vec<Span>,
    /// Why this partition; null when there is no key. `hash` is murmur2 as a signed 32-bit number.
    pub partitioning: Option<Partitioning>,
}

/// What looking found.
#[derive(Clone, Debug, PartialEq)]
pub enum Looked<T> {
    /// It is there.
    Found(T),
    /// There is no such record.
    Nothing,
    /// These bytes must be loaded first.
    Cold(LogSlice),
}

/// One partition's log, to look into. Bytes that are not in memory are put into this copy alone,
/// so that looking changes nothing in the world; chunks are shared.
#[derive(Clone, Debug)]
pub struct Look {
    node: NodeId,
    name: TopicIdPartition,
    partitions: i32,
    log: Log,
}

impl World {
    /// A look into the leader's log of a partition; `None` when there is none.
    #[must_use]
    pub fn look(&self, topic: &str, partition: i32) -> Option<Look> {
        let (node, name, log) = self
            .state
            .leader_replica(topic, PartitionIndex(partition))?;
        Some(Look {
            node,
            name: name.clone(),
            partitions: self.partition_count(topic),
            log: log.clone(),
        })
    }

    /// Up to `max` records from an offset on, as [`Look::records`] gives them.
    #[must_use]
    pub fn records(
        &self,
        topic: &str,
        partition: i32,
        from: i64,
        max: usize,
    ) -> Looked<Vec<RecordView>> {
        self.look(topic, partition)
            .map_or(Looked::Nothing, |look| look.records(from, max))
    }

    /// A record, as [`Look::inspect`] gives it.
    #[must_use]
    pub fn inspect(&self, topic: &str, partition: i32, offset: i64) -> Looked<Inspection> {
        self.look(topic, partition)
            .map_or(Looked::Nothing, |look| look.inspect(offset))
    }
}

impl Look {
    /// Whose log it is: where the bytes that are not in memory are to be found.
    #[must_use]
    pub fn place(&self) -> (NodeId, &TopicIdPartition) {
        (self.node, &self.name)
    }

    /// Hands in bytes that were [`Looked::Cold`]; `false` when they are not those.
    pub fn install(&mut self, slice: &LogSlice, bytes: Bytes) -> bool {
        self.log.install(slice, bytes)
    }

    /// Up to `max` records from an offset on, as a consumer gets them; control records are left out.
    #[must_use]
    pub fn records(&self, from: i64, max: usize) -> Looked<Vec<RecordView>> {
        let log = &self.log;
        let mut found = Vec::new();
        let mut at = Offset(from).max(log.log_start());
        let max = max.min(RECORDS_MAX);
        while found.len() < max && at < log.high_watermark() {
            let (header, bytes) = match batch_at(log, at) {
                Looked::Found(batch) => batch,
                Looked::Nothing => break,
                Looked::Cold(slice) => return Looked::Cold(slice),
            };
            at = header.next_offset();
            if header.attributes.is_control() {
                continue;
            }
            each_record(&bytes, |record| {
                if record.offset.0 >= from && record.offset >= log.log_start() && found.len() < max
                {
                    found.push(record_view(record));
                }
            });
        }
        Looked::Found(found)
    }

    /// A record, its batch, the bytes and what each of them means.
    #[must_use]
    pub fn inspect(&self, offset: i64) -> Looked<Inspection> {
        let log = &self.log;
        if Offset(offset) < log.log_start() || Offset(offset) >= log.log_end() {
            return Looked::Nothing;
        }
        let (header, bytes) = match batch_at(log, Offset(offset)) {
            Looked::Found(batch) => batch,
            Looked::Nothing => return Looked::Nothing,
            Looked::Cold(slice) => return Looked::Cold(slice),
        };
        let mut found = None;
        let mut place = 0;
        let mut index = 0;
        let mut key: Option<Vec<u8>> = None;
        each_record(&bytes, |record| {
            if record.offset.0 == offset {
                found = Some(record_view(record));
                key = record.key.map(<[u8]>::to_vec);
                place = index;
            }
            index += 1;
        });
        let Some(record) = found else {
            return Looked::Nothing;
        };
        let partitioning = key.map(|key| {
            let steps = explain(&key, self.partitions);
            Partitioning {
                hash: steps.hash,
                positive: steps.positive,
                partitions: steps.partitions,
                partition: steps.partition.0,
            }
        });
        Looked::Found(Inspection {
            record,
            batch: batch_view(&header),
            spans: spans(&bytes, place),
            bytes: bytes.to_vec(),
            partitioning,
        })
    }
}

fn batch_at(log: &Log, offset: Offset) -> Looked<(Header, Bytes)> {
    match log.batch_at(offset) {
        Lookup::Batch(batch) => match log.slice_pieces(&batch.slice) {
            Some(pieces) => Looked::Found((batch.header, Bytes::from(pieces.concat()))),
            None => Looked::Cold(batch.slice),
        },
        Lookup::None => Looked::Nothing,
        Lookup::Cold(slice) => Looked::Cold(slice),
    }
}

/// Calls `each` for every record of a batch that can be read.
pub(crate) fn each_record(bytes: &[u8], mut each: impl FnMut(&records::Record<'_>)) {
    let Ok(view) = records::BatchView::parse(bytes) else {
        return;
    };
    if let Some(plain) = view.records() {
        plain.flatten().for_each(|record| each(&record));
        return;
    }
    if let Ok(payload) = decompress(&view, BATCH_BYTES_MAX) {
        records::records(view.header(), &payload)
            .flatten()
            .for_each(|record| each(&record));
    }
}

fn record_view(record: &records::Record<'_>) -> RecordView {
    let header = |header: records::RecordHeader<'_>| HeaderView {
        key: header.name().to_string(),
        value: header.value.map(base64),
    };
    RecordView {
        offset: record.offset.to_string(),
        timestamp: record.timestamp.to_string(),
        key: record.key.map(base64),
        value: record.value.map(base64),
        headers: record.headers().map(header).collect(),
    }
}

fn batch_view(header: &Header) -> BatchView {
    BatchView {
        base_offset: header.base_offset.to_string(),
        last_offset: header.last_offset().to_string(),
        records: header.count,
        codec: codec_name(header),
        partition_leader_epoch: header.partition_leader_epoch.0,
        producer_id: header.producer_id.to_string(),
        producer_epoch: header.producer_epoch.0,
        base_sequence: header.base_sequence,
        timestamp_type: match header.attributes.timestamp_type() {
            records::TimestampType::CreateTime => "CreateTime",
            records::TimestampType::LogAppendTime => "LogAppendTime",
        },
        transactional: header.attributes.is_transactional(),
        control: header.attributes.is_control(),
        crc: header.crc,
    }
}

fn codec_name(header: &Header) -> &'static str {
    match header.attributes.compression() {
        Ok(Compression::Gzip) => "gzip",
        Ok(Compression::Snappy) => "snappy",
        Ok(Compression::Lz4) => "lz4",
        Ok(Compression::Zstd) => "zstd",
        Ok(Compression::None) | Err(_) => "none",
    }
}

/// The fields of a batch's bytes; those of the record at `place` are told from the others'.
fn spans(bytes: &[u8], place: usize) -> Vec<Span> {
    let mut record = None;
    let mut out = Vec::new();
    for span in record_spans(bytes) {
        let in_batch =
            span.start < 61 || span.name == "compressedRecords" || span.name == "unreadable";
        if !in_batch && span.name == "length" {
            record = Some(record.map_or(0, |record: usize| record + 1));
        }
        let part = match record {
            _ if in_batch => "batch",
            Some(record) if record == place => "record",
            _ => "otherRecord",
        };
        let field = bytes
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default();
        let value = field_text(span.name, field, in_batch);
        out.push(Span {
            name: span.name.to_string(),
            start: span.start,
            end: span.end,
            part,
            value,
        });
    }
    out
}

/// A field's value in words: numbers of the header as they are, text as text.
fn field_text(name: &str, field: &[u8], in_batch: bool) -> String {
    if in_batch {
        let number = field
            .iter()
            .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let bits = 8 * u32::try_from(field.len()).unwrap_or(8).min(8);
        return match name {
            "crc" => format!("{number:#010x}"),
            "attributes" => format!("{number:#06x}"),
            _ if field.len() > 8 || bits == 0 => String::new(),
            // Sign-extended: every number of the header is signed.
            _ => ((number << (64 - bits)) as i64 >> (64 - bits)).to_string(),
        };
    }
    match name {
        "key" | "value" | "headerKey" | "headerValue" => {
            String::from_utf8_lossy(field).chars().take(200).collect()
        }
        _ => zigzag(field)
            .map(|number| number.to_string())
            .unwrap_or_default(),
    }
}

/// A zigzag varint's number.
fn zigzag(field: &[u8]) -> Option<i64> {
    if field.is_empty() || field.len() > 10 {
        return None;
    }
    let raw = field
        .iter()
        .rev()
        .fold(0u64, |number, byte| number << 7 | u64::from(byte & 0x7f));
    Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for i in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= group.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{base64, zigzag};

    #[test]
    fn base64_is_the_standard_one() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"a"), "YQ==");
        assert_eq!(base64(b"ab"), "YWI=");
        assert_eq!(base64(b"abc"), "YWJj");
    }

    #[test]
    fn varints_are_read_as_records_write_them() {
        assert_eq!(zigzag(&[0x01]), Some(-1));
        assert_eq!(zigzag(&[0x80, 0x01]), Some(64));
        assert_eq!(zigzag(&[]), None);
    }
}
