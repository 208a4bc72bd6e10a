//! Newtypes for the numbers and names that must not be mixed up.
//!
//! Everything here is a value: no state, no logic beyond plain arithmetic, but for
//! the bugs that tests plant and the steps that they count. All other crates may use it; it uses none of them. Nothing here is ever a
//! `usize`, so that 32 and 64 bit machines agree.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod error_code;
mod mutants;
mod rng;
mod snapshot_id;
mod steps;
mod time;
mod topic;
mod uuid;

pub use error_code::ErrorCode;
#[cfg(brooklet_mutants)]
pub use mutants::plant;
pub use mutants::{Mutant, is_planted};
pub use rng::Rng;
pub use snapshot_id::SnapshotId;
pub use steps::step;
#[cfg(debug_assertions)]
pub use steps::steps;
pub use time::Time;
pub use topic::{
    METADATA_TOPIC, TopicIdPartition, TopicNameError, TopicPartition, check_topic_name,
};
pub use uuid::Uuid;

/// Defines a newtype over an integer with the traits all ids share.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id!(
    /// Position of a record in its partition, counted from 0; never reused.
    Offset(i64)
);
id!(
    /// Number of a partition within its topic, counted from 0.
    PartitionIndex(i32)
);
id!(
    /// Number of a broker or controller (`node.id`).
    NodeId(i32)
);
id!(
    /// Grows whenever a partition gets a new leader (KIP-101); -1 is "none".
    LeaderEpoch(i32)
);
id!(
    /// Identity of an idempotent or transactional producer (KIP-98); -1 is "none".
    ProducerId(i64)
);
id!(
    /// Version of a producer id; an older one is fenced (KIP-98); -1 is "none".
    ProducerEpoch(i16)
);
id!(
    /// Generation of a classic consumer group: grows with every completed join phase.
    Generation(i32)
);
id!(
    /// One connection between a client and a broker; unique for a broker's life.
    ConnId(u64)
);
id!(
    /// Names one order given to a shell; its completion carries the same token.
    Token(u64)
);

impl Offset {
    /// The offset `records` further on; saturates at the largest offset.
    #[must_use]
    pub fn plus(self, records: i64) -> Offset {
        Offset(self.0.saturating_add(records))
    }
}

impl LeaderEpoch {
    /// "No epoch", as the protocol writes it.
    pub const NONE: LeaderEpoch = LeaderEpoch(-1);
}

impl ProducerId {
    /// "No producer id", as the protocol writes it.
    pub const NONE: ProducerId = ProducerId(-1);
}

impl ProducerEpoch {
    /// "No epoch", as the protocol writes it.
    pub const NONE: ProducerEpoch = ProducerEpoch(-1);
}
