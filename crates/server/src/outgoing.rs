//! Bytes on their way to a client, written without being gathered first.

use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Bytes that all connections together have to send. They are in memory until they are sent, also if
/// the logs that they come from have let go of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unsent(Arc<AtomicU64>);

impl Unsent {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a connection has to send.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are sent.
    sent: usize,
    left: u64,
    all: Unsent,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.left, Ordering::Relaxed);
    }
}

impl Outgoing {
    /// Nothing to send; what comes is counted in `all`, too.
    pub(crate) fn counted_in(all: Unsent) -> Outgoing {
        Outgoing {
            pieces: VecDeque::new(),
            sent: 0,
            left: 0,
            all,
        }
    }

    /// Queues a frame: its length, then its pieces.
    pub(crate) fn push(&mut self, frame: Vec<Bytes>) {
        let length: u64 = frame.iter().map(|piece| piece.len() as u64).sum();
        let Ok(prefix) = i32::try_from(length) else {
            // Replies are bounded by fetch.max.bytes, an i32.
            return;
        };
        self.left += length + 4;
        self.all.0.fetch_add(length + 4, Ordering::Relaxed);
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
        let written_bytes = (written as u64).min(self.left);
        self.left -= written_bytes;
        self.all.0.fetch_sub(written_bytes, Ordering::Relaxed);
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
    use super::{Outgoing, Unsent};
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

    #[test]
    fn what_is_not_sent_counts_until_its_connection_is_gone() {
        let all = Unsent::default();
        let mut outgoing = Outgoing::counted_in(all.clone());
        outgoing.push(vec![Bytes::from_static(b"abcdef")]);
        assert_eq!(all.bytes(), 10);
        let mut slow = Slow {
            taken: Vec::new(),
            at_once: 3,
            blocks: true,
        };
        assert!(!outgoing.write_to(&mut slow).unwrap());
        assert_eq!((outgoing.left(), all.bytes()), (7, 7));
        drop(outgoing);
        assert_eq!(all.bytes(), 0);
    }
}
