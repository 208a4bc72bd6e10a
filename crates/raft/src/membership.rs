//! Changing who votes (KIP-853): one voter at a time, by a record that holds from the moment it is appended.

use crate::batches;
use crate::common::key_text;
use crate::fetch::SESSION_MS;
use crate::message::{CallId, Response};
use crate::raft::Raft;
use crate::state::{Change, State};
use crate::voters::{Endpoint, ReplicaKey, Voter, Voters};
use alloc::{format, string::String, vec::Vec};
use ids::{ErrorCode, NodeId, Offset, Time};
use wire::Str;
use wire::add_raft_voter_request::AddRaftVoterRequest;
use wire::add_raft_voter_response::AddRaftVoterResponse;
use wire::remove_raft_voter_request::RemoveRaftVoterRequest;
use wire::remove_raft_voter_response::RemoveRaftVoterResponse;
use wire::update_raft_voter_request::UpdateRaftVoterRequest;
use wire::update_raft_voter_response::{CurrentLeader, UpdateRaftVoterResponse};

/// Which of the three APIs is to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asks {
    Add,
    Remove,
    Update,
}

/// Why the voters stay as they are: Kafka's code, and for who reads it its words.
type Refused = (ErrorCode, String);

fn refused(code: ErrorCode, why: &str) -> Refused {
    (code, String::from(why))
}

impl Raft {
    pub(crate) fn on_add_voter(&mut self, now: Time, call: CallId, add: &AddRaftVoterRequest) {
        let voter = Voter {
            key: ReplicaKey {
                id: NodeId(add.voter_id),
                directory: add.voter_directory_id,
            },
            endpoints: (add.listeners.iter())
                .map(|listener| Endpoint {
                    listener: listener.name.detached(),
                    host: listener.host.detached(),
                    port: listener.port,
                })
                .collect(),
            kraft_versions: (0, 1),
        };
        let voters =
            (self.may_change(add.cluster_id.as_ref())).and_then(|()| self.with(now, voter));
        let call_again = add.ack_when_committed.then_some(call);
        match voters.and_then(|voters| self.change_voters(now, voters, call_again, Asks::Add)) {
            Ok(()) if add.ack_when_committed => {}
            ended => self.answer_change(call, Asks::Add, ended),
        }
    }

    pub(crate) fn on_remove_voter(
        &mut self,
        now: Time,
        call: CallId,
        remove: &RemoveRaftVoterRequest,
    ) {
        let key = ReplicaKey {
            id: NodeId(remove.voter_id),
            directory: remove.voter_directory_id,
        };
        let voters =
            (self.may_change(remove.cluster_id.as_ref())).and_then(|()| self.without(&key));
        let changed =
            voters.and_then(|voters| self.change_voters(now, voters, Some(call), Asks::Remove));
        if changed.is_err() {
            self.answer_change(call, Asks::Remove, changed);
        }
    }

    pub(crate) fn on_update_voter(
        &mut self,
        now: Time,
        call: CallId,
        update: &UpdateRaftVoterRequest,
    ) {
        let voter = Voter {
            key: ReplicaKey {
                id: NodeId(update.voter_id),
                directory: update.voter_directory_id,
            },
            endpoints: (update.listeners.iter())
                .map(|listener| Endpoint {
                    listener: listener.name.detached(),
                    host: listener.host.detached(),
                    port: listener.port,
                })
                .collect(),
            kraft_versions: (
                update.kraft_version_feature.min_supported_version,
                update.kraft_version_feature.max_supported_version,
            ),
        };
        let allowed = (self.check_leader(update.current_leader_epoch))
            .map_err(|code| refused(code, ""))
            .and_then(|()| self.may_change(update.cluster_id.as_ref()));
        let known = allowed.and_then(|()| match self.voters().get(voter.key.id) {
            Some(known) if known.key == voter.key => Ok(known == &voter),
            _ => Err(refused(ErrorCode::VOTER_NOT_FOUND, "")),
        });
        let ended = match known {
            Ok(true) => Ok(()),
            Ok(false) => {
                let others = self
                    .voters()
                    .iter()
                    .filter(|other| other.key.id != voter.key.id);
                let voters = others.cloned().chain([voter.clone()]).collect();
                let voters = Voters::new(voters);
                match self.change_voters(now, voters, Some(call), Asks::Update) {
                    Ok(()) => return,
                    refused => refused,
                }
            }
            Err(refused) => Err(refused),
        };
        self.answer_change(call, Asks::Update, ended);
    }

    /// Whether the voters may be changed now, whatever the change.
    fn may_change(&self, cluster_id: Option<&Str>) -> Result<(), Refused> {
        if !self.in_cluster(cluster_id) {
            return Err(refused(ErrorCode::INCONSISTENT_CLUSTER_ID, ""));
        }
        let State::Leader(leader) = &self.state else {
            return Err(refused(ErrorCode::NOT_LEADER_OR_FOLLOWER, ""));
        };
        if !self.is_dynamic() {
            let why =
                "Cluster doesn't support changing voters because the kraft.version feature is 0";
            return Err(refused(ErrorCode::UNSUPPORTED_VERSION, why));
        }
        // Two majorities that share no voter could elect two leaders: one change must be committed before the
        // next, and a record of this epoch before the first.
        if !leader.announced || leader.change.is_some() {
            let why =
                "Request timed out waiting for leader to handle previous voter change request";
            return Err(refused(ErrorCode::REQUEST_TIMED_OUT, why));
        }
        Ok(())
    }

    fn with(&self, now: Time, voter: Voter) -> Result<Voters, Refused> {
        let key = key_text(&voter.key);
        if voter.key.id.0 < 0 || voter.endpoints.is_empty() {
            let why = "Add voter request didn't include a voter with listeners";
            return Err(refused(ErrorCode::INVALID_REQUEST, why));
        }
        if self.voters().get(voter.key.id).is_some() {
            let why = format!("The voter id for {key} is already part of the set of voters");
            return Err((ErrorCode::DUPLICATE_VOTER, why));
        }
        let State::Leader(leader) = &self.state else {
            return Err(refused(ErrorCode::NOT_LEADER_OR_FOLLOWER, ""));
        };
        let seen = leader.observers.get(&voter.key);
        let caught_up = seen.and_then(|seen| seen.last_caught_up);
        // Who is far behind would hold up what is committed.
        if caught_up.is_none_or(|at| at.plus_millis(SESSION_MS) < now) {
            let why = format!("Aborted add voter operation for {key} since it is lagging behind");
            return Err((ErrorCode::REQUEST_TIMED_OUT, why));
        }
        let all = self.voters().iter().cloned().chain([voter]);
        Ok(Voters::new(all.collect()))
    }

    fn without(&self, key: &ReplicaKey) -> Result<Voters, Refused> {
        let (gone, left): (Vec<Voter>, Vec<Voter>) =
            (self.voters().iter().cloned()).partition(|voter| voter.key == *key);
        if gone.is_empty() || left.is_empty() {
            let all: Vec<String> = self
                .voters()
                .iter()
                .map(|voter| key_text(&voter.key))
                .collect();
            let (key, all) = (key_text(key), all.join(", "));
            let why = format!("Cannot remove voter {key} from the set of voters [{all}]");
            return Err((ErrorCode::VOTER_NOT_FOUND, why));
        }
        Ok(Voters::new(left))
    }

    /// Appends the record. It is answered once it is committed, by [`Raft::conclude_change`].
    fn change_voters(
        &mut self,
        now: Time,
        voters: Voters,
        call: Option<CallId>,
        asks: Asks,
    ) -> Result<(), Refused> {
        let (wall, mut ops) = (self.wall(now), Vec::new());
        let batch = batches::new_voters(&voters, wall.millis());
        let appended = (self.log).append(wall, &batch, self.election.epoch, &mut ops);
        let appended = appended.map_err(|_| refused(ErrorCode::UNKNOWN_SERVER_ERROR, ""))?;
        self.outbox.order_log(ops);
        let at: Offset = appended.base_offset;
        if let State::Leader(leader) = &mut self.state {
            // Who was seen in one role is known in the other.
            for voter in voters.iter() {
                if let Some(seen) = leader.observers.remove(&voter.key) {
                    leader.voters.insert(voter.key.id, seen);
                }
            }
            leader.voters.retain(|id, _| voters.get(*id).is_some());
            leader.change = Some(Change { at, call, asks });
        }
        self.voter_sets.push((at, voters));
        self.advance_as_leader(now);
        Ok(())
    }

    /// Answers a change that has been committed; a leader that is no voter any more leads no longer.
    pub(crate) fn conclude_change(&mut self, now: Time) {
        let upto = self.high_watermark;
        let State::Leader(leader) = &mut self.state else {
            return;
        };
        let committed = |at: Offset| upto.is_some_and(|upto| upto > at);
        let change = leader.change.take_if(|change| committed(change.at));
        if let Some((call, asks)) = change.and_then(|change| Some((change.call?, change.asks))) {
            self.answer_change(call, asks, Ok(()));
        }
        let named = self.voter_sets.last().map(|(at, _)| *at);
        if named.is_some_and(committed) && !self.is_voter() {
            self.resign(now);
        }
    }

    pub(crate) fn answer_change(&mut self, call: CallId, asks: Asks, ended: Result<(), Refused>) {
        let (code, why) = ended.err().unwrap_or((ErrorCode::NONE, String::new()));
        let error_code = code.0;
        let error_message = (!why.is_empty()).then(|| Str::from(why.as_str()));
        let response = match asks {
            Asks::Add => Response::AddRaftVoter(AddRaftVoterResponse {
                error_code,
                error_message,
                ..AddRaftVoterResponse::default()
            }),
            Asks::Remove => Response::RemoveRaftVoter(RemoveRaftVoterResponse {
                error_code,
                error_message,
                ..RemoveRaftVoterResponse::default()
            }),
            Asks::Update => {
                let (leader_id, leader_epoch) = self.current();
                let address = self.leader_address();
                let (host, port) =
                    address.map_or_else(Default::default, |(_, host, port)| (host, port));
                Response::UpdateRaftVoter(UpdateRaftVoterResponse {
                    error_code,
                    current_leader: CurrentLeader {
                        leader_id,
                        leader_epoch,
                        host,
                        port: port.into(),
                        ..CurrentLeader::default()
                    },
                    ..UpdateRaftVoterResponse::default()
                })
            }
        };
        self.outbox.answer(call, response);
    }
}
