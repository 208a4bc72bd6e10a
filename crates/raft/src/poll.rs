//! What time brings: tuning, and what is sent because it is time.

use crate::message::{About, Effect, Peer};
use crate::raft::Raft;
use crate::state::State;
use alloc::vec::Vec;
use ids::Time;

impl Raft {
    /// The next moment at which [`Event::Tick`](crate::Event::Tick) has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let own = match &self.state {
            State::Unattached { campaign_at } => Some(*campaign_at),
            State::Prospective(campaign) | State::Candidate(campaign) => Some(campaign.until),
            State::Follower(following) | State::Observer(following) => Some(following.until),
            State::Resigned(resigned) => Some(resigned.until),
            State::Leader(leader) => self.leader_deadline(leader),
        };
        let flights = self.flights.values().map(|flight| flight.until);
        let others = flights.chain(self.resting.values().copied());
        others.chain(own).chain(self.disk_rests_until).min()
    }

    /// Does all that is due.
    pub(crate) fn poll(&mut self, now: Time) {
        self.resting.retain(|_, until| *until > now);
        let late: Vec<Peer> = (self.flights.values())
            .filter(|flight| flight.until <= now)
            .map(|flight| flight.to)
            .collect();
        self.flights.retain(|_, flight| flight.until > now);
        for peer in late {
            self.rest(now, peer);
        }
        if !self.rests_disk(now) {
            self.disk_rests_until = None;
        }
        self.time_out(now);
        match &self.state {
            State::Unattached { .. } | State::Follower(_) | State::Observer(_) => {
                self.maybe_fetch(now);
            }
            State::Prospective(_) => self.ask_for_votes(now, true),
            State::Candidate(_) => self.ask_for_votes(now, false),
            State::Leader(_) => self.lead_on(now),
            State::Resigned(_) => self.tell_of_the_end(now),
        }
        let resigned = matches!(self.state, State::Resigned(_));
        if self.stopping && !resigned && !self.may_stop {
            self.may_stop = true;
            self.outbox.notice(Effect::MayStop);
        }
    }

    fn time_out(&mut self, now: Time) {
        match &self.state {
            State::Unattached { campaign_at: at } if *at <= now => match self.stopping {
                true => self.settle_down(now),
                false => self.campaign(now),
            },
            State::Follower(following) if following.until <= now => match self.stopping {
                true => self.settle_down(now),
                false => self.campaign(now),
            },
            // Back to the leader that there may still be, or to waiting for one.
            State::Prospective(campaign) if campaign.until <= now => self.settle_down(now),
            State::Candidate(campaign) if campaign.until <= now => self.campaign(now),
            State::Resigned(resigned) if resigned.until <= now => {
                match self.stopping || !self.takes_part() {
                    true => self.settle_down(now),
                    false => self.campaign(now),
                }
            }
            State::Observer(following) if following.until <= now => {
                // Someone else may know of a new leader. An observer's vote decides nothing, and one that it
                // has given it keeps.
                self.election.leader = None;
                self.leader_endpoint = None;
                self.settle_down(now);
            }
            _ => {}
        }
    }

    fn ask_for_votes(&mut self, now: Time, pre_vote: bool) {
        let (State::Prospective(campaign) | State::Candidate(campaign)) = &self.state else {
            return;
        };
        let missing: Vec<_> = (self.voters().iter())
            .map(|voter| voter.key)
            .filter(|key| !campaign.votes.has(key.id))
            .collect();
        for voter in missing {
            let about = About::Vote { voter, pre_vote };
            self.send(now, Peer::Node(voter.id), about, |raft| {
                raft.vote_request(voter, pre_vote)
            });
        }
    }
}
