//! Only what is committed is deleted from a log's beginning, and what is deleted stays so.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    match fact {
        Fact::Bounds(bounds) if bounds.start < known.bounds.start => Err(format!(
            "the log start fell from {} to {}",
            known.bounds.start, bounds.start
        )),
        Fact::Began { bounds, .. } if !known.is_damaged && bounds.start < known.start => {
            Err(format!(
                "the log began at {} and begins at {}",
                known.start, bounds.start
            ))
        }
        Fact::Deleted { segment } => {
            let mut bases = known.segments.keys();
            let (first, next) = (bases.next(), bases.next());
            match (first == Some(segment), next) {
                (true, Some(next)) if *next > known.bounds.high_watermark => Err(format!(
                    "{segment} reaches up to {next}, above the high watermark {}",
                    known.bounds.high_watermark
                )),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
