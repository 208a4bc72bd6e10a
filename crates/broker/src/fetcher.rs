//! Following: this broker fetches from the leaders of the partitions that it does not lead.
//!
//! One fetch at a time goes to each leader, for all partitions that follow it; the next one goes out when what
//! the last one brought is stored, for its offsets say what this replica has. Within a session (KIP-227) a fetch
//! names only what has changed.

use crate::event::{Effect, Lost};
use crate::replicas::{Brought, Place, Replicas, Wish};
use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, Time, Token, Uuid};
use metadata::ConfigView;
use sorted::{SortedMap, SortedSet};
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, ReplicaState};
use wire::fetch_response::{FetchResponse, PartitionData};
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::list_offsets_response::ListOffsetsResponse;
use wire::{Message, RequestHeader, Str};

/// Version of a follower's fetches, Kafka 4.3's.
const FETCH_VERSION: i16 = 18;
/// Version in which it asks where a leader's log begins and ends.
const OFFSETS_VERSION: i16 = 11;
/// ListOffsets' timestamps for both ends.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// How long a leader may take to say where its log begins and ends.
const OFFSETS_TIMEOUT_MS: u64 = 30_000;

/// What `server.properties` says of fetching.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchLimits {
    /// `replica.fetch.wait.max.ms`.
    wait_ms: i32,
    /// `replica.fetch.min.bytes`.
    min_bytes: i32,
    /// `replica.fetch.response.max.bytes`.
    max_bytes: i32,
    /// `replica.fetch.max.bytes`.
    partition_bytes: i32,
    /// `replica.socket.timeout.ms`.
    timeout_ms: u64,
    /// `replica.fetch.backoff.ms`.
    backoff_ms: u64,
}

impl FetchLimits {
    pub(crate) fn of(configs: &ConfigView<'_>) -> FetchLimits {
        let number = |name| configs.broker_number(name);
        let size = |name| i32::try_from(number(name)).unwrap_or(i32::MAX);
        let millis = |name| u64::try_from(number(name)).unwrap_or(0).max(1);
        FetchLimits {
            wait_ms: size("replica.fetch.wait.max.ms"),
            min_bytes: size("replica.fetch.min.bytes"),
            max_bytes: size("replica.fetch.response.max.bytes"),
            partition_bytes: size("replica.fetch.max.bytes"),
            timeout_ms: millis("replica.socket.timeout.ms"),
            backoff_ms: millis("replica.fetch.backoff.ms"),
        }
    }

    /// How long a follower rests after a fetch that failed.
    pub(crate) fn backoff_ms(&self) -> u64 {
        self.backoff_ms
    }
}

/// What fetching takes: the moment, the replicas, and where effects go.
pub(crate) struct Room<'a> {
    pub(crate) now: Time,
    pub(crate) wall: Time,
    pub(crate) node: NodeId,
    /// In which this broker is registered.
    pub(crate) broker_epoch: i64,
    pub(crate) replicas: &'a mut Replicas,
    /// The last token that was given out.
    pub(crate) tokens: &'a mut u64,
    pub(crate) out: &'a mut Vec<Effect>,
}

/// All fetching that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Fetchers {
    limits: FetchLimits,
    by_leader: SortedMap<NodeId, Fetcher>,
    /// Questions about the ends of leaders' logs, by token.
    outside: SortedMap<Token, Outside>,
}

/// The fetching from one leader.
#[derive(Clone, Debug, Default)]
struct Fetcher {
    /// The fetch under way.
    asked: Option<Token>,
    session: Session,
    /// The leader could not be reached: nothing is asked of it before.
    rests: Option<Time>,
}

/// What a leader was told, and what it has yet to be told.
#[derive(Clone, Debug, Default)]
struct Session {
    id: i32,
    /// That of the next fetch; 0 begins a session.
    epoch: i32,
    told: SortedMap<Place, Wish>,
    /// Those of `told` that the next fetch names.
    named: SortedSet<Place>,
    forgotten: SortedSet<Place>,
}

/// A follower that asks where its leader's log ends, then where it begins.
#[derive(Clone, Copy, Debug)]
struct Outside {
    leader: NodeId,
    wish: Wish,
    /// Where it ends, once that is known.
    end: Option<Offset>,
}

impl Session {
    fn change(&mut self, place: Place, wish: Option<Wish>) {
        match wish {
            Some(wish) => {
                self.told.insert(place, wish);
                self.named.insert(place);
                self.forgotten.remove(&place);
            }
            None => {
                self.named.remove(&place);
                if self.told.remove(&place).is_some() {
                    self.forgotten.insert(place);
                }
            }
        }
    }

    /// The next fetch begins a session, in place of this one.
    fn restart(&mut self) {
        self.epoch = 0;
    }

    fn has_begun(&self) -> bool {
        self.epoch != 0
    }

    /// The leader has answered a fetch, and goes on in the session of this id; with 0 in none.
    fn answered(&mut self, id: i32) {
        self.epoch = match self.epoch {
            _ if id == 0 => 0,
            i32::MAX => 1,
            epoch => epoch + 1,
        };
        self.id = id;
    }
}

impl Fetchers {
    pub(crate) fn new(limits: FetchLimits) -> Fetchers {
        Fetchers {
            limits,
            by_leader: SortedMap::new(),
            outside: SortedMap::new(),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.by_leader.values().filter_map(|it| it.rests).min()
    }

    /// Sends a fetch to each leader that is not busy with one.
    pub(crate) fn run(&mut self, room: &mut Room<'_>) {
        room.replicas.end_rests(room.now);
        if self.by_leader.len() > room.replicas.leaders() {
            self.by_leader
                .retain(|leader, _| room.replicas.follow(*leader));
        }
        let mut last = None;
        while let Some(leader) = room.replicas.leader_after(last) {
            last = Some(leader);
            let fetcher = self.by_leader.entry(leader).or_default();
            fetcher.rests = fetcher.rests.filter(|until| *until > room.now);
            if fetcher.asked.is_some() || fetcher.rests.is_some() {
                continue;
            }
            let Some(changes) = room.replicas.wishes(leader) else {
                continue;
            };
            for (place, wish) in changes {
                fetcher.session.change(place, wish);
            }
            if fetcher.session.told.is_empty() {
                continue;
            }
            let request = fetch_request(&self.limits, room, &mut fetcher.session);
            let until = room.now.plus_millis(self.limits.timeout_ms);
            let token = room.call(leader, FETCH_VERSION, &request, until);
            fetcher.asked = Some(token);
        }
    }

    /// Another broker has answered a call, or has not.
    pub(crate) fn called(
        &mut self,
        room: &mut Room<'_>,
        token: Token,
        answer: Result<Bytes, Lost>,
    ) {
        if let Some(asked) = self.outside.remove(&token) {
            return self.outside_answered(room, asked, answer);
        }
        let is_asked = |(_, it): &(&NodeId, &Fetcher)| it.asked == Some(token);
        let Some(leader) = self.by_leader.iter().find(is_asked).map(|(id, _)| *id) else {
            return;
        };
        let Some(fetcher) = self.by_leader.get_mut(&leader) else {
            return;
        };
        fetcher.asked = None;
        let session = &mut fetcher.session;
        let read = |frame| wire::decode_response::<FetchResponse>(frame, FETCH_VERSION).ok();
        let answer = answer.ok().and_then(read).map(|(_, answer)| answer);
        match answer {
            Some(answer) if answer.error_code == 0 => {
                session.answered(answer.session_id);
                self.take(room, leader, answer);
            }
            // The leader does not know the session any more: the next fetch begins one.
            Some(_) if session.has_begun() => session.restart(),
            Some(_) | None => {
                session.restart();
                fetcher.rests = Some(room.now.plus_millis(self.limits.backoff_ms));
            }
        }
    }

    /// Takes what a leader has sent, partition by partition; what is not named has no news.
    fn take(&mut self, room: &mut Room<'_>, leader: NodeId, answer: FetchResponse) {
        let Some(fetcher) = self.by_leader.get(&leader) else {
            return;
        };
        let told = &fetcher.session.told;
        let mut outside = Vec::new();
        for topic in answer.responses {
            for row in topic.partitions {
                let place = (topic.topic_id, PartitionIndex(row.partition_index));
                let Some(wish) = told.get(&place) else {
                    continue;
                };
                let times = (room.now, room.wall);
                if (room.replicas).bring(times, wish, &brought(&row), room.out) {
                    let (wish, end) = (*wish, None);
                    outside.push(Outside { leader, wish, end });
                }
            }
        }
        for asked in outside {
            self.ask_outside(room, asked);
        }
    }

    /// Asks for the next of both ends that is not known.
    fn ask_outside(&mut self, room: &mut Room<'_>, asked: Outside) {
        let Some(replica) = room.replicas.get(asked.wish.id) else {
            return;
        };
        let partition = ListOffsetsPartition {
            partition_index: replica.name.partition.0,
            current_leader_epoch: asked.wish.epoch.0,
            timestamp: asked.end.map_or(LATEST, |_| EARLIEST),
            ..ListOffsetsPartition::default()
        };
        let topic = ListOffsetsTopic {
            name: Str::from(&*replica.name.topic),
            partitions: Vec::from([partition]),
            ..ListOffsetsTopic::default()
        };
        let request = ListOffsetsRequest {
            replica_id: room.node.0,
            topics: Vec::from([topic]),
            ..ListOffsetsRequest::default()
        };
        let until = room.now.plus_millis(OFFSETS_TIMEOUT_MS);
        let token = room.call(asked.leader, OFFSETS_VERSION, &request, until);
        self.outside.insert(token, asked);
    }

    fn outside_answered(
        &mut self,
        room: &mut Room<'_>,
        asked: Outside,
        answer: Result<Bytes, Lost>,
    ) {
        let read = |frame| wire::decode_response::<ListOffsetsResponse>(frame, OFFSETS_VERSION);
        let answer = answer.ok().and_then(|frame| read(frame).ok());
        let row = answer.and_then(|(_, answer)| {
            let mut rows = answer.topics.into_iter().flat_map(|topic| topic.partitions);
            rows.next()
                .filter(|row| row.error_code == 0 && row.offset >= 0)
        });
        let ends = match (row.map(|row| Offset(row.offset)), asked.end) {
            // Where it begins only matters to one that is not beyond its end.
            (Some(end), None) if end >= asked.wish.end => {
                let end = Some(end);
                return self.ask_outside(room, Outside { end, ..asked });
            }
            (Some(end), None) => Some((Offset(0), end)),
            (Some(start), Some(end)) => Some((start, end)),
            (None, _) => None,
        };
        (room.replicas).reset(room.now, &asked.wish, ends, room.out);
    }
}

impl Room<'_> {
    /// Sends a request to another broker.
    fn call<M: Message>(&mut self, to: NodeId, version: i16, request: &M, until: Time) -> Token {
        *self.tokens += 1;
        let token = Token(*self.tokens);
        let header = RequestHeader {
            api_key: M::API_KEY,
            api_version: version,
            correlation_id: i32::try_from(token.0 & 0x7fff_ffff).unwrap_or(0),
            client_id: Some(Str::from(&*format!("broker-{}-fetcher-0", self.node.0))),
        };
        match wire::encode_request(&header, request) {
            Ok(frame) => self.out.push(Effect::Call {
                to,
                token,
                frame,
                until,
            }),
            Err(why) => panic!("a request to a broker does not fit its version: {why:?}"),
        }
        token
    }
}

/// The next fetch of a session, which is told then what it has yet to be told.
fn fetch_request(limits: &FetchLimits, room: &Room<'_>, session: &mut Session) -> FetchRequest {
    let named = core::mem::take(&mut session.named);
    let forgotten = core::mem::take(&mut session.forgotten);
    let mut request = FetchRequest {
        replica_state: ReplicaState {
            replica_id: room.node.0,
            replica_epoch: room.broker_epoch,
            ..ReplicaState::default()
        },
        max_wait_ms: limits.wait_ms,
        min_bytes: limits.min_bytes,
        max_bytes: limits.max_bytes,
        session_id: session.id,
        session_epoch: session.epoch,
        ..FetchRequest::default()
    };
    if session.has_begun() {
        for place in &named {
            if let Some(wish) = session.told.get(place) {
                add(&mut request.topics, limits, place, wish);
            }
        }
        for (topic, partition) in &forgotten {
            forget(&mut request.forgotten_topics_data, *topic, *partition);
        }
    } else {
        for (place, wish) in &session.told {
            add(&mut request.topics, limits, place, wish);
        }
    }
    request
}

/// Names a partition; they come in the order of their topics.
fn add(topics: &mut Vec<FetchTopic>, limits: &FetchLimits, place: &Place, wish: &Wish) {
    let (topic_id, partition) = *place;
    let partition = FetchPartition {
        partition: partition.0,
        current_leader_epoch: wish.epoch.0,
        fetch_offset: wish.end.0,
        last_fetched_epoch: wish.last_epoch.0,
        log_start_offset: wish.start.0,
        partition_max_bytes: limits.partition_bytes,
        ..FetchPartition::default()
    };
    match topics.last_mut() {
        Some(last) if last.topic_id == topic_id => last.partitions.push(partition),
        _ => topics.push(FetchTopic {
            topic_id,
            partitions: Vec::from([partition]),
            ..FetchTopic::default()
        }),
    }
}

fn forget(topics: &mut Vec<ForgottenTopic>, topic_id: Uuid, partition: PartitionIndex) {
    match topics.last_mut() {
        Some(last) if last.topic_id == topic_id => last.partitions.push(partition.0),
        _ => topics.push(ForgottenTopic {
            topic_id,
            partitions: Vec::from([partition.0]),
            ..ForgottenTopic::default()
        }),
    }
}

fn brought(row: &PartitionData) -> Brought {
    let end = &row.diverging_epoch;
    Brought {
        code: ErrorCode(row.error_code),
        diverging: (end.end_offset >= 0)
            .then_some((LeaderEpoch(end.epoch), Offset(end.end_offset))),
        high_watermark: Offset(row.high_watermark),
        log_start: Offset(row.log_start_offset),
        records: row.records.bytes().cloned().unwrap_or_default(),
    }
}
