//! Bytes on their way to a client, written without being gathered first.

use crate::reader::Stretch;
use crate::sink::Sink;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pieces handed to the kernel at once.
const PIECES: usize = 64;

/// Bytes of a file handed to the kernel at once, and brought to its page cache where they are not in it.
const FILE_BYTES: usize = 1 << 20;

/// A part of a frame.
#[derive(Debug)]
pub enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file, which are read when they are sent.
    File(Stretch),
}

impl Piece {
    fn length(&self) -> usize {
        match self {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::File(stretch) => stretch.length,
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
    /// Up to where the file that is sent next has been asked to be in the page cache.
    warm_to: u64,
}

/// How far sending has come.
#[derive(Debug)]
pub(crate) enum Sent {
    /// Everything is sent.
    All,
    /// The other side takes no more for now.
    Some,
    /// These bytes come next and are to be read from the disk first.
    Cold(Stretch),
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
            warm_to: 0,
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
            Piece::File(_) => 0,
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

    /// Sends as much as the other side takes.
    pub(crate) fn write_to(&mut self, out: &mut impl Sink) -> io::Result<Sent> {
        loop {
            let step = match self.pieces.front() {
                None => return Ok(Sent::All),
                Some(Piece::Bytes(_)) => self.write_bytes(out),
                Some(Piece::File(left)) => {
                    let next = left.first(FILE_BYTES);
                    if next.at >= self.warm_to {
                        // Asked for once: whoever has too little memory to keep it waits here.
                        self.warm_to = next.at + next.length as u64;
                        if !next.is_warm() {
                            return Ok(Sent::Cold(next));
                        }
                    }
                    out.send_file(&next.file, next.at, next.length)
                }
            };
            match step {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Sent::Some),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends the pieces before the first file, or some of them.
    fn write_bytes(&mut self, out: &mut impl Sink) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let Piece::Bytes(bytes) = piece else {
                break;
            };
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        let more = count < self.pieces.len();
        out.send(slices.get(..count).unwrap_or_default(), more)
    }

    fn advance(&mut self, written: usize) {
        self.left = self.left.saturating_sub(written as u64);
        let mut sent = written;
        while let Some(piece) = self.pieces.front_mut() {
            let here = piece.length().min(sent);
            sent -= here;
            let ended = here == piece.length();
            match piece {
                Piece::Bytes(bytes) => {
                    bytes.advance(here);
                    self.held = self.held.saturating_sub(here as u64);
                    self.all.0.fetch_sub(here as u64, Ordering::Relaxed);
                }
                Piece::File(left) => {
                    (left.at, left.length) = (left.at + here as u64, left.length - here);
                }
            }
            if !ended {
                break;
            }
            if let Some(Piece::File(_)) = self.pieces.pop_front() {
                self.warm_to = 0;
            }
            if sent == 0 {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outgoing, Piece, Sent, Unsent};
    use crate::reader::Stretch;
    use crate::sink::Sink;
    use bytes::Bytes;
    use std::fs::File;
    use std::io::{self, ErrorKind, IoSlice};
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    /// Takes at most `at_once` bytes, and nothing every other time.
    struct Slow {
        taken: Vec<u8>,
        at_once: usize,
        blocks: bool,
    }

    impl Slow {
        fn new(at_once: usize) -> Slow {
            Slow {
                taken: Vec::new(),
                at_once,
                blocks: false,
            }
        }

        fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.blocks = !self.blocks;
            if self.blocks {
                return Err(ErrorKind::WouldBlock.into());
            }
            let take = bytes.len().min(self.at_once);
            self.taken.extend_from_slice(&bytes[..take]);
            Ok(take)
        }
    }

    impl Sink for Slow {
        fn send(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
            assert!(!more || slices.len() < 64);
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            self.take(&all)
        }

        fn send_file(&mut self, file: &File, at: u64, length: usize) -> io::Result<usize> {
            let mut bytes = vec![0; length];
            let read = file.read_at(&mut bytes, at)?;
            self.take(&bytes[..read])
        }
    }

    /// Sends all of it; what is cold is simply sent, as a disk that reads at once would have it.
    fn drain(outgoing: &mut Outgoing, out: &mut Slow) -> io::Result<()> {
        while !matches!(outgoing.write_to(out)?, Sent::All) {}
        Ok(())
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
                Piece::File(Stretch { file, at, length }),
                memory("gh"),
            ];
            outgoing.push(pieces.into());
            outgoing.push(vec![memory("i")]);
            let mut slow = Slow::new(at_once);
            drain(&mut outgoing, &mut slow).unwrap();
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
        let mut slow = Slow::new(3);
        slow.blocks = true;
        assert!(matches!(outgoing.write_to(&mut slow), Ok(Sent::Some)));
        assert_eq!((outgoing.left(), all.bytes()), (7, 7));
        drop(outgoing);
        assert_eq!(all.bytes(), 0);
    }

    #[test]
    fn of_a_file_nothing_is_held_in_memory() {
        let bytes: Vec<u8> = (0..2_000_000_u32).map(|at| (at / 7) as u8).collect();
        let (at, length) = (0, bytes.len());
        let all = Unsent::default();
        let mut outgoing = Outgoing::counted_in(all.clone());
        let file = file(&bytes, 1);
        outgoing.push(vec![
            memory("head"),
            Piece::File(Stretch { file, at, length }),
        ]);
        assert_eq!((outgoing.left(), all.bytes()), (2_000_008, 8));
        let mut slow = Slow::new(100_000);
        drain(&mut outgoing, &mut slow).unwrap();
        assert_eq!((outgoing.left(), all.bytes()), (0, 0));
        assert!(slow.taken.get(8..) == Some(&bytes));
    }

    #[test]
    fn a_file_that_has_become_shorter_ends_the_connection() {
        let file = file(b"short", 2);
        let mut outgoing = Outgoing::default();
        let (at, length) = (0, 6);
        outgoing.push(vec![Piece::File(Stretch { file, at, length })]);
        assert!(drain(&mut outgoing, &mut Slow::new(100)).is_err());
    }
}
