//! Bytes on their way to a client, written without being gathered first.

use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

/// Pieces handed to the kernel at once.
const PIECES: usize = 64;

#[derive(Debug)]
enum Piece {
    Length([u8; 4]),
    Bytes(Bytes),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Length(length) => length,
            Piece::Bytes(bytes) => bytes,
        }
    }
}

/// What a connection has to send.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are sent.
    sent: usize,
    left: u64,
}

impl Outgoing {
    /// Queues a frame: its length, then its pieces.
    pub(crate) fn push(&mut self, frame: Vec<Bytes>) {
        let length: u64 = frame.iter().map(|piece| piece.len() as u64).sum();
        let Ok(prefix) = i32::try_from(length) else {
            // Replies are bounded by fetch.max.bytes, an i32.
            return;
        };
        self.left += length + 4;
        self.pieces.push_back(Piece::Length(prefix.to_be_bytes()));
        let filled = frame.into_iter().filter(|piece| !piece.is_empty());
        self.pieces.extend(filled.map(Piece::Bytes));
    }

    /// Bytes that are not sent.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Writes as much as the other side takes; says whether everything is sent.
    pub(crate) fn write_to(&mut self, out: &mut impl Write) -> io::Result<bool> {
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                let skip = if count == 0 { self.sent } else { 0 };
                *slice = IoSlice::new(piece.bytes().get(skip..).unwrap_or_default());
                count += 1;
            }
            match out.write_vectored(slices.get(..count).unwrap_or_default()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn advance(&mut self, written: usize) {
        self.left = self.left.saturating_sub(written as u64);
        self.sent += written;
        while let Some(piece) = self.pieces.front() {
            let length = piece.bytes().len();
            if self.sent < length {
                break;
            }
            self.sent -= length;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Outgoing;
    use bytes::Bytes;
    use std::io::{self, ErrorKind, Write};

    /// Takes at most `at_once` bytes, and nothing every other time.
    struct Slow {
        taken: Vec<u8>,
        at_once: usize,
        blocks: bool,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.blocks = !self.blocks;
            if self.blocks {
                return Err(ErrorKind::WouldBlock.into());
            }
            let take = bytes.len().min(self.at_once);
            self.taken.extend_from_slice(&bytes[..take]);
            Ok(take)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_is_sent_in_order_however_little_is_taken() {
        for at_once in 1..12 {
            let mut outgoing = Outgoing::default();
            let pieces = ["ab", "", "cde"].map(|piece| Bytes::from_static(piece.as_bytes()));
            outgoing.push(pieces.to_vec());
            outgoing.push(vec![Bytes::from_static(b"f")]);
            let mut slow = Slow {
                taken: Vec::new(),
                at_once,
                blocks: false,
            };
            while !outgoing.write_to(&mut slow).unwrap() {}
            assert_eq!(slow.taken, b"\0\0\0\x05abcde\0\0\0\x01f");
            assert_eq!(outgoing.left(), 0);
        }
    }
}
