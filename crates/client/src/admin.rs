//! The requests behind the tools: rounds of calls, each to the right broker, retried while that helps.
//!
//! An owner asks one round of [`Call`]s at a time and gets all outcomes at once. Errors that a response
//! carries for single topics or groups are the owner's to read; only those that pass by themselves
//! (a coordinator that loads or has moved) are retried here.

use crate::io::{Input, Output};
use crate::net::{self, Net, Node};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, NodeId, Rng, Time};
use wire::Str;
use wire::find_coordinator_request::FindCoordinatorRequest;
use wire::find_coordinator_response::FindCoordinatorResponse;

/// `default.api.timeout.ms`.
const API_TIMEOUT_MS: u64 = 60_000;
/// How often a call is sent again because of what its answer says.
const MAX_RETRIES: u32 = 30;

/// Whom a call goes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Whichever broker answers.
    Any,
    /// The broker that takes administrative requests.
    Controller,
    /// This broker.
    Broker(NodeId),
    /// The coordinator of this group.
    Group(Str),
}

/// Pairs each request with its response and the highest version used.
macro_rules! calls {
    ($($name:ident($request_mod:ident, $request:ident, $response_mod:ident, $response:ident, $cap:expr),)*) => {
        /// A request to make.
        #[allow(missing_docs, reason = "named as the protocol names them")]
        #[derive(Clone, Debug)]
        pub enum Request {
            $($name(wire::$request_mod::$request),)*
        }

        /// The response to a request of the same name.
        #[allow(missing_docs, reason = "named as the protocol names them")]
        #[derive(Clone, Debug)]
        pub enum Response {
            $($name(wire::$response_mod::$response),)*
        }

        impl Request {
            /// Sends it; `Ok(None)` when the broker knows no version of it.
            fn send(&self, net: &mut Net, now: Time, node: Node, out: &mut Vec<Output>) -> Option<i32> {
                match self {
                    $(Request::$name(request) => {
                        let version = net.version::<wire::$request_mod::$request>(node, $cap)?;
                        net.send(now, node, version, request, out)
                    })*
                }
            }

            fn read(&self, frame: Bytes, version: i16) -> Option<Response> {
                match self {
                    $(Request::$name(_) => {
                        let decoded = wire::decode_response(frame, version);
                        decoded.ok().map(|(_, response)| Response::$name(response))
                    })*
                }
            }
        }
    };
}

calls! {
    Metadata(metadata_request, MetadataRequest, metadata_response, MetadataResponse, 13),
    CreateTopics(create_topics_request, CreateTopicsRequest, create_topics_response, CreateTopicsResponse, 7),
    DeleteTopics(delete_topics_request, DeleteTopicsRequest, delete_topics_response, DeleteTopicsResponse, 6),
    CreatePartitions(create_partitions_request, CreatePartitionsRequest, create_partitions_response, CreatePartitionsResponse, 3),
    DescribePartitions(describe_topic_partitions_request, DescribeTopicPartitionsRequest, describe_topic_partitions_response, DescribeTopicPartitionsResponse, 0),
    DescribeConfigs(describe_configs_request, DescribeConfigsRequest, describe_configs_response, DescribeConfigsResponse, 4),
    AlterConfigs(incremental_alter_configs_request, IncrementalAlterConfigsRequest, incremental_alter_configs_response, IncrementalAlterConfigsResponse, 1),
    DeleteRecords(delete_records_request, DeleteRecordsRequest, delete_records_response, DeleteRecordsResponse, 2),
    ListReassignments(list_partition_reassignments_request, ListPartitionReassignmentsRequest, list_partition_reassignments_response, ListPartitionReassignmentsResponse, 0),
    AlterReassignments(alter_partition_reassignments_request, AlterPartitionReassignmentsRequest, alter_partition_reassignments_response, AlterPartitionReassignmentsResponse, 1),
    ElectLeaders(elect_leaders_request, ElectLeadersRequest, elect_leaders_response, ElectLeadersResponse, 2),
    DescribeCluster(describe_cluster_request, DescribeClusterRequest, describe_cluster_response, DescribeClusterResponse, 2),
    DescribeLogDirs(describe_log_dirs_request, DescribeLogDirsRequest, describe_log_dirs_response, DescribeLogDirsResponse, 4),
    DescribeQuorum(describe_quorum_request, DescribeQuorumRequest, describe_quorum_response, DescribeQuorumResponse, 2),
    AddVoter(add_raft_voter_request, AddRaftVoterRequest, add_raft_voter_response, AddRaftVoterResponse, 0),
    RemoveVoter(remove_raft_voter_request, RemoveRaftVoterRequest, remove_raft_voter_response, RemoveRaftVoterResponse, 0),
    UnregisterBroker(unregister_broker_request, UnregisterBrokerRequest, unregister_broker_response, UnregisterBrokerResponse, 0),
    ApiVersions(api_versions_request, ApiVersionsRequest, api_versions_response, ApiVersionsResponse, 4),
    UpdateFeatures(update_features_request, UpdateFeaturesRequest, update_features_response, UpdateFeaturesResponse, 2),
    ListOffsets(list_offsets_request, ListOffsetsRequest, list_offsets_response, ListOffsetsResponse, 11),
    ListGroups(list_groups_request, ListGroupsRequest, list_groups_response, ListGroupsResponse, 5),
    DescribeGroups(describe_groups_request, DescribeGroupsRequest, describe_groups_response, DescribeGroupsResponse, 6),
    DescribeConsumerGroups(consumer_group_describe_request, ConsumerGroupDescribeRequest, consumer_group_describe_response, ConsumerGroupDescribeResponse, 1),
    DeleteGroups(delete_groups_request, DeleteGroupsRequest, delete_groups_response, DeleteGroupsResponse, 2),
    FindCoordinator(find_coordinator_request, FindCoordinatorRequest, find_coordinator_response, FindCoordinatorResponse, 6),
    // From version 8 on groups come in lists, from 10 on topics are named by id only; one group is enough.
    OffsetFetch(offset_fetch_request, OffsetFetchRequest, offset_fetch_response, OffsetFetchResponse, 7),
    OffsetCommit(offset_commit_request, OffsetCommitRequest, offset_commit_response, OffsetCommitResponse, 9),
    OffsetDelete(offset_delete_request, OffsetDeleteRequest, offset_delete_response, OffsetDeleteResponse, 0),
}

/// One call of a round.
#[derive(Clone, Debug)]
pub struct Call {
    /// Kafka's name of the call, for messages.
    pub name: &'static str,
    /// Whom it goes to.
    pub target: Target,
    /// What is asked.
    pub request: Request,
}

/// Why a call has no response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The code that fits best.
    pub code: ErrorCode,
    /// In Kafka's words.
    pub message: String,
}

/// What came of a call.
pub type Outcome = Result<Response, Failure>;

#[derive(Clone, Debug)]
struct Pending {
    call: Call,
    deadline: Time,
    not_before: Time,
    attempts: u32,
    /// Where its group's coordinator is.
    coordinator: Option<NodeId>,
    /// The correlation id of what was sent, and whether that was the search for the coordinator.
    sent: Option<(i32, bool)>,
    outcome: Option<Outcome>,
}

/// An administrative client.
#[derive(Clone, Debug)]
pub struct Admin {
    net: Net,
    round: Vec<Pending>,
    /// How long a call may take.
    timeout_ms: u64,
}

impl Admin {
    /// A client that has not connected to anything yet.
    #[must_use]
    pub fn new(config: net::Config, rng: Rng) -> Admin {
        Admin {
            net: Net::new(config, rng),
            round: Vec::new(),
            timeout_ms: API_TIMEOUT_MS,
        }
    }

    /// Lets every call from now on take so long; without this, a minute (`default.api.timeout.ms`).
    pub fn set_timeout(&mut self, millis: u64) {
        self.timeout_ms = millis;
    }

    /// Begins a round of calls; what is left of the round before is forgotten.
    pub fn ask(&mut self, now: Time, calls: Vec<Call>) {
        let timeout = self.timeout_ms;
        let pending = |call: Call| Pending {
            call,
            deadline: now.plus_millis(timeout),
            not_before: Time(0),
            attempts: 0,
            coordinator: None,
            sent: None,
            outcome: None,
        };
        self.round = calls.into_iter().map(pending).collect();
    }

    /// All outcomes of the round, in the order of its calls, once every call has one.
    pub fn take_round(&mut self) -> Option<Vec<Outcome>> {
        if self.round.iter().any(|pending| pending.outcome.is_none()) {
            return None;
        }
        let round = core::mem::take(&mut self.round);
        Some(
            round
                .into_iter()
                .filter_map(|pending| pending.outcome)
                .collect(),
        )
    }

    /// Connections and metadata, to look at.
    #[must_use]
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Closes every connection.
    pub fn disconnect(&mut self, out: &mut Vec<Output>) {
        self.net.close(out);
    }

    /// Takes in what happened, then does what is due.
    pub fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        self.net.step(now, input, out);
        while let Some(event) = self.net.take_event() {
            match event {
                net::Event::Reply {
                    correlation,
                    version,
                    frame,
                } => {
                    self.on_reply(now, correlation, version, frame);
                }
                net::Event::Lost { correlation, .. } => {
                    if let Some(i) = self.sent_as(correlation) {
                        self.again(now, i, true);
                    }
                }
                net::Event::Metadata => {}
            }
        }
        for i in 0..self.round.len() {
            self.pump(now, i, out);
        }
    }

    /// When [`Admin::step`] wants to be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let open = self
            .round
            .iter()
            .filter(|pending| pending.outcome.is_none());
        let own = open.flat_map(|pending| {
            let waits = pending.sent.is_none() && pending.not_before > Time(0);
            [Some(pending.deadline), waits.then_some(pending.not_before)]
                .into_iter()
                .flatten()
        });
        self.net
            .ahead(self.net.next_deadline().into_iter().chain(own))
    }

    fn sent_as(&self, correlation: i32) -> Option<usize> {
        let is_it = |pending: &Pending| pending.sent.is_some_and(|(id, _)| id == correlation);
        self.round.iter().position(is_it)
    }

    fn pump(&mut self, now: Time, i: usize, out: &mut Vec<Output>) {
        let pending = &self.round[i];
        if pending.outcome.is_some() {
            return;
        }
        if pending.deadline <= now {
            let name = pending.call.name;
            let message = if pending.attempts == 0 {
                format!("Timed out waiting for a node assignment. Call: {name}")
            } else {
                format!(
                    "Call(callName={name}) timed out after {} attempt(s)",
                    pending.attempts
                )
            };
            self.fail(i, ErrorCode::REQUEST_TIMED_OUT, message);
            return;
        }
        if pending.sent.is_some() || pending.not_before > now {
            return;
        }
        if self.net.metadata().brokers.is_empty() {
            return;
        }
        match pending.call.target.clone() {
            Target::Group(group) if pending.coordinator.is_none() => {
                self.find_coordinator(now, i, group, out);
            }
            target => self.send(now, i, &target, out),
        }
    }

    fn send(&mut self, now: Time, i: usize, target: &Target, out: &mut Vec<Output>) {
        let node = match target {
            // Among controllers it is the active one that knows everything.
            Target::Any if self.net.config().controllers => self.net.metadata().controller,
            Target::Any => None,
            Target::Controller => self.net.metadata().controller,
            Target::Broker(id) => Some(*id),
            Target::Group(_) => self.round[i].coordinator,
        };
        if node.is_some_and(|id| !self.net.metadata().brokers.contains_key(&id)) {
            // Perhaps it comes; to ask for it at once and again would be to ask all the time.
            self.again(now, i, true);
            return;
        }
        let node = match node.map(Node::Broker) {
            Some(node) if self.net.ready(now, node, out) => Some(node),
            Some(_) => None,
            None => self.net.any_ready(now, out),
        };
        let Some(node) = node else {
            return;
        };
        let pending = &mut self.round[i];
        match pending.call.request.send(&mut self.net, now, node, out) {
            Some(correlation) => {
                pending.attempts += 1;
                pending.sent = Some((correlation, false));
            }
            None => {
                let message = format!("The broker does not support {}", self.round[i].call.name);
                self.fail(i, ErrorCode::UNSUPPORTED_VERSION, message);
            }
        }
    }

    fn find_coordinator(&mut self, now: Time, i: usize, group: Str, out: &mut Vec<Output>) {
        let Some(node) = self.net.any_ready(now, out) else {
            return;
        };
        let Some(version) = self.net.version::<FindCoordinatorRequest>(node, i16::MAX) else {
            let message = String::from("The broker does not support FindCoordinator");
            self.fail(i, ErrorCode::UNSUPPORTED_VERSION, message);
            return;
        };
        let mut request = FindCoordinatorRequest::default();
        if version >= 4 {
            request.coordinator_keys.push(group);
        } else {
            request.key = group;
        }
        if let Some(correlation) = self.net.send(now, node, version, &request, out) {
            self.round[i].sent = Some((correlation, true));
        }
    }

    fn on_reply(&mut self, now: Time, correlation: i32, version: i16, frame: Bytes) {
        let Some(i) = self.sent_as(correlation) else {
            return;
        };
        let searched = self.round[i]
            .sent
            .take()
            .is_some_and(|(_, searched)| searched);
        if searched {
            self.on_coordinator(now, i, version, frame);
            return;
        }
        let Some(response) = self.round[i].call.request.read(frame, version) else {
            let message = String::from("The broker sent a response that cannot be read.");
            self.fail(i, ErrorCode::UNKNOWN_SERVER_ERROR, message);
            return;
        };
        let code = whole_error(&response);
        if passes(code) && self.round[i].attempts <= MAX_RETRIES {
            self.again(now, i, code != ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
            return;
        }
        self.round[i].outcome = Some(Ok(response));
    }

    fn on_coordinator(&mut self, now: Time, i: usize, version: i16, frame: Bytes) {
        let decoded = wire::decode_response::<FindCoordinatorResponse>(frame, version);
        let found = decoded.map(|(_, response)| match response.coordinators.first() {
            Some(found) => (ErrorCode(found.error_code), NodeId(found.node_id)),
            None => (ErrorCode(response.error_code), NodeId(response.node_id)),
        });
        match found {
            Ok((ErrorCode::NONE, node)) => self.round[i].coordinator = Some(node),
            Ok((code, _)) if !passes(code) => {
                self.fail(i, code, crate::errors::message(code).into());
            }
            _ => {
                self.round[i].attempts += 1;
                self.again(now, i, true);
            }
        }
    }

    /// Sends the call again after a while, perhaps elsewhere.
    fn again(&mut self, now: Time, i: usize, elsewhere: bool) {
        let wait = self.net.backoff(self.round[i].attempts.max(1));
        let pending = &mut self.round[i];
        pending.sent = None;
        pending.not_before = now.plus_millis(wait);
        if elsewhere {
            pending.coordinator = None;
            self.net.refresh_metadata();
        }
    }

    fn fail(&mut self, i: usize, code: ErrorCode, message: String) {
        self.round[i].outcome = Some(Err(Failure { code, message }));
    }
}

/// The error that stands for the whole response, as far as retrying goes.
fn whole_error(response: &Response) -> ErrorCode {
    let code = match response {
        Response::ListGroups(r) => r.error_code,
        Response::DescribeGroups(r) => r.groups.first().map_or(0, |group| group.error_code),
        Response::DescribeConsumerGroups(r) => r.groups.first().map_or(0, |group| group.error_code),
        Response::DeleteGroups(r) => r.results.first().map_or(0, |group| group.error_code),
        Response::OffsetFetch(r) => r.error_code,
        Response::AlterConfigs(r) => r.responses.first().map_or(0, |found| found.error_code),
        Response::OffsetDelete(r) => r.error_code,
        Response::CreateTopics(r) => r.topics.first().map_or(0, |topic| topic.error_code),
        Response::DeleteTopics(r) => r.responses.first().map_or(0, |topic| topic.error_code),
        Response::CreatePartitions(r) => r.results.first().map_or(0, |topic| topic.error_code),
        Response::AlterReassignments(r) => r.error_code,
        Response::ElectLeaders(r) => r.error_code,
        Response::DescribeQuorum(r) => r.error_code,
        Response::AddVoter(r) => r.error_code,
        Response::RemoveVoter(r) => r.error_code,
        Response::UnregisterBroker(r) => r.error_code,
        Response::UpdateFeatures(r) => r.error_code,
        Response::OffsetCommit(r) => {
            let first = r.topics.first().and_then(|topic| topic.partitions.first());
            first.map_or(0, |partition| partition.error_code)
        }
        _ => 0,
    };
    ErrorCode(code)
}

fn passes(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR
            | ErrorCode::NOT_CONTROLLER
            | ErrorCode::THROTTLING_QUOTA_EXCEEDED
    )
}
