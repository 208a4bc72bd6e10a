//! A high watermark never falls while its leader leads.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    let before = known.bounds.high_watermark;
    match fact {
        Fact::Bounds(bounds) if bounds.high_watermark < before => Err(format!(
            "it fell from {before} to {}",
            bounds.high_watermark
        )),
        _ => Ok(()),
    }
}
