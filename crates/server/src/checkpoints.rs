//! The files of the log directory itself: what Kafka notes there about all its logs.

use crate::files::Files;
use ids::{Offset, PartitionIndex, TopicIdPartition, Uuid};
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
    /// Files that are not there, or damaged: they are written in any case.
    absent: Vec<&'static str>,
}

impl Checkpoints {
    /// Reads them; one that is missing or damaged counts as empty, which recovery can live with,
    /// and is named in what comes back.
    pub(crate) fn read(files: &mut dyn Files) -> (Checkpoints, Vec<&'static str>) {
        let (mut damaged, mut absent) = (Vec::new(), Vec::new());
        let mut read = |name: &'static str| {
            let bytes = read_small(files, name).ok();
            let found = bytes.as_ref().map(|bytes| decode_offset_checkpoint(bytes));
            if found == Some(None) {
                damaged.push(name);
            }
            found.flatten().unwrap_or_else(|| {
                absent.push(name);
                OffsetCheckpoint::new()
            })
        };
        let mut found = Checkpoints {
            recovery_points: read(RECOVERY_POINT),
            high_watermarks: read(HIGH_WATERMARK),
            log_starts: read(LOG_START),
            absent: Vec::new(),
        };
        found.absent = absent;
        (found, damaged)
    }

    /// Whether none of them was missing or damaged at the start.
    pub(crate) fn are_whole(&self) -> bool {
        self.absent.is_empty()
    }

    /// Whether one of them names this partition.
    pub(crate) fn name(&self, key: &(String, PartitionIndex)) -> bool {
        let files = [
            &self.recovery_points,
            &self.high_watermarks,
            &self.log_starts,
        ];
        files.iter().any(|file| file.contains_key(key))
    }

    /// Keeps only what is said of these partitions.
    pub(crate) fn retain(&mut self, keep: impl Fn(&(String, PartitionIndex)) -> bool) {
        self.recovery_points.retain(|key, _| keep(key));
        self.high_watermarks.retain(|key, _| keep(key));
        self.log_starts.retain(|key, _| keep(key));
    }

    /// Makes the files say something else: those are written that differ.
    pub(crate) fn write(
        &mut self,
        new: Checkpoints,
        files: &mut dyn Files,
        sync: bool,
    ) -> io::Result<()> {
        let pairs = [
            (
                RECOVERY_POINT,
                &mut self.recovery_points,
                new.recovery_points,
            ),
            (
                HIGH_WATERMARK,
                &mut self.high_watermarks,
                new.high_watermarks,
            ),
            (LOG_START, &mut self.log_starts, new.log_starts),
        ];
        for (name, old, new) in pairs {
            if *old != new || self.absent.contains(&name) {
                replace(files, "", name, &encode_offset_checkpoint(&new), sync)?;
                self.absent.retain(|absent| *absent != name);
                *old = new;
            }
        }
        Ok(())
    }

    /// What they say about one log.
    pub(crate) fn of(&self, name: &TopicIdPartition, clean: bool) -> log::Checkpoints {
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
pub(crate) fn key(name: &TopicIdPartition) -> (String, PartitionIndex) {
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
    put(files, dir, name, bytes, sync)?;
    if sync {
        files.sync_dir(dir)?;
    }
    Ok(())
}

/// As [`replace`], and leaves it to the caller to make the name last: one fsync of the directory
/// serves all files that are written together.
pub(crate) fn put(
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
    files.rename(&beside, &path)
}

pub(crate) fn join(dir: &str, name: &str) -> String {
    match dir {
        "" => name.to_owned(),
        _ => format!("{dir}/{name}"),
    }
}

/// The name of a partition's directory.
pub(crate) fn dir_name(name: &TopicIdPartition) -> String {
    name.to_string()
}

/// Reads a directory's name as topic and partition.
pub(crate) fn parse_dir(dir: &str) -> Option<(&str, PartitionIndex)> {
    let (topic, digits) = dir.rsplit_once('-')?;
    // As it is written: another directory could have the same number with a zero before it.
    let plain = digits == "0" || !digits.starts_with('0');
    let plain = plain && digits.bytes().all(|c| c.is_ascii_digit());
    let partition = plain.then(|| digits.parse().ok()).flatten()?;
    ids::check_topic_name(topic).is_ok().then_some(())?;
    Some((topic, PartitionIndex(partition)))
}

/// Longest name that a file system allows.
const NAME_BYTES: usize = 255;

/// The name that a partition's directory gets when it is put out of use, as Kafka makes it:
/// `topic-partition.id-kind`, with as much of the topic's name as fits.
pub(crate) fn renamed_dir(dir: &str, id: Uuid, kind: &str) -> String {
    let (topic, partition) = dir.rsplit_once('-').unwrap_or((dir, ""));
    let id: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let rest = format!("-{partition}.{id}-{kind}");
    // A topic's name is of single bytes.
    let kept = topic.len().min(NAME_BYTES.saturating_sub(rest.len()));
    format!("{}{rest}", topic.get(..kept).unwrap_or_default())
}

/// Whether a directory's name says that its topic was deleted; no other name does that ends alike.
pub(crate) fn is_doomed(dir: &str) -> bool {
    let Some((partition, id)) = dir
        .strip_suffix("-delete")
        .and_then(|name| name.rsplit_once('.'))
    else {
        return false;
    };
    let is_id = id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit());
    is_id && parse_dir(partition).is_some()
}

/// The recovery point that a log's own knowledge allows: never above its end.
pub(crate) fn capped(recovery_point: Offset, end: Offset) -> Offset {
    recovery_point.min(end)
}

#[cfg(test)]
mod tests {
    use super::{is_doomed, parse_dir, renamed_dir};
    use ids::{PartitionIndex, Uuid};

    #[test]
    fn a_deleted_partitions_directory_has_kafkas_name_and_room_for_it() {
        let id = Uuid([0xab; 16]);
        let name = renamed_dir("orders-12", id, "delete");
        assert_eq!(name, format!("orders-12.{}-delete", "ab".repeat(16)));
        let long = renamed_dir(&format!("{}-0", "t".repeat(249)), id, "delete");
        assert_eq!(long.len(), 255);
        assert!(is_doomed(&name) && is_doomed(&long));
        for other in [
            "keep-delete",
            "orders-0-delete",
            "orders-0.12-delete",
            "-delete",
        ] {
            assert!(!is_doomed(other), "{other}");
        }
    }

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
            "orders-00",
            "..-0",
            "a b-0",
        ] {
            assert_eq!(parse_dir(other), None, "{other}");
        }
    }
}
