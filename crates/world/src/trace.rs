//! The trace: one hash over every event and effect with all its bytes.
//!
//! Two runs are the same run when their traces are; where they differ first, the recorded points say.

use alloc::string::String;
use alloc::vec::Vec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The hash so far, and how many events it covers.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hash: u64,
    events: u64,
    scratch: Vec<u8>,
    points: Option<Vec<TracePoint>>,
}

/// The trace after one event, with what happened in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracePoint {
    /// How many events came before.
    pub event: u64,
    /// The hash after it.
    pub hash: u64,
    /// What happened.
    pub what: String,
}

impl Trace {
    /// The hash over everything so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events it covers.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// From now on keeps a point for each event; costs memory, for finding a difference.
    pub fn record(&mut self) {
        self.points = Some(Vec::new());
    }

    /// Whether points are kept.
    pub(crate) fn is_recording(&self) -> bool {
        self.points.is_some()
    }

    /// Keeps no points any more and lets go of those there are.
    pub(crate) fn stop_recording(&mut self) {
        self.points = None;
    }

    /// The points kept since [`Trace::record`].
    #[must_use]
    pub fn points(&self) -> &[TracePoint] {
        self.points.as_deref().unwrap_or_default()
    }

    /// The first event after which two traces differ.
    #[must_use]
    pub fn first_difference<'a>(
        &'a self,
        other: &'a Trace,
    ) -> Option<(Option<&'a TracePoint>, Option<&'a TracePoint>)> {
        let (ours, theirs) = (self.points(), other.points());
        let same = ours
            .iter()
            .zip(theirs)
            .take_while(|(a, b)| a.hash == b.hash)
            .count();
        let (ours, theirs) = (ours.get(same), theirs.get(same));
        (ours.is_some() || theirs.is_some()).then_some((ours, theirs))
    }

    /// Takes in the bytes of a frame, or anything else that is long.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.fold();
        self.hash = xxh3_64_with_seed(bytes, self.hash);
    }

    /// Takes in a number.
    pub(crate) fn number(&mut self, number: u64) {
        self.scratch.extend_from_slice(&number.to_be_bytes());
    }

    /// One event is over; `what` is asked for words only when points are kept.
    pub(crate) fn event(&mut self, what: impl FnOnce() -> String) {
        self.fold();
        self.events += 1;
        if let Some(points) = &mut self.points {
            points.push(TracePoint {
                event: self.events - 1,
                hash: self.hash,
                what: what(),
            });
        }
    }

    fn fold(&mut self) {
        if !self.scratch.is_empty() {
            self.hash = xxh3_64_with_seed(&self.scratch, self.hash);
            self.scratch.clear();
        }
    }
}
