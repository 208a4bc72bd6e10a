//! Zigzag varints, as records use them: at most 5 bytes for 32 bits, 10 for 64.

use crate::record::{walk, walk_headers};
use alloc::vec::Vec;

/// Where a record's fields come from: a slice, or what a decompressor shows.
pub(crate) trait Source {
    /// The next byte.
    fn byte(&mut self) -> Result<u8, Fault>;
    /// Passes over `n` bytes.
    fn skip(&mut self, n: u32) -> Result<(), Fault>;
    /// Bytes read or passed over so far.
    fn position(&self) -> u64;

    /// Passes over the next record, as [`walk`] does, but fast over what most are like.
    #[inline(always)]
    fn record(&mut self) -> Result<Walked, Fault>
    where
        Self: Sized,
    {
        walk(self)
    }

    /// Passes over `count` records, each of which is shown as it is passed.
    #[inline(always)]
    fn records<E: From<Fault>>(
        &mut self,
        count: i32,
        mut each: impl FnMut(Walked) -> Result<(), E>,
    ) -> Result<(), E>
    where
        Self: Sized,
    {
        for _ in 0..count {
            each(self.record()?)?;
        }
        Ok(())
    }

    /// A signed number of 32 bits.
    #[inline(always)]
    fn varint(&mut self) -> Result<i32, Fault> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(i32::from(first >> 1) ^ -i32::from(first & 1));
        }
        let second = self.byte()?;
        let low = u32::from(first & 0x7f) | u32::from(second & 0x7f) << 7;
        let raw = match second < 0x80 {
            true => low,
            false => long_varint(self, low.into(), 5)? as u32,
        };
        Ok(signed(raw))
    }

    /// A signed number of 64 bits.
    #[inline(always)]
    fn varlong(&mut self) -> Result<i64, Fault> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(i64::from(first >> 1) ^ -i64::from(first & 1));
        }
        let second = self.byte()?;
        let low = u64::from(first & 0x7f) | u64::from(second & 0x7f) << 7;
        let raw = match second < 0x80 {
            true => low,
            false => long_varint(self, low, 10)?,
        };
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }
}

/// What validation needs to know of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Walked {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) has_key: bool,
}

/// The bytes of a varint after its second, on top of `low`; at most `most` in all. Nearly all
/// numbers in records take one or two, which is why only the rest are read in a loop.
#[inline]
fn long_varint<S: Source + ?Sized>(source: &mut S, low: u64, most: u32) -> Result<u64, Fault> {
    let mut raw = low;
    for i in 2..most {
        let byte = source.byte()?;
        raw |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok(raw);
        }
    }
    Err(Fault::Malformed)
}

/// Why the next field cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The bytes end within a record, or before all records that the batch claims.
    Ends,
    /// A length below -1, a varint without end, or a record whose fields do not fill it exactly.
    Malformed,
    /// Bytes are left after the last record.
    Remaining,
    /// The codec could not go on.
    Corrupt(codecs::Corrupt),
}

/// Uncompressed records: reads from a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Slice<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Slice<'a> {
        Slice { bytes, at: 0 }
    }

    /// The next `n` bytes.
    #[inline(always)]
    pub(crate) fn take(&mut self, n: u32) -> Result<&'a [u8], Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let taken = rest.get(..n as usize).ok_or(Fault::Ends)?;
        self.at += n as usize;
        Ok(taken)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

impl Source for Slice<'_> {
    #[inline(always)]
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Ends)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline(always)]
    fn skip(&mut self, n: u32) -> Result<(), Fault> {
        if self.bytes.len() - self.at < n as usize {
            return Err(Fault::Ends);
        }
        self.at += n as usize;
        Ok(())
    }

    #[inline(always)]
    fn position(&self) -> u64 {
        self.at as u64
    }

    #[inline(always)]
    fn record(&mut self) -> Result<Walked, Fault> {
        if let Some(record) = self.common_record() {
            return Ok(record);
        }
        // Of a copy, so that the position itself can stay in a register.
        let mut copy = *self;
        let record = walk(&mut copy);
        *self = copy;
        record
    }
}

impl Slice<'_> {
    /// The next record, if it is whole, its numbers are short and it has a value; else nothing is
    /// read.
    ///
    /// The first numbers are read from a piece of fixed size, without a look at how many bytes are
    /// left. Where the next record begins follows from this one's length alone, and the other
    /// numbers are only compared with it: so a processor works on several records at once.
    #[inline(always)]
    pub(crate) fn common_record(&mut self) -> Option<Walked> {
        let rest = self.bytes.get(self.at..)?;
        let piece: &[u8; HEAD_BYTES] = rest.first_chunk()?;
        let (length, at) = short(piece, 0)?;
        let end = at + even(length)?;
        // One byte of attributes that nobody uses.
        let (timestamp_delta, at) = short(piece, at + 1)?;
        let (offset_delta, at) = short(piece, at)?;
        let (key_length, at) = short(piece, at)?;
        let value = match key_length {
            NULL => at,
            length => at + even(length)?,
        };
        let (value_length, at) = short::<2>(rest.get(value..)?.first_chunk()?, 0)?;
        let headers = value + at + even(value_length)?;
        if headers + 1 != end || *rest.get(headers)? != 0 {
            let (bytes, at) = (self.bytes, self.at + headers);
            walk_headers(&mut Slice { bytes, at }, (self.at + end) as u64).ok()?;
        }
        self.at += end;
        Some(Walked {
            timestamp_delta: signed(timestamp_delta).into(),
            offset_delta: signed(offset_delta),
            has_key: key_length != NULL,
        })
    }
}

/// More than four numbers of two bytes and one byte take; a power of two.
const HEAD_BYTES: usize = 16;
/// The length -1 as it is stored.
const NULL: u32 = 1;

/// A number of one or two bytes as it is stored, and where it ends. `N` is a power of two, and
/// `at` is below it.
#[inline(always)]
fn short<const N: usize>(piece: &[u8; N], at: usize) -> Option<(u32, usize)> {
    // Saying that the positions are below the size spares the checks.
    let byte = |at: usize| u32::from(piece[at % N]);
    let (first, second) = (byte(at), byte(at + 1));
    match first < 0x80 {
        true => Some((first, at + 1)),
        false if second < 0x80 => Some((first & 0x7f | second << 7, at + 2)),
        false => None,
    }
}

/// The number that is stored so.
#[inline(always)]
fn signed(raw: u32) -> i32 {
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

/// The length that is stored so, unless it is below 0.
#[inline(always)]
fn even(raw: u32) -> Option<usize> {
    (raw & 1 == 0).then_some(raw as usize >> 1)
}

/// Appends a number of 32 bits.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_varlong(out, i64::from(value));
}

/// Appends a number of 64 bits; a small one takes the same bytes as one of 32.
#[inline]
pub(crate) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut raw = zigzag(value);
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// How many bytes a number takes, 1 to 10.
pub(crate) fn varlong_len(value: i64) -> u32 {
    (70 - (zigzag(value) | 1).leading_zeros()) / 7
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_take_the_bytes_they_are_said_to_take() {
        let mut values = std::vec![0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN];
        values.extend((0..63).flat_map(|bit| [1 << bit, (1 << bit) - 1, -(1 << bit)]));
        for value in values {
            let mut out = Vec::new();
            put_varlong(&mut out, value);
            assert_eq!(out.len() as u32, varlong_len(value), "{value}");
            assert_eq!(Slice::new(&out).varlong(), Ok(value));
            if let Ok(small) = i32::try_from(value) {
                assert_eq!(Slice::new(&out).varint(), Ok(small));
            }
        }
    }

    #[test]
    fn the_quick_way_over_a_record_finds_what_the_long_one_does() {
        let mut rng = ids::Rng::new(3);
        let mut passed = 0;
        for round in 0..20_000 {
            let mut record = Vec::new();
            let mut field = |out: &mut Vec<u8>, most: u64| match rng.below(4) {
                0 => put_varint(out, -1),
                _ => {
                    let length = rng.below(most);
                    put_varint(out, length as i32);
                    out.extend((0..length).map(|_| rng.below(256) as u8));
                }
            };
            let headers = [0, 0, 0, 1, 300][round % 5];
            record.push(0);
            put_varlong(&mut record, [3, 300, -7, 1 << 40][round % 4]);
            put_varint(&mut record, [0, 100, 100_000][round % 3]);
            field(&mut record, 20);
            field(&mut record, 200);
            put_varint(&mut record, headers);
            for _ in 0..2 * headers {
                field(&mut record, 5);
            }
            let mut bytes = Vec::new();
            put_varint(&mut bytes, record.len() as i32);
            bytes.extend_from_slice(&record);
            bytes.resize(bytes.len() + rng.below(20) as usize, 0);
            // Most are spoiled somewhere, or cut.
            let at = rng.below(bytes.len() as u64) as usize;
            match rng.below(3) {
                0 => bytes[at] = rng.below(256) as u8,
                1 => bytes.truncate(at),
                _ => {}
            }
            let (mut quick, mut long) = (Slice::new(&bytes), Slice::new(&bytes));
            let (found, walked) = (quick.record(), walk(&mut long));
            assert_eq!(found, walked, "{bytes:?}");
            if found.is_ok() {
                assert_eq!(quick.position(), long.position(), "{bytes:?}");
                passed += 1;
            }
        }
        assert!(passed > 5000, "{passed}");
    }

    #[test]
    fn a_varint_without_end_is_malformed() {
        assert_eq!(Slice::new(&[0xff; 20]).varint(), Err(Fault::Malformed));
        assert_eq!(Slice::new(&[0xff; 20]).varlong(), Err(Fault::Malformed));
        assert_eq!(Slice::new(&[0xff; 3]).varint(), Err(Fault::Ends));
    }
}
