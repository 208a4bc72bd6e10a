//! A Kafka broker without I/O: events in, effects out.
//!
//! A shell owns a [`Broker`] and calls [`Broker::step`] with each fact it learns:
//! a frame has come, bytes are stored, time has passed. The broker answers with
//! orders, which the shell carries out in order; whatever takes time comes back
//! as another event with the order's token. The broker never waits, never asks
//! for the time and never opens anything.
//!
//! One file per API lies in `api/`; what an API leaves out is said at its top.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod api;
mod ascending;
mod auto_create;
mod broker;
mod by_id;
mod connection;
mod coordinator;
mod event;
mod fetcher;
mod forward;
mod isr;
mod parked;
mod producer_ids;
mod register;
mod replicas;
mod topics;
mod view;
mod waiting;

pub use broker::{Broker, BrokerConfig, Recovered, Volume};
pub use coordinator::{GroupView, MemberView};
pub use event::{
    ClientEffect, ClientEvent, Closing, ControllerEvent, Effect, Event, Lost, Note, Reply,
    ReplySlice,
};
pub use view::ReplicaView;
