//! The world as a shell drives it: time, inputs, outputs, history.

use crate::actors::{Actor, ActorId, For, Member, Outside, ProducerActor, Terminal};
use crate::command::{Command, How};
use crate::disk::{Dir, Disk, DiskWrite, StoredLog};
use crate::history::History;
use crate::network::End;
use crate::nodes::CONTROLLER;
use crate::said::Said;
use crate::scenario::{Scenario, ScenarioError};
use crate::starting::Starting;
use crate::state::State;
use crate::trace::Trace;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use client::io::Input as ToClient;
use client::tools::split_line;
use cluster::{DiskEvent, Event, LogId};
use ids::{NodeId, Time, Token, TopicIdPartition};
use log::{Log, LogSlice};

/// Something that comes into the world from outside. Inputs are journaled.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A person does something.
    Command(Command),
    /// A command line is started in a terminal; its number is the input's.
    Spawn {
        /// The line.
        line: String,
    },
    /// Text is typed into a terminal.
    Stdin {
        /// Its number.
        id: u32,
        /// The text.
        text: Bytes,
    },
    /// Ctrl+D in a terminal.
    Eof {
        /// Its number.
        id: u32,
    },
    /// Ctrl+C in a terminal.
    Interrupt {
        /// Its number.
        id: u32,
    },
    /// Whoever reads a terminal's output is behind; the command prints no more for now.
    StdoutFull {
        /// Its number.
        id: u32,
    },
    /// A terminal's output is read again.
    StdoutReady {
        /// Its number.
        id: u32,
    },
    /// A client from outside connects; its number is the input's.
    Connect {
        /// `node.id` of the broker.
        broker: i32,
    },
    /// A client from outside sends a frame, without its four bytes of length.
    Frame {
        /// The client's number.
        id: u32,
        /// The frame.
        frame: Bytes,
    },
    /// A client from outside closes.
    Close {
        /// The client's number.
        id: u32,
    },
}

/// A log as a shell found it when the world is opened again.
#[derive(Clone, Debug)]
pub struct RecoveredLog {
    /// The node it belongs to.
    pub node: NodeId,
    /// Whose log it is.
    pub name: TopicIdPartition,
    /// The log as recovery left it.
    pub log: Log,
}

/// Bytes that a node waits for.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The node.
    pub node: NodeId,
    /// Whose log.
    pub name: TopicIdPartition,
    /// Comes back with the bytes.
    pub token: Token,
    /// Which bytes.
    pub slice: LogSlice,
}

/// What a tick on the timeline stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickKind {
    /// A group has a new generation.
    Rebalance,
    /// A person did something.
    User,
    /// A broker was killed.
    Crash,
}

/// What the timeline shows. Times are milliseconds since the world began.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineView {
    /// Where history begins.
    pub start: u64,
    /// The newest moment.
    pub end: u64,
    /// The moment shown.
    pub now: u64,
    /// What happened when.
    pub ticks: Vec<(u64, TickKind)>,
    /// Records appended by the end of each second of history, in equal steps of one second.
    pub appended: Vec<(u64, u64)>,
    /// What undoing would take back; `None` when there is nothing.
    pub undo: Option<String>,
    /// What would be done again; `None` when there is nothing.
    pub redo: Option<String>,
}

/// A world with its history.
#[derive(Debug)]
pub struct World {
    pub(crate) state: State,
    pub(crate) history: History,
}

impl World {
    /// A new world at the beginning of a scenario.
    ///
    /// # Errors
    /// When the scenario breaks a limit.
    pub fn new(scenario: Scenario) -> Result<World, ScenarioError> {
        scenario.check()?;
        let start = Time::from_millis(i64::try_from(scenario.start_ms).unwrap_or(i64::MAX));
        let scenario = Arc::new(scenario);
        let begin = || {
            let mut state = State::empty(scenario.clone(), start);
            state.begin();
            state
        };
        // The same twice, not a copy: what copies a world is not run in a first visit, which need not load it.
        Ok(World {
            history: History::new(begin()),
            state: begin(),
        })
    }

    /// A world that goes on from what its logs hold; a reload is `kill -9` of every broker.
    /// `millis` is how long the world has lasted.
    ///
    /// # Errors
    /// When the scenario breaks a limit.
    pub fn restore(
        scenario: Scenario,
        millis: u64,
        logs: Vec<RecoveredLog>,
    ) -> Result<World, ScenarioError> {
        scenario.check()?;
        let start = Time::from_millis(i64::try_from(scenario.start_ms).unwrap_or(i64::MAX));
        let mut state = State::empty(Arc::new(scenario), start.plus_millis(millis));
        // Chance goes on differently in each life; the journal begins anew anyway.
        state.rng = ids::Rng::new(state.rng.next() ^ millis);
        for RecoveredLog { node, name, log } in logs {
            let disk = state.disks.entry(node).or_default();
            disk.dirs.insert(name.clone(), Dir::of(&log));
            disk.ready.insert(name, log);
        }
        state.resume();
        Ok(World {
            history: History::new(state.clone()),
            state,
        })
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.state.now
    }

    /// Milliseconds since the world began.
    #[must_use]
    pub fn world_millis(&self) -> u64 {
        self.state.world_millis(self.state.now)
    }

    /// When something happens next.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.state.next_time()
    }

    /// Lets everything happen that is due by `until`, at most `max` things; gives their number.
    /// It stops early when a node waits for bytes ([`World::owed`]): the world stands still then.
    ///
    /// While an older moment is shown, what happened after it happens again, until it is the newest.
    pub fn run_until(&mut self, until: Time, max: u64) -> u64 {
        if self.is_in_the_past() {
            return self.replay_until(until, max);
        }
        let mut done = 0;
        while done < max
            && !self.stands_still()
            && self.state.next_time().is_some_and(|next| next <= until)
        {
            self.state.step();
            self.history.noted(&self.state);
            done += 1;
        }
        let idle = !self.stands_still() && self.state.next_time().is_none_or(|next| next > until);
        if idle {
            self.state.now = self.state.now.max(until);
        }
        done
    }

    /// Lets one thing happen, in the past again; `false` when nothing is left.
    pub fn step(&mut self) -> bool {
        if self.is_in_the_past() {
            return self.replay_until(Time(u64::MAX), 1) > 0;
        }
        let stepped = !self.stands_still() && self.state.step();
        if stepped {
            self.history.noted(&self.state);
        }
        stepped
    }

    /// Everything said since the last call.
    pub fn take_said(&mut self) -> Vec<Said> {
        self.history.said_is_taken();
        let mut said = match &mut self.history.present {
            Some(present) => core::mem::take(&mut present.said),
            None => Vec::new(),
        };
        said.append(&mut self.state.said);
        said
    }

    /// From now on notes what is written, for [`World::take_writes`].
    pub fn keep_writes(&mut self) {
        self.state.keeps_writes = true;
    }

    /// Whether what is written is noted.
    #[must_use]
    pub fn keeps_writes(&self) -> bool {
        self.state.keeps_writes
    }

    /// Everything written since the last call, in order. Its bytes are to be read before the
    /// world goes on. While the past is looked at, this is still the present's.
    pub fn take_writes(&mut self) -> Vec<DiskWrite> {
        match &mut self.history.present {
            Some(present) => core::mem::take(&mut present.writes),
            None => core::mem::take(&mut self.state.writes),
        }
    }

    /// A log as it is on its node's disk at present, whether the node runs or not; `None` when it is gone.
    #[must_use]
    pub fn stored_log(&self, node: NodeId, name: &TopicIdPartition) -> Option<StoredLog<'_>> {
        self.present().stored_log(node, name)
    }

    /// Bytes that nodes wait for; each is to be answered by [`World::loaded`], and the world
    /// stands still until all are.
    pub fn owed(&mut self) -> Vec<Restored> {
        let owed = core::mem::take(&mut self.state.owed);
        let mut named = Vec::with_capacity(owed.len());
        for owed in owed {
            match self.state.ask_shell(owed) {
                Ok(restored) => named.push(restored),
                // The disk knows what there is to read, and needs no shell for it.
                Err((node, log, token, bytes)) => {
                    let event = Event::Disk(DiskEvent::Loaded { log, token, bytes });
                    self.state.tell_node(node, event);
                }
            }
        }
        if !self.state.waits() {
            self.play_on();
        }
        named
    }

    /// Whether the world waits for bytes ([`World::owed`]).
    #[must_use]
    pub fn stands_still(&self) -> bool {
        self.state.waits() || self.is_playing()
    }

    /// Answers what [`World::owed`] asked for; empty bytes when they cannot be read.
    pub fn loaded(&mut self, node: NodeId, token: Token, bytes: Bytes) {
        let awaited = &mut self.state.awaited;
        let of = |(of, _, which): &(NodeId, LogId, Token)| (*of, *which) == (node, token);
        let Some(at) = awaited.iter().position(of) else {
            return;
        };
        let (_, log, _) = awaited.remove(at);
        match Starting::asked(token) {
            true => self.state.feed_start(node, bytes),
            false => {
                let event = Event::Disk(DiskEvent::Loaded { log, token, bytes });
                self.state.tell_node(node, event);
            }
        }
        if !self.state.waits() {
            self.play_on();
        }
    }

    /// Bytes that the present has ever appended to logs.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.present().written
    }

    /// From now on the logs of a node come to about `max_bytes` and not more: what would append
    /// to a partition beyond that is refused, as by a full disk; with 0, all that would. For a shell
    /// that keeps nothing, so that all bytes stay in memory, or that has no room for more.
    pub fn bound_disks(&mut self, max_bytes: u64) {
        self.state.disk_bytes = Some(max_bytes);
        self.history.bound_disks(max_bytes);
    }

    /// Takes the bound away again.
    pub fn free_disks(&mut self) {
        self.state.free_disks();
        self.history.free_disks();
    }

    /// Bytes in the segments of all logs on a node's disk.
    #[must_use]
    pub fn disk_bytes(&self, node: NodeId) -> u64 {
        let disk = self.state.disks.get(&node);
        let dirs = disk.into_iter().flat_map(|disk| disk.dirs.values());
        dirs.map(Dir::size).sum()
    }

    /// Whether a disk has refused what was appended last.
    #[must_use]
    pub fn has_full_disk(&self) -> bool {
        self.state.disks.values().any(Disk::is_full)
    }

    /// Lets logs drop bytes from memory until at most `max_bytes` stay on each node. Only bytes
    /// that the shell has kept may go: call it when [`World::take_writes`] has nothing more.
    ///
    /// Older moments in history let go of what the present lets go of.
    pub fn evict(&mut self, max_bytes: u64) {
        self.state.evict(max_bytes);
        self.history.evict(max_bytes, self.state.written);
    }

    /// The trace so far.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.state.trace
    }

    /// Keeps a point of the trace for each event from now on.
    pub fn record_trace(&mut self) {
        self.state.trace.record();
    }

    /// Flips the last bit of the next frame that a client sends, to see that the trace tells.
    pub fn plant_bit(&mut self) {
        self.state.plants_bit = true;
    }

    /// Whether a command line runs in the terminal of this number, at the newest moment.
    #[must_use]
    pub fn has_terminal(&self, id: u32) -> bool {
        let actors = &self.present().actors;
        matches!(actors.get(&ActorId(id)), Some(Actor::Terminal(_)))
    }

    /// A broker that runs, to see what it has in memory.
    #[must_use]
    pub fn broker(&self, node: NodeId) -> Option<&cluster::Broker> {
        self.state.cluster.node(node)?.broker()
    }

    /// Whether a broker serves clients.
    #[must_use]
    pub fn is_serving(&self, node: NodeId) -> bool {
        self.state
            .cluster
            .node(node)
            .is_some_and(cluster::Node::is_serving)
    }
}

impl State {
    /// The beginning of a scenario: brokers, then topics, then clients.
    pub(crate) fn begin(&mut self) {
        for id in 1..=i32::try_from(self.scenario.brokers).unwrap_or(1) {
            self.disks.entry(NodeId(id)).or_default();
        }
        for id in 1..=i32::try_from(self.scenario.brokers).unwrap_or(1) {
            self.start_node(NodeId(id));
        }
        self.set_up(0);
    }

    /// The world goes on after a reload: the logs say what there is.
    pub(crate) fn resume(&mut self) {
        for id in 1..=i32::try_from(self.scenario.brokers).unwrap_or(1) {
            self.start_node(NodeId(id));
        }
        self.place_clients();
    }

    /// Lets logs drop bytes from memory until at most `max_bytes` stay on each node.
    pub(crate) fn evict(&mut self, max_bytes: u64) {
        for (id, disk) in self.disks.iter_mut() {
            let Some(node) = self.cluster.node_mut(*id) else {
                continue;
            };
            let hot = |node: &cluster::Node, log| node.log(log).map_or(0, Log::hot_bytes);
            let before: Vec<_> = (disk.open_logs())
                .map(|(log, _)| (log, hot(node, log)))
                .collect();
            node.evict(max_bytes);
            for (id, before) in before {
                if let Some(log) = node.log(id).filter(|log| log.hot_bytes() < before)
                    && let Some(dir) = disk.dir_mut(id)
                {
                    dir.cool(log);
                }
            }
        }
    }

    /// Applies an input; gives its number.
    pub(crate) fn take_input(&mut self, input: Input) -> u32 {
        let number = self.next_actor;
        self.next_actor += 1;
        let id = ActorId(number);
        match input {
            Input::Command(command) => self.command(u64::from(number), command),
            Input::Spawn { line } => self.spawn(id, &line),
            Input::Stdin { id, text } => self.tell_actor(ActorId(id), &ToClient::Stdin(text)),
            Input::Eof { id } => self.tell_actor(ActorId(id), &ToClient::StdinEnd),
            Input::Interrupt { id } => self.tell_actor(ActorId(id), &ToClient::Interrupt),
            Input::StdoutFull { id } => self.tell_actor(ActorId(id), &ToClient::StdoutFull),
            Input::StdoutReady { id } => self.tell_actor(ActorId(id), &ToClient::StdoutReady),
            Input::Connect { broker } => {
                self.actors.insert(id, Actor::Outside(Outside::new(broker)));
                self.tell_actor(id, &ToClient::Start);
            }
            Input::Frame { id, frame } => self.outside_sends(ActorId(id), frame),
            Input::Close { id } => self.remove_actor(ActorId(id)),
        }
        number
    }

    fn spawn(&mut self, id: ActorId, line: &str) {
        let words = match split_line(line) {
            Ok(words) => words,
            Err(why) => {
                let text = alloc::format!("brooklet: {why}\n");
                self.said.push(Said::Terminal {
                    id: id.0,
                    text: crate::TerminalText::Err(Bytes::from(text)),
                });
                self.said.push(Said::Exit { id: id.0, code: 2 });
                return;
            }
        };
        let rng = self.rng.fork();
        self.actors
            .insert(id, Actor::Terminal(Terminal::new(&words, For::Person, rng)));
        self.tell_actor(id, &ToClient::Start);
    }

    fn outside_sends(&mut self, id: ActorId, frame: Bytes) {
        let Some(Actor::Outside(outside)) = self.actors.get_mut(&id) else {
            return;
        };
        let mut out = Vec::new();
        let taken = outside.send(frame, &mut out);
        for output in out {
            self.carry_client(id, output);
        }
        if !taken {
            self.remove_actor(id);
            self.said.push(Said::Closed { id: id.0 });
        }
    }

    /// Takes a client away at once; its connections close.
    pub(crate) fn remove_actor(&mut self, id: ActorId) {
        let opened = |link| End::Client(id, client::io::LinkId(link));
        for end in self.network.opened(opened(0), opened(u32::MAX)) {
            self.hang_up(end);
        }
        self.actors.remove(&id);
    }

    /// A command line is over.
    pub(crate) fn exited(&mut self, id: ActorId, code: i32) {
        let Some(Actor::Terminal(terminal)) = self.actors.get(&id) else {
            return;
        };
        let (whom, printed) = (terminal.whom.clone(), terminal.printed.clone());
        self.remove_actor(id);
        match whom {
            For::Person => self.said.push(Said::Exit { id: id.0, code }),
            For::Input(input) => self.input_done(input, code, &printed),
        }
    }

    pub(crate) fn producers(&self) -> impl Iterator<Item = (ActorId, &ProducerActor)> {
        self.actors.iter().filter_map(|(id, actor)| match actor {
            Actor::Producer(producer) => Some((*id, producer)),
            _ => None,
        })
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (ActorId, &Member)> {
        self.actors.iter().filter_map(|(id, actor)| match actor {
            Actor::Member(member) => Some((*id, member)),
            _ => None,
        })
    }

    pub(crate) fn find_member(&self, group: &str, name: &str) -> Option<ActorId> {
        let mut found = self
            .members()
            .filter(|(_, member)| &*member.group == group && &*member.name == name);
        found.next().map(|(id, _)| id)
    }

    /// A member goes; with `Leave` it says so first and goes when that is done.
    pub(crate) fn member_goes(&mut self, id: ActorId, how: How) {
        match (how, self.actors.get_mut(&id)) {
            (How::Leave, Some(Actor::Member(member))) => {
                member.leave();
                self.tell_actor(id, &ToClient::Timer);
            }
            _ => self.remove_actor(id),
        }
    }

    /// The node that is the active controller, for views; a lone one is that also while it is down.
    pub(crate) fn controller_node(&self) -> Option<NodeId> {
        let leads = |node: &&cluster::Node| node.controller().is_some_and(|it| it.is_leading());
        // One that was left behind may not know yet that another leads in a later epoch.
        let leader = (self.cluster.nodes().filter(leads))
            .max_by_key(|node| node.quorum().election().epoch)
            .map(cluster::Node::id);
        leader.or((self.scenario.controllers == 1).then_some(CONTROLLER))
    }
}
