//! The leader epochs of a log's batches never fall.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    match (fact, known.batches.last()) {
        (Fact::Appended(batch), Some(last)) if batch.epoch < last.epoch => {
            Err(format!("{batch:?} comes after epoch {}", last.epoch))
        }
        _ => Ok(()),
    }
}
