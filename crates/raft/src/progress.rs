//! How far a replica is, as its leader sees it.

use ids::{Offset, Time, Uuid};

/// How far a replica is: what its fetches say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Progress {
    /// The directory it fetches with.
    pub(crate) directory: Uuid,
    /// It has everything below; `None` before its first fetch.
    pub(crate) end: Option<Offset>,
    pub(crate) last_fetch: Option<Time>,
    /// When it last had everything that there was.
    pub(crate) last_caught_up: Option<Time>,
    /// The leader's end at its last fetch.
    leader_end: Offset,
}

impl Progress {
    /// Notes a fetch from `offset`, which says that all below is stored there.
    pub(crate) fn fetched(&mut self, now: Time, offset: Offset, leader_end: Offset) {
        if offset >= leader_end {
            self.last_caught_up = Some(now);
        } else if self.last_fetch.is_some() && offset >= self.leader_end {
            // It now has what there was at the fetch before.
            self.last_caught_up = self.last_caught_up.max(self.last_fetch);
        }
        self.end = Some(offset);
        self.last_fetch = Some(now);
        self.leader_end = leader_end;
    }
}
