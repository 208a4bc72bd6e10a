//! The broker itself: one way in, one way out.

use crate::api;
use crate::api::fetch::Sessions;
use crate::connection::{Connection, Connections};
use crate::coordinator::Coordinator;
use crate::event::{
    ClientEffect, ClientEvent, Closing, ControllerEvent, Effect, Event, Note, Reply, ReplySlice,
};
use crate::fetcher::{FetchLimits, Fetchers, Room};
use crate::forward::Forwards;
use crate::isr::IsrAsks;
use crate::parked::Parked;
use crate::producer_ids::ProducerIds;
use crate::register::Registration;
use crate::replicas::Replicas;
use crate::topics::Topics;
use crate::waiting::{Caller, WaitId, Waiting};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ConnId, NodeId, Rng, Time, Token, TopicIdPartition, Uuid};
use log::{DiskEvent, Log, LogId, LogSlice};
use metadata::{Catalog, Change, ConfigView, Image, Snapshot};
use records::BatchView;
use sorted::SortedMap;
use wire::{Message, RequestFrame};

/// What a broker is told once, at its start.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// `node.id`.
    pub node: NodeId,
    /// The cluster's id, as `Metadata` shows it.
    pub cluster_id: Arc<str>,
    /// Where clients reach the broker (`advertised.listeners`).
    pub host: Arc<str>,
    /// Port of `host`.
    pub port: u16,
    /// New with every start of the process.
    pub incarnation: Uuid,
    /// The id of its log directory (KIP-858).
    pub directory: Uuid,
    /// The epoch it had when it last stopped in order, if it did: what it has of its partitions is whole then.
    pub previous_epoch: Option<i64>,
    /// What `server.properties` says.
    pub properties: SortedMap<String, String>,
    /// Where all the broker's chance comes from.
    pub seed: u64,
    /// What the shell knows of configs for telling; it may be empty.
    pub catalog: Catalog,
}

/// Room where the logs are, as the shell sees it, in bytes; -1 where it is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Volume {
    /// All of it.
    pub total: i64,
    /// What is left to write to.
    pub usable: i64,
}

impl Volume {
    /// Nobody has said.
    pub const UNKNOWN: Volume = Volume {
        total: -1,
        usable: -1,
    };
}

/// A log found at the start.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// Whose it is.
    pub name: TopicIdPartition,
    /// The log as recovery left it.
    pub log: Log,
}

/// A broker. `Clone` is a snapshot: it shares all log bytes that no longer change.
#[derive(Clone, Debug)]
pub struct Broker {
    pub(crate) config: Arc<BrokerConfig>,
    pub(crate) image: Image,
    pub(crate) connections: Connections,
    pub(crate) waiting: Waiting<Parked>,
    pub(crate) replicas: Replicas,
    pub(crate) sessions: Sessions,
    pub(crate) coordinator: Coordinator,
    pub(crate) forwards: Forwards,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) registration: Registration,
    pub(crate) isr_asks: IsrAsks,
    fetchers: Fetchers,
    pub(crate) volume: Volume,
    pub(crate) limits: Limits,
    /// Whether it has been told to start.
    pub(crate) begun: bool,
    /// Whether the shell sends bytes from the logs' files, so that they need not be in memory.
    pub(crate) sends_files: bool,
    /// Connections that may have a frame to handle.
    ready: VecDeque<ConnId>,
    tokens: u64,
    /// Microseconds by which the wall's clock is ahead of the time of events.
    wall_ahead: i64,
}

/// Configs that requests are held to and that never change while the process runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `fetch.max.bytes`.
    pub(crate) fetch_bytes: i32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub(crate) sessions: usize,
    /// `replica.lag.time.max.ms`.
    pub(crate) lag_ms: u64,
    /// `offset.metadata.max.bytes`.
    pub(crate) offset_metadata: usize,
    /// Whether `replica.selector.class` is Kafka's class that knows racks.
    pub(crate) chooses_by_rack: bool,
}

/// The one class for `replica.selector.class` that Kafka has beside its default.
const RACK_AWARE: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

impl Limits {
    fn of(configs: &ConfigView<'_>) -> Limits {
        let number = |name| configs.broker_number(name);
        let size = |name| usize::try_from(number(name)).unwrap_or(0);
        Limits {
            fetch_bytes: i32::try_from(number("fetch.max.bytes")).unwrap_or(i32::MAX),
            sessions: size("max.incremental.fetch.session.cache.slots"),
            lag_ms: u64::try_from(number("replica.lag.time.max.ms"))
                .unwrap_or(0)
                .max(1),
            offset_metadata: size("offset.metadata.max.bytes"),
            chooses_by_rack: (configs.properties)
                .get("replica.selector.class")
                .is_some_and(|class| class == RACK_AWARE),
        }
    }
}

/// What became of a request.
pub(crate) enum Handled {
    /// It is answered.
    Reply(Reply),
    /// It wants no answer.
    Silent,
    /// It is parked under this id.
    Parked(WaitId),
    /// The connection must be closed.
    Close(Closing),
}

/// What a handler works with: the moment, the caller, and where effects go.
pub(crate) struct Cx<'a> {
    pub(crate) now: Time,
    pub(crate) caller: Caller,
    pub(crate) client_id: Option<wire::Str>,
    pub(crate) out: &'a mut Vec<Effect>,
}

impl Cx<'_> {
    /// Answers with a message that holds no log slices.
    pub(crate) fn reply<M: Message>(&self, message: &M) -> Handled {
        Handled::Reply(encode(&self.caller, message, &[]))
    }
}

/// Encodes an answer; record slices in it are named by their place in `slices`.
pub(crate) fn encode<M: Message>(
    caller: &Caller,
    message: &M,
    slices: &[(LogId, LogSlice)],
) -> Reply {
    match wire::encode_response(
        caller.correlation_id,
        caller.api_key,
        caller.version,
        message,
    ) {
        Ok(encoded) => {
            let place = |point: &wire::SlicePoint| {
                let (log, slice) = *slices.get(usize::try_from(point.id).ok()?)?;
                Some(ReplySlice {
                    at: point.at,
                    log,
                    slice,
                })
            };
            Reply {
                bytes: encoded.bytes,
                slices: encoded.slices.iter().filter_map(place).collect(),
            }
        }
        // Handlers only fill in what the version holds; anything else is a defect of ours.
        Err(why) => panic!("an answer does not fit its version: {why:?} ({caller:?})"),
    }
}

impl Broker {
    /// A broker that has not begun yet: it does nothing before [`Event::Start`].
    #[must_use]
    pub fn new(config: BrokerConfig, recovered: Vec<Recovered>) -> Broker {
        let mut rng = Rng::new(config.seed);
        let image = Image::default();
        let configs = ConfigView {
            image: &image,
            properties: &config.properties,
            node: Some(config.node),
        };
        let limits = Limits::of(&configs);
        let fetching = FetchLimits::of(&configs);
        let times = (limits.lag_ms, fetching.backoff_ms());
        let unclaimed = recovered.into_iter().map(|found| (found.name, found.log));
        Broker {
            coordinator: Coordinator::new(rng.fork()),
            sessions: Sessions::new(rng.fork()),
            replicas: Replicas::new(config.node, times, unclaimed.collect()),
            config: Arc::new(config),
            image,
            limits,
            connections: Connections::default(),
            waiting: Waiting::default(),
            forwards: Forwards::new(),
            producer_ids: ProducerIds::default(),
            registration: Registration::default(),
            isr_asks: IsrAsks::default(),
            fetchers: Fetchers::new(fetching),
            ready: VecDeque::new(),
            volume: Volume::UNKNOWN,
            sends_files: false,
            begun: false,
            tokens: 0,
            wall_ahead: 0,
        }
    }

    /// Tells the broker one fact; its orders are appended to `out`.
    pub fn step(&mut self, now: Time, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Start => self.begin(now, out),
            Event::Client(event) => self.hear_client(now, event, out),
            Event::Disk(event) => self.hear_disk(now, event, out),
            Event::Controller(event) => self.hear_controller(now, event, out),
            Event::Called { token, answer } => {
                let (fetchers, mut room) = self.fetching(now, out);
                fetchers.called(&mut room, token, answer);
                self.hand_out(now, out);
            }
            Event::Tick => {}
        }
        self.run_ready(now, out);
        self.expire(now, out);
        if self.replicas.follow_any() {
            let (fetchers, mut room) = self.fetching(now, out);
            fetchers.run(&mut room);
        }
    }

    /// The fetching, and the rooms in which it goes on.
    fn fetching<'a>(
        &'a mut self,
        now: Time,
        out: &'a mut Vec<Effect>,
    ) -> (&'a mut Fetchers, Room<'a>) {
        let room = Room {
            now,
            wall: self.wall(now),
            node: self.config.node,
            broker_epoch: self.registration.epoch(),
            replicas: &mut self.replicas,
            tokens: &mut self.tokens,
            out,
        };
        (&mut self.fetchers, room)
    }

    fn hear_client(&mut self, now: Time, event: ClientEvent, out: &mut Vec<Effect>) {
        match event {
            ClientEvent::Connected { conn, host } => self.connections.open(conn, host),
            ClientEvent::Disconnected { conn } => self.disconnected(now, conn, out),
            ClientEvent::Request { conn, frame } => self.queue(conn, frame, out),
        }
    }

    fn hear_disk(&mut self, now: Time, event: DiskEvent, out: &mut Vec<Effect>) {
        match event {
            DiskEvent::Stored { log, token } => self.replicas.stored(now, log, token),
            DiskEvent::StoreFailed { log, token } => {
                self.replicas.store_failed(now, log, token, out);
            }
            DiskEvent::Loaded { log, token, bytes } => {
                self.replicas.loaded(now, log, (token, bytes), out);
            }
        }
        self.hand_out(now, out);
    }

    fn hear_controller(&mut self, now: Time, event: ControllerEvent, out: &mut Vec<Effect>) {
        match event {
            ControllerEvent::Answered { token, frame } => self.answered(now, token, frame, out),
            ControllerEvent::Refused { token, code } => self.refused(now, token, code, out),
            ControllerEvent::Metadata { batch } => self.apply_metadata(now, &batch, out),
            ControllerEvent::Snapshot { snapshot } => self.apply_snapshot(now, &snapshot, out),
        }
        self.hand_out(now, out);
    }

    /// Applies a batch of the metadata log. What comes before the start is history: only what it
    /// adds up to is followed.
    fn apply_metadata(&mut self, now: Time, batch: &Bytes, out: &mut Vec<Effect>) {
        for (offset, record) in metadata::records_of(batch) {
            let Ok(record) = record else {
                out.push(Effect::Note(Note::BadMetadata));
                continue;
            };
            let change = self.image.apply(offset, &record);
            let Some(change) = change.filter(|_| self.begun) else {
                continue;
            };
            self.topics(now, out).follow(&change);
            self.hand_out(now, out);
            if let Change::TopicRemoved { topic, .. } = change {
                self.coordinator_topic_removed(now, &topic, out);
            }
        }
        if let Ok(header) = BatchView::peek(batch) {
            self.image.advance(header.next_offset());
        }
        self.metadata_applied(now, out);
    }

    /// A snapshot takes the place of all metadata: what is gone from it is gone.
    fn apply_snapshot(&mut self, now: Time, snapshot: &Snapshot, out: &mut Vec<Effect>) {
        let before = core::mem::take(&mut self.image);
        let is_whole = self.image.load(snapshot);
        if !is_whole {
            out.push(Effect::Note(Note::BadMetadata));
        }
        if self.begun {
            for old in before.topics() {
                // Where something could not be read, what is not there is not known to be gone.
                if is_whole && self.image.topic_by_id(old.id).is_none() {
                    let change = Change::TopicRemoved {
                        topic: old.name.clone(),
                        id: old.id,
                    };
                    self.topics(now, out).follow(&change);
                    self.hand_out(now, out);
                    self.coordinator_topic_removed(now, &old.name, out);
                }
            }
            for node in before.brokers().keys() {
                self.topics(now, out).follow(&Change::Broker(*node));
            }
            self.topics(now, out).follow_all();
            self.hand_out(now, out);
        }
        self.metadata_applied(now, out);
    }

    /// The rooms in which the metadata is followed.
    fn topics<'a>(&'a mut self, now: Time, out: &'a mut Vec<Effect>) -> Topics<'a> {
        Topics {
            now,
            wall: self.wall(now),
            node: self.config.node,
            incarnation: self.config.incarnation,
            configs: ConfigView {
                image: &self.image,
                properties: &self.config.properties,
                node: Some(self.config.node),
            },
            replicas: &mut self.replicas,
            out,
        }
    }

    /// From now on slices of replies may name bytes that are not in memory: the shell sends them from
    /// the logs' files.
    pub fn send_from_files(&mut self) {
        self.sends_files = true;
    }

    /// Takes up the replicas that the metadata gives it, and registers.
    fn begin(&mut self, now: Time, out: &mut Vec<Effect>) {
        self.begun = true;
        self.topics(now, out).follow_all();
        self.hand_out(now, out);
        self.begin_registration(now, out);
    }

    /// The next moment at which [`Event::Tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        [
            self.waiting.next_deadline(),
            self.coordinator.next_deadline(),
            self.registration.next_deadline(),
            self.replicas.next_deadline(),
            self.isr_asks.next_deadline(),
            self.fetchers.next_deadline(),
            self.producer_ids.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Frames of a connection that wait behind the one being handled. A shell stops
    /// reading from a connection while this is not 0.
    #[must_use]
    pub fn queued(&self, conn: ConnId) -> usize {
        self.connections.queued(conn)
    }

    /// Logs found at the start that no partition of the metadata has claimed yet.
    pub fn unclaimed(&self) -> impl Iterator<Item = (&TopicIdPartition, &Log)> {
        self.replicas.unclaimed()
    }

    /// The metadata as this broker knows it.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// What a clock on the wall shows at `now`. Deadlines are kept by `now` alone, which no setting
    /// of a clock moves; records and their age are of the wall's time.
    pub(crate) fn wall(&self, now: Time) -> Time {
        now.shifted(self.wall_ahead)
    }

    /// Tells by how many microseconds the clock on the wall is ahead of the time of events.
    pub fn set_wall_ahead(&mut self, micros: i64) {
        self.wall_ahead = micros;
    }

    /// What the broker was told at its start.
    #[must_use]
    pub fn config(&self) -> &BrokerConfig {
        &self.config
    }

    /// Says how much room there is for logs; a shell that knows does so whenever it likes.
    pub fn set_volume(&mut self, volume: Volume) {
        self.volume = volume;
    }

    /// Configs as they are in force here.
    pub(crate) fn configs(&self) -> ConfigView<'_> {
        ConfigView {
            image: &self.image,
            properties: &self.config.properties,
            node: Some(self.config.node),
        }
    }

    pub(crate) fn next_token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    pub(crate) fn connection(&self, conn: ConnId) -> Option<&Connection> {
        self.connections.get(conn)
    }

    /// Answers a parked request and lets its connection go on.
    pub(crate) fn finish(&mut self, caller: &Caller, reply: Reply, out: &mut Vec<Effect>) {
        self.connections.answer(caller, reply, out);
        self.release(caller.conn);
    }

    /// Answers a parked request with a message that holds no log slices.
    pub(crate) fn finish_with<M: Message>(
        &mut self,
        caller: &Caller,
        message: &M,
        out: &mut Vec<Effect>,
    ) {
        self.finish(caller, encode(caller, message, &[]), out);
    }

    fn release(&mut self, conn: ConnId) {
        if self.connections.is_ready(conn) {
            self.ready.push_back(conn);
        }
    }

    fn queue(&mut self, conn: ConnId, frame: Bytes, out: &mut Vec<Effect>) {
        if self.connections.push(conn, frame) {
            self.ready.push_back(conn);
        } else {
            out.push(Effect::Client(ClientEffect::Close {
                conn,
                why: Closing::TooManyRequests,
            }));
        }
    }

    fn disconnected(&mut self, now: Time, conn: ConnId, out: &mut Vec<Effect>) {
        for id in self.connections.close(conn) {
            self.abandon(now, id, out);
        }
    }

    /// Handles frames until every connection is busy or has none left.
    pub(crate) fn run_ready(&mut self, now: Time, out: &mut Vec<Effect>) {
        loop {
            while let Some(conn) = self.ready.pop_front() {
                self.serve(now, conn, out);
            }
            self.hand_out(now, out);
            if self.ready.is_empty() {
                return;
            }
        }
    }

    /// Handles a connection's frames. Not inlined: most steps end with nobody to serve.
    #[inline(never)]
    fn serve(&mut self, now: Time, conn: ConnId, out: &mut Vec<Effect>) {
        while let Some((request, frame)) = self.connections.next_frame(conn) {
            self.request(now, (conn, request), frame, out);
        }
    }

    /// Handles one frame.
    fn request(
        &mut self,
        now: Time,
        (conn, request): (ConnId, u64),
        frame: Bytes,
        out: &mut Vec<Effect>,
    ) {
        let Ok(decoded) = RequestFrame::decode(frame) else {
            return self.connections.end(conn, request, Closing::Malformed, out);
        };
        let caller = Caller {
            conn,
            request,
            correlation_id: decoded.header.correlation_id,
            api_key: decoded.header.api_key,
            version: decoded.header.api_version,
        };
        let mut cx = Cx {
            now,
            caller,
            client_id: decoded.header.client_id,
            out,
        };
        match api::dispatch(self, &mut cx, decoded.body) {
            Handled::Reply(reply) => self.connections.answer(&caller, reply, out),
            Handled::Silent => self.connections.silence(conn, request, out),
            // A handler may have completed what it just parked.
            Handled::Parked(id) if self.waiting.get(id).is_none() => {}
            Handled::Parked(id) => self.connections.park(&caller, id),
            Handled::Close(why) => self.connections.end(conn, request, why, out),
        }
    }
}
