//! What a follower does with its log: what its leader sends is appended, what its leader does not have goes.

use super::role::{Fetching, Role};
use super::{News, Replicas};
use crate::event::Effect;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, Time, Uuid};
use log::{Log, LogId};

/// What a follower asks its leader for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) id: LogId,
    pub(crate) topic: Uuid,
    pub(crate) partition: PartitionIndex,
    /// The leader epoch that the metadata names.
    pub(crate) epoch: LeaderEpoch,
    /// Where its log ends, and the last epoch in it.
    pub(crate) end: Offset,
    pub(crate) last_epoch: LeaderEpoch,
    pub(crate) start: Offset,
}

/// What a leader answers.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    pub(crate) code: ErrorCode,
    /// The leader's last epoch at or below the follower's, and its end, where their logs part.
    pub(crate) diverging: Option<(LeaderEpoch, Offset)>,
    pub(crate) high_watermark: Offset,
    pub(crate) log_start: Offset,
    pub(crate) records: Bytes,
}

/// What a follower makes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It fetches on, or the answer came too late for it.
    Goes,
    /// It rests, for its leader does not serve it now.
    Rests,
    /// It does not fetch before the metadata has news.
    Stops,
    /// Its end is outside the leader's log: where that begins and ends has to be asked.
    IsOutside,
}

impl Replicas {
    /// The leaders whom this broker follows.
    pub(crate) fn leaders(&self) -> impl Iterator<Item = NodeId> {
        self.followed.keys().copied()
    }

    /// What is to be asked of a leader; nothing while something that it sent is not stored. When the
    /// first of those that rest wants to go on is told, too.
    pub(crate) fn wishes(&self, now: Time, leader: NodeId) -> (Vec<Wish>, Option<Time>) {
        let ids = self.followed.get(&leader).into_iter().flatten();
        let (mut wishes, mut later) = (Vec::new(), None::<Time>);
        for &id in ids {
            let Some(replica) = self.get(id) else {
                continue;
            };
            if replica.orders.is_storing() {
                return (Vec::new(), None);
            }
            let Role::Following(following) = &replica.role else {
                continue;
            };
            match following.fetching {
                Fetching::Ready => {}
                Fetching::Resting(until) if until <= now => {}
                Fetching::Resting(until) => {
                    later = Some(later.map_or(until, |later| later.min(until)));
                    continue;
                }
                Fetching::Stopped | Fetching::Cutting(_) => continue,
            }
            wishes.push(Wish {
                id,
                topic: replica.name.topic_id,
                partition: replica.name.partition,
                epoch: replica.epoch(),
                end: replica.log.log_end(),
                last_epoch: replica.log.latest_epoch().unwrap_or(LeaderEpoch::NONE),
                start: replica.log.log_start(),
            });
        }
        (wishes, later)
    }

    /// Takes what a leader has answered to a wish.
    pub(crate) fn bring(
        &mut self,
        (now, wall): (Time, Time),
        wish: &Wish,
        brought: &Brought,
        out: &mut Vec<Effect>,
    ) -> Next {
        if !self.still_wants(wish) {
            return Next::Goes;
        }
        match brought.code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => return Next::IsOutside,
            ErrorCode::FENCED_LEADER_EPOCH => return Next::Stops,
            _ => return Next::Rests,
        }
        let Some(replica) = self.by_id.get_mut(wish.id) else {
            return Next::Goes;
        };
        let log = &mut replica.log;
        if let Some((epoch, end)) = brought.diverging {
            let target = parting(log, epoch, end);
            self.cut(now, wish.id, target, out);
            return Next::Goes;
        }
        let mut ops = Vec::new();
        let appended = log.append_replicated(wall, &brought.records, &mut ops);
        let before = log.high_watermark();
        log.advance_high_watermark(brought.high_watermark);
        let start = brought.log_start.min(log.high_watermark());
        if start > log.log_start() {
            let _ = log.delete_records_before(start, &mut ops);
        }
        if log.high_watermark() > before {
            replica.tell_readers(None, &mut self.news);
        }
        self.order_store(wish.id, ops, out);
        match appended {
            Ok(_) => Next::Goes,
            Err(_) => Next::Rests,
        }
    }

    /// Where the leader's log begins and ends, for one whose end is outside of it.
    pub(crate) fn reset(
        &mut self,
        now: Time,
        wish: &Wish,
        (leader_start, leader_end): (Offset, Offset),
        out: &mut Vec<Effect>,
    ) {
        if !self.still_wants(wish) {
            return;
        }
        if leader_end < wish.end {
            self.cut(now, wish.id, leader_end, out);
        } else if leader_start > wish.end
            && let Some(replica) = self.by_id.get_mut(wish.id)
        {
            let mut ops = Vec::new();
            replica
                .log
                .truncate_fully_and_start_at(leader_start, now, &mut ops);
            replica.orders.cut(leader_start);
            self.order_store(wish.id, ops, out);
        }
    }

    /// Notes how a follower goes on; `until` is how long it rests, where it does.
    pub(crate) fn go_on(&mut self, wish: &Wish, next: Next, until: Time) {
        if !self.still_wants(wish) {
            return;
        }
        if let Some(replica) = self.by_id.get_mut(wish.id)
            && let Role::Following(following) = &mut replica.role
            && !matches!(following.fetching, Fetching::Cutting(_))
        {
            following.fetching = match next {
                Next::Goes => Fetching::Ready,
                Next::Stops => Fetching::Stopped,
                Next::Rests | Next::IsOutside => Fetching::Resting(until),
            };
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
    pub(super) fn cut(&mut self, now: Time, id: LogId, target: Offset, out: &mut Vec<Effect>) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        let Role::Following(following) = &mut replica.role else {
            return;
        };
        let mut ops = Vec::new();
        match replica.log.truncate_to(target, now, &mut ops) {
            Ok(_) => {
                following.fetching = Fetching::Ready;
                replica.orders.cut(replica.log.log_end());
                self.order_store(id, ops, out);
            }
            Err(slice) => {
                following.fetching = Fetching::Cutting(target);
                self.order_load(id, slice, out);
            }
        }
    }

    /// Goes on with a cut whose bytes have come.
    pub(super) fn cut_on(&mut self, now: Time, id: LogId, out: &mut Vec<Effect>) {
        if let Some(replica) = self.get(id)
            && let Role::Following(following) = &replica.role
            && let Fetching::Cutting(target) = following.fetching
        {
            self.cut(now, id, target, out);
        }
    }
}

/// Where a log has to be cut if its leader's largest epoch at or below its own last one is `epoch`, which
/// ends at `end` there (KIP-101, KIP-595). It may have to ask once more after that.
fn parting(log: &Log, epoch: LeaderEpoch, end: Offset) -> Offset {
    let own = log.offset_for_leader_epoch(epoch);
    match own {
        Some(own) if own.epoch == epoch => own.end.min(end),
        Some(own) => own.end,
        None => end,
    }
    .min(log.log_end())
}
