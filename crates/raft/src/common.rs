//! What all requests and responses of the quorum have in common.

use crate::message::{About, Peer, Request, SendId};
use crate::raft::{Flight, Raft};
use crate::state::State;
use crate::voters::ReplicaKey;
use alloc::{format, string::String, vec::Vec};
use ids::{ErrorCode, LeaderEpoch, NodeId, Time, Uuid};
use wire::Str;

/// The one topic that is spoken of.
pub(crate) const TOPIC: Str = Str::from_static("__cluster_metadata");

/// The only element of a list, and none of a longer one.
pub(crate) fn only<T>(list: &[T]) -> Option<&T> {
    match list {
        [one] => Some(one),
        _ => None,
    }
}

/// A replica in Kafka's words.
pub(crate) fn key_text(key: &ReplicaKey) -> String {
    format!("ReplicaKey(id={}, directoryId={})", key.id, key.directory)
}

impl Raft {
    /// Whether a request comes from this cluster; one that names none is believed.
    pub(crate) fn in_cluster(&self, cluster_id: Option<&Str>) -> bool {
        cluster_id.is_none_or(|id| id.as_str() == self.config.cluster_id)
    }

    pub(crate) fn cluster_id(&self) -> Option<Str> {
        Some(Str::from(self.config.cluster_id.as_str()))
    }

    /// Whether a request that names its receiver means this node.
    pub(crate) fn is_for_me(&self, voter_id: i32, directory: Uuid) -> bool {
        let mine = directory == Uuid::ZERO || directory == self.me.directory;
        voter_id < 0 || (voter_id == self.me.id.0 && mine)
    }

    /// Leader and epoch, as answers name them: -1 for none.
    pub(crate) fn current(&self) -> (i32, i32) {
        let leader = self.election.leader.map_or(-1, |leader| leader.0);
        (leader, self.election.epoch.0)
    }

    /// Where the leader is, for answers that have room for it.
    pub(crate) fn leader_address(&self) -> Option<(NodeId, Str, u16)> {
        let leader = self.election.leader?;
        let own = || {
            let own = self.config.endpoints.first()?;
            Some((own.host.clone(), own.port))
        };
        let known = match leader == self.me.id {
            true => own().or_else(|| self.endpoint_of(leader)),
            false => self.endpoint_of(leader),
        };
        known.map(|(host, port)| (leader, host, port))
    }

    /// Judges the epoch of a request that only voters are asked.
    pub(crate) fn check_epoch(&self, epoch: i32, from: i32) -> Result<(), ErrorCode> {
        match () {
            () if epoch < self.election.epoch.0 => Err(ErrorCode::FENCED_LEADER_EPOCH),
            () if from < 0 => Err(ErrorCode::INVALID_REQUEST),
            () => Ok(()),
        }
    }

    /// Judges a request that only the leader answers.
    pub(crate) fn check_leader(&self, epoch: i32) -> Result<(), ErrorCode> {
        match () {
            () if epoch < self.election.epoch.0 => Err(ErrorCode::FENCED_LEADER_EPOCH),
            () if epoch > self.election.epoch.0 => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            () if !self.is_leader() => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            () => Ok(()),
        }
    }

    /// Takes up what any message says of epoch and leader (-1 for none).
    pub(crate) fn learn(
        &mut self,
        now: Time,
        (leader, epoch): (i32, i32),
        endpoint: Option<(Str, u16)>,
    ) {
        let epoch = LeaderEpoch(epoch);
        // That it leads itself, a node knows better than others.
        let leader = (leader >= 0 && leader != self.me.id.0).then_some(NodeId(leader));
        if leader.is_some() && (epoch, leader) == (self.election.epoch, self.election.leader) {
            self.leader_endpoint = endpoint.or(self.leader_endpoint.take());
        } else if epoch > self.election.epoch {
            self.enter_epoch(now, epoch, leader, endpoint);
        } else if epoch == self.election.epoch
            && self.election.leader.is_none()
            && let Some(leader) = leader
        {
            self.follow(now, leader, endpoint);
        }
    }

    /// Sends a request, unless one of its kind is on its way there or something has just failed there.
    pub(crate) fn send(
        &mut self,
        now: Time,
        to: Peer,
        about: About,
        make: impl FnOnce(&Raft) -> Request,
    ) {
        if !self.may_send(to, &about) {
            return;
        }
        let request = make(self);
        self.sends += 1;
        let id = SendId(self.sends);
        let flight = Flight {
            to,
            about,
            epoch: self.election.epoch,
            until: now.plus_millis(self.config.tuning.request_ms),
        };
        self.flights.insert(id, flight);
        self.outbox.send(id, to, request);
    }

    fn may_send(&self, to: Peer, about: &About) -> bool {
        let same = |flight: &Flight| {
            // A snapshot is fetched in place of records.
            let kind = |about: &About| match about {
                About::Vote { pre_vote, .. } => u8::from(*pre_vote),
                About::Begin => 2,
                About::End { .. } => 3,
                About::Fetch | About::FetchSnapshot { .. } => 4,
            };
            flight.to == to && kind(&flight.about) == kind(about)
        };
        !self.resting.contains_key(&to) && !self.flights.values().any(same)
    }

    /// Whether a fetch is on its way to anyone.
    pub(crate) fn is_fetching(&self) -> bool {
        let fetch = |about| matches!(about, About::Fetch | About::FetchSnapshot { .. });
        self.flights.values().any(|flight| fetch(flight.about))
    }

    /// Leaves a node alone for a moment, after something has failed there.
    pub(crate) fn rest(&mut self, now: Time, peer: Peer) {
        let until = now.plus_millis(self.config.tuning.retry_backoff_ms);
        self.resting.insert(peer, until);
    }

    /// Forgets requests whose answer would mean nothing any more.
    pub(crate) fn forget_flights(&mut self, of: impl Fn(&About) -> bool) {
        self.flights.retain(|_, flight| !of(&flight.about));
    }

    /// Somebody to ask who leads: any voter but oneself, any address from the configuration.
    pub(crate) fn somebody(&mut self) -> Option<Peer> {
        let mut peers: Vec<Peer> = (self.voters().others(self.me.id).into_iter())
            .map(Peer::Node)
            .collect();
        peers.extend((0..self.config.bootstrap_servers).map(Peer::Bootstrap));
        peers.retain(|peer| !self.resting.contains_key(peer));
        let at = self.rng.below(peers.len() as u64);
        peers.get(usize::try_from(at).ok()?).copied()
    }

    pub(crate) fn is_stable(&self) -> bool {
        matches!(&self.state, State::Follower(following) | State::Observer(following) if following.heard)
    }
}
