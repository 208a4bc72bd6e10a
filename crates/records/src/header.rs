//! The 61 bytes that begin every batch.
//!
//! | at | field | at | field |
//! |---|---|---|---|
//! | 0 | base offset, i64 | 27 | base timestamp, i64 |
//! | 8 | batch length, i32: bytes after this field | 35 | max timestamp, i64 |
//! | 12 | partition leader epoch, i32 | 43 | producer id, i64 |
//! | 16 | magic, i8 | 51 | producer epoch, i16 |
//! | 17 | CRC-32C, u32: of all bytes from 21 on | 53 | base sequence, i32 |
//! | 21 | attributes, i16 | 57 | count of records, i32 |
//! | 23 | last offset delta, i32 | 61 | the records |

use codecs::Compression;
use ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// Bytes of a batch before its records.
pub const HEADER_LEN: u32 = 61;
/// Bytes before and including the batch length, which that length does not count.
pub(crate) const LOG_OVERHEAD: u32 = 12;
/// The least batch length of magic 2.
const MIN_BATCH_LENGTH: i32 = (HEADER_LEN - LOG_OVERHEAD) as i32;
/// Where the checksum is.
const CRC_AT: usize = 17;
/// Where the part begins that the checksum covers.
pub(crate) const CRC_FROM: usize = 21;

/// What the header of a batch says; numbers as they stand in the bytes, unchecked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Offset of the first record the batch had when it was produced.
    pub base_offset: Offset,
    /// Bytes after this field; at least 49.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch; not under the checksum.
    pub partition_leader_epoch: LeaderEpoch,
    /// Version of the format; always 2 here.
    pub magic: i8,
    /// CRC-32C of everything from the attributes to the batch's end.
    pub crc: u32,
    /// Compression, timestamp type and flags.
    pub attributes: Attributes,
    /// Offset of the last record less the base offset; compaction keeps it.
    pub last_offset_delta: i32,
    /// What the records' timestamps count from, in milliseconds; -1 for none.
    pub base_timestamp: i64,
    /// The highest timestamp, in milliseconds; -1 for none.
    pub max_timestamp: i64,
    /// The idempotent producer, or -1.
    pub producer_id: ProducerId,
    /// Its epoch, or -1.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// How many records the batch claims to hold.
    pub count: i32,
}

/// Why bytes do not begin with a batch of magic 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderError {
    /// The bytes end before the header or the batch does.
    Partial {
        /// Bytes there are.
        have: u64,
        /// Bytes there would have to be: the header's 61 when even that is cut.
        need: u32,
    },
    /// A batch length that not even a header fits in; nothing behind it can be found.
    BadLength(i32),
    /// A format other than 2: 0 and 1 are Kafka's oldest, anything else is none at all.
    Magic {
        /// The version found.
        magic: i8,
        /// The length found, which is in the same place in every version.
        batch_length: i32,
    },
}

impl Header {
    /// Reads the header at the start of `bytes`; what follows it need not be there.
    ///
    /// # Errors
    /// When the bytes are too few, or are not a batch of magic 2.
    pub fn peek(bytes: &[u8]) -> Result<Header, HeaderError> {
        let Some(head) = bytes.first_chunk::<{ HEADER_LEN as usize }>() else {
            return Err(HeaderError::Partial {
                have: bytes.len() as u64,
                need: HEADER_LEN,
            });
        };
        let batch_length = i32::from_be_bytes(field(head, 8));
        let magic = i8::from_be_bytes(field(head, 16));
        if magic != 2 {
            return Err(HeaderError::Magic {
                magic,
                batch_length,
            });
        }
        if batch_length < MIN_BATCH_LENGTH {
            return Err(HeaderError::BadLength(batch_length));
        }
        Ok(Header {
            base_offset: Offset(i64::from_be_bytes(field(head, 0))),
            batch_length,
            partition_leader_epoch: LeaderEpoch(i32::from_be_bytes(field(head, 12))),
            magic,
            crc: u32::from_be_bytes(field(head, CRC_AT)),
            attributes: Attributes(i16::from_be_bytes(field(head, CRC_FROM))),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp: i64::from_be_bytes(field(head, 27)),
            max_timestamp: i64::from_be_bytes(field(head, 35)),
            producer_id: ProducerId(i64::from_be_bytes(field(head, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(head, 51))),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            count: i32::from_be_bytes(field(head, 57)),
        })
    }

    /// The 61 bytes that say this.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN as usize] {
        let mut head = [0; HEADER_LEN as usize];
        put(&mut head, 0, self.base_offset.0.to_be_bytes());
        put(&mut head, 8, self.batch_length.to_be_bytes());
        put(&mut head, 12, self.partition_leader_epoch.0.to_be_bytes());
        put(&mut head, 16, self.magic.to_be_bytes());
        put(&mut head, CRC_AT, self.crc.to_be_bytes());
        put(&mut head, CRC_FROM, self.attributes.0.to_be_bytes());
        put(&mut head, 23, self.last_offset_delta.to_be_bytes());
        put(&mut head, 27, self.base_timestamp.to_be_bytes());
        put(&mut head, 35, self.max_timestamp.to_be_bytes());
        put(&mut head, 43, self.producer_id.0.to_be_bytes());
        put(&mut head, 51, self.producer_epoch.0.to_be_bytes());
        put(&mut head, 53, self.base_sequence.to_be_bytes());
        put(&mut head, 57, self.count.to_be_bytes());
        head
    }

    /// Bytes of the whole batch: 12 and the batch length; at least 61.
    #[must_use]
    pub fn total_size(&self) -> u32 {
        self.batch_length.unsigned_abs() + LOG_OVERHEAD
    }

    /// Offset of the batch's last record, whether or not compaction has removed it.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    /// Offset that the next batch begins with, when none is missing.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.last_offset().plus(1)
    }

    /// Sequence number of the last record; -1 without a producer id.
    ///
    /// Sequences run from 0 to `i32::MAX` and begin again with 0 (KIP-98).
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        // The sign bit falls away, which is the wrap from `i32::MAX` to 0.
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }

    /// When older records are deleted though this batch stays (KIP-534): with the flag set, the
    /// base timestamp holds the time at which its tombstones and markers may go.
    #[must_use]
    pub fn delete_horizon(&self) -> Option<i64> {
        self.attributes
            .has_delete_horizon()
            .then_some(self.base_timestamp)
    }
}

/// The 16 bits that say how to read a batch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Attributes(pub i16);

/// Who gave the records their timestamps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum TimestampType {
    /// The producer, one for each record.
    #[default]
    CreateTime,
    /// The broker when it appended; every record has the batch's max timestamp.
    LogAppendTime,
}

impl Attributes {
    /// Bits 0 to 2: the number of the codec.
    pub const COMPRESSION: i16 = 0x07;
    /// Bit 3: the broker gave the timestamps.
    pub const LOG_APPEND_TIME: i16 = 0x08;
    /// Bit 4: part of a transaction.
    pub const TRANSACTIONAL: i16 = 0x10;
    /// Bit 5: a marker of a coordinator or a quorum, not a user's record.
    pub const CONTROL: i16 = 0x20;
    /// Bit 6: the base timestamp is a delete horizon.
    pub const DELETE_HORIZON: i16 = 0x40;

    /// The codec, or the number of one that does not exist (5 to 7).
    ///
    /// # Errors
    /// The number, when it names no codec.
    pub fn compression(self) -> Result<Compression, u8> {
        let id = (self.0 & Attributes::COMPRESSION) as u8;
        Compression::from_id(id).ok_or(id)
    }

    /// Who gave the timestamps.
    #[must_use]
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Attributes::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch is part of a transaction.
    #[must_use]
    pub fn is_transactional(self) -> bool {
        self.0 & Attributes::TRANSACTIONAL != 0
    }

    /// Whether the batch holds control records.
    #[must_use]
    pub fn is_control(self) -> bool {
        self.0 & Attributes::CONTROL != 0
    }

    /// Whether the base timestamp is a delete horizon.
    #[must_use]
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Attributes::DELETE_HORIZON != 0
    }
}

/// The `N` bytes of the header from `at` on; both are constants, so no check remains.
#[inline(always)]
fn field<const N: usize>(head: &[u8; HEADER_LEN as usize], at: usize) -> [u8; N] {
    core::array::from_fn(|i| head[at + i])
}

#[inline(always)]
fn put<const N: usize>(head: &mut [u8; HEADER_LEN as usize], at: usize, bytes: [u8; N]) {
    head[at..at + N].copy_from_slice(&bytes);
}
