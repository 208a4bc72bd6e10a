//! Fetch, from the side of who follows or looks for a leader.

use crate::batches::voters_of;
use crate::common::{TOPIC, only};
use crate::message::{About, Peer, Request};
use crate::raft::{Flight, Raft};
use crate::state::{Download, Following, State};
use alloc::vec::Vec;
use ids::{LeaderEpoch, Mutant, Offset, SnapshotId, Time, Uuid, is_planted};
use records::Batches;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ReplicaState};
use wire::fetch_response::{FetchResponse, PartitionData};

/// How long the leader may wait for something to tell; less when that were as long as this node's patience.
const MAX_WAIT_MS: u64 = 500;

impl Raft {
    /// Who fetches from the leader, whichever way.
    pub(crate) fn following_mut(&mut self) -> Option<&mut Following> {
        match &mut self.state {
            State::Follower(following) | State::Observer(following) => Some(following),
            _ => None,
        }
    }

    /// Fetches, when all that is there is stored: a fetch tells the leader that it is.
    pub(crate) fn maybe_fetch(&mut self, now: Time) {
        let unstored = self.log.stored_end() < self.log.log_end();
        if self.rests_disk(now)
            || self.is_fetching()
            || (unstored && !is_planted(Mutant::FetchedUnstored))
        {
            return;
        }
        let leader = self.election.leader.filter(|leader| *leader != self.me.id);
        let to = match leader {
            Some(leader) => Some(Peer::Node(leader)),
            None => self.somebody(),
        };
        let Some(to) = to else {
            return;
        };
        let download = self.following_mut().and_then(|following| {
            let download = following.download.as_ref()?;
            Some((download.id, download.bytes.len() as u64))
        });
        match download {
            Some((id, position)) => {
                let about = About::FetchSnapshot { id, position };
                self.send(now, to, about, |raft| raft.snapshot_request(id, position));
            }
            None => self.send(now, to, About::Fetch, Raft::fetch_request),
        }
    }

    fn fetch_request(&self) -> Request {
        let (last_epoch, end) = self.last();
        let partition = FetchPartition {
            current_leader_epoch: self.election.epoch.0,
            fetch_offset: end.0,
            last_fetched_epoch: last_epoch.0,
            replica_directory_id: self.me.directory,
            high_watermark: self.high_watermark.map_or(-1, |upto| upto.0),
            ..FetchPartition::default()
        };
        let wait = MAX_WAIT_MS.min(self.config.tuning.fetch_ms / 2);
        Request::Fetch(FetchRequest {
            cluster_id: self.cluster_id(),
            replica_state: ReplicaState {
                replica_id: self.me.id.0,
                ..ReplicaState::default()
            },
            max_wait_ms: i32::try_from(wait).unwrap_or(i32::MAX),
            max_bytes: i32::try_from(self.config.tuning.fetch_max_bytes).unwrap_or(i32::MAX),
            topics: alloc::vec![FetchTopic {
                topic: TOPIC,
                topic_id: Uuid::METADATA_TOPIC,
                partitions: alloc::vec![partition],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        })
    }

    pub(crate) fn on_fetch_answer(&mut self, now: Time, flight: Flight, fetch: FetchResponse) {
        let topic = only(&fetch.responses);
        let Some(part) = topic.and_then(|topic| only(&topic.partitions)) else {
            return self.rest(now, flight.to);
        };
        let before = (self.election.epoch, self.election.leader);
        let leader = &part.current_leader;
        let endpoint = (fetch.node_endpoints.iter())
            .find(|node| node.node_id == leader.leader_id)
            .and_then(|node| Some((node.host.detached(), u16::try_from(node.port).ok()?)));
        self.learn(now, (leader.leader_id, leader.leader_epoch), endpoint);
        if fetch.error_code != 0 || part.error_code != 0 {
            if before == (self.election.epoch, self.election.leader) {
                self.rest(now, flight.to);
            }
            return;
        }
        if self.is_present(flight.epoch) && self.hear(now, flight.to) {
            self.take(now, flight.to, part);
        }
    }

    /// The leader is alive; says whether this is who is followed.
    pub(crate) fn hear(&mut self, now: Time, from: Peer) -> bool {
        let leader = self.election.leader.map(Peer::Node);
        let from_leader = leader == Some(from) || matches!(from, Peer::Bootstrap(_));
        let until = now.plus_millis(self.config.tuning.fetch_ms);
        match self.following_mut() {
            Some(following) if from_leader && leader.is_some() => {
                following.until = until;
                following.heard = true;
                true
            }
            _ => false,
        }
    }

    fn take(&mut self, now: Time, from: Peer, part: &PartitionData) {
        let (diverging, snapshot) = (&part.diverging_epoch, &part.snapshot_id);
        if diverging.epoch >= 0 && diverging.end_offset >= 0 {
            let (epoch, end) = (LeaderEpoch(diverging.epoch), Offset(diverging.end_offset));
            if !self.cut(now, epoch, end) {
                self.rest(now, from);
            }
            return;
        }
        if snapshot.epoch >= 0 && snapshot.end_offset >= 0 {
            let id = SnapshotId {
                end: Offset(snapshot.end_offset),
                epoch: LeaderEpoch(snapshot.epoch),
            };
            return self.begin_download(now, from, id);
        }
        let bytes = part.records.bytes().map_or(&[][..], |bytes| bytes);
        if !bytes.is_empty() && !self.take_records(now, bytes) {
            return self.rest(now, from);
        }
        let upto = Offset(part.high_watermark).min(self.log.log_end());
        self.told_high_watermark = self.told_high_watermark.max(upto);
        self.commit_as_told(now);
    }

    /// Commits what the leader has said, as far as it is stored. Who is no voter any more takes its place.
    pub(crate) fn commit_as_told(&mut self, now: Time) {
        self.commit(self.told_high_watermark);
        self.follow_voters(now);
    }

    /// Appends what the leader has sent as far as it continues the log; says whether anything did.
    fn take_records(&mut self, now: Time, bytes: &[u8]) -> bool {
        let mut end = self.log.log_end();
        let mut length = 0;
        let mut named = Vec::new();
        for (_, batch) in Batches::new(bytes) {
            let fits = batch.base_offset == end && batch.last_offset_delta >= 0;
            // A leader has nothing of a later epoch than its own.
            if !fits || batch.partition_leader_epoch > self.election.epoch || !batch.crc_is_valid()
            {
                break;
            }
            end = batch.next_offset();
            length += batch.total_size() as usize;
            named.extend(voters_of(&batch));
        }
        let whole = bytes.get(..length).unwrap_or_default();
        if whole.is_empty() {
            return false;
        }
        let mut ops = Vec::new();
        let wall = self.wall(now);
        let appended = self.log.append_replicated(wall, whole, &mut ops);
        self.outbox.order_log(ops);
        let end = self.log.log_end();
        if self.is_dynamic() {
            named.retain(|(at, _)| *at < end);
            let any = !named.is_empty();
            self.voter_sets.extend(named);
            if any {
                self.follow_voters(now);
            }
        }
        appended.is_ok()
    }

    /// Cuts away what the leader does not have: its log and this one agree up to `end` of `epoch` at most.
    /// Says whether anything was cut.
    fn cut(&mut self, now: Time, epoch: LeaderEpoch, end: Offset) -> bool {
        let to = match self.log.offset_for_leader_epoch(epoch) {
            Some(own) if own.epoch == epoch => own.end.min(end),
            Some(own) => own.end,
            None => end,
        };
        self.cut_to(now, to)
    }

    fn cut_to(&mut self, now: Time, to: Offset) -> bool {
        let committed = self.high_watermark.unwrap_or(Offset(0));
        // What is committed every leader has. Who says otherwise is none.
        if to >= self.log.log_end() || to < committed || is_planted(Mutant::TruncationSkipped) {
            return false;
        }
        let mut ops = Vec::new();
        let cut = self.log.truncate_to(to, now, &mut ops).is_ok();
        self.outbox.order_log(ops);
        self.after_cut();
        self.follow_voters(now);
        cut
    }

    fn begin_download(&mut self, now: Time, from: Peer, id: SnapshotId) {
        let committed = self.high_watermark.unwrap_or(Offset(0));
        if id.end <= committed {
            // All of it is here. What follows may not be the leader's, which cannot tell where it differs.
            if !self.cut_to(now, committed) {
                self.rest(now, from);
            }
            return;
        }
        if let Some(following) = self.following_mut() {
            following.download = Some(Download {
                id,
                bytes: Vec::new(),
            });
        }
    }
}
