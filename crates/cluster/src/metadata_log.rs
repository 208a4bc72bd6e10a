//! `__cluster_metadata-0` as a node finds it on its disk.

use alloc::vec::Vec;
use bytes::Bytes;
use log::{Log, LogSlice};
use metadata::{Image, Snapshot};
use raft::{FromDisk, KeptSnapshot};
use records::{BatchView, Batches};

/// The metadata as recovery left it: a log, what came before its first record, and what the node may not
/// forget of elections.
#[derive(Clone, Debug)]
pub struct MetadataLog {
    /// The file `quorum-state`, if there is one.
    pub quorum_state: Option<Bytes>,
    /// The newest snapshot that is whole (KIP-630); a log that begins at 0 needs none.
    pub snapshot: Option<KeptSnapshot>,
    /// The log; it begins at or before the snapshot's end, and ends at or after it.
    pub log: Log,
}

impl From<Log> for MetadataLog {
    fn from(log: Log) -> MetadataLog {
        MetadataLog {
            quorum_state: None,
            snapshot: None,
            log,
        }
    }
}

impl From<MetadataLog> for FromDisk {
    fn from(found: MetadataLog) -> FromDisk {
        FromDisk {
            quorum_state: found.quorum_state,
            log: found.log,
            snapshot: found.snapshot,
        }
    }
}

impl MetadataLog {
    /// What all of it adds up to, committed or not: what a shell needs to know which logs to open. Records
    /// that cannot be read are left out.
    #[must_use]
    pub fn image(&self) -> Image {
        let mut image = Image::default();
        let snapshot = self.snapshot.as_ref();
        let snapshot = snapshot.and_then(|kept| Snapshot::decode(kept.id, &kept.bytes));
        let from = snapshot.as_ref().map(|snapshot| snapshot.id().end);
        if let Some(snapshot) = &snapshot {
            image.load(snapshot);
        }
        let is_newer = |batch: &Bytes| {
            let header = BatchView::peek(batch);
            header.is_ok_and(|header| from.is_none_or(|from| header.base_offset >= from))
        };
        for batch in batches(&self.log).iter().filter(|batch| is_newer(batch)) {
            for (offset, record) in metadata::records_of(batch) {
                if let Ok(record) = record {
                    image.apply(offset, &record);
                }
            }
        }
        image
    }
}

/// All batches of a log, in order; the metadata log is small and always in memory.
fn batches(log: &Log) -> Vec<Bytes> {
    let mut found = Vec::new();
    for (base, size) in log.segment_sizes() {
        let slice = LogSlice {
            segment: base,
            position: 0,
            length: size,
        };
        for piece in log.slice_pieces(&slice).unwrap_or_default() {
            let of_piece = Batches::new(&piece).map(|(_, view)| piece.slice_ref(view.bytes()));
            found.extend(of_piece);
        }
    }
    found
}
