//! Validation of a produced batch, as Kafka's leader does it.
//!
//! The order is Kafka's, for it decides which error a batch with two faults gets: the request's
//! shape (one batch, of format 2), the batch (offset, size, checksum), its header, its records.
//! Sources: the answers of Kafka 4.3.1 to malformed batches; KIP-98 (format 2), KIP-32 and KIP-937
//! (timestamps), KIP-467 (errors of single records).

use crate::header::{HEADER_LEN, Header, HeaderError, LOG_OVERHEAD, TimestampType};
use crate::invalid::{Invalid, MAX_REJECTIONS, Named, Rejected, Rejection};
use crate::record::decompress;
use crate::stream::Stream;
use crate::valid::{ValidBatch, check_crc};
use crate::varint::{Fault, Slice, Source, Walked};
use crate::view::BatchView;
use alloc::vec::Vec;
use codecs::Compression;
use ids::Offset;

/// What a topic and its broker ask of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// The broker's time, in milliseconds.
    pub now_millis: i64,
    /// `max.message.bytes`: of the whole batch, compressed.
    pub max_message_bytes: u32,
    /// Whether `cleanup.policy` contains `compact`, so that every record needs a key.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `compression.type`; `None` is `producer`, which keeps what was sent.
    pub target: Option<Compression>,
    /// `compression.gzip.level`, when the broker has to compress.
    pub gzip_level: Option<i32>,
    /// Whether the request's version knows zstd (Produce 7 and later).
    pub zstd_allowed: bool,
    /// Who sent the batch.
    pub origin: Origin,
    /// What compressed records may expand to, in bytes.
    pub max_uncompressed_bytes: u32,
}

/// Who sent a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Origin {
    /// Anyone, with a produce request.
    #[default]
    Client,
    /// A coordinator of this cluster, which may write control records.
    Coordinator,
}

impl Default for Rules {
    /// Kafka's defaults, at time 0.
    fn default() -> Rules {
        Rules {
            now_millis: 0,
            max_message_bytes: 1_048_588,
            compacted: false,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            target: None,
            gzip_level: None,
            zstd_allowed: true,
            origin: Origin::Client,
            max_uncompressed_bytes: 64 << 20,
        }
    }
}

/// Checks what a client wants appended to one partition; a partial batch after it is ignored.
///
/// Compressed records are read through a window and only kept when the topic wants them in
/// another compression. Nothing is allocated for each record.
///
/// # Errors
/// What is wrong, in the order of [`Invalid`].
pub fn validate<'a>(bytes: &'a [u8], rules: &Rules) -> Result<ValidBatch<'a>, Invalid> {
    let batch = the_one_batch(bytes, rules)?;
    check_batch(&batch, rules)?;
    check_crc(&batch)?;
    if rules.origin == Origin::Client {
        check_header(&batch)?;
    }
    let codec = batch.attributes.compression();
    let codec = codec.map_err(Invalid::UnknownCodec)?;
    let found = check_records(&batch, codec, rules);
    let found = found.map_err(|why| naming_records(&batch, rules, why))?;
    finish(&batch, codec, &found, rules)
}

/// How the bytes go on at some point.
enum Shape {
    End,
    Batch { magic: i8, size: u64 },
}

/// The batch that `bytes` begin with, when no other follows.
fn the_one_batch<'a>(bytes: &'a [u8], rules: &Rules) -> Result<BatchView<'a>, Invalid> {
    let Shape::Batch { magic, size } = shape(bytes)? else {
        return Err(Invalid::NoBatch);
    };
    if magic != 2 {
        return Err(Invalid::OldMagic(magic));
    }
    let view = BatchView::parse(bytes).map_err(|error| match error {
        HeaderError::BadLength(length) => Invalid::Shorter(length),
        // 61 bytes may not be there even though a batch says that it ends before them.
        _ => Invalid::Shorter(i32::try_from(size).unwrap_or(i32::MAX)),
    })?;
    if !rules.zstd_allowed && view.attributes.compression() == Ok(Compression::Zstd) {
        return Err(Invalid::ZstdNotYet);
    }
    let rest = bytes.get(view.bytes().len()..).unwrap_or(&[]);
    match shape(rest)? {
        Shape::End => Ok(view),
        Shape::Batch { .. } => Err(Invalid::SecondBatch),
    }
}

/// Kafka's least batch length: what format 0 has before key and value.
const LEAST_LENGTH: i32 = 14;

/// Looks at the fields that stand in the same place in every format.
fn shape(bytes: &[u8]) -> Result<Shape, Invalid> {
    let Some(length) = bytes.get(8..12).and_then(|four| four.try_into().ok()) else {
        return Ok(Shape::End);
    };
    let length = i32::from_be_bytes(length);
    if length < LEAST_LENGTH {
        return Err(Invalid::BadLength(length));
    }
    let Some(&magic) = bytes.get(16) else {
        return Ok(Shape::End);
    };
    let magic = i8::from_be_bytes([magic]);
    if !(0..=2).contains(&magic) {
        return Err(Invalid::UnknownMagic(magic));
    }
    let size = u64::from(length.unsigned_abs()) + u64::from(LOG_OVERHEAD);
    if size > bytes.len() as u64 {
        return Ok(Shape::End);
    }
    Ok(Shape::Batch { magic, size })
}

fn check_batch(batch: &BatchView<'_>, rules: &Rules) -> Result<(), Invalid> {
    if rules.origin == Origin::Client && batch.base_offset != Offset(0) {
        return Err(Invalid::BaseOffset(batch.base_offset.0));
    }
    check_size(batch.header(), rules)
}

fn check_size(header: &Header, rules: &Rules) -> Result<(), Invalid> {
    let max = rules.max_message_bytes;
    if header.total_size() > max {
        let size = u64::from(header.total_size());
        return Err(Invalid::TooLarge { size, max });
    }
    Ok(())
}

fn check_header(batch: &Header) -> Result<(), Invalid> {
    if batch.count <= 0 || batch.last_offset_delta != batch.count - 1 {
        return Err(Invalid::Count {
            count: batch.count,
            last_offset_delta: batch.last_offset_delta,
        });
    }
    if batch.attributes.is_control() {
        return Err(Invalid::Control);
    }
    if batch.producer_id.0 >= 0 && batch.base_sequence < 0 {
        return Err(Invalid::NoSequence(batch.base_sequence));
    }
    Ok(())
}

/// What a walk over the records finds.
struct Found {
    max_timestamp: i64,
    max_timestamp_delta: i32,
}

fn check_records(
    batch: &BatchView<'_>,
    codec: Compression,
    rules: &Rules,
) -> Result<Found, Invalid> {
    if codec == Compression::None {
        let mut source = Slice::new(batch.payload());
        let found = walk_all(batch.header(), &mut source, rules)?;
        if !source.is_empty() {
            return Err(Invalid::Unreadable(Fault::Remaining));
        }
        return Ok(found);
    }
    let cap = u64::from(rules.max_uncompressed_bytes);
    let mut source = Stream::new(codec, batch.payload(), cap);
    let found = walk_all(batch.header(), &mut source, rules)?;
    match source.at_end() {
        Ok(true) => Ok(found),
        Ok(false) => Err(Invalid::Unreadable(Fault::Remaining)),
        Err(fault) => Err(Invalid::Unreadable(fault)),
    }
}

/// Not inlined, so that the loop has the registers to itself.
#[inline(never)]
fn walk_all<S: Source>(header: &Header, source: &mut S, rules: &Rules) -> Result<Found, Invalid> {
    let check = Check::new(header, rules);
    let mut found = Found {
        max_timestamp: -1,
        max_timestamp_delta: 0,
    };
    let mut refusals = Refusals::default();
    let mut index = 0;
    source.records(header.count, |record| {
        if record.offset_delta != index && rules.origin == Origin::Client {
            let found = record.offset_delta;
            return Err(Invalid::OffsetDelta { index, found });
        }
        let timestamp = check.timestamp(record.timestamp_delta);
        if !check.passes(&record, timestamp)
            && let Some(why) = check.refusal(&record, timestamp)
        {
            refusals.push(index, why);
        }
        if timestamp > found.max_timestamp {
            found.max_timestamp = timestamp;
            found.max_timestamp_delta = index;
        }
        index += 1;
        Ok(())
    })?;
    refusals.into_result().map(|()| found)
}

/// The rules for single records, in the form that is quickest to ask.
struct Check {
    needs_key: bool,
    /// The timestamps that need no second look; none when the batch is to be refused.
    earliest: i64,
    latest: i64,
    /// Whether the batch says that a broker gave all its records one time: its highest timestamp.
    claims: bool,
    /// What timestamps are told from, and all or none of the bits that are told.
    base: i64,
    delta_mask: i64,
    rules: Rules,
}

impl Check {
    fn new(header: &Header, rules: &Rules) -> Check {
        let claims = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let (base, delta_mask) = match claims {
            true => (header.max_timestamp, 0),
            false => (header.base_timestamp, -1),
        };
        // A batch that claims so is looked at record by record unless all of it will do.
        let (earliest, latest) = match claims && is_refused(base, rules) {
            true => (i64::MAX, i64::MIN),
            false => accepted(rules),
        };
        Check {
            needs_key: rules.compacted,
            earliest,
            latest,
            claims,
            base,
            delta_mask,
            rules: *rules,
        }
    }

    /// A record's timestamp: its own, or the batch's where a broker is said to have set it.
    #[inline(always)]
    fn timestamp(&self, delta: i64) -> i64 {
        self.base.wrapping_add(delta & self.delta_mask)
    }

    /// Whether a record is all right at first sight.
    #[inline(always)]
    fn passes(&self, record: &Walked, timestamp: i64) -> bool {
        (record.has_key || !self.needs_key)
            && self.earliest <= timestamp
            && timestamp <= self.latest
    }

    /// What is wrong with a record, if anything.
    #[cold]
    fn refusal(&self, record: &Walked, timestamp: i64) -> Option<Rejection> {
        if self.needs_key && !record.has_key {
            return Some(Rejection::NoKey);
        }
        let (earliest, latest) = accepted(&self.rules);
        if timestamp == -1 || (earliest <= timestamp && timestamp <= latest) {
            let refused = self.claims && is_refused(timestamp, &self.rules);
            return refused.then(|| Rejection::LogAppendTime(Named::default()));
        }
        // The bounds as Kafka prints them, where its subtraction wraps.
        let Rules { now_millis, .. } = self.rules;
        Some(Rejection::Timestamp {
            timestamp,
            earliest: now_millis.wrapping_sub(self.rules.timestamp_before_max_ms),
            latest: now_millis.wrapping_add(self.rules.timestamp_after_max_ms),
        })
    }
}

/// Whether a batch is refused for saying that a broker gave its records this time. As in Kafka it only is
/// where the broker would set its own, or where there is no time; else the claim is dropped.
fn is_refused(time: i64, rules: &Rules) -> bool {
    time == -1 || rules.timestamp_type == TimestampType::LogAppendTime
}

/// The first and the last timestamp that a record may have: any, when the broker sets its own.
fn accepted(rules: &Rules) -> (i64, i64) {
    let now = rules.now_millis;
    match rules.timestamp_type {
        TimestampType::LogAppendTime => (i64::MIN, i64::MAX),
        TimestampType::CreateTime => (
            now.saturating_sub(rules.timestamp_before_max_ms),
            now.saturating_add(rules.timestamp_after_max_ms),
        ),
    }
}

impl From<Fault> for Invalid {
    fn from(fault: Fault) -> Invalid {
        Invalid::Unreadable(fault)
    }
}

#[derive(Default)]
struct Refusals {
    rejected: Vec<Rejected>,
    total: u32,
}

impl Refusals {
    #[cold]
    fn push(&mut self, index: i32, why: Rejection) {
        self.total += 1;
        if self.rejected.len() < MAX_REJECTIONS {
            self.rejected.push(Rejected { index, why });
        }
    }

    fn into_result(self) -> Result<(), Invalid> {
        if self.total == 0 {
            return Ok(());
        }
        Err(Invalid::Records {
            rejected: self.rejected,
            total: self.total,
        })
    }
}

/// Fills in what the answer says of the records that are refused, for which the walk has no time.
#[cold]
fn naming_records(batch: &BatchView<'_>, rules: &Rules, mut why: Invalid) -> Invalid {
    let Invalid::Records { rejected, .. } = &mut why else {
        return why;
    };
    let names = |one: &Rejected| matches!(one.why, Rejection::LogAppendTime(_));
    if !rejected.iter().any(names) {
        return why;
    }
    let Ok(plain) = decompress(batch, rules.max_uncompressed_bytes) else {
        return why;
    };
    let length = |field: Option<&[u8]>| {
        field.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
    };
    let mut records = (0..).zip(crate::records(batch.header(), &plain));
    for one in rejected.iter_mut().filter(|one| names(one)) {
        // Both are in ascending order.
        let Some((_, Ok(record))) = records.find(|(index, _)| *index == one.index) else {
            continue;
        };
        one.why = Rejection::LogAppendTime(Named {
            timestamp: record.timestamp,
            key: length(record.key),
            value: length(record.value),
            compressed: batch.attributes.compression() != Ok(Compression::None),
        });
    }
    why
}

/// Makes the proof: recompresses where the topic wants it, and sets the timestamps it decides.
fn finish<'a>(
    batch: &BatchView<'a>,
    codec: Compression,
    found: &Found,
    rules: &Rules,
) -> Result<ValidBatch<'a>, Invalid> {
    let (max_timestamp, delta) = match rules.timestamp_type {
        TimestampType::CreateTime => (found.max_timestamp, found.max_timestamp_delta),
        TimestampType::LogAppendTime => (rules.now_millis, 0),
    };
    let mut valid = ValidBatch::unchanged(batch, delta);
    if let Some(target) = rules.target.filter(|&target| target != codec) {
        let plain = decompress(batch, rules.max_uncompressed_bytes);
        let plain = plain.map_err(|corrupt| Invalid::Unreadable(Fault::Corrupt(corrupt)))?;
        let packed = codecs::compress(target, rules.gzip_level, &plain);
        let size = packed.len() as u64 + u64::from(HEADER_LEN);
        if size > u64::from(rules.max_message_bytes) {
            let max = rules.max_message_bytes;
            return Err(Invalid::TooLarge { size, max });
        }
        valid.repack(target, packed);
    }
    valid.stamp(rules.timestamp_type, max_timestamp);
    Ok(valid)
}
