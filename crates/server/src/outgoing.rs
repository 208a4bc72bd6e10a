//! Bytes on their way to a client, written without being gathered first.

use crate::buffers::Buffers;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pieces handed to the kernel at once.
const PIECES: usize = 64;

/// Bytes read from a file at once, right before they are sent: they pass through the processor's
/// caches alone, and a client that does not read makes the server hold no more than these.
const FILE_BYTES: usize = 256 << 10;

/// A part of a frame.
#[derive(Debug)]
pub enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file, which are read when they are sent.
    File {
        /// The file.
        file: Arc<File>,
        /// Where they begin in it.
        at: u64,
        /// How many they are.
        length: usize,
    },
}

impl Piece {
    fn length(&self) -> usize {
        match self {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::File { length, .. } => *length,
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
    /// None of them empty.
    pieces: VecDeque<Piece>,
    left: u64,
    /// Bytes of these that are in memory.
    held: u64,
    all: Unsent,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.held, Ordering::Relaxed);
    }
}

impl Outgoing {
    /// Nothing to send; what comes is counted in `all`, too.
    pub(crate) fn counted_in(all: Unsent) -> Outgoing {
        Outgoing {
            pieces: VecDeque::new(),
            left: 0,
            held: 0,
            all,
        }
    }

    /// Queues a frame: its length, then its pieces.
    pub(crate) fn push(&mut self, frame: Vec<Piece>) {
        let length: u64 = frame.iter().map(|piece| piece.length() as u64).sum();
        let Ok(prefix) = i32::try_from(length) else {
            // Replies are bounded by fetch.max.bytes, an i32.
            return;
        };
        let held = frame.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File { .. } => 0,
        });
        let held = held.sum::<u64>();
        self.left += length + 4;
        let prefix = Bytes::copy_from_slice(&prefix.to_be_bytes());
        self.pieces.push_back(Piece::Bytes(prefix));
        self.pieces
            .extend(frame.into_iter().filter(|piece| piece.length() > 0));
        self.held(held + 4);
    }

    fn held(&mut self, more: u64) {
        self.held += more;
        self.all.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Bytes that are not sent.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Writes as much as the other side takes, files through `buffers`; says whether everything is
    /// sent.
    pub(crate) fn write_to(&mut self, out: &mut impl Write, buffers: &Buffers) -> io::Result<bool> {
        while !self.pieces.is_empty() {
            self.read_first_file(buffers)?;
            let mut slices = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                let Piece::Bytes(bytes) = piece else {
                    break;
                };
                *slice = IoSlice::new(bytes);
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

    /// Reads the beginning of the first file among the pieces that would be sent next, unless
    /// there is enough to send before it.
    fn read_first_file(&mut self, buffers: &Buffers) -> io::Result<()> {
        let mut before = 0;
        let near = self.pieces.iter().take(PIECES - 1);
        let place = near.take_while(|piece| {
            before += piece.length();
            matches!(piece, Piece::Bytes(_)) && before < FILE_BYTES
        });
        let place = place.count();
        let Some(Piece::File { file, at, length }) = self.pieces.get_mut(place) else {
            return Ok(());
        };
        let mut lease = buffers.lease((*length).min(FILE_BYTES), 0);
        lease.length = lease.length.min(lease.bytes.len());
        let count = lease.length;
        file.read_exact_at(lease.bytes.get_mut(..count).unwrap_or_default(), *at)?;
        (*at, *length) = (*at + count as u64, *length - count);
        let is_read = *length == 0;
        self.held(count as u64);
        let read = Piece::Bytes(Bytes::from_owner(lease));
        match self.pieces.get_mut(place) {
            Some(piece) if is_read => *piece = read,
            _ => self.pieces.insert(place, read),
        }
        Ok(())
    }

    fn advance(&mut self, written: usize) {
        self.left = self.left.saturating_sub(written as u64);
        // What is sent had been read before.
        self.all.0.fetch_sub(written as u64, Ordering::Relaxed);
        self.held = self.held.saturating_sub(written as u64);
        let mut sent = written;
        while let Some(Piece::Bytes(bytes)) = self.pieces.front_mut() {
            if sent < bytes.len() {
                bytes.advance(sent);
                break;
            }
            sent -= bytes.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffers, FILE_BYTES, Outgoing, Piece, Unsent};
    use bytes::Bytes;
    use std::fs::File;
    use std::io::{self, ErrorKind, Write};
    use std::sync::Arc;

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

    fn memory(text: &'static str) -> Piece {
        Piece::Bytes(Bytes::from_static(text.as_bytes()))
    }

    /// A file of these bytes, without a name.
    fn file(bytes: &[u8], number: usize) -> Arc<File> {
        let name = format!("brooklet-outgoing-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        Arc::new(file)
    }

    #[test]
    fn everything_is_sent_in_order_however_little_is_taken() {
        let file = file(b"xxcdefxx", 0);
        for at_once in 1..16 {
            let mut outgoing = Outgoing::default();
            let (file, at, length) = (file.clone(), 2, 4);
            let pieces = [
                memory("ab"),
                memory(""),
                Piece::File { file, at, length },
                memory("gh"),
            ];
            outgoing.push(pieces.into());
            outgoing.push(vec![memory("i")]);
            let mut slow = Slow {
                taken: Vec::new(),
                at_once,
                blocks: false,
            };
            while !outgoing.write_to(&mut slow, &Buffers::default()).unwrap() {}
            assert_eq!(slow.taken, b"\0\0\0\x08abcdefgh\0\0\0\x01i");
            assert_eq!(outgoing.left(), 0);
        }
    }

    #[test]
    fn what_is_not_sent_counts_until_its_connection_is_gone() {
        let all = Unsent::default();
        let mut outgoing = Outgoing::counted_in(all.clone());
        outgoing.push(vec![memory("abcdef")]);
        assert_eq!(all.bytes(), 10);
        let mut slow = Slow {
            taken: Vec::new(),
            at_once: 3,
            blocks: true,
        };
        assert!(!outgoing.write_to(&mut slow, &Buffers::default()).unwrap());
        assert_eq!((outgoing.left(), all.bytes()), (7, 7));
        drop(outgoing);
        assert_eq!(all.bytes(), 0);
    }

    #[test]
    fn of_a_large_file_little_is_in_memory_at_a_time() {
        let bytes: Vec<u8> = (0..2_000_000_u32).map(|at| (at / 7) as u8).collect();
        let (at, length) = (0, bytes.len());
        let mut outgoing = Outgoing::default();
        let file = file(&bytes, 1);
        outgoing.push(vec![memory("head"), Piece::File { file, at, length }]);
        let mut slow = Slow {
            taken: Vec::new(),
            at_once: 100_000,
            blocks: false,
        };
        let buffers = Buffers::default();
        while !outgoing.write_to(&mut slow, &buffers).unwrap() {
            let held = outgoing.pieces.iter().map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.len(),
                Piece::File { .. } => 0,
            });
            assert!(held.sum::<usize>() <= 2 * FILE_BYTES);
        }
        assert!(slow.taken.get(8..) == Some(&bytes));
    }

    #[test]
    fn a_file_that_has_become_shorter_ends_the_connection() {
        let file = file(b"short", 2);
        let mut outgoing = Outgoing::default();
        let (at, length) = (0, 6);
        outgoing.push(vec![Piece::File { file, at, length }]);
        let mut taken = Vec::new();
        assert!(outgoing.write_to(&mut taken, &Buffers::default()).is_err());
    }
}
