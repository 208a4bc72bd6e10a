//! The files of the log directory itself: what Kafka notes there about all its logs.

use crate::files::Files;
use cluster::ReplicaName;
use ids::{Offset, PartitionIndex};
use log::files::{OffsetCheckpoint, decode_offset_checkpoint, encode_offset_checkpoint};
use std::io;

/// Everything below has been fsynced.
pub(crate) const RECOVERY_POINT: &str = "recovery-point-offset-checkpoint";
/// High watermarks.
pub(crate) const HIGH_WATERMARK: &str = "replication-offset-checkpoint";
/// Log starts, where they lie inside a log's first segment.
pub(crate) const LOG_START: &str = "log-start-offset-checkpoint";
/// Is there when the server stopped cleanly.
pub(crate) const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// Whose directory it is.
pub(crate) const META_PROPERTIES: &str = "meta.properties";

/// What the three checkpoint files say, by directory name's topic and partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checkpoints {
    /// `recovery-point-offset-checkpoint`.
    pub recovery_points: OffsetCheckpoint,
    /// `replication-offset-checkpoint`.
    pub high_watermarks: OffsetCheckpoint,
    /// `log-start-offset-checkpoint`.
    pub log_starts: OffsetCheckpoint,
}

impl Checkpoints {
    /// Reads them; one that is missing or damaged counts as empty, which recovery can live with,
    /// and is named in what comes back.
    pub(crate) fn read(files: &mut dyn Files) -> (Checkpoints, Vec<&'static str>) {
        let mut damaged = Vec::new();
        let mut read = |name: &'static str| {
            let Ok(bytes) = read_small(files, name) else {
                return OffsetCheckpoint::new();
            };
            decode_offset_checkpoint(&bytes).unwrap_or_else(|| {
                damaged.push(name);
                OffsetCheckpoint::new()
            })
        };
        let found = Checkpoints {
            recovery_points: read(RECOVERY_POINT),
            high_watermarks: read(HIGH_WATERMARK),
            log_starts: read(LOG_START),
        };
        (found, damaged)
    }

    /// What they say about one log.
    pub(crate) fn of(&self, name: &ReplicaName, clean: bool) -> log::Checkpoints {
        let key = key(name);
        let offset = |file: &OffsetCheckpoint| file.get(&key).copied().unwrap_or_default();
        log::Checkpoints {
            clean,
            recovery_point: offset(&self.recovery_points),
            log_start: offset(&self.log_starts),
            high_watermark: offset(&self.high_watermarks),
        }
    }
}

/// A partition as the checkpoint files name it.
pub(crate) fn key(name: &ReplicaName) -> (String, PartitionIndex) {
    (name.topic.to_string(), name.partition)
}

/// Reads a small file whole; one above 16 MiB is not small.
pub(crate) fn read_small(files: &mut dyn Files, path: &str) -> io::Result<bytes::Bytes> {
    const MAX: usize = 16 << 20;
    let bytes = files.read(path, 0, 64 << 10)?;
    if bytes.len() < 64 << 10 {
        return Ok(bytes);
    }
    let bytes = files.read(path, 0, MAX)?;
    match bytes.len() {
        MAX => Err(io::Error::other("the file is larger than 16 MiB")),
        _ => Ok(bytes),
    }
}

/// Writes a small file whole: first beside it, then in its place, so that it is never half there.
pub(crate) fn replace(
    files: &mut dyn Files,
    dir: &str,
    name: &str,
    bytes: &[u8],
    sync: bool,
) -> io::Result<()> {
    let path = join(dir, name);
    let beside = format!("{path}.tmp");
    files.create(&beside)?;
    files.write(&beside, 0, bytes)?;
    if sync {
        files.sync(&beside)?;
    }
    files.rename(&beside, &path)?;
    if sync {
        files.sync_dir(dir)?;
    }
    Ok(())
}

/// Writes one of the three checkpoint files.
pub(crate) fn write(
    files: &mut dyn Files,
    name: &str,
    offsets: &OffsetCheckpoint,
    sync: bool,
) -> io::Result<()> {
    replace(files, "", name, &encode_offset_checkpoint(offsets), sync)
}

pub(crate) fn join(dir: &str, name: &str) -> String {
    match dir {
        "" => name.to_owned(),
        _ => format!("{dir}/{name}"),
    }
}

/// The name of a partition's directory.
pub(crate) fn dir_name(name: &ReplicaName) -> String {
    format!("{}-{}", name.topic, name.partition)
}

/// Reads a directory's name as topic and partition.
pub(crate) fn parse_dir(dir: &str) -> Option<(&str, PartitionIndex)> {
    let (topic, digits) = dir.rsplit_once('-')?;
    let plain = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
    let partition = plain.then(|| digits.parse().ok()).flatten()?;
    ids::check_topic_name(topic).is_ok().then_some(())?;
    Some((topic, PartitionIndex(partition)))
}

/// The recovery point that a log's own knowledge allows: never above its end.
pub(crate) fn capped(recovery_point: Offset, end: Offset) -> Offset {
    recovery_point.min(end)
}

#[cfg(test)]
mod tests {
    use super::parse_dir;
    use ids::PartitionIndex;

    #[test]
    fn a_directory_is_a_partition_only_when_its_name_says_so() {
        assert_eq!(parse_dir("orders-0"), Some(("orders", PartitionIndex(0))));
        assert_eq!(parse_dir("a-b-12"), Some(("a-b", PartitionIndex(12))));
        for other in [
            "orders",
            "orders-",
            "-0",
            "orders-x",
            "orders-+1",
            "..-0",
            "a b-0",
        ] {
            assert_eq!(parse_dir(other), None, "{other}");
        }
    }
}
