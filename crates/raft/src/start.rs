//! How a node comes up from what its disk holds.

use crate::batches::voters_of;
use crate::config::RaftConfig;
use crate::message::Order;
use crate::outbox::Outbox;
use crate::quorum_state::Election;
use crate::raft::{Raft, each_batch};
use crate::snapshot::KeptSnapshot;
use crate::state::{Following, State};
use crate::voters::{ReplicaKey, Voters};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{LeaderEpoch, Mutant, Offset, Rng, Time, is_planted};
use log::{Log, LogConfig};
use records::Batches;
use sorted::SortedMap;

/// What a node finds on its disk.
#[derive(Clone, Debug)]
pub struct FromDisk {
    /// The file `quorum-state`; `None` when there is none.
    pub quorum_state: Option<Bytes>,
    /// The log as recovery left it, all of it in memory.
    pub log: Log,
    /// The newest snapshot that is whole.
    pub snapshot: Option<KeptSnapshot>,
}

/// The file `quorum-state` cannot be read. Who starts without it may vote a second time, so nobody does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damaged;

impl Raft {
    /// A node over what its disk holds. It does nothing before [`Event::Start`](crate::Event::Start).
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn new(config: RaftConfig, disk: FromDisk) -> Result<Raft, Damaged> {
        let FromDisk {
            quorum_state,
            mut log,
            snapshot,
        } = disk;
        let saved = match &quorum_state {
            Some(bytes) => Election::decode(bytes).ok_or(Damaged)?,
            None => Election::default(),
        };
        // Retention is by snapshot only: nothing else may decide that metadata is old.
        log.set_config(LogConfig {
            delete: false,
            ..log.config().clone()
        });
        let in_log = log.latest_epoch();
        let in_log = in_log.max(snapshot.as_ref().map(|snapshot| snapshot.id.epoch));
        let newest = in_log.unwrap_or(LeaderEpoch(0)).max(saved.epoch);
        let mut election = saved;
        if newest > saved.epoch {
            election = Election {
                epoch: newest,
                ..Election::default()
            };
        }
        if is_planted(Mutant::VoteForgotten) {
            election.voted = None;
        }
        let mut raft = Raft {
            rng: Rng::new(config.seed),
            me: ReplicaKey {
                id: config.node,
                directory: config.directory,
            },
            voter_sets: alloc::vec![(Offset(-1), config.static_voters.clone())],
            config,
            log,
            snapshot,
            election,
            ordered: quorum_state.map(|_| saved),
            announced: None,
            leader_endpoint: None,
            state: State::Observer(Following {
                until: Time(0),
                heard: false,
                download: None,
            }),
            high_watermark: None,
            told_high_watermark: Offset(0),
            may_stop: false,
            outbox: Outbox::default(),
            flights: SortedMap::new(),
            resting: SortedMap::new(),
            sends: 0,
            elections: 0,
            stopping: false,
            disk_rests_until: None,
            wall_ahead: 0,
        };
        raft.read_voters();
        Ok(raft)
    }

    /// Whether the voters are named by records, not by the configuration.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.config.static_voters.is_empty()
    }

    /// Learns who votes from the snapshot and the log.
    pub(crate) fn read_voters(&mut self) {
        let mut sets: Vec<(Offset, Voters)> = Vec::new();
        if let Some(snapshot) = &self.snapshot {
            let named = Batches::new(&snapshot.bytes).filter_map(|(_, batch)| voters_of(&batch));
            let before = Offset(snapshot.id.end.0.saturating_sub(1));
            sets.extend(named.last().map(|(_, voters)| (before, voters)));
        }
        each_batch(&self.log, |batch| sets.extend(voters_of(batch)));
        if !sets.is_empty() {
            // As in Kafka: once records name the voters, the configuration is not asked any more.
            self.config.static_voters = Voters::default();
        }
        self.voter_sets.extend(sets);
    }

    pub(crate) fn start(&mut self, now: Time) {
        let mut ops = Vec::new();
        if self.log.log_end() == Offset(0) {
            self.log.create(&mut ops);
        }
        if let Some(snapshot) = &self.snapshot
            && snapshot.id.end > self.log.log_end()
        {
            // It came from a leader, and this node died before its log could follow.
            (self.log).truncate_fully_and_start_at(snapshot.id.end, now, &mut ops);
        }
        self.outbox.order_log(ops);
        let known = self.snapshot.as_ref().map(|snapshot| snapshot.id.end);
        if let Some(end) = known.filter(|end| *end > Offset(0)) {
            self.log.advance_high_watermark(end);
            self.high_watermark = Some(end);
        }
        if self.is_alone() && !self.is_dynamic() {
            // Nobody else has ever had a say: what is stored here is what there is.
            self.commit(self.log.stored_end());
        }
        if self.election.leader == Some(self.config.node) && self.takes_part() && !self.is_alone() {
            return self.resign(now);
        }
        self.settle_down(now);
        if self.is_alone() {
            self.campaign(now);
        }
    }

    /// Deletes what no one needs once there is a newer snapshot.
    pub(crate) fn replace_snapshot(&mut self, snapshot: KeptSnapshot) {
        self.outbox.order(Order::Snapshot {
            id: snapshot.id,
            bytes: snapshot.bytes.clone(),
        });
        let before = self.snapshot.replace(snapshot);
        let now = self.snapshot.as_ref().map(|snapshot| snapshot.id);
        if let Some(before) = before.filter(|before| Some(before.id) != now) {
            self.outbox.order(Order::DeleteSnapshot(before.id));
        }
    }
}
