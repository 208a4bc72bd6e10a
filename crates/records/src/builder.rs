//! Building batches, byte for byte as Kafka's Java client builds them.

use crate::header::{Attributes, HEADER_LEN, Header, TimestampType};
use crate::valid::ValidBatch;
use crate::varint::{put_varint, put_varlong, varlong_len};
use alloc::vec::Vec;
use codecs::Compression;
use ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// What a batch says about itself beside its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchOptions {
    /// Offset of the first record; a client sends 0.
    pub base_offset: Offset,
    /// Epoch of the appending leader; a client sends -1.
    pub leader_epoch: LeaderEpoch,
    /// The codec.
    pub compression: Compression,
    /// gzip's level.
    pub level: Option<i32>,
    /// Who gives the timestamps; with `LogAppendTime` that is the last record's.
    pub timestamp_type: TimestampType,
    /// The idempotent producer, or -1.
    pub producer_id: ProducerId,
    /// Its epoch, or -1.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// Part of a transaction.
    pub transactional: bool,
    /// Holds control records.
    pub control: bool,
}

impl Default for BatchOptions {
    /// What a client sends without idempotence and compression.
    fn default() -> BatchOptions {
        BatchOptions {
            base_offset: Offset(0),
            leader_epoch: LeaderEpoch::NONE,
            compression: Compression::None,
            level: None,
            timestamp_type: TimestampType::CreateTime,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: -1,
            transactional: false,
            control: false,
        }
    }
}

/// A header's name and value, as a builder takes them.
pub type HeaderPair<'a> = (&'a [u8], Option<&'a [u8]>);

/// The batch cannot take the record: it would pass 2 GiB or 2^31 records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// Collects records; compressed once, when the batch is built.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    payload: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    max_timestamp_delta: i32,
    last_timestamp: i64,
}

impl BatchBuilder {
    /// An empty batch.
    #[must_use]
    pub fn new(options: BatchOptions) -> BatchBuilder {
        BatchBuilder {
            options,
            payload: Vec::new(),
            count: 0,
            base_timestamp: -1,
            max_timestamp: -1,
            max_timestamp_delta: 0,
            last_timestamp: -1,
        }
    }

    /// An empty batch with room for `bytes` of records, such as a producer's `batch.size`.
    #[must_use]
    pub fn with_capacity(options: BatchOptions, bytes: u32) -> BatchBuilder {
        let mut builder = BatchBuilder::new(options);
        builder.payload.reserve_exact(bytes as usize);
        builder
    }

    /// What the batch says about itself; a producer id may come after the records.
    pub fn options_mut(&mut self) -> &mut BatchOptions {
        &mut self.options
    }

    /// Records so far.
    #[must_use]
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Whether there is no record yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batch before compression, which is what `batch.size` is compared with.
    #[must_use]
    pub fn size(&self) -> u32 {
        // `append` keeps the payload below 2 GiB.
        HEADER_LEN + self.payload.len() as u32
    }

    /// Bytes that this record would add at most, before compression.
    #[must_use]
    pub fn record_size_bound(
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderPair<'_>],
    ) -> u64 {
        // Length and offset delta in 5 bytes each, timestamp delta in 10, attributes.
        21 + fields_size(key, value, headers)
    }

    /// Adds a record; returns its place in the batch, from 0.
    ///
    /// # Errors
    /// [`Full`], and then the batch is as before.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderPair<'_>],
    ) -> Result<i32, Full> {
        let place = self.count;
        let base_timestamp = if place == 0 {
            timestamp
        } else {
            self.base_timestamp
        };
        let timestamp_delta = timestamp.wrapping_sub(base_timestamp);
        let body = 1
            + u64::from(varlong_len(timestamp_delta))
            + u64::from(varlong_len(place.into()))
            + fields_size(key, value, headers);
        let whole = u64::from(self.size()) + body + 5;
        let length = i32::try_from(body).map_err(|_| Full)?;
        if whole > i32::MAX as u64 || place == i32::MAX {
            return Err(Full);
        }
        let out = &mut self.payload;
        out.reserve(length.unsigned_abs() as usize + 5);
        put_varint(out, length);
        out.push(0);
        put_varlong(out, timestamp_delta);
        put_varint(out, place);
        put_field(out, key);
        put_field(out, value);
        put_varlong(out, headers.len() as i64);
        for &(name, value) in headers {
            put_field(out, Some(name));
            put_field(out, value);
        }
        self.base_timestamp = base_timestamp;
        self.last_timestamp = timestamp;
        self.count += 1;
        if timestamp > self.max_timestamp {
            self.max_timestamp = timestamp;
            self.max_timestamp_delta = place;
        }
        Ok(place)
    }

    /// The batch, ready to be appended to a log of this broker. It must hold a record.
    ///
    /// # Panics
    /// When no record has been added: that is the caller's mistake.
    #[must_use]
    pub fn into_valid(self) -> ValidBatch<'static> {
        assert!(self.count > 0, "a batch without records was built");
        let options = self.options;
        let mut attributes = i16::from(options.compression.id());
        let mut max_timestamp = self.max_timestamp;
        if options.timestamp_type == TimestampType::LogAppendTime {
            attributes |= Attributes::LOG_APPEND_TIME;
            max_timestamp = self.last_timestamp;
        }
        if options.transactional {
            attributes |= Attributes::TRANSACTIONAL;
        }
        if options.control {
            attributes |= Attributes::CONTROL;
        }
        let header = Header {
            base_offset: options.base_offset,
            batch_length: 0,
            partition_leader_epoch: options.leader_epoch,
            magic: 2,
            crc: 0,
            attributes: Attributes(attributes),
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp,
            producer_id: options.producer_id,
            producer_epoch: options.producer_epoch,
            base_sequence: options.base_sequence,
            count: self.count,
        };
        let payload = match options.compression {
            Compression::None => self.payload,
            codec => codecs::compress(codec, options.level, &self.payload),
        };
        ValidBatch::built(header, payload, self.max_timestamp_delta)
    }

    /// The batch's bytes, as a client sends them. It must hold a record.
    ///
    /// # Panics
    /// As [`BatchBuilder::into_valid`].
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.into_valid().write_as_is(&mut out);
        out
    }
}

/// Bytes of key, value and headers with all their lengths.
fn fields_size(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[HeaderPair<'_>]) -> u64 {
    let size = |field: Option<&[u8]>| match field {
        None => 1,
        Some(bytes) => u64::from(varlong_len(bytes.len() as i64)) + bytes.len() as u64,
    };
    let pairs = headers.iter();
    let pairs: u64 = pairs
        .map(|&(name, value)| size(Some(name)) + size(value))
        .sum();
    size(key) + size(value) + u64::from(varlong_len(headers.len() as i64)) + pairs
}

fn put_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varlong(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}
