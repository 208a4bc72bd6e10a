//! Producer, consumer, admin and Kafka's command lines, without any I/O.
//!
//! Every machine here is told what happens ([`io::Input`]) and orders what it wants done
//! ([`io::Output`]); it can be cloned at any moment, and the same inputs give the same outputs.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod admin;
pub mod assignors;
pub mod consumer;
pub mod errors;
#[cfg(test)]
mod fake;
pub mod io;
pub mod net;
pub mod partitioner;
pub mod pattern;
pub mod producer;
pub mod tools;
