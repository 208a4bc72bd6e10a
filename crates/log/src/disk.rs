//! What is ordered of a disk and what it confirms, in the same words on every floor.

use crate::{LogSlice, StoreOp};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Token, TopicIdPartition};

/// Names one log of a node for as long as the node runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LogId(pub u32);

impl LogId {
    /// The node's `__cluster_metadata-0`. Every other log has a higher number.
    pub const METADATA: LogId = LogId(0);
}

/// An order to a disk. Orders are carried out one after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum DiskEffect {
    /// A log begins to exist here; what follows about it names it by its id.
    Open {
        /// Its id from now on.
        log: LogId,
        /// Whose log it is.
        name: TopicIdPartition,
    },
    /// A log and its files are to be removed.
    Remove {
        /// The log; its id is not used again.
        log: LogId,
    },
    /// Write to a log's files, then say `Stored`.
    Store {
        /// The log.
        log: LogId,
        /// Comes back with the completion.
        token: Token,
        /// What to write, in order.
        ops: Vec<StoreOp>,
    },
    /// Read bytes of a log that are no longer in memory, then say `Loaded`.
    Load {
        /// The log.
        log: LogId,
        /// Comes back with the bytes.
        token: Token,
        /// Which bytes.
        slice: LogSlice,
    },
}

/// What a disk says of an order.
#[derive(Clone, Debug, PartialEq)]
pub enum DiskEvent {
    /// The ops of [`DiskEffect::Store`] have been written.
    Stored {
        /// The log.
        log: LogId,
        /// The order's token.
        token: Token,
    },
    /// The ops could not be written, and neither were any later ones of that log.
    StoreFailed {
        /// The log.
        log: LogId,
        /// The order's token.
        token: Token,
    },
    /// What [`DiskEffect::Load`] asked for.
    Loaded {
        /// The log.
        log: LogId,
        /// The order's token.
        token: Token,
        /// Exactly the bytes of the slice; empty when they could not be read.
        bytes: Bytes,
    },
}

impl DiskEvent {
    /// Which log it is about.
    #[must_use]
    pub fn log(&self) -> LogId {
        match self {
            DiskEvent::Stored { log, .. }
            | DiskEvent::StoreFailed { log, .. }
            | DiskEvent::Loaded { log, .. } => *log,
        }
    }
}
