//! One partition's log: segments, indexes, leader epochs, producer state, recovery.
//!
//! A [`Log`] is one replica's state and the bytes of it that are in memory. It never does I/O:
//! what must be stored is pushed as [`StoreOp`]s, which a shell carries out in order and confirms
//! with [`Log::stored`]. Bytes that are only in storage are asked for by name
//! ([`Read::Cold`]) and handed in with [`Log::install`]. [`Recovery`] builds a log from bytes alone.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod append;
mod chunk;
mod chunks;
mod disk;
mod epochs;
pub mod files;
mod index;
mod log;
mod lookup;
mod producers;
mod read;
mod recovery;
mod residency;
mod resume;
mod retention;
mod runs;
mod segment;
mod settle;
mod shared;
mod truncate;

pub use append::{Appended, Refused};
pub use chunk::CHUNK_BYTES;
pub use disk::{DiskEffect, DiskEvent, LogId};
pub use epochs::{EpochEnd, EpochStart};
pub use files::LogFile;
pub use index::{OffsetEntry, TimeEntry};
pub use log::{Log, LogConfig, StoreOp, StoredBatch};
pub use lookup::{BatchAt, Lookup};
pub use producers::{AbortedTxn, MAX_PRODUCERS, Producer, ProducerBatch};
pub use read::{ChunkInfo, LogSlice, OutOfRange, Read};
pub use recovery::{Checkpoints, Cut, Recovery, Report};
pub use resume::SegmentFile;
