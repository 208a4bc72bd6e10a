//! A file layer in memory that remembers every operation, and says what a power cut leaves.

#![allow(unreachable_pub, reason = "a module of tests")]

use brooklet_server::{Files, Flush, Flushed};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

/// One operation that changes something, or makes it last.
#[derive(Clone, Debug)]
pub enum Op {
    CreateDir(String),
    Rename(String, String),
    RemoveDir(String),
    Create(String),
    Write(String, u64, Bytes),
    SetLen(String, u64),
    Remove(String),
    Sync(String),
    SyncDir(String),
}

/// A file system in which a name and the bytes behind it last independently of each other.
#[derive(Clone, Default)]
struct Disk {
    dirs: BTreeSet<String>,
    names: BTreeMap<String, usize>,
    inodes: Vec<Inode>,
    /// What the disk itself has of the above.
    lasting_dirs: BTreeSet<String>,
    lasting_names: BTreeMap<String, usize>,
}

#[derive(Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    lasting: Vec<u8>,
}

fn dir_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl Disk {
    fn inode(&mut self, path: &str, create: bool) -> io::Result<&mut Inode> {
        let known = self.names.get(path).copied();
        let at = match known {
            Some(at) => at,
            None if create => {
                self.inodes.push(Inode::default());
                self.names.insert(path.to_owned(), self.inodes.len() - 1);
                self.inodes.len() - 1
            }
            None => return Err(ErrorKind::NotFound.into()),
        };
        Ok(&mut self.inodes[at])
    }

    fn apply(&mut self, op: &Op) -> io::Result<()> {
        match op {
            Op::CreateDir(dir) => {
                self.dirs.insert(dir.clone());
            }
            Op::Rename(from, to) => {
                let moved: Vec<String> = self
                    .names
                    .keys()
                    .filter(|name| *name == from || dir_of(name) == from)
                    .cloned()
                    .collect();
                for name in moved {
                    let at = self.names.remove(&name).unwrap();
                    self.names.insert(name.replacen(from.as_str(), to, 1), at);
                }
                if self.dirs.remove(from) {
                    self.dirs.insert(to.clone());
                }
            }
            Op::RemoveDir(dir) => {
                self.dirs.remove(dir);
                self.names.retain(|name, _| dir_of(name) != dir);
            }
            Op::Create(path) => self.inode(path, true)?.bytes.clear(),
            Op::Write(path, at, bytes) => {
                let inode = self.inode(path, true)?;
                let end = *at as usize + bytes.len();
                if inode.bytes.len() < end {
                    inode.bytes.resize(end, 0);
                }
                inode.bytes[*at as usize..end].copy_from_slice(bytes);
            }
            Op::SetLen(path, length) => self.inode(path, false)?.bytes.resize(*length as usize, 0),
            Op::Remove(path) => {
                self.names.remove(path);
            }
            Op::Sync(path) => {
                let inode = self.inode(path, false)?;
                inode.lasting = inode.bytes.clone();
            }
            Op::SyncDir(dir) => {
                self.lasting_names.retain(|name, _| dir_of(name) != dir);
                let here = self.names.iter().filter(|(name, _)| dir_of(name) == dir);
                self.lasting_names
                    .extend(here.map(|(name, at)| (name.clone(), *at)));
                if dir.is_empty() {
                    self.lasting_dirs = self.dirs.clone();
                }
            }
        }
        Ok(())
    }

    /// The file system after a power cut: names and bytes that were synced, and nothing else.
    fn cut(&self) -> Disk {
        let mut left = Disk {
            dirs: self.lasting_dirs.clone(),
            lasting_dirs: self.lasting_dirs.clone(),
            ..Disk::default()
        };
        for (name, at) in &self.lasting_names {
            if !dir_of(name).is_empty() && !left.dirs.contains(dir_of(name)) {
                continue;
            }
            let bytes = self.inodes[*at].lasting.clone();
            left.names.insert(name.clone(), left.inodes.len());
            left.lasting_names.insert(name.clone(), left.inodes.len());
            left.inodes.push(Inode {
                lasting: bytes.clone(),
                bytes,
            });
        }
        left
    }
}

#[derive(Default)]
struct Recorded {
    disk: Disk,
    ops: Vec<Op>,
    /// fsync of log files does nothing: what a careless file layer would do.
    deaf: bool,
    /// Writes fail from now on.
    full: bool,
    /// Flushes that have been begun and not carried out.
    flushes: VecDeque<Flush>,
    flushed: Vec<Flushed>,
    /// Flushes fail from now on.
    broken: bool,
}

/// The file layer; clones share the disk.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Recorded>>);

impl Recorder {
    /// One whose fsync of log files does nothing.
    pub fn without_fsync() -> Recorder {
        let recorder = Recorder::default();
        recorder.0.lock().unwrap().deaf = true;
        recorder
    }

    /// How many operations there have been.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().ops.len()
    }

    /// The disk is full, or is not any more.
    pub fn set_full(&self, full: bool) {
        self.0.lock().unwrap().full = full;
    }

    /// Flushes fail from now on.
    pub fn break_flushes(&self) {
        self.0.lock().unwrap().broken = true;
    }

    /// Flushes that have been begun are never carried out, as after a kill.
    pub fn forget_flushes(&self) {
        self.0.lock().unwrap().flushes.clear();
    }

    /// Another disk with the same files, as safe or unsafe as they are.
    pub fn copy(&self) -> Recorder {
        Recorder::over(self.0.lock().unwrap().disk.clone())
    }

    /// Carries out the oldest flush that was begun; says whether there was one.
    pub fn flush_one(&self) -> bool {
        let mut recorded = self.0.lock().unwrap();
        let Some(flush) = recorded.flushes.pop_front() else {
            return false;
        };
        let broken = recorded.broken;
        drop(recorded);
        let names = flush.paths.into_iter();
        let there: Vec<String> = names.filter(|path| self.is_there(path)).collect();
        for path in there.into_iter().filter(|_| !broken) {
            self.do_op(Op::Sync(path)).unwrap();
        }
        self.do_op(Op::SyncDir(flush.dir)).unwrap();
        let result = match broken {
            true => Err(ErrorKind::Other.into()),
            false => Ok(()),
        };
        let number = flush.number;
        let flushed = Flushed { number, result };
        self.0.lock().unwrap().flushed.push(flushed);
        true
    }

    fn is_there(&self, path: &str) -> bool {
        self.0.lock().unwrap().disk.names.contains_key(path)
    }

    /// The log files that a power cut would take bytes from.
    pub fn at_risk(&self) -> Vec<String> {
        let recorded = self.0.lock().unwrap();
        let disk = &recorded.disk;
        let risky = |at: usize| disk.inodes[at].bytes != disk.inodes[at].lasting;
        let logs = disk.names.iter().filter(|(name, _)| name.ends_with(".log"));
        logs.filter(|(_, at)| risky(**at))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// How many operations changed something in a directory, or made it last.
    pub fn ops_in(&self, dir: &str) -> usize {
        let recorded = self.0.lock().unwrap();
        let here = |op: &&Op| match op {
            Op::Create(path) | Op::Write(path, ..) | Op::SetLen(path, _) => dir_of(path) == dir,
            Op::Rename(path, _) | Op::Remove(path) | Op::Sync(path) => dir_of(path) == dir,
            Op::CreateDir(path) | Op::RemoveDir(path) | Op::SyncDir(path) => path == dir,
        };
        recorded.ops.iter().filter(here).count()
    }

    /// A file's text.
    pub fn text(&self, path: &str) -> Option<String> {
        let recorded = self.0.lock().unwrap();
        let at = *recorded.disk.names.get(path)?;
        String::from_utf8(recorded.disk.inodes[at].bytes.clone()).ok()
    }

    /// For each number of operations, from 0 on: the file layer as a power cut right after them
    /// leaves it.
    pub fn after_each_cut(&self) -> impl Iterator<Item = Recorder> {
        let ops = self.0.lock().unwrap().ops.clone();
        let mut disk = Disk::default();
        let first = std::iter::once(Recorder::over(disk.cut()));
        first.chain(ops.into_iter().map(move |op| {
            disk.apply(&op).unwrap();
            Recorder::over(disk.cut())
        }))
    }

    fn over(disk: Disk) -> Recorder {
        Recorder(Arc::new(Mutex::new(Recorded {
            disk,
            ..Recorded::default()
        })))
    }

    fn do_op(&self, op: Op) -> io::Result<()> {
        let mut recorded = self.0.lock().unwrap();
        if recorded.full && matches!(op, Op::Write(..) | Op::CreateDir(_)) {
            return Err(ErrorKind::StorageFull.into());
        }
        if recorded.deaf && matches!(&op, Op::Sync(path) if path.ends_with(".log")) {
            return Ok(());
        }
        recorded.disk.apply(&op)?;
        recorded.ops.push(op);
        Ok(())
    }
}

impl Files for Recorder {
    fn dirs(&mut self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().disk.dirs.iter().cloned().collect())
    }

    fn files(&mut self, dir: &str) -> io::Result<Vec<(String, u64)>> {
        let recorded = self.0.lock().unwrap();
        let disk = &recorded.disk;
        let here = disk.names.iter().filter(|(path, _)| dir_of(path) == dir);
        Ok(here
            .map(|(path, at)| {
                let name = path.rsplit('/').next().unwrap_or_default();
                (name.to_owned(), disk.inodes[*at].bytes.len() as u64)
            })
            .collect())
    }

    fn read(&mut self, path: &str, at: u64, length: usize) -> io::Result<Bytes> {
        let mut recorded = self.0.lock().unwrap();
        let bytes = &recorded.disk.inode(path, false)?.bytes;
        let from = bytes.len().min(at as usize);
        let to = bytes.len().min(from + length);
        Ok(Bytes::copy_from_slice(&bytes[from..to]))
    }

    fn create_dir(&mut self, dir: &str) -> io::Result<()> {
        self.do_op(Op::CreateDir(dir.to_owned()))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.do_op(Op::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove_dir(&mut self, dir: &str) -> io::Result<()> {
        self.do_op(Op::RemoveDir(dir.to_owned()))
    }

    fn create(&mut self, path: &str) -> io::Result<()> {
        self.do_op(Op::Create(path.to_owned()))
    }

    fn write(&mut self, path: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        self.do_op(Op::Write(path.to_owned(), at, bytes))
    }

    fn set_len(&mut self, path: &str, length: u64) -> io::Result<()> {
        self.do_op(Op::SetLen(path.to_owned(), length))
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        self.do_op(Op::Remove(path.to_owned()))
    }

    fn sync(&mut self, path: &str) -> io::Result<()> {
        self.do_op(Op::Sync(path.to_owned()))
    }

    fn sync_dir(&mut self, dir: &str) -> io::Result<()> {
        self.do_op(Op::SyncDir(dir.to_owned()))
    }

    fn flush(&mut self, flush: Flush) -> io::Result<()> {
        self.0.lock().unwrap().flushes.push_back(flush);
        Ok(())
    }

    fn flushed(&mut self, wait: bool) -> Vec<Flushed> {
        while wait && self.flush_one() {}
        std::mem::take(&mut self.0.lock().unwrap().flushed)
    }
}
