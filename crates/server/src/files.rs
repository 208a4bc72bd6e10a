//! The file layer: everything the server does to its data directory goes through [`Files`].

use crate::flusher::{Flush, Flushed, Flusher};
use crate::volume;
use bytes::Bytes;
use cluster::Volume;
use log::LogFile;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that are kept open at most.
const OPEN_MAX: usize = 256;

/// What can be done to a data directory. Paths are relative to it, with `/` between directory
/// and file; the empty path is the directory itself.
///
/// As in a real file system, nothing is certain to survive a power cut but what `sync` covers: a
/// file's bytes by [`Files::sync`], its name by [`Files::sync_dir`] of its directory.
pub trait Files: Send {
    /// A path as people know it.
    fn shown(&self, path: &str) -> String {
        path.to_owned()
    }
    /// Names of the directories in the data directory, in order.
    fn dirs(&mut self) -> io::Result<Vec<String>>;
    /// Names and lengths of the files in a directory, in order.
    fn files(&mut self, dir: &str) -> io::Result<Vec<(String, u64)>>;
    /// Reads at most `length` bytes from a position on; fewer only at the end of the file.
    fn read(&mut self, path: &str, at: u64, length: usize) -> io::Result<Bytes>;
    /// A file to be read from at any time, whatever becomes of its name; `None` where there are
    /// no such things.
    fn source(&mut self, path: &str) -> io::Result<Option<Arc<File>>> {
        let _ = path;
        Ok(None)
    }
    /// Makes a directory; it is no error that it is there.
    fn create_dir(&mut self, dir: &str) -> io::Result<()>;
    /// Gives a file or directory another name, in place of a file that has it.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a directory with all its files.
    fn remove_dir(&mut self, dir: &str) -> io::Result<()>;
    /// Makes an empty file, or empties the one that is there.
    fn create(&mut self, path: &str) -> io::Result<()>;
    /// Writes bytes at a position; the file is made if it is not there.
    fn write(&mut self, path: &str, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts or extends a file to a length.
    fn set_len(&mut self, path: &str, length: u64) -> io::Result<()>;
    /// Removes a file; it is no error that it is not there.
    fn remove(&mut self, path: &str) -> io::Result<()>;
    /// Makes the file's bytes survive a power cut.
    fn sync(&mut self, path: &str) -> io::Result<()>;
    /// Makes the names in a directory survive a power cut.
    fn sync_dir(&mut self, dir: &str) -> io::Result<()>;
    /// Begins to make files survive a power cut, and goes on meanwhile.
    ///
    /// # Errors
    /// It cannot be begun.
    fn flush(&mut self, flush: Flush) -> io::Result<()>;
    /// The flushes that have ended since the last call, in order; with `wait`, all that were begun.
    fn flushed(&mut self, wait: bool) -> Vec<Flushed>;
    /// How much room the volume of the data directory has, if that is known.
    fn volume(&self) -> Option<Volume> {
        None
    }
}

/// A directory of the machine's file system.
#[derive(Debug)]
pub struct RealFiles {
    root: PathBuf,
    open: BTreeMap<String, Open>,
    uses: u64,
    /// Begun with the first flush.
    flusher: Option<Flusher>,
    /// Held while the server runs; the operating system frees it with the process.
    _lock: File,
}

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    used: u64,
}

impl RealFiles {
    /// Opens a data directory, which is made if it is not there, for this process alone.
    ///
    /// # Errors
    /// It cannot be made or written, or another process has it (`WouldBlock`).
    pub fn open(root: &Path) -> io::Result<RealFiles> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(root.join(".lock"))?;
        lock.try_lock()?;
        // Kafka's lock is of another kind, which this one does not exclude.
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        if is_held(&locks, &lock.metadata()?) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(RealFiles {
            root: root.to_path_buf(),
            open: BTreeMap::new(),
            uses: 0,
            flusher: None,
            _lock: lock,
        })
    }

    fn handle(&mut self, path: &str, create: bool) -> io::Result<&Arc<File>> {
        self.uses += 1;
        if !self.open.contains_key(path) {
            self.make_room();
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(create)
                .truncate(false)
                .open(self.root.join(path))?;
            let used = self.uses;
            let file = Arc::new(file);
            self.open.insert(path.to_owned(), Open { file, used });
        }
        match self.open.get_mut(path) {
            Some(open) => {
                open.used = self.uses;
                Ok(&open.file)
            }
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Closes the file that has not been used for longest, when there are too many.
    fn make_room(&mut self) {
        if self.open.len() < OPEN_MAX {
            return;
        }
        let oldest = self.open.iter().min_by_key(|(_, open)| open.used);
        if let Some(path) = oldest.map(|(path, _)| path.clone()) {
            self.open.remove(&path);
        }
    }

    fn close_below(&mut self, path: &str) {
        let below = |name: &str| {
            name.strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        self.open.retain(|name, _| name != path && !below(name));
    }

    fn listed(&self, dir: &str) -> io::Result<Vec<(String, fs::Metadata)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.root.join(dir))? {
            let entry = entry?;
            // A name that is no text is none of ours.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // Partitions and segments may lie on other disks, behind symbolic links.
            let path = entry.path();
            let metadata = fs::metadata(&path).map_err(|error| match fs::read_link(&path) {
                Ok(target) => dangling(&path, &target, &error),
                Err(_) => error,
            })?;
            found.push((name, metadata));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }
}

impl Files for RealFiles {
    fn shown(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }

    fn dirs(&mut self) -> io::Result<Vec<String>> {
        let found = self.listed("")?.into_iter();
        Ok(found
            .filter(|(_, metadata)| metadata.is_dir())
            .map(|(name, _)| name)
            .collect())
    }

    fn files(&mut self, dir: &str) -> io::Result<Vec<(String, u64)>> {
        let found = self.listed(dir)?.into_iter();
        Ok(found
            .filter(|(_, metadata)| metadata.is_file())
            .map(|(name, metadata)| (name, metadata.len()))
            .collect())
    }

    fn read(&mut self, path: &str, at: u64, length: usize) -> io::Result<Bytes> {
        let file = self.handle(path, false)?;
        // The length is ours or a file's, never a client's claim.
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..)
            && !rest.is_empty()
        {
            match file.read_at(rest, at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(Bytes::from(bytes))
    }

    fn source(&mut self, path: &str) -> io::Result<Option<Arc<File>>> {
        self.handle(path, false).map(|file| Some(file.clone()))
    }

    fn create_dir(&mut self, dir: &str) -> io::Result<()> {
        match fs::create_dir(self.root.join(dir)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.close_below(from);
        self.close_below(to);
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove_dir(&mut self, dir: &str) -> io::Result<()> {
        self.close_below(dir);
        let path = self.root.join(dir);
        if !path.is_symlink() {
            return fs::remove_dir_all(path);
        }
        // Nothing goes but what a log is made of: a link may lead to more than that.
        for (name, _) in self.files(dir)? {
            if is_of_a_log(&name) {
                fs::remove_file(path.join(name))?;
            }
        }
        if let Ok(target) = fs::canonicalize(&path) {
            // It may be a mount point, or hold something else.
            let _ = fs::remove_dir(target);
        }
        fs::remove_file(path)
    }

    fn create(&mut self, path: &str) -> io::Result<()> {
        self.handle(path, true)?.set_len(0)
    }

    fn write(&mut self, path: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.handle(path, true)?.write_all_at(bytes, at)
    }

    fn set_len(&mut self, path: &str, length: u64) -> io::Result<()> {
        self.handle(path, false)?.set_len(length)
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        self.open.remove(path);
        match fs::remove_file(self.root.join(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn sync(&mut self, path: &str) -> io::Result<()> {
        self.handle(path, false)?.sync_data()
    }

    fn sync_dir(&mut self, dir: &str) -> io::Result<()> {
        File::open(self.root.join(dir))?.sync_all()
    }

    fn flush(&mut self, flush: Flush) -> io::Result<()> {
        match &mut self.flusher {
            Some(flusher) => flusher.order(flush),
            none => none.insert(Flusher::start(self.root.clone())?).order(flush),
        }
    }

    fn flushed(&mut self, wait: bool) -> Vec<Flushed> {
        let flusher = self.flusher.as_mut();
        flusher.map_or_else(Vec::new, |flusher| flusher.ended(wait))
    }

    fn volume(&self) -> Option<Volume> {
        volume::of(&self.root)
    }
}

/// Whether a process holds a POSIX lock on this file, by the list that Linux gives of them.
fn is_held(locks: &str, file: &fs::Metadata) -> bool {
    let dev = file.dev();
    let major = dev >> 8 & 0xfff | dev >> 32 & !0xfff;
    let minor = dev & 0xff | dev >> 12 & !0xff;
    let place = format!("{major:02x}:{minor:02x}:{}", file.ino());
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.contains(&"POSIX") && words.contains(&place.as_str())
    })
}

fn dangling(path: &Path, target: &Path, error: &io::Error) -> io::Error {
    let (path, target) = (path.display(), target.display());
    io::Error::new(
        error.kind(),
        format!(
            "{path} is a symbolic link to {target}, which cannot be followed ({error}): put back \
             what it leads to, or remove the link"
        ),
    )
}

/// Whether a file belongs to a log, or did before something was cut short.
fn is_of_a_log(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    LogFile::parse(name).is_some() || LogFile::parse(stem).is_some()
}

#[cfg(test)]
mod tests {
    use super::is_held;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_lock_as_kafka_takes_it_is_seen() {
        let file = fs::metadata("Cargo.toml").unwrap();
        let (dev, inode) = (file.dev(), file.ino());
        let (major, minor) = (dev >> 8 & 0xfff, dev & 0xff);
        let line = |kind: &str, inode: u64| {
            format!("1: {kind}  ADVISORY  WRITE 1234 {major:02x}:{minor:02x}:{inode} 0 EOF\n")
        };
        assert!(is_held(&line("POSIX", inode), &file));
        assert!(!is_held(&line("FLOCK", inode), &file));
        assert!(!is_held(&line("POSIX", inode + 1), &file));
        assert!(!is_held("", &file));
    }
}
