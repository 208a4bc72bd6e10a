//! Kafka messages to bytes and back.
//!
//! One module per message of the protocol, generated from `schema/*.json` by `cargo xtask codegen`:
//! [`produce_request::ProduceRequest`], [`partition_record::PartitionRecord`] and so on, in every version
//! the schema calls valid. Around them: framing ([`cut_frame`], [`decode_request_header`], [`encode_response`]), the
//! table of APIs ([`api_table`]) and a decoder that says which byte is what ([`spans`]).
//!
//! Decoding never panics, never allocates by a claimed length, and keeps what it does not know (tagged
//! fields) so that it can be encoded again.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod api_table;
mod error;
mod framing;
mod generated;
mod message;
mod reader;
mod records;
pub mod request;
mod response;
pub mod spans;
mod str;
mod tags;
mod writer;

pub use error::{Malformed, Unencodable};
pub use framing::{FrameError, cut_frame, frame_length};
pub use generated::*;
pub use message::{Fields, Message};
pub use reader::Reader;
pub use records::{F64Bits, Records};
pub use request::{RequestFrame, RequestHeader, decode_request_header, encode_request};
pub use response::{Encoded, decode_response, encode_response};
pub use str::Str;
pub use tags::{Tag, Tags};
pub use writer::{SlicePoint, Writer};

/// What generated code uses.
mod prelude {
    pub(crate) use crate::tags::KnownTags;
    pub(crate) use crate::{
        F64Bits, Fields, Malformed, Message, Reader, Records, Str, Tags, Writer,
    };
    pub(crate) use alloc::vec::Vec;
    pub(crate) use bytes::Bytes;
    pub(crate) use ids::Uuid;
}
