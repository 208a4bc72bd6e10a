//! A disk per node: what a broker has written survives the broker.
//!
//! The bytes of a log lie in the log's own chunks; the disk keeps its small files and remembers
//! which logs there are. Every write is also noted for the shell, which keeps the world itself.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use cluster::LogId;
use ids::{NodeId, TopicIdPartition};
use log::{Log, LogFile, StoreOp};
use sorted::SortedMap;

/// Time a write to the page cache takes, in microseconds.
pub(crate) const WRITE_MICROS: u64 = 50;
/// Bytes written between two looks at how much room there is.
const MEASURE_BYTES: u64 = 1 << 20;

/// The key under which a node's log is kept: made of what the metadata log says, and nothing else,
/// so that the metadata log alone tells which logs there are.
#[must_use]
pub fn log_key(node: NodeId, name: &TopicIdPartition) -> String {
    format!("{node}/{}/{}", name.topic_id, name.partition)
}

/// A write that the shell is to keep, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskWrite {
    /// The node.
    pub node: NodeId,
    /// Whose log.
    pub name: TopicIdPartition,
    /// What was written; `None` when the whole log is gone. Its bytes are in the log
    /// ([`crate::World::stored_log`]).
    pub op: Option<StoreOp>,
}

/// One node's disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    names: SortedMap<LogId, TopicIdPartition>,
    ids: SortedMap<TopicIdPartition, LogId>,
    files: SortedMap<(TopicIdPartition, LogFile), Vec<u8>>,
    /// Logs of a node that does not run.
    pub(crate) kept: SortedMap<TopicIdPartition, Log>,
    /// The last append found no room.
    full: bool,
    /// Bytes that the world had written when the logs were measured last.
    measured: u64,
}

impl Disk {
    pub(crate) fn open(&mut self, log: LogId, name: TopicIdPartition) {
        self.ids.insert(name.clone(), log);
        self.names.insert(log, name);
    }

    pub(crate) fn name(&self, log: LogId) -> Option<&TopicIdPartition> {
        self.names.get(&log)
    }

    /// How the running node calls a log.
    pub(crate) fn id(&self, name: &TopicIdPartition) -> Option<LogId> {
        self.ids.get(name).copied()
    }

    /// The logs of a running node.
    pub(crate) fn open_logs(&self) -> impl Iterator<Item = (LogId, &TopicIdPartition)> {
        self.names.iter().map(|(id, name)| (*id, name))
    }

    /// Forgets which ids the logs have: the node is gone and its next life gives new ones.
    pub(crate) fn close_all(&mut self) -> SortedMap<LogId, TopicIdPartition> {
        self.ids.clear();
        core::mem::take(&mut self.names)
    }

    /// Whether what the last look found still holds: there was room, and little has been written since.
    pub(crate) fn is_measured(&self, written: u64) -> bool {
        !self.full && written.saturating_sub(self.measured) < MEASURE_BYTES
    }

    /// Notes whether there is room, and gives it.
    pub(crate) fn measure(&mut self, written: u64, used: u64, max: u64) -> bool {
        self.measured = written;
        self.full = used >= max;
        !self.full
    }

    /// There is room, whatever was found before.
    pub(crate) fn free(&mut self) {
        self.full = false;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    pub(crate) fn write(&mut self, log: LogId, op: &StoreOp) {
        let Some(name) = self.names.get(&log) else {
            return;
        };
        match op {
            StoreOp::Put { file, bytes } => {
                self.files.insert((name.clone(), *file), bytes.clone());
            }
            StoreOp::Delete { file } => {
                self.files.remove(&(name.clone(), *file));
            }
            // Its logs keep their bytes themselves, so that none goes to the disk alone.
            StoreOp::AppendBatch(_) => {}
            StoreOp::Append { .. } | StoreOp::Roll { .. } | StoreOp::Truncate { .. } => {}
        }
    }

    pub(crate) fn remove(&mut self, log: LogId) -> Option<TopicIdPartition> {
        let name = self.names.remove(&log)?;
        self.ids.remove(&name);
        self.files.retain(|(of, _), _| *of != name);
        Some(name)
    }

    /// A small file of a log.
    pub(crate) fn file(&self, name: &TopicIdPartition, file: LogFile) -> Option<&Vec<u8>> {
        self.files.get(&(name.clone(), file))
    }
}
