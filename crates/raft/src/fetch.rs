//! Fetch, from the leader's side.

use crate::common::{TOPIC, only};
use crate::message::{CallId, Response};
use crate::progress::Progress;
use crate::raft::Raft;
use crate::state::{Leader, State};
use crate::voters::ReplicaKey;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, SnapshotId, Time, Uuid};
use log::Read;
use wire::Records;
use wire::fetch_request::FetchRequest;
use wire::fetch_response::{
    EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
    PartitionData, SnapshotId as WireSnapshotId,
};

/// Fetches that wait at a time; who comes later is answered at once.
const MAX_WAITING: usize = 1024;
/// Observers that are remembered at a time.
const MAX_OBSERVERS: usize = 1024;
/// An observer that is silent for longer is forgotten.
pub(crate) const SESSION_MS: u64 = 5 * 60 * 1000;
/// The first version that names topics by id.
const TOPIC_IDS_SINCE: i16 = 13;
/// The first version that has room for the leader's address.
const ENDPOINTS_SINCE: i16 = 16;

/// A fetch that has been understood.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    call: CallId,
    version: i16,
    from: ReplicaKey,
    epoch: i32,
    offset: Offset,
    last_epoch: LeaderEpoch,
    /// The high watermark that the replica knows; the highest number when it is of a version that does not say.
    told: i64,
    max_bytes: u32,
    /// When it is answered at last, with nothing.
    pub(crate) until: Time,
}

/// What a replica's log is, held against the leader's.
enum Compared {
    /// The beginning of it.
    Prefix,
    /// It differs after this.
    Diverging { epoch: LeaderEpoch, end: Offset },
    /// It lacks what the leader has no more as records.
    Snapshot(SnapshotId),
}

impl Raft {
    pub(crate) fn on_fetch(&mut self, now: Time, call: CallId, version: i16, fetch: &FetchRequest) {
        let whole = |code: ErrorCode| FetchResponse {
            error_code: code.0,
            ..FetchResponse::default()
        };
        let named = |topic: &&wire::fetch_request::FetchTopic| match version {
            TOPIC_IDS_SINCE.. => topic.topic_id == Uuid::METADATA_TOPIC,
            _ => topic.topic == TOPIC,
        };
        let topic = only(&fetch.topics).filter(named);
        let asked = topic.and_then(|topic| only(&topic.partitions));
        let asked = asked.filter(|asked| asked.partition == 0);
        let answer = match asked {
            _ if !self.in_cluster(fetch.cluster_id.as_ref()) => {
                Some(whole(ErrorCode::INCONSISTENT_CLUSTER_ID))
            }
            None => Some(whole(ErrorCode::INVALID_REQUEST)),
            Some(part) => {
                let id = fetch.replica_state.replica_id.max(fetch.replica_id);
                let senseless = fetch.max_wait_ms < 0
                    || part.fetch_offset < 0
                    || part.last_fetched_epoch < 0
                    || part.current_leader_epoch < 0
                    || part.last_fetched_epoch > part.current_leader_epoch;
                let wait = u64::try_from(fetch.max_wait_ms).unwrap_or(0);
                let asked = Asked {
                    call,
                    version,
                    from: ReplicaKey {
                        id: NodeId(id),
                        directory: part.replica_directory_id,
                    },
                    epoch: part.current_leader_epoch,
                    offset: Offset(part.fetch_offset),
                    last_epoch: LeaderEpoch(part.last_fetched_epoch),
                    told: part.high_watermark,
                    max_bytes: u32::try_from(fetch.max_bytes).unwrap_or(0),
                    until: now.plus_millis(wait),
                };
                match () {
                    () if senseless => Some(self.fetch_answer(version, ErrorCode::INVALID_REQUEST)),
                    () if id == self.me.id.0 && self.check_leader(asked.epoch).is_ok() => {
                        Some(self.fetch_answer(version, ErrorCode::UNKNOWN_SERVER_ERROR))
                    }
                    () => self.answer_or_wait(now, asked),
                }
            }
        };
        if let Some(answer) = answer {
            self.outbox.answer(call, Response::Fetch(answer));
        }
    }

    /// Notes how far the replica is; keeps the request when there is nothing to tell.
    fn answer_or_wait(&mut self, now: Time, asked: Asked) -> Option<FetchResponse> {
        if let Err(code) = self.check_leader(asked.epoch) {
            return Some(self.fetch_answer(asked.version, code));
        }
        let Compared::Prefix = self.compare(asked.offset, asked.last_epoch) else {
            return Some(self.serve(&asked));
        };
        self.note_fetch(now, &asked.from, Some(asked.offset));
        self.advance_as_leader(now);
        let due = self.is_due(now, &asked);
        match &mut self.state {
            State::Leader(leader) if !due && leader.waiting.len() < MAX_WAITING => {
                leader.waiting.push(asked);
                None
            }
            _ => Some(self.serve(&asked)),
        }
    }

    /// A replica has been heard of; with an offset, it has stored all below.
    pub(crate) fn note_fetch(&mut self, now: Time, from: &ReplicaKey, offset: Option<Offset>) {
        let end = self.log.log_end();
        let votes = self.voters().contains(from);
        let State::Leader(leader) = &mut self.state else {
            return;
        };
        if from.id.0 < 0 {
            return;
        }
        let known = leader.observers.contains_key(from);
        let progress: &mut Progress = match votes {
            true => leader.voters.entry(from.id).or_default(),
            false if known || leader.observers.len() < MAX_OBSERVERS => {
                leader.observers.entry(*from).or_default()
            }
            false => return,
        };
        progress.directory = from.directory;
        match offset {
            Some(offset) => progress.fetched(now, offset, end),
            None => progress.last_fetch = Some(now),
        }
    }

    /// The answer to a fetch, with what there is.
    fn serve(&self, asked: &Asked) -> FetchResponse {
        let mut part = self.fetched_part(ErrorCode::NONE);
        match self.compare(asked.offset, asked.last_epoch) {
            Compared::Diverging { epoch, end } => {
                part.diverging_epoch = EpochEndOffset {
                    epoch: epoch.0,
                    end_offset: end.0,
                    ..EpochEndOffset::default()
                };
            }
            Compared::Snapshot(id) => {
                part.snapshot_id = WireSnapshotId {
                    end_offset: id.end.0,
                    epoch: id.epoch.0,
                    ..WireSnapshotId::default()
                };
            }
            Compared::Prefix => {
                let records = self.records_from(asked.offset, asked.max_bytes);
                part.records = Records::Bytes(records);
            }
        }
        self.answer_with(asked.version, part)
    }

    fn compare(&self, offset: Offset, epoch: LeaderEpoch) -> Compared {
        let (start, end) = (self.log.log_start(), self.log.log_end());
        let snapshot = self.snapshot.as_ref().map(|snapshot| snapshot.id);
        if let Some(id) = snapshot {
            if offset >= start && (offset, epoch) == (id.end, id.epoch) {
                return Compared::Prefix;
            }
            // Where the first known epoch begins later than the log once did, nobody knows any more how those
            // before it ended.
            let first = self.log.leader_epochs().first();
            let before = match first {
                Some(first) => first.start > Offset(0) && epoch < first.epoch,
                None => start > Offset(0),
            };
            if offset < start || before {
                return Compared::Snapshot(id);
            }
        }
        match self.log.offset_for_leader_epoch(epoch) {
            Some(found) if found.epoch == epoch && offset <= found.end => Compared::Prefix,
            Some(found) => Compared::Diverging {
                epoch: found.epoch,
                end: found.end,
            },
            // Above all epochs that have records here.
            None if self.last() == (epoch, offset) => Compared::Prefix,
            None => Compared::Diverging {
                epoch: self.last().0,
                end,
            },
        }
    }

    fn records_from(&self, offset: Offset, max_bytes: u32) -> Bytes {
        let limit = max_bytes.min(self.config.tuning.fetch_max_bytes);
        let Ok(Read::Slice(slice)) = self.log.read(offset, limit, self.log.log_end(), true) else {
            return Bytes::new();
        };
        match self.log.slice_pieces(&slice).as_deref() {
            Some([piece]) => piece.clone(),
            Some(pieces) => Bytes::from(pieces.concat()),
            None => Bytes::new(),
        }
    }

    /// An answer without records.
    fn fetch_answer(&self, version: i16, code: ErrorCode) -> FetchResponse {
        self.answer_with(version, self.fetched_part(code))
    }

    fn fetched_part(&self, code: ErrorCode) -> PartitionData {
        let (leader_id, leader_epoch) = self.current();
        let committed = self.high_watermark.filter(|_| code == ErrorCode::NONE);
        PartitionData {
            error_code: code.0,
            high_watermark: committed.map_or(-1, |upto| upto.0),
            log_start_offset: self.log.log_start().0,
            current_leader: LeaderIdAndEpoch {
                leader_id,
                leader_epoch,
                ..LeaderIdAndEpoch::default()
            },
            aborted_transactions: Some(Vec::new()),
            records: Records::Bytes(Bytes::new()),
            ..PartitionData::default()
        }
    }

    fn answer_with(&self, version: i16, part: PartitionData) -> FetchResponse {
        let address = self.leader_address();
        let address = address.filter(|_| version >= ENDPOINTS_SINCE);
        FetchResponse {
            responses: alloc::vec![FetchableTopicResponse {
                topic: TOPIC,
                topic_id: Uuid::METADATA_TOPIC,
                partitions: alloc::vec![part],
                ..FetchableTopicResponse::default()
            }],
            node_endpoints: (address.into_iter())
                .map(|(id, host, port)| NodeEndpoint {
                    node_id: id.0,
                    host,
                    port: port.into(),
                    ..NodeEndpoint::default()
                })
                .collect(),
            ..FetchResponse::default()
        }
    }

    /// Whether a fetch that waits has waited long enough, or has something to hear.
    fn is_due(&self, now: Time, asked: &Asked) -> bool {
        let committed = self.high_watermark.map_or(-1, |upto| upto.0);
        now >= asked.until || self.log.log_end() > asked.offset || committed > asked.told
    }

    /// Answers those who wait and need wait no longer.
    pub(crate) fn serve_waiting(&mut self, now: Time) {
        let due = |leader: &Leader| leader.waiting.iter().any(|asked| self.is_due(now, asked));
        // This is asked in each step, and mostly nobody is.
        if !matches!(&self.state, State::Leader(leader) if due(leader)) {
            return;
        }
        let State::Leader(leader) = &mut self.state else {
            return;
        };
        let waiting = core::mem::take(&mut leader.waiting).into_iter();
        let (served, kept) = waiting.partition(|asked| self.is_due(now, asked));
        let served: Vec<Asked> = served;
        for asked in served {
            let answer = self.serve(&asked);
            self.outbox.answer(asked.call, Response::Fetch(answer));
        }
        if let State::Leader(leader) = &mut self.state {
            leader.waiting = kept;
        }
    }

    /// Tells those who waited for a leader that this node is it no more.
    pub(crate) fn answer_waiting(&mut self, waiting: Vec<Asked>) {
        for asked in waiting {
            let code = self.check_leader(asked.epoch).err();
            let code = code.unwrap_or(ErrorCode::NOT_LEADER_OR_FOLLOWER);
            let answer = self.fetch_answer(asked.version, code);
            self.outbox.answer(asked.call, Response::Fetch(answer));
        }
    }
}
