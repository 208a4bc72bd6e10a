//! Requests as frames: a header, then the body. The four bytes of length before a frame are not part of it.

use bytes::Bytes;

use crate::api_table::flexible_from;
use crate::{Malformed, Message, Reader, Str, Tags, Unencodable, Writer};

/// What stands before every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API.
    pub api_key: i16,
    /// Which version of it.
    pub api_version: i16,
    /// Comes back with the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<Str>,
}

/// A request whose body is not decoded yet.
#[derive(Clone, Debug)]
pub struct RequestFrame {
    /// The header.
    pub header: RequestHeader,
    /// Stands at the body.
    pub body: Reader,
}

impl RequestFrame {
    /// Reads the header of a frame.
    ///
    /// # Errors
    /// As [`decode_request_header`].
    pub fn decode(frame: Bytes) -> Result<RequestFrame, Malformed> {
        let (header, body) = decode_request_header(frame)?;
        Ok(RequestFrame { header, body })
    }
}

/// Reads the header of a frame; the reader stands at the body then.
///
/// The version may be one that no schema has: a broker must be able to answer an `ApiVersions` request
/// from the future.
///
/// # Errors
/// The bytes are no header, or there is no such API.
pub fn decode_request_header(frame: Bytes) -> Result<(RequestHeader, Reader), Malformed> {
    let mut r = Reader::new(frame);
    let api_key = r.i16()?;
    let api_version = r.i16()?;
    let correlation_id = r.i32()?;
    let flexible_from = flexible_from(api_key).ok_or(Malformed::UnknownApi(api_key))?;
    // Not compact even in header version 2 (KIP-482).
    let client_id = r.nullable_string(false, true)?;
    if api_version >= flexible_from {
        r.unknown_tags(&mut Tags::default())?;
    }
    let header = RequestHeader {
        api_key,
        api_version,
        correlation_id,
        client_id,
    };
    Ok((header, r))
}

/// A request's frame. `header` must name the API and a version of `message`.
///
/// # Errors
/// The version cannot hold what `message` says.
///
/// # Panics
/// Never on input; in debug builds if `header.api_key` is not the message's.
pub fn encode_request<M: Message>(
    header: &RequestHeader,
    message: &M,
) -> Result<Bytes, Unencodable> {
    debug_assert_eq!(
        header.api_key,
        M::API_KEY,
        "header and message are of one API"
    );
    let mut w = Writer::with_capacity(256);
    w.i16(header.api_key);
    w.i16(header.api_version);
    w.i32(header.correlation_id);
    w.nullable_string(false, &header.client_id);
    if M::is_flexible(header.api_version) {
        w.unknown_tags(&Tags::NONE);
    }
    message.encode(&mut w, header.api_version)?;
    w.into_bytes()
}
