//! What a leader knows of the replicas that follow it, and which of them are in sync.

use super::replica::Assignment;
use alloc::vec::Vec;
use ids::{NodeId, Offset, Time};
use sorted::SortedMap;

/// A replica that follows, as its fetches show it.
#[derive(Clone, Copy, Debug)]
struct Follower {
    start: Offset,
    /// Where its log ends; `None` before its first fetch in this epoch.
    end: Option<Offset>,
    /// When it fetched last, and where the leader's log ended then.
    fetched: Time,
    leader_end: Offset,
    /// The last moment at which it had all that the leader had; `None` if it never had.
    caught_up: Option<Time>,
    /// The broker epoch of its last fetch; -1 where it told none.
    broker_epoch: i64,
    /// Whether the metadata lets it be in sync: it is registered in that epoch, not fenced, and stays.
    is_eligible: bool,
}

/// A fetch of a follower, as far as it tells of the follower.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) node: NodeId,
    /// Where its log begins.
    pub(crate) start: Offset,
    /// Where it ends.
    pub(crate) end: Offset,
    pub(crate) broker_epoch: i64,
    pub(crate) is_eligible: bool,
}

/// A change of the in-sync replicas on its way through the controller: one at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum IsrChange {
    #[default]
    None,
    /// It is asked for, or will be once more; until the metadata tells of it both sets count.
    Proposed(Vec<NodeId>),
}

/// All that a leader knows of its followers.
#[derive(Clone, Debug, Default)]
pub(super) struct Followers {
    by_node: SortedMap<NodeId, Follower>,
    /// Where the log ended when this epoch began: who joins the in-sync replicas has all before it.
    epoch_start: Offset,
    change: IsrChange,
}

impl Followers {
    /// A new epoch of this leader begins.
    pub(super) fn begin(
        &mut self,
        now: Time,
        epoch_start: Offset,
        assignment: &Assignment,
        own: NodeId,
    ) {
        self.epoch_start = epoch_start;
        self.change = IsrChange::None;
        self.by_node.clear();
        self.follow(now, assignment, own);
    }

    /// The metadata has news of the partition: replicas may have come or gone, and what was asked for
    /// has come to be, or never will.
    pub(super) fn follow(&mut self, now: Time, assignment: &Assignment, own: NodeId) {
        self.change = IsrChange::None;
        self.by_node
            .retain(|node, _| assignment.replicas.contains(node));
        for &node in assignment.replicas.iter().filter(|node| **node != own) {
            // Who is in sync has the whole time for its first fetch.
            let is_in_sync = assignment.isr.contains(&node);
            self.by_node.entry(node).or_insert(Follower {
                start: Offset(0),
                end: None,
                fetched: now,
                leader_end: Offset(i64::MAX),
                caught_up: is_in_sync.then_some(now),
                broker_epoch: -1,
                is_eligible: is_in_sync,
            });
        }
    }

    /// Notes what a fetch tells; says whether the follower's log begins elsewhere than it did.
    pub(super) fn hear(&mut self, now: Time, heard: Heard, leader_end: Offset) -> bool {
        let Some(found) = self.by_node.get_mut(&heard.node) else {
            return false;
        };
        if heard.end >= leader_end {
            found.caught_up = found.caught_up.max(Some(now));
        } else if heard.end >= found.leader_end {
            found.caught_up = found.caught_up.max(Some(found.fetched));
        }
        let moved = found.start != heard.start;
        *found = Follower {
            start: heard.start,
            end: Some(heard.end),
            fetched: now,
            leader_end,
            broker_epoch: heard.broker_epoch,
            is_eligible: heard.is_eligible,
            ..*found
        };
        moved
    }

    /// The offset up to which all have the log who must: the in-sync replicas, those being added, and
    /// those that are about to be.
    pub(super) fn committed(
        &self,
        (now, lag_ms): (Time, u64),
        own_end: Offset,
        isr: &[NodeId],
    ) -> Offset {
        let counted = self.by_node.iter().filter(|(node, follower)| {
            isr.contains(node)
                || matches!(&self.change, IsrChange::Proposed(isr) if isr.contains(node))
                || (follower.is_eligible && follower.is_caught_up(now, own_end, lag_ms))
        });
        let ends = counted.map(|(_, follower)| follower.end.unwrap_or(Offset(0)));
        ends.fold(own_end, Offset::min)
    }

    /// Whether a follower has caught up so far that it should be in sync: the set with it, then.
    pub(super) fn grown(
        &self,
        node: NodeId,
        high_watermark: Offset,
        isr: &[NodeId],
    ) -> Option<Vec<NodeId>> {
        let follower = self.by_node.get(&node)?;
        let end = follower.end?;
        let joins = self.change == IsrChange::None
            && !isr.contains(&node)
            && follower.is_eligible
            && end >= high_watermark
            && end >= self.epoch_start;
        joins.then(|| {
            let mut grown = isr.to_vec();
            grown.push(node);
            grown
        })
    }

    /// The in-sync replicas without those that lag, if any do.
    pub(super) fn shrunk(
        &self,
        (now, lag_ms): (Time, u64),
        own_end: Offset,
        isr: &[NodeId],
    ) -> Option<Vec<NodeId>> {
        if self.change != IsrChange::None {
            return None;
        }
        let stays = |node: &&NodeId| {
            let follower = self.by_node.get(node);
            follower.is_none_or(|follower| follower.is_caught_up(now, own_end, lag_ms))
        };
        let kept: Vec<NodeId> = isr.iter().filter(stays).copied().collect();
        (kept.len() < isr.len()).then_some(kept)
    }

    pub(super) fn propose(&mut self, isr: Vec<NodeId>) {
        self.change = IsrChange::Proposed(isr);
    }

    /// Where the log begins that begins first, of those that are alive.
    pub(super) fn first_start(&self, is_alive: impl Fn(NodeId) -> bool) -> Option<Offset> {
        let alive = self.by_node.iter().filter(|(node, _)| is_alive(**node));
        alive.map(|(_, follower)| follower.start).min()
    }

    /// Where the log ended when this epoch began.
    pub(super) fn epoch_start(&self) -> Offset {
        self.epoch_start
    }

    /// Of the in-sync replicas that are near and have an offset, the one that has most, and was behind last
    /// the longest ago.
    pub(super) fn nearest(
        &self,
        offset: Offset,
        isr: &[NodeId],
        is_near: impl Fn(NodeId) -> bool,
    ) -> Option<NodeId> {
        let all = self.by_node.iter().filter_map(|(&node, follower)| {
            let end = follower.end.unwrap_or(Offset(0));
            let has_it = isr.contains(&node) && (follower.start..=end).contains(&offset);
            (has_it && is_near(node)).then_some((end, follower.caught_up, node))
        });
        all.max().map(|(_, _, node)| node)
    }

    /// The controller will not have it.
    pub(super) fn withdraw(&mut self) {
        self.change = IsrChange::None;
    }

    /// The change under way, each replica with the broker epoch of its last fetch.
    pub(super) fn proposed(&self) -> Option<impl Iterator<Item = (NodeId, i64)>> {
        let IsrChange::Proposed(isr) = &self.change else {
            return None;
        };
        Some(isr.iter().map(|node| {
            let follower = self.by_node.get(node);
            (*node, follower.map_or(-1, |follower| follower.broker_epoch))
        }))
    }

    /// The metadata has news of a broker.
    pub(super) fn judge(&mut self, node: NodeId, epoch: Option<i64>) {
        if let Some(follower) = self.by_node.get_mut(&node) {
            follower.is_eligible =
                epoch.is_some_and(|epoch| [-1, epoch].contains(&follower.broker_epoch));
        }
    }
}

impl Follower {
    fn is_caught_up(&self, now: Time, leader_end: Offset, lag_ms: u64) -> bool {
        self.end == Some(leader_end)
            || (self.caught_up).is_some_and(|caught_up| caught_up.plus_millis(lag_ms) >= now)
    }
}
