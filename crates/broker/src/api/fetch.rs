//! Fetch (key 1, versions 4–18): read batches from several partitions.
//!
//! Waits up to `max_wait` until `min_bytes` are there; the wait ends early when a high watermark moves
//! or a partition has an error. The first partition with data may exceed every limit by one batch, so
//! that a reader always gets on; later ones obey what is left. Sessions (KIP-227) from v7, the current
//! leader's epoch from v9, divergence (KIP-595) from v12, topics by id from v13.
//!
//! The answer holds slices of logs, not bytes: what a consumer gets is what the producer sent.
//!
//! A follower that fetches is believed to be one, as in Kafka, if it is assigned (else 75, or 6 if it names
//! no epoch): its offset says what it has, and it gets all that is stored. A consumer from v11 on may read at
//! a follower, too; a leader that chooses by racks (`replica.selector.class`) names the one in the consumer's.

mod nearest;
mod session;

pub(crate) use session::Sessions;

use crate::broker::{Broker, Cx, Handled, encode};
use crate::event::{Effect, Reply};
use crate::parked::Parked;
use crate::replicas::{Heard, Replica, epoch_refusal};
use crate::waiting::{Caller, WaitId};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, Time, Uuid};
use log::{Log, LogId, LogSlice, OutOfRange, Read};
use metadata::Partition;
use session::{Resolved, SessionId};
use sorted::SortedSet;
use wire::fetch_request::FetchRequest;
use wire::fetch_response::{
    EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
    PartitionData,
};
use wire::{Records, Str};

/// The first version that tells who leads now, and where (KIP-951).
const LEADERS_FROM: i16 = 16;

/// The first version in which a consumer may read at a follower (KIP-392).
const FOLLOWERS_FROM: i16 = 11;

/// One partition a fetch asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) topic: Str,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: PartitionIndex,
    pub(crate) offset: Offset,
    pub(crate) current_epoch: LeaderEpoch,
    pub(crate) last_fetched_epoch: LeaderEpoch,
    /// Where a follower's log begins.
    pub(crate) log_start: Offset,
    pub(crate) max_bytes: i32,
}

impl Wanted {
    /// What tells the partition from others.
    fn key(&self) -> (&Str, Uuid, PartitionIndex) {
        (&self.topic, self.topic_id, self.partition)
    }
}

/// A fetch that waits for data.
#[derive(Clone, Debug)]
pub(crate) struct PendingFetch {
    ask: Ask,
    /// The replicas under whose `readers` it is noted.
    at: Vec<LogId>,
    /// When it is answered with whatever is there.
    until: Time,
}

/// What a fetch asks for, as long as it lasts.
#[derive(Clone, Debug)]
struct Ask {
    wanted: Arc<[Wanted]>,
    session: SessionId,
    min_bytes: i32,
    max_bytes: i32,
    isolation: i8,
    /// The follower that fetches; negative for a consumer.
    replica_id: i32,
    /// Its broker epoch; -1 if it tells none.
    replica_epoch: i64,
    /// Where a consumer is; empty if it does not matter.
    rack: Str,
}

/// One look at all partitions.
struct Look {
    topics: Vec<FetchableTopicResponse>,
    slices: Vec<(LogId, LogSlice)>,
    bytes: u64,
    urgent: bool,
    /// Bytes that have to be loaded before the answer is whole.
    cold: Vec<(LogId, LogSlice)>,
    /// The logs that a follower may read, and where its own begin and end.
    followed: Vec<(LogId, Offset, Offset)>,
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
    let look = broker.look(&ask, cx.caller.version, None);
    // Only now, so that a follower learns of a high watermark that it moves with its next fetch.
    broker.hear_fetch(cx.now, &ask, &look);
    if look.cold.is_empty() && (max_wait == 0 || look.is_enough(&ask)) {
        return Handled::Reply(broker.answer_fetch(&cx.caller, &ask, look));
    }
    let until = cx.now.plus_millis(max_wait);
    // Bytes to be loaded are waited for however long it takes the shell; it always answers.
    let deadline = look.cold.is_empty().then_some(until);
    let id = broker.waiting.next_id();
    let mut at = Vec::new();
    for wanted in &*ask.wanted {
        if let Some(replica) = broker.find_wanted(wanted, cx.caller.version) {
            at.push(replica);
            if let Some(found) = broker.replicas.get_mut(replica) {
                found.note_reader(id, ask.is_follower());
            }
        }
    }
    broker.waiting.park(
        id,
        cx.caller,
        deadline,
        Parked::Fetch(PendingFetch { ask, at, until }),
    );
    for (replica, slice) in look.cold {
        broker.replicas.order_load(replica, slice, cx.out);
    }
    Handled::Parked(id)
}

impl Ask {
    fn is_follower(&self) -> bool {
        self.replica_id >= 0
    }
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
        let (replica_id, replica_epoch) = if cx.caller.version >= 15 {
            let state = &request.replica_state;
            (state.replica_id, state.replica_epoch)
        } else {
            (request.replica_id, -1)
        };
        let (min_bytes, max_bytes, isolation) = (
            request.min_bytes,
            request.max_bytes,
            request.isolation_level,
        );
        let rack = match self.limits.chooses_by_rack {
            true => request.rack_id.detached(),
            false => Str::EMPTY,
        };
        let slots = self.limits.sessions;
        let Resolved { wanted, session } = self.sessions.resolve(cx.now, request, slots)?;
        Ok(Ask {
            wanted,
            session,
            min_bytes,
            max_bytes: max_bytes.min(self.limits.fetch_bytes),
            isolation,
            replica_id,
            replica_epoch,
            rack,
        })
    }

    fn find_wanted(&self, wanted: &Wanted, version: i16) -> Option<LogId> {
        if version >= 13 {
            let topic = self.image.topic_by_id(wanted.topic_id)?;
            return self.replicas.find(&topic.name, wanted.partition);
        }
        self.replicas.find(&wanted.topic, wanted.partition)
    }

    /// What there is to answer with; `unreadable` is a log of which bytes were loaded in vain.
    fn look(&self, ask: &Ask, version: i16, unreadable: Option<LogId>) -> Look {
        let mut look = Look {
            topics: Vec::new(),
            slices: Vec::new(),
            bytes: 0,
            urgent: false,
            cold: Vec::new(),
            followed: Vec::new(),
        };
        let mut left = i64::from(ask.max_bytes).max(0);
        for wanted in &*ask.wanted {
            let cold_before = look.cold.len();
            let data = self.look_at(ask, wanted, version, left, unreadable, &mut look);
            let cold = look.cold.get(cold_before..).unwrap_or_default();
            // What is loaded is meant for this answer, so that a request loads no more than it may get.
            let loading: i64 = cold.iter().map(|(_, slice)| i64::from(slice.length)).sum();
            left -= i64::from(data.records.len()) + loading;
            look.bytes += u64::from(data.records.len());
            look.urgent |= data.error_code != 0
                || data.diverging_epoch.end_offset >= 0
                || data.preferred_read_replica >= 0;
            add_row(&mut look.topics, wanted, version, data);
        }
        look
    }

    /// Reads one partition, as far as `left` bytes of the whole answer allow.
    fn look_at(
        &self,
        ask: &Ask,
        wanted: &Wanted,
        version: i16,
        left: i64,
        unreadable: Option<LogId>,
        look: &mut Look,
    ) -> PartitionData {
        let (id, replica) = match self.readable(ask, wanted, version, unreadable) {
            Ok(found) => found,
            Err(refused) => return *refused,
        };
        let (index, log) = (wanted.partition, &replica.log);
        let mut data = PartitionData {
            partition_index: index.0,
            high_watermark: log.high_watermark().0,
            last_stable_offset: log.last_stable().0,
            log_start_offset: log.log_start().0,
            aborted_transactions: (ask.isolation == 1).then(Vec::new),
            records: Records::Bytes(bytes::Bytes::new()),
            ..PartitionData::default()
        };
        if let Some(node) = self.nearest(ask, wanted, version, replica) {
            data.preferred_read_replica = node.0;
            return data;
        }
        if wanted.last_fetched_epoch > replica.epoch() {
            return refusal(index, ErrorCode::OFFSET_OUT_OF_RANGE, None);
        }
        if let Some(end) = divergence(log, wanted) {
            data.diverging_epoch = end;
            return data;
        }
        let bound = if ask.is_follower() {
            // One that claims to have more than there is is not believed.
            if (log.log_start()..=log.log_end()).contains(&wanted.offset) {
                look.followed.push((id, wanted.log_start, wanted.offset));
            }
            log.stored_end()
        } else if ask.isolation == 1 {
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
        match self.read(log, wanted.offset, (room, bound, first)) {
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
                let chunks = log.cold_chunks(&slice, room);
                look.cold.extend(chunks.map(|chunk| (id, chunk)));
                data
            }
            Err(_) => refusal(index, ErrorCode::OFFSET_OUT_OF_RANGE, None),
        }
    }

    fn read(
        &self,
        log: &Log,
        offset: Offset,
        (room, bound, first): (u32, Offset, bool),
    ) -> Result<Read, OutOfRange> {
        let through = self
            .sends_files
            .then(|| log.read_through(offset, room, bound, first));
        match through.flatten() {
            Some(slice) => Ok(Read::Slice(slice)),
            None => log.read(offset, room, bound, first),
        }
    }

    /// The replica that a partition is read from, or the answer that says why there is none.
    fn readable(
        &self,
        ask: &Ask,
        wanted: &Wanted,
        version: i16,
        unreadable: Option<LogId>,
    ) -> Result<(LogId, &Replica), Box<PartitionData>> {
        let index = wanted.partition;
        let unknown = |code| Box::new(refusal(index, code, Some(Vec::new())));
        let topic = if version >= 13 {
            let found = self.image.topic_by_id(wanted.topic_id);
            found.ok_or_else(|| unknown(ErrorCode::UNKNOWN_TOPIC_ID))?
        } else {
            let found = self.image.topic(&wanted.topic);
            found.ok_or_else(|| unknown(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?
        };
        let Some(partition) = topic.partitions.get(&index) else {
            return Err(unknown(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        };
        let id = self.replicas.find(&topic.name, index);
        let found = id.and_then(|id| Some((id, self.replicas.get(id)?)));
        let code = match found {
            None => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            Some((id, replica)) => match self.read_refusal(ask, wanted, version, replica) {
                None if unreadable == Some(id) => ErrorCode::KAFKA_STORAGE_ERROR,
                None => return Ok((id, replica)),
                Some(code) => code,
            },
        };
        let data = refusal(index, code, None);
        Err(Box::new(match code {
            ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::NOT_LEADER_OR_FOLLOWER => {
                with_leader(data, partition, version)
            }
            _ => data,
        }))
    }

    /// Why a replica is not read by this fetch.
    fn read_refusal(
        &self,
        ask: &Ask,
        wanted: &Wanted,
        version: i16,
        replica: &Replica,
    ) -> Option<ErrorCode> {
        if let Some(code) = epoch_refusal(wanted.current_epoch, replica.epoch()) {
            return Some(code);
        }
        let serves_here = !ask.is_follower() && version >= FOLLOWERS_FROM && replica.follows();
        if !replica.leads() && !serves_here {
            return Some(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        if !ask.is_follower() {
            return None;
        }
        let node = NodeId(ask.replica_id);
        if node == self.config.node || !replica.is_assigned_to(node) {
            // Who names an epoch may have heard of an assignment that is not known here yet.
            return Some(match wanted.current_epoch {
                LeaderEpoch::NONE => ErrorCode::NOT_LEADER_OR_FOLLOWER,
                _ => ErrorCode::UNKNOWN_LEADER_EPOCH,
            });
        }
        let entry = self.image.brokers().get(&node);
        let is_stale = |epoch| ask.replica_epoch != -1 && ask.replica_epoch < epoch;
        let is_stale = entry.is_some_and(|entry| is_stale(entry.epoch));
        is_stale.then_some(ErrorCode::NOT_LEADER_OR_FOLLOWER)
    }

    /// Takes note of what a follower's fetch tells of its logs. Looking again later tells nothing new.
    fn hear_fetch(&mut self, now: Time, ask: &Ask, look: &Look) {
        if look.followed.is_empty() {
            return;
        }
        let node = NodeId(ask.replica_id);
        let entry = self
            .image
            .brokers()
            .get(&node)
            .filter(|entry| entry.is_active());
        let is_eligible = entry.is_some_and(|entry| [-1, entry.epoch].contains(&ask.replica_epoch));
        for &(id, start, end) in &look.followed {
            let heard = Heard {
                node,
                start,
                end,
                broker_epoch: ask.replica_epoch,
                is_eligible,
            };
            self.replicas.hear_follower(now, id, heard);
        }
    }

    /// Builds the answer; a session leaves out partitions without news.
    fn answer_fetch(&mut self, caller: &Caller, ask: &Ask, mut look: Look) -> Reply {
        let session_id = self.sessions.answered(ask.session, &mut look.topics);
        let response = FetchResponse {
            session_id,
            // Replicas know from the metadata where the others are.
            node_endpoints: match ask.is_follower() {
                true => Vec::new(),
                false => self.leaders_named(&look.topics),
            },
            responses: look.topics,
            ..FetchResponse::default()
        };
        encode(caller, &response, &look.slices)
    }

    /// Where the leaders are that an answer names.
    fn leaders_named(&self, topics: &[FetchableTopicResponse]) -> Vec<NodeEndpoint> {
        let partitions = topics.iter().flat_map(|topic| &topic.partitions);
        let named: SortedSet<i32> = partitions
            .map(|data| data.current_leader.leader_id)
            .filter(|id| *id >= 0)
            .collect();
        let brokers = self.image.live_brokers();
        brokers
            .filter(|(id, _)| named.contains(&id.0))
            .map(|(id, entry)| NodeEndpoint {
                node_id: id.0,
                host: Str::from(&*entry.host),
                port: i32::from(entry.port),
                rack: entry.rack.as_deref().map(Str::from),
                ..NodeEndpoint::default()
            })
            .collect()
    }

    /// Something has changed for a parked fetch: answers it if that is enough. Bytes of the log
    /// `unreadable` were loaded in vain.
    pub(crate) fn retry_fetch(
        &mut self,
        now: Time,
        id: WaitId,
        unreadable: Option<LogId>,
        out: &mut Vec<Effect>,
    ) {
        let Some(waiter) = self.waiting.get(id) else {
            return;
        };
        let Parked::Fetch(fetch) = &waiter.parked else {
            return;
        };
        let (ask, until, caller) = (fetch.ask.clone(), fetch.until, waiter.caller);
        let look = self.look(&ask, caller.version, unreadable);
        if !look.cold.is_empty() {
            for (replica, slice) in look.cold {
                self.replicas.order_load(replica, slice, out);
            }
            return;
        }
        if !look.is_enough(&ask) && now < until {
            // It may have waited for bytes to be loaded until now; from here on it waits for time.
            self.waiting.set_deadline(id, until);
            return;
        }
        if let Some(waiter) = self.waiting.remove(id)
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
        id: WaitId,
        caller: &Caller,
        fetch: PendingFetch,
        out: &mut Vec<Effect>,
    ) {
        let look = self.look(&fetch.ask, caller.version, None);
        if look.cold.is_empty() {
            self.forget_fetch(id, &fetch);
            let reply = self.answer_fetch(caller, &fetch.ask, look);
            self.finish(caller, reply, out);
            return;
        }
        self.waiting.park(id, *caller, None, Parked::Fetch(fetch));
        for (replica, slice) in look.cold {
            self.replicas.order_load(replica, slice, out);
        }
    }

    pub(crate) fn forget_fetch(&mut self, id: WaitId, fetch: &PendingFetch) {
        for replica in &fetch.at {
            if let Some(found) = self.replicas.get_mut(*replica) {
                found.forget_reader(id);
            }
        }
    }
}

/// Where the log of a reader parts from this one (KIP-595), if it does.
fn divergence(log: &Log, wanted: &Wanted) -> Option<EpochEndOffset> {
    if wanted.last_fetched_epoch == LeaderEpoch::NONE {
        return None;
    }
    let end = log.offset_for_leader_epoch(wanted.last_fetched_epoch)?;
    (end.epoch < wanted.last_fetched_epoch || end.end < wanted.offset).then(|| EpochEndOffset {
        epoch: end.epoch.0,
        end_offset: end.end.0,
        ..EpochEndOffset::default()
    })
}

/// Adds who leads a partition, in versions that can say so.
fn with_leader(mut data: PartitionData, partition: &Partition, version: i16) -> PartitionData {
    if version >= LEADERS_FROM {
        data.current_leader = LeaderIdAndEpoch {
            leader_id: partition.leader.0,
            leader_epoch: partition.leader_epoch.0,
            ..LeaderIdAndEpoch::default()
        };
    }
    data
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

/// Adds a partition's row, to the last topic if it is of the same one: the order of the request is kept.
fn add_row(
    topics: &mut Vec<FetchableTopicResponse>,
    wanted: &Wanted,
    version: i16,
    data: PartitionData,
) {
    let same = |topic: &FetchableTopicResponse| match version {
        13.. => topic.topic_id == wanted.topic_id,
        _ => topic.topic == wanted.topic,
    };
    match topics.last_mut() {
        Some(topic) if same(topic) => topic.partitions.push(data),
        _ => topics.push(FetchableTopicResponse {
            topic: wanted.topic.clone(),
            topic_id: wanted.topic_id,
            partitions: alloc::vec![data],
            ..FetchableTopicResponse::default()
        }),
    }
}

fn refuse_all(ask: &Ask, version: i16, code: ErrorCode) -> FetchResponse {
    let mut response = FetchResponse {
        error_code: code.0,
        ..FetchResponse::default()
    };
    for wanted in &*ask.wanted {
        let data = refusal(wanted.partition, code, Some(Vec::new()));
        add_row(&mut response.responses, wanted, version, data);
    }
    response
}
