//! Fetch (key 1, versions 4–18): read batches from several partitions.
//!
//! Waits up to `max_wait` until `min_bytes` are there; the wait ends early when a high watermark moves
//! or a partition has an error. The first partition with data may exceed every limit by one batch, so
//! that a reader always gets on; later ones obey what is left. Sessions (KIP-227) from v7, the current
//! leader's epoch from v9, divergence (KIP-595) from v12, topics by id from v13.
//!
//! The answer holds slices of logs, not bytes: what a consumer gets is what the producer sent.
//!
//! Left out: fetches by followers (answered 6) and from the nearest replica (KIP-392).

mod session;

pub(crate) use session::Sessions;

use crate::broker::{Broker, Cx, Handled, encode};
use crate::event::{Effect, ReplicaId, Reply};
use crate::waiting::{Caller, Parked, WaitId};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, Time, Uuid};
use log::{LogSlice, Read};
use session::{Resolved, SessionId};
use wire::fetch_request::FetchRequest;
use wire::fetch_response::{
    EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use wire::{Records, Str};

/// One partition a fetch asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) topic: Str,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: PartitionIndex,
    pub(crate) offset: Offset,
    pub(crate) current_epoch: LeaderEpoch,
    pub(crate) last_fetched_epoch: LeaderEpoch,
    pub(crate) max_bytes: i32,
}

/// A fetch that waits for data.
#[derive(Clone, Debug)]
pub(crate) struct PendingFetch {
    ask: Ask,
    /// The replicas under whose `fetchers` it is noted.
    at: Vec<ReplicaId>,
}

/// What a fetch asks for, as long as it lasts.
#[derive(Clone, Debug)]
struct Ask {
    wanted: Arc<[Wanted]>,
    session: SessionId,
    min_bytes: i32,
    max_bytes: i32,
    isolation: i8,
    replica_id: i32,
}

/// One look at all partitions.
struct Look {
    topics: Vec<FetchableTopicResponse>,
    slices: Vec<(ReplicaId, LogSlice)>,
    bytes: u64,
    urgent: bool,
    /// Bytes that have to be loaded before the answer is whole.
    cold: Vec<(ReplicaId, LogSlice)>,
}

pub(crate) fn handle(broker: &mut Broker, cx: &mut Cx<'_>, request: FetchRequest) -> Handled {
    let max_wait = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let ask = match broker.resolve_session(cx, request) {
        Ok(ask) => ask,
        Err(code) => {
            return cx.reply(&FetchResponse {
                error_code: code.0,
                ..FetchResponse::default()
            });
        }
    };
    if !(0..=1).contains(&ask.isolation) {
        return cx.reply(&refuse_all(
            &ask,
            cx.caller.version,
            ErrorCode::UNKNOWN_SERVER_ERROR,
        ));
    }
    let look = broker.look(cx.now, &ask, cx.caller.version);
    if look.cold.is_empty() && (max_wait == 0 || look.is_enough(&ask)) {
        return Handled::Reply(broker.answer_fetch(&cx.caller, &ask, look));
    }
    // Bytes to be loaded are waited for however long it takes the shell; it always answers.
    let deadline = if look.cold.is_empty() {
        Some(cx.now.plus_millis(max_wait))
    } else {
        None
    };
    let id = broker.waiting.next_id();
    let mut at = Vec::new();
    for wanted in &*ask.wanted {
        if let Some(replica) = broker.find_wanted(wanted, cx.caller.version) {
            at.push(replica);
            if let Some(found) = broker.replicas.get_mut(replica) {
                found.fetchers.insert(id);
            }
        }
    }
    broker.waiting.park(
        id,
        cx.caller,
        deadline,
        Parked::Fetch(PendingFetch { ask, at }),
    );
    for (replica, slice) in look.cold {
        broker.order_load(replica, slice, cx.out);
    }
    Handled::Parked(id)
}

impl Look {
    fn is_enough(&self, ask: &Ask) -> bool {
        self.urgent
            || ask.wanted.is_empty()
            || self.bytes >= u64::try_from(ask.min_bytes).unwrap_or(0)
    }
}

impl Broker {
    fn resolve_session(&mut self, cx: &Cx<'_>, request: FetchRequest) -> Result<Ask, ErrorCode> {
        let replica_id = if cx.caller.version >= 15 {
            request.replica_state.replica_id
        } else {
            request.replica_id
        };
        let (min_bytes, max_bytes, isolation) = (
            request.min_bytes,
            request.max_bytes,
            request.isolation_level,
        );
        let slots = self
            .configs()
            .broker_number("max.incremental.fetch.session.cache.slots");
        let Resolved { wanted, session } =
            self.sessions
                .resolve(cx.now, request, u64::try_from(slots).unwrap_or(0))?;
        let limit =
            i32::try_from(self.configs().broker_number("fetch.max.bytes")).unwrap_or(i32::MAX);
        Ok(Ask {
            wanted,
            session,
            min_bytes,
            max_bytes: max_bytes.min(limit),
            isolation,
            replica_id,
        })
    }

    fn find_wanted(&self, wanted: &Wanted, version: i16) -> Option<ReplicaId> {
        if version >= 13 {
            let topic = self.image.topic_by_id(wanted.topic_id)?;
            return self.replicas.find(&topic.name, wanted.partition);
        }
        self.replicas.find(&wanted.topic, wanted.partition)
    }

    fn look(&self, now: Time, ask: &Ask, version: i16) -> Look {
        let mut look = Look {
            topics: Vec::new(),
            slices: Vec::new(),
            bytes: 0,
            urgent: false,
            cold: Vec::new(),
        };
        let mut left = i64::from(ask.max_bytes).max(0);
        for wanted in &*ask.wanted {
            let data = self.look_at(now, ask, wanted, version, left, &mut look);
            left -= i64::from(data.records.len());
            look.bytes += u64::from(data.records.len());
            look.urgent |= data.error_code != 0 || data.diverging_epoch.end_offset >= 0;
            let same = |topic: &FetchableTopicResponse| {
                if version >= 13 {
                    topic.topic_id == wanted.topic_id
                } else {
                    topic.topic == wanted.topic
                }
            };
            match look.topics.last_mut() {
                Some(topic) if same(topic) => topic.partitions.push(data),
                _ => look.topics.push(FetchableTopicResponse {
                    topic: wanted.topic.clone(),
                    topic_id: wanted.topic_id,
                    partitions: alloc::vec![data],
                    ..FetchableTopicResponse::default()
                }),
            }
        }
        look
    }

    /// Reads one partition, as far as `left` bytes of the whole answer allow.
    fn look_at(
        &self,
        _now: Time,
        ask: &Ask,
        wanted: &Wanted,
        version: i16,
        left: i64,
        look: &mut Look,
    ) -> PartitionData {
        let index = wanted.partition;
        let known = if version >= 13 {
            self.image.topic_by_id(wanted.topic_id)
        } else {
            self.image.topic(&wanted.topic)
        };
        let Some(topic) = known else {
            let by_id = ErrorCode::UNKNOWN_TOPIC_ID;
            let code = if version >= 13 {
                by_id
            } else {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            };
            return refusal(index, code, Some(Vec::new()));
        };
        if !topic.partitions.contains_key(&index) {
            return refusal(
                index,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                Some(Vec::new()),
            );
        }
        let found = self
            .replicas
            .find(&topic.name, index)
            .and_then(|id| Some((id, self.replicas.get(id)?)));
        let leads = found
            .filter(|(_, replica)| replica.leader == Some(self.config.node) && ask.replica_id < 0);
        let Some((id, replica)) = leads else {
            let mut data = refusal(index, ErrorCode::NOT_LEADER_OR_FOLLOWER, None);
            if let Some(partition) = self.image.partition(&topic.name, index) {
                data.current_leader = LeaderIdAndEpoch {
                    leader_id: partition.leader.0,
                    leader_epoch: partition.leader_epoch.0,
                    ..LeaderIdAndEpoch::default()
                };
            }
            return data;
        };
        if let Some(code) = epoch_refusal(wanted.current_epoch, replica.epoch) {
            return refusal(index, code, None);
        }
        if self.is_unreadable(id) {
            return refusal(index, ErrorCode::KAFKA_STORAGE_ERROR, None);
        }
        let log = &replica.log;
        let mut data = PartitionData {
            partition_index: index.0,
            high_watermark: log.high_watermark().0,
            last_stable_offset: log.last_stable().0,
            log_start_offset: log.log_start().0,
            aborted_transactions: (ask.isolation == 1).then(Vec::new),
            records: Records::Bytes(bytes::Bytes::new()),
            ..PartitionData::default()
        };
        if wanted.last_fetched_epoch != LeaderEpoch::NONE {
            if wanted.last_fetched_epoch > replica.epoch {
                return refusal(index, ErrorCode::OFFSET_OUT_OF_RANGE, None);
            }
            if let Some(end) = log.offset_for_leader_epoch(wanted.last_fetched_epoch)
                && (end.epoch < wanted.last_fetched_epoch || end.end < wanted.offset)
            {
                data.diverging_epoch = EpochEndOffset {
                    epoch: end.epoch.0,
                    end_offset: end.end.0,
                    ..EpochEndOffset::default()
                };
                return data;
            }
        }
        let bound = if ask.isolation == 1 {
            log.last_stable()
        } else {
            log.high_watermark()
        };
        // Progress: the first partition with data gives at least one whole batch (KIP-74).
        let first = look.bytes == 0;
        let room = u32::try_from(left.min(i64::from(wanted.max_bytes)).max(0)).unwrap_or(u32::MAX);
        if room == 0 && !first {
            return data;
        }
        match log.read(wanted.offset, room, bound, first) {
            Ok(Read::Slice(slice)) => {
                if slice.length > 0 {
                    data.records = Records::Slice {
                        id: look.slices.len() as u64,
                        len: slice.length,
                    };
                    look.slices.push((id, slice));
                }
                data
            }
            Ok(Read::Cold(slice)) => {
                look.cold.push((id, slice));
                data
            }
            Err(_) => refusal(index, ErrorCode::OFFSET_OUT_OF_RANGE, None),
        }
    }

    /// Builds the answer; a session leaves out partitions without news.
    fn answer_fetch(&mut self, caller: &Caller, ask: &Ask, mut look: Look) -> Reply {
        let session_id = self
            .sessions
            .answered(ask.session, &mut look.topics, caller.version);
        let response = FetchResponse {
            session_id,
            responses: look.topics,
            ..FetchResponse::default()
        };
        encode(caller, &response, &look.slices)
    }

    /// Something has changed for a parked fetch: answers it if that is enough.
    pub(crate) fn retry_fetch(&mut self, now: Time, id: WaitId, out: &mut Vec<Effect>) {
        let Some(waiter) = self.waiting.get(id) else {
            return;
        };
        let Parked::Fetch(fetch) = &waiter.parked else {
            return;
        };
        let (ask, caller) = (fetch.ask.clone(), waiter.caller);
        let look = self.look(now, &ask, caller.version);
        if !look.cold.is_empty() {
            for (replica, slice) in look.cold {
                self.order_load(replica, slice, out);
            }
            return;
        }
        if look.is_enough(&ask)
            && let Some(waiter) = self.waiting.remove(id)
            && let Parked::Fetch(fetch) = waiter.parked
        {
            self.forget_fetch(id, &fetch);
            let reply = self.answer_fetch(&caller, &ask, look);
            self.finish(&caller, reply, out);
        }
    }

    /// The wait is over: whatever is there goes out.
    pub(crate) fn fetch_timed_out(
        &mut self,
        now: Time,
        id: WaitId,
        caller: &Caller,
        fetch: PendingFetch,
        out: &mut Vec<Effect>,
    ) {
        let look = self.look(now, &fetch.ask, caller.version);
        if look.cold.is_empty() {
            self.forget_fetch(id, &fetch);
            let reply = self.answer_fetch(caller, &fetch.ask, look);
            self.finish(caller, reply, out);
            return;
        }
        self.waiting.park(id, *caller, None, Parked::Fetch(fetch));
        for (replica, slice) in look.cold {
            self.order_load(replica, slice, out);
        }
    }

    pub(crate) fn forget_fetch(&mut self, id: WaitId, fetch: &PendingFetch) {
        for replica in &fetch.at {
            if let Some(found) = self.replicas.get_mut(*replica) {
                found.fetchers.remove(&id);
            }
        }
    }
}

fn epoch_refusal(asked: LeaderEpoch, own: LeaderEpoch) -> Option<ErrorCode> {
    match asked {
        LeaderEpoch::NONE => None,
        asked if asked < own => Some(ErrorCode::FENCED_LEADER_EPOCH),
        asked if asked > own => Some(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => None,
    }
}

fn refusal(
    index: PartitionIndex,
    code: ErrorCode,
    aborted_transactions: Option<Vec<wire::fetch_response::AbortedTransaction>>,
) -> PartitionData {
    PartitionData {
        partition_index: index.0,
        error_code: code.0,
        high_watermark: -1,
        aborted_transactions,
        records: Records::Bytes(bytes::Bytes::new()),
        ..PartitionData::default()
    }
}

fn refuse_all(ask: &Ask, version: i16, code: ErrorCode) -> FetchResponse {
    let mut response = FetchResponse {
        error_code: code.0,
        ..FetchResponse::default()
    };
    for wanted in &*ask.wanted {
        let data = refusal(wanted.partition, code, Some(Vec::new()));
        let same = |topic: &&mut FetchableTopicResponse| {
            if version >= 13 {
                topic.topic_id == wanted.topic_id
            } else {
                topic.topic == wanted.topic
            }
        };
        match response.responses.iter_mut().find(same) {
            Some(topic) => topic.partitions.push(data),
            None => response.responses.push(FetchableTopicResponse {
                topic: wanted.topic.clone(),
                topic_id: wanted.topic_id,
                partitions: alloc::vec![data],
                ..FetchableTopicResponse::default()
            }),
        }
    }
    response
}
