//! The shell without its sockets: tells the cluster what happens and carries out its orders.

use crate::console::Console;
use crate::outgoing::{Piece, Unsent};
use crate::store::Store;
use bytes::Bytes;
use cluster::{Closing, Cluster, Effect, Event, LogId, Note, Reply, Volume};
use ids::{ConnId, NodeId, Time, Token};
use log::{LogSlice, StoreOp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

/// How a request of DescribeLogDirs begins: with its API key.
const DESCRIBE_LOG_DIRS: [u8; 2] = [0, 35];
/// The room for logs is looked at no more often, in milliseconds.
const VOLUME_MS: u64 = 1000;
/// What logs remember of their producers may take this part of the cache's size, beside it.
const PRODUCERS_PART: u64 = 4;
/// Bytes that come into memory between two looks at the cache's bound.
const LOOK_BYTES: u64 = 4 << 20;
/// Directories that are made between two looks at the sockets.
const BORN_AT_ONCE: usize = 8;

/// What goes out to a client.
#[derive(Debug)]
pub enum Out {
    /// A frame, in pieces, without its length.
    Reply {
        /// The connection.
        conn: ConnId,
        /// Its pieces in order.
        pieces: Vec<Piece>,
    },
    /// The connection is to be closed.
    Close {
        /// The connection.
        conn: ConnId,
        /// Why.
        why: Closing,
    },
}

/// One node, its store, and what lies between them.
#[derive(Debug)]
pub struct Driver {
    cluster: Cluster,
    node: NodeId,
    store: Store,
    console: Console,
    cache_bytes: u64,
    /// What the connections have to send.
    pub(crate) unsent: Unsent,
    /// Bytes that came into memory since the cache's bound was looked at.
    grown: u64,
    /// Orders that are written; `commit` confirms them.
    written: Vec<(LogId, Token)>,
    /// Logs of which the node has not heard yet that a write failed: nothing more is written.
    refused: BTreeSet<LogId>,
    /// Logs whose last write failed, so that it is said once.
    failing: BTreeSet<LogId>,
    names: BTreeMap<LogId, String>,
    /// When the room for logs was last looked at.
    measured: Option<Time>,
    out: Vec<Out>,
    /// What the node is told and what it orders, within one step; kept for their room.
    events: VecDeque<Event>,
    effects: Vec<Effect>,
}

impl Driver {
    /// A driver of one node; `cache_bytes` of its logs stay in memory where a store holds them.
    #[must_use]
    pub fn new(node: cluster::Node, store: Store, cache_bytes: u64, console: Console) -> Driver {
        let (id, mut node) = (node.id(), node);
        if store.keeps_bytes() {
            node.send_from_files();
        }
        let mut cluster = Cluster::new();
        cluster.insert(node);
        Driver {
            cluster,
            node: id,
            store,
            console,
            cache_bytes,
            unsent: Unsent::default(),
            grown: 0,
            written: Vec::new(),
            refused: BTreeSet::new(),
            failing: BTreeSet::new(),
            names: BTreeMap::from([(LogId::Metadata, "__cluster_metadata-0".to_owned())]),
            measured: None,
            out: Vec::new(),
            events: VecDeque::new(),
            effects: Vec::new(),
        }
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The node's id.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Whether clients are served.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        (self.cluster.node(self.node)).is_some_and(cluster::Node::is_serving)
    }

    /// Whether a shutdown that was begun may end.
    #[must_use]
    pub fn may_stop(&self) -> bool {
        (self.cluster.node(self.node)).is_some_and(|node| node.broker().may_stop())
    }

    /// Whether a connection has a frame that the broker has not begun with.
    #[must_use]
    pub fn is_behind(&self, conn: ConnId) -> bool {
        (self.cluster.node(self.node)).is_some_and(|node| node.broker().queued(conn) > 0)
    }

    /// Tells the node by how many microseconds the clock on the wall is ahead of the time of events.
    pub fn set_wall_ahead(&mut self, micros: i64) {
        if let Some(node) = self.cluster.node_mut(self.node) {
            node.set_wall_ahead(micros);
        }
    }

    /// When the node wants [`Event::Tick`] at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.cluster.next_deadline(self.node)
    }

    /// What is to go out; to be called after [`Driver::commit`].
    pub fn take_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }

    /// Tells the node a fact and carries out what it orders. Writes are not confirmed before
    /// [`Driver::commit`], so that one fsync serves many of them.
    pub fn tell(&mut self, now: Time, event: Event) {
        if matches!(&event, Event::Request { frame, .. } if frame.starts_with(&DESCRIBE_LOG_DIRS)) {
            self.measure(now);
        }
        let mut events = std::mem::take(&mut self.events);
        let mut effects = std::mem::take(&mut self.effects);
        events.push_back(event);
        while let Some(event) = events.pop_front() {
            if let Event::StoreFailed { log, .. } = &event {
                self.refused.remove(log);
            }
            self.cluster.step(now, self.node, event, &mut effects);
            for effect in effects.drain(..) {
                self.carry_out(effect, &mut events);
            }
        }
        (self.events, self.effects) = (events, effects);
    }

    /// Tells the node how much room there is, just before it is asked for.
    fn measure(&mut self, now: Time) {
        let is_fresh = |at: Time| now.since(at) < VOLUME_MS * 1000;
        if self.measured.is_some_and(is_fresh) {
            return;
        }
        self.measured = Some(now);
        let volume = self.store.volume().unwrap_or(Volume::UNKNOWN);
        if let Some(node) = self.cluster.node_mut(self.node) {
            node.set_volume(volume);
        }
    }

    /// Makes what was written durable, as far as was asked for, and confirms it, until there is
    /// nothing left to confirm.
    pub fn commit(&mut self, now: Time) {
        while !self.written.is_empty() {
            let failed = self.store.commit();
            for (log, error) in &failed {
                self.say_refused(*log, error);
            }
            let mut told = BTreeSet::new();
            for (log, token) in std::mem::take(&mut self.written) {
                if !failed.iter().any(|(bad, _)| *bad == log) {
                    self.tell(now, Event::Stored { log, token });
                } else if told.insert(log) {
                    // The first failure takes back all later orders of that log.
                    self.tell(now, Event::StoreFailed { log, token });
                }
            }
        }
        self.keep_bound();
    }

    /// Directories of partitions that the metadata does not know.
    pub(crate) fn unclaimed(&self) -> Vec<&str> {
        match &self.store {
            Store::Disk(disk) => disk.unclaimed().collect(),
            Store::Memory(_) => Vec::new(),
        }
    }

    /// Writes Kafka's checkpoint files: that of the high watermarks, those of the recovery points
    /// and log starts.
    pub fn checkpoint(&mut self, high_watermarks: bool, points: bool) {
        self.note_flushed(false);
        let Store::Disk(disk) = &mut self.store else {
            return;
        };
        let mut done = Ok(());
        if high_watermarks {
            done = disk.note_high_watermarks(self.node, &self.cluster);
        }
        if points {
            done = done.and_then(|()| disk.note_points(self.node, &self.cluster));
        }
        if let Err(error) = done {
            self.console
                .say(format!("the checkpoint files cannot be written: {error}"));
        }
    }

    /// Makes some of the directories that new logs do not have yet.
    pub fn lay_out(&mut self) {
        let Store::Disk(disk) = &mut self.store else {
            return;
        };
        if let Err(error) = disk.bear(self.node, &self.cluster, BORN_AT_ONCE) {
            self.console
                .say(format!("a partition's directory cannot be made: {error}"));
        }
    }

    /// Whether [`Driver::lay_out`] has something to do.
    #[must_use]
    pub fn is_laid_out(&self) -> bool {
        match &self.store {
            Store::Disk(disk) => !disk.has_unborn(),
            Store::Memory(_) => true,
        }
    }

    /// Stops cleanly: every log is closed and flushed, and the next start finds Kafka's marker.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn close(&mut self) -> io::Result<()> {
        self.note_flushed(true);
        let Store::Disk(disk) = &mut self.store else {
            return Ok(());
        };
        let image = (self.cluster.node(self.node)).map(|node| node.broker().image());
        let epoch = image
            .and_then(|image| image.brokers().get(&self.node))
            .map_or(-1, |entry| entry.epoch);
        disk.close(self.node, &self.cluster, epoch)
    }

    fn note_flushed(&mut self, wait: bool) {
        let Store::Disk(disk) = &mut self.store else {
            return;
        };
        for (dir, error) in disk.note_flushed(wait) {
            self.console.say(format!(
                "{dir}: a closed segment cannot be flushed: {error}. It may not survive a power \
                 cut; the next start checks it"
            ));
        }
    }

    fn carry_out(&mut self, effect: Effect, events: &mut VecDeque<Event>) {
        match effect {
            Effect::Reply { conn, reply } => self.reply(conn, &reply),
            Effect::Close { conn, why } => self.out.push(Out::Close { conn, why }),
            Effect::Open { replica, name } => {
                let log = LogId::Replica(replica);
                let shown = crate::checkpoints::dir_name(&name);
                if let Err(error) = self.store.open(log, &name) {
                    self.console
                        .say(format!("{shown}: its directory cannot be made: {error}"));
                }
                if let Store::Disk(disk) = &mut self.store {
                    let said = disk.take_said();
                    said.into_iter().for_each(|line| self.console.say(line));
                }
                self.names.insert(log, shown);
            }
            Effect::Remove { replica } => self.remove(LogId::Replica(replica)),
            Effect::Store { log, token, ops } => self.write(log, token, &ops, events),
            Effect::Load { log, token, slice } => {
                let bytes = self.load(log, &slice);
                events.push_back(Event::Loaded { token, bytes });
            }
            // There is one node; it talks to itself inside the cluster.
            Effect::Send { .. } => {}
            Effect::Note(note) => self.note(&note),
        }
    }

    fn write(&mut self, id: LogId, token: Token, ops: &[StoreOp], events: &mut VecDeque<Event>) {
        if self.refused.contains(&id) {
            // The node will hear of the failure before this order, and forget it then.
            return;
        }
        let Some(log) = self.cluster.log(self.node, id) else {
            // Ordered and removed within one step: nobody waits for it.
            return;
        };
        match self.store.carry_out(id, ops, log) {
            Ok(()) => {
                let appended = appended(ops);
                self.grown += appended;
                self.written.push((id, token));
                // Taking back what failed is not yet a sign that there is room again.
                if appended > 0 && self.failing.remove(&id) {
                    let name = self.names.get(&id).map_or("?", String::as_str);
                    self.console.say(format!("{name}: can be written again"));
                }
            }
            Err(error) => {
                self.say_refused(id, &error);
                self.refused.insert(id);
                self.written.retain(|(log, _)| *log != id);
                events.push_front(Event::StoreFailed { log: id, token });
            }
        }
    }

    fn say_refused(&mut self, id: LogId, error: &io::Error) {
        if self.failing.insert(id) {
            let name = self.names.get(&id).map_or("?", String::as_str);
            self.console.say(format!(
                "{name}: cannot be written: {error}. Produce requests to it are refused until it \
                 works again; nothing that was acknowledged is lost"
            ));
        }
    }

    fn remove(&mut self, id: LogId) {
        self.written.retain(|(log, _)| *log != id);
        self.failing.remove(&id);
        let name = self.names.remove(&id);
        if let Err(error) = self.store.remove(id) {
            let name = name.unwrap_or_default();
            self.console
                .say(format!("{name}: its files cannot be removed: {error}"));
        }
    }

    fn load(&mut self, id: LogId, slice: &LogSlice) -> Bytes {
        self.grown += u64::from(slice.length);
        self.store.load(id, slice).unwrap_or_else(|error| {
            self.say_unreadable(id, slice, &error);
            Bytes::new()
        })
    }

    fn say_unreadable(&self, id: LogId, slice: &LogSlice, error: &io::Error) {
        let name = self.names.get(&id).map_or("?", String::as_str);
        self.console.say(format!(
            "{name}: {} bytes at {} of the segment {} cannot be read: {error}",
            slice.length, slice.position, slice.segment
        ));
    }

    fn reply(&mut self, conn: ConnId, reply: &Reply) {
        let Some(pieces) = self.resolve(reply) else {
            // The records were deleted in the step that answered with them, or their file cannot be
            // opened: the client asks again.
            let why = Closing::UnacknowledgedFailure;
            self.out.push(Out::Close { conn, why });
            return;
        };
        self.out.push(Out::Reply { conn, pieces });
    }

    /// A reply's pieces: its own bytes and the logs', neither copied where they are sealed.
    fn resolve(&mut self, reply: &Reply) -> Option<Vec<Piece>> {
        let mut pieces = Vec::with_capacity(1 + 2 * reply.slices.len());
        let mut at = 0;
        for slice in &reply.slices {
            let to = slice.at as usize;
            let own = reply.bytes.get(at..to)?;
            pieces.push(Piece::Bytes(reply.bytes.slice_ref(own)));
            at = to;
            let id = LogId::Replica(slice.replica);
            let log = self.cluster.log(self.node, id)?;
            match log.slice_pieces(&slice.slice) {
                Some(found) => pieces.extend(found.into_iter().map(Piece::Bytes)),
                None => match self.store.piece(id, &slice.slice) {
                    Ok(piece) => pieces.push(piece),
                    Err(error) => {
                        self.say_unreadable(id, &slice.slice, &error);
                        return None;
                    }
                },
            }
        }
        let rest = reply.bytes.slice(at.min(reply.bytes.len())..);
        pieces.push(Piece::Bytes(rest));
        Some(pieces)
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::BadMetadata => self
                .console
                .say("a record of the metadata log cannot be read and is left out"),
            // The driver has said it, with the reason; what groups and clients do is ordinary.
            Note::StoreRefused { .. }
            | Note::Rebalanced { .. }
            | Note::MemberTimedOut { .. }
            | Note::TopicMade { .. } => {}
        }
    }

    fn keep_bound(&mut self) {
        if self.grown < LOOK_BYTES {
            return;
        }
        self.grown = 0;
        // What waits to be sent is in memory as well, whether a log still has it or not.
        let taken = self.unsent.bytes().min(self.cache_bytes / 2);
        if let Some(node) = self.cluster.node_mut(self.node) {
            node.limit_producers(self.cache_bytes / PRODUCERS_PART);
            if self.store.keeps_bytes() {
                node.evict(self.cache_bytes - taken);
            }
        }
    }
}

fn appended(ops: &[StoreOp]) -> u64 {
    let length = |op: &StoreOp| match op {
        StoreOp::Append { length, .. } => u64::from(*length),
        _ => 0,
    };
    ops.iter().map(length).sum()
}
