//! A directory in memory that carries out a log's orders, and what tests read beside it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use brooklet_log as log;
use bytes::Bytes;
use ids::{Offset, Time};
use log::{Checkpoints, Log, LogConfig, LogFile, Recovery, Report, SegmentFile, StoreOp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of a partition, by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Dir(pub(crate) BTreeMap<String, Vec<u8>>);

impl Dir {
    pub(crate) fn read(path: &Path) -> Dir {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if LogFile::parse(&name).is_some() {
                files.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
        Dir(files)
    }

    /// Carries out the orders, as a shell does right after the step that gave them.
    pub(crate) fn apply(&mut self, log: &Log, ops: &mut Vec<StoreOp>) {
        for op in ops.drain(..) {
            match op {
                StoreOp::Roll { segment } => {
                    self.0.insert(LogFile::Log(segment).name(), Vec::new());
                }
                StoreOp::Append {
                    segment,
                    position,
                    length,
                } => {
                    let file = self.0.get_mut(&LogFile::Log(segment).name()).unwrap();
                    assert_eq!(file.len(), position as usize);
                    let slice = log::LogSlice {
                        segment,
                        position,
                        length,
                    };
                    for piece in log.slice_bytes(&slice).expect("what was appended is hot") {
                        file.extend_from_slice(piece);
                    }
                    assert_eq!(file.len(), (position + length) as usize);
                }
                StoreOp::AppendBatch(batch) => {
                    let file = self.0.get_mut(&LogFile::Log(batch.segment).name());
                    let file = file.unwrap();
                    assert_eq!(file.len(), batch.position as usize);
                    file.extend_from_slice(&batch.header);
                    file.extend_from_slice(&batch.records);
                    assert_eq!(file.len(), (batch.position + batch.length()) as usize);
                }
                StoreOp::Put { file, bytes } => {
                    self.0.insert(file.name(), bytes);
                }
                StoreOp::Delete { file } => {
                    self.0.remove(&file.name());
                }
                StoreOp::Truncate { segment, position } => {
                    let file = self.0.get_mut(&LogFile::Log(segment).name()).unwrap();
                    file.truncate(position as usize);
                }
            }
        }
    }

    /// Builds a log from the directory, fed in pieces of at most `piece` bytes.
    pub(crate) fn recover(
        &self,
        config: &LogConfig,
        checkpoints: Checkpoints,
        now: Time,
        piece: usize,
    ) -> (Log, Report) {
        let mut recovery = Recovery::new(config.clone(), checkpoints, now);
        let files = || {
            self.0
                .iter()
                .map(|(name, bytes)| (LogFile::parse(name).unwrap(), bytes))
        };
        for (file, bytes) in files() {
            recovery.file(file, Bytes::copy_from_slice(bytes));
        }
        for (file, bytes) in files() {
            if let LogFile::Log(base) = file {
                recovery.segment(base);
                let bytes = Bytes::copy_from_slice(bytes);
                for at in (0..bytes.len()).step_by(piece) {
                    recovery.bytes(bytes.slice(at..bytes.len().min(at + piece)));
                }
            }
        }
        recovery.finish()
    }

    /// Builds a log from the directory without reading what its indexes tell; gives also how many
    /// bytes of segments were read.
    pub(crate) fn resume(
        &self,
        config: &LogConfig,
        checkpoints: Checkpoints,
        now: Time,
    ) -> (Log, Report, usize) {
        let mut dir = self.clone();
        loop {
            match dir.try_to_resume(config, checkpoints, now) {
                Ok(resumed) => return resumed,
                Err(snapshot) => dir.0.remove(&LogFile::Snapshot(snapshot).name()),
            };
        }
    }

    /// As [`Dir::resume`]; fails with the offset of a snapshot that is not this log's.
    fn try_to_resume(
        &self,
        config: &LogConfig,
        checkpoints: Checkpoints,
        now: Time,
    ) -> Result<(Log, Report, usize), Offset> {
        let mut recovery = Recovery::new(config.clone(), checkpoints, now);
        let mut segments = Vec::new();
        for (name, bytes) in &self.0 {
            let file = LogFile::parse(name).unwrap();
            recovery.file(file, Bytes::copy_from_slice(bytes));
            if let LogFile::Log(base) = file {
                segments.push((base, Bytes::copy_from_slice(bytes)));
            }
        }
        let mut read = 0;
        for (number, (base, bytes)) in segments.iter().enumerate() {
            let file = SegmentFile {
                base: *base,
                length: bytes.len() as u64,
                next: segments.get(number + 1).map(|(next, _)| *next),
            };
            if let Some(at) = recovery.resume_at(file) {
                let tail = bytes.slice(at as usize..);
                read += tail.len();
                if recovery.resume(&bytes[..61], tail) {
                    continue;
                }
                if let Some(snapshot) = recovery.contradicted() {
                    return Err(snapshot);
                }
            }
            read += bytes.len();
            recovery.segment(*base);
            recovery.bytes(bytes.clone());
        }
        let (log, report) = recovery.finish();
        Ok((log, report, read))
    }

    /// Asserts the same files with the same bytes; the order within a snapshot means nothing.
    pub(crate) fn assert_same(&self, expected: &Dir, case: &str) {
        let names = |dir: &Dir| dir.0.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(self), names(expected), "{case}: files");
        for (name, bytes) in &self.0 {
            let other = &expected.0[name];
            if name.ends_with(".snapshot") {
                assert_eq!(snapshot(bytes), snapshot(other), "{case}: {name}");
            } else if let (Ok(text), Ok(expected)) =
                (core::str::from_utf8(bytes), core::str::from_utf8(other))
                && !name.ends_with("index")
            {
                assert_eq!(text, expected, "{case}: {name}");
            } else {
                assert!(bytes == other, "{case}: {name}: {bytes:?} is not {other:?}");
            }
        }
    }
}

/// A snapshot's producers by id.
pub(crate) fn snapshot(bytes: &[u8]) -> BTreeMap<ids::ProducerId, log::Producer> {
    let entries = log::files::decode_snapshot(bytes).expect("a snapshot decodes");
    entries.into_iter().collect()
}

/// The directory of a case.
pub(crate) fn vector(case: &str) -> PathBuf {
    vectors::path(&format!("segments/{case}"))
}

/// The moment at which Kafka wrote the vectors.
pub(crate) fn vector_time() -> Time {
    Time::from_millis(1_795_246_000_000)
}

pub(crate) fn offset(n: i64) -> Offset {
    Offset(n)
}
