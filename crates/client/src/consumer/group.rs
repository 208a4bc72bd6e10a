//! Membership in a classic group: finding the coordinator, joining, syncing, heartbeats, leaving.

use super::protocol;
use super::{Assignor, Begin, Call, Consumer, Event, Position, Subscription};
use crate::assignors::TopicSizes;
use crate::io::Output;
use crate::net::Node;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, NodeId, PartitionIndex, Time, TopicPartition};
use sorted::SortedSet;
use wire::Str;
use wire::find_coordinator_request::FindCoordinatorRequest;
use wire::find_coordinator_response::FindCoordinatorResponse;
use wire::heartbeat_request::HeartbeatRequest;
use wire::heartbeat_response::HeartbeatResponse;
use wire::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::join_group_response::JoinGroupResponse;
use wire::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use wire::sync_group_request::SyncGroupRequest;
use wire::sync_group_response::SyncGroupResponse;

const PROTOCOL_TYPE: Str = Str::from_static("consumer");

/// What a consumer knows of its group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) coordinator: Option<NodeId>,
    finding: bool,
    pub(super) member_id: String,
    pub(super) generation: i32,
    state: State,
    next_heartbeat: Option<Time>,
    heartbeat_out: bool,
    /// When the owner last asked for records.
    polled: Option<Time>,
    /// All members' topics and their sizes when we, as leader, made the assignment.
    pub(super) leader_of: Option<(SortedSet<Arc<str>>, TopicSizes)>,
    /// Topics of the last subscription sent.
    subscribed: SortedSet<Arc<str>>,
}

#[derive(Clone, Debug)]
enum State {
    Outside,
    /// Offsets are being stored before the partitions are given back.
    Revoking,
    Joining,
    /// As leader, waiting to know all topics of all members.
    Learning(JoinGroupResponse, u64),
    Syncing,
    Stable,
    Left,
}

impl Default for Group {
    fn default() -> Group {
        Group {
            coordinator: None,
            finding: false,
            member_id: String::new(),
            generation: -1,
            state: State::Outside,
            next_heartbeat: None,
            heartbeat_out: false,
            polled: None,
            leader_of: None,
            subscribed: SortedSet::new(),
        }
    }
}

impl Group {
    pub(super) fn is_stable(&self) -> bool {
        matches!(self.state, State::Stable)
    }

    pub(super) fn has_left(&self) -> bool {
        matches!(self.state, State::Left)
    }

    pub(super) fn left(&mut self) {
        self.state = State::Left;
    }

    /// Forgets the membership; the member id too when the coordinator does not know it.
    fn reset(&mut self, forget_id: bool) {
        self.generation = -1;
        self.state = State::Outside;
        self.next_heartbeat = None;
        self.leader_of = None;
        if forget_id {
            self.member_id.clear();
        }
    }
}

impl Consumer {
    /// Takes note that the owner asked for records, which keeps the member in the group (KIP-62).
    pub(super) fn polled(&mut self, now: Time) {
        self.group.polled = Some(now);
    }

    pub(super) fn is_busy_closing(&self) -> bool {
        self.calls
            .values()
            .any(|call| matches!(call, Call::Commit(_) | Call::Leave))
    }

    /// When the group wants something done.
    pub(super) fn group_deadline(&self) -> Option<Time> {
        if !self.is_member() || self.config.group.is_none() {
            return None;
        }
        let idle = u64::from(self.config.max_poll_interval_ms);
        let evict = self.group.polled.map(|at| at.plus_millis(idle));
        let evict = evict.filter(|_| self.group.is_stable());
        let coordinator = self
            .group
            .coordinator
            .and_then(|id| self.net.retry_at(Node::Coordinator(id)));
        let heartbeat = self
            .group
            .next_heartbeat
            .filter(|_| !self.group.heartbeat_out);
        [evict, coordinator, heartbeat].into_iter().flatten().min()
    }

    /// Does what membership needs now.
    pub(super) fn pump_group(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.config.group.is_none() || self.group.has_left() {
            if self.closing {
                self.commit_wanted = false;
                self.group.left();
            }
            return;
        }
        self.find_coordinator(now, out);
        if self.closing {
            self.pump_leave(now, out);
            return;
        }
        if !self.is_member() || self.failures > 0 && self.not_before > now {
            return;
        }
        let idle = u64::from(self.config.max_poll_interval_ms);
        let polled = *self.group.polled.get_or_insert(now);
        let evicted = polled.plus_millis(idle) <= now;
        match &self.group.state {
            State::Stable if evicted => self.send_leave(now, out),
            State::Outside if evicted => {}
            State::Outside => self.send_join(now, out),
            State::Revoking if !self.is_busy_closing() && !self.commit_wanted => {
                self.revoke();
                self.group.state = State::Outside;
                self.send_join(now, out);
            }
            State::Learning(joined, since) if *since != self.net.metadata().updates => {
                let joined = joined.clone();
                self.send_sync(now, &joined, out);
            }
            State::Stable => self.pump_heartbeat(now, out),
            _ => {}
        }
    }

    fn find_coordinator(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.group.coordinator.is_some() || self.group.finding {
            return;
        }
        if self.failures > 0 && self.not_before > now {
            return;
        }
        let Some(group) = self.config.group.clone() else {
            return;
        };
        let Some(node) = self.net.any_ready(now, out) else {
            return;
        };
        let Some(version) = self.net.version::<FindCoordinatorRequest>(node, i16::MAX) else {
            return;
        };
        let group = Str::from(group.as_ref());
        let mut request = FindCoordinatorRequest::default();
        if version >= 4 {
            request.coordinator_keys.push(group);
        } else {
            request.key = group;
        }
        if let Some(correlation) = self.net.send(now, node, version, &request, out) {
            self.calls.insert(correlation, Call::FindCoordinator);
            self.group.finding = true;
        }
    }

    pub(super) fn on_coordinator(&mut self, now: Time, version: i16, frame: Bytes) {
        self.group.finding = false;
        let Ok((_, response)) = wire::decode_response::<FindCoordinatorResponse>(frame, version)
        else {
            self.back_off(now);
            return;
        };
        let (code, node) = match response.coordinators.first() {
            Some(found) => (found.error_code, found.node_id),
            None => (response.error_code, response.node_id),
        };
        let code = ErrorCode(code);
        let known = self.net.metadata().brokers.contains_key(&NodeId(node));
        match code {
            ErrorCode::NONE if known => {
                self.group.coordinator = Some(NodeId(node));
                self.failures = 0;
            }
            ErrorCode::NONE => {
                self.net.refresh_metadata();
                self.back_off(now);
            }
            ErrorCode::GROUP_AUTHORIZATION_FAILED | ErrorCode::INVALID_GROUP_ID => {
                self.error(code, crate::errors::message(code).to_string());
                self.back_off(now);
            }
            _ => self.back_off(now),
        }
    }

    /// Forgets the coordinator, to look for it again; the membership survives unless it says otherwise.
    pub(super) fn lose_coordinator(&mut self, now: Time) {
        self.group.coordinator = None;
        self.group.finding = false;
        self.group.heartbeat_out = false;
        if matches!(
            self.group.state,
            State::Joining | State::Syncing | State::Learning(..)
        ) {
            self.group.state = State::Outside;
        }
        self.back_off(now);
    }

    /// The coordinator's node and the version to speak, when a request can be sent to it now.
    pub(super) fn coordinator<M: wire::Message>(
        &mut self,
        now: Time,
        cap: i16,
        out: &mut Vec<Output>,
    ) -> Option<(Node, i16)> {
        let node = Node::Coordinator(self.group.coordinator?);
        if self.net.unreachable(node) && self.net.retry_at(node).is_some() {
            self.net.disconnect(node, out);
            self.lose_coordinator(now);
            return None;
        }
        if !self.net.ready(now, node, out) {
            return None;
        }
        self.net
            .version::<M>(node, cap)
            .map(|version| (node, version))
    }

    fn send_join(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some((node, version)) = self.coordinator::<JoinGroupRequest>(now, 9, out) else {
            return;
        };
        let topics = self.wanted_topics();
        let metadata = protocol::subscription(topics.iter());
        self.group.subscribed = topics;
        let protocol = |assignor: &Assignor| JoinGroupRequestProtocol {
            name: Str::from(assignor.name()),
            metadata: metadata.clone(),
            ..Default::default()
        };
        let request = JoinGroupRequest {
            group_id: self.group_id(),
            session_timeout_ms: self.config.session_timeout_ms.cast_signed(),
            rebalance_timeout_ms: self.config.max_poll_interval_ms.cast_signed(),
            member_id: Str::from(self.group.member_id.as_str()),
            group_instance_id: self.instance().filter(|_| version >= 5),
            protocol_type: PROTOCOL_TYPE,
            protocols: self.config.assignors.iter().map(protocol).collect(),
            ..Default::default()
        };
        // A join is answered when all members have joined, so it may take the whole rebalance timeout.
        let timeout = self.config.max_poll_interval_ms.saturating_add(5000);
        let sent = self
            .net
            .send_within(now, node, version, &request, timeout, out);
        if let Some(correlation) = sent {
            self.calls.insert(correlation, Call::Join);
            self.group.state = State::Joining;
        }
    }

    pub(super) fn on_joined(
        &mut self,
        now: Time,
        version: i16,
        frame: Bytes,
        out: &mut Vec<Output>,
    ) {
        if !matches!(self.group.state, State::Joining) {
            return;
        }
        let Ok((_, response)) = wire::decode_response::<JoinGroupResponse>(frame, version) else {
            self.lose_coordinator(now);
            return;
        };
        let code = ErrorCode(response.error_code);
        match code {
            ErrorCode::NONE => {
                self.failures = 0;
                self.group.member_id = response.member_id.to_string();
                self.group.generation = response.generation_id;
                self.learn_or_sync(now, response, out);
            }
            ErrorCode::MEMBER_ID_REQUIRED => {
                self.group.member_id = response.member_id.to_string();
                self.group.state = State::Outside;
                self.send_join(now, out);
            }
            code => self.on_group_error(now, code),
        }
    }

    /// As leader, first gets to know every topic that a member wants.
    fn learn_or_sync(&mut self, now: Time, joined: JoinGroupResponse, out: &mut Vec<Output>) {
        let wanted = joined
            .members
            .iter()
            .flat_map(|m| protocol::subscribed(&m.metadata));
        let wanted: SortedSet<Arc<str>> = wanted.collect();
        let known = &self.net.metadata().topics;
        if wanted.iter().all(|topic| known.contains_key(topic)) {
            self.send_sync(now, &joined, out);
            return;
        }
        for topic in &wanted {
            self.net.add_topic(topic);
        }
        self.net.refresh_metadata();
        self.group.state = State::Learning(joined, self.net.metadata().updates);
    }

    fn send_sync(&mut self, now: Time, joined: &JoinGroupResponse, out: &mut Vec<Output>) {
        let Some((node, version)) = self.coordinator::<SyncGroupRequest>(now, 5, out) else {
            // The connection was lost in between; joining again finds out what became of the group.
            self.group.state = State::Outside;
            return;
        };
        let is_leader = joined.leader == joined.member_id;
        let assignments = if is_leader {
            self.assign(joined)
        } else {
            Vec::new()
        };
        let request = SyncGroupRequest {
            group_id: self.group_id(),
            generation_id: self.group.generation,
            member_id: Str::from(self.group.member_id.as_str()),
            group_instance_id: self.instance().filter(|_| version >= 3),
            protocol_type: Some(PROTOCOL_TYPE).filter(|_| version >= 5),
            protocol_name: joined.protocol_name.clone().filter(|_| version >= 5),
            assignments,
            ..Default::default()
        };
        let timeout = self.config.max_poll_interval_ms.saturating_add(5000);
        let sent = self
            .net
            .send_within(now, node, version, &request, timeout, out);
        if let Some(correlation) = sent {
            self.calls.insert(correlation, Call::Sync);
            self.group.state = State::Syncing;
        }
    }

    pub(super) fn on_synced(&mut self, now: Time, version: i16, frame: Bytes, _: &mut Vec<Output>) {
        if !matches!(self.group.state, State::Syncing) {
            return;
        }
        let Ok((_, response)) = wire::decode_response::<SyncGroupResponse>(frame, version) else {
            self.lose_coordinator(now);
            return;
        };
        let code = ErrorCode(response.error_code);
        if !code.is_ok() {
            self.on_group_error(now, code);
            return;
        }
        self.group.state = State::Stable;
        self.failures = 0;
        self.schedule_heartbeat(now);
        let interval = u64::from(self.config.auto_commit_interval_ms);
        self.next_commit = Some(now.plus_millis(interval));
        self.positions.clear();
        self.ready.clear();
        let mut assigned = Vec::new();
        for (topic, partitions) in protocol::assigned(&response.assignment) {
            self.net.add_topic(&topic);
            for partition in partitions {
                self.positions
                    .insert((topic.clone(), partition), Position::new(Begin::Committed));
                assigned.push(TopicPartition {
                    topic: topic.clone(),
                    partition: PartitionIndex(partition),
                });
            }
        }
        self.events.push_back(Event::Assigned(assigned));
    }

    fn schedule_heartbeat(&mut self, now: Time) {
        let interval = u64::from(self.config.heartbeat_interval_ms);
        self.group.next_heartbeat = Some(now.plus_millis(interval));
    }

    fn pump_heartbeat(&mut self, now: Time, out: &mut Vec<Output>) {
        let due = self.group.next_heartbeat.is_some_and(|at| at <= now);
        if !due || self.group.heartbeat_out {
            return;
        }
        let Some((node, version)) = self.coordinator::<HeartbeatRequest>(now, 4, out) else {
            return;
        };
        let request = HeartbeatRequest {
            group_id: self.group_id(),
            generation_id: self.group.generation,
            member_id: Str::from(self.group.member_id.as_str()),
            group_instance_id: self.instance().filter(|_| version >= 3),
            ..Default::default()
        };
        if let Some(correlation) = self.net.send(now, node, version, &request, out) {
            self.calls.insert(correlation, Call::Heartbeat);
            self.group.heartbeat_out = true;
            self.schedule_heartbeat(now);
        }
    }

    pub(super) fn on_heartbeat(
        &mut self,
        now: Time,
        version: i16,
        frame: Bytes,
        _: &mut Vec<Output>,
    ) {
        self.group.heartbeat_out = false;
        let Ok((_, response)) = wire::decode_response::<HeartbeatResponse>(frame, version) else {
            self.lose_coordinator(now);
            return;
        };
        let code = ErrorCode(response.error_code);
        if !code.is_ok() && self.group.is_stable() {
            self.on_group_error(now, code);
        }
    }

    /// What every answer of a coordinator may say.
    pub(super) fn on_group_error(&mut self, now: Time, code: ErrorCode) {
        match code {
            ErrorCode::REBALANCE_IN_PROGRESS => self.begin_rejoin(),
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => {
                if !self.group.is_stable() {
                    self.group.state = State::Outside;
                }
                self.back_off(now);
            }
            ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR => {
                self.lose_coordinator(now);
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => {
                // The partitions belong to others by now: nothing is stored for them any more.
                self.group.reset(code == ErrorCode::UNKNOWN_MEMBER_ID);
                self.revoke();
            }
            code => {
                self.group.reset(true);
                self.revoke();
                self.error(code, crate::errors::message(code).to_string());
                self.back_off(now);
            }
        }
    }

    /// Stores offsets if commits are automatic, gives the partitions back and joins again.
    fn begin_rejoin(&mut self) {
        match self.group.state {
            State::Stable => {
                self.group.state = State::Revoking;
                if self.config.auto_commit {
                    self.commit_wanted = true;
                }
            }
            State::Joining | State::Syncing | State::Learning(..) => {
                self.group.state = State::Outside;
            }
            State::Outside | State::Revoking | State::Left => {}
        }
    }

    fn revoke(&mut self) {
        self.next_commit = None;
        if self.is_member() && !self.positions.is_empty() {
            self.positions.clear();
            self.ready.clear();
            self.events.push_back(Event::Revoked);
        }
    }

    /// Joins again when what was assigned no longer fits the topics there are.
    pub(super) fn on_metadata(&mut self) {
        if !self.is_member() || !self.group.is_stable() {
            return;
        }
        let topics = self.wanted_topics();
        let grown = match &self.group.leader_of {
            Some((topics, then)) => self.partition_counts(topics) != *then,
            None => false,
        };
        if grown || topics != self.group.subscribed {
            self.begin_rejoin();
        }
    }

    fn wanted_topics(&self) -> SortedSet<Arc<str>> {
        match &self.subscription {
            Subscription::Assign(_) => SortedSet::new(),
            Subscription::Topics(topics) => topics.clone(),
            Subscription::Pattern(pattern) => {
                let known = self.net.metadata().topics.iter();
                let fits = known.filter(|(name, topic)| !topic.internal && pattern.matches(name));
                fits.map(|(name, _)| name.clone()).collect()
            }
        }
    }

    fn pump_leave(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.commit_wanted && !self.group.is_stable() && self.is_member() {
            self.commit_wanted = false;
        }
        if self.commit_wanted || self.is_busy_closing() {
            return;
        }
        // A static member does not leave (KIP-345), and one who never joined cannot.
        let member = self.is_member() && !self.group.member_id.is_empty();
        if !member || self.config.instance.is_some() || self.group.coordinator.is_none() {
            self.group.left();
            return;
        }
        self.send_leave(now, out);
    }

    fn send_leave(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some((node, version)) = self.coordinator::<LeaveGroupRequest>(now, 5, out) else {
            if self.closing && self.group.coordinator.is_none() {
                self.group.left();
            }
            return;
        };
        let id = Str::from(self.group.member_id.as_str());
        let mut request = LeaveGroupRequest {
            group_id: self.group_id(),
            ..Default::default()
        };
        if version >= 3 {
            request.members.push(MemberIdentity {
                member_id: id,
                group_instance_id: self.instance(),
                ..Default::default()
            });
        } else {
            request.member_id = id;
        }
        if let Some(correlation) = self.net.send(now, node, version, &request, out) {
            self.group.reset(true);
            self.revoke();
            if self.closing {
                self.calls.insert(correlation, Call::Leave);
                self.group.state = State::Left;
            }
        }
    }

    pub(super) fn group_id(&self) -> Str {
        self.config
            .group
            .as_ref()
            .map_or(Str::EMPTY, |group| Str::from(group.as_ref()))
    }

    pub(super) fn instance(&self) -> Option<Str> {
        self.config
            .instance
            .as_ref()
            .map(|instance| Str::from(instance.as_ref()))
    }
}
