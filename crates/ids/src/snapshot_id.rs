use crate::{LeaderEpoch, Offset};
use alloc::{format, string::String};

/// Which snapshot of the metadata log it is (KIP-630); the later one is the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SnapshotId {
    /// It holds everything below this offset of the log.
    pub end: Offset,
    /// The epoch of the last record below `end`.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// Kafka's name of the file: the end in 20 digits, the epoch in 10.
    #[must_use]
    pub fn name(self) -> String {
        format!("{:020}-{:010}.checkpoint", self.end.0, self.epoch.0)
    }

    /// Reads a file's name; `None` for all others, such as snapshots that are half written or
    /// about to be deleted, which Kafka gives another ending.
    #[must_use]
    pub fn parse(name: &str) -> Option<SnapshotId> {
        let (end, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
        let digits = |text: &str, count| {
            text.len() == count && text.bytes().all(|digit| digit.is_ascii_digit())
        };
        if !digits(end, 20) || !digits(epoch, 10) {
            return None;
        }
        Some(SnapshotId {
            end: Offset(end.parse().ok()?),
            epoch: LeaderEpoch(epoch.parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::SnapshotId;
    use crate::{LeaderEpoch, Offset};

    #[test]
    fn only_a_finished_snapshot_has_a_snapshots_name() {
        let name = "00000000000000000047-0000000001.checkpoint";
        let id = SnapshotId {
            end: Offset(47),
            epoch: LeaderEpoch(1),
        };
        assert_eq!(SnapshotId::parse(name), Some(id));
        assert_eq!(id.name(), name);
        for other in [
            "00000000000000000047-0000000001.checkpoint.deleted",
            "00000000000000000047-0000000001.checkpoint.part",
            "0000000000000000047-0000000001.checkpoint",
            "00000000000000000047.checkpoint",
            "99999999999999999999-0000000001.checkpoint",
            "bootstrap.checkpoint",
        ] {
            assert_eq!(SnapshotId::parse(other), None, "{other}");
        }
    }
}
