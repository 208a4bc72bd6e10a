//! What is committed is not cut off.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    let is_cut = |segment, position| {
        let mut committed = (known.batches.iter()).filter(|batch| batch.last < known.committed);
        committed.find(|batch| (batch.segment, batch.position) >= (segment, position))
    };
    let cut = match fact {
        Fact::Truncated { segment, position } => is_cut(*segment, *position),
        // Retention deletes from the other end.
        Fact::Deleted { segment }
            if known.segments.len() > 1 && known.segment() == Some(*segment) =>
        {
            is_cut(*segment, 0)
        }
        _ => None,
    };
    match cut {
        Some(batch) => Err(format!(
            "{fact:?} cuts off {batch:?}, which lies below {}",
            known.committed
        )),
        None => Ok(()),
    }
}
