//! A client is sent nothing from above the high watermark.

use super::known::Known;
use super::{Fact, Judged};
use alloc::format;

pub(super) fn judge(known: &Known, fact: &Fact<'_>) -> Judged {
    let bound = known.bounds.high_watermark;
    match fact {
        Fact::Delivered { end } if *end > bound => Err(format!(
            "records up to {end} were sent, and {bound} is the high watermark"
        )),
        _ => Ok(()),
    }
}
