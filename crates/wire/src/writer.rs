use alloc::vec::Vec;
use bytes::Bytes;
use ids::Uuid;

use crate::reader::TEXT_MAX;
use crate::{F64Bits, Fields, Records, Str, Unencodable};

/// Collects the bytes of messages.
///
/// What cannot be written is noted, not returned, call by call; [`Writer::status`] tells.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    slices: Vec<SlicePoint>,
    status: Result<(), Unencodable>,
    /// Texts that are too long are cut instead of being an error.
    cuts: bool,
}

/// A place in encoded bytes where `len` bytes from elsewhere belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlicePoint {
    /// They go before the byte at this position, which does not count the bytes of earlier slices.
    pub at: u32,
    /// Which bytes: the `id` of the [`Records::Slice`].
    pub id: u64,
    /// How many bytes.
    pub len: u32,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer::new()
    }
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Writer {
        Writer {
            bytes: Vec::new(),
            slices: Vec::new(),
            status: Ok(()),
            cuts: false,
        }
    }

    /// An empty writer of answers, with room for `bytes` bytes. It cuts texts of more than 32,767 bytes,
    /// which no reader takes: only sentences are as long that quote what somebody else has said.
    #[must_use]
    pub(crate) fn of_answers(bytes: usize) -> Writer {
        Writer {
            cuts: true,
            ..Writer::with_capacity(bytes)
        }
    }

    /// An empty writer with room for `bytes` bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer {
            bytes: Vec::with_capacity(bytes),
            ..Writer::new()
        }
    }

    /// The first thing that could not be written.
    ///
    /// # Errors
    /// That thing.
    pub fn status(&self) -> Result<(), Unencodable> {
        self.status
    }

    /// The bytes so far, without slices.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, which must be all there is.
    ///
    /// # Errors
    /// Something could not be written, or bytes from elsewhere would have to be put in.
    pub fn into_bytes(self) -> Result<Bytes, Unencodable> {
        self.status?;
        if !self.slices.is_empty() {
            return Err(Unencodable::Slice);
        }
        Ok(Bytes::from(self.bytes))
    }

    /// The bytes and the places where bytes from elsewhere belong, in ascending order.
    ///
    /// # Errors
    /// Something could not be written.
    pub fn into_parts(self) -> Result<(Bytes, Vec<SlicePoint>), Unencodable> {
        self.status?;
        Ok((Bytes::from(self.bytes), self.slices))
    }

    pub(crate) fn check(&mut self, result: Result<(), Unencodable>) {
        if self.status.is_ok() {
            self.status = result;
        }
    }

    /// Notes that `field` cannot be written if `holds` is false.
    pub(crate) fn require(&mut self, holds: bool, field: &'static str) {
        if !holds {
            self.check(Err(Unencodable::Field(field)));
        }
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A byte: 1 or 0.
    pub fn bool(&mut self, value: bool) {
        self.raw(&[u8::from(value)]);
    }

    /// An unsigned number of one to five bytes, least significant seven bits first.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// `len + plus` as an unsigned varint.
    pub(crate) fn uvarint_len(&mut self, len: usize, plus: u32) {
        match i32::try_from(len) {
            Ok(len) => self.uvarint(len.unsigned_abs() + plus),
            Err(_) => self.check(Err(Unencodable::TooLong)),
        }
    }

    /// A length, or `None` for null.
    fn length(&mut self, flex: bool, short: bool, len: Option<usize>) {
        match (flex, short, len) {
            (true, _, Some(len)) => self.uvarint_len(len, 1),
            (true, _, None) => self.uvarint(0),
            (false, true, None) => self.i16(-1),
            (false, false, None) => self.i32(-1),
            (false, true, Some(len)) => match i16::try_from(len) {
                Ok(len) => self.i16(len),
                Err(_) => self.check(Err(Unencodable::TooLong)),
            },
            (false, false, Some(len)) => match i32::try_from(len) {
                Ok(len) => self.i32(len),
                Err(_) => self.check(Err(Unencodable::TooLong)),
            },
        }
    }

    fn blob(&mut self, flex: bool, short: bool, bytes: Option<&[u8]>) {
        self.length(flex, short, bytes.map(<[u8]>::len));
        self.raw(bytes.unwrap_or_default());
    }

    /// A text: compact if `flex`.
    pub fn string(&mut self, flex: bool, value: &Str) {
        self.text(flex, Some(value));
    }

    /// A text or null.
    pub fn nullable_string(&mut self, flex: bool, value: &Option<Str>) {
        self.text(flex, value.as_ref());
    }

    fn text(&mut self, flex: bool, value: Option<&Str>) {
        let bytes = match value {
            Some(value) if self.cuts && value.as_bytes().len() > TEXT_MAX => {
                Some(value.within(TEXT_MAX))
            }
            value => value.map(Str::as_bytes),
        };
        self.blob(flex, true, bytes);
    }

    /// A byte string: compact if `flex`.
    pub fn bytes(&mut self, flex: bool, value: &Bytes) {
        self.blob(flex, false, Some(value));
    }

    /// A byte string or null.
    pub fn nullable_bytes(&mut self, flex: bool, value: &Option<Bytes>) {
        self.blob(flex, false, value.as_deref());
    }

    /// Record batches, or the place where they belong.
    pub fn records(&mut self, flex: bool, value: &Records) {
        match value {
            Records::None => self.length(flex, false, None),
            Records::Bytes(bytes) => self.bytes(flex, bytes),
            Records::Slice { id, len } => {
                self.length(flex, false, Some(*len as usize));
                match u32::try_from(self.bytes.len()) {
                    Ok(at) => self.slices.push(SlicePoint {
                        at,
                        id: *id,
                        len: *len,
                    }),
                    Err(_) => self.check(Err(Unencodable::TooLong)),
                }
            }
        }
    }

    /// An array.
    pub fn array<T>(&mut self, flex: bool, values: &[T], mut element: impl FnMut(&mut Writer, &T)) {
        self.length(flex, false, Some(values.len()));
        for value in values {
            element(self, value);
        }
    }

    /// An array or null.
    pub fn nullable_array<T>(
        &mut self,
        flex: bool,
        values: &Option<Vec<T>>,
        element: impl FnMut(&mut Writer, &T),
    ) {
        match values {
            Some(values) => self.array(flex, values, element),
            None => self.length(flex, false, None),
        }
    }

    /// A struct that may be null: 1 or -1, then the fields.
    pub fn nullable_struct<T: Fields>(&mut self, value: &Option<T>, version: i16) {
        self.i8(if value.is_some() { 1 } else { -1 });
        if let Some(value) = value {
            value.write(self, version);
        }
    }

    /// A float64, given as its bits.
    pub fn f64(&mut self, value: F64Bits) {
        self.raw(&value.0.to_be_bytes());
    }

    /// A uuid.
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(&value.0);
    }
}

/// Fixed-size numbers, most significant byte first.
macro_rules! numbers {
    ($($name:ident: $type:ty,)*) => {
        impl Writer {
            $(
                #[doc = concat!("A `", stringify!($type), "`, most significant byte first.")]
                pub fn $name(&mut self, value: $type) {
                    self.raw(&value.to_be_bytes());
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
