//! The one list of bugs that can be planted, so that a checker can show that it finds them.
//!
//! Each breaks one rule. Without `--cfg brooklet_mutants` none can be planted, and the question is a
//! constant `false` that costs nothing; with it a test plants one at a time.

/// Declares the bugs with a list of all of them.
macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Mutant {
            $($(#[$doc])* $name,)*
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Mutant] = &[$(Mutant::$name,)*];
        }
    };
}

mutants! {
    /// A produce request is answered before its records are stored.
    AcknowledgedUnstored,
    /// The high watermark passes what is stored.
    CommittedUnstored,
    /// A batch that is sent again is appended again.
    DuplicateAppended,
    /// Recovery forgets what the log knew of its producers.
    ProducersForgotten,
    /// Recovery drops the last batch of a log.
    TailDropped,
    /// Recovery forgets that records were deleted.
    LogStartForgotten,
    /// A new segment begins one offset too late.
    OffsetSkipped,
    /// The first batch of a segment is not written to the disk.
    FirstAppendNotOrdered,
    /// The first batch of a segment is written before the segment begins.
    AppendBeforeRoll,
    /// What a full disk has refused stays in the log.
    RefusedKept,
    /// A fetch from the last record of a batch begins after it.
    LastRecordPassedOver,
    /// Retention deletes segments whatever their age.
    YoungDeleted,
    /// A new leadership has the epoch of the one before.
    LeaderEpochKept,
    /// A commit is answered before it is stored.
    CommitAnsweredUnstored,
    /// After a restart a group has the first offset that it ever committed.
    FirstCommitRestored,
    /// After a restart a group has committed nothing.
    CommitsForgotten,
    /// A full cache of fetch sessions takes in another one.
    SessionsUnbounded,
    /// A rebalance does not begin a new generation.
    GenerationKept,
    /// A member that is silent for longer than its session stays.
    SilentMemberKept,
    /// The range assignor gives a partition to two members.
    PartitionSharedTwice,
    /// The range assignor leaves out what cannot be shared evenly.
    RemainderLeftOut,
    /// After a restart a voter has not voted.
    VoteForgotten,
    /// A vote is told before it is saved.
    VoteToldUnsaved,
    /// A candidate is elected whatever its log lacks.
    StaleLogElected,
    /// A voter that hears its leader encourages another one.
    PreVoteWhileLed,
    /// A leader counts who has the records of earlier epochs.
    OlderEpochCommitted,
    /// A follower keeps what its leader does not have.
    TruncationSkipped,
    /// A voter says it has what it has not stored.
    FetchedUnstored,
}

impl Mutant {
    /// Those that lives of a quorum find (`crates/raft/tests`), not those of a broker.
    pub const OF_QUORUM: &[Mutant] = &[
        Mutant::VoteForgotten,
        Mutant::VoteToldUnsaved,
        Mutant::StaleLogElected,
        Mutant::PreVoteWhileLed,
        Mutant::OlderEpochCommitted,
        Mutant::TruncationSkipped,
        Mutant::FetchedUnstored,
    ];
}

/// Whether this bug is planted.
#[cfg(not(brooklet_mutants))]
#[must_use]
pub const fn is_planted(_: Mutant) -> bool {
    false
}

#[cfg(brooklet_mutants)]
pub use hook::{is_planted, plant};

#[cfg(brooklet_mutants)]
mod hook {
    use super::Mutant;
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// One more than the bug's place in the list; 0 is none.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    /// Plants a bug everywhere in this process, in place of the one before.
    pub fn plant(mutant: Option<Mutant>) {
        let number = mutant.map_or(0, |mutant| mutant as usize + 1);
        PLANTED.store(number, Ordering::Relaxed);
    }

    /// Whether this bug is planted.
    #[must_use]
    pub fn is_planted(mutant: Mutant) -> bool {
        PLANTED.load(Ordering::Relaxed) == mutant as usize + 1
    }
}
