//! One life of a quorum: nodes, disks, a network, and what goes wrong.

use crate::disk::{Disk, Write, resolve};
use crate::watch::{Broken, Seen, Watch};
use bytes::Bytes;
use ids::{NodeId, Offset, Rng, Time, Token, Uuid};
use raft::{CallId, Effect, Event, Peer, Raft, RaftConfig, Request, Response, SendId};
use raft::{Endpoint, ReplicaKey, Tuning, Voter, Voters, bootstrap_checkpoint};
use records::{BatchBuilder, BatchOptions};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::Str;
use wire::add_raft_voter_request::{AddRaftVoterRequest, Listener};
use wire::remove_raft_voter_request::RemoveRaftVoterRequest;

/// An observer's id.
const OBSERVER: NodeId = NodeId(100);

#[derive(Debug)]
enum Happening {
    Arrives {
        from: NodeId,
        from_life: u64,
        to: NodeId,
        id: SendId,
        version: i16,
        request: Request,
    },
    Returns {
        to: NodeId,
        life: u64,
        from: NodeId,
        id: SendId,
        response: Response,
    },
    Breaks {
        to: NodeId,
        life: u64,
        id: SendId,
    },
    Flushed {
        node: NodeId,
        life: u64,
        token: Token,
    },
    /// It is killed, if it is still in this life.
    Falls {
        node: NodeId,
        life: u64,
    },
    Rises(NodeId),
    Mishap,
    Produce,
    Snapshot,
}

#[derive(Debug)]
struct Running {
    raft: Raft,
    seen: Seen,
    leads: bool,
    may_stop: bool,
    /// Orders that are not flushed.
    unflushed: VecDeque<(Token, Vec<Write>)>,
    calls: BTreeMap<CallId, (NodeId, u64, SendId, Request)>,
}

#[derive(Debug)]
struct Node {
    disk: Disk,
    /// Counts its processes.
    life: u64,
    running: Option<Running>,
    /// Milliseconds a flush takes, at most.
    slowness: u64,
    /// How many of the next orders fail.
    failing: u32,
}

/// How a life is lived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) voters: i32,
    pub(crate) observers: bool,
    pub(crate) dynamic: bool,
    /// Short timeouts and small fetches: many elections, and logs that follow batch by batch.
    pub(crate) hasty: bool,
    /// How many of eight new leaders are killed within milliseconds.
    pub(crate) fall: u64,
}

/// What a life was like.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Lived {
    pub(crate) events: u64,
    pub(crate) kills: u64,
    pub(crate) epochs: usize,
    pub(crate) committed: i64,
    pub(crate) snapshots_loaded: u64,
    pub(crate) voters_changed: u64,
}

pub(crate) struct Life {
    plan: Plan,
    now: Time,
    rng: Rng,
    nodes: BTreeMap<NodeId, Node>,
    queue: BTreeMap<(Time, u64), Happening>,
    happened: u64,
    /// Links that swallow what goes from the one to the other.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// When the last message of a link arrives: connections keep order.
    last: BTreeMap<(NodeId, NodeId), Time>,
    calls: u64,
    faults: bool,
    watch: Watch,
    lived: Lived,
}

fn directory(id: NodeId) -> Uuid {
    Uuid([id.0 as u8; 16])
}

fn voters(plan: &Plan) -> Voters {
    let voter = |id: i32| Voter {
        key: ReplicaKey {
            id: NodeId(id),
            directory: directory(NodeId(id)),
        },
        endpoints: vec![endpoint(NodeId(id))],
        kraft_versions: (0, 1),
    };
    Voters::new((1..=plan.voters).map(voter).collect())
}

fn endpoint(id: NodeId) -> Endpoint {
    Endpoint {
        listener: Str::from("CONTROLLER"),
        host: Str::from("localhost"),
        port: 9000 + id.0 as u16,
    }
}

fn tuning(plan: &Plan) -> Tuning {
    let usual = Tuning::default();
    match plan.hasty {
        true => Tuning {
            election_ms: 40,
            fetch_ms: 200,
            election_backoff_max_ms: 50,
            fetch_max_bytes: 1,
            snapshot_max_bytes: 100,
            ..usual
        },
        false => usual,
    }
}

impl Life {
    pub(crate) fn new(plan: Plan) -> Life {
        // Where voters can be changed, one more controller stands by.
        let controllers = plan.voters + i32::from(plan.dynamic);
        let mut ids: Vec<NodeId> = (1..=controllers).map(NodeId).collect();
        ids.extend(plan.observers.then_some(OBSERVER));
        let bootstrap = plan
            .dynamic
            .then(|| bootstrap_checkpoint(&voters(&plan), 1, (2, 3)));
        let node = |id: NodeId| {
            let node = Node {
                disk: Disk::formatted(bootstrap.clone().filter(|_| id.0 <= plan.voters)),
                life: 0,
                running: None,
                slowness: 3,
                failing: 0,
            };
            (id, node)
        };
        Life {
            plan,
            now: Time::from_millis(1_700_000_000_000),
            rng: Rng::new(plan.seed),
            nodes: ids.into_iter().map(node).collect(),
            queue: BTreeMap::new(),
            happened: 0,
            cut: BTreeSet::new(),
            last: BTreeMap::new(),
            calls: 0,
            faults: true,
            watch: Watch::default(),
            lived: Lived::default(),
        }
    }

    /// Twenty seconds with faults, twenty without, and a follower that cannot reach its leader.
    pub(crate) fn live(mut self) -> Result<Lived, Broken> {
        for id in self.ids() {
            self.start(id)?;
        }
        self.after(100, Happening::Mishap);
        self.after(10, Happening::Produce);
        self.after(2_000, Happening::Snapshot);
        self.run_for(20_000)?;
        self.heal()?;
        self.run_for(20_000)?;
        self.converged()?;
        self.lonely_follower()?;
        self.lived.epochs = self.watch.epochs();
        self.lived.committed = self.watch.committed_end().0;
        Ok(self.lived)
    }

    fn ids(&self) -> Vec<NodeId> {
        self.nodes.keys().copied().collect()
    }

    fn after(&mut self, millis: u64, happening: Happening) {
        self.at(self.now.plus_millis(millis), happening);
    }

    fn at(&mut self, time: Time, happening: Happening) {
        self.happened += 1;
        self.queue.insert((time, self.happened), happening);
    }

    fn run_for(&mut self, millis: u64) -> Result<(), Broken> {
        let end = self.now.plus_millis(millis);
        loop {
            let timer = (self.nodes.iter())
                .filter_map(|(id, node)| Some((node.running.as_ref()?.raft.next_deadline()?, *id)))
                .min();
            let next = self.queue.first_key_value().map(|((time, _), _)| *time);
            let queued = next.filter(|next| timer.is_none_or(|(at, _)| *next <= at));
            let Some(time) = queued.or(timer.map(|(at, _)| at)) else {
                return Ok(());
            };
            if time > end {
                self.now = end;
                return Ok(());
            }
            self.now = self.now.max(time);
            self.lived.events += 1;
            if self.lived.events > 2_000_000 {
                return Err("it never rests".into());
            }
            match (queued, timer) {
                (Some(_), _) => {
                    let (_, happening) = self.queue.pop_first().expect("it was there");
                    self.happen(happening)?;
                }
                (None, Some((_, id))) => self.tell(id, Event::Tick)?,
                (None, None) => {}
            }
        }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::Arrives {
                from,
                from_life,
                to,
                id,
                version,
                request,
            } => {
                self.calls += 1;
                let call = CallId(self.calls);
                let Some(running) = self.running(to) else {
                    // Nobody listens: that is known at once.
                    self.after(
                        1,
                        Happening::Breaks {
                            to: from,
                            life: from_life,
                            id,
                        },
                    );
                    return Ok(());
                };
                (running.calls).insert(call, (from, from_life, id, request.clone()));
                self.tell(
                    to,
                    Event::Request {
                        call,
                        version,
                        request,
                    },
                )
            }
            Happening::Returns {
                to,
                life,
                from,
                id,
                response,
            } => {
                if self.alive(to, life) && !self.cut.contains(&(from, to)) {
                    return self.tell(to, Event::Response { id, response });
                }
                Ok(())
            }
            Happening::Breaks { to, life, id } if self.alive(to, life) => {
                self.tell(to, Event::NoResponse { id })
            }
            Happening::Flushed { node, life, token } if self.alive(node, life) => {
                self.flushed(node, token)
            }
            Happening::Breaks { .. } | Happening::Flushed { .. } => Ok(()),
            Happening::Falls { node, life } => {
                if self.faults && self.alive(node, life) {
                    self.kill(node);
                    let wait = self.rng.below(200);
                    self.after(wait, Happening::Rises(node));
                }
                Ok(())
            }
            Happening::Rises(node) => match self.running(node) {
                Some(_) => Ok(()),
                None => self.start(node),
            },
            Happening::Produce => self.produce(),
            Happening::Snapshot => self.snapshot(),
            Happening::Mishap => self.mishap(),
        }
    }

    fn running(&mut self, id: NodeId) -> Option<&mut Running> {
        self.nodes.get_mut(&id)?.running.as_mut()
    }

    fn alive(&self, id: NodeId, life: u64) -> bool {
        let node = self.nodes.get(&id);
        node.is_some_and(|node| node.life == life && node.running.is_some())
    }

    fn start(&mut self, id: NodeId) -> Result<(), Broken> {
        let voters = voters(&self.plan);
        let config = RaftConfig {
            node: id,
            directory: directory(id),
            cluster_id: "a-cluster".into(),
            controller: id != OBSERVER,
            bootstrap_servers: match self.plan.dynamic {
                true => voters.len() as u32,
                false => 0,
            },
            static_voters: match self.plan.dynamic {
                true => Voters::default(),
                false => voters,
            },
            endpoints: vec![endpoint(id)],
            tuning: tuning(&self.plan),
            seed: self.rng.next(),
        };
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("it exists");
        let disk = node.disk.recover(now);
        let raft = Raft::new(config, disk).map_err(|_| format!("{id}: quorum-state is damaged"))?;
        node.life += 1;
        node.running = Some(Running {
            raft,
            seen: Seen::default(),
            leads: false,
            may_stop: false,
            unflushed: VecDeque::new(),
            calls: BTreeMap::new(),
        });
        self.tell(id, Event::Start)
    }

    fn kill(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).expect("it exists");
        if let Some(running) = node.running.take() {
            let unflushed = running.unflushed.into_iter().flat_map(|(_, writes)| writes);
            node.disk.crash(unflushed.collect(), &mut self.rng);
            self.lived.kills += 1;
        }
    }

    /// One step of a node, and what comes of it.
    fn tell(&mut self, id: NodeId, event: Event) -> Result<(), Broken> {
        let (now, mut out) = (self.now, Vec::new());
        if let Some(running) = self.running(id) {
            running.raft.step(now, event, &mut out);
            return self.carry_out(id, out);
        }
        Ok(())
    }

    fn carry_out(&mut self, id: NodeId, out: Vec<Effect>) -> Result<(), Broken> {
        let life = self.nodes.get(&id).map(|node| node.life);
        let life = life.expect("it exists");
        for effect in out {
            let node = self.nodes.get_mut(&id).expect("it exists");
            if node.life != life {
                return Ok(());
            }
            self.watch.said(id, &effect)?;
            let Some(running) = node.running.as_mut() else {
                return Ok(());
            };
            match effect {
                Effect::Store { token, orders } => {
                    let raft = &running.raft;
                    let orders = orders.into_iter();
                    let writes = orders.map(|order| resolve(order, raft.log())).collect();
                    running.unflushed.push_back((token, writes));
                    let wait = self.rng.below(node.slowness * 1000);
                    let at = self.now.plus_micros(wait);
                    self.at(
                        at,
                        Happening::Flushed {
                            node: id,
                            life,
                            token,
                        },
                    );
                }
                Effect::Send {
                    id: send,
                    to,
                    version,
                    request,
                } => {
                    self.send(id, life, send, to, version, request);
                }
                Effect::Answer { call, response } => self.answer(id, call, response)?,
                Effect::LeaderChanged { leader, .. } => {
                    running.leads &= leader.is_some_and(|leader| leader.id == id);
                    if running.raft.is_leader() {
                        self.watch.leads(id, &running.raft)?;
                        if self.rng.below(8) < self.plan.fall {
                            // Who has just been elected has told some and not others.
                            let wait = self.rng.below(25);
                            self.after(wait, Happening::Falls { node: id, life });
                        }
                    }
                }
                Effect::Leading { .. } => {
                    running.leads = true;
                    self.watch.leads(id, &running.raft)?;
                    self.watch.may_append(id, &running.raft)?;
                }
                Effect::Committed { upto } => {
                    let Running { raft, seen, .. } = running;
                    self.watch.commits(id, raft, seen, upto)?;
                }
                Effect::Truncated { to } if to < running.seen.committed => {
                    return Err(format!("{id}: cut to {to}, though more is committed"));
                }
                Effect::Truncated { .. } => {}
                Effect::LoadSnapshot {
                    id: snapshot,
                    bytes,
                } => {
                    self.lived.snapshots_loaded += 1;
                    if !self.watch.is_content(snapshot, &bytes) {
                        return Err(format!("{id}: {snapshot:?} is not what was committed"));
                    }
                }
                Effect::MayStop => running.may_stop = true,
            }
        }
        if self.lived.events.is_multiple_of(32)
            && let Some(running) = self.nodes.get(&id).and_then(|node| node.running.as_ref())
        {
            self.watch.logs_match(id, &running.raft)?;
        }
        Ok(())
    }

    fn send(
        &mut self,
        from: NodeId,
        from_life: u64,
        id: SendId,
        to: Peer,
        version: i16,
        request: Request,
    ) {
        let to = match to {
            Peer::Node(to) => to,
            Peer::Bootstrap(number) => NodeId(number as i32 + 1),
        };
        if self.cut.contains(&(from, to)) {
            return;
        }
        let time = self.delay(from, to);
        if self.faults && self.rng.below(200) == 0 {
            // The connection breaks, perhaps after the request has come through.
            self.at(
                time,
                Happening::Breaks {
                    to: from,
                    life: from_life,
                    id,
                },
            );
            if self.rng.below(2) == 0 {
                return;
            }
        }
        if self.faults && self.rng.below(100) == 0 {
            // A request of an earlier attempt comes twice; nobody waits for its answer.
            let (id, request) = (SendId(u64::MAX), request.clone());
            let late = self.now.plus_millis(self.rng.below(3_000));
            self.at(
                late,
                Happening::Arrives {
                    from,
                    from_life,
                    to,
                    id,
                    version,
                    request,
                },
            );
        }
        self.at(
            time,
            Happening::Arrives {
                from,
                from_life,
                to,
                id,
                version,
                request,
            },
        );
    }

    fn delay(&mut self, from: NodeId, to: NodeId) -> Time {
        let slow = self.faults && self.rng.below(50) == 0;
        let most = if slow { 400_000 } else { 4_000 };
        let time = self.now.plus_micros(200 + self.rng.below(most));
        let last = self.last.entry((from, to)).or_default();
        *last = time.max(*last);
        *last
    }

    fn answer(&mut self, from: NodeId, call: CallId, response: Response) -> Result<(), Broken> {
        let running = self.running(from).expect("it has answered");
        let asked = running.calls.remove(&call);
        let (to, life, id, request) = asked.ok_or("what was not asked is answered")?;
        let voted = self.watch.answered(from, &request, &response)?;
        self.lived.voters_changed += u64::from(match &response {
            Response::AddRaftVoter(answer) => answer.error_code == 0,
            Response::RemoveRaftVoter(answer) => answer.error_code == 0,
            _ => false,
        });
        if !self.cut.contains(&(from, to)) {
            let time = self.delay(from, to);
            self.at(
                time,
                Happening::Returns {
                    to,
                    life,
                    from,
                    id,
                    response,
                },
            );
        }
        if voted && self.faults && self.rng.below(4) == 0 {
            // A voter may forget nothing, least of all now.
            self.kill(from);
            return self.start(from);
        }
        Ok(())
    }

    fn flushed(&mut self, id: NodeId, token: Token) -> Result<(), Broken> {
        let node = self.nodes.get_mut(&id).expect("it exists");
        let running = node.running.as_mut().expect("it is alive");
        let Some(at) = running
            .unflushed
            .iter()
            .position(|(other, _)| *other == token)
        else {
            return Ok(());
        };
        if node.failing > 0 && at == 0 {
            node.failing -= 1;
            running.unflushed.clear();
            return self.tell(id, Event::StoreFailed { token });
        }
        let life = node.life;
        let stored: Vec<(Token, Vec<Write>)> = running.unflushed.drain(..=at).collect();
        let tokens: Vec<Token> = stored.iter().map(|(token, _)| *token).collect();
        for write in stored.into_iter().flat_map(|(_, writes)| writes) {
            node.disk.carry_out(write);
        }
        for token in tokens {
            // What it says now may cost it its life.
            if self.alive(id, life) {
                self.tell(id, Event::Stored { token })?;
            }
        }
        Ok(())
    }

    fn produce(&mut self) -> Result<(), Broken> {
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
    fn snapshot(&mut self) -> Result<(), Broken> {
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

    fn mishap(&mut self) -> Result<(), Broken> {
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
    fn change_voters(&mut self) -> Result<(), Broken> {
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
    fn heal(&mut self) -> Result<(), Broken> {
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

    fn leader(&self) -> Option<NodeId> {
        let leads = |node: &Node| node.running.as_ref().is_some_and(|running| running.leads);
        let found = self.nodes.iter().find(|(_, node)| leads(node));
        found.map(|(id, _)| *id)
    }

    /// What is wrong, with how all nodes are.
    fn told(&self, wrong: &str) -> Broken {
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
    fn converged(&mut self) -> Result<(), Broken> {
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
    fn lonely_follower(&mut self) -> Result<(), Broken> {
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
