//! Where logs are kept: Kafka's files, or nowhere but in memory.

use crate::disk::DiskStore;
use crate::memory::MemoryStore;
use crate::reader::Stretch;
use crate::syncer::Written;
use bytes::Bytes;
use cluster::{LogId, Volume};
use ids::TopicIdPartition;
use log::{Log, LogSlice, StoreOp};
use std::io::{self, ErrorKind};

/// Carries out what logs order to be stored.
#[derive(Debug)]
pub enum Store {
    /// Logs live in memory only.
    Memory(MemoryStore),
    /// Logs are Kafka's files.
    Disk(Box<DiskStore>),
}

impl Store {
    /// A replica begins: what follows names it by its id.
    pub(crate) fn open(&mut self, log: LogId, name: &TopicIdPartition) -> io::Result<()> {
        match self {
            Store::Memory(_) => Ok(()),
            Store::Disk(disk) => disk.open(log, name),
        }
    }

    /// A replica's files go.
    pub(crate) fn remove(&mut self, id: LogId) {
        match self {
            Store::Memory(memory) => memory.remove(id),
            Store::Disk(disk) => disk.remove(id),
        }
    }

    /// Writes; what is to be appended is taken from the log.
    pub(crate) fn carry_out(&mut self, id: LogId, ops: &[StoreOp], log: &Log) -> io::Result<()> {
        match self {
            Store::Memory(memory) => memory.carry_out(id, ops),
            Store::Disk(disk) => disk.carry_out(id, ops, log),
        }
    }

    /// Makes what has been written since the last call as durable as was asked for.
    pub(crate) fn commit(&mut self) -> Vec<(LogId, io::Error)> {
        match self {
            Store::Memory(_) => Vec::new(),
            Store::Disk(disk) => disk.commit(),
        }
    }

    /// What `commit` would do, for someone else to do; `None` where only `commit` can.
    pub(crate) fn take_dirty(&mut self) -> io::Result<Option<Written>> {
        match self {
            Store::Memory(_) => Ok(Some(Vec::new())),
            Store::Disk(disk) => disk.take_dirty(),
        }
    }

    pub(crate) fn load(&mut self, id: LogId, slice: &LogSlice) -> io::Result<Bytes> {
        match self {
            // Nothing in memory is ever evicted, so nothing is ever asked for.
            Store::Memory(_) => Err(ErrorKind::NotFound.into()),
            Store::Disk(disk) => disk.load(id, slice),
        }
    }

    /// How much room there is for logs.
    pub(crate) fn volume(&self) -> Option<Volume> {
        match self {
            Store::Memory(memory) => Some(memory.volume()),
            Store::Disk(disk) => disk.volume(),
        }
    }

    /// Bytes of a log as a file has them; `None` where there is none that could be read from later.
    pub(crate) fn stretch(&mut self, id: LogId, slice: &LogSlice) -> io::Result<Option<Stretch>> {
        match self {
            Store::Memory(_) => Ok(None),
            Store::Disk(disk) => disk.stretch(id, slice),
        }
    }

    /// Whether a log's bytes may be dropped from memory.
    pub(crate) fn keeps_bytes(&self) -> bool {
        matches!(self, Store::Disk(_))
    }
}
