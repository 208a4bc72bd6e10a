//! Producer, consumer, admin and Kafka's command lines, without any I/O.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod assignors;
pub mod partitioner;
