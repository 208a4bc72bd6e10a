//! Record batch v2: view, validate, build.
//!
//! A batch is 61 bytes of header and then its records, perhaps compressed. Bytes
//! from anywhere (a client, a disk, a file that someone opened) are looked at
//! through views that borrow them; nothing here panics on any bytes, and nothing
//! is allocated because a length says so.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod header;
mod view;

pub use codecs::Compression;
pub use header::{Attributes, HEADER_LEN, Header, HeaderError, TimestampType};
pub use view::{BatchView, Batches, Stop};
