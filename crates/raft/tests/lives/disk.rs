//! A node's disk: what has been flushed survives a kill, and of the rest a beginning.

use bytes::Bytes;
use ids::{Offset, Rng, SnapshotId, Time};
use log::{Checkpoints, Log, LogConfig, LogFile, LogSlice, Recovery, StoreOp};
use raft::{FromDisk, KeptSnapshot, Order};
use std::collections::BTreeMap;

/// What is on the disk itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    quorum_state: Option<Bytes>,
    snapshots: BTreeMap<SnapshotId, Bytes>,
    segments: BTreeMap<Offset, Vec<u8>>,
    small: BTreeMap<LogFile, Bytes>,
}

/// An order with the bytes it is about.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Whole(Order),
    Append(Offset, u32, Vec<u8>),
}

/// Small segments, so that lives roll and trim them.
pub(crate) fn log_config() -> LogConfig {
    LogConfig {
        segment_bytes: 4096,
        ..LogConfig::default()
    }
}

/// Takes an append's bytes out of the log, as a shell does right after the step.
pub(crate) fn resolve(order: Order, log: &Log) -> Write {
    let Order::Log(StoreOp::Append {
        segment,
        position,
        length,
    }) = order
    else {
        return Write::Whole(order);
    };
    let slice = LogSlice {
        segment,
        position,
        length,
    };
    let pieces = log.slice_bytes(&slice).expect("new bytes are in memory");
    Write::Append(segment, position, pieces.flatten().copied().collect())
}

impl Disk {
    pub(crate) fn formatted(bootstrap: Option<Vec<u8>>) -> Disk {
        let id = SnapshotId::parse("00000000000000000000-0000000000.checkpoint");
        let snapshots = bootstrap.map(|bytes| (id.expect("a name"), Bytes::from(bytes)));
        Disk {
            snapshots: snapshots.into_iter().collect(),
            ..Disk::default()
        }
    }

    pub(crate) fn carry_out(&mut self, write: Write) {
        let op = match write {
            Write::Append(segment, position, bytes) => {
                let file = self.segments.entry(segment).or_default();
                assert_eq!(file.len(), position as usize, "an append leaves a gap");
                return file.extend(bytes);
            }
            Write::Whole(Order::QuorumState(bytes)) => {
                return self.quorum_state = Some(Bytes::from(bytes));
            }
            Write::Whole(Order::Snapshot { id, bytes }) => {
                self.snapshots.insert(id, bytes);
                return;
            }
            Write::Whole(Order::DeleteSnapshot(id)) => {
                self.snapshots.remove(&id);
                return;
            }
            Write::Whole(Order::Log(op)) => op,
        };
        match op {
            StoreOp::Roll { segment } => {
                self.segments.entry(segment).or_default();
            }
            StoreOp::Append { .. } => unreachable!("resolved"),
            StoreOp::AppendBatch(_) => unreachable!("no request is appended to it"),
            StoreOp::Put { file, bytes } => {
                self.small.insert(file, Bytes::from(bytes));
            }
            StoreOp::Delete {
                file: LogFile::Log(segment),
            } => {
                self.segments.remove(&segment);
            }
            StoreOp::Delete { file } => {
                self.small.remove(&file);
            }
            StoreOp::Truncate { segment, position } => {
                let file = self.segments.entry(segment).or_default();
                file.truncate(position as usize);
            }
        }
    }

    /// The process is killed, or the power fails: of what was not flushed, some is there and the last of that torn.
    pub(crate) fn crash(&mut self, unflushed: Vec<Write>, rng: &mut Rng) {
        let kept = rng.below(unflushed.len() as u64 + 1) as usize;
        for (at, write) in unflushed.into_iter().enumerate() {
            if at < kept {
                self.carry_out(write);
                continue;
            }
            if let Write::Append(segment, position, mut bytes) = write {
                bytes.truncate(rng.below(bytes.len() as u64) as usize);
                self.carry_out(Write::Append(segment, position, bytes));
            }
            break;
        }
    }

    pub(crate) fn recover(&mut self, now: Time) -> FromDisk {
        let log = match self.segments.is_empty() {
            true => Log::new(log_config(), Offset(0), now),
            false => self.recover_log(now),
        };
        let newest = self.snapshots.last_key_value();
        FromDisk {
            quorum_state: self.quorum_state.clone(),
            log,
            snapshot: newest.map(|(id, bytes)| KeptSnapshot {
                id: *id,
                bytes: bytes.clone(),
            }),
        }
    }

    fn recover_log(&mut self, now: Time) -> Log {
        let mut recovery = Recovery::new(log_config(), Checkpoints::default(), now);
        for (file, bytes) in &self.small {
            recovery.file(*file, bytes.clone());
        }
        for (base, bytes) in &self.segments {
            recovery.segment(*base);
            recovery.bytes(Bytes::copy_from_slice(bytes));
        }
        let (log, report) = recovery.finish();
        for op in report.ops {
            let write = resolve(Order::Log(op), &log);
            self.carry_out(write);
        }
        log
    }
}
