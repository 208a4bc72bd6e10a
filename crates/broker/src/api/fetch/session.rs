//! Fetch sessions (KIP-227): a client names its partitions once, then only what changed.

use super::Wanted;
use crate::broker::Broker;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{ErrorCode, LeaderEpoch, Mutant, Offset, PartitionIndex, Rng, Time, Uuid, is_planted};
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::fetch_request::FetchRequest;
use wire::fetch_response::{FetchableTopicResponse, PartitionData};

/// `session_epoch` of a fetch outside any session.
const FINAL_EPOCH: i32 = -1;
/// `session_epoch` of a fetch that wants a new session.
const INITIAL_EPOCH: i32 = 0;

/// Partitions that one session may have: as many as a cluster.
const SESSION_PARTITIONS_MAX: usize = 20_000;
/// Partitions that all sessions together may have.
const PARTITIONS_MAX: usize = 250_000;

/// How long a session is kept at least once it is there, and once it was used (Kafka's two minutes).
const EVICTION_MICROS: u64 = 120 * 1_000_000;

/// The session a fetch belongs to; 0 is none.
pub(crate) type SessionId = i32;

/// What a partition's last answer said, so that only news is told.
#[derive(Clone, Debug)]
struct Entry {
    wanted: Wanted,
    high_watermark: i64,
    log_start_offset: i64,
    /// The answer that is being made has records of it.
    served: bool,
}

#[derive(Clone, Debug)]
struct Session {
    next_epoch: i32,
    created: Time,
    used: Time,
    /// In the order in which they are looked at: as they were named, but what has been served last comes last.
    entries: Vec<Entry>,
    /// A full fetch answers for every partition.
    full: bool,
}

/// All sessions of a broker.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    open: SortedMap<SessionId, Session>,
    /// Partitions of all sessions.
    partitions: usize,
    rng: Rng,
}

/// A request with its session's partitions filled in.
pub(crate) struct Resolved {
    pub(crate) wanted: Arc<[Wanted]>,
    pub(crate) session: SessionId,
}

impl Sessions {
    pub(crate) fn new(rng: Rng) -> Sessions {
        Sessions {
            open: SortedMap::new(),
            partitions: 0,
            rng,
        }
    }

    /// Finds what a fetch asks for; `slots` is how many sessions there may be.
    ///
    /// # Errors
    /// 70 for an unknown session, or one that has become too large; 71 for a wrong epoch.
    pub(crate) fn resolve(
        &mut self,
        now: Time,
        request: FetchRequest,
        slots: usize,
    ) -> Result<Resolved, ErrorCode> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        if epoch == FINAL_EPOCH || epoch == INITIAL_EPOCH {
            self.close(id);
            let wanted = distinct(wanted(&request));
            let session = if epoch == INITIAL_EPOCH {
                self.begin(now, &wanted, slots)
            } else {
                0
            };
            return Ok(Resolved {
                wanted: wanted.into(),
                session,
            });
        }
        let session = self
            .open
            .get_mut(&id)
            .ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.next_epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        session.next_epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        session.used = now;
        session.full = false;
        let before = session.entries.len();
        session.update(&request);
        let count = session.entries.len();
        self.partitions = self.partitions + count - before;
        if count > before && (count > SESSION_PARTITIONS_MAX || self.partitions > PARTITIONS_MAX) {
            // The client goes on with full fetches.
            self.close(id);
            return Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        }
        let entries = self.open.get(&id).into_iter();
        let entries = entries.flat_map(|session| &session.entries);
        let wanted: Vec<Wanted> = entries.map(|entry| entry.wanted.clone()).collect();
        Ok(Resolved {
            wanted: wanted.into(),
            session: id,
        })
    }

    fn close(&mut self, id: SessionId) {
        if let Some(session) = self.open.remove(&id) {
            self.partitions -= session.entries.len();
        }
    }

    /// Opens a session if there is room; else the fetch has none, and neither has the next.
    fn begin(&mut self, now: Time, wanted: &[Wanted], slots: usize) -> SessionId {
        let size = wanted.len();
        if slots == 0 || size > SESSION_PARTITIONS_MAX {
            return 0;
        }
        let is_full = self.open.len() >= slots || self.partitions + size > PARTITIONS_MAX;
        if is_full && !is_planted(Mutant::SessionsUnbounded) {
            let Some(id) = self.evictable(now, size) else {
                return 0;
            };
            self.close(id);
            if self.partitions + size > PARTITIONS_MAX {
                return 0;
            }
        }
        let id = loop {
            let id = (self.rng.next() >> 33) as i32;
            if id != 0 && !self.open.contains_key(&id) {
                break id;
            }
        };
        let mut session = Session {
            next_epoch: 1,
            created: now,
            used: now,
            entries: Vec::with_capacity(size),
            full: true,
        };
        for wanted in wanted {
            session.add(wanted.clone());
        }
        self.partitions += size;
        self.open.insert(id, session);
        id
    }

    /// The session that gives way to one of so many partitions (KIP-227): the longest unused, if it
    /// has not been used for a while; else the smallest of those that are not new, if it is smaller.
    fn evictable(&self, now: Time, size: usize) -> Option<SessionId> {
        let is_past = |time: Time| now.since(time) > EVICTION_MICROS;
        let (oldest, session) = (self.open.iter()).min_by_key(|(_, session)| session.used)?;
        if is_past(session.used) {
            return Some(*oldest);
        }
        let known = self.open.iter();
        let known = known.filter(|(_, session)| is_past(session.created));
        let (id, smallest) = known.min_by_key(|(_, session)| session.entries.len())?;
        (smallest.entries.len() < size).then_some(*id)
    }

    /// Notes what an answer says and leaves out what the client knows; returns the session's id.
    pub(crate) fn answered(
        &mut self,
        id: SessionId,
        topics: &mut Vec<FetchableTopicResponse>,
    ) -> SessionId {
        let Some(session) = self.open.get_mut(&id) else {
            return 0;
        };
        let full = session.full;
        let mut finder = Finder::default();
        for topic in topics.iter_mut() {
            let (name, topic_id) = (topic.topic.clone(), topic.topic_id);
            topic.partitions.retain(|data| {
                let key = (&name, topic_id, PartitionIndex(data.partition_index));
                let at = finder.find(&session.entries, key);
                let entry = at.and_then(|at| session.entries.get_mut(at));
                entry.is_none_or(|entry| entry.note(data)) || full
            });
        }
        topics.retain(|topic| !topic.partitions.is_empty());
        session.rotate();
        id
    }
}

impl Session {
    fn update(&mut self, request: &FetchRequest) {
        let mut finder = Finder::default();
        for wanted in distinct(wanted(request)) {
            match finder.find(&self.entries, wanted.key()) {
                Some(at) => {
                    if let Some(entry) = self.entries.get_mut(at) {
                        let topic = core::mem::take(&mut entry.wanted.topic);
                        entry.wanted = Wanted { topic, ..wanted };
                    }
                }
                None => self.add(wanted),
            }
        }
        let forgotten = request.forgotten_topics_data.iter();
        let gone: SortedSet<Key<'_>> = forgotten
            .flat_map(|topic| {
                let indexes = topic.partitions.iter();
                indexes.map(|index| (&topic.topic, topic.topic_id, PartitionIndex(*index)))
            })
            .collect();
        if !gone.is_empty() {
            (self.entries).retain(|entry| !gone.contains(&entry.wanted.key()));
        }
    }

    /// Adds a partition that is not there yet; its topic's name does not keep the request's frame alive.
    fn add(&mut self, mut wanted: Wanted) {
        let last = self.entries.last().map(|last| &last.wanted.topic);
        wanted.topic = match last {
            Some(known) if *known == wanted.topic => known.clone(),
            _ => wanted.topic.detached(),
        };
        self.entries.push(Entry::new(wanted));
    }

    /// What has been served goes behind what still waits, so that a client that takes little at a time
    /// gets some of everything.
    fn rotate(&mut self) {
        let served = |entry: &Entry| entry.served;
        // A full fetch names its partitions in the order in which the client wants them.
        if self.full || self.entries.len() < 2 || !self.entries.iter().any(served) {
            self.entries
                .iter_mut()
                .for_each(|entry| entry.served = false);
            return;
        }
        let mut last = Vec::new();
        let mut first = Vec::with_capacity(self.entries.len());
        for mut entry in self.entries.drain(..) {
            match core::mem::take(&mut entry.served) {
                true => last.push(entry),
                false => first.push(entry),
            }
        }
        first.append(&mut last);
        self.entries = first;
    }
}

/// What tells a partition from others.
type Key<'a> = (&'a Str, Uuid, PartitionIndex);

/// Finds entries one after the other. Requests and answers name partitions in much the same order, so
/// that the next one is where the last one was not far from; if it is not, all are put in order once.
#[derive(Default)]
struct Finder {
    near: usize,
    /// Places of entries in the order of their keys.
    ordered: Option<Vec<usize>>,
}

impl Finder {
    /// Entries looked at beside the last one before all are put in order.
    const REACH: usize = 8;

    fn find(&mut self, entries: &[Entry], key: Key<'_>) -> Option<usize> {
        let key_of = |at: usize| entries.get(at).map(|entry| entry.wanted.key());
        let near = self.near..self.near + Finder::REACH;
        if let Some(at) = near.into_iter().find(|at| key_of(*at) == Some(key)) {
            self.near = at + 1;
            return Some(at);
        }
        let ordered = self.ordered.get_or_insert_with(|| {
            let mut places: Vec<usize> = (0..entries.len()).collect();
            sorted::sort_by_key(&mut places, |at| key_of(*at));
            places
        });
        let found = ordered.binary_search_by(|at| key_of(*at).cmp(&Some(key)));
        let at = *ordered.get(found.ok()?)?;
        self.near = at + 1;
        Some(at)
    }
}

impl Entry {
    fn new(wanted: Wanted) -> Entry {
        Entry {
            wanted,
            high_watermark: -1,
            log_start_offset: -1,
            served: false,
        }
    }

    /// Whether an answer is news; what it says is noted.
    fn note(&mut self, data: &PartitionData) -> bool {
        let news = !data.records.is_empty()
            || data.error_code != 0
            || data.diverging_epoch.end_offset >= 0
            || data.preferred_read_replica >= 0
            || data.high_watermark != self.high_watermark
            || data.log_start_offset != self.log_start_offset;
        self.served = !data.records.is_empty();
        // After an error the client is told everything again.
        let known = data.error_code == 0;
        self.high_watermark = if known { data.high_watermark } else { -1 };
        self.log_start_offset = if known { data.log_start_offset } else { -1 };
        news
    }
}

/// A partition named twice counts once, as named last.
fn distinct(wanted: Vec<Wanted>) -> Vec<Wanted> {
    if wanted.is_sorted_by(|a, b| a.key() < b.key()) {
        return wanted;
    }
    let mut order: SortedMap<Key<'_>, usize> = SortedMap::new();
    let mut last: Vec<usize> = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        match order.get(&wanted.key()) {
            Some(&place) => last[place] = at,
            None => {
                order.insert(wanted.key(), last.len());
                last.push(at);
            }
        }
    }
    last.into_iter().map(|at| wanted[at].clone()).collect()
}

fn wanted(request: &FetchRequest) -> Vec<Wanted> {
    let topics = request.topics.iter();
    topics
        .flat_map(|topic| {
            topic.partitions.iter().map(|partition| Wanted {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partition: PartitionIndex(partition.partition),
                offset: Offset(partition.fetch_offset),
                current_epoch: LeaderEpoch(partition.current_leader_epoch),
                last_fetched_epoch: LeaderEpoch(partition.last_fetched_epoch),
                log_start: Offset(partition.log_start_offset),
                max_bytes: partition.partition_max_bytes,
            })
        })
        .collect()
}

impl Broker {
    /// Fetch sessions that are open.
    #[must_use]
    pub fn fetch_sessions(&self) -> usize {
        self.sessions.open.len()
    }
}
