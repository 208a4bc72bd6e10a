//! The part that a replica plays, and what belongs to that part alone: it goes with it.

use super::{Awaiter, Ending, News};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use ids::Offset;

/// What a replica is to its partition.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// This broker leads.
    Leading(Leading),
    /// Another broker leads.
    Following,
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

    /// Everything below these ends is stored and committed.
    pub(super) fn settle(&mut self, stored: Offset, committed: Offset, news: &mut Vec<News>) {
        for (queue, end) in [
            (&mut self.awaiting_stored, stored),
            (&mut self.awaiting_committed, committed),
        ] {
            while let Some(&(needed, awaiter)) = queue.front()
                && needed <= end
            {
                queue.pop_front();
                news.push(Ending::Done.of(awaiter));
            }
        }
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
        let awaiters = self.awaiting_stored.into_iter();
        let awaiters = awaiters.chain(self.awaiting_committed);
        news.extend(awaiters.map(|(_, awaiter)| Ending::LeaderLost.of(awaiter)));
    }
}
