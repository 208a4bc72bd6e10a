//! Giving back what deleted files took. A large file's blocks take the system long to free, and whoever
//! runs on the same core waits meanwhile: files are cut piece by piece, with a pause after each.

use crate::worker::Worker;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
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
        Doomed::File(file) => cut(file, 0),
        Doomed::Directory(path, open) => {
            let being_read = |name: &str| {
                let mut found = open.iter().filter(|(other, _)| other == name);
                found.any(|(_, file)| Arc::strong_count(file) > 1)
            };
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            for entry in entries {
                // A link leads to a file that is not here.
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                if !is_file || being_read(&entry.file_name().to_string_lossy()) {
                    continue;
                }
                if let Ok(file) = OpenOptions::new().write(true).open(entry.path()) {
                    cut(Arc::new(file), 1);
                }
            }
            // What stays is finished by the next start, which says so.
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Frees a file's blocks, unless somebody still reads it, with whom they go then, or it has more than
/// these names: a backup may be made of hard links.
fn cut(file: Arc<File>, names: u64) {
    let Ok(file) = Arc::try_unwrap(file) else {
        return;
    };
    let Some(metadata) = file.metadata().ok().filter(|it| it.nlink() <= names) else {
        return;
    };
    let steps = metadata.len() / STEP_BYTES;
    for step in (1..=steps).rev() {
        if file.set_len(step * STEP_BYTES).is_err() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}
