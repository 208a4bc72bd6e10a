//! The controller: where it leads the quorum, it alone decides what the metadata log says.
//!
//! Requests come in as frames, records go out to be appended, and an answer leaves only when the records it
//! rests on are committed. One that does not lead replays what is committed, so that it may lead at any time.

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
mod partition_change;
mod placement;
mod reassignments;
mod room;
mod topics;

pub use controller::{Controller, ControllerConfig, Effect, Event, RequestId};
