//! The proof that a batch may be appended.

use crate::header::{
    Attributes, CRC_FROM, HEADER_LEN, Header, HeaderError, LOG_OVERHEAD, TimestampType,
};
use crate::invalid::Invalid;
use crate::view::BatchView;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use bytes::Bytes;
use codecs::Compression;
use ids::{LeaderEpoch, Offset};

/// A batch that the log may append: validated, taken whole from another log, or built here.
///
/// Only [`crate::validate`], [`ValidBatch::from_log`] and [`crate::BatchBuilder`] make one. The
/// bytes stay where they were until [`ValidBatch::write_into`] copies them, once, with the two
/// fields that the log decides.
#[derive(Clone, Debug)]
pub struct ValidBatch<'a> {
    header: Header,
    payload: Cow<'a, [u8]>,
    max_timestamp_delta: i32,
}

impl<'a> ValidBatch<'a> {
    /// The batch at the start of `bytes`, from another replica's log or this one's own.
    ///
    /// Only the checksum and the structure of the header are checked: its leader has validated the
    /// records, and compaction may have left gaps and fewer of them than offsets. `None` of the
    /// log's fields change: write it with [`ValidBatch::write_as_is`].
    ///
    /// # Errors
    /// [`Invalid::NoBatch`] for a partial batch, and as [`crate::validate`] for a broken one.
    pub fn from_log(bytes: &'a [u8]) -> Result<ValidBatch<'a>, Invalid> {
        let view = BatchView::parse(bytes).map_err(|error| match error {
            HeaderError::Partial { .. } => Invalid::NoBatch,
            HeaderError::BadLength(length) => Invalid::Shorter(length),
            HeaderError::Magic {
                magic: magic @ (0 | 1),
                ..
            } => Invalid::OldMagic(magic),
            HeaderError::Magic { magic, .. } => Invalid::UnknownMagic(magic),
        })?;
        check_crc(&view)?;
        if view.last_offset_delta < 0 || view.count < 0 || view.base_offset < Offset(0) {
            return Err(Invalid::Count {
                count: view.count,
                last_offset_delta: view.last_offset_delta,
            });
        }
        Ok(ValidBatch::unchanged(&view, view.last_offset_delta))
    }

    /// `view` as it is; whoever calls this has checked it.
    pub(crate) fn unchanged(view: &BatchView<'a>, max_timestamp_delta: i32) -> ValidBatch<'a> {
        ValidBatch {
            header: *view.header(),
            payload: Cow::Borrowed(view.payload()),
            max_timestamp_delta,
        }
    }

    /// A batch built here; its length and checksum are filled in.
    pub(crate) fn built(
        header: Header,
        payload: Vec<u8>,
        max_timestamp_delta: i32,
    ) -> ValidBatch<'static> {
        let mut batch = ValidBatch {
            header,
            payload: Cow::Owned(payload),
            max_timestamp_delta,
        };
        batch.seal();
        batch
    }

    /// Sets what the broker decides under the checksum, and the checksum where that changed it.
    pub(crate) fn stamp(&mut self, kind: TimestampType, max_timestamp: i64) {
        let header = &self.header;
        if header.attributes.timestamp_type() == kind && header.max_timestamp == max_timestamp {
            return;
        }
        let cleared = header.attributes.0 & !Attributes::LOG_APPEND_TIME;
        let bits = match kind {
            TimestampType::CreateTime => 0,
            TimestampType::LogAppendTime => Attributes::LOG_APPEND_TIME,
        };
        self.header.attributes = Attributes(cleared | bits);
        self.header.max_timestamp = max_timestamp;
        self.seal();
    }

    /// Replaces the records by the same ones in another compression.
    pub(crate) fn repack(&mut self, codec: Compression, payload: Vec<u8>) {
        let cleared = self.header.attributes.0 & !Attributes::COMPRESSION;
        self.header.attributes = Attributes(cleared | i16::from(codec.id()));
        self.payload = Cow::Owned(payload);
        self.seal();
    }

    /// Brings length and checksum up to date.
    fn seal(&mut self) {
        let length = self.payload.len() + (HEADER_LEN - LOG_OVERHEAD) as usize;
        self.header.batch_length = i32::try_from(length).unwrap_or(i32::MAX);
        let covered = codecs::crc32c(&self.header.to_bytes()[CRC_FROM..]);
        self.header.crc = codecs::crc32c_append(covered, &self.payload);
    }

    /// What the stored header will say, but for the base offset and the leader epoch.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes that the batch takes in the log.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.header.total_size()
    }

    /// The records, perhaps compressed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The first record with the highest timestamp, as its distance from the base offset.
    ///
    /// With `LogAppendTime`, where all have the same, the first. A batch [`ValidBatch::from_log`]
    /// has not been looked into: there it is the last offset.
    #[must_use]
    pub fn max_timestamp_delta(&self) -> i32 {
        self.max_timestamp_delta
    }

    /// The header as it will be stored, and the records as a part of `from`, which this batch was
    /// validated in; `None` when they are not that any more, because they had to be written anew.
    #[must_use]
    pub fn shared(
        &self,
        from: &Bytes,
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
    ) -> Option<([u8; HEADER_LEN as usize], Bytes)> {
        let Cow::Borrowed(records) = self.payload else {
            return None;
        };
        let bounds = from.as_ptr_range();
        if !bounds.contains(&records.as_ptr()) || records.as_ptr_range().end > bounds.end {
            return None;
        }
        let header = Header {
            base_offset,
            partition_leader_epoch: leader_epoch,
            ..self.header
        };
        Some((header.to_bytes(), from.slice_ref(records)))
    }

    /// Appends the batch to `out`, with its offset and its leader's epoch.
    pub fn write_into(&self, out: &mut Vec<u8>, base_offset: Offset, leader_epoch: LeaderEpoch) {
        let header = Header {
            base_offset,
            partition_leader_epoch: leader_epoch,
            ..self.header
        };
        out.reserve(self.size() as usize);
        out.extend_from_slice(&header.to_bytes());
        out.extend_from_slice(&self.payload);
    }

    /// Appends the batch to `out` with the offset and the epoch it has.
    pub fn write_as_is(&self, out: &mut Vec<u8>) {
        let header = &self.header;
        self.write_into(out, header.base_offset, header.partition_leader_epoch);
    }
}

/// Compares the checksum.
pub(crate) fn check_crc(view: &BatchView<'_>) -> Result<(), Invalid> {
    let computed = codecs::crc32c(view.bytes().get(CRC_FROM..).unwrap_or(&[]));
    if computed == view.crc {
        return Ok(());
    }
    Err(Invalid::Crc {
        stored: view.crc,
        computed,
    })
}
