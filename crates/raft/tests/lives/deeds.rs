//! What is done in a life, what goes wrong in it, and how it must end.

use crate::life::{Happening, Life, Node};
use crate::plan::{directory, endpoint};
use crate::watch::Broken;
use bytes::Bytes;
use ids::{NodeId, Offset};
use raft::{CallId, Event, Request, SendId, bootstrap_checkpoint};
use records::{BatchBuilder, BatchOptions};
use wire::add_raft_voter_request::{AddRaftVoterRequest, Listener};
use wire::remove_raft_voter_request::RemoveRaftVoterRequest;

impl Life {
    pub(crate) fn produce(&mut self) -> Result<(), Broken> {
        let wait = 1 + self.rng.below(100);
        self.after(wait, Happening::Produce);
        for id in self.ids() {
            let value = self.rng.next().to_be_bytes();
            let now = self.now;
            let Some(running) = self.running(id).filter(|running| running.leads) else {
                continue;
            };
            let mut builder = BatchBuilder::new(BatchOptions::default());
            for _ in 0..1 + value[0] % 3 {
                builder
                    .append(now.millis(), None, Some(&value), &[])
                    .expect("it is small");
            }
            let epoch = running.raft.election().epoch;
            let mut out = Vec::new();
            let appended = running
                .raft
                .append(now, epoch, &builder.into_valid(), &mut out);
            if let Err(error) = appended {
                return Err(format!("{id} leads and does not append: {error:?}"));
            }
            self.carry_out(id, out)?;
        }
        Ok(())
    }

    /// Somebody writes a snapshot of what is committed, and keeps little of the log.
    pub(crate) fn snapshot(&mut self) -> Result<(), Broken> {
        let wait = 500 + self.rng.below(4_000);
        self.after(wait, Happening::Snapshot);
        let ids = self.ids();
        let id = ids[self.rng.below(ids.len() as u64) as usize];
        let dynamic = self.plan.dynamic;
        let Some(running) = self.running(id) else {
            return Ok(());
        };
        let upto = running.seen.committed;
        let voters = running.raft.voters_before(upto).clone();
        let Some(snapshot) = self.watch.boundary(upto) else {
            return Ok(());
        };
        let mut bytes = match dynamic {
            true => bootstrap_checkpoint(&voters, 1, (2, 3)),
            false => Vec::new(),
        };
        bytes.extend(self.watch.content(upto));
        let back = self.rng.below(20) as i64;
        let log_from = (0..=back).rev().map(|back| Offset(upto.0 - back));
        let log_from = log_from
            .into_iter()
            .find(|at| self.watch.boundary(*at).is_some());
        let event = Event::SnapshotTaken {
            id: snapshot,
            bytes: Bytes::from(bytes),
            log_from: log_from.unwrap_or(upto),
        };
        self.tell(id, event)
    }

    pub(crate) fn mishap(&mut self) -> Result<(), Broken> {
        if !self.faults {
            return Ok(());
        }
        let wait = 50 + self.rng.below(900);
        self.after(wait, Happening::Mishap);
        let ids = self.ids();
        let one = ids[self.rng.below(ids.len() as u64) as usize];
        let other = ids[self.rng.below(ids.len() as u64) as usize];
        match self.rng.below(16) {
            12..=14 => self.change_voters()?,
            15 => {
                // The power fails, and comes back later for who led.
                let leader = self.leader();
                for id in ids {
                    self.kill(id);
                    let longer = if leader == Some(id) { 3_000 } else { 0 };
                    let wait = longer + self.rng.below(20);
                    self.after(wait, Happening::Rises(id));
                }
            }
            0..=2 => self.kill(one),
            3..=5 => {
                for id in ids {
                    if self.running(id).is_none() && self.rng.below(2) == 0 {
                        self.start(id)?;
                    }
                }
            }
            6 => drop(self.cut.insert((one, other))),
            7 => {
                for id in ids {
                    self.cut.extend([(one, id), (id, one)]);
                }
            }
            8 | 9 => self.cut.clear(),
            10 => {
                let node = self.nodes.get_mut(&one).expect("it exists");
                node.slowness = [1, 3, 30, 300][self.rng.below(4) as usize];
                node.failing = u32::from(self.rng.below(3) == 0);
            }
            _ => {
                self.tell(one, Event::Resign)?;
                let stopped = self.running(one).is_some_and(|running| running.may_stop);
                if stopped || self.rng.below(2) == 0 {
                    self.kill(one);
                }
            }
        }
        Ok(())
    }

    /// Asks the leader to take in a controller or to let one go.
    pub(crate) fn change_voters(&mut self) -> Result<(), Broken> {
        let id = NodeId(1 + self.rng.below(self.plan.voters as u64 + 1) as i32);
        let Some(leader) = self.leader().filter(|_| self.plan.dynamic) else {
            return Ok(());
        };
        self.calls += 1;
        let (call, life) = (CallId(self.calls), self.nodes[&leader].life);
        let running = self.running(leader).expect("it leads");
        let request = match running.raft.voters().get(id) {
            Some(voter) => Request::RemoveRaftVoter(RemoveRaftVoterRequest {
                cluster_id: None,
                voter_id: id.0,
                voter_directory_id: voter.key.directory,
                ..Default::default()
            }),
            None => Request::AddRaftVoter(AddRaftVoterRequest {
                cluster_id: None,
                voter_id: id.0,
                voter_directory_id: directory(id),
                listeners: vec![Listener {
                    port: endpoint(id).port,
                    ..Default::default()
                }],
                ack_when_committed: true,
                ..Default::default()
            }),
        };
        let nobody = SendId(u64::MAX);
        (running.calls).insert(call, (leader, life, nobody, request.clone()));
        let version = request.version();
        self.tell(
            leader,
            Event::Request {
                call,
                version,
                request,
            },
        )
    }

    /// Ends all faults. Nodes that were told to stop are started anew.
    pub(crate) fn heal(&mut self) -> Result<(), Broken> {
        self.faults = false;
        self.cut.clear();
        for id in self.ids() {
            let node = self.nodes.get_mut(&id).expect("it exists");
            (node.failing, node.slowness) = (0, 3);
            self.kill(id);
            self.start(id)?;
        }
        Ok(())
    }

    pub(crate) fn leader(&self) -> Option<NodeId> {
        let leads = |node: &Node| node.running.as_ref().is_some_and(|running| running.leads);
        let found = self.nodes.iter().find(|(_, node)| leads(node));
        found.map(|(id, _)| *id)
    }

    /// What is wrong, with how all nodes are.
    pub(crate) fn told(&self, wrong: &str) -> Broken {
        let nodes = self.nodes.iter().filter_map(|(id, node)| {
            let raft = &node.running.as_ref()?.raft;
            let voters: Vec<i32> = raft.voters().iter().map(|voter| voter.key.id.0).collect();
            let (name, epoch) = (raft.state_name(), raft.election().epoch);
            let (end, upto) = (raft.log().log_end(), raft.high_watermark());
            Some(format!(
                "{id}: {name} {epoch}, log end {end}, {upto:?}, voters {voters:?}"
            ))
        });
        format!("{wrong}; {}", nodes.collect::<Vec<_>>().join("; "))
    }

    /// Somebody leads, and everyone has what it has.
    pub(crate) fn converged(&mut self) -> Result<(), Broken> {
        let leader = self
            .leader()
            .ok_or_else(|| self.told("nobody leads though nothing is wrong"))?;
        // What was said last may still be on its way.
        self.queue
            .retain(|_, happening| !matches!(happening, Happening::Produce));
        self.run_for(1_500)?;
        let raft = |id: &NodeId| &self.nodes[id].running.as_ref().expect("all run").raft;
        let end = raft(&leader).log().log_end();
        if raft(&leader).high_watermark() != Some(end) {
            return Err(format!("{leader} leads and does not commit"));
        }
        for id in self.ids() {
            let (log, upto) = (raft(&id).log(), raft(&id).high_watermark());
            if (log.log_end(), upto) != (end, Some(end)) {
                return Err(format!(
                    "{id}: ends at {}, {upto:?}; the leader at {end}",
                    log.log_end()
                ));
            }
        }
        Ok(())
    }

    /// A follower that its leader does not reach keeps to itself: the others are content.
    pub(crate) fn lonely_follower(&mut self) -> Result<(), Broken> {
        let leader = self
            .leader()
            .ok_or("nobody leads though nothing is wrong")?;
        let epochs = self.watch.epochs();
        let voters = self
            .running(leader)
            .expect("it leads")
            .raft
            .voters()
            .clone();
        let mut others = voters
            .iter()
            .map(|voter| voter.key.id)
            .filter(|id| *id != leader);
        let (Some(follower), true) = (others.next(), voters.len() >= 3) else {
            return Ok(());
        };
        self.cut.extend([(leader, follower), (follower, leader)]);
        self.run_for(10_000)?;
        self.cut.clear();
        match self.watch.epochs() == epochs && self.leader() == Some(leader) {
            true => Ok(()),
            false => Err(format!(
                "{follower} cannot reach {leader}, and another one is elected"
            )),
        }
    }
}
