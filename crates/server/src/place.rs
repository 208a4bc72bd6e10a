//! Where a log is in the file system, and what is done to its files there.

use crate::checkpoints::{join, put};
use crate::files::Files;
use crate::flusher::{Flush, Flushed};
use ids::{Offset, TopicIdPartition};
use log::files::{encode_leader_epochs, encode_partition_metadata};
use log::{Log, LogFile, LogSlice, StoreOp, StoredBatch};
use std::collections::VecDeque;
use std::io;

/// A log's place in the file system.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) name: TopicIdPartition,
    pub(crate) dir: String,
    /// The file that grows.
    pub(crate) active: Active,
    pub(crate) recovery_point: Offset,
    pub(crate) flushes: Flushes,
    /// Whether its directory is there. A log that nothing has come to gets one when there is time, so
    /// that thousands of partitions can be made at once.
    pub(crate) is_born: bool,
}

/// A log's closed segments whose flush has not ended.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    /// The flushes' numbers, and where the segments end.
    pub(crate) begun: VecDeque<(u64, Offset)>,
    /// One has failed: nobody knows any more what the disk has of the log.
    pub(crate) failed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) segment: Offset,
    pub(crate) path: String,
    /// How long the file is.
    pub(crate) length: u64,
}

/// A partition's directory as recovery left it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) name: TopicIdPartition,
    pub(crate) segment: Offset,
    pub(crate) length: u64,
    pub(crate) recovery_point: Offset,
}

impl Found {
    /// A directory that is made anew.
    pub(crate) fn new(name: TopicIdPartition) -> Found {
        Found {
            name,
            segment: Offset(0),
            length: 0,
            recovery_point: Offset(0),
        }
    }
}

impl Place {
    pub(crate) fn new(dir: String, found: Found) -> Place {
        Place {
            active: Active {
                segment: found.segment,
                path: join(&dir, &LogFile::Log(found.segment).name()),
                length: found.length,
            },
            dir,
            name: found.name,
            recovery_point: found.recovery_point,
            flushes: Flushes::default(),
            is_born: true,
        }
    }

    /// Whether the files are made so in any case when the directory is made.
    pub(crate) fn is_at_birth(&self, op: &StoreOp) -> bool {
        match op {
            StoreOp::Roll { segment } => *segment == self.active.segment,
            StoreOp::Put { file, .. } => {
                matches!(file, LogFile::LeaderEpochs | LogFile::PartitionMetadata)
            }
            StoreOp::Append { .. }
            | StoreOp::AppendBatch(_)
            | StoreOp::Delete { .. }
            | StoreOp::Truncate { .. } => false,
        }
    }

    /// Makes the directory with the files of an empty log.
    pub(crate) fn bear(&mut self, files: &mut dyn Files, log: &Log, sync: bool) -> io::Result<()> {
        files.create_dir(&self.dir)?;
        if sync {
            files.sync_dir("")?;
        }
        let id = encode_partition_metadata(self.name.topic_id);
        let epochs = encode_leader_epochs(log.leader_epochs());
        let mut put =
            |file: LogFile, bytes: &[u8]| put(files, &self.dir, &file.name(), bytes, sync);
        put(LogFile::PartitionMetadata, &id)?;
        put(LogFile::LeaderEpochs, &epochs)?;
        let segment = self.active.segment;
        for file in [
            LogFile::Log(segment),
            LogFile::Index(segment),
            LogFile::TimeIndex(segment),
        ] {
            files.create(&join(&self.dir, &file.name()))?;
        }
        self.is_born = true;
        if sync {
            files.sync_dir(&self.dir)?;
        }
        Ok(())
    }

    /// The segments that lie below `end` and have not been flushed yet, or not be begun with:
    /// one, as a rule, and after a kill perhaps more.
    pub(crate) fn unflushed(&self, log: &Log, end: Offset) -> Vec<Offset> {
        let begun = self.flushes.begun.back().map(|(_, end)| *end);
        let from = begun.unwrap_or(self.recovery_point);
        if from >= end {
            return Vec::new();
        }
        let bases: Vec<Offset> = log.segment_sizes().map(|(base, _)| base).collect();
        let ends = bases.iter().skip(1).copied().chain([Offset(i64::MAX)]);
        let pairs = bases.iter().copied().zip(ends);
        pairs
            .filter(|(base, next)| *base < end && *next > from)
            .map(|(base, _)| base)
            .collect()
    }

    /// Makes everything below `end`, where no segment grows, survive a power cut.
    pub(crate) fn sync(&mut self, files: &mut dyn Files, end: Offset, log: &Log) -> io::Result<()> {
        for segment in self.unflushed(log, end) {
            files.sync(&join(&self.dir, &LogFile::Log(segment).name()))?;
        }
        self.recovery_point = self.recovery_point.max(end);
        Ok(())
    }

    /// Begins to do so, in the flush of this number, with what belongs to the segments; says
    /// whether there was need for it.
    pub(crate) fn flush(
        &mut self,
        files: &mut dyn Files,
        end: Offset,
        log: &Log,
        number: u64,
    ) -> io::Result<bool> {
        let segments = self.unflushed(log, end);
        if segments.is_empty() {
            return Ok(false);
        }
        let mut belonging = vec![LogFile::Snapshot(end), LogFile::LeaderEpochs];
        for segment in segments {
            belonging.extend([
                LogFile::Log(segment),
                LogFile::Index(segment),
                LogFile::TimeIndex(segment),
                LogFile::TxnIndex(segment),
            ]);
        }
        let paths = belonging.iter().map(|file| join(&self.dir, &file.name()));
        files.flush(Flush {
            number,
            dir: self.dir.clone(),
            paths: paths.collect(),
        })?;
        self.flushes.begun.push_back((number, end));
        Ok(true)
    }

    /// A segment begins.
    pub(crate) fn begin(&mut self, files: &mut dyn Files, segment: Offset) -> io::Result<()> {
        self.active = Active {
            segment,
            path: join(&self.dir, &LogFile::Log(segment).name()),
            length: 0,
        };
        files.create(&self.active.path)
    }

    /// A flush has ended; after one that failed the recovery point stays where it is.
    pub(crate) fn flushed(&mut self, flushed: &Flushed) {
        let begun = &mut self.flushes.begun;
        // It is not there if the segment has become the one that grows again.
        let Some(at) = begun
            .iter()
            .position(|(number, _)| *number == flushed.number)
        else {
            return;
        };
        let end = begun.remove(at).map(|(_, end)| end);
        self.flushes.failed |= flushed.result.is_err();
        if let Some(end) = end.filter(|_| !self.flushes.failed) {
            self.recovery_point = self.recovery_point.max(end);
        }
    }

    /// Makes the file end where something is to be appended.
    fn extend_from(
        &mut self,
        files: &mut dyn Files,
        segment: Offset,
        position: u32,
    ) -> io::Result<u64> {
        self.activate(segment);
        let at = u64::from(position);
        if self.active.length > at {
            // Left behind by a write that failed half way.
            files.set_len(&self.active.path, at)?;
            self.active.length = at;
        }
        Ok(at)
    }

    pub(crate) fn append_batch(
        &mut self,
        files: &mut dyn Files,
        batch: &StoredBatch,
    ) -> io::Result<()> {
        let at = self.extend_from(files, batch.segment, batch.position)?;
        // Before the write, which may fail after some of its bytes are written.
        self.active.length = at + u64::from(batch.length());
        files.write_both(&self.active.path, at, &batch.header, &batch.records)
    }

    pub(crate) fn append(
        &mut self,
        files: &mut dyn Files,
        slice: &LogSlice,
        log: &Log,
    ) -> io::Result<()> {
        let mut at = self.extend_from(files, slice.segment, slice.position)?;
        let Some(pieces) = log.slice_bytes(slice) else {
            return Err(io::Error::other(
                "the bytes to be written are not in memory",
            ));
        };
        for piece in pieces {
            // Before the write, which may fail after some of its bytes are written.
            self.active.length = at + piece.len() as u64;
            files.write(&self.active.path, at, piece)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    pub(crate) fn truncate(
        &mut self,
        files: &mut dyn Files,
        segment: Offset,
        length: u64,
        always: bool,
    ) -> io::Result<()> {
        self.activate(segment);
        files.set_len(&self.active.path, length)?;
        self.active.length = length;
        // Once new bytes lie there, the old ones below the recovery point are no proof any more.
        self.recovery_point = self.recovery_point.min(segment);
        self.flushes.begun.retain(|(_, end)| *end <= segment);
        if always {
            files.sync(&self.active.path)?;
        }
        Ok(())
    }

    /// A truncation makes an older segment the one that grows.
    pub(crate) fn activate(&mut self, segment: Offset) {
        if self.active.segment != segment {
            self.active = Active {
                segment,
                path: join(&self.dir, &LogFile::Log(segment).name()),
                // Not known: whatever is there beyond a write is cut first.
                length: u64::MAX,
            };
        }
    }
}
