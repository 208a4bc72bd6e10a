//! A leader that comes back leads in a new epoch: it appends nothing in one of its life before.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    match (fact, known.old_epoch) {
        // The metadata log's epochs are those of the quorum.
        (Fact::Appended(batch), Some(old)) if batch.epoch <= old && !known.name.is_metadata() => {
            Err(format!("epoch {old} was of the life before {batch:?}"))
        }
        _ => Ok(()),
    }
}
