//! A record on its way, and the batch it travels in.

use super::Ticket;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use codecs::Compression;
use ids::{ProducerEpoch, ProducerId, Time};
use records::{BatchBuilder, BatchOptions, HEADER_LEN};

/// One header of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Its name.
    pub key: Bytes,
    /// Its value; `None` is null.
    pub value: Option<Bytes>,
}

/// A record to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Where to.
    pub topic: Arc<str>,
    /// Which partition; `None` leaves it to the partitioner.
    pub partition: Option<i32>,
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value; `None` is null, a tombstone on a compacted topic.
    pub value: Option<Bytes>,
    /// The headers in order.
    pub headers: Vec<Header>,
    /// Milliseconds since 1970; `None` is the time at which it is sent.
    pub timestamp: Option<i64>,
}

impl Record {
    /// A record with a value only.
    #[must_use]
    pub fn new(topic: Arc<str>, value: Bytes) -> Record {
        Record {
            topic,
            partition: None,
            key: None,
            value: Some(value),
            headers: Vec::new(),
            timestamp: None,
        }
    }

    /// The same with a key.
    #[must_use]
    pub fn with_key(mut self, key: Bytes) -> Record {
        self.key = Some(key);
        self
    }

    /// No fewer bytes than the record takes in a batch of its own.
    pub(super) fn size_bound(&self) -> u64 {
        u64::from(HEADER_LEN) + self.own_size_bound()
    }

    /// The bytes that Kafka's producer compares with `max.request.size`: a batch of its own, the record's
    /// own overhead at its longest, and key, value and headers as they are.
    pub(super) fn serialized_bound(&self) -> u64 {
        let sized = |bytes: &Bytes| varint_len(bytes.len()) + bytes.len() as u64;
        let field = |field: &Option<Bytes>| field.as_ref().map_or(NULL_LEN, sized);
        let header = |h: &Header| sized(&h.key) + field(&h.value);
        let headers = self.headers.iter().map(header).sum::<u64>();
        let own = field(&self.key) + field(&self.value) + varint_len(self.headers.len());
        u64::from(HEADER_LEN) + RECORD_OVERHEAD_MAX + own + headers
    }

    /// No fewer bytes than the record adds to a batch.
    fn own_size_bound(&self) -> u64 {
        // Length, attributes, timestamp and offset deltas, three lengths, each at its longest.
        let fixed = 5 + 1 + 10 + 5 + 5 + 5 + 5;
        let bytes = |field: &Option<Bytes>| field.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let header = |h: &Header| h.key.len() as u64 + bytes(&h.value) + 10;
        let headers: u64 = self.headers.iter().map(header).sum();
        fixed + bytes(&self.key) + bytes(&self.value) + headers
    }
}

/// A record's length, attributes, timestamp and offset deltas, each at its longest.
const RECORD_OVERHEAD_MAX: u64 = 5 + 1 + 10 + 5;
/// A null's length, -1, as a varint.
const NULL_LEN: u64 = 1;

/// How many bytes a length takes as a zigzag varint.
fn varint_len(length: usize) -> u64 {
    let zigzag = (length as u64) << 1;
    u64::from((64 - zigzag.leading_zeros()).div_ceil(7)).max(1)
}

/// Records of one partition, gathered or under way.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// The topic's number and the partition.
    pub(super) at: (u32, i32),
    pub(super) created: Time,
    /// The records' tickets, and the bytes each holds of the buffer.
    pub(super) tickets: Vec<(Ticket, u32)>,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// Not to be sent again before this.
    pub(super) not_before: Time,
    /// The sequence number of its first record, once it has one.
    pub(super) sequence: Option<i32>,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Open(BatchBuilder),
    /// Built with this id, epoch and sequence number.
    Sealed(Bytes, (ProducerId, ProducerEpoch, i32)),
}

impl Batch {
    pub(super) fn new(at: (u32, i32), now: Time, compression: Compression) -> Batch {
        let options = BatchOptions {
            compression,
            ..Default::default()
        };
        Batch {
            at,
            created: now,
            tickets: Vec::new(),
            attempts: 0,
            not_before: Time(0),
            sequence: None,
            content: Content::Open(BatchBuilder::new(options)),
        }
    }

    /// Whether the record may still go into this batch of at most `limit` bytes.
    pub(super) fn has_room(&self, record: &Record, limit: u32) -> bool {
        match &self.content {
            Content::Open(_) => self.size() + record.own_size_bound() <= u64::from(limit),
            Content::Sealed(..) => false,
        }
    }

    /// Adds a record; returns the bytes it takes at most.
    pub(super) fn push(&mut self, now: Time, ticket: Ticket, record: &Record) -> u64 {
        let size = record.size_bound();
        if let Content::Open(builder) = &mut self.content {
            let headers = record.headers.iter();
            let headers: Vec<_> = headers
                .map(|h| (h.key.as_ref(), h.value.as_deref()))
                .collect();
            let timestamp = record.timestamp.unwrap_or_else(|| now.millis());
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            // A record is at most max.request.size, so a batch never comes near its 2 GiB.
            let appended = builder.append(timestamp, key, value, &headers);
            debug_assert!(appended.is_ok(), "a batch of batch.size cannot be full");
        }
        self.tickets
            .push((ticket, u32::try_from(size).unwrap_or(u32::MAX)));
        size
    }

    /// Bytes so far, before compression.
    pub(super) fn size(&self) -> u64 {
        match &self.content {
            Content::Open(builder) => u64::from(builder.size()),
            Content::Sealed(bytes, _) => bytes.len() as u64,
        }
    }

    /// Records in it.
    pub(super) fn count(&self) -> i32 {
        i32::try_from(self.tickets.len()).unwrap_or(i32::MAX)
    }

    /// The bytes to send, marked with a producer id, its epoch and the first sequence number.
    pub(super) fn seal(&mut self, id: ProducerId, epoch: ProducerEpoch, sequence: i32) -> Bytes {
        let mark = (id, epoch, sequence);
        let bytes = match &mut self.content {
            Content::Sealed(bytes, marked) if *marked == mark => return bytes.clone(),
            Content::Sealed(bytes, _) => remark(bytes, mark),
            Content::Open(builder) => {
                let empty = BatchBuilder::new(BatchOptions::default());
                let mut builder = core::mem::replace(builder, empty);
                let options = builder.options_mut();
                options.producer_id = id;
                options.producer_epoch = epoch;
                options.base_sequence = sequence;
                Bytes::from(builder.build())
            }
        };
        self.content = Content::Sealed(bytes.clone(), mark);
        bytes
    }
}

/// The batch with another id, epoch and sequence number in its header (bytes 43 to 57) and the checksum
/// (bytes 17 to 21, over all from 21 on) renewed.
fn remark(bytes: &Bytes, (id, epoch, sequence): (ProducerId, ProducerEpoch, i32)) -> Bytes {
    let mut bytes = bytes.to_vec();
    let mut put = |at: usize, field: &[u8]| {
        if let Some(place) = bytes.get_mut(at..at + field.len()) {
            place.copy_from_slice(field);
        }
    };
    put(43, &id.0.to_be_bytes());
    put(51, &epoch.0.to_be_bytes());
    put(53, &sequence.to_be_bytes());
    let crc = codecs::crc32c(bytes.get(21..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(17..21) {
        place.copy_from_slice(&crc.to_be_bytes());
    }
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::BatchView;

    #[test]
    fn a_batch_marked_anew_is_the_batch_built_anew() {
        let record = Record::new("t".into(), Bytes::from_static(b"value"));
        let batch = || {
            let mut batch = Batch::new((0, 0), Time(0), Compression::None);
            batch.push(Time(5_000), Ticket(0), &record);
            batch
        };
        let mut twice = batch();
        twice.seal(ProducerId(1), ProducerEpoch(0), 7);
        let twice = twice.seal(ProducerId(1), ProducerEpoch(1), 0);
        assert_eq!(twice, batch().seal(ProducerId(1), ProducerEpoch(1), 0));
        let view = BatchView::parse(&twice).unwrap();
        assert!(view.crc_is_valid());
        assert_eq!(view.base_timestamp, 5);
    }

    #[test]
    fn the_size_bound_is_no_less_than_the_batch() {
        let mut record = Record::new("t".into(), Bytes::from(alloc::vec![7; 1000]));
        record.headers.push(Header {
            key: Bytes::from_static(b"h"),
            value: None,
        });
        let mut batch = Batch::new((0, 0), Time(0), Compression::None);
        batch.push(Time(0), Ticket(0), &record);
        assert!(record.size_bound() >= batch.size());
    }
}
