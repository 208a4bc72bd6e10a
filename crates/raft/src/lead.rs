//! What a leader does: append, count who has it, and notice that nobody listens.

use crate::fetch::SESSION_MS;
use crate::message::{About, Effect, Peer};
use crate::raft::Raft;
use crate::state::{Leader, State};
use crate::voters::ReplicaKey;
use alloc::vec::Vec;
use ids::{LeaderEpoch, Mutant, NodeId, Offset, Time, is_planted};
use log::{Appended, Refused};
use records::ValidBatch;

/// Why a batch was not appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendError {
    /// This node does not lead in that epoch, or not yet ([`Effect::Leading`]).
    NotLeading,
    /// The log does not take it.
    Refused(Refused),
}

impl Raft {
    /// Appends a batch as the leader of `epoch`: it gets the next offsets. It is committed once
    /// [`Effect::Committed`] passes it, and may be gone after a [`Effect::Truncated`].
    ///
    /// # Errors
    /// See [`AppendError`]; nothing has changed then.
    pub fn append(
        &mut self,
        now: Time,
        epoch: LeaderEpoch,
        batch: &ValidBatch<'_>,
        out: &mut Vec<Effect>,
    ) -> Result<Appended, AppendError> {
        let leads = matches!(&self.state, State::Leader(leader) if leader.announced);
        if !leads || epoch != self.election.epoch {
            return Err(AppendError::NotLeading);
        }
        let mut ops = Vec::new();
        let wall = self.wall(now);
        let appended =
            (self.log.append(wall, batch, epoch, &mut ops)).map_err(AppendError::Refused)?;
        self.outbox.order_log(ops);
        self.serve_waiting(now);
        self.finish(now, out);
        Ok(appended)
    }

    /// Everything below is committed, as far as it is stored here.
    pub(crate) fn commit(&mut self, to: Offset) {
        let to = to.min(self.log.stored_end());
        if to > self.high_watermark.unwrap_or(Offset(0)) {
            self.high_watermark = Some(to);
            self.log.advance_high_watermark(to);
            self.outbox.notice(Effect::Committed { upto: to });
        }
    }

    /// Commits what a majority of the voters has stored.
    pub(crate) fn advance_as_leader(&mut self, now: Time) {
        let State::Leader(leader) = &self.state else {
            return;
        };
        let own = self.log.stored_end();
        let mut ends: Vec<Offset> = (self.voters().iter())
            .map(|voter| match voter.key.id == self.me.id {
                true => own,
                false => {
                    let progress = leader.voters.get(&voter.key.id);
                    progress.and_then(|seen| seen.end).unwrap_or(Offset(0))
                }
            })
            .collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let stored = ends.get(self.voters().majority() - 1).copied();
        let stored = stored.unwrap_or(Offset(0));
        // A record of an earlier epoch that a majority has may still be cut away by another leader, until
        // there is one of this epoch after it.
        let epoch_start = leader.epoch_start;
        if stored > epoch_start || is_planted(Mutant::OlderEpochCommitted) {
            self.commit(stored);
        }
        let committed = self.high_watermark.filter(|upto| *upto > epoch_start);
        let epoch = self.election.epoch;
        if let Some(from) = committed
            && let State::Leader(leader) = &mut self.state
            && !leader.announced
        {
            leader.announced = true;
            self.outbox.notice(Effect::Leading { epoch, from });
        }
        self.serve_waiting(now);
        self.conclude_change(now);
    }

    /// The latest moment until which a majority has been heard of, plus one and a half fetch tuning.
    fn quorum_until(&self, leader: &Leader) -> Option<Time> {
        let needed = self.voters().majority() - usize::from(self.is_voter());
        if needed == 0 {
            return None;
        }
        let fetched = |id: &NodeId| leader.voters.get(id).and_then(|seen| seen.last_fetch);
        let others = self.voters().others(self.me.id);
        let mut heard: Vec<Time> = others.iter().filter_map(fetched).collect();
        heard.sort_unstable_by(|a, b| b.cmp(a));
        let heard = heard.get(needed - 1).copied();
        let since = heard.unwrap_or(leader.since).max(leader.since);
        Some(since.plus_millis(self.config.tuning.fetch_ms * 3 / 2))
    }

    pub(crate) fn leader_deadline(&self, leader: &Leader) -> Option<Time> {
        let waiting = leader.waiting.iter().map(|asked| asked.until);
        let begin = (!self.is_alone()).then_some(leader.begin_at);
        waiting.chain(begin).chain(self.quorum_until(leader)).min()
    }

    /// What a leader does when time has passed.
    pub(crate) fn lead_on(&mut self, now: Time) {
        let State::Leader(leader) = &self.state else {
            return;
        };
        if self.quorum_until(leader).is_some_and(|until| until <= now) {
            // Others may have elected someone, and this node would never hear of it.
            self.resign(now);
            return self.tell_of_the_end(now);
        }
        let others = self.voters().others(self.me.id);
        let half = self.config.tuning.fetch_ms / 2;
        let mut to_tell = Vec::new();
        if let State::Leader(leader) = &mut self.state {
            if leader.begin_at <= now {
                leader.begin_at = now.plus_millis(half);
                let seen = &leader.voters;
                let silent = |id: &NodeId| {
                    let last = seen.get(id).and_then(|seen| seen.last_fetch);
                    last.is_none_or(|last| last.plus_millis(half) <= now)
                };
                leader.to_tell.extend(others.into_iter().filter(silent));
                let alive = |last: Time| last.plus_millis(SESSION_MS) > now;
                (leader.observers).retain(|_, seen| seen.last_fetch.is_some_and(alive));
            }
            to_tell.append(&mut leader.to_tell);
        }
        for id in to_tell {
            if let Some(voter) = self.voters().get(id).map(|voter| voter.key) {
                self.send(now, Peer::Node(id), About::Begin, |raft| {
                    raft.begin_request(voter)
                });
            }
        }
        self.serve_waiting(now);
    }

    /// The other voters, those with the longest logs first.
    pub(crate) fn successors(&self) -> Vec<ReplicaKey> {
        let State::Leader(leader) = &self.state else {
            return Vec::new();
        };
        let others = (self.voters().iter()).filter(|voter| voter.key.id != self.me.id);
        let mut others: Vec<(Option<Offset>, ReplicaKey)> = others
            .map(|voter| {
                let seen = leader.voters.get(&voter.key.id);
                (seen.and_then(|seen| seen.end), voter.key)
            })
            .collect();
        others.sort_by_key(|(end, _)| core::cmp::Reverse(*end));
        others.into_iter().map(|(_, key)| key).collect()
    }
}
