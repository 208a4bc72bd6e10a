//! What the start reads before all partitions: the metadata log with what lies beside it, and how the last stop was.

use super::{How, Opening, Opens};
use crate::checkpoints::{CLEAN_SHUTDOWN, join, read_small, replace};
use crate::disk::METADATA_DIR;
use crate::identify::refuse_without_metadata;
use crate::place::Found;
use crate::settings::Refusal;
use cluster::{KeptSnapshot, MetadataLog};
use ids::{Offset, TopicIdPartition, Uuid};
use log::files::encode_partition_metadata;
use log::{Log, LogConfig, LogFile};
use metadata::{Snapshot, SnapshotId};
use std::io;

impl Opening<'_> {
    /// Whether the last stop was clean. The marker goes at once: it is true only once.
    pub(super) fn take_clean_marker(&mut self) -> Opens<bool> {
        let failed = |error| (String::new(), error);
        let listed = self.files.files("").map_err(failed)?;
        let clean = listed.iter().any(|(name, _)| name == CLEAN_SHUTDOWN);
        if clean {
            let marker = read_small(self.files, CLEAN_SHUTDOWN).unwrap_or_default();
            self.previous_epoch = noted_epoch(&marker);
            self.files.remove(CLEAN_SHUTDOWN).map_err(failed)?;
        }
        Ok(clean)
    }

    pub(super) fn metadata_log(&mut self) -> Result<(Found, MetadataLog), Refusal> {
        let name = TopicIdPartition::metadata();
        let failed = |error| (METADATA_DIR.to_owned(), error);
        let known = self.files.dirs().map_err(|error| (String::new(), error))?;
        if !known.iter().any(|dir| dir == METADATA_DIR) {
            refuse_without_metadata(self.files, &known)?;
            let marker = encode_partition_metadata(Uuid::METADATA_TOPIC);
            let file = LogFile::PartitionMetadata.name();
            self.files.create_dir(METADATA_DIR).map_err(failed)?;
            replace(self.files, METADATA_DIR, &file, &marker, true).map_err(failed)?;
            self.files.sync_dir("").map_err(failed)?;
            let log = Log::new(LogConfig::default(), Offset(0), self.now);
            return Ok((Found::new(name), log.into()));
        }
        // Small and precious: always checked whole, and all of it stays in memory.
        let how = How {
            config: LogConfig::default(),
            compacted: true,
            checkpoints: log::Checkpoints::default(),
            reading_bytes: u64::MAX,
            staying_bytes: u64::MAX,
        };
        let (mut found, mut log) = self.log(name, &how)?;
        let snapshot = self.snapshot(log.log_start()).map_err(failed)?;
        let end = snapshot.as_ref().map(|snapshot| snapshot.id.end);
        if let Some(end) = end.filter(|&end| end > log.log_end()) {
            // As Kafka does: what the snapshot holds was not all in the log.
            let mut ops = Vec::new();
            log.truncate_fully_and_start_at(end, self.now, &mut ops);
            self.apply(METADATA_DIR, &ops).map_err(failed)?;
            (found.segment, found.length) = (end, 0);
        }
        let path = join(METADATA_DIR, &LogFile::QuorumState.name());
        let quorum_state = match read_small(self.files, &path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err((path, error).into()),
        };
        let metadata = MetadataLog {
            quorum_state,
            snapshot,
            log,
        };
        Ok((found, metadata))
    }

    /// The newest snapshot of the metadata that is whole. A log that does not begin at 0 must
    /// have one that reaches up to its `start`.
    fn snapshot(&mut self, start: Offset) -> io::Result<Option<KeptSnapshot>> {
        let files = self.files.files(METADATA_DIR)?;
        let ids = files.iter().filter_map(|(name, _)| SnapshotId::parse(name));
        let mut ids: Vec<SnapshotId> = ids.filter(|id| id.end >= start).collect();
        ids.sort_unstable();
        for id in ids.into_iter().rev() {
            let path = join(METADATA_DIR, &id.name());
            let bytes = read_small(self.files, &path)?;
            if Snapshot::decode(id, &bytes).is_some() {
                return Ok(Some(KeptSnapshot { id, bytes }));
            }
            self.console.say(format!("{path}: is damaged and not used"));
        }
        match start {
            Offset(0) => Ok(None),
            start => Err(io::Error::other(format!(
                "the log begins at offset {start}, and no snapshot is whole that reaches up to there; \
                 put the .checkpoint file back that belongs to it"
            ))),
        }
    }
}

/// The broker epoch that Kafka's marker of a clean stop holds.
fn noted_epoch(marker: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(marker).ok()?;
    let (_, rest) = text.split_once("\"brokerEpoch\":")?;
    let rest = rest.trim_start();
    let digits = rest.find(|c: char| c != '-' && !c.is_ascii_digit());
    let epoch = rest.get(..digits.unwrap_or(rest.len()))?.parse().ok()?;
    (epoch >= 0).then_some(epoch)
}
