//! From one state to the next.

use crate::batches::leader_change;
use crate::message::About;
use crate::quorum_state::Election;
use crate::raft::Raft;
use crate::state::{Campaign, Following, Leader, Resigned, State, Votes};
use alloc::{boxed::Box, string::String, vec::Vec};
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, Time};
use sorted::SortedMap;
use wire::Str;

impl Raft {
    /// Between the election timeout and twice that.
    pub(crate) fn election_timeout(&mut self) -> u64 {
        let least = self.config.tuning.election_ms;
        least + self.rng.below(least)
    }

    /// Changes the state; who waited for a leader that leads no more is answered.
    pub(crate) fn enter(&mut self, state: State) {
        let before = core::mem::replace(&mut self.state, state);
        if let State::Leader(leader) = before {
            self.answer_waiting(leader.waiting);
            if let Some((call, asks)) = (leader.change).and_then(|it| Some((it.call?, it.asks))) {
                let lost = (ErrorCode::NOT_LEADER_OR_FOLLOWER, String::new());
                self.answer_change(call, asks, Err(lost));
            }
        }
    }

    fn following(&self, now: Time) -> Following {
        Following {
            until: now.plus_millis(self.config.tuning.fetch_ms),
            heard: false,
            download: None,
        }
    }

    /// A later epoch has begun, and perhaps somebody leads in it.
    pub(crate) fn enter_epoch(
        &mut self,
        now: Time,
        epoch: LeaderEpoch,
        leader: Option<NodeId>,
        endpoint: Option<(Str, u16)>,
    ) {
        self.election = Election {
            epoch,
            leader: None,
            voted: None,
        };
        self.leader_endpoint = None;
        self.forget_flights(|about| !matches!(about, About::End { .. }));
        match leader {
            Some(leader) => self.follow(now, leader, endpoint),
            None => self.settle_down(now),
        }
    }

    /// This node leads in the epoch.
    pub(crate) fn follow(&mut self, now: Time, leader: NodeId, endpoint: Option<(Str, u16)>) {
        self.election.leader = Some(leader);
        self.leader_endpoint = endpoint;
        self.elections = 0;
        self.forget_flights(|about| !matches!(about, About::End { .. }));
        let following = self.following(now);
        let state = match self.takes_part() {
            true => State::Follower(following),
            false => State::Observer(following),
        };
        self.enter(state);
    }

    /// Into the state of who is not part of an election: what leader and role allow.
    pub(crate) fn settle_down(&mut self, now: Time) {
        let others = self.election.leader.filter(|leader| *leader != self.me.id);
        let state = match (self.takes_part(), others) {
            (true, Some(_)) => State::Follower(self.following(now)),
            (true, None) => {
                let timeout = self.election_timeout();
                State::Unattached {
                    campaign_at: now.plus_millis(timeout),
                }
            }
            (false, _) => State::Observer(self.following(now)),
        };
        self.enter(state);
    }

    /// Asks whether it would be elected.
    pub(crate) fn campaign(&mut self, now: Time) {
        let timeout = self.election_timeout();
        let mut votes = Votes::default();
        votes.note(self.voters(), self.me.id, true);
        let won = votes.won(self.voters());
        self.forget_flights(|about| matches!(about, About::Vote { .. }));
        let until = now.plus_millis(timeout);
        self.enter(State::Prospective(Campaign { votes, until }));
        if won {
            self.become_candidate(now);
        }
    }

    /// Begins an epoch of its own and votes for itself in it.
    pub(crate) fn become_candidate(&mut self, now: Time) {
        let Some(epoch) = self.election.epoch.0.checked_add(1) else {
            // Whoever told of the last epoch there is has stopped all elections.
            return self.settle_down(now);
        };
        self.election = Election {
            epoch: LeaderEpoch(epoch),
            leader: None,
            voted: Some(self.me),
        };
        self.leader_endpoint = None;
        self.elections = self.elections.saturating_add(1);
        self.forget_flights(|_| true);
        let timeout = self.election_timeout();
        let mut votes = Votes::default();
        votes.note(self.voters(), self.me.id, true);
        let won = votes.won(self.voters());
        let until = now.plus_millis(timeout);
        self.enter(State::Candidate(Campaign { votes, until }));
        if won {
            self.become_leader(now);
        }
    }

    /// Leads, and says so in the log: without a record of its own epoch nothing becomes committed.
    pub(crate) fn become_leader(&mut self, now: Time) {
        let granting = match &self.state {
            State::Candidate(campaign) => campaign.votes.granted().to_vec(),
            _ => alloc::vec![self.me.id],
        };
        self.election.leader = Some(self.me.id);
        self.election.voted = None;
        self.elections = 0;
        self.forget_flights(|_| true);
        let own = self.config.endpoints.first();
        self.leader_endpoint = own.map(|own| (own.host.clone(), own.port));
        let unnamed = (self.voter_sets.last()).is_some_and(|(at, _)| *at < Offset(0));
        let unnamed = self.is_dynamic() && unnamed;
        let voters = self.voters().clone();
        let wall = self.wall(now);
        let batch = leader_change(
            self.me.id,
            &voters,
            &granting,
            unnamed.then_some(&voters),
            wall.millis(),
        );
        let epoch_start = self.log.log_end();
        let mut ops = Vec::new();
        let appended = self.log.append(wall, &batch, self.election.epoch, &mut ops);
        debug_assert!(appended.is_ok(), "the log takes what its leader says");
        self.outbox.order_log(ops);
        let others = voters.others(self.me.id);
        if unnamed {
            // The third record.
            self.voter_sets.push((epoch_start.plus(2), voters));
        }
        let leader = Leader {
            since: now,
            epoch_start,
            announced: false,
            voters: SortedMap::new(),
            observers: SortedMap::new(),
            waiting: Vec::new(),
            begin_at: now.plus_millis(self.config.tuning.fetch_ms / 2),
            to_tell: others,
            change: None,
        };
        self.enter(State::Leader(Box::new(leader)));
    }

    /// Leads no more in this epoch, and tells the voters so that they need not find out.
    pub(crate) fn resign(&mut self, now: Time) {
        let timeout = self.election_timeout();
        let resigned = Resigned {
            unacked: self.voters().others(self.me.id),
            successors: self.successors(),
            until: now.plus_millis(timeout),
        };
        self.forget_flights(|_| true);
        self.enter(State::Resigned(resigned));
    }

    /// Takes its place where the voters are named anew.
    pub(crate) fn follow_voters(&mut self, now: Time) {
        let takes_part = self.takes_part();
        match &self.state {
            State::Observer(_) if takes_part => self.settle_down(now),
            State::Leader(_) | State::Resigned(_) | State::Observer(_) => {}
            _ if !takes_part => self.settle_down(now),
            _ => {}
        }
    }
}
