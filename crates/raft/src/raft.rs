//! The node itself: which event goes where, and what a step ends with.

use crate::config::RaftConfig;
use crate::message::{About, CallId, Effect, Event, LeaderNode, Peer, Request, Response, SendId};
use crate::outbox::Outbox;
use crate::quorum_state::Election;
use crate::snapshot::KeptSnapshot;
use crate::state::State;
use crate::voters::{Endpoint, ReplicaKey, Voters};
use alloc::vec::Vec;
use ids::{LeaderEpoch, NodeId, Offset, Rng, Time, Token};
use log::{Log, LogSlice};
use records::{BatchView, Batches};
use sorted::SortedMap;
use wire::Str;

/// How long a node waits before it orders more of a disk that has refused.
const DISK_REST_MS: u64 = 1000;

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    pub(crate) to: Peer,
    pub(crate) about: About,
    /// The epoch it was sent in; its answer says nothing about another one.
    pub(crate) epoch: LeaderEpoch,
    /// After this time no answer is expected.
    pub(crate) until: Time,
}

/// One node's part in the quorum. `Clone` is a snapshot.
#[derive(Clone, Debug)]
pub struct Raft {
    pub(crate) config: RaftConfig,
    pub(crate) me: ReplicaKey,
    pub(crate) log: Log,
    pub(crate) snapshot: Option<KeptSnapshot>,
    pub(crate) election: Election,
    /// The election that the file holds, or will when what has been ordered is stored.
    pub(crate) ordered: Option<Election>,
    /// Epoch and leader that the shell has been told last.
    pub(crate) announced: Option<(LeaderEpoch, Option<NodeId>)>,
    pub(crate) leader_endpoint: Option<(Str, u16)>,
    pub(crate) state: State,
    pub(crate) high_watermark: Option<Offset>,
    /// The leader's high watermark, which may be above what is stored here.
    pub(crate) told_high_watermark: Offset,
    /// [`Effect::MayStop`] has been said.
    pub(crate) may_stop: bool,
    /// Who votes, since which offset; the last one is in force, committed or not.
    pub(crate) voter_sets: Vec<(Offset, Voters)>,
    pub(crate) outbox: Outbox,
    pub(crate) flights: SortedMap<SendId, Flight>,
    /// Whom nothing is sent to before this time, because something has just failed there.
    pub(crate) resting: SortedMap<Peer, Time>,
    pub(crate) rng: Rng,
    pub(crate) sends: u64,
    /// Elections lost in a row.
    pub(crate) elections: u32,
    /// It leads no more, for its process is about to end.
    pub(crate) stopping: bool,
    /// The disk has refused something; when to try again.
    pub(crate) disk_rests_until: Option<Time>,
    /// Microseconds by which the wall's clock is ahead of the time of events.
    pub(crate) wall_ahead: i64,
}

impl Raft {
    /// Tells the node one fact; its orders are appended to `out`.
    pub fn step(&mut self, now: Time, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Start => self.start(now),
            Event::Request {
                call,
                version,
                request,
            } => self.on_request(now, call, version, request),
            Event::Response { id, response } => self.on_response(now, id, response),
            Event::NoResponse { id } => {
                if let Some(flight) = self.flights.remove(&id) {
                    self.rest(now, flight.to);
                }
            }
            Event::Stored { token } => self.on_stored(now, token, out),
            Event::StoreFailed { token } => self.on_store_failed(now, token, out),
            Event::Tick => {}
            Event::SnapshotTaken {
                id,
                bytes,
                log_from,
            } => self.on_snapshot_taken(now, id, bytes, log_from),
            Event::Resign => self.on_resign(now),
        }
        self.finish(now, out);
    }

    /// Answers another node; whoever is alone hears none.
    #[inline(never)]
    fn on_request(&mut self, now: Time, call: CallId, version: i16, request: Request) {
        match request {
            Request::Vote(vote) => self.on_vote(now, call, version, &vote),
            Request::BeginQuorumEpoch(begin) => self.on_begin(now, call, version, &begin),
            Request::EndQuorumEpoch(end) => self.on_end(now, call, version, &end),
            Request::Fetch(fetch) => self.on_fetch(now, call, version, &fetch),
            Request::FetchSnapshot(fetch) => self.on_fetch_snapshot(now, call, version, &fetch),
            Request::AddRaftVoter(add) => self.on_add_voter(now, call, &add),
            Request::RemoveRaftVoter(remove) => self.on_remove_voter(now, call, &remove),
            Request::UpdateRaftVoter(update) => self.on_update_voter(now, call, &update),
        }
    }

    /// Does what is due, and gives out what this step has collected.
    pub(crate) fn finish(&mut self, now: Time, out: &mut Vec<Effect>) {
        self.poll(now);
        self.announce();
        let changed = self.ordered != Some(self.election);
        if self.rests_disk(now) {
            if changed {
                // Nothing may be said that the disk does not know.
                self.outbox.refuse(out);
            }
            return self.outbox.speak(out);
        }
        let file = changed.then(|| {
            let version = i16::from(self.is_dynamic());
            self.ordered = Some(self.election);
            self.election.encode(version, self.voters())
        });
        self.outbox.flush(file, self.log.log_end(), out);
    }

    /// Whether the disk has refused something just now: it is given no more for a while.
    pub(crate) fn rests_disk(&self, now: Time) -> bool {
        self.disk_rests_until.is_some_and(|until| now < until)
    }

    #[inline(never)]
    fn on_response(&mut self, now: Time, id: SendId, response: Response) {
        let Some(flight) = self.flights.remove(&id) else {
            return;
        };
        match (flight.about, response) {
            (About::Vote { voter, pre_vote }, Response::Vote(vote)) => {
                self.on_vote_answer(now, flight, voter, pre_vote, &vote);
            }
            (About::Begin, Response::BeginQuorumEpoch(begin)) => {
                self.on_begin_answer(now, flight, &begin);
            }
            (About::End { voter }, Response::EndQuorumEpoch(end)) => {
                self.on_end_answer(now, flight, voter, &end);
            }
            (About::Fetch, Response::Fetch(fetch)) => self.on_fetch_answer(now, flight, fetch),
            (About::FetchSnapshot { id, position }, Response::FetchSnapshot(fetch)) => {
                self.on_snapshot_answer(now, flight, (id, position), &fetch);
            }
            // An answer to another question is none.
            _ => self.rest(now, flight.to),
        }
    }

    fn on_stored(&mut self, now: Time, token: Token, out: &mut Vec<Effect>) {
        let Some(end) = self.outbox.stored(token, out) else {
            return;
        };
        self.log.stored(end);
        match self.is_leader() {
            true => self.advance_as_leader(now),
            false => self.commit_as_told(now),
        }
    }

    fn on_store_failed(&mut self, now: Time, token: Token, out: &mut Vec<Effect>) {
        let Some(election) = self.outbox.failed(token, out) else {
            return;
        };
        if election {
            self.ordered = None;
        }
        self.disk_rests_until = Some(now.plus_millis(DISK_REST_MS));
        let mut ops = Vec::new();
        if let Ok(true) = self.log.store_failed(now, &mut ops) {
            self.after_cut();
        }
        self.outbox.order_log(ops);
        // A leader whose log shrinks would break what followers have from it; and nobody campaigns with an
        // election that is not saved.
        if !matches!(self.state, State::Follower(_) | State::Observer(_)) {
            self.settle_down(now);
        }
    }

    /// Tells the shell who leads, if that has changed.
    fn announce(&mut self) {
        let (epoch, leader) = (self.election.epoch, self.election.leader);
        // One's own leadership ends before the epoch does.
        let leader = leader.filter(|id| *id != self.me.id || self.is_leader());
        if self.announced == Some((epoch, leader)) {
            return;
        }
        self.announced = Some((epoch, leader));
        let leader = leader.map(|id| LeaderNode {
            id,
            endpoint: self.leader_endpoint.clone(),
        });
        self.outbox.notice(Effect::LeaderChanged { leader, epoch });
    }

    /// What is left of the log after a cut: the voters named by what is gone are forgotten.
    pub(crate) fn after_cut(&mut self) {
        let to = self.log.log_end();
        self.outbox.cut(to);
        self.voter_sets.retain(|(at, _)| *at < to);
        self.outbox.notice(Effect::Truncated { to });
    }

    /// Tells by how many microseconds the clock on the wall is ahead of the time of events.
    pub fn set_wall_ahead(&mut self, micros: i64) {
        self.wall_ahead = micros;
    }

    /// The metadata log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<&KeptSnapshot> {
        self.snapshot.as_ref()
    }

    /// Everything below is committed; `None` before a leader has said so.
    #[must_use]
    pub fn high_watermark(&self) -> Option<Offset> {
        self.high_watermark
    }

    /// Whether everything that was committed when this node last heard of its leader has been told here.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        match &self.state {
            State::Leader(leader) => {
                let alone = self.is_alone() && self.high_watermark.is_some();
                leader.announced || alone
            }
            State::Follower(following) | State::Observer(following) => {
                let told = self.told_high_watermark;
                following.heard && told > Offset(0) && self.high_watermark >= Some(told)
            }
            _ => false,
        }
    }

    /// Epoch, leader and vote, as far as this node knows.
    #[must_use]
    pub fn election(&self) -> Election {
        self.election
    }

    /// Whether this node leads in the latest epoch it knows.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        matches!(self.state, State::Leader(_))
    }

    /// Who votes.
    #[must_use]
    pub fn voters(&self) -> &Voters {
        match self.voter_sets.last() {
            Some((_, voters)) => voters,
            None => &self.config.static_voters,
        }
    }

    /// What a snapshot that ends at `end` has to name: who voted then, where records say so.
    #[must_use]
    pub fn named_before(&self, end: Offset) -> Option<&Voters> {
        self.is_dynamic().then(|| self.voters_before(end))
    }

    /// Who voted when the log ended at `end`.
    #[must_use]
    pub fn voters_before(&self, end: Offset) -> &Voters {
        let sets = self.voter_sets.iter().rev();
        let mut before = sets.filter(|(at, _)| *at < end);
        before
            .next()
            .map_or(&self.config.static_voters, |(_, voters)| voters)
    }

    /// Where a controller is reached: as the voters' list says, or as the leader said itself.
    #[must_use]
    pub fn endpoint_of(&self, id: NodeId) -> Option<(Str, u16)> {
        let listed = |endpoint: &Endpoint| (endpoint.host.clone(), endpoint.port);
        let voter = self.voters().get(id);
        let told = self.leader_endpoint.clone();
        let told = told.filter(|_| self.election.leader == Some(id));
        told.or_else(|| voter?.endpoints.first().map(listed))
    }

    /// The state's name in Kafka's words, for people.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        match &self.state {
            State::Unattached { .. } if self.election.voted.is_some() => "Voted",
            State::Unattached { .. } => "Unattached",
            State::Prospective(_) => "Prospective",
            State::Candidate(_) => "Candidate",
            State::Follower(_) => "Follower",
            State::Leader(_) => "Leader",
            State::Resigned(_) => "Resigned",
            State::Observer(_) => "Observer",
        }
    }

    pub(crate) fn is_voter(&self) -> bool {
        self.config.controller && self.voters().contains(&self.me)
    }

    /// Whether it takes part in elections: as a voter, or as one whose removal may not be committed. Without
    /// those nobody could be elected where only they have all that the voters of before have.
    pub(crate) fn takes_part(&self) -> bool {
        let committed = self.high_watermark.unwrap_or(Offset(0));
        let sets = self.voter_sets.iter().rev();
        let before = sets.clone().position(|(at, _)| *at < committed);
        let open = sets.take(before.map_or(usize::MAX, |before| before + 1));
        let named = |(_, voters): &(Offset, Voters)| voters.contains(&self.me);
        self.config.controller && open.into_iter().any(named)
    }

    /// Whether it is the only voter, which needs no network to lead.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_voter() && self.voters().len() == 1
    }

    /// Epoch and end of the log: what tells which of two logs is more up to date.
    pub(crate) fn last(&self) -> (LeaderEpoch, Offset) {
        let below = self.snapshot.as_ref().map(|snapshot| snapshot.id.epoch);
        let epoch = self.log.latest_epoch().or(below);
        (epoch.unwrap_or(LeaderEpoch(0)), self.log.log_end())
    }

    /// What a clock on the wall shows.
    #[must_use]
    pub fn wall(&self, now: Time) -> Time {
        now.shifted(self.wall_ahead)
    }
}

/// All batches of a log that are in memory, in order.
pub(crate) fn each_batch(log: &Log, mut visit: impl FnMut(&BatchView<'_>)) {
    for (segment, length) in log.segment_sizes() {
        let slice = LogSlice {
            segment,
            position: 0,
            length,
        };
        let pieces = log.slice_bytes(&slice);
        pieces.into_iter().flatten().for_each(|piece| {
            Batches::new(piece).for_each(|(_, batch)| visit(&batch));
        });
    }
}
