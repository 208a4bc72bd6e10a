//! The broker's place in the cluster: registration, heartbeats, fencing (KIP-500, KIP-631).

use crate::broker::Broker;
use crate::event::Effect;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Time, Token};
use wire::broker_heartbeat_request::BrokerHeartbeatRequest;
use wire::broker_heartbeat_response::BrokerHeartbeatResponse;
use wire::broker_registration_request::{BrokerRegistrationRequest, Feature, Listener};
use wire::broker_registration_response::BrokerRegistrationResponse;
use wire::{Message, RequestHeader, Str};

/// Version in which the broker registers.
const REGISTRATION_VERSION: i16 = 4;
/// Version of its heartbeats.
const HEARTBEAT_VERSION: i16 = 1;
/// Time before an unanswered or refused question is asked again.
const RETRY_MS: u64 = 500;
/// Time until a broker asks again whether it may stop, after the first time that it was told to wait.
const STOP_RETRY_MS: u64 = 50;

/// What is said of the features at registration: Kafka 4.3's ranges, for a cluster in which any of these levels is in
/// force must not lock the broker out. Clients are told which levels are spoken here.
const FEATURES: &[(&str, i16, i16)] = &[
    ("metadata.version", 7, 30),
    ("kraft.version", 0, 1),
    ("transaction.version", 0, 2),
    ("group.version", 0, 1),
    ("eligible.leader.replicas.version", 0, 1),
    ("share.version", 0, 2),
    ("streams.version", 0, 1),
];

fn feature(&(name, min_supported_version, max_supported_version): &(&str, i16, i16)) -> Feature {
    Feature {
        name: Str::from(name),
        min_supported_version,
        max_supported_version,
        ..Feature::default()
    }
}

/// Where registration stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registration {
    /// The question under way.
    asked: Option<(Token, Question)>,
    /// Given by the controller; -1 before.
    epoch: Option<i64>,
    /// When to ask next.
    due: Option<Time>,
    fenced: bool,
    stopping: Option<Stopping>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Register,
    Heartbeat,
}

/// Controlled shutdown: leaderships go first, then the broker may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    Asked,
    /// It was told to wait.
    Waiting,
    Allowed,
}

impl Registration {
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.due
    }

    /// The broker epoch; -1 before the controller has given one.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch.unwrap_or(-1)
    }
}

impl Broker {
    /// Whether the broker is registered, unfenced and serves clients.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        let entry = self.image.brokers().get(&self.config.node);
        entry.is_some_and(|entry| !entry.fenced && Some(entry.epoch) == self.registration.epoch)
    }

    /// Asks the controller to take this broker's leaderships away before it stops.
    pub fn begin_shutdown(&mut self, now: Time, out: &mut Vec<Effect>) {
        self.registration.stopping = Some(Stopping::Asked);
        self.heartbeat(now, out);
    }

    /// Whether the controller lets the broker stop.
    #[must_use]
    pub fn may_stop(&self) -> bool {
        self.registration.stopping == Some(Stopping::Allowed)
    }

    pub(crate) fn begin_registration(&mut self, now: Time, out: &mut Vec<Effect>) {
        let config = self.config.clone();
        let request = BrokerRegistrationRequest {
            broker_id: config.node.0,
            cluster_id: Str::from(&*config.cluster_id),
            incarnation_id: config.incarnation,
            listeners: alloc::vec![Listener {
                name: Str::from("PLAINTEXT"),
                host: Str::from(&*config.host),
                port: config.port,
                ..Listener::default()
            }],
            rack: config
                .properties
                .get("broker.rack")
                .map(|rack| Str::from(rack.as_str())),
            log_dirs: alloc::vec![config.directory],
            features: FEATURES.iter().map(feature).collect(),
            previous_broker_epoch: config.previous_epoch.unwrap_or(-1),
            ..BrokerRegistrationRequest::default()
        };
        let token = self.ask(&request, REGISTRATION_VERSION, out);
        self.registration.asked = Some((token, Question::Register));
        self.registration.due = Some(now.plus_millis(RETRY_MS));
    }

    fn heartbeat(&mut self, now: Time, out: &mut Vec<Effect>) {
        let request = BrokerHeartbeatRequest {
            broker_id: self.config.node.0,
            broker_epoch: self.registration.epoch(),
            current_metadata_offset: self.image.end().0 - 1,
            want_fence: false,
            want_shut_down: self.registration.stopping.is_some(),
            ..BrokerHeartbeatRequest::default()
        };
        let token = self.ask(&request, HEARTBEAT_VERSION, out);
        self.registration.asked = Some((token, Question::Heartbeat));
        let interval = self.configs().broker_number("broker.heartbeat.interval.ms");
        self.registration.due = Some(now.plus_millis(u64::try_from(interval).unwrap_or(0).max(1)));
    }

    /// Sends a request of the broker's own to the controller.
    pub(crate) fn ask<M: Message>(
        &mut self,
        request: &M,
        version: i16,
        out: &mut Vec<Effect>,
    ) -> Token {
        let header = RequestHeader {
            api_key: M::API_KEY,
            api_version: version,
            correlation_id: 0,
            client_id: Some(Str::from("broker")),
        };
        let token = self.next_token();
        match wire::encode_request(&header, request) {
            Ok(frame) => out.push(Effect::Ask { token, frame }),
            Err(why) => panic!("a request to the controller does not fit its version: {why:?}"),
        }
        token
    }

    /// Takes an answer about registration; `false` when the token is not one of its questions.
    pub(crate) fn registration_answered(&mut self, now: Time, token: Token, frame: &Bytes) -> bool {
        let Some((asked, question)) = self.registration.asked else {
            return false;
        };
        if asked != token {
            return false;
        }
        self.registration.asked = None;
        match question {
            Question::Register => {
                let answer = wire::decode_response::<BrokerRegistrationResponse>(
                    frame.clone(),
                    REGISTRATION_VERSION,
                );
                if let Ok((_, answer)) = answer
                    && answer.error_code == 0
                {
                    self.registration.epoch = Some(answer.broker_epoch);
                    self.registration.due = Some(now);
                }
            }
            Question::Heartbeat => {
                let answer = wire::decode_response::<BrokerHeartbeatResponse>(
                    frame.clone(),
                    HEARTBEAT_VERSION,
                );
                if let Ok((_, answer)) = answer
                    && answer.error_code == 0
                {
                    self.beaten(now, &answer);
                }
            }
        }
        true
    }

    /// The controller has taken a heartbeat.
    fn beaten(&mut self, now: Time, answer: &BrokerHeartbeatResponse) {
        let registration = &mut self.registration;
        registration.fenced = answer.is_fenced;
        match registration.stopping {
            Some(_) if answer.should_shut_down => {
                // The controller has fenced it; nothing more is to be said.
                registration.stopping = Some(Stopping::Allowed);
                registration.due = None;
            }
            Some(Stopping::Asked) => {
                registration.stopping = Some(Stopping::Waiting);
                registration.due = Some(now.plus_millis(STOP_RETRY_MS));
            }
            Some(_) => {}
            // A fenced broker that has caught up is unfenced by its next heartbeat, so it does not wait
            // for the interval.
            None if answer.is_fenced || !answer.is_caught_up => {
                registration.due = Some(now.plus_millis(1));
            }
            None => {}
        }
    }

    pub(crate) fn expire_registration(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.registration.due.is_none_or(|due| due > now) {
            return;
        }
        if self.registration.epoch.is_none() {
            self.begin_registration(now, out);
        } else {
            self.heartbeat(now, out);
        }
    }

    /// All records of a batch are applied.
    pub(crate) fn metadata_applied(&mut self, now: Time, _out: &mut Vec<Effect>) {
        // The controller unfences a broker once it has seen its own registration, so the
        // next heartbeat is due as soon as that record arrives.
        // A broker that stops waits for the answer to its heartbeat, which this record comes before.
        if self.registration.stopping.is_some() {
            return;
        }
        let entry = self.image.brokers().get(&self.config.node);
        if entry.is_some_and(|entry| entry.fenced && Some(entry.epoch) == self.registration.epoch) {
            self.registration.due = Some(now);
        }
    }
}
