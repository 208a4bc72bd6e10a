//! The thread that makes closed segments survive a power cut, while the server goes on.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// Segments that wait at most; the one after them makes the server wait.
const WAITING_MAX: usize = 64;

/// Files to be flushed together: a segment that has been closed, and what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flush {
    /// Comes back with [`Flushed`].
    pub number: u64,
    /// The directory they are in, whose names are flushed, too.
    pub dir: String,
    /// Their paths; one that is not there any more needs no flush.
    pub paths: Vec<String>,
}

/// A [`Flush`] has ended.
#[derive(Debug)]
pub struct Flushed {
    /// Its number.
    pub number: u64,
    /// Whether it did what it should; after an error nothing is certain any more.
    pub result: io::Result<()>,
}

/// A thread that flushes, in order.
#[derive(Debug)]
pub(crate) struct Flusher {
    orders: Option<SyncSender<Flush>>,
    ended: Receiver<Flushed>,
    thread: Option<JoinHandle<()>>,
    /// Orders that have not ended.
    open: usize,
}

impl Flusher {
    /// A thread for the files below `root`.
    pub(crate) fn start(root: PathBuf) -> io::Result<Flusher> {
        let (orders, waiting) = sync_channel::<Flush>(WAITING_MAX);
        let (tell, ended) = channel();
        let run = move || {
            for flush in waiting {
                let result = carry_out(&root, &flush);
                let number = flush.number;
                if tell.send(Flushed { number, result }).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("flush".to_owned());
        Ok(Flusher {
            orders: Some(orders),
            ended,
            thread: Some(thread.spawn(run)?),
            open: 0,
        })
    }

    pub(crate) fn order(&mut self, flush: Flush) -> io::Result<()> {
        let sent = self.orders.as_ref().map(|orders| orders.send(flush));
        if !matches!(sent, Some(Ok(()))) {
            return Err(io::Error::other("the thread that flushes has ended"));
        }
        self.open += 1;
        Ok(())
    }

    /// What has ended since the last call; with `wait`, everything that was ordered.
    pub(crate) fn ended(&mut self, wait: bool) -> Vec<Flushed> {
        let mut found = Vec::new();
        while self.open > 0 {
            let next = match wait {
                true => self.ended.recv().ok(),
                false => self.ended.try_recv().ok(),
            };
            let Some(next) = next else {
                break;
            };
            self.open -= 1;
            found.push(next);
        }
        found
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn carry_out(root: &std::path::Path, flush: &Flush) -> io::Result<()> {
    let unless_gone = |flushed: io::Result<()>| match flushed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        flushed => flushed,
    };
    for path in &flush.paths {
        unless_gone(File::open(root.join(path)).and_then(|file| file.sync_data()))?;
    }
    unless_gone(File::open(root.join(&flush.dir)).and_then(|dir| dir.sync_all()))
}
