//! Brokers whose disk, controller and metadata log are the test.

mod files;

use brooklet_broker::{
    Broker, BrokerConfig, ClientEffect, ClientEvent, ControllerEvent, Effect, Event, Lost, Reply,
};
use bytes::Bytes;
use files::Files;
use ids::{ConnId, ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, Time, Token, Uuid};
use log::{DiskEffect, DiskEvent, LogId, Read, StoreOp};
use metadata::MetadataRecord;
use records::{BatchBuilder, BatchOptions};
use sorted::SortedMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use wire::partition_change_record::PartitionChangeRecord;
use wire::partition_record::PartitionRecord;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::register_broker_record::{BrokerEndpoint, RegisterBrokerRecord};
use wire::topic_record::TopicRecord;
use wire::{Message, Records, RequestHeader, Str};

/// The id of topic `t`.
pub(crate) const TOPIC: Uuid = Uuid([7; 16]);

/// A broker, and what it has said.
pub(crate) struct Node {
    pub(crate) broker: Broker,
    /// Questions to the controller, registration and heartbeats aside.
    pub(crate) asked: Vec<(Token, Bytes)>,
    /// Its registrations and heartbeats.
    pub(crate) beats: Vec<(Token, Bytes)>,
    /// What it has asked of other brokers.
    pub(crate) called: Vec<Bytes>,
    /// What it has had its disk do.
    pub(crate) stored: Vec<StoreOp>,
    files: BTreeMap<LogId, Files>,
    /// How often it has loaded bytes from there.
    pub(crate) loads: u32,
    pub(crate) removed: Vec<LogId>,
    replies: Vec<(ConnId, Bytes)>,
}

/// Brokers that hear the same metadata.
pub(crate) struct Cluster {
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) now: Time,
    /// Brokers whose calls, and calls to whom, are lost.
    cut: Vec<i32>,
    /// Brokers whose disks refuse to write.
    pub(crate) full: Vec<i32>,
    /// What a broker that hears nothing of the metadata has yet to hear.
    unheard: BTreeMap<NodeId, Vec<Bytes>>,
    metadata_end: i64,
    connections: u64,
    /// Calls under way, by the connection that carries each.
    calls: BTreeMap<ConnId, Call>,
}

/// A request of one broker to another.
struct Call {
    from: NodeId,
    to: NodeId,
    token: Token,
}

impl Cluster {
    /// Brokers 1 to `count`, registered and not fenced; each has the metadata offset of its registration
    /// as its broker epoch.
    pub(crate) fn new(count: i32, properties: &[(&str, &str)]) -> Cluster {
        let mut cluster = Cluster {
            nodes: BTreeMap::new(),
            now: Time::from_millis(1_000_000),
            cut: Vec::new(),
            full: Vec::new(),
            unheard: BTreeMap::new(),
            metadata_end: 0,
            connections: 0,
            calls: BTreeMap::new(),
        };
        let named = properties.iter();
        let named: SortedMap<String, String> = named
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for id in 1..=count {
            let config = BrokerConfig {
                node: NodeId(id),
                cluster_id: Arc::from("cluster"),
                host: Arc::from("localhost"),
                port: 9092,
                incarnation: Uuid([1; 16]),
                directory: Uuid([2; 16]),
                previous_epoch: None,
                properties: named.clone(),
                seed: 1,
                catalog: metadata::Catalog::default(),
            };
            let node = Node {
                broker: Broker::new(config, Vec::new()),
                asked: Vec::new(),
                beats: Vec::new(),
                called: Vec::new(),
                stored: Vec::new(),
                files: BTreeMap::new(),
                loads: 0,
                removed: Vec::new(),
                replies: Vec::new(),
            };
            cluster.nodes.insert(NodeId(id), node);
            cluster.step(NodeId(id), Event::Start);
        }
        for id in 1..=count {
            cluster.register(id);
        }
        cluster
    }

    /// Writes that a broker has registered, and is not fenced.
    pub(crate) fn register(&mut self, id: i32) {
        let endpoint = BrokerEndpoint {
            name: Str::from_static("PLAINTEXT"),
            host: Str::from_static("localhost"),
            port: 9092,
            ..BrokerEndpoint::default()
        };
        self.write(&[MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            broker_id: id,
            incarnation_id: Uuid([1; 16]),
            broker_epoch: self.metadata_end,
            end_points: vec![endpoint],
            fenced: false,
            rack: Some(Str::from(format!("r{id}"))),
            ..RegisterBrokerRecord::default()
        })]);
    }

    /// Topic `t` with one partition, led by its first replica.
    pub(crate) fn create(&mut self, replicas: &[i32], isr: &[i32]) {
        self.write(&[
            MetadataRecord::Topic(TopicRecord {
                name: Str::from_static("t"),
                topic_id: TOPIC,
                ..TopicRecord::default()
            }),
            MetadataRecord::Partition(PartitionRecord {
                partition_id: 0,
                topic_id: TOPIC,
                leader_epoch: 0,
                partition_epoch: 0,
                replicas: replicas.to_vec(),
                isr: isr.to_vec(),
                leader: replicas[0],
                ..PartitionRecord::default()
            }),
        ]);
    }

    /// Changes the partition of `t`.
    pub(crate) fn change(&mut self, change: PartitionChangeRecord) {
        self.write(&[MetadataRecord::PartitionChange(PartitionChangeRecord {
            topic_id: TOPIC,
            partition_id: 0,
            ..change
        })]);
    }

    /// Commits a batch of the metadata log.
    pub(crate) fn write(&mut self, records: &[MetadataRecord]) {
        let mut batch = BatchBuilder::new(BatchOptions::default());
        for record in records {
            let value = record.encode();
            batch.append(0, None, Some(&value), &[]).unwrap();
        }
        let mut bytes = Vec::new();
        let base = Offset(self.metadata_end);
        (batch.into_valid()).write_into(&mut bytes, base, LeaderEpoch(0));
        self.metadata_end += i64::try_from(records.len()).unwrap();
        let batch = Bytes::from(bytes);
        for id in self.nodes.keys().copied().collect::<Vec<_>>() {
            let batch = batch.clone();
            if let Some(unheard) = self.unheard.get_mut(&id) {
                unheard.push(batch);
                continue;
            }
            self.step(id, Event::Controller(ControllerEvent::Metadata { batch }));
        }
    }

    pub(crate) fn node(&mut self, id: i32) -> &mut Node {
        self.nodes.get_mut(&NodeId(id)).unwrap()
    }

    /// Tells a broker something; its disk obeys at once.
    pub(crate) fn step(&mut self, id: NodeId, event: Event) {
        let mut effects = Vec::new();
        let now = self.now;
        self.node(id.0).broker.step(now, event, &mut effects);
        self.carry(id, effects);
    }

    /// Has a broker begin to stop in order.
    pub(crate) fn shut_down(&mut self, id: i32) {
        let mut effects = Vec::new();
        let now = self.now;
        self.node(id).broker.begin_shutdown(now, &mut effects);
        self.carry(NodeId(id), effects);
    }

    /// Carries what a broker says, and what comes of it, until nobody has anything more to say.
    fn carry(&mut self, id: NodeId, effects: Vec<Effect>) {
        let mut said = VecDeque::from([(id, effects)]);
        while let Some((id, effects)) = said.pop_front() {
            let mut events = Vec::new();
            for effect in effects {
                self.carry_one(id, effect, &mut events);
            }
            for (id, event) in events {
                let mut effects = Vec::new();
                let now = self.now;
                self.node(id.0).broker.step(now, event, &mut effects);
                said.push_back((id, effects));
            }
        }
    }

    fn carry_one(&mut self, id: NodeId, effect: Effect, events: &mut Vec<(NodeId, Event)>) {
        let node = self.nodes.get_mut(&id).unwrap();
        match effect {
            Effect::Ask { token, frame } if matches!(frame[1], 62 | 63) => {
                node.beats.push((token, frame));
            }
            Effect::Ask { token, frame } => node.asked.push((token, frame)),
            Effect::Client(ClientEffect::Reply { conn, reply }) => {
                let whole = resolve(&node.broker, &reply);
                match self.calls.remove(&conn) {
                    Some(call) => {
                        let (token, answer) = (call.token, Ok(whole));
                        events.push((call.from, Event::Called { token, answer }));
                    }
                    None => node.replies.push((conn, whole)),
                }
            }
            Effect::Call {
                to, token, frame, ..
            } => {
                node.called.push(frame.clone());
                if self.cut.contains(&id.0) || self.cut.contains(&to.0) {
                    let answer = Err(Lost);
                    events.push((id, Event::Called { token, answer }));
                    return;
                }
                self.connections += 1;
                let conn = ConnId(self.connections);
                let from = id;
                self.calls.insert(conn, Call { from, to, token });
                let host = Arc::from("127.0.0.1");
                let connected = ClientEvent::Connected { conn, host };
                events.push((to, Event::Client(connected)));
                let request = ClientEvent::Request { conn, frame };
                events.push((to, Event::Client(request)));
            }
            Effect::Disk(DiskEffect::Store { log, token, .. }) if self.full.contains(&id.0) => {
                events.push((id, Event::Disk(DiskEvent::StoreFailed { log, token })));
            }
            Effect::Disk(DiskEffect::Store { log, token, ops }) => {
                let files = node.files.entry(log).or_default();
                files.obey(node.broker.log(log).unwrap(), &ops);
                node.stored.extend(ops);
                events.push((id, Event::Disk(DiskEvent::Stored { log, token })));
            }
            Effect::Disk(DiskEffect::Load { log, token, slice }) => {
                node.loads += 1;
                let bytes = Bytes::from(node.files[&log].read(&slice));
                let loaded = DiskEvent::Loaded { log, token, bytes };
                events.push((id, Event::Disk(loaded)));
            }
            Effect::Disk(DiskEffect::Remove { log }) => node.removed.push(log),
            _ => {}
        }
    }

    /// From now on a broker hears nothing of the metadata.
    pub(crate) fn deafen(&mut self, id: i32) {
        self.unheard.insert(NodeId(id), Vec::new());
    }

    /// A broker hears what it has not heard of the metadata.
    pub(crate) fn catch_up(&mut self, id: i32) {
        for batch in self.unheard.remove(&NodeId(id)).unwrap_or_default() {
            let event = ControllerEvent::Metadata { batch };
            self.step(NodeId(id), Event::Controller(event));
        }
    }

    /// Cuts these brokers off from all others, and no others; what is under way is lost.
    pub(crate) fn cut_off(&mut self, nodes: &[i32]) {
        self.cut = nodes.to_vec();
        let is_cut = |call: &Call| nodes.contains(&call.from.0) || nodes.contains(&call.to.0);
        let calls = self.calls.iter();
        let broken = calls.filter(|(_, call)| is_cut(call));
        let broken: Vec<ConnId> = broken.map(|(conn, _)| *conn).collect();
        for conn in broken {
            let Some(call) = self.calls.remove(&conn) else {
                continue;
            };
            let gone = Event::Client(ClientEvent::Disconnected { conn });
            self.step(call.to, gone);
            let (token, answer) = (call.token, Err(Lost));
            self.step(call.from, Event::Called { token, answer });
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        loop {
            let dues = self.nodes.iter().filter_map(|(id, node)| {
                let due = node.broker.next_deadline()?;
                (due <= until).then_some((due, *id))
            });
            let Some((due, id)) = dues.min() else { break };
            self.now = self.now.max(due);
            self.step(id, Event::Tick);
        }
        self.now = until;
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn send<Q: Message>(&mut self, id: i32, version: i16, request: &Q) -> ConnId {
        self.connections += 1;
        let conn = ConnId(self.connections);
        let host = Arc::from("127.0.0.1");
        let frame = frame(version, request);
        self.step(
            NodeId(id),
            Event::Client(ClientEvent::Connected { conn, host }),
        );
        self.step(
            NodeId(id),
            Event::Client(ClientEvent::Request { conn, frame }),
        );
        conn
    }

    /// The answer to a request, if there is one by now.
    pub(crate) fn answer<A: Message>(&mut self, id: i32, conn: ConnId, version: i16) -> Option<A> {
        let replies = &mut self.node(id).replies;
        let at = replies.iter().position(|(to, _)| *to == conn)?;
        let (_, frame) = replies.remove(at);
        Some(wire::decode_response(frame, version).unwrap().1)
    }

    /// Sends a request whose answer is there at once.
    pub(crate) fn ask<Q: Message, A: Message>(&mut self, id: i32, version: i16, request: &Q) -> A {
        let conn = self.send(id, version, request);
        self.answer(id, conn, version).expect("an answer at once")
    }

    /// What a broker's files of `t` hold.
    pub(crate) fn on_disk(&self, id: i32) -> Vec<u8> {
        let node = &self.nodes[&NodeId(id)];
        let found = node.broker.find_replica("t", PartitionIndex(0)).unwrap();
        node.files[&found].bytes()
    }

    /// The whole of a broker's log of `t`.
    pub(crate) fn bytes(&self, id: i32) -> Vec<u8> {
        let log = self.log(id);
        match log.read(log.log_start(), u32::MAX, log.log_end(), true) {
            Ok(Read::Slice(slice)) if slice.length > 0 => {
                log.slice_pieces(&slice).unwrap().concat()
            }
            _ => Vec::new(),
        }
    }

    /// What a broker has had its disk do.
    pub(crate) fn stored(&self, id: i32) -> &[StoreOp] {
        &self.nodes[&NodeId(id)].stored
    }

    /// The log of `t` at a broker.
    pub(crate) fn log(&self, id: i32) -> &log::Log {
        let broker = &self.nodes[&NodeId(id)].broker;
        let found = broker.find_replica("t", PartitionIndex(0)).unwrap();
        broker.log(found).unwrap()
    }
}

pub(crate) fn frame<Q: Message>(version: i16, request: &Q) -> Bytes {
    let header = RequestHeader {
        api_key: Q::API_KEY,
        api_version: version,
        correlation_id: 5,
        client_id: None,
    };
    wire::encode_request(&header, request).unwrap()
}

/// A reply with its slices in place.
fn resolve(broker: &Broker, reply: &Reply) -> Bytes {
    let mut whole = Vec::new();
    let mut from = 0;
    for slice in &reply.slices {
        let at = usize::try_from(slice.at).unwrap();
        whole.extend_from_slice(&reply.bytes[from..at]);
        let log = broker.log(slice.log).unwrap();
        whole.extend(log.slice_pieces(&slice.slice).unwrap().concat());
        from = at;
    }
    whole.extend_from_slice(&reply.bytes[from..]);
    Bytes::from(whole)
}

/// Version in which records are sent.
pub(crate) const PRODUCE: i16 = 12;

/// Sends a batch to `t`.
pub(crate) fn produce_batch(acks: i16, batch: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData {
        index: 0,
        records: Records::Bytes(batch),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: Str::from_static("t"),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    ProduceRequest {
        acks,
        timeout_ms: 60_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    }
}

pub(crate) fn produced(answer: &ProduceResponse) -> (ErrorCode, i64) {
    let row = &answer.responses[0].partition_responses[0];
    (ErrorCode(row.error_code), row.base_offset)
}

/// A batch of one record.
pub(crate) fn batch(value: &[u8]) -> Bytes {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.append(1_000_000, None, Some(value), &[]).unwrap();
    let mut bytes = Vec::new();
    (batch.into_valid()).write_into(&mut bytes, Offset(0), LeaderEpoch(-1));
    Bytes::from(bytes)
}
