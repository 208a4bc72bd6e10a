//! Always `log start <= last stable <= high watermark <= log end`, and `stored <= log end`; what a leader commits
//! it has stored, whereas a follower may hear of it while it still writes.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    let (Fact::Bounds(bounds) | Fact::Began { bounds, .. }) = fact else {
        return Ok(());
    };
    // What a new leader has heard of as a follower it may still be writing.
    let commits_stored = bounds.high_watermark <= bounds.stored
        || bounds.high_watermark <= known.bounds.high_watermark;
    let ordered = bounds.start <= bounds.stable
        && bounds.stable <= bounds.high_watermark
        && bounds.high_watermark <= bounds.end
        && bounds.stored <= bounds.end
        && (commits_stored || !bounds.is_led);
    match ordered {
        true => Ok(()),
        false => Err(format!("{bounds:?}")),
    }
}
