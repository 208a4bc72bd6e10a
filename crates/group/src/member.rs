use crate::{JoinAnswer, JoinRequest, Output, Protocol, Refusal, SyncAnswer};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::Time;

/// One member, with the requests of it that are parked.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: Arc<str>,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) session_ms: u32,
    pub(crate) rebalance_ms: u32,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    /// Grows with every member that ever joined: the order of joining.
    pub(crate) order: u64,
    /// Joined for the first time and has no answer yet, so cannot send heartbeats.
    pub(crate) is_new: bool,
    /// In this generation the member has not asked for its assignment yet.
    pub(crate) owes_sync: bool,
    pub(crate) join_waiter: Option<u64>,
    pub(crate) sync_waiter: Option<u64>,
    /// When the session ends; `None` once it passed while a request was parked,
    /// until the answer starts it again.
    pub(crate) session_deadline: Option<Time>,
}

impl Member {
    pub(crate) fn new(id: Arc<str>, order: u64, request: &JoinRequest) -> Member {
        Member {
            id,
            instance_id: request.instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            session_ms: millis(request.session_timeout_ms),
            rebalance_ms: millis(request.rebalance_timeout_ms),
            protocols: request.protocols.clone(),
            assignment: Bytes::new(),
            order,
            is_new: true,
            owes_sync: false,
            join_waiter: Some(request.waiter),
            sync_waiter: None,
            session_deadline: None,
        }
    }

    /// Takes over what a rejoining client says, and parks its request. An older
    /// join that is still parked is told to try again.
    pub(crate) fn rejoin(&mut self, request: &JoinRequest, out: &mut Vec<Output>) {
        self.answer_join(Err(Refusal::RebalanceInProgress), out);
        self.session_ms = millis(request.session_timeout_ms);
        self.rebalance_ms = millis(request.rebalance_timeout_ms);
        self.protocols.clone_from(&request.protocols);
        self.join_waiter = Some(request.waiter);
    }

    pub(crate) fn reset_session(&mut self, now: Time) {
        self.session_deadline = Some(now.plus_millis(u64::from(self.session_ms)));
    }

    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|p| &*p.name == protocol)
            .map(|p| p.metadata.clone())
            .unwrap_or_default()
    }

    pub(crate) fn answer_join(
        &mut self,
        result: Result<JoinAnswer, Refusal>,
        out: &mut Vec<Output>,
    ) {
        if let Some(waiter) = self.join_waiter.take() {
            out.push(Output::Joined { waiter, result });
        }
    }

    /// Whether there was a parked sync to answer.
    pub(crate) fn answer_sync(
        &mut self,
        result: Result<SyncAnswer, Refusal>,
        out: &mut Vec<Output>,
    ) -> bool {
        let parked = self.sync_waiter.take();
        if let Some(waiter) = parked {
            out.push(Output::Synced { waiter, result });
        }
        parked.is_some()
    }

    /// Answers whatever is parked; for a member that is about to go.
    pub(crate) fn refuse(&mut self, why: &Refusal, out: &mut Vec<Output>) {
        self.answer_join(Err(why.clone()), out);
        self.answer_sync(Err(why.clone()), out);
    }
}

/// A protocol's milliseconds; negative ones count as none.
pub(crate) fn millis(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}
