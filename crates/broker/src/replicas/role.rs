//! The part that a replica plays, and what belongs to that part alone: it goes with it.

use super::followers::Followers;
use super::{Awaiter, Ending, News};
use crate::waiting::WaitId;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use ids::{NodeId, Offset, Time};
use log::LogId;
use sorted::SortedSet;

/// What a replica is to its partition.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// This broker leads.
    Leading(Box<Leading>),
    /// Another broker leads.
    Following(Following),
    /// Nobody leads.
    Offline,
}

/// What a leader knows beside its log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leading {
    /// Waiting for the bytes below an offset to be stored (acks=1).
    awaiting_stored: VecDeque<(Offset, Awaiter)>,
    /// Waiting for the high watermark to reach an offset (acks=all).
    awaiting_committed: VecDeque<(Offset, Awaiter)>,
    pub(super) followers: Followers,
    /// Parked fetches of followers: they look again when more is stored.
    pub(super) fetching: SortedSet<WaitId>,
    /// Parked requests that wait for followers to let go of records: they look again when one has.
    pub(super) deleting: SortedSet<WaitId>,
    /// The end that those who fetch have seen.
    shown: Offset,
}

/// What a follower knows beside its log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Following {
    pub(super) leader: NodeId,
    pub(super) fetching: Fetching,
}

/// Whether a follower fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetching {
    Ready,
    /// Its leader does not serve it now.
    Resting(Time),
    /// It waits for the metadata, or to be told where its leader's log begins and ends.
    Stopped,
    /// The log has to be cut there once some bytes are in memory.
    Cutting(Offset),
}

impl Role {
    pub(super) fn leading_mut(&mut self) -> Option<&mut Leading> {
        match self {
            Role::Leading(leading) => Some(leading),
            Role::Following(_) | Role::Offline => None,
        }
    }
}

impl Leading {
    pub(super) fn wait(&mut self, end: Offset, committed: bool, awaiter: Awaiter) {
        let queue = if committed {
            &mut self.awaiting_committed
        } else {
            &mut self.awaiting_stored
        };
        queue.push_back((end, awaiter));
    }

    /// Everything below these ends is stored and committed; whether that is on enough replicas is told
    /// to those who wanted to have it on all.
    pub(super) fn settle(
        &mut self,
        (stored, committed): (Offset, Offset),
        is_enough: bool,
        news: &mut Vec<News>,
    ) {
        let safe = if is_enough {
            Ending::Done
        } else {
            Ending::TooFewInSync
        };
        for (queue, end, ending) in [
            (&mut self.awaiting_stored, stored, Ending::Done),
            (&mut self.awaiting_committed, committed, safe),
        ] {
            while let Some(&(needed, awaiter)) = queue.front()
                && needed <= end
            {
                queue.pop_front();
                news.push(ending.of(awaiter));
            }
        }
        if stored != self.shown {
            self.shown = stored;
            self.tell_followers(None, news);
        }
    }

    /// Has followers that wait for more look again.
    pub(super) fn tell_followers(&self, unreadable: Option<LogId>, news: &mut Vec<News>) {
        let fetches = self.fetching.iter();
        news.extend(fetches.map(|&reader| News::Look { reader, unreadable }));
    }

    /// Has those look again who wait for followers to let go of records.
    pub(super) fn tell_deleters(&self, news: &mut Vec<News>) {
        let unreadable = None;
        let deleters = self.deleting.iter();
        news.extend(deleters.map(|&reader| News::Look { reader, unreadable }));
    }

    /// What lay above `kept` is not in the log any more.
    pub(super) fn cut(&mut self, kept: Offset, news: &mut Vec<News>) {
        for queue in [&mut self.awaiting_stored, &mut self.awaiting_committed] {
            while let Some(&(needed, awaiter)) = queue.back()
                && needed > kept
            {
                queue.pop_back();
                news.push(Ending::NotStored.of(awaiter));
            }
        }
    }

    /// Another leads, or nobody.
    pub(super) fn resign(self, news: &mut Vec<News>) {
        self.tell_followers(None, news);
        self.tell_deleters(news);
        let awaiters = self.awaiting_stored.into_iter();
        let awaiters = awaiters.chain(self.awaiting_committed);
        news.extend(awaiters.map(|(_, awaiter)| Ending::LeaderLost.of(awaiter)));
    }
}
