//! What the controller decides, held against what a real one wrote and answered.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

mod alone;
mod answers;
mod histories;
mod moves;
mod placement;
mod shown;
mod stories;
