//! A node whose disk is memory and answers at once: the shortest shell there is.

use crate::disk::Disk;
use bytes::{BufMut, Bytes, BytesMut};
use cluster::{
    BrokerConfig, ClientEffect, ClientEvent, Cluster, ControllerConfig, DiskEffect, DiskEvent,
    Effect, Event, MetadataLog, Node, NodeConfig, Note, Recovered, Reply,
};
use ids::{ConnId, NodeId, Time, Uuid};
use sorted::SortedMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::{Message, RequestHeader};

/// The node's id.
pub const NODE: NodeId = NodeId(1);

/// One broker and its controller; every store is settled the moment it is ordered.
pub struct Direct {
    /// The cluster of one node.
    pub cluster: Cluster,
    /// The time it is told.
    pub now: Time,
    /// What the node noted for people, in order.
    pub notes: Vec<Note>,
    /// Whether the disk refuses to write from now on.
    pub is_full: bool,
    /// How often the node has asked for bytes that were not in memory.
    pub loads: u64,
    properties: SortedMap<String, String>,
    starts: u8,
    disk: Disk,
    replies: BTreeMap<ConnId, VecDeque<Bytes>>,
    closed: Vec<ConnId>,
    conns: u64,
}

impl Direct {
    /// A node that serves, with these properties.
    #[must_use]
    pub fn new(properties: &[(&str, &str)]) -> Direct {
        let properties = properties
            .iter()
            .map(|(name, value)| ((*name).to_string(), (*value).to_string()))
            .collect();
        let mut direct = Direct {
            cluster: Cluster::new(),
            now: Time::from_millis(1_795_248_000_000),
            notes: Vec::new(),
            is_full: false,
            loads: 0,
            properties,
            starts: 0,
            disk: Disk::default(),
            replies: BTreeMap::new(),
            closed: Vec::new(),
            conns: 0,
        };
        direct.start(u64::MAX);
        direct
    }

    /// Kills the node and starts it again from the bytes of its logs alone.
    pub fn restart(&mut self) {
        self.restart_with(u64::MAX);
    }

    /// As [`Direct::restart`], with nothing of the logs in memory that can be loaded.
    pub fn restart_cold(&mut self) {
        self.restart_with(0);
    }

    fn restart_with(&mut self, hot_bytes: u64) {
        self.cluster = Cluster::new();
        self.replies.clear();
        self.start(hot_bytes);
    }

    fn start(&mut self, hot_bytes: u64) {
        self.starts += 1;
        let incarnation = Uuid([self.starts; 16]);
        let broker = BrokerConfig {
            node: NODE,
            cluster_id: Arc::from("brooklet-direct-cluste"),
            host: Arc::from("localhost"),
            port: 9092,
            incarnation,
            directory: Uuid([8; 16]),
            previous_epoch: None,
            properties: self.properties.clone(),
            seed: u64::from(self.starts),
            catalog: metadata::Catalog::kafka(),
        };
        let controller = ControllerConfig {
            node: NODE,
            incarnation,
            properties: self.properties.clone(),
            seed: 100 + u64::from(self.starts),
            catalog: metadata::Catalog::kafka(),
            keeps_eligible_leaders: false,
        };
        let config = NodeConfig::alone(broker, controller);
        let (metadata, mut recovered): (MetadataLog, Vec<Recovered>) = self.disk.recover(self.now);
        for found in &mut recovered {
            found.log.evict(hot_bytes);
        }
        let node = Node::new(config, metadata, recovered).expect("quorum-state is whole");
        self.cluster.insert(node);
        self.step(Event::Start);
        for _ in 0..100 {
            if self.cluster.node(NODE).is_some_and(Node::is_serving) {
                return;
            }
            self.advance(1);
        }
        panic!("the node does not serve");
    }

    /// Tells the node a fact and carries out what it orders.
    pub fn step(&mut self, event: impl Into<Event>) {
        let mut events = VecDeque::from([event.into()]);
        let mut effects = Vec::new();
        while let Some(event) = events.pop_front() {
            self.cluster.step(self.now, NODE, event, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Disk(DiskEffect::Store { log, token, .. }) if self.is_full => {
                        events.push_back(DiskEvent::StoreFailed { log, token }.into());
                    }
                    Effect::Disk(DiskEffect::Store { log, token, ops }) => {
                        // A replica may have gone in the very step that wrote to it.
                        if let Some(source) = self.cluster.log(NODE, log) {
                            self.disk.carry_out(log, source, ops);
                        }
                        events.push_back(DiskEvent::Stored { log, token }.into());
                    }
                    Effect::Client(ClientEffect::Reply { conn, reply }) => {
                        let frame = resolve(&self.cluster, &reply);
                        self.replies.entry(conn).or_default().push_back(frame);
                    }
                    Effect::Client(ClientEffect::Close { conn, .. }) => self.closed.push(conn),
                    Effect::Disk(DiskEffect::Open { log, name }) => self.disk.open(log, name),
                    Effect::Disk(DiskEffect::Remove { log }) => self.disk.remove(log),
                    Effect::Note(note) => self.notes.push(note),
                    Effect::Disk(DiskEffect::Load { log, token, slice }) => {
                        self.loads += 1;
                        let bytes = self.disk.read(log, &slice);
                        events.push_back(DiskEvent::Loaded { log, token, bytes }.into());
                    }
                    Effect::Link(effect) => panic!("one node has nobody to call: {effect:?}"),
                }
            }
        }
    }

    /// Lets time pass, waking the node whenever it asked for it.
    pub fn advance(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        while let Some(due) = self.cluster.next_deadline(NODE).filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.step(Event::Tick);
        }
        self.now = until;
    }

    /// A new connection.
    pub fn connect(&mut self) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        self.step(ClientEvent::Connected {
            conn,
            host: Arc::from("127.0.0.1"),
        });
        conn
    }

    /// Sends a frame as it is.
    pub fn send(&mut self, conn: ConnId, frame: Bytes) {
        self.step(ClientEvent::Request { conn, frame });
    }

    /// The next reply on a connection, if there is one.
    pub fn reply(&mut self, conn: ConnId) -> Option<Bytes> {
        self.replies.get_mut(&conn)?.pop_front()
    }

    /// Whether the node has closed a connection.
    #[must_use]
    pub fn is_closed(&self, conn: ConnId) -> bool {
        self.closed.contains(&conn)
    }

    /// Sends a request; [`Direct::answer`] gives its answer.
    pub fn tell<Q: Message>(&mut self, conn: ConnId, version: i16, request: &Q) {
        let header = RequestHeader {
            api_key: Q::API_KEY,
            api_version: version,
            correlation_id: 5,
            client_id: Some(wire::Str::from("direct")),
        };
        let frame = wire::encode_request(&header, request).expect("the request fits its version");
        self.send(conn, frame);
    }

    /// Decodes the answer to a request of [`Direct::tell`]; lets up to 40 s pass until there is one.
    pub fn answer<A: Message>(&mut self, conn: ConnId, version: i16) -> A {
        for _ in 0..4000 {
            if let Some(frame) = self.reply(conn) {
                let (correlation, answer) =
                    wire::decode_response::<A>(frame, version).expect("an answer of this version");
                assert_eq!(correlation, 5);
                return answer;
            }
            self.advance(10);
        }
        panic!("no answer of API {} v{version}", A::API_KEY);
    }

    /// Sends a request and decodes its answer; lets up to 40 s pass until there is one.
    pub fn ask<Q: Message, A: Message>(&mut self, conn: ConnId, version: i16, request: &Q) -> A {
        self.tell(conn, version, request);
        self.answer(conn, version)
    }

    /// Makes a topic of so many partitions, which must not be refused.
    pub fn create_topic(&mut self, conn: ConnId, name: &str, partitions: i32) {
        let topic = CreatableTopic {
            name: wire::Str::from(name),
            num_partitions: partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..CreateTopicsRequest::default()
        };
        let answer: CreateTopicsResponse = self.ask(conn, 7, &request);
        assert_eq!(answer.topics[0].error_code, 0, "{name} is refused");
    }
}

/// A reply as one piece of bytes, its log slices in place.
#[must_use]
pub fn resolve(cluster: &Cluster, reply: &Reply) -> Bytes {
    let mut frame = BytesMut::new();
    let mut at = 0;
    for slice in &reply.slices {
        frame.put_slice(&reply.bytes[at..slice.at as usize]);
        at = slice.at as usize;
        let log = cluster.log(NODE, slice.log).expect("the replica is there");
        for piece in log
            .slice_bytes(&slice.slice)
            .expect("the slice is in memory")
        {
            frame.put_slice(piece);
        }
    }
    frame.put_slice(&reply.bytes[at..]);
    frame.freeze()
}
