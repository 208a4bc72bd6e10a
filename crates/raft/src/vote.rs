//! Vote: being asked, and being answered.

use crate::common::{TOPIC, only};
use crate::message::{CallId, Request, Response};
use crate::raft::{Flight, Raft};
use crate::state::State;
use crate::voters::ReplicaKey;
use ids::{ErrorCode, LeaderEpoch, Mutant, NodeId, Offset, Time, is_planted};
use wire::vote_request::{self, VoteRequest};
use wire::vote_response::{NodeEndpoint, PartitionData, TopicData, VoteResponse};

/// Pause after the first lost election; it doubles with each.
const BACKOFF_MS: u64 = 100;

impl Raft {
    pub(crate) fn vote_request(&self, voter: ReplicaKey, pre_vote: bool) -> Request {
        let (last_epoch, last_offset) = self.last();
        let partition = vote_request::PartitionData {
            replica_epoch: self.election.epoch.0,
            replica_id: self.me.id.0,
            replica_directory_id: self.me.directory,
            voter_directory_id: voter.directory,
            last_offset_epoch: last_epoch.0,
            last_offset: last_offset.0,
            pre_vote,
            ..vote_request::PartitionData::default()
        };
        Request::Vote(VoteRequest {
            cluster_id: self.cluster_id(),
            voter_id: voter.id.0,
            topics: alloc::vec![vote_request::TopicData {
                topic_name: TOPIC,
                partitions: alloc::vec![partition],
                ..vote_request::TopicData::default()
            }],
            ..VoteRequest::default()
        })
    }

    pub(crate) fn on_vote(&mut self, now: Time, call: CallId, version: i16, vote: &VoteRequest) {
        let answer = match self.judge_vote(now, vote) {
            Ok(granted) => self.vote_answer(version, ErrorCode::NONE, granted),
            Err(Refusal::Of(code)) => self.vote_answer(version, code, false),
            Err(Refusal::Whole(code)) => VoteResponse {
                error_code: code.0,
                ..VoteResponse::default()
            },
        };
        self.outbox.answer(call, Response::Vote(answer));
    }

    fn judge_vote(&mut self, now: Time, vote: &VoteRequest) -> Result<bool, Refusal> {
        if !self.in_cluster(vote.cluster_id.as_ref()) {
            return Err(Refusal::Whole(ErrorCode::INCONSISTENT_CLUSTER_ID));
        }
        let topic = only(&vote.topics).filter(|topic| topic.topic_name == TOPIC);
        let asked = topic.and_then(|topic| only(&topic.partitions));
        let asked = asked.filter(|asked| asked.partition_index == 0);
        let asked = asked.ok_or(Refusal::Whole(ErrorCode::INVALID_REQUEST))?;
        let (epoch, last_epoch) = (asked.replica_epoch, asked.last_offset_epoch);
        let ahead = match asked.pre_vote {
            true => last_epoch > epoch,
            false => last_epoch >= epoch,
        };
        if last_epoch < 0 || asked.last_offset < 0 || ahead {
            return Err(Refusal::Of(ErrorCode::INVALID_REQUEST));
        }
        self.check_epoch(epoch, asked.replica_id)
            .map_err(Refusal::Of)?;
        if epoch > self.election.epoch.0 {
            self.enter_epoch(now, LeaderEpoch(epoch), None, None);
        }
        if !self.is_for_me(vote.voter_id, asked.voter_directory_id) {
            return Err(Refusal::Of(ErrorCode::INVALID_VOTER_KEY));
        }
        let candidate = ReplicaKey {
            id: NodeId(asked.replica_id),
            directory: asked.replica_directory_id,
        };
        let log = (LeaderEpoch(last_epoch), Offset(asked.last_offset));
        let fresh = log >= self.last() || is_planted(Mutant::StaleLogElected);
        let granted = match asked.pre_vote {
            true => fresh && self.would_change_leader(),
            false => self.grants(&candidate, fresh),
        };
        if granted && !asked.pre_vote && self.election.voted.is_none() {
            self.election.voted = Some(candidate);
            // Who has voted leaves the candidate its time.
            self.settle_down(now);
        }
        Ok(granted)
    }

    /// Whether it knows of no leader that is alive.
    fn would_change_leader(&self) -> bool {
        let content = self.is_leader() || self.is_stable();
        !content || is_planted(Mutant::PreVoteWhileLed)
    }

    /// One vote an epoch, and none in an epoch that has a leader.
    fn grants(&self, candidate: &ReplicaKey, fresh: bool) -> bool {
        match self.election.voted {
            Some(voted) => voted.may_be(candidate),
            None => fresh && self.election.leader.is_none(),
        }
    }

    fn vote_answer(&self, version: i16, code: ErrorCode, granted: bool) -> VoteResponse {
        let (leader_id, leader_epoch) = self.current();
        let partition = PartitionData {
            error_code: code.0,
            leader_id,
            leader_epoch,
            vote_granted: granted,
            ..PartitionData::default()
        };
        let address = self.leader_address().filter(|_| version >= 1);
        VoteResponse {
            topics: alloc::vec![TopicData {
                topic_name: TOPIC,
                partitions: alloc::vec![partition],
                ..TopicData::default()
            }],
            node_endpoints: (address.into_iter())
                .map(|(id, host, port)| NodeEndpoint {
                    node_id: id.0,
                    host,
                    port,
                    ..NodeEndpoint::default()
                })
                .collect(),
            ..VoteResponse::default()
        }
    }

    pub(crate) fn on_vote_answer(
        &mut self,
        now: Time,
        flight: Flight,
        voter: ReplicaKey,
        pre_vote: bool,
        vote: &VoteResponse,
    ) {
        let topic = only(&vote.topics);
        let Some(answer) = topic.and_then(|topic| only(&topic.partitions)) else {
            return self.rest(now, flight.to);
        };
        let endpoint = (vote.node_endpoints.iter())
            .find(|node| node.node_id == answer.leader_id)
            .map(|node| (node.host.detached(), node.port));
        self.learn(now, (answer.leader_id, answer.leader_epoch), endpoint);
        if vote.error_code != 0 || answer.error_code != 0 {
            return self.rest(now, flight.to);
        }
        if flight.epoch != self.election.epoch {
            return;
        }
        let voters = match self.voter_sets.last() {
            Some((_, voters)) => voters,
            None => &self.config.static_voters,
        };
        match &mut self.state {
            State::Prospective(campaign) if pre_vote => {
                campaign.votes.note(voters, voter.id, answer.vote_granted);
                match () {
                    () if campaign.votes.won(voters) => self.become_candidate(now),
                    () if campaign.votes.lost(voters) => self.settle_down(now),
                    () => {}
                }
            }
            State::Candidate(campaign) if !pre_vote => {
                campaign.votes.note(voters, voter.id, answer.vote_granted);
                match () {
                    () if campaign.votes.won(voters) => self.become_leader(now),
                    () if campaign.votes.lost(voters) => {
                        let until = campaign.until;
                        let backoff = now.plus_millis(self.election_backoff());
                        if let State::Candidate(campaign) = &mut self.state {
                            campaign.until = until.min(backoff);
                        }
                    }
                    () => {}
                }
            }
            _ => {}
        }
    }

    /// How long to wait after a lost election: at random, up to a time that doubles with each.
    fn election_backoff(&mut self) -> u64 {
        let doubled = 1u64 << self.elections.clamp(1, 16);
        let longest = self.config.tuning.election_backoff_max_ms;
        (BACKOFF_MS * (1 + self.rng.below(doubled))).min(longest)
    }
}

/// Why a vote is neither given nor denied.
enum Refusal {
    /// The request makes no sense at all.
    Whole(ErrorCode),
    /// What it says of the partition does not hold here.
    Of(ErrorCode),
}
