//! What a broker wants of the active controller, wherever that is: kept until there is one, sent on, and sent
//! again if whoever got it is the controller no more. Each ends with an answer or a refusal.

use crate::calls::{CallToken, Purpose, Unanswered};
use crate::cluster::Effect;
use crate::codec;
use crate::link::{Endpoint, LinkEvent};
use crate::node::{Node, Work, Works};
use crate::served::Origin;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use broker::{ControllerEvent, Lost};
use bytes::Bytes;
use ids::{ErrorCode, NodeId, Time, Token};
use raft::SendId;

/// How long a request may wait for a controller and its answer together.
const PATIENCE_MS: u64 = 30_000;
/// The pause after a request that failed: who leads may not be known yet.
const RETRY_MS: u64 = 50;
/// How long a controller waits to find in the log that it has introduced itself.
const REGISTRATION_RETRY_MS: u64 = 5_000;
/// Requests that wait for a controller at a time.
const WAITING_MAX: usize = 1000;

/// One request to the controller.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// The broker's; none for what this node's controller says of itself, whose answer the log is.
    token: Option<Token>,
    frame: Bytes,
    /// When it is given up.
    until: Time,
}

/// What a call under way is for.
#[derive(Clone, Debug)]
pub(crate) enum Called {
    /// A request of the quorum's, of this API and version.
    Quorum { id: SendId, key: i16, version: i16 },
    /// A request to the controller; in an envelope if a client sent it.
    Controller(Ask),
    /// A request of the broker's to another one.
    Broker(Token),
}

/// A request on its way to another node.
pub(crate) struct Call {
    pub(crate) to: (Purpose, Endpoint),
    pub(crate) called: Called,
    pub(crate) frame: Bytes,
    pub(crate) until: Time,
}

/// The requests that wait for a controller, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asks {
    waiting: VecDeque<Ask>,
    /// Nothing is sent before.
    rests_until: Option<Time>,
    /// This node's controller does not introduce itself again before.
    registers_at: Option<Time>,
    calls: u64,
}

/// Registration and heartbeats: they are about the same thing, of which the last word counts.
fn is_lifecycle(frame: &Bytes) -> bool {
    matches!(codec::api_key(frame), 62 | 63)
}

impl Asks {
    /// Takes a request of the broker's. A heartbeat takes the place of one that nobody has heard.
    pub(crate) fn take(&mut self, now: Time, token: Token, frame: Bytes) {
        if is_lifecycle(&frame) {
            self.waiting.retain(|ask| !is_lifecycle(&ask.frame));
        }
        let until = now.plus_millis(PATIENCE_MS);
        self.waiting.push_back(Ask {
            token: Some(token),
            frame,
            until,
        });
    }

    /// When something is to be sent or given up.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let late = self.waiting.iter().map(|ask| ask.until).min()?;
        Some(self.rests_until.map_or(late, |until| until.min(late)))
    }

    /// Gives up what has waited too long, and what is too much.
    pub(crate) fn expire(&mut self, now: Time, works: &mut Works) {
        if self.rests_until.is_some_and(|until| until <= now) {
            self.rests_until = None;
        }
        let waiting = self.waiting.iter();
        let late = waiting.filter(|ask| ask.until <= now).count();
        let late = late.max(self.waiting.len().saturating_sub(WAITING_MAX));
        for ask in self.waiting.drain(..late) {
            let code = ErrorCode::REQUEST_TIMED_OUT;
            works.extend(ask.token.map(|token| refused(token, code)));
        }
    }

    /// Takes one back that has not been carried out; the oldest come first.
    fn take_back(&mut self, now: Time, ask: Ask) {
        self.rests_until = Some(now.plus_millis(RETRY_MS));
        let newer = |other: &Ask| is_lifecycle(&ask.frame) && is_lifecycle(&other.frame);
        if !self.waiting.iter().any(newer) {
            let at = self
                .waiting
                .partition_point(|other| other.token < ask.token);
            self.waiting.insert(at, ask);
        }
    }

    fn rests(&self, now: Time) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }
}

fn refused(token: Token, code: ErrorCode) -> Work {
    let event = ControllerEvent::Refused { token, code };
    Work::Broker(broker::Event::Controller(event))
}

fn answered(token: Token, frame: Bytes) -> Work {
    let event = ControllerEvent::Answered { token, frame };
    Work::Broker(broker::Event::Controller(event))
}

/// Which link a request to the controller takes: what may wait long must not hold up a heartbeat.
fn purpose(frame: &Bytes) -> Purpose {
    match codec::api_key(frame) {
        62 | 63 => Purpose::Heartbeat,
        56 | 67 | 70 | 73 => Purpose::Controller,
        _ => Purpose::Forwarding,
    }
}

impl Node {
    /// Sends on what waits, if there is a controller.
    pub(crate) fn dispatch(&mut self, now: Time, works: &mut Works, out: &mut Vec<Effect>) {
        if self.asks.waiting.is_empty() {
            return;
        }
        if self.raft.is_leader() {
            let leads = self.controller.as_ref().is_some_and(|it| it.is_leading());
            if !leads {
                return;
            }
            for ask in core::mem::take(&mut self.asks.waiting) {
                let frame = ask.frame.clone();
                self.serve(now, Origin::Broker(ask), frame, works, out);
            }
            return;
        }
        let leader = self.raft.election().leader;
        let known = leader.and_then(|leader| self.raft.endpoint_of(leader));
        let Some((host, port)) = known.filter(|_| !self.asks.rests(now)) else {
            return;
        };
        let to = Endpoint {
            host: Arc::from(&*host),
            port,
        };
        for ask in core::mem::take(&mut self.asks.waiting) {
            let purpose = purpose(&ask.frame);
            let frame = match purpose {
                Purpose::Forwarding => codec::envelope(&ask.frame),
                _ => ask.frame.clone(),
            };
            let until = ask.until;
            let call = Call {
                to: (purpose, to.clone()),
                called: Called::Controller(ask),
                frame,
                until,
            };
            self.call(now, call, works, out);
        }
    }

    /// Calls another node; what comes of it is heard once.
    pub(crate) fn call(&mut self, now: Time, call: Call, works: &mut Works, out: &mut Vec<Effect>) {
        self.asks.calls += 1;
        let token = CallToken(self.asks.calls);
        let mut effects = Vec::new();
        let made = self
            .calls
            .call(call.to, token, call.frame, call.until, &mut effects);
        out.extend(effects.into_iter().map(Effect::Link));
        match made {
            Ok(()) => _ = self.called.insert(token, call.called),
            Err(lost) => self.hear_call(now, call.called, Err(lost), works),
        }
    }

    /// A controller that does not decide introduces itself to the one that does.
    pub(crate) fn register_controller(&mut self, now: Time) {
        let Some(controller) = &self.controller else {
            return;
        };
        let rests = self.asks.registers_at.is_some_and(|at| now < at);
        if rests || self.raft.is_leader() || !self.raft.is_caught_up() || controller.is_registered()
        {
            return;
        }
        self.asks.registers_at = Some(now.plus_millis(REGISTRATION_RETRY_MS));
        self.asks.waiting.push_back(Ask {
            token: None,
            frame: codec::registration(&controller.registration()),
            until: now.plus_millis(REGISTRATION_RETRY_MS),
        });
    }

    /// Calls another broker, where its registration says that it is.
    pub(crate) fn call_broker(
        &mut self,
        now: Time,
        to: NodeId,
        (token, frame): (Token, Bytes),
        until: Time,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        let known = self.image().and_then(|image| image.brokers().get(&to));
        let Some(entry) = known else {
            let answer = Err(Lost);
            return works.push_back(Work::Broker(broker::Event::Called { token, answer }));
        };
        let to = Endpoint {
            host: entry.host.clone(),
            port: entry.port,
        };
        let call = Call {
            to: (Purpose::Replication, to),
            called: Called::Broker(token),
            frame,
            until,
        };
        self.call(now, call, works, out);
    }

    pub(crate) fn hear_link(
        &mut self,
        now: Time,
        event: LinkEvent,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        let (mut answers, mut effects) = (Vec::new(), Vec::new());
        self.calls.hear(event, &mut answers, &mut effects);
        out.extend(effects.into_iter().map(Effect::Link));
        self.hear_calls(now, answers, works);
    }

    pub(crate) fn expire_calls(&mut self, now: Time, works: &mut Works, out: &mut Vec<Effect>) {
        if self.called.is_empty() {
            return;
        }
        let (mut answers, mut effects) = (Vec::new(), Vec::new());
        self.calls.expire(now, &mut answers, &mut effects);
        out.extend(effects.into_iter().map(Effect::Link));
        self.hear_calls(now, answers, works);
    }

    /// Another controller leads, or none: what was asked of the one before is asked again.
    pub(crate) fn leave_controller(
        &mut self,
        now: Time,
        leader: Option<&Endpoint>,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        let (mut answers, mut effects) = (Vec::new(), Vec::new());
        let old = |purpose: Purpose, to: &Endpoint| {
            let asks = [Purpose::Heartbeat, Purpose::Controller, Purpose::Forwarding];
            asks.contains(&purpose) && Some(to) != leader
        };
        self.calls.leave(old, &mut answers, &mut effects);
        out.extend(effects.into_iter().map(Effect::Link));
        self.hear_calls(now, answers, works);
        self.asks.rests_until = None;
    }

    fn hear_calls(&mut self, now: Time, answers: Vec<crate::calls::Answer>, works: &mut Works) {
        for (token, answer) in answers {
            if let Some(called) = self.called.remove(&token) {
                self.hear_call(now, called, answer, works);
            }
        }
    }

    fn hear_call(
        &mut self,
        now: Time,
        called: Called,
        answer: Result<Bytes, Unanswered>,
        works: &mut Works,
    ) {
        match called {
            Called::Quorum { id, key, version } => {
                let response = answer
                    .ok()
                    .and_then(|frame| codec::response(key, version, frame));
                works.push_back(Work::Quorum(match response {
                    Some(response) => raft::Event::Response { id, response },
                    None => raft::Event::NoResponse { id },
                }));
            }
            Called::Broker(token) => {
                let answer = answer.map_err(|Unanswered| Lost);
                works.push_back(Work::Broker(broker::Event::Called { token, answer }));
            }
            Called::Controller(ask) => {
                let answer = answer.map_err(|Unanswered| ErrorCode::NOT_CONTROLLER);
                let forwarded = purpose(&ask.frame) == Purpose::Forwarding;
                let answer = answer.and_then(|frame| match forwarded {
                    true => codec::unwrapped(frame),
                    false => codec::of_controller(frame),
                });
                self.answer_broker(now, ask, answer, works);
            }
        }
    }

    /// This node's own controller has answered its broker.
    pub(crate) fn answer_broker(
        &mut self,
        now: Time,
        ask: Ask,
        answer: Result<Bytes, ErrorCode>,
        works: &mut Works,
    ) {
        match answer {
            Ok(frame) => works.extend(ask.token.map(|token| answered(token, frame))),
            Err(ErrorCode::NOT_CONTROLLER) => self.asks.take_back(now, ask),
            Err(code) => works.extend(ask.token.map(|token| refused(token, code))),
        }
    }
}
