//! Helpers for the tests that cross crates.

pub mod answers;
pub mod direct;
mod disk;
pub mod fake_cluster;
pub mod fuzz;
pub mod schema;
pub mod several;
pub mod simulation;
pub mod transcripts;
