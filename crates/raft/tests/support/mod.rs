//! One node on a bench: what it is told is told by the test, and what it orders is stored when the test says so.
#![allow(dead_code, reason = "each test uses what it needs")]

use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, Time, Token, Uuid};
use log::{Log, LogConfig};
use raft::{CallId, Effect, Election, Endpoint, Event, FromDisk, KeptSnapshot, Peer, Raft};
use raft::{RaftConfig, ReplicaKey, Request, Response, SendId, Tuning, Voter, Voters};
use records::{BatchBuilder, BatchOptions, ValidBatch};
use wire::begin_quorum_epoch_request as begin;
use wire::end_quorum_epoch_request as end;
use wire::fetch_request as fetch;
use wire::fetch_response::{self, FetchResponse};
use wire::vote_request as vote;
use wire::vote_response::{self, VoteResponse};
use wire::{Records, Str};

pub(crate) const T: Str = Str::from_static("__cluster_metadata");
pub(crate) const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

pub(crate) fn directory(id: i32) -> Uuid {
    Uuid([id as u8; 16])
}

pub(crate) fn voters(ids: &[i32]) -> Voters {
    let voter = |id: &i32| Voter {
        key: ReplicaKey {
            id: NodeId(*id),
            directory: directory(*id),
        },
        endpoints: vec![Endpoint {
            listener: Str::from("CONTROLLER"),
            host: Str::from("127.0.0.1"),
            port: 9000 + *id as u16,
        }],
        kraft_versions: (0, 1),
    };
    Voters::new(ids.iter().map(voter).collect())
}

pub(crate) fn config(node: i32, voters: Voters) -> RaftConfig {
    RaftConfig {
        node: NodeId(node),
        directory: directory(node),
        cluster_id: CLUSTER.into(),
        controller: true,
        static_voters: voters,
        bootstrap_servers: 0,
        endpoints: Vec::new(),
        tuning: Tuning::default(),
        seed: 1,
    }
}

/// A batch of one record.
pub(crate) fn batch(value: &str) -> ValidBatch<'static> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let added = builder.append(7, None, Some(value.as_bytes()), &[]);
    added.expect("it is small");
    builder.into_valid()
}

/// A log of one-record batches with these epochs.
pub(crate) fn log(epochs: &[i32]) -> Log {
    let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
    for epoch in epochs {
        let appended = log.append(Time(0), &batch("x"), LeaderEpoch(*epoch), &mut Vec::new());
        appended.expect("the log takes it");
    }
    log.stored(log.log_end());
    log
}

/// The bytes of such a log from an offset on.
pub(crate) fn bytes(log: &Log, from: i64) -> bytes::Bytes {
    let read = log.read(Offset(from), u32::MAX, log.log_end(), true);
    let Ok(log::Read::Slice(slice)) = read else {
        panic!("{read:?}");
    };
    let pieces = log.slice_pieces(&slice).expect("it is in memory");
    pieces.concat().into()
}

pub(crate) struct Bench {
    pub(crate) raft: Raft,
    pub(crate) now: Time,
    pub(crate) out: Vec<Effect>,
    /// Whether orders are stored at once.
    pub(crate) flushes: bool,
    calls: u64,
}

impl Bench {
    pub(crate) fn new(config: RaftConfig, disk: FromDisk) -> Bench {
        Bench {
            raft: Raft::new(config, disk).expect("quorum-state is whole"),
            now: Time::from_millis(1_000_000),
            out: Vec::new(),
            flushes: true,
            calls: 0,
        }
    }

    /// A voter among these that has started, with a log of these epochs and an election.
    pub(crate) fn voter(node: i32, among: &[i32], epochs: &[i32], election: Election) -> Bench {
        let voters = voters(among);
        let disk = FromDisk {
            quorum_state: Some(election.encode(0, &voters).into()),
            log: log(epochs),
            snapshot: None,
        };
        let mut bench = Bench::new(config(node, voters), disk);
        bench.step(Event::Start);
        bench
    }

    /// Node 1 of three, elected by 2 in this epoch, with all stored.
    pub(crate) fn leader(epochs: &[i32], epoch: i32) -> Bench {
        let before = Election {
            epoch: LeaderEpoch(epoch - 1),
            ..Election::default()
        };
        let mut bench = Bench::voter(1, &[1, 2, 3], epochs, before);
        bench.elect(&[2]);
        assert!(bench.raft.is_leader());
        bench
    }

    pub(crate) fn step(&mut self, event: Event) {
        let from = self.out.len();
        self.raft.step(self.now, event, &mut self.out);
        if self.flushes {
            self.store_from(from);
        }
    }

    fn store_from(&mut self, mut from: usize) {
        while let Some(effect) = self.out.get(from) {
            from += 1;
            if let Effect::Store { token, .. } = effect {
                let token = *token;
                self.raft
                    .step(self.now, Event::Stored { token }, &mut self.out);
            }
        }
    }

    /// The tokens of what has been ordered.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        let stores = self.out.iter();
        let tokens = stores.filter_map(|effect| match effect {
            Effect::Store { token, .. } => Some(*token),
            _ => None,
        });
        tokens.collect()
    }

    pub(crate) fn wait(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        while let Some(at) = self.raft.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step(Event::Tick);
        }
        self.now = end;
    }

    /// Asks the node, and gives its answer if there is one.
    pub(crate) fn ask(&mut self, version: i16, request: Request) -> Option<Response> {
        let call = self.call(version, request);
        self.answer(call)
    }

    pub(crate) fn call(&mut self, version: i16, request: Request) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        self.step(Event::Request {
            call,
            version,
            request,
        });
        call
    }

    pub(crate) fn answer(&self, of: CallId) -> Option<Response> {
        let answers = self.out.iter();
        let mut answers = answers.filter_map(|effect| match effect {
            Effect::Answer { call, response } if *call == of => Some(response.clone()),
            _ => None,
        });
        answers.next()
    }

    /// Takes what the node has sent.
    pub(crate) fn sent(&mut self) -> Vec<(SendId, NodeId, Request)> {
        let mut sent = Vec::new();
        self.out.retain(|effect| match effect {
            Effect::Send {
                id,
                to: Peer::Node(to),
                request,
                ..
            } => {
                sent.push((*id, *to, request.clone()));
                false
            }
            _ => true,
        });
        sent
    }

    /// Waits until it campaigns, and has these voters be for it.
    pub(crate) fn elect(&mut self, by: &[i32]) {
        for _ in 0..100 {
            if self.raft.is_leader() {
                return;
            }
            let sent = self.sent();
            if sent.is_empty() {
                self.wait(50);
            }
            for (id, to, request) in sent {
                let Request::Vote(vote) = request else {
                    continue;
                };
                if by.contains(&to.0) {
                    let epoch = vote.topics[0].partitions[0].replica_epoch;
                    let response = Response::Vote(vote_answer(epoch, true));
                    self.step(Event::Response { id, response });
                }
            }
        }
    }

    /// What is committed, as far as the node has said.
    pub(crate) fn committed(&self) -> Option<i64> {
        let said = self.out.iter().filter_map(|effect| match effect {
            Effect::Committed { upto } => Some(upto.0),
            _ => None,
        });
        said.last()
    }

    pub(crate) fn has(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.out.iter().any(wanted)
    }
}

pub(crate) fn vote_answer(epoch: i32, granted: bool) -> VoteResponse {
    VoteResponse {
        topics: vec![vote_response::TopicData {
            topic_name: T,
            partitions: vec![vote_response::PartitionData {
                leader_id: -1,
                leader_epoch: epoch,
                vote_granted: granted,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A request for a vote from node 2 in an epoch, with a log that ends like this.
pub(crate) fn vote(
    epoch: i32,
    last: (i32, i64),
    change: impl FnOnce(&mut vote::VoteRequest),
) -> Request {
    let mut request = vote::VoteRequest {
        cluster_id: Some(Str::from(CLUSTER)),
        voter_id: -1,
        topics: vec![vote::TopicData {
            topic_name: T,
            partitions: vec![vote::PartitionData {
                replica_epoch: epoch,
                replica_id: 2,
                replica_directory_id: directory(2),
                last_offset_epoch: last.0,
                last_offset: last.1,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    change(&mut request);
    Request::Vote(request)
}

/// That node 2 leads in an epoch.
pub(crate) fn begin(
    epoch: i32,
    change: impl FnOnce(&mut begin::BeginQuorumEpochRequest),
) -> Request {
    let mut request = begin::BeginQuorumEpochRequest {
        cluster_id: Some(Str::from(CLUSTER)),
        voter_id: -1,
        topics: vec![begin::TopicData {
            topic_name: T,
            partitions: vec![begin::PartitionData {
                leader_id: 2,
                leader_epoch: epoch,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    change(&mut request);
    Request::BeginQuorumEpoch(request)
}

/// That node 2 leads no more in an epoch, and who should.
pub(crate) fn end(
    epoch: i32,
    successors: &[i32],
    change: impl FnOnce(&mut end::EndQuorumEpochRequest),
) -> Request {
    let candidates = successors.iter().map(|id| end::ReplicaInfo {
        candidate_id: *id,
        candidate_directory_id: directory(*id),
        ..Default::default()
    });
    let mut request = end::EndQuorumEpochRequest {
        cluster_id: Some(Str::from(CLUSTER)),
        topics: vec![end::TopicData {
            topic_name: T,
            partitions: vec![end::PartitionData {
                leader_id: 2,
                leader_epoch: epoch,
                preferred_candidates: candidates.collect(),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    change(&mut request);
    Request::EndQuorumEpoch(request)
}

/// A fetch by a replica from an offset, after a record of `last`, in an epoch; it waits for half a second.
pub(crate) fn fetch(
    replica: i32,
    epoch: i32,
    (last, offset): (i32, i64),
    change: impl FnOnce(&mut fetch::FetchRequest),
) -> Request {
    let mut request = fetch::FetchRequest {
        cluster_id: Some(Str::from(CLUSTER)),
        max_wait_ms: 500,
        replica_state: fetch::ReplicaState {
            replica_id: replica,
            ..Default::default()
        },
        topics: vec![fetch::FetchTopic {
            topic: T,
            topic_id: Uuid::METADATA_TOPIC,
            partitions: vec![fetch::FetchPartition {
                current_leader_epoch: epoch,
                fetch_offset: offset,
                last_fetched_epoch: last,
                replica_directory_id: directory(replica),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    change(&mut request);
    Request::Fetch(request)
}

/// An answer of node 2, which leads, with these records.
pub(crate) fn fetched(
    epoch: i32,
    high_watermark: i64,
    records: bytes::Bytes,
    change: impl FnOnce(&mut fetch_response::PartitionData),
) -> Response {
    let mut part = fetch_response::PartitionData {
        high_watermark,
        current_leader: fetch_response::LeaderIdAndEpoch {
            leader_id: 2,
            leader_epoch: epoch,
            ..Default::default()
        },
        records: Records::Bytes(records),
        ..Default::default()
    };
    change(&mut part);
    Response::Fetch(FetchResponse {
        responses: vec![fetch_response::FetchableTopicResponse {
            topic_id: Uuid::METADATA_TOPIC,
            partitions: vec![part],
            ..Default::default()
        }],
        ..Default::default()
    })
}

/// The error of a whole answer, and that of its partition.
pub(crate) fn codes(response: Option<Response>) -> (i16, Option<i16>) {
    macro_rules! codes {
        ($of:ident, $list:ident) => {
            (
                $of.error_code,
                $of.$list
                    .first()
                    .map(|topic| topic.partitions[0].error_code),
            )
        };
    }
    match response.expect("it is answered") {
        Response::Vote(of) => codes!(of, topics),
        Response::BeginQuorumEpoch(of) => codes!(of, topics),
        Response::EndQuorumEpoch(of) => codes!(of, topics),
        Response::Fetch(of) => codes!(of, responses),
        Response::FetchSnapshot(of) => codes!(of, topics),
        Response::AddRaftVoter(of) => (of.error_code, None),
        Response::RemoveRaftVoter(of) => (of.error_code, None),
        Response::UpdateRaftVoter(of) => (of.error_code, None),
    }
}

pub(crate) fn part(response: Option<Response>) -> fetch_response::PartitionData {
    match response.expect("it is answered") {
        Response::Fetch(fetch) => fetch.responses[0].partitions[0].clone(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn granted(response: Option<Response>) -> bool {
    match response.expect("it is answered") {
        Response::Vote(vote) => {
            let part = &vote.topics[0].partitions[0];
            assert_eq!(part.error_code, ErrorCode::NONE.0);
            part.vote_granted
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn following(node: i32, epoch: i32, epochs: &[i32]) -> Bench {
    let election = Election {
        epoch: LeaderEpoch(epoch),
        leader: Some(NodeId(2)),
        voted: None,
    };
    Bench::voter(node, &[1, 2, 3], epochs, election)
}

/// The fetch that is on its way, or the one after a moment's rest.
pub(crate) fn its_fetch(bench: &mut Bench) -> (SendId, Request) {
    for _ in 0..5 {
        let sent = bench.sent();
        let fetches = sent
            .into_iter()
            .filter_map(|(id, _, request)| match request {
                Request::Fetch(_) | Request::FetchSnapshot(_) => Some((id, request)),
                _ => None,
            });
        if let Some(fetch) = fetches.last() {
            return fetch;
        }
        bench.wait(21);
    }
    panic!("it does not fetch");
}

pub(crate) fn kept(name: &str, bytes: Vec<u8>) -> KeptSnapshot {
    KeptSnapshot {
        id: ids::SnapshotId::parse(name).expect("a name"),
        bytes: bytes.into(),
    }
}
