//! The records of a batch, read where they lie.
//!
//! A record is its length and then: attributes (one unused byte), timestamp delta, offset delta,
//! key, value, headers. All numbers are zigzag varints, lengths of -1 are null.

use crate::header::{Header, TimestampType};
use crate::varint::{Fault, Slice, Source, Walked};
use crate::view::BatchView;
use alloc::vec::Vec;
use codecs::{Compression, Corrupt};
use ids::Offset;

/// One record; what it holds is borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its offset in the partition.
    pub offset: Offset,
    /// Milliseconds, or -1 for none; with `LogAppendTime` the batch's max timestamp.
    pub timestamp: i64,
    /// The key; `None` is null, which is not the same as empty.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null, a tombstone on a compacted topic.
    pub value: Option<&'a [u8]>,
    headers: Slice<'a>,
    header_count: u32,
}

impl<'a> Record<'a> {
    /// The headers in their order; keys may repeat.
    #[must_use]
    pub fn headers(&self) -> RecordHeaders<'a> {
        RecordHeaders {
            source: self.headers,
            left: self.header_count,
        }
    }
}

/// One header of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHeader<'a> {
    /// The name as bytes; Kafka means UTF-8 and checks nothing.
    pub key: &'a [u8],
    /// The value; `None` is null.
    pub value: Option<&'a [u8]>,
}

impl RecordHeader<'_> {
    /// The name as text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn name(&self) -> alloc::borrow::Cow<'_, str> {
        alloc::string::String::from_utf8_lossy(self.key)
    }
}

/// The headers of a record.
#[derive(Clone, Debug)]
pub struct RecordHeaders<'a> {
    source: Slice<'a>,
    left: u32,
}

impl<'a> Iterator for RecordHeaders<'a> {
    type Item = RecordHeader<'a>;

    fn next(&mut self) -> Option<RecordHeader<'a>> {
        self.left = self.left.checked_sub(1)?;
        // The record was walked before it was handed out, so nothing is missing here.
        let key = field(&mut self.source).ok()??;
        let value = field(&mut self.source).ok()?;
        Some(RecordHeader { key, value })
    }
}

/// The records of an uncompressed payload; ends after the first one that cannot be read.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    header: Header,
    source: Slice<'a>,
    left: i32,
}

/// Reads the records of `payload`: what follows the header, or what that decompresses to.
///
/// As many as the header counts; bytes left over are [`Fault::Remaining`].
#[must_use]
pub fn records<'a>(header: &Header, payload: &'a [u8]) -> Records<'a> {
    Records {
        header: *header,
        source: Slice::new(payload),
        left: header.count.max(0),
    }
}

impl<'a> BatchView<'a> {
    /// The batch's records; `None` for a compressed batch, which [`decompress`] opens first.
    #[must_use]
    pub fn records(&self) -> Option<Records<'a>> {
        let plain = self.attributes.compression() == Ok(Compression::None);
        plain.then(|| records(self.header(), self.payload()))
    }
}

/// The payload of `batch`, decompressed, when that is at most `cap` bytes.
///
/// # Errors
/// An unknown codec or corrupt bytes are [`Corrupt::Malformed`]; more than `cap`, and it is
/// [`Corrupt::TooLarge`].
pub fn decompress(batch: &BatchView<'_>, cap: u32) -> Result<Vec<u8>, Corrupt> {
    let codec = batch.attributes.compression();
    let codec = codec.map_err(|_| Corrupt::Malformed)?;
    codecs::decompress(codec, batch.payload(), cap)
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            if self.source.is_empty() {
                return None;
            }
            self.source = Slice::new(&[]);
            return Some(Err(Fault::Remaining));
        }
        self.left -= 1;
        let record = read(&self.header, &mut self.source);
        if record.is_err() {
            self.left = 0;
            self.source = Slice::new(&[]);
        }
        Some(record)
    }
}

fn read<'a>(header: &Header, source: &mut Slice<'a>) -> Result<Record<'a>, Fault> {
    let length = length(source)?;
    let mut body = Slice::new(source.take(length)?);
    body.byte()?;
    let timestamp_delta = body.varlong()?;
    let offset_delta = body.varint()?;
    let key = field(&mut body)?;
    let value = field(&mut body)?;
    let header_count = self::length(&mut body)?;
    let headers = body;
    for _ in 0..header_count {
        skip_header(&mut body)?;
    }
    if !body.is_empty() {
        return Err(Fault::Malformed);
    }
    Ok(Record {
        offset: header.base_offset.plus(i64::from(offset_delta)),
        timestamp: match header.attributes.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp.wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => header.max_timestamp,
        },
        key,
        value,
        headers,
        header_count,
    })
}

/// Passes over one record, checking that its lengths add up.
#[inline(never)]
pub(crate) fn walk<S: Source>(source: &mut S) -> Result<Walked, Fault> {
    let length = length(source)?;
    let end = source.position() + u64::from(length);
    source.byte()?;
    let timestamp_delta = source.varlong()?;
    let offset_delta = source.varint()?;
    let has_key = skip_field(source)?;
    skip_field(source)?;
    walk_headers(source, end)?;
    Ok(Walked {
        timestamp_delta,
        offset_delta,
        has_key,
    })
}

/// Passes over the headers of a record, which must end at `end`.
#[inline(never)]
pub(crate) fn walk_headers<S: Source>(source: &mut S, end: u64) -> Result<(), Fault> {
    for _ in 0..length(source)? {
        skip_header(source)?;
    }
    match source.position() == end {
        true => Ok(()),
        false => Err(Fault::Malformed),
    }
}

#[inline(always)]
fn length<S: Source>(source: &mut S) -> Result<u32, Fault> {
    u32::try_from(source.varint()?).map_err(|_| Fault::Malformed)
}

/// Passes over a nullable field; whether it was there.
#[inline(always)]
fn skip_field<S: Source>(source: &mut S) -> Result<bool, Fault> {
    match source.varint()? {
        -1 => Ok(false),
        length => {
            source.skip(u32::try_from(length).map_err(|_| Fault::Malformed)?)?;
            Ok(true)
        }
    }
}

fn skip_header<S: Source>(source: &mut S) -> Result<(), Fault> {
    let key = length(source)?;
    source.skip(key)?;
    skip_field(source)?;
    Ok(())
}

fn field<'a>(source: &mut Slice<'a>) -> Result<Option<&'a [u8]>, Fault> {
    match source.varint()? {
        -1 => Ok(None),
        length => {
            let length = u32::try_from(length).map_err(|_| Fault::Malformed)?;
            source.take(length).map(Some)
        }
    }
}
