//! A disk that is memory: the files of a node's logs, as a shell would write them.

use bytes::Bytes;
use cluster::{LogId, MetadataLog, Recovered};
use ids::{Offset, Time, TopicIdPartition};
use log::{Checkpoints, Log, LogConfig, LogFile, LogSlice, Recovery, StoreOp};
use std::collections::BTreeMap;

/// The files of all logs. Whoever opens a log again finds what was there.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    logs: BTreeMap<TopicIdPartition, Files>,
    /// Of the logs that a node has opened; nobody opens the metadata log.
    names: BTreeMap<LogId, TopicIdPartition>,
}

#[derive(Debug, Default)]
struct Files {
    segments: BTreeMap<Offset, Vec<u8>>,
    small: BTreeMap<LogFile, Bytes>,
}

impl Disk {
    /// A log is known by its id from now on, until the node starts again.
    pub(crate) fn open(&mut self, log: LogId, name: TopicIdPartition) {
        self.logs.entry(name.clone()).or_default();
        self.names.insert(log, name);
    }

    pub(crate) fn remove(&mut self, log: LogId) {
        if let Some(name) = self.names.remove(&log) {
            self.logs.remove(&name);
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
                StoreOp::AppendBatch(batch) => {
                    let file = files.segments.entry(batch.segment).or_default();
                    let at = batch.position as usize;
                    assert_eq!(file.len(), at, "an append leaves a gap");
                    file.extend_from_slice(&batch.header);
                    file.extend_from_slice(&batch.records);
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
    pub(crate) fn recover(&mut self, now: Time) -> (MetadataLog, Vec<Recovered>) {
        self.names.clear();
        let files = self.files(LogId::METADATA);
        let metadata = MetadataLog {
            quorum_state: files.small.get(&LogFile::QuorumState).cloned(),
            snapshot: None,
            log: files.recover(now),
        };
        let replicas = self.logs.iter().filter(|(name, _)| !name.is_metadata());
        let recovered = replicas.map(|(name, files)| Recovered {
            name: name.clone(),
            log: files.recover(now),
        });
        (metadata, recovered.collect())
    }

    fn files(&mut self, log: LogId) -> &mut Files {
        let name = match log {
            LogId::METADATA => TopicIdPartition::metadata(),
            log => self.names.get(&log).expect("the log was opened").clone(),
        };
        self.logs.entry(name).or_default()
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
