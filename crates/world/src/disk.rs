//! A disk per node: files with bytes of their own, of which a part is flushed.
//!
//! What a node has ordered is under way for a moment and then in its files; what it starts from is in
//! them, and nowhere else. Bytes that the log keeps as well are shared with it. Every write is also
//! noted for the shell, which keeps the world itself.

mod bytes;
mod dir;

pub(crate) use bytes::Stretch;
pub use dir::StoredLog;
pub(crate) use dir::{Dir, Write};

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use cluster::LogId;
use ids::{NodeId, Rng, Time, Token, TopicIdPartition};
use log::{Log, StoreOp};
use sorted::SortedMap;

/// Time a write to the page cache takes, in microseconds.
pub(crate) const WRITE_MICROS: u64 = 50;
/// Bytes written between two looks at how much room there is.
const MEASURE_BYTES: u64 = 1 << 20;
/// World time between two writes of the checkpoint files, as Kafka's
/// `replica.high.watermark.checkpoint.interval.ms`.
const CHECKPOINT_MICROS: u64 = 5_000_000;

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
    /// What was written; `None` when the whole log is gone. Its bytes are on the disk
    /// ([`crate::World::stored_log`]).
    pub op: Option<StoreOp>,
}

/// What was ordered of a log and is under way.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) token: Token,
    pub(crate) writes: Vec<Write>,
}

/// One node's disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    names: SortedMap<LogId, TopicIdPartition>,
    ids: SortedMap<TopicIdPartition, LogId>,
    pub(crate) dirs: SortedMap<TopicIdPartition, Dir>,
    pending: SortedMap<LogId, VecDeque<Pending>>,
    /// Logs that a shell has recovered from what it keeps, for the node's first start.
    pub(crate) ready: SortedMap<TopicIdPartition, Log>,
    /// When the checkpoint files were written last.
    checkpointed: Time,
    /// It is full whatever there is on it.
    filled: bool,
    /// How much longer a write takes, in microseconds.
    slowness: u64,
    /// When the last write that was ordered is done.
    done: Time,
    /// The next write is torn.
    tears: bool,
    /// The last append found no room.
    full: bool,
    /// Bytes that the world had written when the logs were measured last.
    measured: u64,
}

impl Disk {
    pub(crate) fn open(&mut self, log: LogId, name: TopicIdPartition) {
        self.dirs.entry(name.clone()).or_default();
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

    /// The directory of a log of the running node.
    pub(crate) fn dir_mut(&mut self, log: LogId) -> Option<&mut Dir> {
        self.dirs.get_mut(self.names.get(&log)?)
    }

    /// The same, with whose it is.
    pub(crate) fn open_dir(&mut self, log: LogId) -> Option<(&TopicIdPartition, &mut Dir)> {
        let name = self.names.get(&log)?;
        Some((name, self.dirs.get_mut(name)?))
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

    /// Whether something is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.pending.values().any(|queue| !queue.is_empty())
    }

    /// When something is done that is ordered now: never before what was ordered earlier.
    pub(crate) fn done_at(&mut self, now: Time) -> Time {
        let at = now.plus_micros(WRITE_MICROS.saturating_add(self.slowness));
        self.done = at.max(self.done);
        self.done
    }

    pub(crate) fn slow(&mut self, micros: u64) {
        self.slowness = micros;
    }

    /// Fills it, or takes that back: then how much room there is has to be looked at anew.
    pub(crate) fn fill(&mut self, filled: bool) {
        if filled != self.filled {
            (self.filled, self.full, self.measured) = (filled, filled, 0);
        }
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.filled
    }

    pub(crate) fn tear_next(&mut self) {
        self.tears = true;
    }

    /// Whether the write of a log that is done now is to be torn; then it is the last one.
    pub(crate) fn tears(&mut self, log: LogId) -> bool {
        let queue = self.tears.then(|| self.pending.get(&log)).flatten();
        let under_way = queue.is_some_and(|queue| !queue.is_empty());
        under_way && core::mem::take(&mut self.tears)
    }

    /// The disk is a new one; gives what the old one had.
    pub(crate) fn wipe(&mut self) -> Vec<TopicIdPartition> {
        self.ready.clear();
        let dirs = core::mem::take(&mut self.dirs);
        dirs.into_iter().map(|(name, _)| name).collect()
    }

    /// Turns a bit over in some log; says whether there was one in memory.
    pub(crate) fn flip(&mut self, chance: &mut Rng) -> bool {
        let full = self.dirs.values().filter(|dir| dir.size() > 0).count();
        let at = chance.below((full as u64).max(1));
        let mut full = self.dirs.values_mut().filter(|dir| dir.size() > 0);
        let dir = full.nth(usize::try_from(at).unwrap_or(0));
        dir.is_some_and(|dir| dir.flip(chance))
    }

    /// Takes an order; it is done when [`Disk::take_pending`] gives it back.
    pub(crate) fn order(&mut self, log: LogId, pending: Pending) {
        self.pending.entry(log).or_default().push_back(pending);
    }

    /// The order that is under way for longest, if it is the one of this token.
    pub(crate) fn take_pending(&mut self, log: LogId, token: Token) -> Option<Pending> {
        let queue = self.pending.get_mut(&log)?;
        queue.pop_front_if(|pending| pending.token == token)
    }

    /// All that is under way of a log.
    pub(crate) fn take_all_pending(&mut self, log: LogId) -> VecDeque<Pending> {
        self.pending.remove(&log).unwrap_or_default()
    }

    /// Whether it is time to write the checkpoint files.
    pub(crate) fn is_checkpoint_due(&mut self, now: Time) -> bool {
        let due = now.since(self.checkpointed) >= CHECKPOINT_MICROS;
        if due {
            self.checkpointed = now;
        }
        due
    }

    pub(crate) fn remove(&mut self, log: LogId) -> Option<TopicIdPartition> {
        let name = self.names.remove(&log)?;
        self.ids.remove(&name);
        self.pending.remove(&log);
        self.dirs.remove(&name);
        Some(name)
    }
}
