//! Logs as Kafka's files: orders in, writes and fsyncs out.

use crate::checkpoints::{self, Checkpoints, dir_name, join, key, renamed_dir, replace};
use crate::files::Files;
use crate::flusher::{Flush, Flushed};
use bytes::Bytes;
use cluster::{Cluster, LogId, ReplicaName};
use ids::{NodeId, Offset, PartitionIndex, Uuid};
use log::files::{encode_leader_epochs, encode_partition_metadata};
use log::{Log, LogFile, LogSlice, StoreOp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;

/// The directory of the metadata log.
pub(crate) const METADATA_DIR: &str = "__cluster_metadata-0";

/// When bytes are forced to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fsync {
    /// As Kafka does it: when a segment has been closed, while the server goes on, and on a
    /// clean stop.
    #[default]
    OnRoll,
    /// Before anything is acknowledged.
    Always,
}

/// Kafka's files.
pub struct DiskStore {
    files: Box<dyn Files>,
    fsync: Fsync,
    logs: BTreeMap<LogId, Place>,
    /// Directories found at the start that no replica has claimed yet.
    unclaimed: BTreeMap<String, Found>,
    /// Logs that have no directory yet.
    unborn: BTreeSet<LogId>,
    /// Logs with bytes that `commit` has to fsync.
    dirty: BTreeSet<LogId>,
    /// Whose segments are being flushed, by the flush's number.
    flushes: BTreeMap<u64, LogId>,
    next_flush: u64,
    /// What the checkpoint files say.
    noted: Checkpoints,
    /// What people are to hear.
    said: Vec<String>,
}

/// A log's place in the file system.
#[derive(Debug)]
struct Place {
    name: ReplicaName,
    dir: String,
    /// The file that grows.
    active: Active,
    recovery_point: Offset,
    flushes: Flushes,
    /// Whether its directory is there. A log that nothing has come to gets one when there is time, so
    /// that thousands of partitions can be made at once.
    is_born: bool,
}

/// A log's closed segments whose flush has not ended.
#[derive(Debug, Default)]
struct Flushes {
    /// The flushes' numbers, and where the segments end.
    begun: VecDeque<(u64, Offset)>,
    /// One has failed: nobody knows any more what the disk has of the log.
    failed: bool,
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
    pub(crate) name: ReplicaName,
    pub(crate) segment: Offset,
    pub(crate) length: u64,
    pub(crate) recovery_point: Offset,
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("logs", &self.logs)
            .finish_non_exhaustive()
    }
}

impl DiskStore {
    /// A store over what was found; the metadata log is open from the start.
    pub(crate) fn new(
        files: Box<dyn Files>,
        fsync: Fsync,
        metadata: Found,
        found: Vec<Found>,
        noted: Checkpoints,
    ) -> DiskStore {
        let place = Place::new(METADATA_DIR.to_owned(), metadata);
        DiskStore {
            files,
            fsync,
            logs: BTreeMap::from([(LogId::Metadata, place)]),
            unclaimed: found
                .into_iter()
                .map(|found| (dir_name(&found.name), found))
                .collect(),
            unborn: BTreeSet::new(),
            dirty: BTreeSet::new(),
            flushes: BTreeMap::new(),
            next_flush: 0,
            noted,
            said: Vec::new(),
        }
    }

    /// How much room the volume has.
    pub(crate) fn volume(&self) -> Option<cluster::Volume> {
        self.files.volume()
    }

    /// What there is to be said since the last call.
    pub(crate) fn take_said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// Directories of partitions that the metadata does not know.
    pub(crate) fn unclaimed(&self) -> impl Iterator<Item = &str> {
        self.unclaimed.keys().map(String::as_str)
    }

    pub(crate) fn open(&mut self, log: LogId, name: &ReplicaName) -> io::Result<()> {
        // The controller has checked it; a path is worth checking twice.
        if ids::check_topic_name(&name.topic).is_err() || name.partition.0 < 0 {
            return Err(io::Error::other("the topic's name cannot be a directory's"));
        }
        let dir = dir_name(name);
        let found = match self.unclaimed.remove(&dir) {
            Some(found) if found.name == *name => found,
            other => {
                let stands = other.is_some() || self.holds_records(&dir);
                if stands {
                    let topic_id = other.map(|found| found.name.topic_id);
                    self.set_aside(&dir, topic_id.unwrap_or_default())?;
                }
                self.forget_predecessors(&key(name))?;
                let mut place = Place::new(dir, Found::new(name.clone()));
                place.is_born = false;
                self.unborn.insert(log);
                self.logs.insert(log, place);
                return Ok(());
            }
        };
        self.logs.insert(log, Place::new(dir, found));
        Ok(())
    }

    /// Makes directories that are not there yet, at most so many.
    pub(crate) fn bear(&mut self, node: NodeId, cluster: &Cluster, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let Some(id) = self.unborn.pop_first() else {
                return Ok(());
            };
            // After a failure the first append tries again, and says so.
            if let (Some(place), Some(log)) = (self.logs.get_mut(&id), cluster.log(node, id)) {
                place.bear(&mut *self.files, log, self.fsync == Fsync::Always)?;
            }
        }
        Ok(())
    }

    /// Whether there are directories to be made.
    pub(crate) fn has_unborn(&self) -> bool {
        !self.unborn.is_empty()
    }

    /// Whether there is a directory of this name with records that nobody could make out.
    fn holds_records(&mut self, dir: &str) -> bool {
        let files = self.files.files(dir).unwrap_or_default();
        let is_log = |name: &str| matches!(LogFile::parse(name), Some(LogFile::Log(_)));
        files
            .iter()
            .any(|(name, length)| is_log(name) && *length > 0)
    }

    /// An older topic's directory stands where a new one's must: it is kept under another name.
    fn set_aside(&mut self, dir: &str, topic_id: Uuid) -> io::Result<()> {
        let aside = renamed_dir(dir, topic_id, "stray");
        self.said.push(format!(
            "{dir}: a directory of another topic with this name stood in the way; it is now \
             {aside}, and not used"
        ));
        self.files.rename(dir, &aside)
    }

    pub(crate) fn remove(&mut self, id: LogId) -> io::Result<()> {
        self.dirty.remove(&id);
        self.unborn.remove(&id);
        let Some(place) = self.logs.remove(&id).filter(|place| place.is_born) else {
            return Ok(());
        };
        // Under its new name it is never taken for a partition again, whatever happens next.
        let doomed = renamed_dir(&place.dir, place.name.topic_id, "delete");
        self.files.rename(&place.dir, &doomed)?;
        self.files.remove_dir(&doomed)
    }

    pub(crate) fn carry_out(&mut self, id: LogId, ops: &[StoreOp], log: &Log) -> io::Result<()> {
        let always = self.fsync == Fsync::Always;
        let files = &mut *self.files;
        let Some(place) = self.logs.get_mut(&id) else {
            return Err(io::Error::other("the log's directory could not be made"));
        };
        if !place.is_born {
            if ops.iter().all(|op| place.is_at_birth(op)) {
                return Ok(());
            }
            place.bear(files, log, always)?;
            self.unborn.remove(&id);
        }
        for op in ops {
            match op {
                StoreOp::Roll { segment } if always => {
                    place.sync(files, *segment, log)?;
                    place.begin(files, *segment)?;
                    files.sync_dir(&place.dir)?;
                }
                StoreOp::Roll { segment } => {
                    if place.flush(files, *segment, log, self.next_flush)? {
                        self.flushes.insert(self.next_flush, id);
                        self.next_flush += 1;
                    }
                    place.begin(files, *segment)?;
                }
                StoreOp::Append {
                    segment,
                    position,
                    length,
                } => {
                    let slice = LogSlice {
                        segment: *segment,
                        position: *position,
                        length: *length,
                    };
                    place.append(files, &slice, log)?;
                    if always {
                        self.dirty.insert(id);
                    }
                }
                StoreOp::Put { file, bytes } => {
                    replace(files, &place.dir, &file.name(), bytes, always)?;
                }
                StoreOp::Delete { file } => files.remove(&join(&place.dir, &file.name()))?,
                StoreOp::Truncate { segment, position } => {
                    place.truncate(files, *segment, u64::from(*position), always)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> Vec<(LogId, io::Error)> {
        let mut failed = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            if let Some(place) = self.logs.get(&id)
                && let Err(error) = self.files.sync(&place.active.path)
            {
                failed.push((id, error));
            }
        }
        failed
    }

    pub(crate) fn load(&mut self, id: LogId, slice: &LogSlice) -> io::Result<Bytes> {
        let Some(place) = self.logs.get(&id) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let path = join(&place.dir, &LogFile::Log(slice.segment).name());
        let bytes = self
            .files
            .read(&path, u64::from(slice.position), slice.length as usize)?;
        match bytes.len() == slice.length as usize {
            true => Ok(bytes),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Takes in which flushes have ended, all of them with `wait`. Gives those that failed, with
    /// the directory.
    pub(crate) fn note_flushed(&mut self, wait: bool) -> Vec<(String, io::Error)> {
        let mut failed = Vec::new();
        for flushed in self.files.flushed(wait) {
            let id = self.flushes.remove(&flushed.number);
            // A log that was removed meanwhile needs none.
            if let Some(place) = id.and_then(|id| self.logs.get_mut(&id)) {
                place.flushed(&flushed);
                failed.extend(flushed.result.err().map(|error| (place.dir.clone(), error)));
            }
        }
        failed
    }

    /// What the checkpoint files say about a name was said of a log that is gone, once a new log has
    /// the name. (Kafka writes them when it deletes a log.)
    fn forget_predecessors(&mut self, key: &(String, PartitionIndex)) -> io::Result<()> {
        if !self.noted.name(key) {
            return Ok(());
        }
        let claimed = self.logs.values().map(|place| &place.name);
        let unclaimed = self.unclaimed.values().map(|found| &found.name);
        let stand: BTreeSet<_> = claimed.chain(unclaimed).map(checkpoints::key).collect();
        let sync = self.fsync == Fsync::Always;
        let mut left = self.noted.clone();
        left.retain(|key| stand.contains(key));
        self.noted.write(left, &mut *self.files, sync)
    }

    /// Writes the high watermarks, which Kafka does every 5 s.
    pub(crate) fn note_high_watermarks(
        &mut self,
        node: NodeId,
        cluster: &Cluster,
    ) -> io::Result<()> {
        let sync = self.fsync == Fsync::Always;
        let mut all = self.noted.clone();
        all.high_watermarks = self.gather(node, cluster).high_watermarks;
        self.noted.write(all, &mut *self.files, sync)
    }

    /// Writes recovery points and log starts, which Kafka does every minute.
    pub(crate) fn note_points(&mut self, node: NodeId, cluster: &Cluster) -> io::Result<()> {
        let sync = self.fsync == Fsync::Always;
        let mut all = self.gather(node, cluster);
        all.high_watermarks.clone_from(&self.noted.high_watermarks);
        self.noted.write(all, &mut *self.files, sync)
    }

    /// Stops cleanly: closes every log, fsyncs everything, leaves Kafka's marker. Where a flush has
    /// failed there is no marker, so that the next start looks at the logs.
    pub(crate) fn close(
        &mut self,
        node: NodeId,
        cluster: &Cluster,
        broker_epoch: i64,
    ) -> io::Result<()> {
        let ids: Vec<LogId> = self.logs.keys().copied().collect();
        let failed = |place: &Place| place.flushes.failed;
        for id in ids {
            // A log without a directory is idle, too.
            let busy = cluster.log(node, id).filter(|log| !log.is_idle());
            let Some(mut log) = busy.cloned() else {
                continue;
            };
            let mut ops = Vec::new();
            log.close(&mut ops);
            self.carry_out(id, &ops, &log)?;
            if let Some(place) = self.logs.get_mut(&id).filter(|place| !failed(place)) {
                place.sync(&mut *self.files, log.log_end(), &log)?;
            }
        }
        self.note_high_watermarks(node, cluster)?;
        self.note_points(node, cluster)?;
        if self.logs.values().any(failed) {
            return Ok(());
        }
        let marker = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        replace(
            &mut *self.files,
            "",
            checkpoints::CLEAN_SHUTDOWN,
            marker.as_bytes(),
            true,
        )
    }

    fn gather(&self, node: NodeId, cluster: &Cluster) -> Checkpoints {
        let mut all = Checkpoints::default();
        for (id, place) in &self.logs {
            let Some(log) = cluster.log(node, *id) else {
                continue;
            };
            if *id == LogId::Metadata {
                continue;
            }
            let key = key(&place.name);
            let point = checkpoints::capped(place.recovery_point, log.log_end());
            all.recovery_points.insert(key.clone(), point);
            all.high_watermarks
                .insert(key.clone(), log.high_watermark());
            let first = log.segment_sizes().next().map(|(base, _)| base);
            if first.is_some_and(|first| log.log_start() > first) {
                all.log_starts.insert(key, log.log_start());
            }
        }
        all
    }
}

impl Found {
    /// A directory that is made anew.
    pub(crate) fn new(name: ReplicaName) -> Found {
        Found {
            name,
            segment: Offset(0),
            length: 0,
            recovery_point: Offset(0),
        }
    }
}

impl Place {
    fn new(dir: String, found: Found) -> Place {
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
    fn is_at_birth(&self, op: &StoreOp) -> bool {
        match op {
            StoreOp::Roll { segment } => *segment == self.active.segment,
            StoreOp::Put { file, .. } => {
                matches!(file, LogFile::LeaderEpochs | LogFile::PartitionMetadata)
            }
            StoreOp::Append { .. } | StoreOp::Delete { .. } | StoreOp::Truncate { .. } => false,
        }
    }

    /// Makes the directory with the files of an empty log.
    fn bear(&mut self, files: &mut dyn Files, log: &Log, sync: bool) -> io::Result<()> {
        files.create_dir(&self.dir)?;
        if sync {
            files.sync_dir("")?;
        }
        let id = encode_partition_metadata(self.name.topic_id);
        let epochs = encode_leader_epochs(log.leader_epochs());
        let mut put =
            |file: LogFile, bytes: &[u8]| replace(files, &self.dir, &file.name(), bytes, sync);
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
    fn unflushed(&self, log: &Log, end: Offset) -> Vec<Offset> {
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
    fn sync(&mut self, files: &mut dyn Files, end: Offset, log: &Log) -> io::Result<()> {
        for segment in self.unflushed(log, end) {
            files.sync(&join(&self.dir, &LogFile::Log(segment).name()))?;
        }
        self.recovery_point = self.recovery_point.max(end);
        Ok(())
    }

    /// Begins to do so, in the flush of this number, with what belongs to the segments; says
    /// whether there was need for it.
    fn flush(
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
    fn begin(&mut self, files: &mut dyn Files, segment: Offset) -> io::Result<()> {
        self.active = Active {
            segment,
            path: join(&self.dir, &LogFile::Log(segment).name()),
            length: 0,
        };
        files.create(&self.active.path)
    }

    /// A flush has ended; after one that failed the recovery point stays where it is.
    fn flushed(&mut self, flushed: &Flushed) {
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

    fn append(&mut self, files: &mut dyn Files, slice: &LogSlice, log: &Log) -> io::Result<()> {
        self.activate(slice.segment);
        let mut at = u64::from(slice.position);
        if self.active.length > at {
            // Left behind by a write that failed half way.
            files.set_len(&self.active.path, at)?;
            self.active.length = at;
        }
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

    fn truncate(
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
    fn activate(&mut self, segment: Offset) {
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
