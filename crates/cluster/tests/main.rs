//! Several nodes, whose frames a test carries: quorum, controller and brokers together.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

mod forwarded;
mod hostile;
mod lives;
mod quorum;
mod replication;
mod snapshots;
mod support;
