//! Helpers for the tests that cross crates.

pub mod direct;
mod disk;
pub mod transcripts;
