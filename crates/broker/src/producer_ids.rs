//! The producer ids this broker gives out: blocks of them come from the controller (KIP-730).

use crate::api::init_producer_id::{granted, refused};
use crate::broker::{Broker, Cx, Handled};
use crate::event::Effect;
use crate::forward::FORWARD_TIMEOUT_MS;
use crate::parked::Parked;
use crate::waiting::{Caller, WaitId};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, Time, Token};
use sorted::SortedSet;
use wire::allocate_producer_ids_request::AllocateProducerIdsRequest;
use wire::allocate_producer_ids_response::AllocateProducerIdsResponse;

/// How long an answer of the controller is waited for before it is asked again.
const RETRY_MS: u64 = 3_000;

/// The block of producer ids this broker gives out, and who waits for the next one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProducerIds {
    next: i64,
    end: i64,
    /// The question under way, and when it is asked again.
    asked: Option<(Token, Time)>,
    /// Parked requests; each leaves this list when it is parked no more.
    waiting: SortedSet<WaitId>,
}

impl ProducerIds {
    /// When to ask again. As long as nobody waits there is no need to.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let (_, due) = self.asked?;
        (!self.waiting.is_empty()).then_some(due)
    }

    fn take(&mut self) -> Option<i64> {
        let id = self.next;
        (id < self.end).then(|| {
            self.next += 1;
            id
        })
    }
}

impl Broker {
    /// The next producer id, if the block has one; else asks for a block.
    pub(crate) fn take_producer_id(&mut self, now: Time, out: &mut Vec<Effect>) -> Option<i64> {
        let id = self.producer_ids.take();
        let asked = self.producer_ids.asked;
        if id.is_none() && asked.is_none_or(|(_, due)| due <= now) {
            self.ask_for_producer_ids(now, out);
        }
        id
    }

    /// Parks an `InitProducerId` until a block of ids has come.
    pub(crate) fn await_producer_id(&mut self, cx: &Cx<'_>) -> Handled {
        let id = self.waiting.next_id();
        self.producer_ids.waiting.insert(id);
        let deadline = Some(cx.now.plus_millis(FORWARD_TIMEOUT_MS));
        (self.waiting).park(id, cx.caller, deadline, Parked::ProducerId);
        Handled::Parked(id)
    }

    /// Takes an answer about producer ids; `false` when the token is not that question's.
    pub(crate) fn producer_ids_answered(
        &mut self,
        now: Time,
        token: Token,
        frame: &Bytes,
        out: &mut Vec<Effect>,
    ) -> bool {
        if !self.is_producer_ids_question(token) {
            return false;
        }
        let answer = wire::decode_response::<AllocateProducerIdsResponse>(frame.clone(), 0);
        match answer {
            Ok((_, answer)) if answer.error_code == 0 && answer.producer_id_len > 0 => {
                let (start, len) = (answer.producer_id_start, answer.producer_id_len);
                self.producer_ids.asked = None;
                self.producer_ids.next = start;
                self.producer_ids.end = start.saturating_add(i64::from(len));
                self.give_producer_ids(now, out);
            }
            _ => _ = self.producer_ids_refused(token, out),
        }
        true
    }

    /// There is no block: whoever waits for one comes back later. `false` when the token is not that
    /// question's.
    pub(crate) fn producer_ids_refused(&mut self, token: Token, out: &mut Vec<Effect>) -> bool {
        if !self.is_producer_ids_question(token) {
            return false;
        }
        self.producer_ids.asked = None;
        for id in core::mem::take(&mut self.producer_ids.waiting) {
            if let Some(waiter) = self.waiting.remove(id) {
                let answer = refused(ErrorCode::COORDINATOR_NOT_AVAILABLE);
                self.finish_with(&waiter.caller, &answer, out);
            }
        }
        true
    }

    /// No block has come in time.
    pub(crate) fn producer_id_timed_out(
        &mut self,
        id: WaitId,
        caller: &Caller,
        out: &mut Vec<Effect>,
    ) {
        self.forget_producer_id(id);
        self.finish_with(caller, &refused(ErrorCode::REQUEST_TIMED_OUT), out);
    }

    /// A request for a producer id is not parked any more.
    pub(crate) fn forget_producer_id(&mut self, id: WaitId) {
        self.producer_ids.waiting.remove(&id);
    }

    /// The controller's answer may have got lost.
    pub(crate) fn expire_producer_ids(&mut self, now: Time, out: &mut Vec<Effect>) {
        if (self.producer_ids.next_deadline()).is_some_and(|due| due <= now) {
            self.ask_for_producer_ids(now, out);
        }
    }

    fn is_producer_ids_question(&self, token: Token) -> bool {
        self.producer_ids
            .asked
            .is_some_and(|(asked, _)| asked == token)
    }

    fn ask_for_producer_ids(&mut self, now: Time, out: &mut Vec<Effect>) {
        let request = AllocateProducerIdsRequest {
            broker_id: self.config.node.0,
            broker_epoch: self.registration.epoch(),
            ..AllocateProducerIdsRequest::default()
        };
        let token = self.ask(&request, 0, out);
        self.producer_ids.asked = Some((token, now.plus_millis(RETRY_MS)));
    }

    /// Gives out the block as far as it goes, in the order of asking; for the others another comes.
    fn give_producer_ids(&mut self, now: Time, out: &mut Vec<Effect>) {
        while let Some(id) = self.producer_ids.waiting.first().copied() {
            let Some(producer_id) = self.take_producer_id(now, out) else {
                break;
            };
            self.producer_ids.waiting.remove(&id);
            if let Some(waiter) = self.waiting.remove(id) {
                self.finish_with(&waiter.caller, &granted(producer_id), out);
            }
        }
    }
}
