//! Says which byte of a frame is what, for people to look at.
//!
//! Driven by tables made from the same schema as the messages, not by their code, so that it costs a
//! page little. It accepts and refuses what [`Message::decode`](crate::Message::decode) does.

pub(crate) mod table;
mod walk;

use alloc::vec::Vec;
use bytes::Bytes;

use crate::Malformed;

/// Name of the span that covers bytes after the end of a message.
pub const SPARE_BYTES: &str = "spare bytes";
/// Name of the span that covers everything from where decoding failed.
pub const UNDECODED_BYTES: &str = "undecoded bytes";

/// What bytes are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanOf<'a> {
    /// A request's frame; its header tells the rest.
    Request,
    /// A response's frame.
    Response {
        /// The key of the API that answers.
        api_key: i16,
        /// The version of the request it answers.
        version: i16,
    },
    /// A message without a header, such as a record of `__cluster_metadata`.
    Message {
        /// As in the schema: `PartitionRecord`.
        name: &'a str,
        /// The message's version.
        version: i16,
    },
}

/// A value in a frame, and where it is. Spans come in the order of their starts, parents before children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The field's name as in the schema; that of the struct for elements of arrays.
    pub name: &'static str,
    /// Position among the elements of the array around it.
    pub index: Option<u32>,
    /// How many spans are around this one.
    pub depth: u8,
    /// Position of the first byte.
    pub start: u32,
    /// Position of the first byte of the text, byte string or number itself, after its length.
    pub content: u32,
    /// Position after the last byte.
    pub end: u32,
    /// The type.
    pub kind: Kind,
    /// The value, as far as it is not the bytes themselves.
    pub value: Value,
}

/// The type of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Named as in the schema.
pub enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    Text,
    Bytes,
    Records,
    Struct,
    Array,
    /// The number of an array's elements or of tagged fields.
    Count,
    /// The byte that says whether a struct is there.
    Presence,
    /// The number of a tagged field.
    Tag,
    /// The size of a tagged field in bytes.
    Size,
    /// All tagged fields of a struct.
    Tags,
    /// Not part of what was decoded.
    Other,
}

/// The value of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number or truth value.
    Int(i64),
    /// Floating-point: its IEEE 754 bits, most significant byte first, from `content` to `end`.
    Float,
    /// UTF-8 from `content` to `end`.
    Text,
    /// Bytes from `content` to `end`.
    Bytes,
    /// 16 bytes from `content` to `end`.
    Uuid,
    /// Nothing.
    Null,
    /// This many elements follow, one level deeper, after a span of kind [`Kind::Count`].
    Array(u32),
    /// Fields follow, one level deeper.
    Struct,
}

/// A frame taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    /// Those without children cover each byte just once.
    pub spans: Vec<Span>,
    /// Why decoding ended early, if it did.
    pub error: Option<Malformed>,
}

impl Spans {
    /// Whether span number `at` has no children.
    #[must_use]
    pub fn is_leaf(&self, at: usize) -> bool {
        match (self.spans.get(at), self.spans.get(at.saturating_add(1))) {
            (Some(this), Some(next)) => next.depth <= this.depth,
            _ => true,
        }
    }

    /// The spans without children.
    pub fn leaves(&self) -> impl Iterator<Item = &Span> {
        let spans = self.spans.iter().enumerate();
        spans
            .filter(|(at, _)| self.is_leaf(*at))
            .map(|(_, span)| span)
    }
}

/// Takes a frame apart. Whatever the bytes are, every one of them is covered.
#[must_use]
pub fn decode(what: SpanOf<'_>, frame: &Bytes) -> Spans {
    walk::frame(what, frame)
}
