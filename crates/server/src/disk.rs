//! Logs as Kafka's files: orders in, writes and fsyncs out.

use crate::checkpoints::{self, Checkpoints, dir_name, join, key, put, renamed_dir, replace};
use crate::files::Files;
use crate::place::{Found, Place};
use crate::reader::Stretch;
use crate::syncer::Written;
use bytes::Bytes;
use cluster::{Cluster, LogId};
use ids::{NodeId, PartitionIndex, TopicIdPartition, Uuid};
use log::{Log, LogFile, LogSlice, StoreOp};
use std::collections::{BTreeMap, BTreeSet};
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
    /// Directories of logs that are removed, with their topics' ids, which still have their names.
    leaving: BTreeMap<String, Uuid>,
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
            logs: BTreeMap::from([(LogId::METADATA, place)]),
            unclaimed: found
                .into_iter()
                .map(|found| (dir_name(&found.name), found))
                .collect(),
            unborn: BTreeSet::new(),
            leaving: BTreeMap::new(),
            dirty: BTreeSet::new(),
            flushes: BTreeMap::new(),
            next_flush: 0,
            noted,
            said: Vec::new(),
        }
    }

    /// When bytes are forced to the disk.
    pub(crate) fn fsync(&self) -> Fsync {
        self.fsync
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

    pub(crate) fn open(&mut self, log: LogId, name: &TopicIdPartition) -> io::Result<()> {
        // The controller has checked it; a path is worth checking twice.
        if ids::check_topic_name(&name.topic).is_err() || name.partition.0 < 0 {
            return Err(io::Error::other("the topic's name cannot be a directory's"));
        }
        let dir = dir_name(name);
        self.bury(&dir);
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

    /// Removes directories of logs that are gone, at most so many at a time: a topic of a thousand
    /// partitions must not hold up everyone else.
    pub(crate) fn bury_some(&mut self, count: usize) {
        for _ in 0..count {
            let Some(dir) = self.leaving.keys().next().cloned() else {
                return;
            };
            self.bury(&dir);
        }
    }

    /// Whether there are directories to be removed.
    pub(crate) fn has_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    fn bury(&mut self, dir: &str) {
        let Some(topic_id) = self.leaving.remove(dir) else {
            return;
        };
        // Under its new name it is never taken for a partition again, whatever happens next.
        let doomed = renamed_dir(dir, topic_id, "delete");
        let removed = self.files.rename(dir, &doomed);
        if let Err(error) = removed.and_then(|()| self.files.remove_dir(&doomed)) {
            let line = format!("{dir}: its files cannot be removed: {error}");
            self.said.push(line);
        }
    }

    /// Makes directories that are not there yet, at most so many.
    pub(crate) fn bear(&mut self, node: NodeId, cluster: &Cluster, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let Some(id) = self.unborn.pop_first() else {
                return Ok(());
            };
            let (Some(place), Some(log)) = (self.logs.get_mut(&id), cluster.log(node, id)) else {
                continue;
            };
            let sync = self.fsync == Fsync::Always;
            if let Err(error) = place.bear(&mut *self.files, log, sync) {
                // The first append to each tries again, and says so.
                self.unborn.clear();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether there are no directories to be made.
    pub(crate) fn is_laid_out(&self) -> bool {
        self.unborn.is_empty()
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

    pub(crate) fn remove(&mut self, id: LogId) {
        self.dirty.remove(&id);
        self.unborn.remove(&id);
        if let Some(place) = self.logs.remove(&id).filter(|place| place.is_born) {
            self.leaving.insert(place.dir, place.name.topic_id);
        }
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
        let mut named = false;
        for op in ops {
            match op {
                StoreOp::Roll { segment } if always => {
                    place.sync(files, *segment, log)?;
                    place.begin(files, *segment)?;
                    named = true;
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
                StoreOp::AppendBatch(batch) => {
                    place.append_batch(files, batch)?;
                    if always {
                        self.dirty.insert(id);
                    }
                }
                StoreOp::Put { file, bytes } => {
                    put(files, &place.dir, &file.name(), bytes, always)?;
                    named |= always;
                }
                StoreOp::Delete { file } => files.remove(&join(&place.dir, &file.name()))?,
                StoreOp::Truncate { segment, position } => {
                    place.truncate(files, *segment, u64::from(*position), always)?;
                }
            }
        }
        match named {
            true => files.sync_dir(&place.dir),
            false => Ok(()),
        }
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

    /// The files that `commit` would fsync, for someone else to do so; `None` where there are no handles
    /// to give away.
    pub(crate) fn take_dirty(&mut self) -> io::Result<Option<Written>> {
        let mut written = Vec::with_capacity(self.dirty.len());
        for id in &self.dirty {
            let Some(place) = self.logs.get(id) else {
                continue;
            };
            match self.files.source(&place.active.path)? {
                Some(file) => written.push((*id, file)),
                None => return Ok(None),
            }
        }
        self.dirty.clear();
        Ok(Some(written))
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

    /// Bytes of a log as its file has them; `None` where files can only be read at once.
    pub(crate) fn stretch(&mut self, id: LogId, slice: &LogSlice) -> io::Result<Option<Stretch>> {
        let Some(place) = self.logs.get(&id) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let path = join(&place.dir, &LogFile::Log(slice.segment).name());
        let stretch = |file| Stretch {
            file,
            at: u64::from(slice.position),
            length: slice.length as usize,
        };
        Ok(self.files.source(&path)?.map(stretch))
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
        self.bury_some(usize::MAX);
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
            if *id == LogId::METADATA {
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
