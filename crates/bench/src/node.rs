//! A node in this process whose disk is memory and answers at once.

use crate::load::{NOW, TOPIC, VERSION, frame};
use bytes::Bytes;
use cluster::{
    BrokerConfig, ClientEffect, ClientEvent, Cluster, ControllerConfig, DiskEffect, DiskEvent,
    Effect, Event, Node, NodeConfig, Reply,
};
use ids::{ConnId, NodeId, Offset, Time, Uuid};
use log::{Log, LogConfig};
use std::collections::VecDeque;

use sorted::SortedMap;
use std::sync::Arc;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::{Message, Str};

const NODE: NodeId = NodeId(1);

/// One broker and its controller, as a shell drives them.
pub(crate) struct InProcess {
    cluster: Cluster,
    now: Time,
    events: VecDeque<Event>,
    effects: Vec<Effect>,
    conns: u64,
    /// Replies handed out.
    pub(crate) replies: u64,
    /// Connections that the broker closed.
    pub(crate) closed: u64,
}

impl InProcess {
    /// A node that serves.
    pub(crate) fn start() -> InProcess {
        let metadata = Log::new(LogConfig::default(), Offset(0), NOW);
        let mut cluster = Cluster::new();
        let node = Node::new(config(), metadata.into(), Vec::new());
        cluster.insert(node.expect("no election is remembered"));
        let mut node = InProcess {
            cluster,
            now: NOW,
            events: VecDeque::new(),
            effects: Vec::new(),
            conns: 0,
            replies: 0,
            closed: 0,
        };
        node.tell(Event::Start, &mut |_, _| {});
        for _ in 0..100 {
            if node.cluster.node(NODE).is_some_and(Node::is_serving) {
                break;
            }
            node.advance();
        }
        node
    }

    /// Tells the node a fact and carries out all it orders; `take` sees every reply.
    pub(crate) fn tell(&mut self, event: impl Into<Event>, take: &mut dyn FnMut(&Cluster, &Reply)) {
        self.events.push_back(event.into());
        while let Some(event) = self.events.pop_front() {
            self.cluster.step(self.now, NODE, event, &mut self.effects);
            for effect in self.effects.drain(..) {
                match effect {
                    Effect::Disk(DiskEffect::Store { log, token, .. }) => {
                        let stored = DiskEvent::Stored { log, token };
                        self.events.push_back(stored.into());
                    }
                    Effect::Client(ClientEffect::Reply { reply, .. }) => {
                        self.replies += 1;
                        take(&self.cluster, &reply);
                    }
                    Effect::Client(ClientEffect::Close { .. }) => self.closed += 1,
                    Effect::Disk(DiskEffect::Load { log, token, .. }) => {
                        let bytes = Bytes::new();
                        let loaded = DiskEvent::Loaded { log, token, bytes };
                        self.events.push_back(loaded.into());
                    }
                    _ => {}
                }
            }
        }
    }

    /// A new connection.
    pub(crate) fn connect(&mut self) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        let host = Arc::from("127.0.0.1");
        self.tell(ClientEvent::Connected { conn, host }, &mut |_, _| {});
        conn
    }

    /// Creates the topic of the benchmark.
    pub(crate) fn create_topic(&mut self, partitions: i32) -> Result<(), String> {
        let conn = self.connect();
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: Str::from(TOPIC),
                num_partitions: partitions,
                replication_factor: 1,
                ..CreatableTopic::default()
            }],
            ..CreateTopicsRequest::default()
        };
        let answer: CreateTopicsResponse = self.ask(conn, &request)?;
        match answer.topics.first() {
            Some(topic) if topic.error_code == 0 => Ok(()),
            other => Err(format!("the topic could not be created: {other:?}")),
        }
    }

    /// Sends a request and decodes its answer; lets up to ten seconds pass until there is one.
    pub(crate) fn ask<Q: Message, A: Message>(
        &mut self,
        conn: ConnId,
        request: &Q,
    ) -> Result<A, String> {
        let mut answer = None;
        let frame = frame(request);
        let mut keep =
            |cluster: &Cluster, reply: &Reply| answer = Some(Bytes::from(resolve(cluster, reply)));
        self.tell(ClientEvent::Request { conn, frame }, &mut keep);
        for _ in 0..1000 {
            if let Some(bytes) = answer {
                let version = VERSION.min(Q::MAX_VERSION);
                let decoded = wire::decode_response::<A>(bytes, version);
                return decoded
                    .map(|(_, message)| message)
                    .map_err(|why| format!("an answer cannot be read: {why:?}"));
            }
            self.now = self.now.plus_millis(10);
            self.tell(Event::Tick, &mut |cluster, reply| {
                answer = Some(Bytes::from(resolve(cluster, reply)));
            });
        }
        Err(format!("no answer to API {}", Q::API_KEY))
    }

    /// Lets the logs drop bytes from memory until at most `max_bytes` stay.
    pub(crate) fn evict(&mut self, max_bytes: u64) {
        if let Some(node) = self.cluster.node_mut(NODE) {
            node.evict(max_bytes);
        }
    }

    fn advance(&mut self) {
        self.now = self.now.plus_millis(1);
        self.tell(Event::Tick, &mut |_, _| {});
    }
}

/// Gives every piece of a reply to `take`, in order, without copying it.
pub(crate) fn pieces(cluster: &Cluster, reply: &Reply, take: &mut dyn FnMut(&[u8])) {
    let mut at = 0;
    for slice in &reply.slices {
        let here = slice.at as usize;
        take(reply.bytes.get(at..here).unwrap_or_default());
        at = here;
        let log = cluster.log(NODE, slice.log);
        let found = log.and_then(|log| log.slice_bytes(&slice.slice));
        found.into_iter().flatten().for_each(&mut *take);
    }
    take(reply.bytes.get(at..).unwrap_or_default());
}

/// A reply as one piece of bytes.
fn resolve(cluster: &Cluster, reply: &Reply) -> Vec<u8> {
    let mut frame = Vec::new();
    pieces(cluster, reply, &mut |piece| frame.extend_from_slice(piece));
    frame
}

fn config() -> NodeConfig {
    let broker = BrokerConfig {
        node: NODE,
        cluster_id: Arc::from("brooklet-bench-cluster"),
        host: Arc::from("127.0.0.1"),
        port: 9092,
        incarnation: Uuid([7; 16]),
        directory: Uuid([8; 16]),
        previous_epoch: None,
        properties: SortedMap::new(),
        seed: 1,
        catalog: Default::default(),
    };
    let controller = ControllerConfig {
        node: NODE,
        incarnation: Uuid([7; 16]),
        properties: SortedMap::new(),
        seed: 2,
        catalog: Default::default(),
        keeps_eligible_leaders: false,
    };
    NodeConfig::alone(broker, controller)
}
