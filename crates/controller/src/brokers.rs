//! Brokers: registration, heartbeats, sessions, unregistration, blocks of producer ids.

use crate::controller::{Controller, PRODUCER_ID_BLOCK};
use crate::leadership::registration_change;
use alloc::string::String;
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId, Time, Uuid};
use metadata::{BrokerEntry, MetadataRecord};
use wire::Str;
use wire::allocate_producer_ids_request::AllocateProducerIdsRequest;
use wire::allocate_producer_ids_response::AllocateProducerIdsResponse;
use wire::broker_heartbeat_request::BrokerHeartbeatRequest;
use wire::broker_heartbeat_response::BrokerHeartbeatResponse;
use wire::broker_registration_change_record::BrokerRegistrationChangeRecord;
use wire::broker_registration_request::BrokerRegistrationRequest;
use wire::broker_registration_response::BrokerRegistrationResponse;
use wire::producer_ids_record::ProducerIdsRecord;
use wire::register_broker_record::{BrokerEndpoint, BrokerFeature, RegisterBrokerRecord};
use wire::unregister_broker_record::UnregisterBrokerRecord;
use wire::unregister_broker_request::UnregisterBrokerRequest;
use wire::unregister_broker_response::UnregisterBrokerResponse;

/// Ids of directories below this one are reserved (KIP-858).
const RESERVED_DIRECTORIES: u128 = 100;

/// What the controller knows of a broker that speaks to it. It is kept in memory alone: a new controller
/// begins with a whole session for every broker that serves.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Its last heartbeat.
    pub(crate) heard: Time,
    /// How far it had read the metadata then.
    metadata_offset: i64,
    /// The last offset of what its controlled shutdown has changed, while that is under way.
    shutdown_offset: Option<i64>,
}

impl Session {
    /// One that begins now.
    pub(crate) fn new(now: Time) -> Session {
        Session {
            heard: now,
            metadata_offset: -1,
            shutdown_offset: None,
        }
    }
}

/// What a broker is, and what its heartbeat makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BrokerState {
    Fenced,
    Unfenced,
    /// Controlled shutdown: others take its leaderships over and hear of it.
    Stopping,
    /// It may stop.
    Stopped,
}

impl Controller {
    /// BrokerRegistration (key 62): a broker process introduces itself (KIP-631).
    pub(crate) fn register_broker(
        &mut self,
        now: Time,
        _version: i16,
        request: &BrokerRegistrationRequest,
    ) -> (Vec<MetadataRecord>, BrokerRegistrationResponse) {
        let mut answer = BrokerRegistrationResponse {
            broker_epoch: -1,
            ..BrokerRegistrationResponse::default()
        };
        if let Err(code) = self.check_registration(now, request) {
            answer.error_code = code.0;
            return (Vec::new(), answer);
        }
        let node = NodeId(request.broker_id);
        let mut records = Vec::new();
        let existing = self.image.brokers().get(&node);
        let again = existing.filter(|entry| entry.incarnation == request.incarnation_id);
        if again.is_none() {
            // Only a broker that has stopped in order knows the epoch it last had.
            let is_clean =
                existing.is_some_and(|entry| entry.epoch == request.previous_broker_epoch);
            records = match is_clean {
                true => self.leave_isrs(node),
                false => self.stopped_uncleanly(node),
            };
        }
        // The epoch is the offset of the batch, even if the registration is not its first record.
        let epoch = again.map_or(self.next_offset().0, |entry| entry.epoch);
        records.push(MetadataRecord::RegisterBroker(registration(
            request, epoch, again,
        )));
        if again.is_none() {
            // The session begins with the first heartbeat: until then another process may take its place.
            self.heartbeats.remove(&node);
        }
        answer.broker_epoch = epoch;
        (records, answer)
    }

    fn check_registration(
        &self,
        now: Time,
        request: &BrokerRegistrationRequest,
    ) -> Result<(), ErrorCode> {
        let node = NodeId(request.broker_id);
        if let Some(cluster) = &self.cluster_id
            && **cluster != *request.cluster_id
        {
            return Err(ErrorCode::INCONSISTENT_CLUSTER_ID);
        }
        let existing = self.image.brokers().get(&node);
        // Another process with the same id is alive. A restarted one on the controller's own node is let in
        // at once: its predecessor went with the controller before this one.
        if existing.is_some_and(|entry| entry.incarnation != request.incarnation_id)
            && self.has_session(now, node)
            && node != self.config.node
        {
            return Err(ErrorCode::DUPLICATE_BROKER_REGISTRATION);
        }
        if request.is_migrating_zk_broker {
            return Err(ErrorCode::BROKER_ID_NOT_REGISTERED);
        }
        self.check_directories(node, &request.log_dirs)?;
        self.check_features(request)
    }

    /// Every directory has an id that no other has.
    fn check_directories(&self, node: NodeId, dirs: &[Uuid]) -> Result<(), ErrorCode> {
        let mut sorted = dirs.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let is_reserved = |dir: &Uuid| u128::from_be_bytes(dir.0) < RESERVED_DIRECTORIES;
        let is_anothers = |(other, entry): (&NodeId, &BrokerEntry)| {
            let mut theirs = entry.log_dirs.iter();
            *other != node && theirs.any(|dir| sorted.binary_search(dir).is_ok())
        };
        let is_wrong = dirs.is_empty()
            || sorted.len() != dirs.len()
            || sorted.iter().any(is_reserved)
            || self.image.brokers().iter().any(is_anothers);
        match is_wrong {
            true => Err(ErrorCode::INVALID_REGISTRATION),
            false => Ok(()),
        }
    }

    /// The broker speaks every feature at the level that is in force.
    fn check_features(&self, request: &BrokerRegistrationRequest) -> Result<(), ErrorCode> {
        let features = &request.features;
        let spoken = |name: &str| features.iter().find(|feature| *feature.name == *name);
        if spoken("metadata.version").is_none() {
            return Err(ErrorCode::INVALID_REGISTRATION);
        }
        for (name, level) in self.image.features().iter() {
            let (least, most) = spoken(name).map_or((0, 0), |feature| {
                (feature.min_supported_version, feature.max_supported_version)
            });
            if **name != *"kraft.version" && (*level < least || *level > most) {
                return Err(ErrorCode::UNSUPPORTED_VERSION);
            }
        }
        Ok(())
    }

    fn has_session(&self, now: Time, node: NodeId) -> bool {
        let session = self.heartbeats.get(&node);
        session.is_some_and(|session| now.since(session.heard) < self.session_micros)
    }

    /// Whether a broker's controlled shutdown is under way.
    pub(crate) fn is_stopping(&self, node: NodeId) -> bool {
        let session = self.heartbeats.get(&node);
        session.is_some_and(|session| session.shutdown_offset.is_some())
    }

    /// BrokerHeartbeat (key 63): a broker is alive, has caught up, or wants to stop.
    pub(crate) fn heartbeat(
        &mut self,
        now: Time,
        _version: i16,
        request: &BrokerHeartbeatRequest,
    ) -> (Vec<MetadataRecord>, BrokerHeartbeatResponse) {
        let node = NodeId(request.broker_id);
        let mut answer = BrokerHeartbeatResponse::default();
        if let Err(code) = self.check_broker(node, request.broker_epoch) {
            answer.error_code = code.0;
            return (Vec::new(), answer);
        }
        let entry = &self.image.brokers()[&node];
        let epoch = entry.epoch;
        // A broker may serve once it has seen its own registration.
        answer.is_caught_up = request.current_metadata_offset >= entry.registered_at.0;
        let (before, after) = self.next_state(entry, node, request);
        let mut records = match after {
            _ if before == after => Vec::new(),
            BrokerState::Unfenced => self.unfence(node, epoch),
            BrokerState::Stopping => self.begin_shutdown(node, epoch),
            BrokerState::Fenced | BrokerState::Stopped => self.fence(node, epoch),
        };
        records.extend(self.directories_told(node, request));
        let written = i64::try_from(records.len()).unwrap_or(0);
        let last = self.next_offset().0.saturating_add(written) - 1;
        let session = self.heartbeats.entry(node);
        let session = session.or_insert_with(|| Session::new(now));
        session.heard = now;
        session.metadata_offset = request.current_metadata_offset;
        session.shutdown_offset = match after {
            BrokerState::Stopping => session.shutdown_offset.or(Some(last)),
            _ => None,
        };
        answer.is_fenced = matches!(after, BrokerState::Fenced | BrokerState::Stopped);
        answer.should_shut_down = after == BrokerState::Stopped;
        (records, answer)
    }

    /// What a broker is, and what its heartbeat makes of it.
    fn next_state(
        &self,
        entry: &BrokerEntry,
        node: NodeId,
        request: &BrokerHeartbeatRequest,
    ) -> (BrokerState, BrokerState) {
        use BrokerState::{Fenced, Stopped, Stopping, Unfenced};
        let shutdown = self.heartbeats.get(&node);
        let shutdown = shutdown.and_then(|session| session.shutdown_offset);
        let is_caught_up = request.current_metadata_offset >= entry.registered_at.0;
        match shutdown.filter(|_| entry.in_controlled_shutdown) {
            _ if entry.fenced => match (request.want_shut_down, request.want_fence) {
                (true, _) => (Fenced, Stopped),
                (false, false) if is_caught_up => (Fenced, Unfenced),
                _ => (Fenced, Fenced),
            },
            // It may go when all others know who leads instead.
            Some(offset) => match self.leads(node) || offset > self.lowest_active_offset(node) {
                true => (Stopping, Stopping),
                false => (Stopping, Stopped),
            },
            None => match (request.want_shut_down, request.want_fence) {
                (true, true) => (Unfenced, Stopped),
                (true, false) if self.leads(node) => (Unfenced, Stopping),
                (true, false) => (Unfenced, Stopped),
                (false, true) => (Unfenced, Fenced),
                (false, false) => (Unfenced, Unfenced),
            },
        }
    }

    /// How far the brokers that serve and stay have read the metadata, all of them.
    fn lowest_active_offset(&self, stopping: NodeId) -> i64 {
        let others = self.image.live_brokers();
        let others = others.filter(|(node, _)| *node != stopping && !self.is_stopping(*node));
        let offset = |(node, _): (NodeId, &BrokerEntry)| {
            let session = self.heartbeats.get(&node);
            session.map_or(-1, |session| session.metadata_offset)
        };
        others.map(offset).min().unwrap_or(i64::MAX)
    }

    /// UnregisterBroker (key 64): a broker is gone for good; it is not asked.
    pub(crate) fn unregister_broker(
        &mut self,
        _now: Time,
        _version: i16,
        request: &UnregisterBrokerRequest,
    ) -> (Vec<MetadataRecord>, UnregisterBrokerResponse) {
        let node = NodeId(request.broker_id);
        let Some(entry) = self.image.brokers().get(&node) else {
            let why = alloc::format!("Broker ID {node} is not currently registered");
            let answer = UnregisterBrokerResponse {
                error_code: ErrorCode::BROKER_ID_NOT_REGISTERED.0,
                error_message: Some(Str::from(why)),
                ..UnregisterBrokerResponse::default()
            };
            return (Vec::new(), answer);
        };
        let record = UnregisterBrokerRecord {
            broker_id: request.broker_id,
            broker_epoch: entry.epoch,
            ..UnregisterBrokerRecord::default()
        };
        let mut records = self.leave_isrs(node);
        records.push(MetadataRecord::UnregisterBroker(record));
        self.heartbeats.remove(&node);
        let answer = UnregisterBrokerResponse {
            error_message: Some(Str::from(String::new())),
            ..UnregisterBrokerResponse::default()
        };
        (records, answer)
    }

    /// AllocateProducerIds (key 67): a block of ids that no other broker gets (KIP-730).
    pub(crate) fn allocate_producer_ids(
        &mut self,
        _now: Time,
        _version: i16,
        request: &AllocateProducerIdsRequest,
    ) -> (Vec<MetadataRecord>, AllocateProducerIdsResponse) {
        let mut answer = AllocateProducerIdsResponse::default();
        if let Err(code) = self.check_broker(NodeId(request.broker_id), request.broker_epoch) {
            answer.error_code = code.0;
            return (Vec::new(), answer);
        }
        let start = self.image.next_producer_id();
        let record = MetadataRecord::ProducerIds(ProducerIdsRecord {
            broker_id: request.broker_id,
            broker_epoch: request.broker_epoch,
            next_producer_id: start.saturating_add(i64::from(PRODUCER_ID_BLOCK)),
            ..ProducerIdsRecord::default()
        });
        answer.producer_id_start = start;
        answer.producer_id_len = PRODUCER_ID_BLOCK;
        (alloc::vec![record], answer)
    }

    /// A broker whose session is over leaves; `None` when there is no such broker. One at a time, for who
    /// leads instead of the first is not to be the second.
    pub(crate) fn expire_session(&mut self, now: Time) -> Option<Vec<MetadataRecord>> {
        let all = self.heartbeats.iter();
        let (node, _) = all.min_by_key(|(_, session)| session.heard)?;
        let node = *node;
        if self.has_session(now, node) {
            return None;
        }
        self.heartbeats.remove(&node);
        let entry = self.image.brokers().get(&node);
        Some(entry.map_or_else(Vec::new, |entry| self.fence(node, entry.epoch)))
    }

    pub(crate) fn next_session_end(&self) -> Option<Time> {
        let heard = self.heartbeats.values().map(|session| session.heard).min();
        heard.map(|heard| heard.plus_micros(self.session_micros))
    }

    /// What a heartbeat says about its broker's directories: which have failed, and which are cordoned.
    fn directories_told(
        &self,
        node: NodeId,
        request: &BrokerHeartbeatRequest,
    ) -> Vec<MetadataRecord> {
        let entry = &self.image.brokers()[&node];
        let mut records = Vec::new();
        let fails = |dir: &Uuid| request.offline_log_dirs.contains(dir);
        if !request.offline_log_dirs.is_empty() && entry.log_dirs.iter().any(fails) {
            records = self.directories_failed(node, &request.offline_log_dirs);
            let works = entry.log_dirs.iter().copied().filter(|dir| !fails(dir));
            let works: Vec<Uuid> = works.collect();
            // A broker without any stops by itself; there is no record that says so.
            if !works.is_empty() {
                let change = |record: &mut BrokerRegistrationChangeRecord| record.log_dirs = works;
                records.push(registration_change(node, entry.epoch, change));
            }
        }
        let cordoned = &request.cordoned_log_dirs;
        if cordoned.is_some() && *cordoned != entry.cordoned_log_dirs {
            let change = registration_change(node, entry.epoch, |record| {
                record.cordoned_log_dirs.clone_from(cordoned);
            });
            records.push(change);
        }
        records
    }
}

/// A broker's registration; one that registers again stays what it is.
fn registration(
    request: &BrokerRegistrationRequest,
    broker_epoch: i64,
    again: Option<&BrokerEntry>,
) -> RegisterBrokerRecord {
    let listeners = request.listeners.iter().map(|listener| BrokerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.security_protocol,
        ..BrokerEndpoint::default()
    });
    let features = request.features.iter().map(|feature| BrokerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..BrokerFeature::default()
    });
    RegisterBrokerRecord {
        broker_id: request.broker_id,
        incarnation_id: request.incarnation_id,
        broker_epoch,
        end_points: listeners.collect(),
        features: features.collect(),
        rack: request.rack.clone(),
        fenced: again.is_none_or(|entry| entry.fenced),
        in_controlled_shutdown: again.is_some_and(|entry| entry.in_controlled_shutdown),
        log_dirs: request.log_dirs.clone(),
        ..RegisterBrokerRecord::default()
    }
}
