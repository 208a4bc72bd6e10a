//! Snapshots of the metadata log (KIP-630): what everything below an offset added up to.

use alloc::{format, string::String, vec::Vec};
use bytes::Bytes;
use ids::{LeaderEpoch, Offset};
use records::{BatchView, Batches, ControlType, Stop};

/// Which snapshot it is; the later one is the greater.
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

/// A snapshot whose bytes are all there.
#[derive(Clone, Debug)]
pub struct Snapshot {
    id: SnapshotId,
    batches: Vec<Bytes>,
}

impl Snapshot {
    /// Reads a snapshot's file. Its batches are numbered from 0 on, a control record at its
    /// beginning and one at its end say that nothing is missing.
    ///
    /// `None` when a checksum is wrong or anything is missing.
    #[must_use]
    pub fn decode(id: SnapshotId, bytes: &Bytes) -> Option<Snapshot> {
        let mut found = Batches::new(bytes);
        let mut batches = Vec::new();
        for (_, batch) in &mut found {
            batch.crc_is_valid().then_some(())?;
            batches.push(batch);
        }
        let whole = found.stop() == Some(Stop::End)
            && controls(batches.first()?).first() == Some(&ControlType::SnapshotHeader)
            && controls(batches.last()?).last() == Some(&ControlType::SnapshotFooter);
        whole.then(|| Snapshot {
            id,
            batches: (batches.iter())
                .map(|batch| bytes.slice_ref(batch.bytes()))
                .collect(),
        })
    }

    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> SnapshotId {
        self.id
    }

    /// Its batches in order. Their offsets are the snapshot's own, not the log's.
    #[must_use]
    pub fn batches(&self) -> &[Bytes] {
        &self.batches
    }
}

/// The control records of a batch; none if it is not of that kind.
fn controls(batch: &BatchView<'_>) -> Vec<ControlType> {
    if !batch.attributes.is_control() {
        return Vec::new();
    }
    (batch.records().into_iter().flatten().flatten())
        .filter_map(|record| ControlType::from_key(record.key?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::SnapshotId;
    use ids::{LeaderEpoch, Offset};

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
