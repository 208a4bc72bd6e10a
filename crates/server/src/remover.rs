//! The thread that gives back what deleted files took: a large file's blocks take long to free.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// What is to go.
#[derive(Debug)]
pub(crate) enum Doomed {
    /// A file that has no name any more: it goes with its last handle.
    File(Arc<File>),
    /// A directory with all its files, under a name that nobody will use again.
    Directory(PathBuf),
}

/// A thread that removes, in order; what is ordered is done before it is dropped.
#[derive(Debug)]
pub(crate) struct Remover {
    orders: Option<Sender<Doomed>>,
    thread: Option<JoinHandle<()>>,
}

impl Remover {
    pub(crate) fn start() -> io::Result<Remover> {
        let (orders, waiting) = channel();
        let run = move || {
            for doomed in waiting {
                match doomed {
                    Doomed::File(file) => drop(file),
                    // What stays is finished by the next start, which says so.
                    Doomed::Directory(path) => drop(fs::remove_dir_all(path)),
                }
            }
        };
        let thread = std::thread::Builder::new().name("remove".to_owned());
        Ok(Remover {
            orders: Some(orders),
            thread: Some(thread.spawn(run)?),
        })
    }

    pub(crate) fn order(&self, doomed: Doomed) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(doomed);
        }
    }
}

impl Drop for Remover {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
