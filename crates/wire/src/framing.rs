//! How frames follow one another in a stream of bytes: four bytes of length, then the frame.

use bytes::{Buf, Bytes, BytesMut};
use core::fmt;

/// Why a stream cannot be cut into frames; there is no way to go on with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// The length is negative.
    Negative(i32),
    /// The length is above the longest frame that is taken.
    TooLarge {
        /// The claimed length, in bytes.
        length: i32,
        /// The longest, in bytes; a broker's is `socket.request.max.bytes`.
        max: u32,
    },
    /// The four bytes of length are the beginning of an HTTP request (KIP-498).
    Http,
    /// The four bytes of length are the beginning of a TLS handshake or alert.
    Tls,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Negative(length) => write!(f, "a request of {length} bytes"),
            FrameError::TooLarge { length, max } => write!(
                f,
                "a request of {length} bytes, above socket.request.max.bytes ({max})"
            ),
            FrameError::Http => {
                f.write_str("an HTTP request: this is a Kafka broker, its port does not speak HTTP")
            }
            FrameError::Tls => f.write_str(
                "a TLS handshake: this listener is PLAINTEXT; use security.protocol=PLAINTEXT",
            ),
        }
    }
}

/// The length, from 0 to `max` bytes, that these four bytes announce. No room is to be made for it before its
/// bytes have come.
///
/// # Errors
/// They announce no such frame.
pub fn frame_length(head: [u8; 4], max: u32) -> Result<u32, FrameError> {
    let length = i32::from_be_bytes(head);
    match u32::try_from(length) {
        Ok(within) if within <= max => return Ok(within),
        _ => {}
    }
    Err(match &head {
        b"GET " | b"POST" | b"HEAD" | b"PUT " | b"DELE" | b"OPTI" | b"PRI " => FrameError::Http,
        // Handshake or alert of SSL 3.0 to TLS 1.3.
        [0x16 | 0x15, 0x03, 0x00..=0x04, _] => FrameError::Tls,
        _ if length < 0 => FrameError::Negative(length),
        _ => FrameError::TooLarge { length, max },
    })
}

/// Cuts the next whole frame off the front of what was received, without its four bytes of length; `None` when it
/// has not all come.
///
/// # Errors
/// What comes next is no frame of at most `max` bytes.
pub fn cut_frame(received: &mut BytesMut, max: u32) -> Result<Option<Bytes>, FrameError> {
    let Some(head) = received.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = frame_length(*head, max)? as usize;
    if received.len() - 4 < length {
        return Ok(None);
    }
    received.advance(4);
    Ok(Some(received.split_to(length).freeze()))
}
