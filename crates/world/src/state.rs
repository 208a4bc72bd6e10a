//! The world at one moment, and how it goes on from there.

use crate::actors::{Actor, ActorId, Owed, OwedLog};
use crate::apply::Reset;
use crate::checks::Checks;
use crate::disk::{Disk, DiskWrite};
use crate::faults::Death;
use crate::frames::Frames;
use crate::network::{End, Network, heard};
use crate::queue::{Happening, Life, Queue};
use crate::said::{Said, TerminalText, outside_hears};
use crate::scenario::{GroupSpec, Scenario};
use crate::starting::Starting;
use crate::storing::deletes_records;
use crate::trace::Trace;
use crate::traced::{event_words, input_words, trace_event, trace_input};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use client::io::{Input as ToClient, Output};
use cluster::{
    ClientEffect, ClientEvent, Cluster, DiskEffect, DiskEvent, Effect, Event, LogId, Reply,
};
use ids::{ConnId, NodeId, Offset, Rng, Time, Token};
use log::{LogSlice, StoreOp};
use sorted::{SortedMap, SortedSet};

/// Time between two wakes of the same node or client, at least.
const WAKE_GAP_MICROS: u64 = 100;

/// Everything that evolves. `Clone` is a snapshot: log bytes are shared.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) now: Time,
    pub(crate) began: Time,
    pub(crate) rng: Rng,
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) cluster: Cluster,
    pub(crate) network: Network,
    pub(crate) disks: SortedMap<NodeId, Disk>,
    /// Nodes whose logs are being recovered.
    pub(crate) starting: SortedMap<NodeId, Starting>,
    pub(crate) actors: SortedMap<ActorId, Actor>,
    pub(crate) next_actor: u32,
    pub(crate) queue: Queue,
    pub(crate) trace: Trace,
    /// Bytes that nodes wait for: not yet asked of the shell, and asked.
    pub(crate) owed: Vec<Owed>,
    pub(crate) awaited: Vec<(NodeId, LogId, Token)>,
    /// The groups that have been placed.
    pub(crate) groups: SortedMap<String, GroupSpec>,
    /// Topics of the scenario that are not created yet.
    pub(crate) setup_left: u32,
    /// Offsets to be reset once the group's members have left, by input.
    pub(crate) resets: SortedMap<u64, Reset>,
    /// Nodes that stand still, with what came for them meanwhile.
    pub(crate) paused: SortedMap<NodeId, Vec<Event>>,
    /// Nodes that are to stop in order.
    pub(crate) stopping: SortedSet<NodeId>,
    /// By how many microseconds the clocks of nodes are ahead.
    pub(crate) skews: SortedMap<NodeId, i64>,
    /// How often each node was killed.
    lives: SortedMap<NodeId, Life>,
    node_wakes: SortedMap<NodeId, Time>,
    actor_wakes: SortedMap<ActorId, Time>,
    /// Bytes that the logs of a node may come to; `None` when the shell sees to that.
    pub(crate) disk_bytes: Option<u64>,
    /// Bytes ever appended to logs.
    pub(crate) written: u64,
    /// For those outside; taken by the shell, never looked at here.
    pub(crate) said: Vec<Said>,
    pub(crate) writes: Vec<DiskWrite>,
    pub(crate) keeps_writes: bool,
    pub(crate) frames: Frames,
    /// The next frame of a client is to be damaged.
    pub(crate) plants_bit: bool,
    /// Those who judge what happens, if anyone does.
    pub(crate) checks: Option<Box<Checks>>,
}

impl State {
    pub(crate) fn empty(scenario: Arc<Scenario>, now: Time) -> State {
        State {
            now,
            began: Time::from_millis(i64::try_from(scenario.start_ms).unwrap_or(i64::MAX)),
            rng: Rng::new(scenario.seed()),
            scenario,
            cluster: Cluster::new(),
            network: Network::default(),
            disks: SortedMap::new(),
            starting: SortedMap::new(),
            actors: SortedMap::new(),
            next_actor: 0,
            queue: Queue::default(),
            trace: Trace::default(),
            owed: Vec::new(),
            awaited: Vec::new(),
            groups: SortedMap::new(),
            setup_left: 0,
            resets: SortedMap::new(),
            paused: SortedMap::new(),
            stopping: SortedSet::new(),
            skews: SortedMap::new(),
            lives: SortedMap::new(),
            node_wakes: SortedMap::new(),
            actor_wakes: SortedMap::new(),
            disk_bytes: None,
            written: 0,
            said: Vec::new(),
            writes: Vec::new(),
            keeps_writes: false,
            frames: Frames::default(),
            plants_bit: false,
            checks: None,
        }
    }

    /// All logs as written, cut to their present lengths: what is stored of them may be longer, and is
    /// of no present any more.
    pub(crate) fn all_written(&self) -> Vec<DiskWrite> {
        let written = self.stored_logs().into_iter().filter_map(|(node, name)| {
            let log = self.stored_log(node, &name)?;
            let (segment, position) = log.segment_sizes().last()?;
            let op = Some(StoreOp::Truncate { segment, position });
            Some(DiskWrite { node, name, op })
        });
        written.collect()
    }

    /// Whether all that the logs have beyond those of `earlier` is in memory.
    pub(crate) fn has_in_memory_since(&self, earlier: &State) -> bool {
        self.stored_logs().iter().all(|(node, name)| {
            let Some(log) = self.stored_log(*node, name) else {
                return true;
            };
            let before = earlier.stored_log(*node, name);
            let before: SortedMap<Offset, u32> = before
                .into_iter()
                .flat_map(|log| log.segment_sizes())
                .collect();
            log.segment_sizes().all(|(segment, size)| {
                let position = before.get(&segment).copied().unwrap_or(0).min(size);
                let length = size - position;
                let slice = LogSlice {
                    segment,
                    position,
                    length,
                };
                length == 0 || log.slice_pieces(&slice).is_some()
            })
        })
    }

    /// What was said and written when an earlier moment is played again has been heard before.
    pub(crate) fn forget_said(&mut self) {
        self.said.clear();
        self.writes.clear();
    }

    /// Lets go of what is for those outside: a snapshot is not to say it once more.
    pub(crate) fn leave_outside(&mut self) {
        self.said.clear();
        self.writes.clear();
        self.frames.clear();
        self.trace.stop_recording();
    }

    /// When something happens next.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.queue.next_time()
    }

    /// Lets the next thing happen; `false` when nothing is left to happen.
    pub(crate) fn step(&mut self) -> bool {
        let Some((at, what)) = self.queue.pop() else {
            return false;
        };
        self.now = self.now.max(at);
        self.happen(what);
        true
    }

    pub(crate) fn happen(&mut self, what: Happening) {
        match what {
            Happening::Node { node, life, event } => {
                if life == self.life(node) {
                    if let Event::Disk(DiskEvent::Stored { log, token }) = &event {
                        if self.tears_now(node, *log) {
                            return;
                        }
                        self.stored(node, *log, *token);
                    }
                    self.tell_node(node, event);
                }
            }
            Happening::StopNode { node, life } => {
                if life == self.life(node) {
                    self.end_node(node, Death::Stop);
                }
            }
            Happening::WakeNode { node, life } => {
                if life == self.life(node) && self.node_wakes.get(&node) == Some(&self.now) {
                    self.tell_node(node, Event::Tick);
                }
            }
            Happening::ToEnd { end, life, what } => self.reach_end(end, life, what),
            Happening::WakeActor { actor } => {
                if self.actor_wakes.get(&actor) == Some(&self.now) {
                    self.tell_actor(actor, &ToClient::Timer);
                }
            }
            Happening::SetUp { tries } => self.set_up(tries),
            Happening::Scripted { index } => self.scripted_command(index),
            Happening::Reset { input } => self.reset_now(input),
        }
    }

    /// Tells a node one fact and carries out what it orders.
    pub(crate) fn tell_node(&mut self, node: NodeId, event: Event) {
        if self.paused.contains_key(&node) {
            return self.hold_event(node, event);
        }
        trace_event(&mut self.trace, self.now, node, &event);
        let what = self.trace.is_recording().then(|| event_words(&event));
        let deletes = deletes_records(&event);
        let touched = match &event {
            Event::Disk(event) => Some(event.log()),
            _ => None,
        };
        let mut effects = Vec::new();
        self.cluster.step(self.now, node, event, &mut effects);
        self.tell_step(node, touched, &effects);
        for effect in effects {
            self.carry_out(node, effect);
        }
        self.checkpoint(node, deletes);
        self.wake_node(node);
        let now = self.now;
        self.trace
            .event(|| format!("{now:?} node {node} {}", what.unwrap_or_default()));
        self.stop_if_allowed(node);
    }

    /// Tells a node something at `at`, if it still lives the same life then.
    pub(crate) fn plan(&mut self, at: Time, node: NodeId, event: Event) {
        let life = self.life(node);
        self.queue.push(at, Happening::Node { node, life, event });
    }

    pub(crate) fn plan_client(&mut self, at: Time, node: NodeId, event: ClientEvent) {
        self.plan(at, node, heard(event));
    }

    /// Whether a node waits for bytes; nothing happens meanwhile.
    pub(crate) fn waits(&self) -> bool {
        !(self.owed.is_empty() && self.awaited.is_empty())
    }

    pub(crate) fn life(&self, node: NodeId) -> Life {
        self.lives.get(&node).copied().unwrap_or(0)
    }

    /// A node is gone: nothing that was on its way to it arrives in its next life.
    pub(crate) fn end_life(&mut self, node: NodeId) {
        *self.lives.entry(node).or_insert(0) += 1;
        self.node_wakes.remove(&node);
        self.owed.retain(|owed| owed.node != node);
        self.awaited.retain(|(of, ..)| *of != node);
    }

    fn wake_node(&mut self, node: NodeId) {
        let Some(due) = self.cluster.next_deadline(node) else {
            return;
        };
        let planned = self.node_wakes.get(&node).copied();
        if let Some(due) = next_wake(self.now, due, planned) {
            self.node_wakes.insert(node, due);
            let life = self.life(node);
            self.queue.push(due, Happening::WakeNode { node, life });
        }
    }

    fn carry_out(&mut self, node: NodeId, effect: Effect) {
        match effect {
            Effect::Client(effect) => self.carry_to_client(node, effect),
            Effect::Disk(effect) => self.carry_to_disk(node, effect),
            Effect::Link(effect) => self.carry_link(node, effect),
            Effect::Note(note) => self.said.push(Said::Note { node, note }),
        }
    }

    fn carry_to_client(&mut self, node: NodeId, effect: ClientEffect) {
        match effect {
            ClientEffect::Reply { conn, reply } => self.send_reply(node, conn, &reply),
            ClientEffect::Close { conn, .. } => {
                self.trace.number(1 << 32 | conn.0);
                if let Some(end) = self.network.end(node, conn) {
                    self.close_connection(end);
                }
            }
        }
    }

    fn carry_to_disk(&mut self, node: NodeId, effect: DiskEffect) {
        match effect {
            DiskEffect::Open { log, name } => self.disks.entry(node).or_default().open(log, name),
            DiskEffect::Remove { log } => {
                let name = self.disks.entry(node).or_default().remove(log);
                if let Some(name) = name
                    && self.keeps_writes
                {
                    let op = None;
                    self.writes.push(DiskWrite { node, name, op });
                }
            }
            DiskEffect::Store { log, token, ops } => self.store(node, log, token, ops),
            // Bytes that are not in memory come from the shell, in no time at all: the world
            // stands still meanwhile.
            DiskEffect::Load { log, token, slice } => self.owed.push(Owed {
                node,
                log: OwedLog::Open(log),
                token,
                slice,
            }),
        }
    }

    fn send_reply(&mut self, node: NodeId, conn: ConnId, reply: &Reply) {
        let frame = self.resolve(node, reply);
        self.trace.number(conn.0);
        self.trace.bytes(&frame);
        self.send_response(node, conn, frame);
    }

    /// A reply as one piece: its log slices put in place.
    fn resolve(&self, node: NodeId, reply: &Reply) -> Bytes {
        if reply.slices.is_empty() {
            return reply.bytes.clone();
        }
        let mut frame = BytesMut::with_capacity(usize::try_from(reply.len()).unwrap_or(0));
        let mut at = 0;
        for slice in &reply.slices {
            frame.put_slice(&reply.bytes[at..slice.at as usize]);
            at = slice.at as usize;
            let log = self.cluster.log(node, slice.log);
            for piece in log
                .and_then(|log| log.slice_bytes(&slice.slice))
                .into_iter()
                .flatten()
            {
                frame.put_slice(piece);
            }
        }
        frame.put_slice(&reply.bytes[at..]);
        frame.freeze()
    }

    /// Tells a client one fact and carries out what it orders.
    pub(crate) fn tell_actor(&mut self, id: ActorId, input: &ToClient) {
        let Some(actor) = self.actors.get_mut(&id) else {
            return;
        };
        trace_input(&mut self.trace, self.now, id, input);
        let what = self.trace.is_recording().then(|| input_words(input));
        if let (Actor::Outside(_), Some(said)) = (&*actor, outside_hears(id, input)) {
            self.said.push(said);
        }
        let mut outputs = Vec::new();
        actor.step(self.now, input, &mut outputs);
        for output in outputs {
            self.carry_client(id, output);
        }
        if let Some(Actor::Member(member)) = self.actors.get(&id)
            && member.is_gone()
        {
            self.remove_actor(id);
        }
        self.wake_actor(id);
        let now = self.now;
        self.trace
            .event(|| format!("{now:?} client {} {}", id.0, what.unwrap_or_default()));
    }

    pub(crate) fn wake_actor(&mut self, id: ActorId) {
        let Some(due) = self.actors.get(&id).and_then(Actor::next_deadline) else {
            return;
        };
        let planned = self.actor_wakes.get(&id).copied();
        if let Some(due) = next_wake(self.now, due, planned) {
            self.actor_wakes.insert(id, due);
            self.queue.push(due, Happening::WakeActor { actor: id });
        }
    }

    pub(crate) fn carry_client(&mut self, id: ActorId, output: Output) {
        match output {
            Output::Connect { link, host, port } => {
                self.connect_client(End::Client(id, link), &host, port);
            }
            Output::Send { link, mut frame } => {
                if core::mem::take(&mut self.plants_bit) {
                    frame = with_last_bit_flipped(&frame);
                }
                self.trace.bytes(&frame);
                self.frames.note(self.now, id, &frame);
                self.send_request(End::Client(id, link), frame);
            }
            Output::Disconnect { link } => self.hang_up(End::Client(id, link)),
            Output::Stdout(text) => self.say(id, TerminalText::Out(text)),
            Output::Stderr(text) => self.say(id, TerminalText::Err(text)),
            Output::Exit(code) => self.exited(id, code),
        }
    }

    fn say(&mut self, id: ActorId, text: TerminalText) {
        let bytes = match &text {
            TerminalText::Out(bytes) | TerminalText::Err(bytes) => bytes,
        };
        self.trace.bytes(bytes);
        if let Some(Actor::Terminal(terminal)) = self.actors.get_mut(&id) {
            match terminal.hears(&text) {
                true => {}
                false => self.said.push(Said::Terminal { id: id.0, text }),
            }
        }
    }

    /// Closes every connection of clients from outside: their past is not this one.
    pub(crate) fn close_outside(&mut self) {
        let outside = self
            .actors
            .iter()
            .filter(|(_, actor)| matches!(actor, Actor::Outside(_)));
        let outside: Vec<ActorId> = outside.map(|(id, _)| *id).collect();
        for id in outside {
            self.remove_actor(id);
            self.said.push(Said::Closed { id: id.0 });
        }
    }

    /// Records in all logs of topics that are not internal, those deleted counted too.
    pub(crate) fn appended_total(&self) -> u64 {
        let brokers = self.cluster.nodes().filter_map(cluster::Node::broker);
        let replicas = brokers.flat_map(cluster::Broker::replicas);
        let own = replicas
            .filter(|replica| replica.is_leader && !metadata::is_internal(&replica.name.topic));
        own.map(|replica| replica.log.log_end().0.unsigned_abs())
            .sum()
    }

    /// Milliseconds since the world began.
    pub(crate) fn world_millis(&self, at: Time) -> u64 {
        at.since(self.began) / 1000
    }
}

/// When to wake someone who wants it at `due` and is planned to be woken at `planned`;
/// `None` when that plan will do. Nobody is woken twice at one moment: whoever asks to be
/// woken at once, again and again, must not keep the world from going on.
fn next_wake(now: Time, due: Time, planned: Option<Time>) -> Option<Time> {
    let due = match planned {
        Some(planned) if planned == now => due.max(now.plus_micros(WAKE_GAP_MICROS)),
        _ => due.max(now),
    };
    let stands = planned.is_some_and(|planned| planned > now && planned <= due);
    (!stands).then_some(due)
}

fn with_last_bit_flipped(frame: &[u8]) -> Bytes {
    let mut bytes = frame.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    Bytes::from(bytes)
}
