//! A store that keeps nothing but counts what the logs hold, so that memory has a bound.

use cluster::{LogId, Volume};
use ids::Offset;
use log::{LogFile, StoreOp};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

/// Counts the bytes of logs that live in memory only.
#[derive(Debug)]
pub struct MemoryStore {
    max: u64,
    used: u64,
    segments: BTreeMap<(LogId, Offset), u64>,
}

impl MemoryStore {
    /// Logs may hold `max` bytes together.
    #[must_use]
    pub fn new(max: u64) -> MemoryStore {
        MemoryStore {
            max,
            used: 0,
            segments: BTreeMap::new(),
        }
    }

    /// What the logs may have together, and what they have not used of it.
    pub(crate) fn volume(&self) -> Volume {
        let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        Volume {
            total: bytes(self.max),
            usable: bytes(self.max.saturating_sub(self.used)),
        }
    }

    pub(crate) fn carry_out(&mut self, log: LogId, ops: &[StoreOp]) -> io::Result<()> {
        for op in ops {
            match op {
                StoreOp::Append {
                    segment,
                    position,
                    length,
                } => {
                    // The metadata log is small, and without it nothing could be deleted.
                    if log != LogId::METADATA && self.used + u64::from(*length) > self.max {
                        return Err(io::Error::new(
                            ErrorKind::StorageFull,
                            "the logs fill the memory that --memory-max-mb gives them",
                        ));
                    }
                    self.resize(log, *segment, u64::from(*position) + u64::from(*length));
                }
                StoreOp::Truncate { segment, position } => {
                    self.resize(log, *segment, u64::from(*position));
                }
                StoreOp::Delete {
                    file: LogFile::Log(segment),
                } => self.resize(log, *segment, 0),
                // Nothing is sent from files here, so each batch is the log's.
                StoreOp::AppendBatch(_)
                | StoreOp::Roll { .. }
                | StoreOp::Put { .. }
                | StoreOp::Delete { .. } => {}
            }
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, log: LogId) {
        let all = (log, Offset(i64::MIN))..=(log, Offset(i64::MAX));
        let segments: Vec<Offset> = self.segments.range(all).map(|(key, _)| key.1).collect();
        for segment in segments {
            self.resize(log, segment, 0);
        }
    }

    fn resize(&mut self, log: LogId, segment: Offset, size: u64) {
        let before = match size {
            0 => self.segments.remove(&(log, segment)),
            _ => self.segments.insert((log, segment), size),
        };
        self.used = self.used.saturating_sub(before.unwrap_or(0)) + size;
    }
}
