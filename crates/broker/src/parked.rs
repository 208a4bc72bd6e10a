//! What a request that waits is parked with, and what becomes of it when its time is over, its client is
//! gone, or what it waited for has come to be.

use crate::api::delete_records::PendingDelete;
use crate::api::fetch::PendingFetch;
use crate::api::list_offsets::PendingListOffsets;
use crate::api::produce::PendingProduce;
use crate::broker::Broker;
use crate::coordinator::PendingGroup;
use crate::event::Effect;
use crate::forward::PendingForward;
use crate::replicas::{Awaiter, Ending, News};
use crate::waiting::WaitId;
use alloc::vec::Vec;
use ids::Time;
use log::LogId;
use metadata::ConfigView;

#[derive(Clone, Debug)]
pub(crate) enum Parked {
    Produce(PendingProduce),
    Fetch(PendingFetch),
    ListOffsets(PendingListOffsets),
    DeleteRecords(PendingDelete),
    Forward(PendingForward),
    /// `InitProducerId` waits for a block of ids.
    ProducerId,
    Group(PendingGroup),
}

impl Broker {
    /// Hands what has come to be in the replicas to whoever waited for it.
    pub(crate) fn hand_out(&mut self, now: Time, out: &mut Vec<Effect>) {
        loop {
            let news = self.replicas.take_news();
            if news.is_empty() {
                return self.replicas.heard(news);
            }
            for piece in &news {
                match *piece {
                    News::Settled { awaiter, ending } => self.settled(now, awaiter, ending, out),
                    News::Look { reader, unreadable } => {
                        self.look_again(now, reader, unreadable, out)
                    }
                    News::Loaded { id, is_readable } => {
                        self.coordinator_loaded(now, id, is_readable, out);
                    }
                    News::IsrProposed { id } => self.ask_for_isr(id, out),
                    News::Elected { id } => self.coordinator_elected(now, id, out),
                    News::Resigned { id } => self.coordinator_resigned(now, id, out),
                }
            }
            self.replicas.heard(news);
        }
    }

    fn settled(&mut self, now: Time, awaiter: Awaiter, ending: Ending, out: &mut Vec<Effect>) {
        match self.waiting.get(awaiter.id).map(|waiter| &waiter.parked) {
            Some(Parked::Produce(_)) => self.produce_settled(awaiter, ending, out),
            _ => self.coordinator_settled(now, awaiter.id, ending == Ending::Done, out),
        }
    }

    fn look_again(
        &mut self,
        now: Time,
        reader: WaitId,
        unreadable: Option<LogId>,
        out: &mut Vec<Effect>,
    ) {
        match self.waiting.get(reader).map(|waiter| &waiter.parked) {
            Some(Parked::Fetch(_)) => self.retry_fetch(now, reader, unreadable, out),
            Some(Parked::ListOffsets(_)) => self.retry_list_offsets(reader, unreadable, out),
            Some(Parked::DeleteRecords(_)) => self.retry_delete_records(reader, out),
            _ => {}
        }
    }

    /// A parked request whose client is gone: nobody waits for the answer any more.
    pub(crate) fn abandon(&mut self, now: Time, id: WaitId, out: &mut Vec<Effect>) {
        let Some(waiter) = self.waiting.remove(id) else {
            return;
        };
        match waiter.parked {
            Parked::Fetch(fetch) => self.forget_fetch(id, &fetch),
            Parked::ListOffsets(pending) => self.forget_list_offsets(id, &pending),
            Parked::DeleteRecords(pending) => self.forget_deletes(id, &pending),
            Parked::Group(group) => self.coordinator_abandoned(now, id, &group, out),
            // What was produced or asked for goes on; only its answer is dropped.
            Parked::Produce(_) => {}
            Parked::Forward(pending) => self.forget_forward(&pending),
            Parked::ProducerId => self.forget_producer_id(id),
        }
    }

    pub(crate) fn expire(&mut self, now: Time, out: &mut Vec<Effect>) {
        while let Some(id) = self.waiting.due(now) {
            let Some(waiter) = self.waiting.remove(id) else {
                break;
            };
            match waiter.parked {
                Parked::Produce(produce) => self.produce_timed_out(&waiter.caller, produce, out),
                Parked::Fetch(fetch) => self.fetch_timed_out(id, &waiter.caller, fetch, out),
                Parked::ListOffsets(pending) => {
                    self.list_offsets_timed_out(id, &waiter.caller, &pending, out);
                }
                Parked::DeleteRecords(pending) => {
                    self.delete_records_timed_out(id, &waiter.caller, pending, out);
                }
                Parked::Forward(pending) => self.forward_timed_out(&waiter.caller, &pending, out),
                Parked::ProducerId => self.producer_id_timed_out(id, &waiter.caller, out),
                Parked::Group(group) => self.coordinator_timed_out(now, &waiter.caller, group, out),
            }
        }
        self.expire_groups(now, out);
        self.expire_registration(now, out);
        self.expire_producer_ids(now, out);
        self.expire_replicas(now, out);
        self.expire_isr_asks(now, out);
        self.hand_out(now, out);
        self.run_ready(now, out);
    }

    fn expire_replicas(&mut self, now: Time, out: &mut Vec<Effect>) {
        let configs = ConfigView {
            image: &self.image,
            properties: &self.config.properties,
            node: Some(self.config.node),
        };
        let interval = || configs.broker_number("log.retention.check.interval.ms");
        let times = (now, self.wall(now));
        self.replicas.expire(times, interval, out);
    }
}
