//! A stand-in for the proof of validation until `records` gives it.

use alloc::vec::Vec;
use ids::{LeaderEpoch, Offset};
use records::{BatchView, Header};

/// A batch whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct ValidBatch<'a>(BatchView<'a>);

impl<'a> ValidBatch<'a> {
    /// Accepts a batch whose checksum is right.
    #[must_use]
    pub fn check(batch: BatchView<'a>) -> Option<ValidBatch<'a>> {
        batch.crc_is_valid().then_some(ValidBatch(batch))
    }

    /// What the header says.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.0.header()
    }

    /// Appends the batch to `out` with its base offset and leader epoch set.
    pub fn write_into(&self, out: &mut Vec<u8>, base_offset: Offset, epoch: LeaderEpoch) {
        let bytes = self.0.bytes();
        out.extend_from_slice(&base_offset.0.to_be_bytes());
        out.extend_from_slice(bytes.get(8..12).unwrap_or_default());
        out.extend_from_slice(&epoch.0.to_be_bytes());
        out.extend_from_slice(bytes.get(16..).unwrap_or_default());
    }
}
