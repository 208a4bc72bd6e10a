//! Why a batch is refused, and how Kafka answers that.

use crate::varint::Fault;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use codecs::Corrupt;
use ids::ErrorCode;

/// What is wrong with the bytes of a produce request's partition, in the order it is looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Invalid {
    /// There is no whole batch.
    NoBatch,
    /// A batch length below Kafka's least, 14; nothing behind it can be found.
    BadLength(i32),
    /// A format that never existed.
    UnknownMagic(i8),
    /// Formats 0 and 1, which Kafka 4 no longer takes.
    OldMagic(i8),
    /// A second batch follows; a produced partition has exactly one.
    SecondBatch,
    /// zstd in a produce request below version 7 (KIP-110).
    ZstdNotYet,
    /// The client's base offset is not 0.
    BaseOffset(i64),
    /// The batch is larger than the topic takes (`max.message.bytes`).
    TooLarge {
        /// Bytes of the batch, as sent or after the topic's own compression.
        size: u64,
        /// The topic's limit.
        max: u32,
    },
    /// The batch is shorter than a header.
    Shorter(i32),
    /// The checksum is not that of the bytes.
    Crc {
        /// The one in the batch.
        stored: u32,
        /// The one of its bytes.
        computed: u32,
    },
    /// No records, or a count that is not the last offset delta and one.
    Count {
        /// Records that the batch claims.
        count: i32,
        /// Offset of its last record.
        last_offset_delta: i32,
    },
    /// A client may not write control records.
    Control,
    /// A producer id without a sequence number.
    NoSequence(i32),
    /// A codec with a number that nobody has defined.
    UnknownCodec(u8),
    /// The records cannot be read.
    Unreadable(Fault),
    /// A record's offset delta is not its place in the batch. Kafka would number the records anew
    /// or store the gap; clients never send it, and a log that hands out what it stored must not.
    OffsetDelta {
        /// The record's place, from 0.
        index: i32,
        /// Its offset delta.
        found: i32,
    },
    /// Records that can be read but are refused one by one.
    Records {
        /// The refused ones, in their order; at most [`MAX_REJECTIONS`].
        rejected: Vec<Rejected>,
        /// How many there are in all.
        total: u32,
    },
}

/// How many refused records are told of in one answer.
pub const MAX_REJECTIONS: usize = 1000;

/// One refused record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// Its place in the batch, from 0.
    pub index: i32,
    /// What is wrong with it.
    pub why: Rejection,
}

/// Why a record is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// It has no key, and the topic is compacted.
    NoKey,
    /// Its timestamp is out of `message.timestamp.before.max.ms` or `….after.max.ms`.
    Timestamp {
        /// The record's timestamp in milliseconds.
        timestamp: i64,
        /// The earliest that would do.
        earliest: i64,
        /// The latest that would do.
        latest: i64,
    },
    /// The client says that the broker has set the timestamp.
    LogAppendTime(Named),
}

/// What the answer says of a record that is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Named {
    /// Its timestamp in milliseconds.
    pub timestamp: i64,
    /// Length of its key in bytes; -1 for none.
    pub key: i32,
    /// Length of its value in bytes; -1 for none.
    pub value: i32,
    /// Whether it came in a compressed batch, of which Kafka reads no more than this.
    pub compressed: bool,
}

impl Invalid {
    /// The error code of the partition's answer.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Invalid::BadLength(_)
            | Invalid::UnknownMagic(_)
            | Invalid::Shorter(_)
            | Invalid::Crc { .. } => ErrorCode::CORRUPT_MESSAGE,
            Invalid::ZstdNotYet => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            // Java's producer splits a batch that is "too large" in two and tries again, which is
            // right for one that expands too far as well.
            Invalid::TooLarge { .. } | Invalid::Unreadable(Fault::Corrupt(Corrupt::TooLarge)) => {
                ErrorCode::MESSAGE_TOO_LARGE
            }
            Invalid::UnknownCodec(_) | Invalid::Unreadable(Fault::Corrupt(Corrupt::Malformed)) => {
                ErrorCode::UNKNOWN_SERVER_ERROR
            }
            Invalid::Records { rejected, .. } if rejected.iter().any(Rejected::is_timestamp) => {
                ErrorCode::INVALID_TIMESTAMP
            }
            Invalid::NoBatch
            | Invalid::OldMagic(_)
            | Invalid::SecondBatch
            | Invalid::BaseOffset(_)
            | Invalid::Count { .. }
            | Invalid::Control
            | Invalid::NoSequence(_)
            | Invalid::Unreadable(_)
            | Invalid::OffsetDelta { .. }
            | Invalid::Records { .. } => ErrorCode::INVALID_RECORD,
        }
    }

    /// Whether the answer tells the log start offset; Kafka does once it has found the log and
    /// refused for another reason than corruption or size. Otherwise -1 stands there.
    #[must_use]
    pub fn tells_log_start_offset(&self) -> bool {
        match self {
            Invalid::NoBatch
            | Invalid::BadLength(_)
            | Invalid::UnknownMagic(_)
            | Invalid::OldMagic(_)
            | Invalid::SecondBatch
            | Invalid::ZstdNotYet
            | Invalid::TooLarge { .. }
            | Invalid::Shorter(_)
            | Invalid::Crc { .. } => false,
            Invalid::BaseOffset(_)
            | Invalid::Count { .. }
            | Invalid::Control
            | Invalid::NoSequence(_)
            | Invalid::UnknownCodec(_)
            | Invalid::Unreadable(_)
            | Invalid::OffsetDelta { .. }
            | Invalid::Records { .. } => true,
        }
    }

    /// The refused records, for the answer's `RecordErrors`.
    #[must_use]
    pub fn rejected(&self) -> &[Rejected] {
        match self {
            Invalid::Records { rejected, .. } => rejected,
            _ => &[],
        }
    }

    /// The answer's `ErrorMessage`, in Kafka's words; it has none for most refusals.
    #[must_use]
    pub fn message(&self, topic_partition: &str) -> Option<String> {
        match self {
            Invalid::BadLength(length) => Some(format!(
                "Record size {length} is less than the minimum record overhead (14)"
            )),
            Invalid::UnknownMagic(magic) => Some(format!("Invalid magic found in record: {magic}")),
            Invalid::Records { .. } if self.code() == ErrorCode::INVALID_TIMESTAMP => {
                Some("One or more records have been rejected due to invalid timestamp".into())
            }
            Invalid::Records { rejected, total } => {
                let shown: Vec<String> = (rejected.iter().take(3))
                    .map(|record| {
                        let message = record.message(topic_partition);
                        let index = record.index;
                        format!("RecordError(batchIndex={index}, message='{message}')")
                    })
                    .collect();
                Some(format!(
                    "One or more records have been rejected due to {total} record errors in \
                     total, and only showing the first three errors at most: [{}]",
                    shown.join(", ")
                ))
            }
            _ => None,
        }
    }
}

impl Rejected {
    /// The record's `BatchIndexErrorMessage`, in Kafka's words.
    #[must_use]
    pub fn message(&self, topic_partition: &str) -> String {
        let index = self.index;
        match self.why {
            Rejection::NoKey => format!(
                "Compacted topic cannot accept message without key in topic partition \
                 {topic_partition}"
            ),
            Rejection::Timestamp {
                timestamp,
                earliest,
                latest,
            } => format!(
                "Timestamp {timestamp} of message with offset {index} is out of range. The \
                 timestamp should be within [{earliest}, {latest}]"
            ),
            Rejection::LogAppendTime(record) => {
                let Named {
                    timestamp,
                    key,
                    value,
                    compressed,
                } = record;
                let (kind, least) = match compressed {
                    true => ("PartialDefaultRecord", -1),
                    false => ("DefaultRecord", 0),
                };
                let (key, value) = (key.max(least), value.max(least));
                format!(
                    "Invalid timestamp type in message {kind}(offset={index}, \
                     timestamp={timestamp}, key={key} bytes, value={value} bytes). Producer should \
                     not set timestamp type to LogAppendTime."
                )
            }
        }
    }

    fn is_timestamp(&self) -> bool {
        !matches!(self.why, Rejection::NoKey)
    }
}
