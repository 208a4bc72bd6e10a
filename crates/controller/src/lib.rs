//! The active controller: it alone writes the metadata log.
//!
//! Requests come in as frames, its own records go to its log, and an answer leaves only when the records
//! it rests on are stored. What is stored is announced as [`Effect::Committed`]; brokers follow that.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod alter_partition;
mod brokers;
mod configs;
mod controller;
mod deletion;
mod directories;
mod elections;
mod features;
mod leadership;
mod metadata_log;
mod partition_change;
mod placement;
mod reassignments;
mod room;
mod topics;

pub use controller::{Controller, ControllerConfig, Effect, Event, RequestId};
pub use metadata_log::MetadataLog;
