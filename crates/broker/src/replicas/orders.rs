//! What replicas order from the shell, and what comes of it.

use super::{News, Replica, Replicas};
use crate::event::{Effect, Note};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Offset, Time, Token};
use log::{DiskEffect, LogId, LogSlice, StoreOp};
use sorted::SortedMap;

/// What a replica has ordered and not heard of yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    /// Stores, with the log end each one brings.
    stores: VecDeque<(Token, Offset)>,
    /// Cuts among them, and what each does.
    cuts: Vec<(Token, Vec<StoreOp>)>,
    /// Cuts that the disk has not made: they come before whatever is stored next, for what they take away
    /// would lie behind it.
    owed: Vec<StoreOp>,
    /// Loads: which bytes, by token.
    loads: SortedMap<Token, LogSlice>,
}

impl Orders {
    pub(super) fn is_storing(&self) -> bool {
        !self.stores.is_empty()
    }

    /// The log was cut by these ops, which go out with the next order: one from before stores no more of it
    /// than up to there.
    pub(super) fn cut(&mut self, end: Offset, ops: Vec<StoreOp>) {
        for (_, stored) in &mut self.stores {
            *stored = end.min(*stored);
        }
        self.owed.extend(ops);
    }

    /// Puts what is owed before these ops.
    fn with_owed(&mut self, token: Token, ops: Vec<StoreOp>) -> Vec<StoreOp> {
        if self.owed.is_empty() {
            return ops;
        }
        let owed = core::mem::take(&mut self.owed);
        self.cuts.push((token, owed.clone()));
        owed.into_iter().chain(ops).collect()
    }

    /// Takes back all orders: the cuts among them are owed again.
    fn take_back(&mut self) {
        self.stores.clear();
        let mut owed: Vec<StoreOp> = self.cuts.drain(..).flat_map(|(_, ops)| ops).collect();
        owed.append(&mut self.owed);
        self.owed = owed;
    }

    /// Where a store is among those that are not confirmed yet.
    fn place_of_store(&self, token: Token) -> Option<usize> {
        let found = self
            .stores
            .binary_search_by_key(&token, |(token, _)| *token);
        found.ok()
    }
}

impl Replicas {
    fn next_token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// Sends a replica's ops to the shell, if there are any.
    pub(crate) fn order_store(&mut self, id: LogId, ops: Vec<StoreOp>, out: &mut Vec<Effect>) {
        let owes = |replica: &Replica| !replica.orders.owed.is_empty();
        if ops.is_empty() && !self.get(id).is_some_and(owes) {
            return;
        }
        let token = self.next_token();
        let Some(replica) = self.get_mut(id) else {
            return;
        };
        let ops = replica.orders.with_owed(token, ops);
        let end = replica.log.log_end();
        replica.orders.stores.push_back((token, end));
        out.push(Effect::Disk(DiskEffect::Store {
            log: id,
            token,
            ops,
        }));
        self.note_storing(id);
    }

    /// Asks the shell for bytes that are not in memory; asks once for the same bytes.
    pub(crate) fn order_load(&mut self, id: LogId, slice: LogSlice, out: &mut Vec<Effect>) {
        let token = self.next_token();
        let Some(replica) = self.get_mut(id) else {
            return;
        };
        let loads = &mut replica.orders.loads;
        if loads.values().any(|loading| *loading == slice) {
            return;
        }
        loads.insert(token, slice);
        out.push(Effect::Disk(DiskEffect::Load {
            log: id,
            token,
            slice,
        }));
    }

    pub(crate) fn stored(&mut self, now: Time, id: LogId, token: Token) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        // An order that a failure took back is not among them any more.
        let Some(at) = replica.orders.place_of_store(token) else {
            return;
        };
        if let Some((_, end)) = replica.orders.stores.drain(..=at).next_back() {
            replica.log.stored(end);
        }
        replica.orders.cuts.retain(|(cut, _)| *cut > token);
        replica.settle(now, self.lag_ms, &mut self.news);
        self.note_storing(id);
    }

    pub(crate) fn store_failed(
        &mut self,
        now: Time,
        id: LogId,
        token: Token,
        out: &mut Vec<Effect>,
    ) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        if replica.orders.place_of_store(token).is_none() {
            return;
        }
        // The shell has written nothing of this order or any later one, so the log goes
        // back to what is stored and everyone above that is refused.
        replica.orders.take_back();
        // What is not stored is never cold: only stored chunks are evicted.
        let mut ops = Vec::new();
        let _ = replica.log.store_failed(now, &mut ops);
        let kept = replica.log.stored_end();
        if let Some(leading) = replica.leading_mut() {
            leading.cut(kept, &mut self.news);
        }
        out.push(Effect::Note(Note::StoreRefused {
            name: replica.name.clone(),
        }));
        // A cut that failed waits for the next order: the same one again would fail again.
        if !ops.is_empty() {
            self.order_store(id, ops, out);
        }
        self.note_storing(id);
        self.rest(now, id);
    }

    pub(crate) fn loaded(
        &mut self,
        now: Time,
        id: LogId,
        (token, bytes): (Token, Bytes),
        out: &mut Vec<Effect>,
    ) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        let Some(slice) = replica.orders.loads.remove(&token) else {
            return;
        };
        let is_readable = replica.log.install(&slice, bytes);
        if is_readable && !replica.orders.loads.is_empty() {
            // Whoever waits asked for several chunks, and looks again when all are there.
            return;
        }
        // Only those who wait are refused what cannot be read: other requests want other bytes, or
        // try again.
        let unreadable = (!is_readable).then_some(id);
        replica.tell_readers(unreadable, &mut self.news);
        if let Some(leading) = replica.leading_mut() {
            leading.tell_followers(unreadable, &mut self.news);
        }
        self.news.push(News::Loaded { id, is_readable });
        self.cut_on(now, id, is_readable, out);
    }
}
