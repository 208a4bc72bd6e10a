//! One classic consumer group: membership, generations, offsets.
//!
//! [`Group`] is Kafka's classic group protocol as a pure state machine. It is
//! told what members ask, what time it is and what has been stored; it answers
//! parked requests, named by an opaque number, through [`Output`]s. It knows no
//! protocol version, no connection and no error code. [`Offsets`] are what the
//! group has committed.
//!
//! A caller
//! 1. passes an event (`join`, `sync`, `heartbeat`, `leave`, …),
//! 2. carries out the outputs in order: sends the answers, writes each
//!    [`Output::Persist`] to `__consumer_offsets` and reports it to
//!    [`Group::persisted`],
//! 3. calls [`Group::expire`] once [`Group::next_deadline`] has come, which may
//!    be at once.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod answer;
mod coordinator;
mod describe;
mod group;
mod join;
mod member;
mod offsets;
mod session;
mod state;
mod sync;

pub use answer::{
    JoinAnswer, JoinRequest, JoinedMember, Leaver, Output, Protocol, Refusal, SyncAnswer,
    SyncRequest,
};
pub use coordinator::coordinator_partition;
pub use describe::{Description, MemberDescription};
pub use group::{Group, GroupConfig, State};
pub use join::{PROTOCOL_BYTES_MAX, PROTOCOLS_MAX};
pub use offsets::{Commit, Expiry, OffsetChange, Offsets};
pub use state::{GroupState, MemberState};
