//! A cluster of several brokers and controllers that answers Kafka's cluster tools as its state says.
//!
//! The state is what was recorded: topics are read from what `kafka-topics --describe` printed, brokers from
//! `kafka-cluster list-endpoints`. What changes it are the requests themselves, and the test for what brokers do
//! by themselves.

mod admin;
mod recorded;

use crate::transcripts::session::Said;
use bytes::Bytes;
use client::io::{Input, LinkId, Output};
use client::tools::{Env, Tool, files_named, split_line};
use ids::{Rng, Time, Uuid};
use std::collections::{BTreeMap, VecDeque};
use wire::Message;
use wire::describe_quorum_response::DescribeQuorumResponse;

/// A broker or a controller.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its id.
    pub id: i32,
    /// Where it listens.
    pub port: u16,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// It does not answer, or is not let.
    pub fenced: bool,
}

/// A partition.
#[derive(Clone, Debug, Default)]
pub struct Partition {
    /// -1: nobody.
    pub leader: i32,
    /// In order of preference.
    pub replicas: Vec<i32>,
    /// Those in sync.
    pub isr: Vec<i32>,
    /// Those that may lead though they are not in sync.
    pub elr: Vec<i32>,
    /// Who led last.
    pub last_known: Vec<i32>,
    /// Where it is being moved to.
    pub target: Option<Vec<i32>>,
    /// Bytes of each replica.
    pub size: i64,
}

/// A topic.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// Its id.
    pub id: Uuid,
    /// Its partitions in order.
    pub partitions: Vec<Partition>,
}

/// The cluster.
#[derive(Clone, Debug, Default)]
pub struct FakeCluster {
    /// Its id.
    pub id: String,
    /// Brokers.
    pub brokers: Vec<Node>,
    /// Controllers; the first is the active one.
    pub controllers: Vec<Node>,
    /// Topics by name.
    pub topics: BTreeMap<String, Topic>,
    /// What was set of topics (2) and brokers (4), by kind and name.
    pub configs: BTreeMap<(i8, String), BTreeMap<String, String>>,
    /// What is told of the quorum.
    pub quorum: DescribeQuorumResponse,
    /// The order in which topics are told; the others follow.
    pub order: Vec<String>,
    /// The epoch of the features.
    pub features_epoch: i64,
    /// The time.
    pub now: Time,
}

impl FakeCluster {
    /// Runs a command to its end, with the files that it names among these.
    ///
    /// # Panics
    /// When it does not come to an end, or asks what no broker here knows.
    #[must_use]
    pub fn run(&mut self, line: &str, files: impl Fn(&str) -> Option<Vec<u8>>) -> Said {
        let words = split_line(line).expect("a shell took this line");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut env = Env::new(Rng::new(1));
        for name in files_named(&words) {
            if let Some(bytes) = files(name) {
                env.files.insert(name.to_string(), bytes.into());
            }
        }
        let mut tool = Tool::start(&words, env);
        let mut links: BTreeMap<LinkId, u16> = BTreeMap::new();
        let mut inputs = VecDeque::from([Input::Start]);
        let mut said = Said::default();
        for _ in 0..10_000 {
            let input = inputs.pop_front().unwrap_or(Input::Timer);
            let mut out = Vec::new();
            tool.step(self.now, &input, &mut out);
            let quiet = out.is_empty() && input == Input::Timer;
            for output in out {
                match output {
                    Output::Connect { link, port, .. } => {
                        links.insert(link, port);
                        inputs.push_back(match self.is_up(port) {
                            true => Input::Connected { link },
                            false => Input::ConnectFailed {
                                link,
                                why: "refused".into(),
                            },
                        });
                    }
                    Output::Send { link, frame } => {
                        let frame = self.answer(links[&link], frame);
                        inputs.push_back(Input::Frame { link, frame });
                    }
                    Output::Stdout(bytes) => said.stdout += &String::from_utf8_lossy(&bytes),
                    Output::Stderr(bytes) => said.stderr += &String::from_utf8_lossy(&bytes),
                    Output::Exit(code) => said.exit = Some(code),
                    Output::Disconnect { .. } => {}
                }
            }
            if said.exit.is_some() {
                return said;
            }
            if quiet && inputs.is_empty() {
                let due = tool
                    .next_deadline()
                    .expect("a tool that waits for something");
                self.now = self.now.max(due);
            }
        }
        panic!("{line} does not come to an end: {said:?}");
    }

    /// Lets every move that is under way arrive.
    pub fn finish_moves(&mut self) {
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                if let Some(target) = partition.target.take() {
                    partition.isr = target.clone();
                    partition.replicas = target;
                    if !partition.replicas.contains(&partition.leader) {
                        partition.leader = partition.replicas[0];
                    }
                }
            }
        }
    }

    fn is_up(&self, port: u16) -> bool {
        let nodes = self.brokers.iter().chain(&self.controllers);
        nodes
            .filter(|node| node.port == port)
            .any(|node| !node.fenced)
    }

    fn is_alive(&self, id: i32) -> bool {
        self.brokers
            .iter()
            .any(|node| node.id == id && !node.fenced)
    }

    fn answer(&mut self, port: u16, frame: Bytes) -> Bytes {
        let (header, body) = wire::decode_request_header(frame).expect("a header");
        let (id, version) = (header.correlation_id, header.api_version);
        let controller = self.controllers.iter().any(|node| node.port == port);
        macro_rules! answer {
            ($request:path, $answer:expr) => {{
                let mut body = body;
                let request = <$request>::decode(&mut body, version).expect("a request");
                let answer = $answer;
                encode(id, version, &answer(self, request))
            }};
        }
        match header.api_key {
            3 if !controller => answer!(wire::metadata_request::MetadataRequest, Self::metadata),
            18 => encode(id, version, &self.versions(controller)),
            19 => answer!(
                wire::create_topics_request::CreateTopicsRequest,
                Self::create_topics
            ),
            32 => answer!(
                wire::describe_configs_request::DescribeConfigsRequest,
                Self::describe_configs
            ),
            35 => answer!(
                wire::describe_log_dirs_request::DescribeLogDirsRequest,
                |cluster: &mut Self, request| cluster.log_dirs(port, &request)
            ),
            43 => answer!(
                wire::elect_leaders_request::ElectLeadersRequest,
                Self::elect
            ),
            44 => answer!(
                wire::incremental_alter_configs_request::IncrementalAlterConfigsRequest,
                Self::alter_configs
            ),
            45 => answer!(
                wire::alter_partition_reassignments_request::AlterPartitionReassignmentsRequest,
                Self::reassign
            ),
            46 => encode(id, version, &self.reassignments()),
            55 => encode(id, version, &self.quorum),
            60 => answer!(
                wire::describe_cluster_request::DescribeClusterRequest,
                Self::describe_cluster
            ),
            64 => answer!(
                wire::unregister_broker_request::UnregisterBrokerRequest,
                Self::unregister
            ),
            75 => answer!(
                wire::describe_topic_partitions_request::DescribeTopicPartitionsRequest,
                Self::describe_topics
            ),
            81 => answer!(
                wire::remove_raft_voter_request::RemoveRaftVoterRequest,
                Self::remove_voter
            ),
            key => panic!("this cluster does not know API {key}"),
        }
    }
}

fn encode<M: Message>(id: i32, version: i16, message: &M) -> Bytes {
    let encoded = wire::encode_response(id, M::API_KEY, version, message);
    encoded.expect("an answer").bytes
}
