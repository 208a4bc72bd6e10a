use alloc::vec::Vec;
use bytes::Bytes;

use crate::{Malformed, Message, Reader, SlicePoint, Tags, Unencodable, Writer};

const API_VERSIONS: i16 = 18;

/// An encoded response: bytes, and the places where slices of logs belong in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// All bytes but those of the slices.
    pub bytes: Bytes,
    /// Where the slices go, in ascending order.
    pub slices: Vec<SlicePoint>,
}

impl Encoded {
    /// Length of the frame in bytes, slices included.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        let slices: u64 = self.slices.iter().map(|slice| u64::from(slice.len)).sum();
        slices + self.bytes.len() as u64
    }
}

/// Whether a response's header has tagged fields: version 1 of the header. `ApiVersions` never has, as
/// its client does not yet know what the broker speaks (KIP-511).
fn header_has_tags<M: Message>(version: i16) -> bool {
    M::API_KEY != API_VERSIONS && M::is_flexible(version)
}

/// A response's frame, without the four bytes of length before it.
///
/// # Errors
/// The version cannot hold what `message` says.
///
/// # Panics
/// Never on input; in debug builds if `api_key` is not the message's.
pub fn encode_response<M: Message>(
    correlation_id: i32,
    api_key: i16,
    version: i16,
    message: &M,
) -> Result<Encoded, Unencodable> {
    debug_assert_eq!(api_key, M::API_KEY, "the message answers this API");
    let mut w = Writer::of_answers(256);
    w.i32(correlation_id);
    if header_has_tags::<M>(version) {
        w.unknown_tags(&Tags::NONE);
    }
    message.encode(&mut w, version)?;
    let (bytes, slices) = w.into_parts()?;
    Ok(Encoded { bytes, slices })
}

/// Reads a response's frame: correlation id and message. Bytes that follow the message are ignored.
///
/// # Errors
/// The bytes are not such a response.
pub fn decode_response<M: Message>(frame: Bytes, version: i16) -> Result<(i32, M), Malformed> {
    let mut r = Reader::new(frame);
    let correlation_id = r.i32()?;
    if header_has_tags::<M>(version) {
        r.unknown_tags(&mut Tags::default())?;
    }
    let message = M::decode(&mut r, version)?;
    Ok((correlation_id, message))
}
