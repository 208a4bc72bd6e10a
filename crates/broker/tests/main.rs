//! The broker's tests, as one program: each file is a subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod answers;
mod divergence;
mod following;
mod forwarded;
mod leading;
mod replicas;
mod snapshots;
mod stopping;
mod support;
