//! What the controller begins with: the metadata log, and the snapshot it may begin with.

use alloc::vec::Vec;
use bytes::Bytes;
use ids::{LeaderEpoch, Offset};
use log::{Log, LogSlice};
use metadata::{Image, Snapshot};
use records::{BatchView, Batches, Header};

/// The metadata as recovery left it: a log, and what came before its first record.
#[derive(Clone, Debug)]
pub struct MetadataLog {
    /// What everything below its end added up to; a log that begins at 0 needs none (KIP-630).
    pub snapshot: Option<Snapshot>,
    /// The log; it begins at or before the snapshot's end, and ends at or after it.
    pub log: Log,
}

impl From<Log> for MetadataLog {
    fn from(log: Log) -> MetadataLog {
        MetadataLog {
            snapshot: None,
            log,
        }
    }
}

impl MetadataLog {
    /// What it adds up to: what a shell needs to know which logs to open, and what a controller
    /// goes on from. Records that cannot be read are left out.
    #[must_use]
    pub fn image(&self) -> Image {
        let mut image = Image::default();
        for batch in self.batches(self.log.log_end()) {
            apply(&mut image, &batch);
        }
        image
    }

    /// The snapshot's batches and those of the log that came after it, below an offset.
    pub(crate) fn batches(&self, upto: Offset) -> Vec<Bytes> {
        let mut found = Vec::new();
        let mut from = Offset(0);
        if let Some(snapshot) = &self.snapshot {
            found.extend_from_slice(snapshot.batches());
            from = snapshot.id().end;
        }
        let wanted = |header: Header| header.base_offset >= from && header.last_offset() < upto;
        let log = batches(&self.log).into_iter();
        found.extend(log.filter(|batch| BatchView::peek(batch).is_ok_and(wanted)));
        found
    }

    /// The epoch of the last record.
    pub(crate) fn epoch(&self) -> Option<LeaderEpoch> {
        let snapshot = (self.snapshot.as_ref()).map(|snapshot| snapshot.id().epoch);
        self.log.latest_epoch().max(snapshot)
    }
}

/// Applies the records of a batch; those that cannot be read are left out.
pub(crate) fn apply(image: &mut Image, batch: &Bytes) {
    for (offset, record) in metadata::records_of(batch) {
        if let Ok(record) = record {
            image.apply(offset, &record);
        }
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
