//! Cutting a stream of bytes into frames, without believing what a length claims.

use bytes::{Bytes, BytesMut};
use std::fmt;

/// Why a stream cannot be cut into frames; the connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// The length is negative.
    Negative(i32),
    /// The length is above `socket.request.max.bytes`.
    TooLarge {
        /// The claimed length.
        length: i32,
        /// `socket.request.max.bytes`.
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

/// Bytes received on a connection that have not been handled yet.
///
/// What it holds is never more than what has been received: a length is only compared with the
/// limit, no room is made for it.
#[derive(Debug)]
pub struct Frames {
    received: BytesMut,
    max: u32,
}

impl Frames {
    /// Nothing received yet; `max` is `socket.request.max.bytes`.
    #[must_use]
    pub fn new(max: u32) -> Frames {
        Frames {
            received: BytesMut::new(),
            max,
        }
    }

    /// Takes bytes as they came.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Bytes that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.received.len()
    }

    /// The next whole frame, without its four bytes of length; `None` when it has not all come.
    ///
    /// # Errors
    /// The length is none; there is no way to go on.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(head) = self.received.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = self.check(*head)? as usize;
        if self.received.len() - 4 < length {
            return Ok(None);
        }
        let mut frame = self.received.split_to(4 + length);
        if self.received.is_empty() {
            // The frame keeps its buffer; the connection holds none while it is idle.
            self.received = BytesMut::new();
        }
        Ok(Some(frame.split_off(4).freeze()))
    }

    fn check(&self, head: [u8; 4]) -> Result<u32, FrameError> {
        let length = i32::from_be_bytes(head);
        match u32::try_from(length) {
            Ok(within) if within <= self.max => return Ok(within),
            _ => {}
        }
        Err(match &head {
            b"GET " | b"POST" | b"HEAD" | b"PUT " | b"DELE" | b"OPTI" | b"PRI " => FrameError::Http,
            // Handshake or alert of SSL 3.0 to TLS 1.3.
            [0x16 | 0x15, 0x03, 0x00..=0x04, _] => FrameError::Tls,
            _ if length < 0 => FrameError::Negative(length),
            _ => FrameError::TooLarge {
                length,
                max: self.max,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameError, Frames};

    fn cut(bytes: &[u8], pieces: usize) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut frames = Frames::new(1000);
        let mut found = Vec::new();
        for piece in bytes.chunks(pieces) {
            frames.extend(piece);
            while let Some(frame) = frames.next_frame()? {
                found.push(frame.to_vec());
            }
        }
        Ok(found)
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_arrive() {
        let bytes = b"\0\0\0\x03abc\0\0\0\0\0\0\0\x05hello\0\0";
        let expected = vec![b"abc".to_vec(), Vec::new(), b"hello".to_vec()];
        for pieces in 1..=bytes.len() {
            assert_eq!(cut(bytes, pieces).unwrap(), expected);
        }
    }

    #[test]
    fn a_claimed_length_makes_no_room() {
        let mut frames = Frames::new(100 << 20);
        frames.extend(&(100i32 << 20).to_be_bytes());
        assert_eq!(frames.next_frame(), Ok(None));
        assert!(frames.received.capacity() < 1024);
    }

    #[test]
    fn what_is_no_frame_is_told_apart() {
        assert_eq!(cut(b"GET / HTTP/1.1", 4), Err(FrameError::Http));
        assert_eq!(cut(b"POST", 4), Err(FrameError::Http));
        assert_eq!(cut(&[0x16, 3, 1, 2, 0], 4), Err(FrameError::Tls));
        assert_eq!(cut(&[0x15, 3, 3, 0], 4), Err(FrameError::Tls));
        assert_eq!(cut(&[0xff; 4], 4), Err(FrameError::Negative(-1)));
        let too_large = FrameError::TooLarge {
            length: 1001,
            max: 1000,
        };
        assert_eq!(cut(&1001i32.to_be_bytes(), 1), Err(too_large));
        assert!(!too_large.to_string().is_empty());
    }
}
