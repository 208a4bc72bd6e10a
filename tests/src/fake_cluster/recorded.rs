//! A state read from what tools printed of it.

use super::{FakeCluster, Node, Partition, Topic};
use ids::Uuid;
use wire::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node as QuorumNode, PartitionData, ReplicaState, TopicData,
};

impl FakeCluster {
    /// Takes the topics that a description shows as they are there, in that order. Lines of partitions only
    /// change those partitions.
    pub fn take_topics(&mut self, description: &str) {
        for line in description.lines() {
            let field = |name: &str| {
                let mut fields = line.split('\t').filter_map(|field| field.split_once(": "));
                fields.find(|(key, _)| *key == name).map(|(_, value)| value)
            };
            let Some(name) = field("Topic") else {
                continue;
            };
            if let Some(id) = field("TopicId") {
                let topic = self.topics.entry(name.to_string()).or_default();
                *topic = Topic {
                    id: Uuid::parse(id).expect("an id"),
                    partitions: Vec::new(),
                };
                self.order.retain(|other| other != name);
                self.order.push(name.to_string());
                let configs = field("Configs").unwrap_or_default();
                self.take_configs(name, configs);
                continue;
            }
            let ids = |name: &str| {
                let text = field(name).unwrap_or_default().trim();
                let ids = text.split(',').filter(|id| !id.is_empty());
                ids.map(|id| id.parse().expect("a broker"))
                    .collect::<Vec<i32>>()
            };
            let (adding, removing) = (ids("Adding Replicas"), ids("Removing Replicas"));
            let replicas = ids("Replicas");
            let staying = replicas.iter().copied().filter(|id| !removing.contains(id));
            let moves = !adding.is_empty() || !removing.is_empty();
            let partition = Partition {
                leader: field("Leader").and_then(|id| id.parse().ok()).unwrap_or(-1),
                target: moves.then(|| staying.collect()),
                replicas,
                isr: ids("Isr"),
                elr: ids("Elr"),
                last_known: ids("LastKnownElr"),
                size: 0,
            };
            let topic = self.topics.get_mut(name).expect("its topic came before");
            topic.partitions.push(partition);
        }
    }

    /// What was set of a topic. Values may have commas in them.
    fn take_configs(&mut self, topic: &str, text: &str) {
        let configs = self.configs.entry((2, topic.to_string())).or_default();
        configs.clear();
        let mut last = None;
        for part in text.split(',').filter(|part| !part.is_empty()) {
            match (part.split_once('='), &last) {
                (Some((name, value)), _) => {
                    configs.insert(name.to_string(), value.to_string());
                    last = Some(name.to_string());
                }
                (None, Some(name)) => {
                    let value = configs.get_mut(name).expect("it was put there");
                    *value += &format!(",{part}");
                }
                (None, None) => panic!("{text} are no configs"),
            }
        }
    }

    /// Takes the brokers, or the controllers, that a list of endpoints shows.
    pub fn take_endpoints(&mut self, list: &str) {
        let rows = list.lines().skip(1).map(|line| line.split_whitespace());
        let mut controllers = Vec::new();
        let mut brokers = Vec::new();
        for row in rows {
            let cells: Vec<&str> = row.collect();
            let node = Node {
                id: cells[0].parse().expect("an id"),
                port: cells[2].parse().expect("a port"),
                rack: Some(cells[3].to_string()).filter(|rack| rack != "null"),
                fenced: cells[4] == "fenced",
            };
            match cells[4] {
                "controller" => controllers.push(node),
                _ => brokers.push(node),
            }
        }
        if !controllers.is_empty() {
            self.controllers = controllers;
        }
        if !brokers.is_empty() {
            self.brokers = brokers;
        }
    }

    /// Takes what the table of the replicas shows, and how far the quorum has committed.
    pub fn take_quorum(&mut self, table: &str, epoch: i32, high_watermark: i64) {
        let mut partition = PartitionData {
            leader_epoch: epoch,
            high_watermark,
            leader_id: -1,
            ..Default::default()
        };
        for line in table.lines().skip(1) {
            let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
            let number = |at: usize| cells[at].parse::<i64>().expect("a number");
            let state = ReplicaState {
                replica_id: cells[0].parse().expect("an id"),
                replica_directory_id: Uuid::parse(cells[1]).expect("a directory"),
                log_end_offset: number(2),
                last_fetch_timestamp: number(4),
                last_caught_up_timestamp: number(5),
                ..Default::default()
            };
            match cells[6] {
                "Observer" => partition.observers.push(state),
                status => {
                    if status == "Leader" {
                        partition.leader_id = state.replica_id;
                    }
                    partition.current_voters.push(state);
                }
            }
        }
        // Kafka's leader tells voters in the order of their ids.
        partition
            .current_voters
            .sort_by_key(|voter| voter.replica_id);
        let listener = |node: &Node| Listener {
            name: "CONTROLLER".into(),
            host: "localhost".into(),
            port: node.port,
            ..Default::default()
        };
        let node = |node: &Node| QuorumNode {
            node_id: node.id,
            listeners: vec![listener(node)],
            ..Default::default()
        };
        self.quorum = DescribeQuorumResponse {
            topics: vec![TopicData {
                topic_name: "__cluster_metadata".into(),
                partitions: vec![partition],
                ..Default::default()
            }],
            nodes: self.controllers.iter().map(node).collect(),
            ..Default::default()
        };
    }
}
