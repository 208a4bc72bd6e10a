//! Fetch sessions (KIP-227): a client names its partitions once, then only what changed.

use super::Wanted;
use crate::broker::Broker;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, Rng, Time, Uuid};
use sorted::SortedMap;
use wire::Str;
use wire::fetch_request::FetchRequest;
use wire::fetch_response::{FetchableTopicResponse, PartitionData};

/// `session_epoch` of a fetch outside any session.
const FINAL_EPOCH: i32 = -1;
/// `session_epoch` of a fetch that wants a new session.
const INITIAL_EPOCH: i32 = 0;

/// The session a fetch belongs to; 0 is none.
pub(crate) type SessionId = i32;

/// What a partition's last answer said, so that only news is told.
#[derive(Clone, Debug)]
struct Entry {
    wanted: Wanted,
    high_watermark: i64,
    log_start_offset: i64,
}

#[derive(Clone, Debug)]
struct Session {
    next_epoch: i32,
    used: Time,
    /// In the order in which partitions were named.
    entries: Vec<Entry>,
    /// A full fetch answers for every partition.
    full: bool,
}

/// All sessions of a broker.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    open: SortedMap<SessionId, Session>,
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
            rng,
        }
    }

    /// Finds what a fetch asks for.
    ///
    /// # Errors
    /// 70 for an unknown session, 71 for a wrong epoch.
    pub(crate) fn resolve(
        &mut self,
        now: Time,
        request: FetchRequest,
        slots: u64,
    ) -> Result<Resolved, ErrorCode> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        if epoch == FINAL_EPOCH || epoch == INITIAL_EPOCH {
            if id != 0 {
                self.open.remove(&id);
            }
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
        session.update(&request);
        let wanted: Vec<Wanted> = session
            .entries
            .iter()
            .map(|entry| entry.wanted.clone())
            .collect();
        Ok(Resolved {
            wanted: wanted.into(),
            session: id,
        })
    }

    /// Opens a session if there is room; the longest unused one gives way.
    fn begin(&mut self, now: Time, wanted: &[Wanted], slots: u64) -> SessionId {
        if slots == 0 {
            return 0;
        }
        if self.open.len() as u64 >= slots {
            let oldest = self
                .open
                .iter()
                .min_by_key(|(id, session)| (session.used, **id))
                .map(|(id, _)| *id);
            if let Some(id) = oldest {
                self.open.remove(&id);
            }
        }
        let id = loop {
            let id = (self.rng.next() >> 33) as i32;
            if id != 0 && !self.open.contains_key(&id) {
                break id;
            }
        };
        let entries = wanted.iter().cloned().map(Entry::new).collect();
        self.open.insert(
            id,
            Session {
                next_epoch: 1,
                used: now,
                entries,
                full: true,
            },
        );
        id
    }

    /// Notes what an answer says and leaves out what the client knows; returns the session's id.
    pub(crate) fn answered(
        &mut self,
        id: SessionId,
        topics: &mut Vec<FetchableTopicResponse>,
        version: i16,
    ) -> SessionId {
        let Some(session) = self.open.get_mut(&id) else {
            return 0;
        };
        let full = session.full;
        let mut near = 0;
        for topic in topics.iter_mut() {
            let (name, topic_id) = (topic.topic.clone(), topic.topic_id);
            topic.partitions.retain(|data| {
                let index = PartitionIndex(data.partition_index);
                let is_it = |entry: &Entry| {
                    let same = if version >= 13 {
                        entry.wanted.topic_id == topic_id
                    } else {
                        entry.wanted.topic == name
                    };
                    entry.wanted.partition == index && same
                };
                let entry = session.entry_mut(&mut near, is_it);
                entry.is_none_or(|entry| entry.note(data)) || full
            });
        }
        topics.retain(|topic| !topic.partitions.is_empty());
        id
    }
}

impl Session {
    /// Finds an entry, beginning at `near`: requests and answers name partitions in much the same
    /// order, so that the next one is where the last one was not far from.
    fn entry_mut(
        &mut self,
        near: &mut usize,
        is_it: impl Fn(&Entry) -> bool,
    ) -> Option<&mut Entry> {
        let (before, after) = self.entries.split_at(*near);
        let found = match after.iter().position(&is_it) {
            Some(at) => before.len() + at,
            None => before.iter().position(&is_it)?,
        };
        *near = found + 1;
        self.entries.get_mut(found)
    }

    fn update(&mut self, request: &FetchRequest) {
        let mut near = 0;
        for wanted in wanted(request) {
            let is_it = |entry: &Entry| same(&entry.wanted, &wanted);
            match self.entry_mut(&mut near, is_it) {
                Some(entry) => entry.wanted = wanted,
                None => self.entries.push(Entry::new(wanted)),
            }
        }
        for topic in &request.forgotten_topics_data {
            let gone = |wanted: &Wanted| {
                wanted.topic == topic.topic
                    && wanted.topic_id == topic.topic_id
                    && topic.partitions.contains(&wanted.partition.0)
            };
            self.entries.retain(|entry| !gone(&entry.wanted));
        }
    }
}

impl Entry {
    fn new(wanted: Wanted) -> Entry {
        Entry {
            wanted,
            high_watermark: -1,
            log_start_offset: -1,
        }
    }

    /// Whether an answer is news; what it says is noted.
    fn note(&mut self, data: &PartitionData) -> bool {
        let news = !data.records.is_empty()
            || data.error_code != 0
            || data.diverging_epoch.end_offset >= 0
            || data.high_watermark != self.high_watermark
            || data.log_start_offset != self.log_start_offset;
        // After an error the client is told everything again.
        let known = data.error_code == 0;
        self.high_watermark = if known { data.high_watermark } else { -1 };
        self.log_start_offset = if known { data.log_start_offset } else { -1 };
        news
    }
}

fn same(a: &Wanted, b: &Wanted) -> bool {
    a.partition == b.partition && a.topic == b.topic && a.topic_id == b.topic_id
}

/// A partition named twice counts once, as named last.
fn distinct(wanted: Vec<Wanted>) -> Vec<Wanted> {
    let mut order: SortedMap<(Str, Uuid, PartitionIndex), usize> = SortedMap::new();
    let mut kept: Vec<Wanted> = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let key = (wanted.topic.clone(), wanted.topic_id, wanted.partition);
        match order.get(&key) {
            Some(&at) => kept[at] = wanted,
            None => {
                order.insert(key, kept.len());
                kept.push(wanted);
            }
        }
    }
    kept
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
