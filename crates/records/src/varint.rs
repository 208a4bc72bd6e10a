//! Zigzag varints, as records use them: at most 5 bytes for 32 bits, 10 for 64.

use alloc::vec::Vec;

/// Where a record's fields come from: a slice, or a decompressor's window.
pub(crate) trait Source {
    /// The next byte.
    fn byte(&mut self) -> Result<u8, Fault>;
    /// Passes over `n` bytes.
    fn skip(&mut self, n: u32) -> Result<(), Fault>;
    /// Bytes read or passed over so far.
    fn position(&self) -> u64;

    /// The first fields of a record, when the source has them at hand and their numbers are short;
    /// else nothing is read.
    #[inline(always)]
    fn head(&mut self) -> Option<Head> {
        None
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
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
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

/// The first fields of a record, up to the length of its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// Where the record ends.
    pub(crate) end: u64,
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    /// Length of the key, or below 0.
    pub(crate) key_length: i32,
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

    /// Nearly all records have short numbers there. Read from a piece of fixed size, they need no
    /// look at how many bytes are left.
    #[inline(always)]
    fn head(&mut self) -> Option<Head> {
        let piece: &[u8; HEAD_BYTES] = self.bytes.get(self.at..)?.first_chunk()?;
        let (length, at) = short(piece, 0)?;
        let end = self.at + at + usize::try_from(length).ok()?;
        // One byte of attributes that nobody uses.
        let (timestamp_delta, at) = short(piece, at + 1)?;
        let (offset_delta, at) = short(piece, at)?;
        let (key_length, at) = short(piece, at)?;
        self.at += at;
        Some(Head {
            end: end as u64,
            timestamp_delta: timestamp_delta.into(),
            offset_delta,
            key_length,
        })
    }
}

/// More than four numbers of two bytes and one byte take; a power of two.
const HEAD_BYTES: usize = 16;

/// A number of one or two bytes, and where it ends.
#[inline(always)]
fn short(piece: &[u8; HEAD_BYTES], at: usize) -> Option<(i32, usize)> {
    // The positions are below the size; saying so spares the checks.
    let byte = |at: usize| u32::from(piece[at % HEAD_BYTES]);
    let (first, second) = (byte(at), byte(at + 1));
    let (raw, end) = match first < 0x80 {
        true => (first, at + 1),
        false if second < 0x80 => (first & 0x7f | second << 7, at + 2),
        false => return None,
    };
    Some(((raw >> 1) as i32 ^ -((raw & 1) as i32), end))
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
    fn a_varint_without_end_is_malformed() {
        assert_eq!(Slice::new(&[0xff; 20]).varint(), Err(Fault::Malformed));
        assert_eq!(Slice::new(&[0xff; 20]).varlong(), Err(Fault::Malformed));
        assert_eq!(Slice::new(&[0xff; 3]).varint(), Err(Fault::Ends));
    }
}
