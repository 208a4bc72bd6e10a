//! A cluster with simulated clients, network, disks and clock on one seed.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;
