//! Helpers for the tests that cross crates.

pub mod direct;
pub mod transcripts;
