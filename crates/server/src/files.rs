//! The file layer: everything the server does to its data directory goes through [`Files`].

use crate::flusher::{Flush, Flushed, Flusher};
use crate::reader::Stretch;
use crate::remover::{Doomed, Remover};
use crate::volume;
use bytes::Bytes;
use cluster::Volume;
use log::LogFile;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that are kept open at most where the system does not say what it allows.
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
    /// Writes bytes at a position, and others right behind them.
    fn write_both(&mut self, path: &str, at: u64, first: &[u8], then: &[u8]) -> io::Result<()> {
        self.write(path, at, first)?;
        self.write(path, at + first.len() as u64, then)
    }
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
    open_max: usize,
    /// Begun with the first flush.
    flusher: Option<Flusher>,
    remover: Remover,
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
            open_max: open_max(),
            flusher: None,
            remover: Remover::start()?,
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

    /// Closes those files that have not been used for longest, when there are too many: an eighth
    /// at a time, so that looking for them costs little for each.
    fn make_room(&mut self) {
        if self.open.len() < self.open_max {
            return;
        }
        let mut uses: Vec<u64> = self.open.values().map(|open| open.used).collect();
        uses.sort_unstable();
        let last = uses.get(uses.len() / 8).copied().unwrap_or(0);
        self.open.retain(|_, open| open.used > last);
    }

    /// Forgets the handles of a directory's files; gives them with the files' names.
    fn close_below(&mut self, path: &str) -> Vec<(String, Arc<File>)> {
        self.open.remove(path);
        // `0` comes right after `/`.
        let below = format!("{path}/")..format!("{path}0");
        let paths = self.open.range(below).map(|(name, _)| name.clone());
        let paths: Vec<String> = paths.collect();
        let name = |whole: &str| whole.rsplit('/').next().unwrap_or_default().to_owned();
        let closed = paths.iter();
        let closed = closed.filter_map(|whole| Some((name(whole), self.open.remove(whole)?.file)));
        closed.collect()
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
        let file = self.handle(path, false)?.clone();
        Stretch { file, at, length }.read()
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
        self.close_below(to);
        let moved = self.close_below(from);
        fs::rename(self.root.join(from), self.root.join(to))?;
        self.uses += 1;
        // Whoever reads them goes on, and whoever removes them sees that.
        for (name, file) in moved {
            let used = self.uses;
            self.open
                .insert(format!("{to}/{name}"), Open { file, used });
        }
        Ok(())
    }

    fn remove_dir(&mut self, dir: &str) -> io::Result<()> {
        let open = self.close_below(dir);
        let path = self.root.join(dir);
        if !path.is_symlink() {
            fs::metadata(&path)?;
            self.remover.order(Doomed::Directory(path, open));
            return Ok(());
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

    fn write_both(&mut self, path: &str, at: u64, first: &[u8], then: &[u8]) -> io::Result<()> {
        let file = self.handle(path, true)?;
        let mut written = 0;
        while let Some(left) = first.get(written..).filter(|left| !left.is_empty()) {
            let both = [IoSlice::new(left), IoSlice::new(then)];
            match rustix::io::pwritev(file, &both, at + written as u64) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let rest = then.get(written - first.len()..).unwrap_or_default();
        file.write_all_at(rest, at + written as u64)
    }

    fn set_len(&mut self, path: &str, length: u64) -> io::Result<()> {
        self.handle(path, false)?.set_len(length)
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        let held = self.open.remove(path).map(|open| open.file);
        let whole = self.root.join(path);
        // As long as somebody has it open, a file loses its name only, which takes no time.
        let held = match held {
            None if path.ends_with(".log") => {
                let file = OpenOptions::new().write(true).open(&whole);
                file.ok().map(Arc::new)
            }
            held => held,
        };
        let removed = fs::remove_file(whole);
        if let Some(file) = held {
            self.remover.order(Doomed::File(file));
        }
        match removed {
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

/// Half of the files that this process may have open; the other half is for connections.
fn open_max() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3));
    let soft = soft.and_then(|soft| soft.parse::<usize>().ok());
    soft.map_or(OPEN_MAX, |soft| (soft / 2).clamp(64, 1 << 16))
}

#[cfg(test)]
mod tests {
    use super::{Files, RealFiles, is_held};
    use std::fs;
    use std::os::unix::fs::{FileExt, MetadataExt};

    #[test]
    fn what_is_removed_is_gone_at_once_but_for_those_who_still_read_it() {
        let root = std::env::temp_dir().join(format!("brooklet-files-{}", std::process::id()));
        let mut files = RealFiles::open(&root).unwrap();
        files.create_dir("t-0").unwrap();
        files.write("t-0/1.log", 0, b"some").unwrap();
        files.write("t-0/2.log", 0, b"more").unwrap();
        let read = files.source("t-0/1.log").unwrap().unwrap();
        files.remove("t-0/1.log").unwrap();
        files.remove("t-0/1.log").unwrap();
        let left = files.files("t-0").unwrap();
        assert_eq!(left, [("2.log".to_owned(), 4)]);
        files.rename("t-0", "t-0.x-delete").unwrap();
        files.remove_dir("t-0.x-delete").unwrap();
        files.create_dir("t-0").unwrap();
        assert_eq!(files.files("t-0").unwrap(), []);
        // A server that stops has removed all there was to remove.
        drop(files);
        assert!(!root.join("t-0.x-delete").exists() && root.join("t-0").exists());
        let mut bytes = [0; 4];
        read.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"some");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_is_removed_here_stays_whole_where_it_has_another_name() {
        let root = std::env::temp_dir().join(format!("brooklet-links-{}", std::process::id()));
        let backup = root.with_extension("backup");
        let _ = fs::remove_dir_all(&backup);
        fs::create_dir_all(&backup).unwrap();
        let mut files = RealFiles::open(&root).unwrap();
        files.create_dir("t-0").unwrap();
        for name in ["1.log", "2.log", "3.log"] {
            files.write(&format!("t-0/{name}"), 0, b"some").unwrap();
            files.set_len(&format!("t-0/{name}"), 40 << 20).unwrap();
        }
        // A backup of hard links, as people make of segments; and a segment on another disk.
        fs::hard_link(root.join("t-0/1.log"), backup.join("1.log")).unwrap();
        fs::hard_link(root.join("t-0/2.log"), backup.join("2.log")).unwrap();
        fs::rename(root.join("t-0/3.log"), backup.join("3.log")).unwrap();
        std::os::unix::fs::symlink(backup.join("3.log"), root.join("t-0/3.log")).unwrap();
        files.remove("t-0/1.log").unwrap();
        files.rename("t-0", "t-0.x-delete").unwrap();
        files.remove_dir("t-0.x-delete").unwrap();
        drop(files);
        assert!(!root.join("t-0.x-delete").exists());
        for name in ["1.log", "2.log", "3.log"] {
            let left = fs::metadata(backup.join(name)).unwrap();
            assert_eq!(left.len(), 40 << 20, "{name}");
        }
        fs::remove_dir_all(root).unwrap();
        fs::remove_dir_all(backup).unwrap();
    }

    #[test]
    fn however_many_files_there_are_few_are_open() {
        let root = std::env::temp_dir().join(format!("brooklet-open-{}", std::process::id()));
        let mut files = RealFiles::open(&root).unwrap();
        files.open_max = 16;
        for number in 0..200_u64 {
            let path = format!("{number}");
            files.write(&path, 0, &number.to_be_bytes()).unwrap();
            files.write("always", number, b"x").unwrap();
            assert!(files.open.len() <= 16);
            assert!(files.open.contains_key("always"));
        }
        for number in 0..200_u64 {
            let bytes = files.read(&format!("{number}"), 0, 8).unwrap();
            assert_eq!(bytes, number.to_be_bytes()[..]);
        }
        std::fs::remove_dir_all(root).unwrap();
    }

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
