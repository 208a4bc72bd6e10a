//! What nodes order of their disks, and when it is done.

use crate::actors::{Owed, OwedLog};
use crate::disk::{Dir, Disk, DiskWrite, Pending, Write};
use crate::said::Said;
use crate::state::State;
use crate::traced::trace_store;
use crate::world::Restored;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use cluster::{ClientEvent, DiskEvent, Event, LogId};
use ids::{NodeId, Token, TopicIdPartition};
use log::{Log, LogFile, LogSlice, StoreOp};

/// The number of the API by which a log's start is moved.
const DELETE_RECORDS: i16 = 21;

/// Whether a node is asked to delete records: that moves a log's start, and orders no write.
pub(crate) fn deletes_records(event: &Event) -> bool {
    match event {
        Event::Client(ClientEvent::Request { frame, .. }) => {
            crate::frames::api_of(frame).is_some_and(|(key, _)| key == DELETE_RECORDS)
        }
        _ => false,
    }
}

impl State {
    /// Writes to a node's disk; the disk answers a moment later.
    pub(crate) fn store(&mut self, node: NodeId, log: LogId, token: Token, ops: Vec<StoreOp>) {
        trace_store(&mut self.trace, &self.cluster, node, log, &ops);
        self.tell_of_segments(node, log, &ops);
        let writes = match self.has_room(node, log, &ops) {
            true => self.with_bytes(node, log, ops),
            false => None,
        };
        let at = self.disks.entry(node).or_default().done_at(self.now);
        let done = match writes {
            Some(writes) => {
                let disk = self.disks.entry(node).or_default();
                disk.order(log, Pending { token, writes });
                DiskEvent::Stored { log, token }
            }
            None => DiskEvent::StoreFailed { log, token },
        };
        self.plan(at, node, Event::Disk(done));
    }

    /// Orders with the bytes that they append; `None` when those are not in memory.
    fn with_bytes(&mut self, node: NodeId, log: LogId, ops: Vec<StoreOp>) -> Option<Vec<Write>> {
        let log = self.cluster.log(node, log);
        let mut writes = Vec::with_capacity(ops.len());
        for op in ops {
            let appended = op.appends();
            let mut write = Write::new(op);
            if let Some(slice) = appended {
                self.written = self.written.saturating_add(slice.length.into());
                if write.bytes.is_empty() {
                    write.bytes = log.and_then(|log| log.slice_pieces(&slice))?;
                }
            }
            writes.push(write);
        }
        Some(writes)
    }

    /// What was ordered longest ago of a log is done.
    pub(crate) fn stored(&mut self, node: NodeId, log: LogId, token: Token) {
        let Some(disk) = self.disks.get_mut(&node) else {
            return;
        };
        let Some((pending, (name, dir))) = (disk.take_pending(log, token)).zip(disk.open_dir(log))
        else {
            return;
        };
        if self.keeps_writes {
            let noted = pending.writes.iter().map(|write| DiskWrite {
                node,
                name: name.clone(),
                op: Some(write.op.clone()),
            });
            self.writes.extend(noted);
        }
        let whose = self.cluster.log(node, log);
        for write in pending.writes {
            dir.write(write, whose);
        }
        flush_metadata(name, dir);
    }

    /// Changes a file, and notes it for the shell.
    pub(crate) fn write(
        &mut self,
        node: NodeId,
        name: &TopicIdPartition,
        write: Write,
        log: Option<&Log>,
    ) {
        if self.keeps_writes {
            self.writes.push(DiskWrite {
                node,
                name: name.clone(),
                op: Some(write.op.clone()),
            });
        }
        if let Some(dir) = self.dir_mut(node, name) {
            dir.write(write, log);
            flush_metadata(name, dir);
        }
    }

    pub(crate) fn dir_mut(&mut self, node: NodeId, name: &TopicIdPartition) -> Option<&mut Dir> {
        self.disks.get_mut(&node)?.dirs.get_mut(name)
    }

    /// Writes the checkpoint files, as a broker does from time to time; `now` at once.
    pub(crate) fn checkpoint(&mut self, node: NodeId, now: bool) {
        let Some(disk) = self.disks.get_mut(&node) else {
            return;
        };
        if !(disk.is_checkpoint_due(self.now) || now) {
            return;
        }
        let open: Vec<LogId> = disk.open_logs().map(|(id, _)| id).collect();
        for id in open {
            if let Some(log) = self.cluster.log(node, id)
                && let Some(dir) = disk.dir_mut(id)
            {
                dir.note(log);
            }
        }
    }

    /// A start needs bytes that only the shell has.
    pub(crate) fn owe_to_start(
        &mut self,
        node: NodeId,
        name: TopicIdPartition,
        token: Token,
        slice: LogSlice,
    ) {
        self.owed.push(Owed {
            node,
            log: OwedLog::Recovered(name),
            token,
            slice,
        });
    }

    /// What the shell is to be asked for; the bytes themselves when the disk has them in memory, and none
    /// when the log is gone.
    pub(crate) fn ask_shell(
        &mut self,
        owed: Owed,
    ) -> Result<Restored, (NodeId, LogId, Token, Bytes)> {
        let (node, token, slice) = (owed.node, owed.token, owed.slice);
        let disk = self.disks.get(&node);
        let (log, name) = match owed.log {
            OwedLog::Recovered(name) => (LogId::METADATA, name),
            OwedLog::Open(log) => {
                let Some((disk, name)) = disk.and_then(|disk| Some((disk, disk.name(log)?))) else {
                    return Err((node, log, token, Bytes::new()));
                };
                let dir = disk.dirs.get(name);
                if let Some(pieces) = dir.and_then(|dir| dir.read(&slice)) {
                    return Err((node, log, token, joined(pieces)));
                }
                (log, name.clone())
            }
        };
        self.awaited.push((node, log, token));
        Ok(Restored {
            node,
            name,
            token,
            slice,
        })
    }

    /// The disks have no bound any more.
    pub(crate) fn free_disks(&mut self) {
        self.disk_bytes = None;
        self.disks.values_mut().for_each(Disk::free);
    }

    /// Whether a node's disk takes these writes. A full disk refuses what appends to a partition; the
    /// metadata log goes on, so that topics can still be deleted.
    fn has_room(&mut self, node: NodeId, log: LogId, ops: &[StoreOp]) -> bool {
        let appends = ops.iter().any(|op| op.appends().is_some());
        if !appends || log == LogId::METADATA {
            return true;
        }
        let disk = self.disks.entry(node).or_default();
        if disk.is_filled() {
            return false;
        }
        let Some(max) = self.disk_bytes else {
            return true;
        };
        if max > 0 && disk.is_measured(self.written) {
            return true;
        }
        let logs = disk.open_logs().map(|(log, _)| log);
        let sizes = logs.filter_map(|log| self.cluster.log(node, log).map(log::Log::size));
        let used = sizes.sum();
        disk.measure(self.written, used, max)
    }

    /// Says that a segment was begun, or that the oldest ones were deleted.
    fn tell_of_segments(&mut self, node: NodeId, log: LogId, ops: &[StoreOp]) {
        let name = self.disks.get(&node).and_then(|disk| disk.name(log));
        let Some(name) = name else {
            return;
        };
        if name.is_metadata() || metadata::is_internal(&name.topic) {
            return;
        }
        for op in ops {
            // The first segment of a log is the log's beginning, and no news.
            if let StoreOp::Roll { segment } = op
                && segment.0 > 0
            {
                let (name, offset) = (name.clone(), *segment);
                self.said.push(Said::Rolled { name, offset });
            }
        }
        let deletes = |op: &StoreOp| {
            matches!(
                op,
                StoreOp::Delete {
                    file: LogFile::Log(_)
                }
            )
        };
        if ops.iter().any(deletes)
            && let Some(log) = self.cluster.log(node, log)
        {
            let (name, below) = (name.clone(), log.log_start());
            self.said.push(Said::Deleted { name, below });
        }
    }
}

/// The quorum flushes what it appends before it counts.
fn flush_metadata(name: &TopicIdPartition, dir: &mut Dir) {
    if name.is_metadata() {
        dir.flush_all();
    }
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() == 1
        && let Some(piece) = pieces.pop()
    {
        return piece;
    }
    let mut whole = BytesMut::new();
    pieces
        .iter()
        .for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}
