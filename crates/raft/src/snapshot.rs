//! Snapshots (KIP-630): taken here, given to who lacks what came before the log, and fetched from a leader.

use crate::common::{TOPIC, only};
use crate::message::{CallId, Effect, Request, Response};
use crate::raft::{Flight, Raft};
use crate::state::State;
use crate::voters::ReplicaKey;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, NodeId, Offset, SnapshotId, Time};
use wire::Records;
use wire::fetch_snapshot_request::{self as request, FetchSnapshotRequest};
use wire::fetch_snapshot_response::{self as response, FetchSnapshotResponse};

/// The largest snapshot that is taken from a leader.
const MAX_SNAPSHOT_BYTES: u64 = 1 << 30;

/// A snapshot with its bytes, which mean nothing to the raft but for the voters they name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptSnapshot {
    /// What it holds.
    pub id: SnapshotId,
    /// Its file.
    pub bytes: Bytes,
}

impl Raft {
    pub(crate) fn on_snapshot_taken(
        &mut self,
        now: Time,
        id: SnapshotId,
        bytes: Bytes,
        from: Offset,
    ) {
        let newer = self.snapshot.as_ref().is_none_or(|kept| id > kept.id);
        if !newer || self.high_watermark.is_none_or(|upto| id.end > upto) {
            return;
        }
        self.replace_snapshot(KeptSnapshot { id, bytes });
        // Who voted before those that the snapshot names is of no interest any more.
        let named = self.voter_sets.iter().rposition(|(at, _)| *at < id.end);
        self.voter_sets.drain(..named.unwrap_or(0));
        let mut ops = Vec::new();
        if let Ok(_start) = (self.log).delete_records_before(from.min(id.end), &mut ops) {
            self.log.retain(now, &mut ops);
        }
        self.outbox.order_log(ops);
    }

    pub(crate) fn snapshot_request(&self, id: SnapshotId, position: u64) -> Request {
        let partition = request::PartitionSnapshot {
            current_leader_epoch: self.election.epoch.0,
            snapshot_id: request::SnapshotId {
                end_offset: id.end.0,
                epoch: id.epoch.0,
                ..request::SnapshotId::default()
            },
            position: i64::try_from(position).unwrap_or(i64::MAX),
            replica_directory_id: self.me.directory,
            ..request::PartitionSnapshot::default()
        };
        Request::FetchSnapshot(FetchSnapshotRequest {
            cluster_id: self.cluster_id(),
            replica_id: self.me.id.0,
            max_bytes: i32::try_from(self.config.tuning.snapshot_max_bytes).unwrap_or(i32::MAX),
            topics: alloc::vec![request::TopicSnapshot {
                name: TOPIC,
                partitions: alloc::vec![partition],
                ..request::TopicSnapshot::default()
            }],
            ..FetchSnapshotRequest::default()
        })
    }

    pub(crate) fn on_fetch_snapshot(
        &mut self,
        now: Time,
        call: CallId,
        version: i16,
        fetch: &FetchSnapshotRequest,
    ) {
        let topic = only(&fetch.topics).filter(|topic| topic.name == TOPIC);
        let asked = topic.and_then(|topic| only(&topic.partitions));
        let asked = asked.filter(|asked| asked.partition == 0);
        let whole = |code: ErrorCode| FetchSnapshotResponse {
            error_code: code.0,
            ..FetchSnapshotResponse::default()
        };
        let answer = match asked {
            _ if !self.in_cluster(fetch.cluster_id.as_ref()) => {
                whole(ErrorCode::INCONSISTENT_CLUSTER_ID)
            }
            None => whole(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            Some(asked) => {
                let from = ReplicaKey {
                    id: NodeId(fetch.replica_id),
                    directory: asked.replica_directory_id,
                };
                let part = self.snapshot_piece(now, &from, asked, fetch.max_bytes);
                self.snapshot_answer(version, part)
            }
        };
        self.outbox.answer(call, Response::FetchSnapshot(answer));
    }

    fn snapshot_piece(
        &mut self,
        now: Time,
        from: &ReplicaKey,
        asked: &request::PartitionSnapshot,
        max_bytes: i32,
    ) -> response::PartitionSnapshot {
        let mut part = response::PartitionSnapshot {
            snapshot_id: response::SnapshotId {
                end_offset: asked.snapshot_id.end_offset,
                epoch: asked.snapshot_id.epoch,
                ..response::SnapshotId::default()
            },
            unaligned_records: Records::Bytes(Bytes::new()),
            ..response::PartitionSnapshot::default()
        };
        let same = |kept: &&KeptSnapshot| {
            (kept.id.end.0, kept.id.epoch.0)
                == (asked.snapshot_id.end_offset, asked.snapshot_id.epoch)
        };
        let code = match self.check_leader(asked.current_leader_epoch) {
            Err(code) => code,
            Ok(()) => match self.snapshot.as_ref().filter(same) {
                None => ErrorCode::SNAPSHOT_NOT_FOUND,
                Some(kept) => {
                    let length = kept.bytes.len();
                    let position = usize::try_from(asked.position).unwrap_or(usize::MAX);
                    let limit = u32::try_from(max_bytes).unwrap_or(0);
                    let limit = limit.min(self.config.tuning.snapshot_max_bytes);
                    match position < length {
                        true => {
                            let end = length.min(position.saturating_add(limit as usize));
                            part.size = i64::try_from(length).unwrap_or(i64::MAX);
                            part.position = asked.position;
                            part.unaligned_records =
                                Records::Bytes(kept.bytes.slice(position..end));
                            ErrorCode::NONE
                        }
                        false => ErrorCode::POSITION_OUT_OF_RANGE,
                    }
                }
            },
        };
        part.error_code = code.0;
        if code == ErrorCode::NONE {
            // Who fetches a snapshot is alive, though it has not come far.
            self.note_fetch(now, from, None);
        }
        part
    }

    fn snapshot_answer(
        &self,
        version: i16,
        mut part: response::PartitionSnapshot,
    ) -> FetchSnapshotResponse {
        let (leader_id, leader_epoch) = self.current();
        part.current_leader = response::LeaderIdAndEpoch {
            leader_id,
            leader_epoch,
            ..response::LeaderIdAndEpoch::default()
        };
        let address = self.leader_address().filter(|_| version >= 1);
        FetchSnapshotResponse {
            topics: alloc::vec![response::TopicSnapshot {
                name: TOPIC,
                partitions: alloc::vec![part],
                ..response::TopicSnapshot::default()
            }],
            node_endpoints: (address.into_iter())
                .map(|(id, host, port)| response::NodeEndpoint {
                    node_id: id.0,
                    host,
                    port,
                    ..response::NodeEndpoint::default()
                })
                .collect(),
            ..FetchSnapshotResponse::default()
        }
    }

    pub(crate) fn on_snapshot_answer(
        &mut self,
        now: Time,
        flight: Flight,
        asked: (SnapshotId, u64),
        fetch: &FetchSnapshotResponse,
    ) {
        let topic = only(&fetch.topics);
        let Some(part) = topic.and_then(|topic| only(&topic.partitions)) else {
            return self.rest(now, flight.to);
        };
        let leader = &part.current_leader;
        let endpoint = (fetch.node_endpoints.iter())
            .find(|node| node.node_id == leader.leader_id)
            .map(|node| (node.host.detached(), node.port));
        self.learn(now, (leader.leader_id, leader.leader_epoch), endpoint);
        if !self.is_present(flight.epoch) {
            return;
        }
        if fetch.error_code != 0 || part.error_code != 0 {
            // Another snapshot may have taken its place: ask for records again, and be told which.
            self.drop_download();
            return self.rest(now, flight.to);
        }
        if !self.hear(now, flight.to) {
            return;
        }
        let bytes = part
            .unaligned_records
            .bytes()
            .map_or(&[][..], |bytes| bytes);
        let size = u64::try_from(part.size).unwrap_or(0);
        let end = asked.1 + bytes.len() as u64;
        let wanted = self.following_mut().and_then(|following| {
            let download = following.download.as_mut()?;
            let next = (download.id, download.bytes.len() as u64) == asked;
            next.then_some(download)
        });
        let Some(download) = wanted else {
            return;
        };
        if bytes.is_empty() || end > size || size > MAX_SNAPSHOT_BYTES {
            self.drop_download();
            return self.rest(now, flight.to);
        }
        download.bytes.extend_from_slice(bytes);
        if end == size {
            let (id, bytes) = (asked.0, core::mem::take(&mut download.bytes));
            self.drop_download();
            self.load_snapshot(now, id, Bytes::from(bytes));
        }
    }

    fn drop_download(&mut self) {
        if let State::Follower(following) | State::Observer(following) = &mut self.state {
            following.download = None;
        }
    }

    /// Takes a whole snapshot in place of the log.
    fn load_snapshot(&mut self, now: Time, id: SnapshotId, bytes: Bytes) {
        self.replace_snapshot(KeptSnapshot {
            id,
            bytes: bytes.clone(),
        });
        let mut ops = Vec::new();
        (self.log).truncate_fully_and_start_at(id.end, now, &mut ops);
        self.outbox.order_log(ops);
        self.outbox.cut(id.end);
        let fixed = self.config.static_voters.clone();
        self.voter_sets = alloc::vec![(Offset(-1), fixed)];
        self.read_voters();
        self.outbox.notice(Effect::LoadSnapshot { id, bytes });
        self.high_watermark = Some(id.end);
        self.told_high_watermark = self.told_high_watermark.max(id.end);
        self.outbox.notice(Effect::Committed { upto: id.end });
        self.follow_voters(now);
    }
}
