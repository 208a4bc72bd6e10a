//! The producer id and epoch of an idempotent producer (KIP-98, KIP-360).

use crate::io::Output;
use crate::net::Net;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, ProducerEpoch, ProducerId, Time};
use wire::init_producer_id_request::InitProducerIdRequest;
use wire::init_producer_id_response::InitProducerIdResponse;

#[derive(Clone, Debug)]
pub(super) struct Identity {
    state: State,
    attempts: u32,
    not_before: Time,
}

#[derive(Clone, Debug)]
enum State {
    /// The producer is not idempotent.
    Off,
    Unknown,
    Asking(i32),
    Known(ProducerId, ProducerEpoch),
    /// A new epoch must be taken once nothing is in flight.
    Stale(ProducerId, ProducerEpoch),
}

impl Identity {
    pub(super) fn new(idempotent: bool) -> Identity {
        let state = if idempotent {
            State::Unknown
        } else {
            State::Off
        };
        Identity {
            state,
            attempts: 0,
            not_before: Time(0),
        }
    }

    pub(super) fn is_off(&self) -> bool {
        matches!(self.state, State::Off)
    }

    /// What batches are marked with; `None` while there is nothing to mark them with.
    pub(super) fn current(&self) -> Option<(ProducerId, ProducerEpoch)> {
        match self.state {
            State::Off => Some((ProducerId::NONE, ProducerEpoch::NONE)),
            State::Known(id, epoch) => Some((id, epoch)),
            State::Unknown | State::Asking(_) | State::Stale(..) => None,
        }
    }

    /// The sequence has a gap: a new epoch is needed.
    pub(super) fn spoil(&mut self) {
        if let State::Known(id, epoch) = self.state {
            self.state = State::Stale(id, epoch);
        }
    }

    /// Takes the next epoch when one is needed and nothing is in flight; true when sequences begin again.
    ///
    /// An idempotent producer counts its epoch up by itself; only when epochs run out it asks for a new id.
    pub(super) fn renew(&mut self, nothing_in_flight: bool) -> bool {
        let State::Stale(id, epoch) = self.state else {
            return false;
        };
        if !nothing_in_flight {
            return false;
        }
        self.state = match epoch.0.checked_add(1) {
            Some(next) if next < i16::MAX => State::Known(id, ProducerEpoch(next)),
            _ => State::Unknown,
        };
        true
    }

    /// Asks for an id when there is none.
    pub(super) fn pump(&mut self, net: &mut Net, now: Time, out: &mut Vec<Output>) {
        if !matches!(self.state, State::Unknown) || self.not_before > now {
            return;
        }
        if net.metadata().brokers.is_empty() {
            return;
        }
        let Some(node) = net.any_ready(now, out) else {
            return;
        };
        let Some(version) = net.version::<InitProducerIdRequest>(node, 5) else {
            self.state = State::Off;
            return;
        };
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..Default::default()
        };
        if let Some(correlation) = net.send(now, node, version, &request, out) {
            self.state = State::Asking(correlation);
        }
    }

    /// When [`Identity::pump`] may ask again.
    pub(super) fn deadline(&self) -> Option<Time> {
        matches!(self.state, State::Unknown).then_some(self.not_before)
    }

    /// Whether the reply was to the question for an id.
    pub(super) fn on_reply(
        &mut self,
        net: &mut Net,
        now: Time,
        correlation: i32,
        version: i16,
        frame: &Bytes,
    ) -> bool {
        if !matches!(self.state, State::Asking(asked) if asked == correlation) {
            return false;
        }
        let response = wire::decode_response::<InitProducerIdResponse>(frame.clone(), version);
        self.state = match response {
            Ok((_, response)) if ErrorCode(response.error_code).is_ok() => {
                self.attempts = 0;
                State::Known(
                    ProducerId(response.producer_id),
                    ProducerEpoch(response.producer_epoch),
                )
            }
            _ => {
                self.attempts = self.attempts.saturating_add(1);
                self.not_before = now.plus_millis(net.backoff(self.attempts));
                State::Unknown
            }
        };
        true
    }

    /// Whether the lost request was the question for an id.
    pub(super) fn on_lost(&mut self, correlation: i32) -> bool {
        let lost = matches!(self.state, State::Asking(asked) if asked == correlation);
        if lost {
            self.state = State::Unknown;
        }
        lost
    }
}
