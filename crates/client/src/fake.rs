//! A broker for the tests of this crate: one node, one connection at a time as far as anyone can tell,
//! just enough of each API to drive the clients, and the frames it saw.

use crate::io::{Input, LinkId, Output};
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Time, Uuid};
use sorted::SortedMap;
use wire::api_versions_response::{ApiVersion, ApiVersionsResponse};
use wire::fetch_request::FetchRequest;
use wire::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::find_coordinator_response::FindCoordinatorResponse;
use wire::heartbeat_response::HeartbeatResponse;
use wire::init_producer_id_response::InitProducerIdResponse;
use wire::join_group_request::JoinGroupRequest;
use wire::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use wire::leave_group_response::LeaveGroupResponse;
use wire::list_offsets_request::ListOffsetsRequest;
use wire::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use wire::metadata_request::MetadataRequest;
use wire::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use wire::offset_commit_request::OffsetCommitRequest;
use wire::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use wire::offset_fetch_request::OffsetFetchRequest;
use wire::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};
use wire::produce_request::ProduceRequest;
use wire::produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use wire::sync_group_request::SyncGroupRequest;
use wire::sync_group_response::SyncGroupResponse;
use wire::{Message, Reader, Str};

/// The topic that there is.
pub(crate) const TOPIC: &str = "t";
const TOPIC_ID: Uuid = Uuid([7; 16]);

/// A client machine as the tests drive it.
pub(crate) trait Machine {
    fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>);
    fn next_deadline(&self) -> Option<Time>;
}

/// The broker, and the time.
pub(crate) struct Fake {
    pub(crate) now: Time,
    pub(crate) partitions: i32,
    /// API keys in the order in which they came in.
    pub(crate) seen: Vec<i16>,
    /// Per partition: base offset and bytes of each batch, and the next offset.
    pub(crate) logs: SortedMap<i32, (Vec<(i64, Bytes)>, i64)>,
    /// Errors for the next Produce answers.
    pub(crate) produce_errors: VecDeque<i16>,
    /// What the group has stored, by partition.
    pub(crate) stored: SortedMap<i32, i64>,
    /// The error of the next heartbeat.
    pub(crate) heartbeat_error: i16,
    generation: i32,
    /// The highest version of ApiVersions it knows.
    pub(crate) api_versions_max: i16,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: Option<i32>,
    inbox: VecDeque<Input>,
}

impl Fake {
    pub(crate) fn new(partitions: i32) -> Fake {
        Fake {
            now: Time::from_millis(1_000_000),
            partitions,
            seen: Vec::new(),
            logs: SortedMap::new(),
            produce_errors: VecDeque::new(),
            stored: SortedMap::new(),
            heartbeat_error: 0,
            generation: 0,
            api_versions_max: 4,
            stdout: String::new(),
            stderr: String::new(),
            exit: None,
            inbox: VecDeque::new(),
        }
    }

    /// Lets the machine run, time jumping from deadline to deadline, until `done` or nothing happens.
    pub(crate) fn run<M: Machine>(&mut self, machine: &mut M, done: impl Fn(&Fake, &M) -> bool) {
        for _ in 0..2000 {
            let input = self.inbox.pop_front().unwrap_or(Input::Timer);
            let idle = input == Input::Timer;
            let mut out = Vec::new();
            machine.step(self.now, &input, &mut out);
            let quiet = out.is_empty();
            out.into_iter().for_each(|output| self.take(output));
            if done(self, machine) {
                return;
            }
            if idle && quiet && self.inbox.is_empty() {
                match machine.next_deadline() {
                    Some(at) => self.now = self.now.max(at),
                    None => return,
                }
            }
        }
        panic!(
            "the machine did not come to an end; it asked {:?}",
            self.seen
        );
    }

    pub(crate) fn take(&mut self, output: Output) {
        match output {
            Output::Connect { link, .. } => self.inbox.push_back(Input::Connected { link }),
            Output::Send { link, frame } => self.answer(link, frame),
            Output::Stdout(bytes) => self.stdout += &String::from_utf8_lossy(&bytes),
            Output::Stderr(bytes) => self.stderr += &String::from_utf8_lossy(&bytes),
            Output::Exit(code) => self.exit = Some(code),
            Output::Disconnect { .. } => {}
        }
    }

    fn answer(&mut self, link: LinkId, frame: Bytes) {
        let (header, mut body) = wire::decode_request_header(frame).unwrap();
        let (id, version) = (header.correlation_id, header.api_version);
        self.seen.push(header.api_key);
        let reply = match header.api_key {
            0 => match self.produce(&ProduceRequest::decode(&mut body, version).unwrap()) {
                Some(response) => encode(id, version, &response),
                None => return,
            },
            1 => encode(
                id,
                version,
                &self.fetch(&read::<FetchRequest>(body, version)),
            ),
            2 => encode(
                id,
                version,
                &self.list(&read::<ListOffsetsRequest>(body, version)),
            ),
            3 => encode(
                id,
                version,
                &self.metadata(&read::<MetadataRequest>(body, version)),
            ),
            18 => self.versions(id, version),
            8 => encode(
                id,
                version,
                &self.commit(&read::<OffsetCommitRequest>(body, version)),
            ),
            9 => encode(
                id,
                version,
                &self.committed(&read::<OffsetFetchRequest>(body, version)),
            ),
            10 => encode(id, version, &self.coordinator()),
            11 => encode(
                id,
                version,
                &self.join(&read::<JoinGroupRequest>(body, version)),
            ),
            12 => {
                let error_code = core::mem::take(&mut self.heartbeat_error);
                encode(
                    id,
                    version,
                    &HeartbeatResponse {
                        error_code,
                        ..Default::default()
                    },
                )
            }
            13 => encode(id, version, &LeaveGroupResponse::default()),
            14 => encode(id, version, &sync(&read::<SyncGroupRequest>(body, version))),
            22 => encode(
                id,
                version,
                &InitProducerIdResponse {
                    producer_id: 4,
                    ..Default::default()
                },
            ),
            key => panic!("the fake broker does not know API {key}"),
        };
        self.inbox.push_back(Input::Frame { link, frame: reply });
    }

    fn versions(&self, id: i32, version: i16) -> Bytes {
        let known = |api: &wire::api_table::Api| ApiVersion {
            api_key: api.key,
            min_version: api.min,
            max_version: if api.key == 18 {
                self.api_versions_max
            } else {
                api.max
            },
            ..Default::default()
        };
        let mut response = ApiVersionsResponse {
            api_keys: wire::api_table::APIS.iter().map(known).collect(),
            ..Default::default()
        };
        if version > self.api_versions_max {
            response.error_code = 35;
            return encode(id, 0, &response);
        }
        encode(id, version, &response)
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let all = alloc::vec![TOPIC.to_string()];
        let asked = request.topics.as_ref();
        let names = asked.map_or(all, |topics| {
            topics
                .iter()
                .filter_map(|topic| topic.name.as_ref().map(ToString::to_string))
                .collect()
        });
        let partition = |index: i32| MetadataResponsePartition {
            partition_index: index,
            leader_id: 1,
            replica_nodes: alloc::vec![1],
            isr_nodes: alloc::vec![1],
            ..Default::default()
        };
        let topic = |name: String| {
            let exists = name == TOPIC;
            MetadataResponseTopic {
                name: Some(Str::from(name)),
                error_code: if exists { 0 } else { 3 },
                topic_id: if exists { TOPIC_ID } else { Uuid::ZERO },
                partitions: (0..if exists { self.partitions } else { 0 })
                    .map(partition)
                    .collect(),
                ..Default::default()
            }
        };
        MetadataResponse {
            brokers: alloc::vec![MetadataResponseBroker {
                node_id: 1,
                host: Str::from("localhost"),
                port: 9092,
                ..Default::default()
            }],
            controller_id: 1,
            topics: names.into_iter().map(topic).collect(),
            ..Default::default()
        }
    }

    fn produce(&mut self, request: &ProduceRequest) -> Option<ProduceResponse> {
        let mut response = ProduceResponse::default();
        for topic in &request.topic_data {
            assert_eq!(topic.topic_id, TOPIC_ID);
            let mut answers = Vec::new();
            for partition in &topic.partition_data {
                let error_code = self.produce_errors.pop_front().unwrap_or(0);
                let mut base_offset = -1;
                if error_code == 0 {
                    let bytes = partition.records.bytes().unwrap();
                    let (batches, end) = self.logs.entry(partition.index).or_default();
                    base_offset = *end;
                    *end += i64::from(records::BatchView::parse(bytes).unwrap().count);
                    batches.push((base_offset, bytes.clone()));
                }
                answers.push(PartitionProduceResponse {
                    index: partition.index,
                    error_code,
                    base_offset,
                    ..Default::default()
                });
            }
            response.responses.push(TopicProduceResponse {
                topic_id: TOPIC_ID,
                partition_responses: answers,
                ..Default::default()
            });
        }
        (request.acks != 0).then_some(response)
    }

    fn fetch(&mut self, request: &FetchRequest) -> FetchResponse {
        let topics = request.topics.iter().map(|topic| FetchableTopicResponse {
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|p| self.fetch_partition(p))
                .collect(),
            ..Default::default()
        });
        let responses: Vec<_> = topics.collect();
        let empty =
            |topic: &FetchableTopicResponse| topic.partitions.iter().all(|p| p.records.is_empty());
        if responses.iter().all(empty) {
            // A long poll that ran out.
            self.now = self.now.plus_millis(500);
        }
        FetchResponse {
            responses,
            ..Default::default()
        }
    }

    fn fetch_partition(&self, asked: &wire::fetch_request::FetchPartition) -> PartitionData {
        let empty = (Vec::new(), 0);
        let (batches, end) = self.logs.get(&asked.partition).unwrap_or(&empty);
        let mut records = Vec::new();
        let from = batches.partition_point(|(base, _)| *base < asked.fetch_offset);
        for (base, batch) in batches.iter().skip(from) {
            let mut batch = batch.to_vec();
            batch[..8].copy_from_slice(&base.to_be_bytes());
            records.extend(batch);
        }
        PartitionData {
            partition_index: asked.partition,
            error_code: if asked.fetch_offset > *end { 1 } else { 0 },
            high_watermark: *end,
            records: Bytes::from(records).into(),
            ..Default::default()
        }
    }

    fn coordinator(&self) -> FindCoordinatorResponse {
        let found = wire::find_coordinator_response::Coordinator {
            node_id: 1,
            host: Str::from("localhost"),
            port: 9092,
            ..Default::default()
        };
        FindCoordinatorResponse {
            coordinators: alloc::vec![found],
            ..Default::default()
        }
    }

    /// The one member is the leader; its first join is answered with an id, as Kafka does.
    fn join(&mut self, request: &JoinGroupRequest) -> JoinGroupResponse {
        if request.member_id.is_empty() {
            return JoinGroupResponse {
                error_code: 79,
                member_id: Str::from("member-1"),
                ..Default::default()
            };
        }
        self.generation += 1;
        let member = JoinGroupResponseMember {
            member_id: request.member_id.clone(),
            metadata: request.protocols[0].metadata.clone(),
            ..Default::default()
        };
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: Some(Str::from("consumer")),
            protocol_name: Some(request.protocols[0].name.clone()),
            leader: request.member_id.clone(),
            member_id: request.member_id.clone(),
            members: alloc::vec![member],
            ..Default::default()
        }
    }

    fn commit(&mut self, request: &OffsetCommitRequest) -> OffsetCommitResponse {
        assert_eq!(request.generation_id_or_member_epoch, self.generation);
        let mut response = OffsetCommitResponse::default();
        for topic in &request.topics {
            let mut answer = OffsetCommitResponseTopic {
                name: topic.name.clone(),
                ..Default::default()
            };
            for p in &topic.partitions {
                self.stored.insert(p.partition_index, p.committed_offset);
                answer.partitions.push(OffsetCommitResponsePartition {
                    partition_index: p.partition_index,
                    ..Default::default()
                });
            }
            response.topics.push(answer);
        }
        response
    }

    fn committed(&self, request: &OffsetFetchRequest) -> OffsetFetchResponse {
        let asked = &request.groups[0];
        let topic = &asked.topics.as_ref().unwrap()[0];
        let answer = |&partition_index: &i32| OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: self.stored.get(&partition_index).copied().unwrap_or(-1),
            ..Default::default()
        };
        let topics = alloc::vec![OffsetFetchResponseTopics {
            name: topic.name.clone(),
            partitions: topic.partition_indexes.iter().map(answer).collect(),
            ..Default::default()
        }];
        OffsetFetchResponse {
            groups: alloc::vec![OffsetFetchResponseGroup {
                group_id: asked.group_id.clone(),
                topics,
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn list(&self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let topic = &request.topics[0];
        let answer = |asked: &wire::list_offsets_request::ListOffsetsPartition| {
            let end = self.logs.get(&asked.partition_index).map_or(0, |log| log.1);
            ListOffsetsPartitionResponse {
                partition_index: asked.partition_index,
                offset: if asked.timestamp == -2 { 0 } else { end },
                ..Default::default()
            }
        };
        ListOffsetsResponse {
            topics: alloc::vec![ListOffsetsTopicResponse {
                name: topic.name.clone(),
                partitions: topic.partitions.iter().map(answer).collect(),
                ..Default::default()
            }],
            ..Default::default()
        }
    }
}

fn sync(request: &SyncGroupRequest) -> SyncGroupResponse {
    SyncGroupResponse {
        assignment: request.assignments[0].assignment.clone(),
        ..Default::default()
    }
}

fn read<M: Message>(mut body: Reader, version: i16) -> M {
    M::decode(&mut body, version).unwrap()
}

fn encode<M: Message>(id: i32, version: i16, message: &M) -> Bytes {
    wire::encode_response(id, M::API_KEY, version, message)
        .unwrap()
        .bytes
}
