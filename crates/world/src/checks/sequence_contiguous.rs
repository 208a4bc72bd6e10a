//! The sequences of an idempotent producer have no gap and no repeat within an epoch of its.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    let Fact::Appended(batch) = fact else {
        return Ok(());
    };
    let before = known.sequences.get(&batch.producer).copied();
    let Some((epoch, last)) = before.filter(|_| !batch.is_control) else {
        return Ok(());
    };
    let expected = match last {
        _ if epoch != batch.producer_epoch => 0,
        i32::MAX => 0,
        last => last + 1,
    };
    match batch.first_sequence == expected && batch.producer_epoch >= epoch {
        true => Ok(()),
        false => Err(format!("after {last} in {epoch:?} comes {batch:?}")),
    }
}
