//! The shell without its sockets: tells the cluster what happens and carries out its orders.

mod aside;

use crate::console::Console;
use crate::outgoing::{Piece, Unsent};
use crate::reader::Reader;
use crate::store::Store;
use crate::syncer::{Failed, Syncer};
use cluster::{
    ClientEffect, ClientEvent, Closing, Cluster, DiskEffect, DiskEvent, Effect, Event, LogId, Note,
    Reply, Volume,
};
use ids::{ConnId, NodeId, Time, Token};
use log::{LogSlice, StoreOp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

/// How a request of DescribeLogDirs begins: with its API key.
const DESCRIBE_LOG_DIRS: [u8; 2] = [0, 35];
/// The room for logs is looked at no more often, in milliseconds.
const VOLUME_MS: u64 = 1000;
/// Bytes that logs may need to remember their producers.
const PRODUCERS_BYTES: u64 = 64 << 20;
/// Slices from this size on are sent from their files, whether they are in memory or not: from the page
/// cache to a socket they pass through no memory of ours.
const FROM_FILE_BYTES: u32 = 16 << 10;
/// Bytes that come into memory between two looks at the cache's bound.
const LOOK_BYTES: u64 = 4 << 20;
/// Directories that are made between two looks at the sockets.
const BORN_AT_ONCE: usize = 8;
/// Directories that are removed between two looks at the sockets.
const BURIED_AT_ONCE: usize = 32;

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
    /// The orders that the syncer's round makes durable, if one is under way; some of them may be nobody's
    /// any more.
    syncing: Option<Vec<(LogId, Token)>>,
    syncer: Option<Syncer>,
    /// Logs of which the node has not heard yet that a write failed: nothing more is written.
    refused: BTreeSet<LogId>,
    /// Logs whose last write failed, so that it is said once.
    failing: BTreeSet<LogId>,
    names: BTreeMap<LogId, String>,
    /// Reads what is not in the system's page cache; without it everything is read at once.
    reader: Option<Reader>,
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
            syncing: None,
            syncer: None,
            refused: BTreeSet::new(),
            failing: BTreeSet::new(),
            names: BTreeMap::from([(LogId::METADATA, "__cluster_metadata-0".to_owned())]),
            reader: None,
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
        (self.cluster.node(self.node)).is_some_and(cluster::Node::may_stop)
    }

    /// Whether a connection has a frame that the broker has not begun with.
    #[must_use]
    pub fn is_behind(&self, conn: ConnId) -> bool {
        let broker = (self.cluster.node(self.node)).and_then(cluster::Node::broker);
        broker.is_some_and(|broker| broker.queued(conn) > 0)
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
        if let Event::Client(ClientEvent::Request { frame, .. }) = &event
            && frame.starts_with(&DESCRIBE_LOG_DIRS)
        {
            self.measure(now);
        }
        let mut events = std::mem::take(&mut self.events);
        let mut effects = std::mem::take(&mut self.effects);
        events.push_back(event);
        while let Some(event) = events.pop_front() {
            if let Event::Disk(DiskEvent::StoreFailed { log, .. }) = &event {
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
        self.end_round(now);
        while !self.written.is_empty() {
            let failed = self.store.commit();
            let written = std::mem::take(&mut self.written);
            self.confirm(now, written, &failed);
        }
        self.keep_bound();
    }

    fn confirm(&mut self, now: Time, written: Vec<(LogId, Token)>, failed: &Failed) {
        for (log, error) in failed {
            self.say_refused(*log, error);
        }
        let mut told = BTreeSet::new();
        for (log, token) in written {
            if !failed.iter().any(|(bad, _)| *bad == log) {
                self.tell(now, DiskEvent::Stored { log, token }.into());
            } else if told.insert(log) {
                // The first failure takes back all later orders of that log.
                self.forget_written(log);
                self.tell(now, DiskEvent::StoreFailed { log, token }.into());
            }
        }
    }

    /// Orders of a log that will not be confirmed.
    fn forget_written(&mut self, id: LogId) {
        self.written.retain(|(log, _)| *log != id);
        if let Some(syncing) = &mut self.syncing {
            syncing.retain(|(log, _)| *log != id);
        }
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

    /// Removes some of the directories that are to go.
    pub fn clear_out(&mut self) {
        if let Store::Disk(disk) = &mut self.store {
            disk.bury_some(BURIED_AT_ONCE);
            self.say_of_disk();
        }
    }

    /// Whether [`Driver::clear_out`] has nothing to do.
    #[must_use]
    pub fn is_cleared_out(&self) -> bool {
        match &self.store {
            Store::Disk(disk) => !disk.has_leaving(),
            Store::Memory(_) => true,
        }
    }

    fn say_of_disk(&mut self) {
        if let Store::Disk(disk) = &mut self.store {
            let said = disk.take_said();
            said.into_iter().for_each(|line| self.console.say(line));
        }
    }

    /// Whether [`Driver::lay_out`] has nothing to do.
    #[must_use]
    pub fn is_laid_out(&self) -> bool {
        match &self.store {
            Store::Disk(disk) => disk.is_laid_out(),
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
        let image = (self.cluster.node(self.node)).and_then(cluster::Node::image);
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
            Effect::Client(ClientEffect::Reply { conn, reply }) => self.reply(conn, &reply),
            Effect::Client(ClientEffect::Close { conn, why }) => {
                self.out.push(Out::Close { conn, why });
            }
            Effect::Disk(DiskEffect::Open { log, name }) => {
                let shown = crate::checkpoints::dir_name(&name);
                if let Err(error) = self.store.open(log, &name) {
                    self.console
                        .say(format!("{shown}: its directory cannot be made: {error}"));
                }
                self.say_of_disk();
                self.names.insert(log, shown);
            }
            Effect::Disk(DiskEffect::Remove { log }) => self.remove(log),
            Effect::Disk(DiskEffect::Store { log, token, ops }) => {
                self.write(log, token, &ops, events);
            }
            Effect::Disk(DiskEffect::Load { log, token, slice }) => {
                if !self.read_aside(log, token, &slice) {
                    let bytes = self.store.load(log, &slice);
                    events.push_back(self.loaded(log, token, &slice, bytes));
                }
            }
            // There is one node, and it talks to itself at once.
            Effect::Link(_) => {}
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
                self.forget_written(id);
                events.push_front(DiskEvent::StoreFailed { log: id, token }.into());
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
        self.forget_written(id);
        self.failing.remove(&id);
        self.names.remove(&id);
        self.store.remove(id);
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
            let id = slice.log;
            self.resolve_slice(id, &slice.slice, &mut pieces)?;
        }
        let rest = reply.bytes.slice(at.min(reply.bytes.len())..);
        pieces.push(Piece::Bytes(rest));
        Some(pieces)
    }

    /// A slice's bytes: small ones that are in memory from there, others from the log's file.
    fn resolve_slice(&mut self, id: LogId, slice: &LogSlice, to: &mut Vec<Piece>) -> Option<()> {
        let log = self.cluster.log(self.node, id)?;
        let is_small = slice.length < FROM_FILE_BYTES;
        if let Some(found) = is_small.then(|| log.slice_pieces(slice)).flatten() {
            to.extend(found.into_iter().map(Piece::Bytes));
            return Some(());
        }
        let stretch = self.store.stretch(id, slice);
        if let Ok(Some(stretch)) = stretch {
            to.push(Piece::File(stretch));
            return Some(());
        }
        // A file that cannot be opened is no reason to refuse what is in memory.
        let found = match (log.slice_pieces(slice), stretch) {
            (Some(found), _) => Ok(found.into_iter().map(Piece::Bytes).collect()),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => (self.store.load(id, slice)).map(|bytes| vec![Piece::Bytes(bytes)]),
        };
        match found {
            Ok(found) => to.extend(found),
            Err(error) => {
                self.say_unreadable(id, slice, &error);
                return None;
            }
        }
        Some(())
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
        if let Some(node) = self.cluster.node_mut(self.node) {
            node.limit_producers(PRODUCERS_BYTES);
            if self.store.keeps_bytes() {
                node.evict(self.cache_bytes);
            }
        }
    }
}

fn appended(ops: &[StoreOp]) -> u64 {
    let length = |op: &StoreOp| match op {
        StoreOp::Append { length, .. } => u64::from(*length),
        StoreOp::AppendBatch(batch) => u64::from(batch.length()),
        _ => 0,
    };
    ops.iter().map(length).sum()
}
