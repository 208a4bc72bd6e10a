//! Giving back what deleted files took. A large file's blocks take the system long to free, and whoever
//! runs on the same core waits meanwhile: files are cut piece by piece, with a pause after each.

use crate::worker::Worker;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bytes that are freed at once.
const STEP_BYTES: u64 = 16 << 20;
/// The pause after each step.
const PAUSE: Duration = Duration::from_millis(1);

/// What is to go.
#[derive(Debug)]
pub(crate) enum Doomed {
    /// A file that has no name any more: it goes with its last handle.
    File(Arc<File>),
    /// A directory with all its files, under a name that nobody will use again, and the handles that there
    /// were for them.
    Directory(PathBuf, Vec<(String, Arc<File>)>),
}

/// A thread that removes, in order.
#[derive(Debug)]
pub(crate) struct Remover(Worker<Doomed, ()>);

impl Remover {
    pub(crate) fn start() -> io::Result<Remover> {
        Worker::start("remove", remove, || {}).map(Remover)
    }

    pub(crate) fn order(&self, doomed: Doomed) {
        self.0.order(doomed);
        // Nobody asks what has ended; it is taken out so that it does not gather.
        self.0.done().for_each(drop);
    }
}

fn remove(doomed: Doomed) {
    match doomed {
        Doomed::File(file) => cut(file),
        Doomed::Directory(path, open) => {
            let being_read = |name: &str| {
                let mut found = open.iter().filter(|(other, _)| other == name);
                found.any(|(_, file)| Arc::strong_count(file) > 1)
            };
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            for entry in entries {
                let name = entry.file_name();
                if being_read(&name.to_string_lossy()) {
                    continue;
                }
                if let Ok(file) = OpenOptions::new().write(true).open(entry.path()) {
                    cut(Arc::new(file));
                }
            }
            // What stays is finished by the next start, which says so.
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Frees a file's blocks, unless somebody still reads it: then they go with the last reader.
fn cut(file: Arc<File>) {
    let Ok(file) = Arc::try_unwrap(file) else {
        return;
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let steps = length / STEP_BYTES;
    for step in (1..=steps).rev() {
        if file.set_len(step * STEP_BYTES).is_err() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}
