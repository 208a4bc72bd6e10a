//! BeginQuorumEpoch, by which a leader makes itself known, and EndQuorumEpoch, by which it takes its leave.

use crate::common::{TOPIC, only};
use crate::message::{About, CallId, Peer, Request, Response};
use crate::raft::{Flight, Raft};
use crate::state::State;
use crate::voters::ReplicaKey;
use alloc::vec::Vec;
use ids::{ErrorCode, LeaderEpoch, NodeId, Time};
use wire::begin_quorum_epoch_request::{self as begin_request, BeginQuorumEpochRequest};
use wire::begin_quorum_epoch_response::{self as begin_response, BeginQuorumEpochResponse};
use wire::end_quorum_epoch_request::{self as end_request, EndQuorumEpochRequest};
use wire::end_quorum_epoch_response::{self as end_response, EndQuorumEpochResponse};

/// Both answers are alike but for their types.
macro_rules! answer {
    ($raft:expr, $version:expr, $code:expr, $module:ident, $response:ident) => {{
        let (leader_id, leader_epoch) = $raft.current();
        let partition = $module::PartitionData {
            error_code: $code.0,
            leader_id,
            leader_epoch,
            ..$module::PartitionData::default()
        };
        let address = $raft.leader_address().filter(|_| $version >= 1);
        let endpoints = address
            .into_iter()
            .map(|(id, host, port)| $module::NodeEndpoint {
                node_id: id.0,
                host,
                port,
                ..$module::NodeEndpoint::default()
            });
        $response {
            topics: alloc::vec![$module::TopicData {
                topic_name: TOPIC,
                partitions: alloc::vec![partition],
                ..$module::TopicData::default()
            }],
            node_endpoints: endpoints.collect(),
            ..$response::default()
        }
    }};
}

/// What an answer says of epoch and leader is learned; says whether it says that all is well.
macro_rules! learned {
    ($raft:expr, $now:expr, $response:expr) => {{
        let topic = only(&$response.topics);
        let answer = topic.and_then(|topic| only(&topic.partitions));
        if let Some(answer) = answer {
            let endpoint = ($response.node_endpoints.iter())
                .find(|node| node.node_id == answer.leader_id)
                .map(|node| (node.host.detached(), node.port));
            $raft.learn($now, (answer.leader_id, answer.leader_epoch), endpoint);
        }
        $response.error_code == 0 && answer.is_some_and(|answer| answer.error_code == 0)
    }};
}

impl Raft {
    pub(crate) fn begin_request(&self, voter: ReplicaKey) -> Request {
        let partition = begin_request::PartitionData {
            voter_directory_id: voter.directory,
            leader_id: self.me.id.0,
            leader_epoch: self.election.epoch.0,
            ..begin_request::PartitionData::default()
        };
        let endpoints = self.config.endpoints.iter();
        Request::BeginQuorumEpoch(BeginQuorumEpochRequest {
            cluster_id: self.cluster_id(),
            voter_id: voter.id.0,
            topics: alloc::vec![begin_request::TopicData {
                topic_name: TOPIC,
                partitions: alloc::vec![partition],
                ..begin_request::TopicData::default()
            }],
            leader_endpoints: endpoints
                .map(|endpoint| begin_request::LeaderEndpoint {
                    name: endpoint.listener.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    ..begin_request::LeaderEndpoint::default()
                })
                .collect(),
            ..BeginQuorumEpochRequest::default()
        })
    }

    pub(crate) fn on_begin(
        &mut self,
        now: Time,
        call: CallId,
        version: i16,
        begin: &BeginQuorumEpochRequest,
    ) {
        let topic = only(&begin.topics).filter(|topic| topic.topic_name == TOPIC);
        let told = topic.and_then(|topic| only(&topic.partitions));
        let told = told.filter(|told| told.partition_index == 0);
        let whole = |code: ErrorCode| BeginQuorumEpochResponse {
            error_code: code.0,
            ..BeginQuorumEpochResponse::default()
        };
        let answer = match told {
            _ if !self.in_cluster(begin.cluster_id.as_ref()) => {
                whole(ErrorCode::INCONSISTENT_CLUSTER_ID)
            }
            None => whole(ErrorCode::INVALID_REQUEST),
            Some(told) => {
                let mine = self.is_for_me(begin.voter_id, told.voter_directory_id);
                let code = self.hear_leader(now, told, mine, begin);
                answer!(
                    self,
                    version,
                    code,
                    begin_response,
                    BeginQuorumEpochResponse
                )
            }
        };
        self.outbox.answer(call, Response::BeginQuorumEpoch(answer));
    }

    fn hear_leader(
        &mut self,
        now: Time,
        told: &begin_request::PartitionData,
        mine: bool,
        begin: &BeginQuorumEpochRequest,
    ) -> ErrorCode {
        let (leader, epoch) = (told.leader_id, told.leader_epoch);
        if let Err(code) = self.check_epoch(epoch, leader) {
            return code;
        }
        // Two leaders of one epoch there cannot be; whoever says so is mistaken.
        let known = self
            .election
            .leader
            .filter(|_| epoch == self.election.epoch.0);
        let own = leader == self.me.id.0 && !self.is_leader();
        if own || known.is_some_and(|known| known.0 != leader) {
            return ErrorCode::INVALID_REQUEST;
        }
        let endpoint = begin.leader_endpoints.first();
        let endpoint = endpoint.map(|endpoint| (endpoint.host.detached(), endpoint.port));
        self.learn(now, (leader, epoch), endpoint);
        match mine {
            true => ErrorCode::NONE,
            false => ErrorCode::INVALID_VOTER_KEY,
        }
    }

    pub(crate) fn on_begin_answer(
        &mut self,
        now: Time,
        flight: Flight,
        begin: &BeginQuorumEpochResponse,
    ) {
        if !learned!(self, now, begin) {
            self.rest(now, flight.to);
        }
    }

    fn end_request(&self) -> Request {
        let successors = match &self.state {
            State::Resigned(resigned) => resigned.successors.as_slice(),
            _ => &[],
        };
        let candidates = successors.iter().map(|key| end_request::ReplicaInfo {
            candidate_id: key.id.0,
            candidate_directory_id: key.directory,
            ..end_request::ReplicaInfo::default()
        });
        let partition = end_request::PartitionData {
            leader_id: self.me.id.0,
            leader_epoch: self.election.epoch.0,
            preferred_successors: successors.iter().map(|key| key.id.0).collect(),
            preferred_candidates: candidates.collect(),
            ..end_request::PartitionData::default()
        };
        Request::EndQuorumEpoch(EndQuorumEpochRequest {
            cluster_id: self.cluster_id(),
            topics: alloc::vec![end_request::TopicData {
                topic_name: TOPIC,
                partitions: alloc::vec![partition],
                ..end_request::TopicData::default()
            }],
            leader_endpoints: (self.config.endpoints.iter())
                .map(|endpoint| end_request::LeaderEndpoint {
                    name: endpoint.listener.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    ..end_request::LeaderEndpoint::default()
                })
                .collect(),
            ..EndQuorumEpochRequest::default()
        })
    }

    pub(crate) fn on_end(
        &mut self,
        now: Time,
        call: CallId,
        version: i16,
        end: &EndQuorumEpochRequest,
    ) {
        let topic = only(&end.topics).filter(|topic| topic.topic_name == TOPIC);
        let told = topic.and_then(|topic| only(&topic.partitions));
        let told = told.filter(|told| told.partition_index == 0);
        let whole = |code: ErrorCode| EndQuorumEpochResponse {
            error_code: code.0,
            ..EndQuorumEpochResponse::default()
        };
        let answer = match told {
            _ if !self.in_cluster(end.cluster_id.as_ref()) => {
                whole(ErrorCode::INCONSISTENT_CLUSTER_ID)
            }
            None => whole(ErrorCode::INVALID_REQUEST),
            Some(told) => {
                let code = self.hear_of_the_end(now, told);
                answer!(self, version, code, end_response, EndQuorumEpochResponse)
            }
        };
        self.outbox.answer(call, Response::EndQuorumEpoch(answer));
    }

    fn hear_of_the_end(&mut self, now: Time, told: &end_request::PartitionData) -> ErrorCode {
        let (leader, epoch) = (told.leader_id, told.leader_epoch);
        if let Err(code) = self.check_epoch(epoch, leader) {
            return code;
        }
        let known = self
            .election
            .leader
            .filter(|_| epoch == self.election.epoch.0);
        if leader == self.me.id.0 || known.is_some_and(|known| known.0 != leader) {
            return ErrorCode::INVALID_REQUEST;
        }
        self.learn(now, (leader, epoch), None);
        let named = told.preferred_candidates.iter();
        let mut named: Vec<i32> = named.map(|candidate| candidate.candidate_id).collect();
        if named.is_empty() {
            named.clone_from(&told.preferred_successors);
        }
        let wait = self.succession(&named);
        if let State::Follower(following) = &mut self.state {
            // The best one goes first; the others give it time.
            following.until = following.until.min(now.plus_millis(wait));
            following.heard = false;
        }
        ErrorCode::NONE
    }

    /// How long to wait before asking for votes after a leader has taken its leave, by the place it gave.
    fn succession(&mut self, named: &[i32]) -> u64 {
        let longest = self.config.tuning.election_backoff_max_ms;
        let place = named.iter().position(|id| *id == self.me.id.0);
        match place {
            Some(0) => 0,
            Some(place) => longest >> (named.len() - place).min(63),
            None => self.rng.below(longest),
        }
    }

    /// Tells the voters that it leads no more.
    pub(crate) fn tell_of_the_end(&mut self, now: Time) {
        let State::Resigned(resigned) = &self.state else {
            return;
        };
        for voter in resigned.unacked.clone() {
            let about = About::End { voter };
            self.send(now, Peer::Node(voter), about, Raft::end_request);
        }
    }

    pub(crate) fn on_end_answer(
        &mut self,
        now: Time,
        flight: Flight,
        voter: NodeId,
        end: &EndQuorumEpochResponse,
    ) {
        if !learned!(self, now, end) {
            return self.rest(now, flight.to);
        }
        let State::Resigned(resigned) = &mut self.state else {
            return;
        };
        resigned.unacked.retain(|id| *id != voter);
        let done = resigned.unacked.is_empty() && self.stopping && !self.may_stop;
        if done {
            self.may_stop = true;
            self.outbox.notice(crate::Effect::MayStop);
        }
    }

    pub(crate) fn on_resign(&mut self, now: Time) {
        self.stopping = true;
        match &self.state {
            State::Leader(_) if !self.is_alone() => self.resign(now),
            State::Leader(_) | State::Prospective(_) | State::Candidate(_) => {
                self.settle_down(now);
            }
            _ => {}
        }
    }

    /// The epoch that answers of this flight are about, if it is still the present one.
    pub(crate) fn is_present(&self, epoch: LeaderEpoch) -> bool {
        epoch == self.election.epoch
    }
}
