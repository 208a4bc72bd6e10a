//! One partition's log: segments, indexes, leader epochs, producer state, recovery.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;
