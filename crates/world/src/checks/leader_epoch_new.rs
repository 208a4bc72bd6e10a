//! A leader that comes back leads in a new epoch: it appends nothing in one of its life before.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    match (fact, known.old_epoch) {
        // A follower copies what its leader has appended in any epoch; the metadata log is the quorum's.
        (Fact::Appended(batch), Some(old)) if batch.is_led && batch.epoch <= old => {
            Err(format!("epoch {old} was of the life before {batch:?}"))
        }
        _ => Ok(()),
    }
}
