//! What only the controller can decide: requests are passed on, and wait for its answer.

use crate::api;
use crate::broker::{Broker, Cx, Handled};
use crate::event::{Closing, Effect, Reply};
use crate::parked::Parked;
use crate::waiting::{Caller, WaitId};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, Time, Token};
use sorted::SortedMap;

/// How long a client waits for the controller before it is told that it did not answer.
pub(crate) const FORWARD_TIMEOUT_MS: u64 = 30_000;

/// A request that waits for the controller, whose answer is the client's.
#[derive(Clone, Debug)]
pub(crate) struct PendingForward {
    /// The question's token.
    token: Token,
    /// The request as it came: what to say if there is no answer depends on it.
    frame: Bytes,
}

/// Forwarded requests by the token of the question; each is parked, too, and leaves both together.
pub(crate) type Forwards = SortedMap<Token, WaitId>;

impl Broker {
    /// Requests of clients that wait for the controller's answer.
    #[must_use]
    pub fn forwarded(&self) -> usize {
        self.forwards.len()
    }

    /// Passes a client's frame on to the controller as it came; its body must be one.
    pub(crate) fn forward(&mut self, cx: &mut Cx<'_>, frame: Bytes) -> Handled {
        let id = self.waiting.next_id();
        let token = self.next_token();
        self.forwards.insert(token, id);
        let deadline = cx.now.plus_millis(FORWARD_TIMEOUT_MS);
        let pending = PendingForward {
            token,
            frame: frame.clone(),
        };
        let parked = Parked::Forward(pending);
        self.waiting.park(id, cx.caller, Some(deadline), parked);
        cx.out.push(Effect::Ask { token, frame });
        Handled::Parked(id)
    }

    /// The controller has answered a question.
    pub(crate) fn answered(
        &mut self,
        now: Time,
        token: Token,
        frame: Bytes,
        out: &mut Vec<Effect>,
    ) {
        if self.registration_answered(now, token, &frame)
            || self.producer_ids_answered(now, token, &frame, out)
            || self.isr_answered(now, token, &frame)
        {
            return;
        }
        if let Some((caller, _)) = self.take_forward(token) {
            let reply = Reply {
                bytes: frame,
                slices: Vec::new(),
            };
            self.finish(&caller, reply, out);
        }
    }

    /// The controller has no answer to a question. The broker's own registration asks again by itself.
    pub(crate) fn refused(
        &mut self,
        now: Time,
        token: Token,
        code: ErrorCode,
        out: &mut Vec<Effect>,
    ) {
        if self.producer_ids_refused(token, out) || self.isr_refused(now, token) {
            return;
        }
        if let Some((caller, pending)) = self.take_forward(token) {
            self.refuse_forward(&caller, &pending, code, out);
        }
    }

    /// The controller has not answered in time.
    pub(crate) fn forward_timed_out(
        &mut self,
        caller: &Caller,
        pending: &PendingForward,
        out: &mut Vec<Effect>,
    ) {
        self.forget_forward(pending);
        self.refuse_forward(caller, pending, ErrorCode::REQUEST_TIMED_OUT, out);
    }

    /// A forwarded request is not parked any more.
    pub(crate) fn forget_forward(&mut self, pending: &PendingForward) {
        self.forwards.remove(&pending.token);
    }

    /// Takes a forwarded request out; `None` when the token is none's, or its client has gone.
    fn take_forward(&mut self, token: Token) -> Option<(Caller, PendingForward)> {
        let id = self.forwards.remove(&token)?;
        let waiter = self.waiting.remove(id)?;
        match waiter.parked {
            Parked::Forward(pending) => Some((waiter.caller, pending)),
            _ => None,
        }
    }

    fn refuse_forward(
        &mut self,
        caller: &Caller,
        pending: &PendingForward,
        code: ErrorCode,
        out: &mut Vec<Effect>,
    ) {
        match api::forwarded::refusal(caller, &pending.frame, code) {
            Some(reply) => self.finish(caller, reply, out),
            // Never parked without a body that was read; a closed connection ends it all the same.
            None => {
                let why = Closing::Malformed;
                self.connections.end(caller.conn, caller.request, why, out);
            }
        }
    }
}
