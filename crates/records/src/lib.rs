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

mod builder;
mod control;
mod header;
mod invalid;
mod record;
pub mod spans;
mod stream;
mod valid;
mod validate;
mod varint;
mod view;

pub use builder::{BatchBuilder, BatchOptions, Full, HeaderPair};
pub use codecs::{Compression, Corrupt};
pub use control::{ControlType, EndTxnMarker};
pub use header::{Attributes, HEADER_LEN, Header, HeaderError, TimestampType};
pub use invalid::{Invalid, MAX_REJECTIONS, Named, Rejected, Rejection};
pub use record::{Record, RecordHeader, RecordHeaders, Records, decompress, records};
pub use valid::ValidBatch;
pub use validate::{Origin, Rules, validate};
pub use varint::Fault;
pub use view::{BatchView, Batches, Stop};
