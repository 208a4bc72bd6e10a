//! What a follower does with its log: what its leader sends is appended, what its leader does not have goes.

use super::role::{Fetching, Following, Role};
use super::{Replica, Replicas};
use crate::event::Effect;
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Bound;
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, Time, Uuid};
use log::{Log, LogId};
use sorted::{SortedMap, SortedSet};

/// A partition as fetches name it.
pub(crate) type Place = (Uuid, PartitionIndex);

/// What is asked for one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) id: LogId,
    /// The leader epoch that the metadata names.
    pub(crate) epoch: LeaderEpoch,
    /// Where the log ends, and the last epoch in it.
    pub(crate) end: Offset,
    pub(crate) last_epoch: LeaderEpoch,
    pub(crate) start: Offset,
}

/// What a leader answers.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    pub(crate) code: ErrorCode,
    /// The leader's largest epoch at or below the follower's last one, and its end, where their logs part.
    pub(crate) diverging: Option<(LeaderEpoch, Offset)>,
    pub(crate) high_watermark: Offset,
    pub(crate) log_start: Offset,
    pub(crate) records: Bytes,
}

/// Those that follow one leader.
#[derive(Clone, Debug, Default)]
pub(super) struct Followed {
    count: usize,
    /// What is to be asked for them may have changed; those without an id follow it no more.
    changed: SortedMap<Place, Option<LogId>>,
    /// Those that have ordered to store something and not heard of it.
    storing: SortedSet<LogId>,
    /// Those that rest, by when that is over.
    resting: SortedSet<(Time, LogId)>,
}

impl Replica {
    fn place(&self) -> Place {
        (self.name.topic_id, self.name.partition)
    }

    pub(super) fn following(&self) -> Option<&Following> {
        match &self.role {
            Role::Following(following) => Some(following),
            Role::Leading(_) | Role::Offline => None,
        }
    }

    /// What to ask its leader for; `None` while it does not fetch.
    fn wish(&self, id: LogId) -> Option<Wish> {
        let following = self.following()?;
        (following.fetching == Fetching::Ready).then(|| Wish {
            id,
            epoch: self.epoch(),
            end: self.log.log_end(),
            last_epoch: self.log.latest_epoch().unwrap_or(LeaderEpoch::NONE),
            start: self.log.log_start(),
        })
    }
}

impl Replicas {
    /// Whether there is anything for fetching to look at.
    pub(crate) fn follow_any(&self) -> bool {
        !self.followed.is_empty()
    }

    /// How many leaders this broker follows, or has something to take back from.
    pub(crate) fn leaders(&self) -> usize {
        self.followed.len()
    }

    /// Whether that is one of them.
    pub(crate) fn follow(&self, leader: NodeId) -> bool {
        self.followed.contains_key(&leader)
    }

    /// The next of them in the order of their ids.
    pub(crate) fn leader_after(&self, last: Option<NodeId>) -> Option<NodeId> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut after = self.followed.range((from, Bound::Unbounded));
        after.next().map(|(leader, _)| *leader)
    }

    /// When the first of those that rest goes on.
    pub(super) fn rested(&self) -> Option<Time> {
        let first = |followed: &Followed| followed.resting.first().map(|(until, _)| *until);
        self.followed.values().filter_map(first).min()
    }

    /// What is to be asked of a leader that was not before, and of which partitions nothing any more;
    /// `None` while what it has sent is not stored, for its offsets say what this broker has.
    pub(crate) fn wishes(&mut self, leader: NodeId) -> Option<Vec<(Place, Option<Wish>)>> {
        let followed = self.followed.get_mut(&leader)?;
        if !followed.storing.is_empty() {
            return None;
        }
        let changed = core::mem::take(&mut followed.changed);
        if followed.count == 0 {
            self.followed.remove(&leader);
        }
        let wish = |id: LogId| self.get(id)?.wish(id);
        let wishes = changed.into_iter();
        Some(
            wishes
                .map(|(place, id)| (place, id.and_then(wish)))
                .collect(),
        )
    }

    /// Lets those go on that have rested.
    pub(crate) fn end_rests(&mut self, now: Time) {
        for followed in self.followed.values_mut() {
            while let Some(&(until, id)) = followed.resting.first()
                && until <= now
            {
                followed.resting.pop_first();
                let Some(replica) = self.by_id.get_mut(id) else {
                    continue;
                };
                let place = replica.place();
                if let Role::Following(following) = &mut replica.role
                    && following.fetching == Fetching::Resting(until)
                {
                    following.fetching = Fetching::Ready;
                    followed.changed.insert(place, Some(id));
                }
            }
        }
    }

    /// A replica begins to follow, or follows in another epoch.
    pub(super) fn begin_following(&mut self, now: Time, id: LogId, out: &mut Vec<Effect>) {
        let Some(replica) = self.by_id.get(id) else {
            return;
        };
        let Some(following) = replica.following() else {
            return;
        };
        let followed = self.followed.entry(following.leader).or_default();
        followed.count += 1;
        followed.changed.insert(replica.place(), Some(id));
        let (committed, end) = (replica.log.high_watermark(), replica.log.log_end());
        // A log that knows no epoch cannot say where it parts from its leader's: what is not known to be
        // committed goes.
        if replica.log.latest_epoch().is_none() && end > committed {
            self.cut(now, id, committed, out);
        }
        self.note_storing(id);
    }

    /// Takes a replica out of those that follow.
    pub(super) fn end_following(&mut self, id: LogId) {
        let Some(replica) = self.by_id.get(id) else {
            return;
        };
        let Some(followed) =
            (replica.following()).and_then(|following| self.followed.get_mut(&following.leader))
        else {
            return;
        };
        followed.count -= 1;
        followed.changed.insert(replica.place(), None);
        followed.storing.remove(&id);
    }

    /// Notes for a follower whether something of its is being stored.
    pub(super) fn note_storing(&mut self, id: LogId) {
        let Some(replica) = self.by_id.get(id) else {
            return;
        };
        let Some(followed) =
            (replica.following()).and_then(|following| self.followed.get_mut(&following.leader))
        else {
            return;
        };
        if replica.orders.is_storing() {
            followed.storing.insert(id);
        } else {
            followed.storing.remove(&id);
            followed.changed.insert(replica.place(), Some(id));
        }
    }

    /// Sets whether a follower fetches.
    fn set_fetching(&mut self, id: LogId, fetching: Fetching) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        let place = replica.place();
        let Role::Following(following) = &mut replica.role else {
            return;
        };
        following.fetching = fetching;
        if let Some(followed) = self.followed.get_mut(&following.leader) {
            followed.changed.insert(place, Some(id));
            if let Fetching::Resting(until) = fetching {
                followed.resting.insert((until, id));
            }
        }
    }

    /// A follower rests for a while.
    pub(super) fn rest(&mut self, now: Time, id: LogId) {
        let until = now.plus_millis(self.backoff_ms);
        self.set_fetching(id, Fetching::Resting(until));
    }

    /// Takes what a leader has answered to a wish; says whether where the leader's log begins and ends has
    /// to be asked, for this one's end lies outside of it.
    pub(crate) fn bring(
        &mut self,
        (now, wall): (Time, Time),
        wish: &Wish,
        brought: &Brought,
        out: &mut Vec<Effect>,
    ) -> bool {
        if !self.still_wants(wish) {
            return false;
        }
        match brought.code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                self.set_fetching(wish.id, Fetching::Stopped);
                return true;
            }
            // The metadata will tell of a later epoch.
            ErrorCode::FENCED_LEADER_EPOCH => {
                self.set_fetching(wish.id, Fetching::Stopped);
                return false;
            }
            _ => {
                self.rest(now, wish.id);
                return false;
            }
        }
        match brought.diverging {
            Some((epoch, end)) => {
                let log = self.get(wish.id).map(|replica| &replica.log);
                if let Some(target) = log.map(|log| parting(log, epoch, end)) {
                    self.cut(now, wish.id, target, out);
                }
            }
            None => self.append_brought((now, wall), wish, brought, out),
        }
        false
    }

    fn append_brought(
        &mut self,
        (now, wall): (Time, Time),
        wish: &Wish,
        brought: &Brought,
        out: &mut Vec<Effect>,
    ) {
        let Some(replica) = self.by_id.get_mut(wish.id) else {
            return;
        };
        let log = &mut replica.log;
        let mut ops = Vec::new();
        let before = (log.log_end(), log.high_watermark());
        let is_whole = log.append_from_leader(wall, wish.epoch, &brought.records, &mut ops);
        let is_stuck =
            is_whole.is_err() || (!brought.records.is_empty() && log.log_end() == before.0);
        log.advance_high_watermark(brought.high_watermark);
        let start = brought.log_start.min(log.high_watermark());
        let rises = start > log.log_start();
        if rises {
            // Never above the high watermark, so it is not refused.
            let _ = log.delete_records_before(start, &mut ops);
        }
        if log.high_watermark() > before.1 {
            replica.tell_readers(None, &mut self.news);
        }
        self.order_store(wish.id, ops, out);
        if rises {
            // The leader is to hear of it, be there something to store or not.
            self.note_storing(wish.id);
        }
        if is_stuck {
            self.rest(now, wish.id);
        }
    }

    /// Where the leader's log begins and ends, for a follower whose end is outside of it; `None` where the
    /// leader has not said.
    pub(crate) fn reset(
        &mut self,
        now: Time,
        wish: &Wish,
        ends: Option<(Offset, Offset)>,
        out: &mut Vec<Effect>,
    ) {
        if !self.still_wants(wish) {
            return;
        }
        match ends {
            Some((_, end)) if end < wish.end => self.cut(now, wish.id, end, out),
            Some((start, _)) if start > wish.end => {
                let Some(replica) = self.by_id.get_mut(wish.id) else {
                    return;
                };
                let mut ops = Vec::new();
                replica
                    .log
                    .truncate_fully_and_start_at(start, now, &mut ops);
                replica.orders.cut(start, ops);
                self.set_fetching(wish.id, Fetching::Ready);
                self.order_store(wish.id, Vec::new(), out);
            }
            // It was inside after all, or the leader's epochs say otherwise: it tries again.
            Some(_) | None => self.rest(now, wish.id),
        }
    }

    /// Whether what was asked for is still what is wanted: nothing has happened to the replica since.
    fn still_wants(&self, wish: &Wish) -> bool {
        let replica = self.get(wish.id);
        replica.is_some_and(|replica| {
            replica.follows() && replica.epoch() == wish.epoch && replica.log.log_end() == wish.end
        })
    }

    /// Cuts a follower's log, as soon as the bytes that it takes are in memory.
    fn cut(&mut self, now: Time, id: LogId, target: Offset, out: &mut Vec<Effect>) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        let mut ops = Vec::new();
        match replica.log.truncate_to(target, now, &mut ops) {
            // The leader has named nothing that goes: asked at once it would say the same again.
            Ok(false) if ops.is_empty() => self.rest(now, id),
            Ok(_) => {
                replica.orders.cut(replica.log.log_end(), ops);
                self.set_fetching(id, Fetching::Ready);
                self.order_store(id, Vec::new(), out);
            }
            Err(slice) => {
                self.set_fetching(id, Fetching::Cutting(target));
                self.order_load(id, slice, out);
            }
        }
    }

    /// Goes on with a cut whose bytes have come, or cannot be read.
    pub(super) fn cut_on(
        &mut self,
        now: Time,
        id: LogId,
        is_readable: bool,
        out: &mut Vec<Effect>,
    ) {
        let following = self.get(id).and_then(Replica::following);
        match following.map(|following| following.fetching) {
            Some(Fetching::Cutting(target)) if is_readable => self.cut(now, id, target, out),
            // Its leader will say once more where to cut.
            Some(Fetching::Cutting(_)) => self.rest(now, id),
            _ => {}
        }
    }
}

/// Where a log has to be cut if its leader's largest epoch at or below its own last one is `epoch`, which
/// ends at `end` there (KIP-101, KIP-595). The leader may name another place after that.
fn parting(log: &Log, epoch: LeaderEpoch, end: Offset) -> Offset {
    let own = log.offset_for_leader_epoch(epoch);
    let target = match own {
        Some(own) if own.epoch == epoch => own.end.min(end),
        Some(own) => own.end,
        None => end,
    };
    target.min(log.log_end())
}
