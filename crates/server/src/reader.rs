//! The thread that reads from the disk, so that the one that serves does not wait for it.

use crate::worker::Worker;
use bytes::Bytes;
use cluster::LogId;
use ids::{ConnId, Token};
use log::LogSlice;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes read at once.
const STEP_BYTES: usize = 256 << 10;

/// Some bytes of a file.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The file.
    pub file: Arc<File>,
    /// Where they begin in it.
    pub at: u64,
    /// How many they are.
    pub length: usize,
}

/// What they are wanted for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// A connection sends them next: the system is to have them in its page cache.
    By(ConnId),
    /// A log has ordered them.
    Load {
        log: LogId,
        token: Token,
        slice: LogSlice,
    },
}

/// An order has ended. What could not be brought to the page cache says so when it is sent.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) wanted: Wanted,
    /// What a log has ordered.
    pub(crate) bytes: io::Result<Bytes>,
}

/// A thread that reads, in order.
pub(crate) type Reader = Worker<(Wanted, Stretch), Done>;

/// Starts it; it calls `wake` after each order.
pub(crate) fn start(wake: impl Fn() + Send + 'static) -> io::Result<Reader> {
    let mut scratch = vec![0; STEP_BYTES];
    let carry_out = move |(wanted, stretch): (Wanted, Stretch)| {
        let bytes = match wanted {
            Wanted::Load { .. } => stretch.read(),
            Wanted::By(_) => {
                stretch.pass_over(&mut scratch);
                Ok(Bytes::new())
            }
        };
        Done { wanted, bytes }
    };
    Worker::start("read", carry_out, wake)
}

impl Stretch {
    /// The first of them, at most so many.
    pub(crate) fn first(&self, most: usize) -> Stretch {
        Stretch {
            file: self.file.clone(),
            at: self.at,
            length: self.length.min(most),
        }
    }

    /// Its bytes, fewer at the file's end. The length is ours or a file's, never a client's claim.
    pub(crate) fn read(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..)
            && !rest.is_empty()
        {
            match self.file.read_at(rest, self.at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(Bytes::from(bytes))
    }

    /// Reads it for the page cache alone.
    fn pass_over(&self, scratch: &mut [u8]) {
        let (mut at, end) = (self.at, self.at + self.length as u64);
        while at < end {
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            let room = scratch.len().min(left);
            match self
                .file
                .read_at(scratch.get_mut(..room).unwrap_or_default(), at)
            {
                Ok(0) => return,
                Ok(read) => at += read as u64,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Whether it is in memory, so that reading it does not wait for the disk. Only some of its bytes are
    /// looked at: the system reads files in runs, and forgets them so.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_warm(&self) -> bool {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};
        let end = self.at + self.length as u64;
        let places = (self.at..end).step_by(STEP_BYTES);
        places.chain(end.checked_sub(1)).all(|at| {
            let mut byte = [0];
            let mut slices = [io::IoSliceMut::new(&mut byte)];
            preadv2(&self.file, &mut slices, at, ReadWriteFlags::NOWAIT) != Err(Errno::AGAIN)
        })
    }

    /// Other systems do not tell.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn is_warm(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Stretch, Wanted, start};
    use cluster::LogId;
    use ids::{ConnId, Offset, Token};
    use log::LogSlice;
    use std::fs::File;
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    #[test]
    fn what_is_ordered_comes_in_order_and_wakes_whoever_waits() {
        let path = std::env::temp_dir().join(format!("brooklet-reader-{}", std::process::id()));
        std::fs::write(&path, b"some bytes").unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        std::fs::remove_file(path).unwrap();
        let (tell, woken) = channel();
        let reader = start(move || tell.send(()).unwrap()).unwrap();
        let stretch = |at, length| Stretch {
            file: file.clone(),
            at,
            length,
        };
        assert!(stretch(0, 10).is_warm());
        let load = Wanted::Load {
            log: LogId::METADATA,
            token: Token(7),
            slice: LogSlice {
                segment: Offset(0),
                position: 5,
                length: 9,
            },
        };
        reader.order((Wanted::By(ConnId(3)), stretch(0, 1 << 20)));
        reader.order((load, stretch(5, 9)));
        woken.recv().unwrap();
        woken.recv().unwrap();
        let done: Vec<_> = reader.done().collect();
        assert!(matches!(done[0].wanted, Wanted::By(ConnId(3))));
        assert_eq!(done[1].bytes.as_ref().unwrap(), &b"bytes"[..]);
    }
}
