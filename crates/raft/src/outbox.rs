//! The one door through which a node speaks, and what must be stored before it does.

use crate::message::{CallId, Effect, Order, Peer, Request, Response, SendId};
use alloc::{collections::VecDeque, vec::Vec};
use ids::{ErrorCode, Mutant, Offset, Token, is_planted};
use log::StoreOp;
use wire::fetch_response::FetchResponse;

/// What is said to another node. Nothing else leaves this node, and it leaves by [`Outbox::flush`] only.
#[derive(Clone, Debug)]
enum Said {
    Send(SendId, Peer, Request),
    Answer(CallId, Response),
}

/// A write on its way to the disk.
#[derive(Clone, Debug)]
struct Pending {
    token: Token,
    /// The log's end with it.
    end: Offset,
    /// Whether it saves the election.
    election: bool,
    /// What it orders but for appends: what must be ordered again if it fails, for the log goes by it.
    again: Vec<Order>,
    /// What may be said once it is stored.
    held: Vec<Said>,
}

/// Collects a step's orders, words and notices. As long as the election is being saved, all words are held back:
/// each of them may rest on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    tokens: u64,
    orders: Vec<Order>,
    said: Vec<Said>,
    notices: Vec<Effect>,
    pending: VecDeque<Pending>,
}

impl Outbox {
    pub(crate) fn send(&mut self, id: SendId, to: Peer, request: Request) {
        self.said.push(Said::Send(id, to, request));
    }

    pub(crate) fn answer(&mut self, call: CallId, response: Response) {
        self.said.push(Said::Answer(call, response));
    }

    /// Tells this node's own shell, at once.
    pub(crate) fn notice(&mut self, notice: Effect) {
        self.notices.push(notice);
    }

    pub(crate) fn order(&mut self, order: Order) {
        self.orders.push(order);
    }

    pub(crate) fn order_log(&mut self, ops: Vec<StoreOp>) {
        self.orders.extend(ops.into_iter().map(Order::Log));
    }

    /// Ends a step: gives out what it has collected. `election` is the file to save, if that has changed.
    pub(crate) fn flush(&mut self, election: Option<Vec<u8>>, end: Offset, out: &mut Vec<Effect>) {
        let saves = election.is_some();
        let again: Vec<Order> = (self.orders.iter())
            .filter(|order| !matches!(order, Order::Log(StoreOp::Append { .. })))
            .cloned()
            .collect();
        let mut orders: Vec<Order> = election.map(Order::QuorumState).into_iter().collect();
        orders.append(&mut self.orders);
        if !orders.is_empty() {
            self.tokens += 1;
            let token = Token(self.tokens);
            self.pending.push_back(Pending {
                token,
                end,
                election: saves,
                again,
                held: Vec::new(),
            });
            out.push(Effect::Store { token, orders });
        }
        self.speak(out);
    }

    /// Ends a step while the disk takes nothing: orders stay for later.
    pub(crate) fn speak(&mut self, out: &mut Vec<Effect>) {
        let careless = is_planted(Mutant::VoteToldUnsaved);
        let saving = (self.pending.iter_mut().rev()).find(|write| write.election && !careless);
        match saving {
            Some(write) => write.held.append(&mut self.said),
            None => out.extend(self.said.drain(..).map(Effect::from)),
        }
        out.append(&mut self.notices);
    }

    /// Everything up to this order is stored: gives the log's end with it, and lets out what was held.
    /// `None` for a token that is not awaited.
    pub(crate) fn stored(&mut self, token: Token, out: &mut Vec<Effect>) -> Option<Offset> {
        let at = self.pending.iter().position(|write| write.token == token)?;
        let mut end = None;
        for write in self.pending.drain(..=at) {
            end = Some(write.end);
            out.extend(write.held.into_iter().map(Effect::from));
        }
        end
    }

    /// This order and all later ones have failed: what rested on them is not said, those who wait for it are told
    /// that this node's disk has failed, and all but the appends is ordered once more. Says whether the election was among it; `None` for an unknown token.
    pub(crate) fn failed(&mut self, token: Token, out: &mut Vec<Effect>) -> Option<bool> {
        let at = self.pending.iter().position(|write| write.token == token)?;
        let mut election = false;
        for write in self.pending.drain(at..) {
            election |= write.election;
            self.orders.extend(write.again);
            out.extend(write.held.into_iter().filter_map(refused));
        }
        Some(election)
    }

    /// Drops what this step wanted to say, as [`Outbox::failed`] does: the election cannot be saved.
    pub(crate) fn refuse(&mut self, out: &mut Vec<Effect>) {
        out.extend(self.said.drain(..).filter_map(refused));
    }

    /// The log was cut here: what is still being written ends there at most.
    pub(crate) fn cut(&mut self, to: Offset) {
        for write in &mut self.pending {
            write.end = write.end.min(to);
        }
    }
}

impl From<Said> for Effect {
    fn from(said: Said) -> Effect {
        match said {
            Said::Send(id, to, request) => Effect::Send {
                id,
                to,
                version: request.version(),
                request,
            },
            Said::Answer(call, response) => Effect::Answer { call, response },
        }
    }
}

/// The answer of a node whose disk has failed; requests just time out.
fn refused(said: Said) -> Option<Effect> {
    const CODE: i16 = ErrorCode::KAFKA_STORAGE_ERROR.0;
    let Said::Answer(call, mut response) = said else {
        return None;
    };
    macro_rules! emptied {
        ($response:ident, $list:ident) => {{
            $response.error_code = CODE;
            $response.$list.clear();
            $response.node_endpoints.clear();
        }};
    }
    match &mut response {
        Response::Vote(of) => emptied!(of, topics),
        Response::BeginQuorumEpoch(of) => emptied!(of, topics),
        Response::EndQuorumEpoch(of) => emptied!(of, topics),
        Response::FetchSnapshot(of) => emptied!(of, topics),
        Response::AddRaftVoter(of) => of.error_code = CODE,
        Response::RemoveRaftVoter(of) => of.error_code = CODE,
        Response::UpdateRaftVoter(of) => of.error_code = CODE,
        Response::Fetch(of) => {
            *of = FetchResponse {
                error_code: CODE,
                ..FetchResponse::default()
            };
        }
    }
    Some(Effect::Answer { call, response })
}
