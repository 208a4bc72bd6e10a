//! One node: a broker, and on one of them the controller.

use crate::cluster::{Effect, Event, Peer, route};
use alloc::vec::Vec;
use broker::{Broker, BrokerConfig, ControllerEvent, Recovered};
use controller::{Controller, ControllerConfig, MetadataLog, RequestId};
use ids::{NodeId, Time, Token};
use log::{Log, LogId};
use sorted::SortedMap;

/// What a node is made of.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The broker's part.
    pub broker: BrokerConfig,
    /// The controller's part, on the node that has it.
    pub controller: Option<ControllerConfig>,
    /// The node that has the controller.
    pub controller_node: NodeId,
    /// All other nodes, which the controller tells of the metadata.
    pub peers: Vec<NodeId>,
}

/// Something said between the parts of one node.
pub(crate) struct Local {
    pub(crate) from: NodeId,
    pub(crate) message: Peer,
}

/// A broker process, with the controller in it on one node.
#[derive(Clone, Debug)]
pub struct Node {
    broker: Broker,
    controller: Option<Controller>,
    controller_node: NodeId,
    peers: Vec<NodeId>,
    /// Who waits for the controller's answer, by the request's id there.
    asking: SortedMap<RequestId, (NodeId, Token)>,
    requests: u64,
    /// Calls to other brokers, which nothing carries yet: they are lost.
    lost: Vec<Token>,
    /// What the broker says in a step; empty between steps, kept for its room.
    said: Vec<broker::Effect>,
}

impl Node {
    /// A node over the logs that recovery left. `metadata` is the controller's log; it is
    /// used only when the node has the controller.
    #[must_use]
    pub fn new(config: NodeConfig, metadata: MetadataLog, recovered: Vec<Recovered>) -> Node {
        Node {
            broker: Broker::new(config.broker, recovered),
            controller: config
                .controller
                .map(|config| Controller::new(config, metadata)),
            controller_node: config.controller_node,
            peers: config.peers,
            asking: SortedMap::new(),
            requests: 0,
            lost: Vec::new(),
            said: Vec::new(),
        }
    }

    /// `node.id`.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.broker.config().node
    }

    /// The broker.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The controller, on the node that has it.
    #[must_use]
    pub fn controller(&self) -> Option<&Controller> {
        self.controller.as_ref()
    }

    /// Whether clients are served.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.broker.is_serving()
    }

    /// Tells by how many microseconds the clock on the wall is ahead of the time of events, which
    /// deadlines are kept by; records bear the wall's time.
    pub fn set_wall_ahead(&mut self, micros: i64) {
        self.broker.set_wall_ahead(micros);
        if let Some(controller) = &mut self.controller {
            controller.set_wall_ahead(micros);
        }
    }

    /// Lets the logs drop bytes from memory until at most `max_bytes` stay.
    pub fn evict(&mut self, max_bytes: u64) {
        self.broker.evict(max_bytes);
    }

    /// Says how much room there is for logs.
    pub fn set_volume(&mut self, volume: broker::Volume) {
        self.broker.set_volume(volume);
    }

    /// Lets the logs remember no more of producers than fits in so many bytes.
    pub fn limit_producers(&mut self, max_bytes: u64) {
        self.broker.limit_producers(max_bytes);
    }

    /// From now on slices of replies may name bytes that are not in memory: the shell sends them from
    /// the logs' files.
    pub fn send_from_files(&mut self) {
        self.broker.send_from_files();
    }

    /// A log of this node.
    #[must_use]
    pub fn log(&self, log: LogId) -> Option<&Log> {
        match log {
            LogId::METADATA => self.controller.as_ref().map(Controller::log),
            _ => self.broker.log(log),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let controller = self.controller.as_ref().and_then(Controller::next_deadline);
        [self.broker.next_deadline(), controller]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes an event from outside.
    pub(crate) fn take(
        &mut self,
        now: Time,
        event: Event,
        talk: &mut Vec<Local>,
        out: &mut Vec<Effect>,
    ) {
        match event {
            Event::Start => self.start(now, talk, out),
            Event::Client(event) => {
                self.tell_broker(now, broker::Event::Client(event), talk, out);
            }
            Event::Disk(event) if event.log() == LogId::METADATA => {
                self.tell_controller(now, controller::Event::Disk(event), talk, out);
            }
            Event::Disk(event) => self.tell_broker(now, broker::Event::Disk(event), talk, out),
            Event::Peer { from, message } => talk.push(Local { from, message }),
            // No node opens links yet, so nothing becomes of them.
            Event::Link(_) => {}
            Event::Shutdown => {
                let mut said = core::mem::take(&mut self.said);
                self.broker.begin_shutdown(now, &mut said);
                self.carry(said, talk, out);
            }
            // The controller hears last that time has passed: what the broker has to say to it,
            // a heartbeat that was due, comes before it judges who is silent.
            Event::Tick => {
                self.tell_broker(now, broker::Event::Tick, talk, out);
                self.hear_all(now, talk, out);
                self.tell_controller(now, controller::Event::Tick, talk, out);
            }
        }
    }

    /// Lets the node's parts talk to each other until nothing is left to say.
    pub(crate) fn hear_all(&mut self, now: Time, talk: &mut Vec<Local>, out: &mut Vec<Effect>) {
        while let Some(token) = self.lost.pop() {
            let answer = Err(broker::Lost);
            self.tell_broker(now, broker::Event::Called { token, answer }, talk, out);
        }
        while !talk.is_empty() {
            for local in core::mem::take(talk) {
                self.hear(now, local, talk, out);
            }
        }
    }

    /// Takes what a part of this node, or another node, says.
    fn hear(&mut self, now: Time, local: Local, talk: &mut Vec<Local>, out: &mut Vec<Effect>) {
        match local.message {
            // Without a controller nobody would ever answer; whoever asked has a deadline.
            Peer::Ask { .. } if self.controller.is_none() => {}
            Peer::Ask { token, frame } => {
                self.requests += 1;
                let id = RequestId(self.requests);
                self.asking.insert(id, (local.from, token));
                self.tell_controller(now, controller::Event::Request { id, frame }, talk, out);
            }
            Peer::Controller(event) => {
                self.tell_broker(now, broker::Event::Controller(event), talk, out);
            }
        }
    }

    fn start(&mut self, now: Time, talk: &mut Vec<Local>, out: &mut Vec<Effect>) {
        // The broker learns what is already committed before it registers, so that it knows
        // its replicas by then.
        let batches = self
            .controller
            .as_ref()
            .map(Controller::committed_batches)
            .unwrap_or_default();
        for batch in batches {
            let event = broker::Event::Controller(ControllerEvent::Metadata { batch });
            self.tell_broker(now, event, talk, out);
        }
        self.tell_controller(now, controller::Event::Start, talk, out);
        self.tell_broker(now, broker::Event::Start, talk, out);
    }

    fn tell_broker(
        &mut self,
        now: Time,
        event: broker::Event,
        talk: &mut Vec<Local>,
        out: &mut Vec<Effect>,
    ) {
        let mut said = core::mem::take(&mut self.said);
        self.broker.step(now, event, &mut said);
        self.carry(said, talk, out);
    }

    fn carry(
        &mut self,
        mut said: Vec<broker::Effect>,
        talk: &mut Vec<Local>,
        out: &mut Vec<Effect>,
    ) {
        use broker::Effect as Said;
        for effect in said.drain(..) {
            match effect {
                Said::Client(effect) => out.push(Effect::Client(effect)),
                Said::Disk(effect) => out.push(Effect::Disk(effect)),
                Said::Call { token, .. } => self.lost.push(token),
                Said::Note(note) => out.push(Effect::Note(note)),
                Said::Ask { token, frame } => {
                    let message = Peer::Ask { token, frame };
                    route(self.id(), self.controller_node, message, talk, out);
                }
            }
        }
        self.said = said;
    }

    fn tell_controller(
        &mut self,
        now: Time,
        event: controller::Event,
        talk: &mut Vec<Local>,
        out: &mut Vec<Effect>,
    ) {
        use controller::Effect as Said;
        let own = self.id();
        let Some(controller) = &mut self.controller else {
            return;
        };
        let mut effects = Vec::new();
        controller.step(now, event, &mut effects);
        for effect in effects {
            match effect {
                Said::Disk(effect) => out.push(Effect::Disk(effect)),
                Said::Reply { id, frame } => {
                    if let Some((node, token)) = self.asking.remove(&id) {
                        let event = ControllerEvent::Answered { token, frame };
                        route(own, node, Peer::Controller(event), talk, out);
                    }
                }
                Said::Refused { id, code } => {
                    if let Some((node, token)) = self.asking.remove(&id) {
                        let event = ControllerEvent::Refused { token, code };
                        route(own, node, Peer::Controller(event), talk, out);
                    }
                }
                Said::Committed { batch } => {
                    let message = Peer::Controller(ControllerEvent::Metadata { batch });
                    for peer in &self.peers {
                        route(own, *peer, message.clone(), talk, out);
                    }
                    route(own, own, message, talk, out);
                }
            }
        }
    }
}
