//! A consumer as Kafka's own clients are: assigned partitions by hand, or a member of a classic group.
//!
//! The owner calls [`Consumer::step`] with what happens and [`Consumer::poll_records`] when it wants
//! records. What a poll has handed out counts as processed when the next poll begins; that is what
//! automatic commits store (SEMANTICS: at least once). [`Consumer::take_event`] tells of assignments,
//! commits and errors. Not here: the group protocol of KIP-848, cooperative rebalancing, fetch sessions,
//! fetching from followers.

mod fetch;
mod group;
mod offsets;
pub(crate) mod protocol;
mod sharing;
#[cfg(test)]
mod tests;

use crate::io::{Input, Output};
use crate::net::{self, Interest, Net};
use crate::pattern::Pattern;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use fetch::Buffer;
use group::Group;
use ids::{ErrorCode, Offset, PartitionIndex, Rng, Time, TopicPartition};
use sorted::{SortedMap, SortedSet};

/// A way to share partitions out among a group's members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Assignor {
    /// Topic by topic, neighbouring partitions to one member. Kafka's default.
    #[default]
    Range,
    /// All partitions in turn.
    RoundRobin,
}

impl Assignor {
    /// Its name in JoinGroup.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
        }
    }
}

/// Where to begin when there is no committed offset, or it is gone (`auto.offset.reset`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reset {
    /// At the oldest record.
    Earliest,
    /// At the first record that is not older than so many milliseconds (KIP-1106), or else behind the newest.
    Since(i64),
    /// Behind the newest record.
    #[default]
    Latest,
    /// Nowhere: it is an error.
    None,
}

/// Which records are handed out (`isolation.level`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isolation {
    /// All that are replicated.
    #[default]
    ReadUncommitted,
    /// Those of open and aborted transactions are left out.
    ReadCommitted,
}

/// Where an assigned partition is read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// At the committed offset of the group, or else as `auto.offset.reset` says.
    Committed,
    /// At the oldest record.
    Earliest,
    /// Behind the newest record.
    Latest,
    /// At this offset.
    At(Offset),
}

/// What a consumer reads.
#[derive(Clone, Debug)]
pub enum Subscription {
    /// These partitions, whatever a group says.
    Assign(Vec<(TopicPartition, Begin)>),
    /// These topics, shared with the group's other members.
    Topics(SortedSet<Arc<str>>),
    /// All topics whose whole name matches, shared with the group's other members.
    Pattern(Pattern),
}

/// What a consumer is set to; defaults are Kafka's own.
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections and metadata.
    pub net: net::Config,
    /// `group.id`.
    pub group: Option<Arc<str>>,
    /// `group.instance.id`.
    pub instance: Option<Arc<str>>,
    /// `partition.assignment.strategy`, the preferred one first.
    pub assignors: Vec<Assignor>,
    /// `session.timeout.ms`.
    pub session_timeout_ms: u32,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval_ms: u32,
    /// `max.poll.interval.ms`.
    pub max_poll_interval_ms: u32,
    /// `enable.auto.commit`.
    pub auto_commit: bool,
    /// `auto.commit.interval.ms`.
    pub auto_commit_interval_ms: u32,
    /// `auto.offset.reset`.
    pub reset: Reset,
    /// `isolation.level`.
    pub isolation: Isolation,
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: u32,
    /// `fetch.max.wait.ms`.
    pub fetch_max_wait_ms: u32,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: u32,
    /// `max.partition.fetch.bytes`.
    pub partition_max_bytes: u32,
}

impl Config {
    /// Kafka's defaults.
    #[must_use]
    pub fn new(client_id: &str, bootstrap: Vec<(Arc<str>, u16)>) -> Config {
        Config {
            net: net::Config::new(client_id, bootstrap),
            group: None,
            instance: None,
            assignors: alloc::vec![Assignor::Range],
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 3_000,
            max_poll_interval_ms: 300_000,
            auto_commit: true,
            auto_commit_interval_ms: 5_000,
            reset: Reset::Latest,
            isolation: Isolation::ReadUncommitted,
            fetch_min_bytes: 1,
            fetch_max_wait_ms: 500,
            fetch_max_bytes: 50 * 1024 * 1024,
            partition_max_bytes: 1024 * 1024,
        }
    }
}

/// A record as it was read. Its bytes are slices of the frame it came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumedRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: PartitionIndex,
    /// Its offset.
    pub offset: Offset,
    /// The epoch of the leader that appended it; -1 when unknown.
    pub leader_epoch: i32,
    /// Milliseconds since 1970; -1 for none.
    pub timestamp: i64,
    /// Whether the broker gave the timestamp.
    pub log_append_time: bool,
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value; `None` is null.
    pub value: Option<Bytes>,
    /// Names and values of the headers, in order.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// What the owner may want to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// These partitions are read from now on.
    Assigned(Vec<TopicPartition>),
    /// The partitions are no longer ours.
    Revoked,
    /// These offsets are stored in the group.
    Committed(Vec<(TopicPartition, Offset)>),
    /// Offsets could not be stored; they are tried again when they can.
    CommitFailed(ErrorCode),
    /// Something that does not pass by itself; the consumer goes on where it can.
    Error {
        /// The code.
        code: ErrorCode,
        /// In words.
        message: String,
    },
}

/// One partition being read.
#[derive(Clone, Debug)]
pub struct Position {
    /// Offset of the next record to hand out; `None` while it is looked up.
    pub position: Option<Offset>,
    /// The offset the group is known to have stored.
    pub committed: Option<Offset>,
    /// The high watermark as of the last answer; -1 before.
    pub high_watermark: Offset,
    /// Everything below is processed by the owner.
    processed: Option<Offset>,
    /// The leader epoch of the last record below `position`, and below `processed`; -1 when unknown.
    position_epoch: i32,
    processed_epoch: i32,
    place: Place,
    buffer: Buffer,
}

/// How far the search for a position has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    NeedsCommitted,
    AskingCommitted,
    NeedsReset(Reset),
    AskingReset(Reset),
    /// There is none; only a seek helps.
    Nowhere,
    Found,
}

impl Position {
    fn new(begin: Begin) -> Position {
        let (position, place) = match begin {
            Begin::Committed => (None, Place::NeedsCommitted),
            Begin::Earliest => (None, Place::NeedsReset(Reset::Earliest)),
            Begin::Latest => (None, Place::NeedsReset(Reset::Latest)),
            Begin::At(offset) => (Some(offset), Place::Found),
        };
        Position {
            position,
            committed: None,
            high_watermark: Offset(-1),
            processed: position,
            position_epoch: -1,
            processed_epoch: -1,
            place,
            buffer: Buffer::default(),
        }
    }

    fn take_as_processed(&mut self) {
        self.processed = self.position;
        self.processed_epoch = self.position_epoch;
    }

    fn found(&mut self, at: Offset) {
        self.position = Some(at);
        self.position_epoch = -1;
        self.take_as_processed();
        self.place = Place::Found;
        self.buffer = Buffer::default();
    }

    fn needs(&mut self, place: Place) {
        self.position = None;
        self.place = place;
        self.buffer = Buffer::default();
    }
}

type Key = (Arc<str>, i32);

/// A request under way and what it was about.
#[derive(Clone, Debug)]
enum Call {
    FindCoordinator,
    Join,
    Sync,
    Heartbeat,
    Leave,
    Committed(Vec<Key>),
    Commit(Vec<(Key, Offset)>),
    ListOffsets(Vec<Key>),
    Fetch(ids::NodeId, Vec<(Key, Offset)>),
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    config: Config,
    net: Net,
    subscription: Subscription,
    group: Group,
    positions: SortedMap<Key, Position>,
    calls: SortedMap<i32, Call>,
    /// Partitions with fetched data, in the order in which it came in.
    ready: VecDeque<Key>,
    events: VecDeque<Event>,
    seen_metadata: u64,
    /// After an error: nothing of the kind is sent before this.
    not_before: Time,
    failures: u32,
    next_commit: Option<Time>,
    commit_wanted: bool,
    closing: bool,
}

impl Consumer {
    /// A consumer that has not connected to anything yet.
    #[must_use]
    pub fn new(config: Config, subscription: Subscription, rng: Rng) -> Consumer {
        let mut net = Net::new(config.net.clone(), rng);
        let mut positions = SortedMap::new();
        net.set_interest(match &subscription {
            Subscription::Assign(partitions) => {
                for (at, begin) in partitions {
                    let key = (at.topic.clone(), at.partition.0);
                    positions.insert(key, Position::new(*begin));
                }
                Interest::Topics(partitions.iter().map(|(at, _)| at.topic.clone()).collect())
            }
            Subscription::Topics(topics) => Interest::Topics(topics.clone()),
            Subscription::Pattern(_) => Interest::All,
        });
        Consumer {
            config,
            net,
            subscription,
            group: Group::default(),
            positions,
            calls: SortedMap::new(),
            ready: VecDeque::new(),
            events: VecDeque::new(),
            seen_metadata: 0,
            not_before: Time(0),
            failures: 0,
            next_commit: None,
            commit_wanted: false,
            closing: false,
        }
    }

    /// What the consumer is set to.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Connections and metadata, to look at.
    #[must_use]
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The partitions being read, with position and committed offset.
    pub fn positions(&self) -> impl Iterator<Item = (&Arc<str>, PartitionIndex, &Position)> {
        let view = |(key, position)| {
            let (topic, partition): &Key = key;
            (topic, PartitionIndex(*partition), position)
        };
        self.positions.iter().map(view)
    }

    /// The member id the group's coordinator gave; empty before.
    #[must_use]
    pub fn member_id(&self) -> &str {
        &self.group.member_id
    }

    /// The generation of the group; -1 while not a member.
    #[must_use]
    pub fn generation(&self) -> i32 {
        self.group.generation
    }

    /// Whether it is an assigned member of its group (always, without a group).
    #[must_use]
    pub fn is_stable(&self) -> bool {
        !self.is_member() || self.group.is_stable()
    }

    /// The next event.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Continues a partition that is assigned at another offset.
    pub fn seek(&mut self, topic: &str, partition: PartitionIndex, begin: Begin) {
        let found = self.positions.iter_mut();
        let mut found =
            found.filter(|((name, index), _)| **name == *topic && *index == partition.0);
        if let Some((key, position)) = found.next() {
            self.ready.retain(|ready| ready != key);
            let committed = position.committed;
            *position = Position::new(begin);
            position.committed = committed;
        }
    }

    /// Forgets what was fetched and not handed out, and reads on from there, as after a seek.
    pub fn forget_unread(&mut self) {
        for key in core::mem::take(&mut self.ready) {
            if let Some(position) = self.positions.get_mut(&key)
                && let Some(at) = position.position
            {
                position.found(at);
            }
        }
    }

    /// Stores, soon, the offsets of everything handed out so far; an event tells the outcome.
    pub fn commit(&mut self) {
        for position in self.positions.values_mut() {
            position.take_as_processed();
        }
        self.commit_wanted = true;
    }

    /// Stops cleanly: stores offsets if commits are automatic, leaves the group. See [`Consumer::is_closed`].
    pub fn close(&mut self) {
        if !self.closing {
            self.closing = true;
            if self.config.auto_commit && self.config.group.is_some() {
                self.commit();
            }
        }
    }

    /// Whether everything that [`Consumer::close`] began has been done.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closing && !self.commit_wanted && self.group.has_left() && !self.is_busy_closing()
    }

    /// Takes in what happened, then does what is due.
    pub fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        self.net.step(now, input, out);
        while let Some(event) = self.net.take_event() {
            match event {
                net::Event::Reply {
                    correlation,
                    version,
                    frame,
                } => {
                    if let Some(call) = self.calls.remove(&correlation) {
                        self.on_reply(now, call, version, frame, out);
                    }
                }
                net::Event::Lost { correlation, .. } => {
                    if let Some(call) = self.calls.remove(&correlation) {
                        self.on_lost(now, call);
                    }
                }
                net::Event::Metadata => {}
            }
        }
        if self.net.metadata().updates != self.seen_metadata {
            self.seen_metadata = self.net.metadata().updates;
            self.on_metadata();
        }
        self.pump_group(now, out);
        self.pump_offsets(now, out);
        self.pump_fetches(now, out);
    }

    /// When [`Consumer::step`] wants to be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let network = self.net.next_deadline();
        let group = self.group_deadline();
        let commit = self
            .next_commit
            .filter(|_| self.config.auto_commit && self.group.is_stable());
        let nodes = self.positions.keys().filter_map(|(topic, partition)| {
            let leader = self.net.metadata().partition(topic, *partition)?.leader?;
            self.net.retry_at(net::Node::Broker(leader))
        });
        let waiting = (self.failures > 0).then_some(self.not_before);
        let own = [network, group, commit, waiting];
        self.net.ahead(own.into_iter().flatten().chain(nodes))
    }

    /// Closes every connection, as a crash would.
    pub fn disconnect(&mut self, out: &mut Vec<Output>) {
        self.net.close(out);
        self.calls.clear();
    }

    fn on_reply(
        &mut self,
        now: Time,
        call: Call,
        version: i16,
        frame: Bytes,
        out: &mut Vec<Output>,
    ) {
        match call {
            Call::FindCoordinator => self.on_coordinator(now, version, frame),
            Call::Join => self.on_joined(now, version, frame, out),
            Call::Sync => self.on_synced(now, version, frame, out),
            Call::Heartbeat => self.on_heartbeat(now, version, frame, out),
            Call::Leave => self.group.left(),
            Call::Committed(keys) => self.on_committed_offsets(now, keys, version, frame, out),
            Call::Commit(offsets) => self.on_commit(now, &offsets, version, frame, out),
            Call::ListOffsets(keys) => self.on_offsets(now, keys, version, frame),
            Call::Fetch(_, asked) => self.on_fetched(now, &asked, version, frame),
        }
    }

    fn on_lost(&mut self, now: Time, call: Call) {
        match call {
            Call::FindCoordinator | Call::Join | Call::Sync | Call::Heartbeat => {
                self.lose_coordinator(now);
            }
            Call::Leave => self.group.left(),
            Call::Committed(keys) => {
                self.ask_again(&keys);
                self.lose_coordinator(now);
            }
            Call::Commit(_) => {
                self.commit_wanted = true;
                self.lose_coordinator(now);
            }
            Call::ListOffsets(keys) => {
                self.ask_again(&keys);
                self.back_off(now);
            }
            Call::Fetch(..) => {
                self.net.refresh_metadata();
                self.back_off(now);
            }
        }
    }

    /// Waits before the next attempt, longer with every failure in a row.
    fn back_off(&mut self, now: Time) {
        self.failures = self.failures.saturating_add(1);
        let wait = self.net.backoff(self.failures);
        self.not_before = now.plus_millis(wait);
    }

    /// The question for these positions came to nothing.
    fn ask_again(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(position) = self.positions.get_mut(key) {
                position.place = match position.place {
                    Place::AskingCommitted => Place::NeedsCommitted,
                    Place::AskingReset(reset) => Place::NeedsReset(reset),
                    other => other,
                };
            }
        }
    }

    fn error(&mut self, code: ErrorCode, message: String) {
        self.events.push_back(Event::Error { code, message });
    }

    /// Whether a group decides about the partitions.
    fn is_member(&self) -> bool {
        !matches!(self.subscription, Subscription::Assign(_))
    }
}
