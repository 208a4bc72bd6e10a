use bytes::Bytes;

/// The value of a schema field of type `records`: batches as they lie in a log, not looked into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Records {
    /// Null.
    #[default]
    None,
    /// The bytes themselves. What is decoded is always this or `None`.
    Bytes(Bytes),
    /// `len` bytes that whoever sends the message puts in place; `id` says which, and means something
    /// only to the one who made it. See [`SlicePoint`](crate::SlicePoint).
    Slice {
        /// Names the bytes.
        id: u64,
        /// How many bytes they are.
        len: u32,
    },
}

impl Records {
    /// Length in bytes; 0 for null.
    #[must_use]
    pub fn len(&self) -> u32 {
        match self {
            Records::None => 0,
            Records::Bytes(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            Records::Slice { len, .. } => *len,
        }
    }

    /// True of null and of no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True of null.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Records::None)
    }

    /// The bytes, if they are here.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Records::Bytes(bytes) => Some(bytes),
            Records::None | Records::Slice { .. } => None,
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Records {
        Records::Bytes(bytes)
    }
}

/// A float64 field, held as its IEEE 754 bits: the core does no arithmetic on floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct F64Bits(pub u64);
