//! What a start finds is a beginning of what there was, and has all that was on the disk.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    let Fact::Began {
        bounds,
        batches,
        is_vague,
        ..
    } = fact
    else {
        return Ok(());
    };
    if !known.is_damaged && bounds.end < known.keeps {
        return Err(format!(
            "{} was on the disk, and the log ends at {}",
            known.keeps, bounds.end
        ));
    }
    if *is_vague || known.is_vague || known.is_damaged {
        return Ok(());
    }
    // A log that nothing was told of before has nothing to be compared with; and what was being deleted from
    // its beginning may still be there.
    let Some(first) = known.batches.iter().next() else {
        return Ok(());
    };
    let mut before = known.batches.iter();
    let there = batches.iter().filter(|batch| batch.base >= first.base);
    let mut unlike = there.filter(|batch| before.next() != Some(*batch));
    match unlike.next() {
        Some(batch) => Err(format!("{batch:?} was not there before")),
        None => Ok(()),
    }
}
