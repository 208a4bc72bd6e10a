//! Changes of the in-sync replicas, which only the controller decides: AlterPartition (KIP-497, KIP-903).

use crate::broker::Broker;
use crate::event::Effect;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, Time, Token};
use log::LogId;
use sorted::{SortedMap, SortedSet};
use wire::alter_partition_request::{AlterPartitionRequest, BrokerState, PartitionData, TopicData};
use wire::alter_partition_response::AlterPartitionResponse;

/// Version in which the controller is asked.
const VERSION: i16 = 3;
/// Time before a question that was not answered well is asked again (Kafka's).
const RETRY_MS: u64 = 50;
/// The same where there was no answer at all.
const REFUSED_RETRY_MS: u64 = 500;

/// What is asked of the controller about in-sync replicas.
#[derive(Clone, Debug, Default)]
pub(crate) struct IsrAsks {
    /// By the question's token: the replica, and the partition epoch that it builds on.
    asked: SortedMap<Token, (LogId, i32)>,
    /// What is asked again, and when.
    again: SortedSet<(Time, LogId)>,
}

/// What follows from an answer.
enum IsrAnswer {
    /// The set stays as it was.
    Withdrawn,
    /// The metadata will tell.
    Awaited,
    Again,
}

impl IsrAsks {
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.again.first().map(|(at, _)| *at)
    }
}

impl Broker {
    /// Asks for the change that a leader proposes, if there still is one.
    pub(crate) fn ask_for_isr(&mut self, id: LogId, out: &mut Vec<Effect>) {
        let Some(replica) = self.replicas.get(id) else {
            return;
        };
        let Some(proposed) = replica.proposed_isr() else {
            return;
        };
        // This broker leads in its own epoch; of the others it says what it has heard of them.
        let own = (self.config.node, self.registration.epoch());
        let states = proposed.map(|(node, epoch)| BrokerState {
            broker_id: node.0,
            broker_epoch: if node == own.0 { own.1 } else { epoch },
            ..BrokerState::default()
        });
        let partition = PartitionData {
            partition_index: replica.name.partition.0,
            leader_epoch: replica.epoch().0,
            new_isr_with_epochs: states.collect(),
            partition_epoch: replica.partition_epoch(),
            ..PartitionData::default()
        };
        let about = (id, replica.partition_epoch());
        let topic = TopicData {
            topic_id: replica.name.topic_id,
            partitions: Vec::from([partition]),
            ..TopicData::default()
        };
        let request = AlterPartitionRequest {
            broker_id: own.0.0,
            broker_epoch: own.1,
            topics: Vec::from([topic]),
            ..AlterPartitionRequest::default()
        };
        let token = self.ask(&request, VERSION, out);
        self.isr_asks.asked.insert(token, about);
    }

    /// Takes an answer about in-sync replicas; `false` when the token is not of such a question.
    pub(crate) fn isr_answered(&mut self, now: Time, token: Token, frame: &Bytes) -> bool {
        let Some((id, partition_epoch)) = self.isr_asks.asked.remove(&token) else {
            return false;
        };
        let answer = wire::decode_response::<AlterPartitionResponse>(frame.clone(), VERSION);
        let row = answer.ok().and_then(|(_, answer)| {
            let mut rows = answer.topics.into_iter().flat_map(|topic| topic.partitions);
            rows.next().filter(|_| answer.error_code == 0)
        });
        let verdict = match row.as_ref().map(|row| ErrorCode(row.error_code)) {
            // Without a change the controller writes no record, and no news will come of it.
            Some(ErrorCode::NONE)
                if row.is_some_and(|row| row.partition_epoch == partition_epoch) =>
            {
                IsrAnswer::Withdrawn
            }
            Some(ErrorCode::INELIGIBLE_REPLICA | ErrorCode::OPERATION_NOT_ATTEMPTED) => {
                IsrAnswer::Withdrawn
            }
            // Who is behind the controller learns the rest from the metadata.
            Some(
                ErrorCode::NONE
                | ErrorCode::FENCED_LEADER_EPOCH
                | ErrorCode::INVALID_REQUEST
                | ErrorCode::INVALID_UPDATE_VERSION
                | ErrorCode::UNKNOWN_TOPIC_ID
                | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ) => IsrAnswer::Awaited,
            Some(_) | None => IsrAnswer::Again,
        };
        self.isr_judged(now, id, partition_epoch, verdict);
        true
    }

    /// The controller has no answer about in-sync replicas; `false` when the token is not of such a question.
    pub(crate) fn isr_refused(&mut self, now: Time, token: Token) -> bool {
        let Some((id, partition_epoch)) = self.isr_asks.asked.remove(&token) else {
            return false;
        };
        let replica = self.replicas.get(id);
        if replica.is_some_and(|replica| replica.partition_epoch() == partition_epoch) {
            let at = now.plus_millis(REFUSED_RETRY_MS);
            self.isr_asks.again.insert((at, id));
        }
        true
    }

    fn isr_judged(&mut self, now: Time, id: LogId, partition_epoch: i32, verdict: IsrAnswer) {
        let replica = self.replicas.get(id);
        if replica.is_none_or(|replica| replica.partition_epoch() != partition_epoch) {
            return;
        }
        match verdict {
            IsrAnswer::Withdrawn => self.replicas.withdraw_isr(now, id),
            IsrAnswer::Awaited => {}
            IsrAnswer::Again => {
                self.isr_asks.again.insert((now.plus_millis(RETRY_MS), id));
            }
        }
    }

    /// Asks again where it is time to.
    pub(crate) fn expire_isr_asks(&mut self, now: Time, out: &mut Vec<Effect>) {
        while let Some(&(at, id)) = self.isr_asks.again.first()
            && at <= now
        {
            self.isr_asks.again.remove(&(at, id));
            self.ask_for_isr(id, out);
        }
    }
}
