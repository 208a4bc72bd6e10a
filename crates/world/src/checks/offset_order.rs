//! Always `log start <= last stable <= high watermark <= stored <= log end`.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(_: &Known, fact: &Fact<'_>) -> Judged {
    let (Fact::Bounds(bounds) | Fact::Began { bounds, .. }) = fact else {
        return Ok(());
    };
    let ordered = bounds.start <= bounds.stable
        && bounds.stable <= bounds.high_watermark
        && bounds.high_watermark <= bounds.stored
        && bounds.stored <= bounds.end;
    match ordered {
        true => Ok(()),
        false => Err(format!("{bounds:?}")),
    }
}
