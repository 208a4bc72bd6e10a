//! The native shell around the core: TCP, Kafka's files on disk, the wall clock.
//!
//! One thread serves; others flush closed segments, free what is deleted, and wait for the disk where
//! bytes must be read from it. [`Driver`] tells the
//! cluster what has happened and carries out its orders on a [`Store`]; [`Server`] adds sockets,
//! signals and time. The file layer is the trait [`Files`], so that a test can see every write and
//! every fsync. What is done with each file of a data directory is in `DATA-DIRECTORY.md`.

#![forbid(unsafe_code)]

mod buffers;
mod checkpoints;
mod clock;
mod connection;
mod console;
mod disk;
mod driver;
mod files;
mod flusher;
mod frames;
mod identify;
mod leftovers;
mod memory;
mod old_format;
mod open;
mod outgoing;
mod place;
mod reader;
mod remover;
mod server;
mod settings;
mod sink;
mod store;
mod syncer;
mod volume;
mod worker;

pub use buffers::Buffers;
pub use checkpoints::Checkpoints;
pub use clock::{Clock, Steady};
pub use console::Console;
pub use disk::{DiskStore, Fsync};
pub use driver::{Driver, Out};
pub use files::{Files, RealFiles};
pub use flusher::{Flush, Flushed};
pub use frames::Frames;
pub use open::{Identity, Opened, open_dir, open_memory};
pub use outgoing::Piece;
pub use reader::Stretch;
pub use server::{Server, Stopper};
pub use settings::{Refusal, Settings, Storage};
pub use store::Store;
