//! Following: this broker fetches from the leaders of the partitions that it does not lead.
//!
//! One fetch at a time goes to each leader, for all partitions that follow it; the next one goes out when
//! what the last one brought is stored, for its offsets say what this replica has.

use crate::broker::Broker;
use crate::event::{Effect, Lost};
use crate::replicas::{Brought, Next, Wish};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, Time, Token, Uuid};
use sorted::SortedMap;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ReplicaState};
use wire::fetch_response::{FetchResponse, PartitionData};
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::list_offsets_response::ListOffsetsResponse;
use wire::{Message, RequestHeader, Str};

/// Version of a follower's fetches: the last that names its broker epoch and no more.
const FETCH_VERSION: i16 = 17;
/// Version in which it asks where a leader's log begins and ends.
const OFFSETS_VERSION: i16 = 9;
/// ListOffsets' timestamps for both ends.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// What is under way, by leader.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fetchers {
    by_leader: SortedMap<NodeId, Fetcher>,
    /// Questions about the ends of a leader's log, by token.
    outside: SortedMap<Token, Outside>,
}

#[derive(Clone, Debug, Default)]
struct Fetcher {
    /// The fetch under way, when it is given up, and what it wants.
    asked: Option<(Token, Time)>,
    wishes: Vec<Wish>,
    /// Nothing is to be done before: the leader could not be reached, or all partitions rest.
    rests: Option<Time>,
}

/// A follower that asks where its leader's log ends, then where it begins.
#[derive(Clone, Copy, Debug)]
struct Outside {
    leader: NodeId,
    wish: Wish,
    /// Where it ends, once that is known.
    end: Option<Offset>,
}

impl Fetchers {
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let due = |fetcher: &Fetcher| fetcher.asked.map(|(_, until)| until).or(fetcher.rests);
        self.by_leader.values().filter_map(due).min()
    }
}

impl Broker {
    /// Sends a fetch to each leader that is not busy with one.
    pub(crate) fn run_fetchers(&mut self, now: Time, out: &mut Vec<Effect>) {
        if !self.replicas.follows_any() && self.fetchers.by_leader.is_empty() {
            return;
        }
        self.expire_fetches(now);
        let leaders: Vec<NodeId> = self.replicas.leaders().collect();
        (self.fetchers.by_leader).retain(|leader, _| leaders.binary_search(leader).is_ok());
        for leader in leaders {
            let fetcher = self.fetchers.by_leader.entry(leader).or_default();
            if fetcher.asked.is_some() || fetcher.rests.is_some_and(|until| until > now) {
                continue;
            }
            let (wishes, rests) = self.replicas.wishes(now, leader);
            fetcher.rests = rests;
            if wishes.is_empty() {
                continue;
            }
            let request = self.fetch_request(&wishes);
            let token = self.call(leader, &request, FETCH_VERSION, out);
            let until = now.plus_millis(self.number("replica.socket.timeout.ms"));
            if let Some(fetcher) = self.fetchers.by_leader.get_mut(&leader) {
                (fetcher.asked, fetcher.wishes) = (Some((token, until)), wishes);
            }
        }
    }

    fn fetch_request(&self, wishes: &[Wish]) -> FetchRequest {
        let max_bytes = self.size("replica.fetch.max.bytes");
        let mut topics: SortedMap<Uuid, Vec<FetchPartition>> = SortedMap::new();
        for wish in wishes {
            topics.entry(wish.topic).or_default().push(FetchPartition {
                partition: wish.partition.0,
                current_leader_epoch: wish.epoch.0,
                fetch_offset: wish.end.0,
                last_fetched_epoch: wish.last_epoch.0,
                log_start_offset: wish.start.0,
                partition_max_bytes: max_bytes,
                ..FetchPartition::default()
            });
        }
        let topics = topics.into_iter().map(|(topic_id, partitions)| FetchTopic {
            topic_id,
            partitions,
            ..FetchTopic::default()
        });
        FetchRequest {
            replica_state: ReplicaState {
                replica_id: self.config.node.0,
                replica_epoch: self.registration.epoch(),
                ..ReplicaState::default()
            },
            max_wait_ms: self.size("replica.fetch.wait.max.ms"),
            min_bytes: self.size("replica.fetch.min.bytes"),
            max_bytes: self.size("replica.fetch.response.max.bytes"),
            session_epoch: -1,
            topics: topics.collect(),
            ..FetchRequest::default()
        }
    }

    /// Another broker has answered a call, or could not be reached.
    pub(crate) fn called(
        &mut self,
        now: Time,
        token: Token,
        answer: Result<Bytes, Lost>,
        out: &mut Vec<Effect>,
    ) {
        if let Some(asked) = self.fetchers.outside.remove(&token) {
            return self.outside_answered(now, asked, answer, out);
        }
        let mut fetchers = self.fetchers.by_leader.iter_mut();
        let is_it = |fetcher: &Fetcher| fetcher.asked.is_some_and(|(asked, _)| asked == token);
        let Some((&leader, fetcher)) = fetchers.find(|(_, fetcher)| is_it(fetcher)) else {
            return;
        };
        fetcher.asked = None;
        let wishes = core::mem::take(&mut fetcher.wishes);
        let read = |frame| wire::decode_response::<FetchResponse>(frame, FETCH_VERSION).ok();
        let answer = answer.ok().and_then(read).map(|(_, answer)| answer);
        match answer.filter(|answer| answer.error_code == 0) {
            Some(answer) => self.fetched(now, leader, &wishes, answer, out),
            None => self.rest(now, leader),
        }
    }

    /// Lets a leader alone for a while.
    fn rest(&mut self, now: Time, leader: NodeId) {
        let until = self.backoff(now);
        if let Some(fetcher) = self.fetchers.by_leader.get_mut(&leader) {
            fetcher.rests = Some(until);
        }
    }

    fn backoff(&self, now: Time) -> Time {
        now.plus_millis(self.number("replica.fetch.backoff.ms").max(1))
    }

    fn fetched(
        &mut self,
        now: Time,
        leader: NodeId,
        wishes: &[Wish],
        answer: FetchResponse,
        out: &mut Vec<Effect>,
    ) {
        let mut rows: SortedMap<(Uuid, i32), PartitionData> = SortedMap::new();
        for topic in answer.responses {
            for row in topic.partitions {
                rows.insert((topic.topic_id, row.partition_index), row);
            }
        }
        let times = (now, self.wall(now));
        let until = self.backoff(now);
        for wish in wishes {
            // What is not answered is asked for again.
            let Some(row) = rows.remove(&(wish.topic, wish.partition.0)) else {
                continue;
            };
            let next = self.replicas.bring(times, wish, &brought(&row), out);
            self.replicas.go_on(wish, next, until);
            if next == Next::IsOutside {
                let wish = *wish;
                let asked = Outside {
                    leader,
                    wish,
                    end: None,
                };
                self.ask_outside(asked, out);
            }
        }
    }

    /// Asks for the next of both ends that is not known.
    fn ask_outside(&mut self, asked: Outside, out: &mut Vec<Effect>) {
        let Some(replica) = self.replicas.get(asked.wish.id) else {
            return;
        };
        let partition = ListOffsetsPartition {
            partition_index: asked.wish.partition.0,
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
            replica_id: self.config.node.0,
            topics: Vec::from([topic]),
            ..ListOffsetsRequest::default()
        };
        let token = self.call(asked.leader, &request, OFFSETS_VERSION, out);
        self.fetchers.outside.insert(token, asked);
    }

    fn outside_answered(
        &mut self,
        now: Time,
        asked: Outside,
        answer: Result<Bytes, Lost>,
        out: &mut Vec<Effect>,
    ) {
        let read = |frame| wire::decode_response::<ListOffsetsResponse>(frame, OFFSETS_VERSION);
        let answer = answer.ok().and_then(|frame| read(frame).ok());
        let row = answer.and_then(|(_, answer)| {
            let mut rows = answer.topics.into_iter().flat_map(|topic| topic.partitions);
            rows.next().filter(|row| row.error_code == 0)
        });
        // Without an answer the follower fetches again after its rest, and is told the same.
        let Some(found) = row.map(|row| Offset(row.offset)) else {
            return;
        };
        match asked.end {
            None => {
                let end = Some(found);
                self.ask_outside(Outside { end, ..asked }, out);
            }
            Some(end) => self.replicas.reset(now, &asked.wish, (found, end), out),
        }
    }

    fn expire_fetches(&mut self, now: Time) {
        let late = |fetcher: &Fetcher| fetcher.asked.is_some_and(|(_, until)| until <= now);
        let fetchers = self.fetchers.by_leader.iter();
        let late: Vec<NodeId> = fetchers
            .filter(|(_, fetcher)| late(fetcher))
            .map(|(leader, _)| *leader)
            .collect();
        for leader in late {
            if let Some(fetcher) = self.fetchers.by_leader.get_mut(&leader) {
                fetcher.asked = None;
            }
            self.rest(now, leader);
        }
    }

    /// Sends a request to another broker.
    fn call<M: Message>(
        &mut self,
        to: NodeId,
        request: &M,
        version: i16,
        out: &mut Vec<Effect>,
    ) -> Token {
        let header = RequestHeader {
            api_key: M::API_KEY,
            api_version: version,
            correlation_id: 0,
            client_id: Some(Str::from_static("broker")),
        };
        let token = self.next_token();
        match wire::encode_request(&header, request) {
            Ok(frame) => out.push(Effect::Call { to, token, frame }),
            Err(why) => panic!("a request to a broker does not fit its version: {why:?}"),
        }
        token
    }

    fn number(&self, name: &str) -> u64 {
        u64::try_from(self.configs().broker_number(name)).unwrap_or(0)
    }

    fn size(&self, name: &str) -> i32 {
        i32::try_from(self.configs().broker_number(name)).unwrap_or(i32::MAX)
    }
}

fn brought(row: &PartitionData) -> Brought {
    let end = &row.diverging_epoch;
    Brought {
        code: ErrorCode(row.error_code),
        diverging: (end.end_offset >= 0).then_some((LeaderEpoch(end.epoch), Offset(end.end_offset))),
        high_watermark: Offset(row.high_watermark),
        log_start: Offset(row.log_start_offset),
        records: row.records.bytes().cloned().unwrap_or_default(),
    }
}
