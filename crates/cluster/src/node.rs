//! One node: its part in the quorum, and the broker, the controller, or both.

use crate::asks::Asks;
use crate::calls::{CallToken, Calls};
use crate::cluster::{Effect, Event};
use crate::link::Endpoint;
use crate::metadata_log::MetadataLog;
use crate::served::Served;
use crate::snapshots::{Fresh, Snapshots};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use broker::{Broker, BrokerConfig, Note, Recovered};
use controller::{Controller, ControllerConfig};
use ids::{NodeId, Offset, Time};
use log::{DiskEvent, Log, LogId};
use metadata::{Image, Snapshot};
use raft::{Damaged, Raft, RaftConfig, ReplicaKey, Tuning, Voter, Voters};
use sorted::SortedMap;

/// What a node is made of.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its part in the quorum, which every node has.
    pub quorum: RaftConfig,
    /// `controller.quorum.bootstrap.servers`.
    pub bootstrap_servers: Vec<Endpoint>,
    /// How often a snapshot of the metadata is written; never without.
    pub snapshots: Option<Snapshots>,
    /// The broker's part, on a node with that role.
    pub broker: Option<BrokerConfig>,
    /// The controller's part, on a node with that role.
    pub controller: Option<ControllerConfig>,
}

impl NodeConfig {
    /// Broker and controller of a cluster that has no other node.
    #[must_use]
    pub fn alone(broker: BrokerConfig, controller: ControllerConfig) -> NodeConfig {
        let key = ReplicaKey {
            id: broker.node,
            directory: broker.directory,
        };
        let voter = Voter {
            key,
            endpoints: Vec::new(),
            kraft_versions: (0, 1),
        };
        NodeConfig {
            quorum: RaftConfig {
                node: key.id,
                directory: key.directory,
                cluster_id: String::from(&*broker.cluster_id),
                controller: true,
                static_voters: Voters::new(Vec::from([voter])),
                bootstrap_servers: 0,
                endpoints: Vec::new(),
                tuning: Tuning::default(),
                seed: controller.seed,
            },
            bootstrap_servers: Vec::new(),
            snapshots: None,
            broker: Some(broker),
            controller: Some(controller),
        }
    }
}

/// What one part of the node has to say to another. It is said at once, in order.
#[derive(Debug)]
pub(crate) enum Work {
    Broker(broker::Event),
    Controller(controller::Event),
    Quorum(raft::Event),
    /// A connection of the controller's listener may go on.
    Listener(ids::ConnId),
}

/// A process of a cluster. `Clone` is a snapshot.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) raft: Raft,
    pub(crate) controller: Option<Controller>,
    broker: Option<Broker>,
    id: NodeId,
    pub(crate) bootstrap_servers: Vec<Endpoint>,
    pub(crate) request_ms: u64,
    /// Everything of the metadata log below has been told to broker and controller.
    pub(crate) applied: Offset,
    pub(crate) fresh: Fresh,
    /// What the broker wants of the active controller.
    pub(crate) asks: Asks,
    pub(crate) calls: Calls,
    /// What each call under way is for.
    pub(crate) called: SortedMap<CallToken, crate::asks::Called>,
    /// Who waits for an answer of this node's quorum or controller.
    pub(crate) served: Served,
    begun: bool,
    /// Whether the broker has been told to begin.
    broker_begun: bool,
    stopping: Option<Stopping>,
    /// What the broker says in a step; empty between steps, kept for its room.
    said: Vec<broker::Effect>,
    /// The same of the quorum.
    pub(crate) told: Vec<raft::Effect>,
}

/// How far an orderly stop is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stopping {
    /// The broker hands its leaderships over.
    Broker,
    /// The quorum is told.
    Quorum,
    Done,
}

/// The works of one step. They are gone when it ends, so that a clone of the node has none.
pub(crate) type Works = VecDeque<Work>;

impl Node {
    /// A node over the logs that recovery left. It does nothing before [`Event::Start`].
    ///
    /// # Errors
    /// The file `quorum-state` cannot be read: who goes on without it may vote twice.
    pub fn new(
        config: NodeConfig,
        metadata: MetadataLog,
        recovered: Vec<Recovered>,
    ) -> Result<Node, Damaged> {
        let quorum = config.quorum;
        let controller = config.controller.map(|config| {
            let mut controller = Controller::new(config);
            controller.set_cluster_id(quorum.cluster_id.as_str().into());
            let listeners = quorum.endpoints.iter();
            let listeners = listeners.map(|it| (it.listener.clone(), it.host.clone(), it.port));
            controller.set_listeners(listeners.collect());
            controller
        });
        Ok(Node {
            id: quorum.node,
            request_ms: quorum.tuning.request_ms,
            raft: Raft::new(quorum, metadata.into())?,
            controller,
            broker: config.broker.map(|config| Broker::new(config, recovered)),
            bootstrap_servers: config.bootstrap_servers,
            applied: Offset(0),
            fresh: Fresh::new(config.snapshots),
            asks: Asks::default(),
            calls: Calls::default(),
            called: SortedMap::new(),
            served: Served::default(),
            begun: false,
            broker_begun: false,
            stopping: None,
            said: Vec::new(),
            told: Vec::new(),
        })
    }

    /// `node.id`.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The broker, on a node with that role.
    #[must_use]
    pub fn broker(&self) -> Option<&Broker> {
        self.broker.as_ref()
    }

    /// The controller, on a node with that role.
    #[must_use]
    pub fn controller(&self) -> Option<&Controller> {
        self.controller.as_ref()
    }

    /// Its part in the quorum.
    #[must_use]
    pub fn quorum(&self) -> &Raft {
        &self.raft
    }

    /// The metadata as it is committed and known here.
    #[must_use]
    pub fn image(&self) -> Option<&Image> {
        let broker = self.broker.as_ref().map(Broker::image);
        broker.or_else(|| self.controller.as_ref().map(Controller::image))
    }

    /// Whether clients are served; of a controller alone, whether it knows what is committed.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        match &self.broker {
            Some(broker) => broker.is_serving(),
            None => self.raft.is_caught_up(),
        }
    }

    /// Whether a stop that was begun may end.
    #[must_use]
    pub fn may_stop(&self) -> bool {
        self.stopping == Some(Stopping::Done)
    }

    /// Tells by how many microseconds the clock on the wall is ahead of the time of events, which
    /// deadlines are kept by; records bear the wall's time.
    pub fn set_wall_ahead(&mut self, micros: i64) {
        self.raft.set_wall_ahead(micros);
        if let Some(broker) = &mut self.broker {
            broker.set_wall_ahead(micros);
        }
        if let Some(controller) = &mut self.controller {
            controller.set_wall_ahead(micros);
        }
    }

    /// Lets the logs drop bytes from memory until at most `max_bytes` stay.
    pub fn evict(&mut self, max_bytes: u64) {
        if let Some(broker) = &mut self.broker {
            broker.evict(max_bytes);
        }
    }

    /// Says how much room there is for logs.
    pub fn set_volume(&mut self, volume: broker::Volume) {
        if let Some(broker) = &mut self.broker {
            broker.set_volume(volume);
        }
    }

    /// Lets the logs remember no more of producers than fits in so many bytes.
    pub fn limit_producers(&mut self, max_bytes: u64) {
        if let Some(broker) = &mut self.broker {
            broker.limit_producers(max_bytes);
        }
    }

    /// From now on slices of replies may name bytes that are not in memory: the shell sends them from
    /// the logs' files.
    pub fn send_from_files(&mut self) {
        if let Some(broker) = &mut self.broker {
            broker.send_from_files();
        }
    }

    /// A log of this node.
    #[must_use]
    pub fn log(&self, log: LogId) -> Option<&Log> {
        match log {
            LogId::METADATA => Some(self.raft.log()),
            _ => self.broker.as_ref()?.log(log),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        if !self.begun {
            return None;
        }
        [
            self.broker.as_ref().and_then(Broker::next_deadline),
            self.controller.as_ref().and_then(Controller::next_deadline),
            self.raft.next_deadline(),
            self.calls.next_deadline(),
            self.fresh.next_deadline(),
            self.asks.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Takes an event from outside, and lets the node's parts talk until nothing is left to say.
    pub(crate) fn step(&mut self, now: Time, event: Event, out: &mut Vec<Effect>) {
        let mut works = Works::new();
        match event {
            Event::Start => {
                self.begun = true;
                self.load_first(&mut works, out);
                works.push_back(Work::Quorum(raft::Event::Start));
            }
            Event::Client(event) => works.push_back(Work::Broker(broker::Event::Client(event))),
            Event::ControllerListener(event) => {
                self.hear_listener(now, event, &mut works, out);
            }
            Event::Link(event) => self.hear_link(now, event, &mut works, out),
            Event::Disk(event) => match event {
                DiskEvent::Stored { log, token } if log == LogId::METADATA => {
                    works.push_back(Work::Quorum(raft::Event::Stored { token }));
                }
                DiskEvent::StoreFailed { log, token } if log == LogId::METADATA => {
                    works.push_back(Work::Quorum(raft::Event::StoreFailed { token }));
                }
                event => works.push_back(Work::Broker(broker::Event::Disk(event))),
            },
            Event::Shutdown => self.begin_stop(now, &mut works, out),
            // The controller hears last that time has passed: what the broker has to say to it,
            // a heartbeat that was due, comes before it judges who is silent.
            Event::Tick => {
                works.push_back(Work::Broker(broker::Event::Tick));
                self.settle(now, &mut works, out);
                self.expire_calls(now, &mut works, out);
                self.asks.expire(now, &mut works);
                works.push_back(Work::Quorum(raft::Event::Tick));
                self.settle(now, &mut works, out);
                works.push_back(Work::Controller(controller::Event::Tick));
            }
        }
        self.settle(now, &mut works, out);
    }

    fn settle(&mut self, now: Time, works: &mut Works, out: &mut Vec<Effect>) {
        loop {
            while let Some(work) = works.pop_front() {
                match work {
                    Work::Broker(event) => self.tell_broker(now, event, works, out),
                    Work::Controller(event) => self.tell_controller(now, event, works, out),
                    Work::Quorum(event) => self.tell_quorum(now, event, works, out),
                    Work::Listener(conn) => self.serve_next(now, conn, works, out),
                }
            }
            self.begin_broker(works);
            self.register_controller(now);
            self.dispatch(now, works, out);
            self.stop_further(works);
            self.maybe_snapshot(now, works);
            if works.is_empty() {
                return;
            }
        }
    }

    /// What a snapshot of the metadata holds is known from the beginning.
    fn load_first(&mut self, works: &mut Works, out: &mut Vec<Effect>) {
        let Some(kept) = self.raft.snapshot() else {
            return;
        };
        let (id, bytes) = (kept.id, kept.bytes.clone());
        self.load(id, &bytes, works, out);
    }

    /// A snapshot takes the place of all that has been told.
    pub(crate) fn load(
        &mut self,
        id: ids::SnapshotId,
        bytes: &bytes::Bytes,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        self.applied = id.end;
        let Some(snapshot) = Snapshot::decode(id, bytes) else {
            return out.push(Effect::Note(Note::BadMetadata));
        };
        let event = broker::ControllerEvent::Snapshot {
            snapshot: snapshot.clone(),
        };
        works.push_back(Work::Broker(broker::Event::Controller(event)));
        works.push_back(Work::Controller(controller::Event::Loaded { snapshot }));
    }

    /// Whether broker and controller have been told all that was committed when the node began.
    pub(crate) fn is_known(&self) -> bool {
        self.broker.is_none() || self.broker_begun
    }

    /// The broker begins once it knows what is committed, so that it knows its replicas when it registers.
    fn begin_broker(&mut self, works: &mut Works) {
        let may = self.begun && !self.broker_begun && self.broker.is_some();
        if may && self.raft.is_caught_up() && self.raft.high_watermark() == Some(self.applied) {
            self.broker_begun = true;
            works.push_back(Work::Broker(broker::Event::Start));
        }
    }

    fn begin_stop(&mut self, now: Time, works: &mut Works, out: &mut Vec<Effect>) {
        self.stopping.get_or_insert(Stopping::Broker);
        let Some(broker) = self.broker.as_mut().filter(|_| self.broker_begun) else {
            return;
        };
        let mut said = core::mem::take(&mut self.said);
        broker.begin_shutdown(now, &mut said);
        self.carry(now, said, works, out);
    }

    /// Once the broker may go, the quorum is told; then the process may end.
    fn stop_further(&mut self, works: &mut Works) {
        let waits = |broker: &Broker| self.broker_begun && !broker.may_stop();
        if self.stopping == Some(Stopping::Broker) && !self.broker.as_ref().is_some_and(waits) {
            self.stopping = Some(Stopping::Quorum);
            works.push_back(Work::Quorum(raft::Event::Resign));
        }
    }

    /// Whoever should know that this node leads no more knows.
    pub(crate) fn quorum_may_stop(&mut self) {
        self.stopping = Some(Stopping::Done);
    }

    fn tell_broker(
        &mut self,
        now: Time,
        event: broker::Event,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        let Some(broker) = &mut self.broker else {
            return;
        };
        let mut said = core::mem::take(&mut self.said);
        broker.step(now, event, &mut said);
        self.carry(now, said, works, out);
    }

    fn carry(
        &mut self,
        now: Time,
        mut said: Vec<broker::Effect>,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        use broker::Effect as Said;
        for effect in said.drain(..) {
            match effect {
                Said::Client(effect) => out.push(Effect::Client(effect)),
                Said::Disk(effect) => out.push(Effect::Disk(effect)),
                Said::Note(note) => out.push(Effect::Note(note)),
                Said::Ask { token, frame } => self.asks.take(now, token, frame),
                Said::Call {
                    to,
                    token,
                    frame,
                    until,
                } => self.call_broker(now, to, (token, frame), until, works, out),
            }
        }
        self.said = said;
    }

    fn tell_controller(
        &mut self,
        now: Time,
        event: controller::Event,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        use controller::Effect as Said;
        let Some(controller) = &mut self.controller else {
            return;
        };
        let mut effects = Vec::new();
        let end = self.raft.log().log_end();
        controller.step(now, end, event, &mut effects);
        for effect in effects {
            match effect {
                Said::Append { epoch, batch } => self.append(now, epoch, &batch, works, out),
                Said::Reply { id, frame } => self.answer(now, id.0, Ok(frame), works, out),
                Said::Refused { id, code } => self.answer(now, id.0, Err(code), works, out),
            }
        }
    }
}
