//! Snapshots of the metadata log (KIP-630): what everything below an offset added up to.

use alloc::vec::Vec;
use bytes::Bytes;
use ids::SnapshotId;
use records::{BatchView, Batches, ControlType, Stop};

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
