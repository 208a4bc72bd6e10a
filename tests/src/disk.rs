//! A disk that is memory: the files of a node's logs, as a shell would write them.

use bytes::Bytes;
use cluster::{LogId, Recovered, ReplicaId, ReplicaName};
use ids::{Offset, Time};
use log::{Checkpoints, Log, LogConfig, LogFile, LogSlice, Recovery, StoreOp};
use std::collections::BTreeMap;

/// The files of all logs. Whoever opens a log again finds what was there.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    metadata: Files,
    replicas: BTreeMap<ReplicaName, Files>,
    names: BTreeMap<ReplicaId, ReplicaName>,
}

#[derive(Debug, Default)]
struct Files {
    segments: BTreeMap<Offset, Vec<u8>>,
    small: BTreeMap<LogFile, Bytes>,
}

impl Disk {
    /// A replica is known by its id from now on, until the node starts again.
    pub(crate) fn open(&mut self, replica: ReplicaId, name: ReplicaName) {
        self.replicas.entry(name.clone()).or_default();
        self.names.insert(replica, name);
    }

    pub(crate) fn remove(&mut self, replica: ReplicaId) {
        if let Some(name) = self.names.remove(&replica) {
            self.replicas.remove(&name);
        }
    }

    /// Writes what a log orders; the bytes come from the log itself.
    pub(crate) fn carry_out(&mut self, log: LogId, source: &Log, ops: Vec<StoreOp>) {
        let files = self.files(log);
        for op in ops {
            match op {
                StoreOp::Roll { segment } => {
                    files.segments.entry(segment).or_default();
                }
                StoreOp::Append {
                    segment,
                    position,
                    length,
                } => {
                    let slice = LogSlice {
                        segment,
                        position,
                        length,
                    };
                    let file = files.segments.entry(segment).or_default();
                    assert_eq!(file.len(), position as usize, "an append leaves a gap");
                    let pieces = source.slice_bytes(&slice).expect("new bytes are in memory");
                    pieces.for_each(|piece| file.extend_from_slice(piece));
                }
                StoreOp::Put { file, bytes } => {
                    files.small.insert(file, Bytes::from(bytes));
                }
                StoreOp::Delete {
                    file: LogFile::Log(segment),
                } => {
                    files.segments.remove(&segment);
                }
                StoreOp::Delete { file } => {
                    files.small.remove(&file);
                }
                StoreOp::Truncate { segment, position } => {
                    let file = files.segments.entry(segment).or_default();
                    file.truncate(position as usize);
                }
            }
        }
    }

    /// Bytes of a log; empty when they are not there.
    pub(crate) fn read(&mut self, log: LogId, slice: &LogSlice) -> Bytes {
        let begin = slice.position as usize;
        let end = begin + slice.length as usize;
        let file = self.files(log).segments.get(&slice.segment);
        let bytes = file.and_then(|file| file.get(begin..end));
        bytes.map(Bytes::copy_from_slice).unwrap_or_default()
    }

    /// The logs as a start finds them: the controller's, and the replicas.
    pub(crate) fn recover(&mut self, now: Time) -> (Log, Vec<Recovered>) {
        self.names.clear();
        let replicas = self.replicas.iter().map(|(name, files)| Recovered {
            name: name.clone(),
            log: files.recover(now),
        });
        (self.metadata.recover(now), replicas.collect())
    }

    fn files(&mut self, log: LogId) -> &mut Files {
        match log {
            LogId::Metadata => &mut self.metadata,
            LogId::Replica(replica) => {
                let name = self.names.get(&replica).expect("the replica was opened");
                self.replicas.entry(name.clone()).or_default()
            }
        }
    }
}

impl Files {
    fn recover(&self, now: Time) -> Log {
        let config = LogConfig::default();
        if self.segments.is_empty() {
            return Log::new(config, Offset(0), now);
        }
        let mut recovery = Recovery::new(config, Checkpoints::default(), now);
        for (file, bytes) in &self.small {
            recovery.file(*file, bytes.clone());
        }
        for (base, bytes) in &self.segments {
            recovery.segment(*base);
            recovery.bytes(Bytes::copy_from_slice(bytes));
        }
        let (log, report) = recovery.finish();
        assert!(report.cuts.is_empty(), "recovery cut {:?}", report.cuts);
        log
    }
}
