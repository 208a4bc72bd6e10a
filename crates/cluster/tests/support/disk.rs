//! A disk that is memory: it survives its node, which starts from these bytes and nothing else.

use brooklet_cluster::{KeptSnapshot, LogId, MetadataLog, Recovered};
use bytes::Bytes;
use ids::{Offset, Time, TopicIdPartition};
use log::{Checkpoints, Log, LogConfig, LogFile, LogSlice, Recovery, StoreOp};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    logs: BTreeMap<TopicIdPartition, Files>,
    names: BTreeMap<LogId, TopicIdPartition>,
}

#[derive(Debug, Default)]
struct Files {
    segments: BTreeMap<Offset, Vec<u8>>,
    small: BTreeMap<LogFile, Bytes>,
}

impl Disk {
    pub(crate) fn open(&mut self, log: LogId, name: TopicIdPartition) {
        self.logs.entry(name.clone()).or_default();
        self.names.insert(log, name);
    }

    pub(crate) fn remove(&mut self, log: LogId) {
        if let Some(name) = self.names.remove(&log) {
            self.logs.remove(&name);
        }
    }

    pub(crate) fn carry_out(&mut self, log: LogId, source: &Log, ops: Vec<StoreOp>) {
        let name = match log {
            LogId::METADATA => TopicIdPartition::metadata(),
            log => self.names[&log].clone(),
        };
        let files = self.logs.entry(name).or_default();
        for op in ops {
            files.carry_out(source, op);
        }
    }

    /// The names of the files beside the metadata log's segments.
    pub(crate) fn metadata_files(&self) -> Vec<String> {
        let files = self.logs.get(&TopicIdPartition::metadata());
        let names = files.into_iter().flat_map(|files| files.small.keys());
        names.map(|file| file.name()).collect()
    }

    /// What a start finds.
    pub(crate) fn recover(&mut self, now: Time) -> (MetadataLog, Vec<Recovered>) {
        self.names.clear();
        let metadata = self.logs.entry(TopicIdPartition::metadata()).or_default();
        let snapshots = metadata.small.iter().rev();
        let mut snapshots = snapshots.filter_map(|(file, bytes)| match file {
            LogFile::MetadataSnapshot(id) => Some(KeptSnapshot {
                id: *id,
                bytes: bytes.clone(),
            }),
            _ => None,
        });
        let found = MetadataLog {
            quorum_state: metadata.small.get(&LogFile::QuorumState).cloned(),
            snapshot: snapshots.next(),
            log: metadata.recover(now),
        };
        let replicas = self.logs.iter().filter(|(name, _)| !name.is_metadata());
        let recovered = replicas.map(|(name, files)| Recovered {
            name: name.clone(),
            log: files.recover(now),
        });
        (found, recovered.collect())
    }
}

impl Files {
    fn carry_out(&mut self, source: &Log, op: StoreOp) {
        match op {
            StoreOp::Roll { segment } => {
                self.segments.entry(segment).or_default();
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
                let file = self.segments.entry(segment).or_default();
                assert_eq!(file.len(), position as usize, "an append leaves a gap");
                let pieces = source.slice_bytes(&slice).unwrap();
                pieces.for_each(|piece| file.extend_from_slice(piece));
            }
            StoreOp::AppendBatch(batch) => {
                let file = self.segments.entry(batch.segment).or_default();
                file.extend_from_slice(&batch.header);
                file.extend_from_slice(&batch.records);
            }
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
