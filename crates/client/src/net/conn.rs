//! One connection: its state, what is in flight on it, and the versions agreed on it.

use crate::io::LinkId;
use alloc::collections::VecDeque;
use bytes::Bytes;
use ids::{ErrorCode, Rng, Time};
use sorted::SortedMap;
use wire::api_versions_response::ApiVersionsResponse;

const API_VERSIONS: i16 = 18;

#[derive(Clone, Debug)]
pub(super) struct Conn {
    pub(super) link: LinkId,
    pub(super) state: State,
    pub(super) in_flight: VecDeque<InFlight>,
    /// API key to lowest and highest version of the other end.
    pub(super) versions: SortedMap<i16, (i16, i16)>,
    /// How many times in a row it could not be used.
    pub(super) failures: u32,
    /// Not to be connected again before this.
    pub(super) retry_at: Time,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Down,
    Connecting { deadline: Time },
    Negotiating,
    Ready,
}

#[derive(Clone, Debug)]
pub(super) struct InFlight {
    pub(super) correlation: i32,
    pub(super) version: i16,
    pub(super) deadline: Time,
    pub(super) ours: Option<Ours>,
}

/// Requests that the net sends for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ours {
    Versions,
    Metadata,
}

impl Default for Conn {
    fn default() -> Conn {
        Conn {
            link: LinkId(0),
            state: State::Down,
            in_flight: VecDeque::new(),
            versions: SortedMap::new(),
            failures: 0,
            retry_at: Time(0),
        }
    }
}

impl Conn {
    pub(super) fn can_send(&self, limit: u32) -> bool {
        self.state == State::Ready && (self.in_flight.len() as u64) < u64::from(limit)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Down => None,
            State::Connecting { deadline } => Some(deadline),
            State::Negotiating | State::Ready => self.in_flight.iter().map(|s| s.deadline).min(),
        }
    }

    pub(super) fn expired(&self, now: Time) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }
}

/// What a broker said to ApiVersions.
pub(super) enum Answer {
    Agreed(SortedMap<i16, (i16, i16)>),
    /// It does not know our version of ApiVersions itself, but this one.
    TryLower(i16),
}

/// Reads an answer to ApiVersions; a broker older than the request answers in version 0 (KIP-511).
pub(super) fn read_versions(frame: &Bytes, version: i16) -> Option<Answer> {
    let error = frame.get(4..6).map(|b| i16::from_be_bytes([b[0], b[1]]))?;
    let unsupported = ErrorCode(error) == ErrorCode::UNSUPPORTED_VERSION;
    let version = if unsupported { 0 } else { version };
    let decoded = wire::decode_response::<ApiVersionsResponse>(frame.clone(), version);
    let (_, response) = decoded.ok()?;
    let versions: SortedMap<i16, (i16, i16)> = response
        .api_keys
        .iter()
        .map(|api| (api.api_key, (api.min_version, api.max_version)))
        .collect();
    if unsupported {
        let known = versions.get(&API_VERSIONS).map_or(0, |&(_, most)| most);
        return Some(Answer::TryLower(known));
    }
    ErrorCode(error).is_ok().then_some(Answer::Agreed(versions))
}

/// `first` doubled with every attempt after the first, at most `most`, a fifth more or less by chance.
pub(super) fn backoff(rng: &mut Rng, first: u32, most: u32, attempt: u32) -> u64 {
    let doublings = attempt.saturating_sub(1).min(20);
    let wait = (u64::from(first) << doublings).min(u64::from(most));
    let fifth = wait / 5;
    wait - fifth + rng.below(2 * fifth + 1)
}
