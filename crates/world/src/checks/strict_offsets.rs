//! A batch is whole, begins where the log ended, and lies where its segment's file ended.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    match fact {
        Fact::Appended(batch) => {
            if !batch.is_whole {
                return Err(format!("its checksum is not that of {batch:?}"));
            }
            if let Some(next) = known.next().filter(|next| *next != batch.base) {
                return Err(format!("the log ended at {next}, before {batch:?}"));
            }
            let length = known.segments.get(&batch.segment).copied();
            if length != Some(batch.position) || known.segment() != Some(batch.segment) {
                return Err(format!(
                    "the file has {length:?} bytes, not what {batch:?} goes on from"
                ));
            }
            Ok(())
        }
        Fact::Rolled { segment } => match known.next().filter(|next| next != segment) {
            Some(next) => Err(format!(
                "segment {segment} begins, and the log ended at {next}"
            )),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}
