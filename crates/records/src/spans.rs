//! Where each field of a batch stands, for those who want to see the bytes.

use crate::header::{HEADER_LEN, Header};
use crate::varint::{Fault, Slice, Source};
use crate::view::BatchView;
use alloc::vec::Vec;
use codecs::Compression;

/// A field and its bytes: `start..end` within what was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The field's name, in Kafka's words.
    pub name: &'static str,
    /// Its first byte.
    pub start: u32,
    /// The byte after its last; an empty or null field has only the span of its length.
    pub end: u32,
}

const HEADER_FIELDS: [(&str, u32); 13] = [
    ("baseOffset", 8),
    ("batchLength", 12),
    ("partitionLeaderEpoch", 16),
    ("magic", 17),
    ("crc", 21),
    ("attributes", 23),
    ("lastOffsetDelta", 27),
    ("baseTimestamp", 35),
    ("maxTimestamp", 43),
    ("producerId", 51),
    ("producerEpoch", 53),
    ("baseSequence", 57),
    ("recordsCount", 61),
];

/// The fields of the batch at the start of `bytes`, each byte of it in exactly one of them.
///
/// A compressed payload is one field, and so is what cannot be read (`unreadable`). Bytes after the
/// batch are in none; what is no batch gives nothing.
#[must_use]
pub fn record_spans(bytes: &[u8]) -> Vec<Span> {
    let Ok(view) = BatchView::parse(bytes) else {
        return Vec::new();
    };
    let mut spans = Spans {
        out: Vec::new(),
        at: 0,
    };
    for (name, end) in HEADER_FIELDS {
        spans.until(name, end);
    }
    let end = view.total_size();
    if view.attributes.compression() == Ok(Compression::None) {
        spans.all(view.header(), view.payload());
        spans.until("unreadable", end);
    } else {
        spans.until("compressedRecords", end);
    }
    spans.out
}

/// The fields of the records in `payload` (decompressed, say), counted from its start.
#[must_use]
pub fn payload_spans(header: &Header, payload: &[u8]) -> Vec<Span> {
    let mut spans = Spans {
        out: Vec::new(),
        at: HEADER_LEN,
    };
    spans.all(header, payload);
    let end = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    spans.until("unreadable", end.saturating_add(HEADER_LEN));
    for span in &mut spans.out {
        span.start -= HEADER_LEN;
        span.end -= HEADER_LEN;
    }
    spans.out
}

struct Spans {
    out: Vec<Span>,
    at: u32,
}

impl Spans {
    /// The field that begins where the last one ended.
    fn until(&mut self, name: &'static str, end: u32) {
        if end > self.at {
            let start = self.at;
            self.out.push(Span { name, start, end });
            self.at = end;
        }
    }

    fn all(&mut self, header: &Header, payload: &[u8]) {
        let mut source = Slice::new(payload);
        for _ in 0..header.count.max(0) {
            if self.record(&mut source).is_err() {
                return;
            }
        }
    }

    fn record(&mut self, source: &mut Slice<'_>) -> Result<(), Fault> {
        source.varint()?;
        self.read("length", source);
        source.byte()?;
        self.read("attributes", source);
        source.varlong()?;
        self.read("timestampDelta", source);
        source.varint()?;
        self.read("offsetDelta", source);
        self.field("keyLength", "key", source)?;
        self.field("valueLength", "value", source)?;
        let headers = source.varint()?;
        self.read("headersCount", source);
        for _ in 0..headers {
            self.field("headerKeyLength", "headerKey", source)?;
            self.field("headerValueLength", "headerValue", source)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        length_name: &'static str,
        name: &'static str,
        source: &mut Slice<'_>,
    ) -> Result<(), Fault> {
        let length = source.varint()?;
        self.read(length_name, source);
        if length > 0 {
            source.skip(length.unsigned_abs())?;
            self.read(name, source);
        }
        Ok(())
    }

    /// The field that `source` has just read.
    fn read(&mut self, name: &'static str, source: &Slice<'_>) {
        let end = u32::try_from(source.position()).unwrap_or(u32::MAX);
        self.until(name, end.saturating_add(HEADER_LEN));
    }
}
