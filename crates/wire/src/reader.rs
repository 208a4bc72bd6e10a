use alloc::vec::Vec;
use bytes::Bytes;
use ids::Uuid;

use crate::{F64Bits, Fields, Malformed, Records, Str};

/// Bytes of a text at most, as in Kafka, also where the protocol could say more.
pub(crate) const TEXT_MAX: usize = i16::MAX as usize;
/// Elements of an array that room is made for before any has been read.
const RESERVED_MAX: usize = 16;

/// Reads values off the front of some bytes. Texts and byte strings are slices, not copies.
///
/// After an error the position is somewhere in the broken value; nothing but [`Reader::at`] makes
/// sense then.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
    at: usize,
    end: usize,
}

impl Reader {
    /// Reads `bytes` from their beginning.
    #[must_use]
    pub fn new(bytes: Bytes) -> Reader {
        let end = bytes.len();
        Reader { bytes, at: 0, end }
    }

    /// Bytes read so far.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.end - self.at
    }

    /// All the bytes it was made of, whatever has been read of them.
    #[must_use]
    pub fn into_inner(self) -> Bytes {
        self.bytes
    }

    /// Takes what is left.
    pub fn rest(&mut self) -> Bytes {
        let rest = self.bytes.slice(self.at..self.end);
        self.at = self.end;
        rest
    }

    fn advance(&mut self, len: usize) -> Result<core::ops::Range<usize>, Malformed> {
        if len > self.remaining() {
            return Err(Malformed::Truncated);
        }
        let start = self.at;
        self.at += len;
        Ok(start..self.at)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let left = self.bytes.get(self.at..self.end).unwrap_or_default();
        let next = *left.first_chunk().ok_or(Malformed::Truncated)?;
        self.at += N;
        Ok(next)
    }

    /// The next `len` bytes, not copied.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take(&mut self, len: usize) -> Result<Bytes, Malformed> {
        let range = self.advance(len)?;
        Ok(self.bytes.slice(range))
    }

    /// A byte; anything but 0 is true, as Kafka has it.
    ///
    /// # Errors
    /// The bytes end.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.i8()? != 0)
    }

    /// An unsigned number of one to five bytes, least significant seven bits first.
    ///
    /// # Errors
    /// It does not fit 32 bits, or the bytes end.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, Malformed> {
        // Nearly all take one byte.
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 && self.at < self.end => {
                self.at += 1;
                Ok(u32::from(byte))
            }
            _ => self.long_uvarint(),
        }
    }

    fn long_uvarint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && byte > 0x0f {
                return Err(Malformed::Varint);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint)
    }

    /// A compact length (one more than the length, 0 is null) or a plain one of which -1 is null.
    fn length(&mut self, flex: bool, short: bool) -> Result<Option<u32>, Malformed> {
        if flex {
            return Ok(self.uvarint()?.checked_sub(1));
        }
        let length = if short {
            i32::from(self.i16()?)
        } else {
            self.i32()?
        };
        match u32::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(Malformed::NegativeLength),
        }
    }

    pub(crate) fn blob(
        &mut self,
        flex: bool,
        short: bool,
        nullable: bool,
    ) -> Result<Option<Bytes>, Malformed> {
        match self.length(flex, short)? {
            Some(length) => self.take(length as usize).map(Some),
            None if nullable => Ok(None),
            None => Err(Malformed::UnexpectedNull),
        }
    }

    /// A text: compact if `flex`.
    ///
    /// # Errors
    /// It is null, not UTF-8, or the bytes end.
    pub fn string(&mut self, flex: bool) -> Result<Str, Malformed> {
        Ok(self.nullable_string(flex, false)?.unwrap_or_default())
    }

    /// A text or, if `nullable`, null.
    ///
    /// # Errors
    /// As [`Reader::string`].
    pub fn nullable_string(
        &mut self,
        flex: bool,
        nullable: bool,
    ) -> Result<Option<Str>, Malformed> {
        let blob = self.blob(flex, true, nullable)?;
        if blob.as_ref().is_some_and(|blob| blob.len() > TEXT_MAX) {
            return Err(Malformed::TextTooLong);
        }
        blob.map(Str::from_utf8).transpose()
    }

    /// A byte string: compact if `flex`.
    ///
    /// # Errors
    /// It is null, or the bytes end.
    pub fn bytes(&mut self, flex: bool) -> Result<Bytes, Malformed> {
        Ok(self.blob(flex, false, false)?.unwrap_or_default())
    }

    /// A byte string or, if `nullable`, null.
    ///
    /// # Errors
    /// As [`Reader::bytes`].
    pub fn nullable_bytes(
        &mut self,
        flex: bool,
        nullable: bool,
    ) -> Result<Option<Bytes>, Malformed> {
        self.blob(flex, false, nullable)
    }

    /// Record batches or, if `nullable`, null.
    ///
    /// # Errors
    /// As [`Reader::bytes`].
    pub fn records(&mut self, flex: bool, nullable: bool) -> Result<Records, Malformed> {
        Ok(match self.blob(flex, false, nullable)? {
            Some(bytes) => Records::Bytes(bytes),
            None => Records::None,
        })
    }

    /// An array of elements that take at least `least` bytes each.
    ///
    /// # Errors
    /// It is null, an element is malformed, or the bytes left are too few for the claimed number.
    pub fn array<T>(
        &mut self,
        flex: bool,
        least: u32,
        element: impl FnMut(&mut Reader) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let elements = self.nullable_array(flex, false, least, element)?;
        Ok(elements.unwrap_or_default())
    }

    /// An array or, if `nullable`, null.
    ///
    /// # Errors
    /// As [`Reader::array`].
    pub fn nullable_array<T>(
        &mut self,
        flex: bool,
        nullable: bool,
        least: u32,
        mut element: impl FnMut(&mut Reader) -> Result<T, Malformed>,
    ) -> Result<Option<Vec<T>>, Malformed> {
        let Some(count) = self.count(flex, nullable, least)? else {
            return Ok(None);
        };
        // An element may take much more memory than bytes, so room for many is made only as they are read.
        let mut elements = Vec::with_capacity(count.min(RESERVED_MAX));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// The number of an array's elements; never more than the bytes left can hold.
    pub(crate) fn count(
        &mut self,
        flex: bool,
        nullable: bool,
        least: u32,
    ) -> Result<Option<usize>, Malformed> {
        match self.length(flex, false)? {
            Some(count) => {
                let count = count as usize;
                if count > self.remaining() / least.max(1) as usize {
                    return Err(Malformed::Truncated);
                }
                Ok(Some(count))
            }
            None if nullable => Ok(None),
            None => Err(Malformed::UnexpectedNull),
        }
    }

    /// A struct that may be null: a byte (negative is null), then the fields.
    ///
    /// # Errors
    /// The fields are malformed, or the bytes end.
    pub fn nullable_struct<T: Fields>(&mut self, version: i16) -> Result<Option<T>, Malformed> {
        if self.i8()? < 0 {
            return Ok(None);
        }
        T::read(self, version).map(Some)
    }

    /// Has `value` read exactly the next `len` bytes.
    pub(crate) fn within(
        &mut self,
        len: u32,
        value: &mut dyn FnMut(&mut Reader) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let end = self.narrow(len)?;
        let result = value(self);
        self.widen(end, result)
    }

    /// Lets only the next `len` bytes be read; gives the former end.
    pub(crate) fn narrow(&mut self, len: u32) -> Result<usize, Malformed> {
        if len as usize > self.remaining() {
            return Err(Malformed::Truncated);
        }
        Ok(core::mem::replace(&mut self.end, self.at + len as usize))
    }

    /// Undoes [`Reader::narrow`]; `result` is an error if not all bytes were read.
    pub(crate) fn widen(
        &mut self,
        end: usize,
        result: Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let all_read = self.at == self.end;
        self.end = end;
        match result {
            Ok(()) if all_read => Ok(()),
            Ok(()) | Err(Malformed::Truncated) => Err(Malformed::TagSize),
            Err(error) => Err(error),
        }
    }

    /// Goes back to where [`Reader::at`] was before.
    pub(crate) fn rewind(&mut self, at: usize) {
        self.at = at.min(self.at);
    }
}

/// Fixed-size numbers, most significant byte first.
macro_rules! numbers {
    ($($name:ident: $type:ty,)*) => {
        impl Reader {
            $(
                #[doc = concat!("A `", stringify!($type), "`, most significant byte first.")]
                ///
                /// # Errors
                /// The bytes end.
                pub fn $name(&mut self) -> Result<$type, Malformed> {
                    Ok(<$type>::from_be_bytes(self.fixed()?))
                }
            )*
        }
    };
}

numbers! {
    i8: i8,
    i16: i16,
    u16: u16,
    i32: i32,
    u32: u32,
    i64: i64,
}

impl Reader {
    /// A float64, as its bits.
    ///
    /// # Errors
    /// The bytes end.
    pub fn f64(&mut self) -> Result<F64Bits, Malformed> {
        Ok(F64Bits(u64::from_be_bytes(self.fixed()?)))
    }

    /// A uuid.
    ///
    /// # Errors
    /// The bytes end.
    pub fn uuid(&mut self) -> Result<Uuid, Malformed> {
        Ok(Uuid(self.fixed()?))
    }
}
