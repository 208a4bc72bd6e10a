use core::fmt;

/// Bytes that are not what they are taken for. A broker closes the connection they came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end before the value does, or an array claims more elements than bytes are left for.
    Truncated,
    /// A length below zero where only -1 (null), or no negative number at all, may stand.
    NegativeLength,
    /// Null where the schema allows none.
    UnexpectedNull,
    /// A variable-length number of more than five bytes, or one that does not fit 32 bits.
    Varint,
    /// Text that is not UTF-8.
    Utf8,
    /// Text of more than 32,767 bytes.
    TextTooLong,
    /// Tagged fields that do not come in ascending order.
    TagOrder,
    /// A tagged field whose value is shorter or longer than its announced size.
    TagSize,
    /// An API key this crate has no schema for.
    UnknownApi(i16),
    /// A version the message does not have.
    UnknownVersion(i16),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Malformed::Truncated => "the bytes end too early",
            Malformed::NegativeLength => "a length is negative",
            Malformed::UnexpectedNull => "a value is null that must not be",
            Malformed::Varint => "a variable-length number does not fit 32 bits",
            Malformed::Utf8 => "a text is not UTF-8",
            Malformed::TextTooLong => "a text has more than 32767 bytes",
            Malformed::TagOrder => "tagged fields are not in ascending order",
            Malformed::TagSize => "a tagged field does not have its announced size",
            Malformed::UnknownApi(key) => return write!(f, "there is no API {key}"),
            Malformed::UnknownVersion(version) => {
                return write!(f, "the message has no version {version}");
            }
        };
        f.write_str(text)
    }
}

impl core::error::Error for Malformed {}

/// A message that cannot be written in the version asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unencodable {
    /// The message does not have this version.
    UnknownVersion(i16),
    /// This field is set (or is null), which the version cannot say. Named as in the schema.
    Field(&'static str),
    /// A text, byte string or array is longer than its length field can tell.
    TooLong,
    /// A [`Records::Slice`](crate::Records::Slice) in a message that must be contiguous.
    Slice,
}

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unencodable::UnknownVersion(version) => {
                write!(f, "the message has no version {version}")
            }
            Unencodable::Field(name) => {
                write!(
                    f,
                    "{name} has a value that this version of the message cannot hold"
                )
            }
            Unencodable::TooLong => f.write_str("a value is longer than its length field can tell"),
            Unencodable::Slice => f.write_str("a slice of a log where only bytes can stand"),
        }
    }
}

impl core::error::Error for Unencodable {}
