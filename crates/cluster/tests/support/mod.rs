//! Nodes on a bench: the test carries what they say to each other, a millisecond each way, and lets time pass.

mod disk;

use brooklet_cluster as cluster;
use bytes::{BufMut, Bytes, BytesMut};
use cluster::{
    BrokerConfig, ClientEffect, ClientEvent, Cluster, ControllerConfig, DiskEffect, DiskEvent,
    Effect, Endpoint, Event, LinkEffect, LinkEvent, LinkId, ListenerEndpoint, Node, NodeConfig,
    RaftConfig, ReplicaKey, Reply, Snapshots, Tuning, Voter, Voters,
};
use disk::Disk;
use ids::{ConnId, NodeId, Time, Uuid};
use metadata::{Catalog, Image};
use sorted::SortedMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use wire::{Message, RequestHeader, Str};

/// How long anything is on its way, and a write to a disk.
const WAY_MS: u64 = 1;
/// Controllers listen at this port plus their id, brokers at the other.
const CONTROLLER_PORT: u16 = 19_000;
const BROKER_PORT: u16 = 9_000;
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// What a node is started with.
#[derive(Clone, Debug)]
struct Spec {
    is_broker: bool,
    is_controller: bool,
    voters: Vec<i32>,
    properties: SortedMap<String, String>,
    snapshots: Option<Snapshots>,
}

#[derive(Debug)]
pub(crate) struct Host {
    spec: Spec,
    pub(crate) disk: Disk,
    /// Counts its lives; what was on its way to an earlier one does not arrive.
    life: u64,
    is_clean: Option<i64>,
}

/// A connection that one node has opened to another.
#[derive(Clone, Copy, Debug)]
struct Pipe {
    to: i32,
    conn: ConnId,
    is_controllers: bool,
}

pub(crate) struct Bench {
    pub(crate) now: Time,
    pub(crate) cluster: Cluster,
    pub(crate) hosts: BTreeMap<i32, Host>,
    on_the_way: BTreeMap<(Time, u64), (i32, u64, Event)>,
    pipes: BTreeMap<(i32, LinkId), Pipe>,
    replies: BTreeMap<(i32, ConnId), VecDeque<Bytes>>,
    /// Frames that nodes sent each other, by the key of their API.
    pub(crate) sent: BTreeMap<i16, u64>,
    counted: u64,
}

fn key(id: i32) -> ReplicaKey {
    ReplicaKey {
        id: NodeId(id),
        directory: Uuid::ZERO,
    }
}

fn directory(id: i32) -> Uuid {
    Uuid([u8::try_from(id).unwrap(); 16])
}

fn endpoint(id: i32) -> ListenerEndpoint {
    ListenerEndpoint {
        listener: Str::from("CONTROLLER"),
        host: Str::from("localhost"),
        port: CONTROLLER_PORT + u16::try_from(id).unwrap(),
    }
}

impl Bench {
    /// Nodes that are broker and controller each, none of which runs.
    pub(crate) fn combined(count: i32) -> Bench {
        let voters: Vec<i32> = (1..=count).collect();
        Bench::of(voters.iter().map(|id| (*id, true, true)), &voters)
    }

    /// Controllers from 101 on, brokers from 1 on; none of them runs.
    pub(crate) fn split(controllers: i32, brokers: i32) -> Bench {
        let voters: Vec<i32> = (101..101 + controllers).collect();
        let all = voters.iter().map(|id| (*id, false, true));
        Bench::of(
            all.chain((1..=brokers).map(|id| (id, true, false))),
            &voters,
        )
    }

    fn of(nodes: impl Iterator<Item = (i32, bool, bool)>, voters: &[i32]) -> Bench {
        let host = |(id, is_broker, is_controller)| {
            let spec = Spec {
                is_broker,
                is_controller,
                voters: voters.to_vec(),
                properties: SortedMap::new(),
                snapshots: None,
            };
            let host = Host {
                spec,
                disk: Disk::default(),
                life: 0,
                is_clean: None,
            };
            (id, host)
        };
        Bench {
            now: Time::from_millis(1_795_248_000_000),
            cluster: Cluster::new(),
            hosts: nodes.map(host).collect(),
            on_the_way: BTreeMap::new(),
            pipes: BTreeMap::new(),
            replies: BTreeMap::new(),
            sent: BTreeMap::new(),
            counted: 0,
        }
    }

    /// A setting of all nodes, from their next start on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        for host in self.hosts.values_mut() {
            let (name, value) = (name.to_string(), value.to_string());
            host.spec.properties.insert(name, value);
        }
    }

    /// All nodes write snapshots so often, from their next start on.
    pub(crate) fn snapshots(&mut self, settings: Snapshots) {
        for host in self.hosts.values_mut() {
            host.spec.snapshots = Some(settings);
        }
    }

    pub(crate) fn start_all(&mut self) {
        for id in self.hosts.keys().copied().collect::<Vec<_>>() {
            self.start(id);
        }
    }

    /// Starts a node from what its disk holds.
    pub(crate) fn start(&mut self, id: i32) {
        let now = self.now;
        let host = self.hosts.get_mut(&id).unwrap();
        host.life += 1;
        let (metadata, recovered) = host.disk.recover(now);
        let config = node_config(id, host);
        host.is_clean = None;
        let node = Node::new(config, metadata, recovered).unwrap();
        self.cluster.insert(node);
        self.tell(id, Event::Start);
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self, id: i32) {
        self.cluster.remove(NodeId(id)).unwrap();
        self.hosts.get_mut(&id).unwrap().life += 1;
        self.replies.retain(|(node, _), _| *node != id);
        for ((from, link), pipe) in self.pipes.clone() {
            if from == id {
                self.pipes.remove(&(from, link));
                let event = ClientEvent::Disconnected { conn: pipe.conn };
                self.at_listener(pipe, event);
            } else if pipe.to == id {
                self.pipes.remove(&(from, link));
                self.later(from, LinkEvent::Lost { link }.into());
            }
        }
    }

    /// Stops a node in order; it must be let go within so many milliseconds.
    pub(crate) fn stop(&mut self, id: i32, within: u64) {
        self.tell(id, Event::Shutdown);
        self.run_until(within, |bench| bench.node(id).may_stop());
        let epoch = self.image(id).brokers().get(&NodeId(id));
        let epoch = epoch.map(|entry| entry.epoch);
        self.kill(id);
        self.hosts.get_mut(&id).unwrap().is_clean = epoch;
    }

    pub(crate) fn node(&self, id: i32) -> &Node {
        self.cluster.node(NodeId(id)).unwrap()
    }

    pub(crate) fn running(&self) -> Vec<i32> {
        self.cluster.nodes().map(|node| node.id().0).collect()
    }

    pub(crate) fn image(&self, id: i32) -> &Image {
        self.node(id).image().unwrap()
    }

    /// The node whose controller decides, if there is exactly one.
    pub(crate) fn controller(&self) -> Option<i32> {
        let nodes = self.cluster.nodes();
        let leads = |node: &&Node| node.controller().is_some_and(|it| it.is_leading());
        let mut leading = nodes.filter(leads).map(|node| node.id().0);
        let first = leading.next()?;
        leading.next().is_none().then_some(first)
    }

    /// Whether all running brokers serve.
    pub(crate) fn all_serve(&self) -> bool {
        let mut nodes = self.cluster.nodes();
        nodes.all(Node::is_serving)
    }

    /// Lets time pass until something holds; it must within so many milliseconds.
    pub(crate) fn run_until(&mut self, within: u64, holds: impl Fn(&Bench) -> bool) {
        let end = self.now.plus_millis(within);
        while !holds(self) {
            assert!(self.now < end, "it does not come to be: {}", self.shown());
            self.run(WAY_MS);
        }
    }

    fn shown(&self) -> String {
        let shown = self.cluster.nodes().map(|node| {
            let (raft, image) = (node.quorum(), node.image().unwrap());
            let brokers = image.brokers().iter();
            let brokers: Vec<String> = brokers
                .map(|(id, entry)| format!("{id} fenced {} epoch {}", entry.fenced, entry.epoch))
                .collect();
            format!(
                "\nnode {}: {} {:?}, end {:?}, committed {:?}, applied {:?}, {brokers:?}",
                node.id(),
                raft.state_name(),
                raft.election(),
                raft.log().log_end(),
                raft.high_watermark(),
                image.end(),
            )
        });
        shown.collect()
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        let mut at_once = 0;
        loop {
            let due = self.hosts.keys().filter_map(|id| {
                let due = self.cluster.next_deadline(NodeId(*id))?;
                Some((due.max(self.now), *id))
            });
            let due = due.min();
            let arrives = self.on_the_way.keys().next().copied();
            let next = [due.map(|due| due.0), arrives.map(|arrives| arrives.0)];
            let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            at_once = if next == self.now { at_once + 1 } else { 0 };
            assert!(at_once < 10_000, "time stands still: {}", self.shown());
            self.now = next;
            if let Some(key) = arrives.filter(|key| key.0 == next) {
                let (id, life, event) = self.on_the_way.remove(&key).unwrap();
                if self.hosts[&id].life == life && self.cluster.node(NodeId(id)).is_some() {
                    self.tell(id, event);
                }
            } else if let Some((_, id)) = due {
                self.tell(id, Event::Tick);
            }
        }
        self.now = end;
    }

    fn later(&mut self, id: i32, event: Event) {
        self.counted += 1;
        let at = self.now.plus_millis(WAY_MS);
        let life = self.hosts[&id].life;
        self.on_the_way
            .insert((at, self.counted), (id, life, event));
    }

    fn at_listener(&mut self, pipe: Pipe, event: ClientEvent) {
        let event = match pipe.is_controllers {
            true => Event::ControllerListener(event),
            false => Event::Client(event),
        };
        self.later(pipe.to, event);
    }

    pub(crate) fn tell(&mut self, id: i32, event: Event) {
        let mut effects = Vec::new();
        self.cluster.step(self.now, NodeId(id), event, &mut effects);
        for effect in effects {
            match effect {
                Effect::Client(ClientEffect::Reply { conn, reply }) => {
                    let frame = self.resolve(id, &reply);
                    self.reply(id, conn, frame);
                }
                Effect::Client(ClientEffect::Close { conn, .. }) => self.closed(id, conn),
                Effect::Disk(effect) => self.write(id, effect),
                Effect::Link(effect) => self.link(id, effect),
                Effect::Note(_) => {}
            }
        }
    }

    fn write(&mut self, id: i32, effect: DiskEffect) {
        let disk = &mut self.hosts.get_mut(&id).unwrap().disk;
        match effect {
            DiskEffect::Open { log, name } => disk.open(log, name),
            DiskEffect::Remove { log } => disk.remove(log),
            DiskEffect::Store { log, token, ops } => {
                if let Some(source) = self.cluster.log(NodeId(id), log) {
                    disk.carry_out(log, source, ops);
                }
                self.later(id, DiskEvent::Stored { log, token }.into());
            }
            DiskEffect::Load { .. } => panic!("everything is in memory"),
        }
    }

    fn link(&mut self, from: i32, effect: LinkEffect) {
        match effect {
            LinkEffect::Dial { link, to } => {
                let Some((to, is_controllers)) = self.listens(&to) else {
                    return self.later(from, LinkEvent::Lost { link }.into());
                };
                let conn = self.next_conn();
                let pipe = Pipe {
                    to,
                    conn,
                    is_controllers,
                };
                self.pipes.insert((from, link), pipe);
                let host = Arc::from("127.0.0.1");
                self.at_listener(pipe, ClientEvent::Connected { conn, host });
                self.later(from, LinkEvent::Linked { link }.into());
            }
            LinkEffect::Send { link, frame } => {
                let key = i16::from_be_bytes([frame[0], frame[1]]);
                *self.sent.entry(key).or_default() += 1;
                if let Some(pipe) = self.pipes.get(&(from, link)).copied() {
                    let conn = pipe.conn;
                    self.at_listener(pipe, ClientEvent::Request { conn, frame });
                }
            }
            LinkEffect::HangUp { link } => {
                if let Some(pipe) = self.pipes.remove(&(from, link)) {
                    self.at_listener(pipe, ClientEvent::Disconnected { conn: pipe.conn });
                }
            }
        }
    }

    /// The running node that listens there, and whether as a controller.
    fn listens(&self, to: &Endpoint) -> Option<(i32, bool)> {
        let is_controllers = to.port >= CONTROLLER_PORT;
        let id = match is_controllers {
            true => to.port - CONTROLLER_PORT,
            false => to.port - BROKER_PORT,
        };
        self.cluster.node(NodeId(id.into()))?;
        Some((id.into(), is_controllers))
    }

    fn pipe_of(&self, id: i32, conn: ConnId) -> Option<(i32, LinkId)> {
        let mut pipes = self.pipes.iter();
        let found = pipes.find(|(_, pipe)| pipe.to == id && pipe.conn == conn);
        found.map(|(from, _)| *from)
    }

    fn reply(&mut self, id: i32, conn: ConnId, frame: Bytes) {
        match self.pipe_of(id, conn) {
            Some((from, link)) => self.later(from, LinkEvent::Received { link, frame }.into()),
            None => self.replies.entry((id, conn)).or_default().push_back(frame),
        }
    }

    fn closed(&mut self, id: i32, conn: ConnId) {
        if let Some((from, link)) = self.pipe_of(id, conn) {
            self.pipes.remove(&(from, link));
            self.later(from, LinkEvent::Lost { link }.into());
        }
    }

    fn resolve(&self, id: i32, reply: &Reply) -> Bytes {
        let mut frame = BytesMut::new();
        let mut at = 0;
        for slice in &reply.slices {
            frame.put_slice(&reply.bytes[at..slice.at as usize]);
            at = slice.at as usize;
            let log = self.cluster.log(NodeId(id), slice.log).unwrap();
            for piece in log.slice_bytes(&slice.slice).unwrap() {
                frame.put_slice(piece);
            }
        }
        frame.put_slice(&reply.bytes[at..]);
        frame.freeze()
    }

    fn next_conn(&mut self) -> ConnId {
        self.counted += 1;
        ConnId(self.counted)
    }

    /// A client's request to a broker, and its answer, which must come within 40 s.
    pub(crate) fn ask<Q: Message, A: Message>(&mut self, id: i32, version: i16, request: &Q) -> A {
        self.ask_at(id, Event::Client, version, request)
    }

    /// The same at a controller's listener.
    pub(crate) fn ask_controller<Q: Message, A: Message>(
        &mut self,
        id: i32,
        version: i16,
        request: &Q,
    ) -> A {
        self.ask_at(id, Event::ControllerListener, version, request)
    }

    fn ask_at<Q: Message, A: Message>(
        &mut self,
        id: i32,
        door: impl Fn(ClientEvent) -> Event,
        version: i16,
        request: &Q,
    ) -> A {
        let conn = self.next_conn();
        let host = Arc::from("127.0.0.1");
        self.tell(id, door(ClientEvent::Connected { conn, host }));
        let header = RequestHeader {
            api_key: Q::API_KEY,
            api_version: version,
            correlation_id: 5,
            client_id: Some(Str::from("bench")),
        };
        let frame = wire::encode_request(&header, request).unwrap();
        self.tell(id, door(ClientEvent::Request { conn, frame }));
        self.run_until(40_000, |bench| {
            let replies = bench.replies.get(&(id, conn));
            replies.is_some_and(|replies| !replies.is_empty())
        });
        let frame = self.replies.remove(&(id, conn)).unwrap().pop_front();
        self.tell(id, door(ClientEvent::Disconnected { conn }));
        wire::decode_response::<A>(frame.unwrap(), version)
            .unwrap()
            .1
    }
}

fn node_config(id: i32, host: &Host) -> NodeConfig {
    let spec = &host.spec;
    let voters = spec.voters.iter().map(|id| Voter {
        key: key(*id),
        endpoints: vec![endpoint(*id)],
        kraft_versions: (0, 1),
    });
    let incarnation = Uuid([
        u8::try_from(host.life).unwrap(),
        id as u8,
        3,
        0,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    let seed = u64::from(id.unsigned_abs()) * 1000 + host.life;
    let broker = BrokerConfig {
        node: NodeId(id),
        cluster_id: Arc::from(CLUSTER),
        host: Arc::from("localhost"),
        port: BROKER_PORT + u16::try_from(id).unwrap(),
        incarnation,
        directory: directory(id),
        previous_epoch: host.is_clean,
        properties: spec.properties.clone(),
        seed,
        catalog: Catalog::default(),
    };
    let controller = ControllerConfig {
        node: NodeId(id),
        incarnation,
        properties: spec.properties.clone(),
        seed,
        catalog: Catalog::default(),
        keeps_eligible_leaders: true,
    };
    NodeConfig {
        quorum: RaftConfig {
            node: NodeId(id),
            directory: directory(id),
            cluster_id: CLUSTER.to_string(),
            controller: spec.is_controller,
            static_voters: Voters::new(voters.collect()),
            bootstrap_servers: 0,
            endpoints: match spec.is_controller {
                true => vec![endpoint(id)],
                false => Vec::new(),
            },
            tuning: Tuning::default(),
            seed,
        },
        bootstrap_servers: Vec::new(),
        snapshots: spec.snapshots,
        broker: spec.is_broker.then_some(broker),
        controller: spec.is_controller.then_some(controller),
    }
}
