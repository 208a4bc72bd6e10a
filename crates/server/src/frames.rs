//! Cutting a stream of bytes into frames, without believing what a length claims.

use crate::buffers::{Buffers, Lease};
use bytes::{Bytes, BytesMut};
use wire::{FrameError, frame_length};

/// Frames up to this size are cut from what has been read; larger ones get a buffer of their own.
const SMALL_BYTES: usize = 16 << 10;

/// Bytes received on a connection that have not been handled yet.
///
/// Small frames are cut from what has been read; a large one is received in a buffer of its own,
/// into which the socket is read directly. That buffer comes from [`Buffers`], which bounds what
/// a length can claim before its bytes have come.
#[derive(Debug)]
pub struct Frames {
    received: BytesMut,
    large: Option<Large>,
    buffers: Buffers,
    max: u32,
}

/// A large frame of which not all has come.
#[derive(Debug)]
struct Large {
    lease: Lease,
    filled: usize,
}

impl Frames {
    /// Nothing received yet; `max` is `socket.request.max.bytes`.
    #[must_use]
    pub fn new(max: u32) -> Frames {
        Frames::with_buffers(max, Buffers::default())
    }

    /// Nothing received yet, and large frames will share these buffers with other connections'.
    #[must_use]
    pub fn with_buffers(max: u32, buffers: Buffers) -> Frames {
        Frames {
            received: BytesMut::new(),
            large: None,
            buffers,
            max,
        }
    }

    /// Where the bytes that come next belong, as far as that is known; empty when they are to be
    /// told to [`Frames::extend`].
    pub fn room(&mut self) -> &mut [u8] {
        let Some(Large { lease, filled }) = &mut self.large else {
            return &mut [];
        };
        if *filled == lease.bytes.len() {
            lease.grow(*filled);
        }
        let end = lease.length.min(lease.bytes.len());
        lease.bytes.get_mut(*filled..end).unwrap_or_default()
    }

    /// So many bytes have come into [`Frames::room`].
    pub fn filled(&mut self, count: usize) {
        if let Some(large) = &mut self.large {
            large.filled = (large.filled + count).min(large.lease.length);
        }
    }

    /// Takes bytes as they came.
    pub fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            let count = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            match room.get_mut(..count) {
                Some(to) if count > 0 => to.copy_from_slice(now),
                _ => return self.received.extend_from_slice(bytes),
            }
            self.filled(count);
            bytes = later;
        }
    }

    /// Bytes that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        let large = self.large.as_ref().map_or(0, |large| large.filled);
        self.received.len() + large
    }

    /// The next whole frame, without its four bytes of length; `None` when it has not all come.
    ///
    /// # Errors
    /// The length is none; there is no way to go on.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        if let Some(large) = self.large.take() {
            if large.filled < large.lease.length {
                self.large = Some(large);
                return Ok(None);
            }
            return Ok(Some(Bytes::from_owner(large.lease)));
        }
        let Some(head) = self.received.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = frame_length(*head, self.max)? as usize;
        if self.received.len() - 4 < length {
            if length > SMALL_BYTES {
                self.begin_large(length);
            }
            return Ok(None);
        }
        let mut frame = self.received.split_to(4 + length);
        if self.received.is_empty() {
            // The frame keeps its buffer; the connection holds none while it is idle.
            self.received = BytesMut::new();
        }
        Ok(Some(frame.split_off(4).freeze()))
    }

    /// The frame that has begun goes on in a buffer of its own.
    fn begin_large(&mut self, length: usize) {
        let begun = std::mem::take(&mut self.received);
        let begun = begun.get(4..).unwrap_or_default();
        let mut lease = self.buffers.lease(length, begun.len());
        if let Some(to) = lease.bytes.get_mut(..begun.len()) {
            to.copy_from_slice(begun);
        }
        let filled = begun.len();
        self.large = Some(Large { lease, filled });
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffers, FrameError, Frames, SMALL_BYTES};
    use crate::buffers::{BUFFER_BYTES, UNEARNED_MAX};

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
    fn large_frames_come_out_whole_however_the_bytes_arrive() {
        let mut bytes = Vec::new();
        let lengths = [
            3,
            SMALL_BYTES + 1,
            0,
            100_000,
            BUFFER_BYTES + 5,
            7,
            5 * BUFFER_BYTES,
        ];
        for (length, fill) in lengths.into_iter().zip(1_u8..) {
            bytes.extend_from_slice(&(length as u32).to_be_bytes());
            bytes.extend((0..length).map(|at| fill.wrapping_add((at / 251) as u8)));
        }
        for piece in [997, 8 << 10, 300_000, bytes.len()] {
            let (mut frames, mut found) = (Frames::new(100 << 20), Vec::new());
            for piece in bytes.chunks(piece) {
                frames.extend(piece);
                while let Some(frame) = frames.next_frame().unwrap() {
                    found.extend_from_slice(&(frame.len() as u32).to_be_bytes());
                    found.extend_from_slice(&frame);
                }
            }
            assert!(found == bytes, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_claimed_length_makes_little_room_and_many_of_them_next_to_none() {
        let buffers = Buffers::default();
        let mut all = Vec::new();
        let mut room = 0;
        for number in 0..1000 {
            let mut frames = Frames::with_buffers(100 << 20, buffers.clone());
            frames.extend(&(100i32 << 20).to_be_bytes());
            assert_eq!(frames.next_frame(), Ok(None));
            room += frames.room().len();
            assert!(frames.room().len() <= BUFFER_BYTES);
            assert!(number < UNEARNED_MAX || frames.room().len() < 8192);
            all.push(frames);
        }
        assert!(room < (UNEARNED_MAX + 8) * BUFFER_BYTES);
        // Those that are gone leave their room to others.
        all.clear();
        let mut frames = Frames::with_buffers(100 << 20, buffers);
        frames.extend(&(100i32 << 20).to_be_bytes());
        assert_eq!(frames.next_frame(), Ok(None));
        assert_eq!(frames.room().len(), BUFFER_BYTES);
    }

    #[test]
    fn what_is_no_frame_ends_the_stream() {
        assert_eq!(cut(b"GET / HTTP/1.1", 4), Err(FrameError::Http));
        let too_large = FrameError::TooLarge {
            length: 1001,
            max: 1000,
        };
        assert_eq!(cut(&1001i32.to_be_bytes(), 1), Err(too_large));
    }
}
