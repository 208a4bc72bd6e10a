//! What is committed at an offset stays: nothing else is ever appended there.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    match fact {
        Fact::Appended(batch) if batch.base < known.committed => Err(format!(
            "{batch:?} lies where something was committed, which reached up to {}",
            known.committed
        )),
        _ => Ok(()),
    }
}
