//! One life of a quorum: nodes, disks, a network, and what goes wrong.

use crate::disk::{Disk, Write, resolve};
use crate::plan::{Lived, Plan, directory, endpoint, tuning, voters};
use crate::watch::{Broken, Seen, Watch};
use ids::{NodeId, Rng, Time, Token};
use raft::{CallId, Effect, Event, Peer, Raft, RaftConfig, Request, Response, SendId};
use raft::{Voters, bootstrap_checkpoint};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An observer's id.
const OBSERVER: NodeId = NodeId(100);

#[derive(Debug)]
pub(crate) enum Happening {
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
pub(crate) struct Running {
    pub(crate) raft: Raft,
    pub(crate) seen: Seen,
    pub(crate) leads: bool,
    pub(crate) may_stop: bool,
    /// Orders that are not flushed.
    pub(crate) unflushed: VecDeque<(Token, Vec<Write>)>,
    pub(crate) calls: BTreeMap<CallId, (NodeId, u64, SendId, Request)>,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) disk: Disk,
    /// Counts its processes.
    pub(crate) life: u64,
    pub(crate) running: Option<Running>,
    /// Milliseconds a flush takes, at most.
    pub(crate) slowness: u64,
    /// How many of the next orders fail.
    pub(crate) failing: u32,
}

pub(crate) struct Life {
    pub(crate) plan: Plan,
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) queue: BTreeMap<(Time, u64), Happening>,
    pub(crate) happened: u64,
    /// Links that swallow what goes from the one to the other.
    pub(crate) cut: BTreeSet<(NodeId, NodeId)>,
    /// When the last message of a link arrives: connections keep order.
    pub(crate) last: BTreeMap<(NodeId, NodeId), Time>,
    pub(crate) calls: u64,
    pub(crate) faults: bool,
    pub(crate) watch: Watch,
    pub(crate) lived: Lived,
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

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.nodes.keys().copied().collect()
    }

    pub(crate) fn after(&mut self, millis: u64, happening: Happening) {
        self.at(self.now.plus_millis(millis), happening);
    }

    fn at(&mut self, time: Time, happening: Happening) {
        self.happened += 1;
        self.queue.insert((time, self.happened), happening);
    }

    pub(crate) fn run_for(&mut self, millis: u64) -> Result<(), Broken> {
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

    pub(crate) fn running(&mut self, id: NodeId) -> Option<&mut Running> {
        self.nodes.get_mut(&id)?.running.as_mut()
    }

    fn alive(&self, id: NodeId, life: u64) -> bool {
        let node = self.nodes.get(&id);
        node.is_some_and(|node| node.life == life && node.running.is_some())
    }

    pub(crate) fn start(&mut self, id: NodeId) -> Result<(), Broken> {
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

    pub(crate) fn kill(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).expect("it exists");
        if let Some(running) = node.running.take() {
            let unflushed = running.unflushed.into_iter().flat_map(|(_, writes)| writes);
            node.disk.crash(unflushed.collect(), &mut self.rng);
            self.lived.kills += 1;
        }
    }

    /// One step of a node, and what comes of it.
    pub(crate) fn tell(&mut self, id: NodeId, event: Event) -> Result<(), Broken> {
        let (now, mut out) = (self.now, Vec::new());
        if let Some(running) = self.running(id) {
            running.raft.step(now, event, &mut out);
            return self.carry_out(id, out);
        }
        Ok(())
    }

    pub(crate) fn carry_out(&mut self, id: NodeId, out: Vec<Effect>) -> Result<(), Broken> {
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
                    self.maybe_leads(id, life)?;
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

    /// Somebody leads in an epoch, and may not live long.
    fn maybe_leads(&mut self, id: NodeId, life: u64) -> Result<(), Broken> {
        let running = self.nodes.get(&id).and_then(|node| node.running.as_ref());
        let Some(running) = running.filter(|running| running.raft.is_leader()) else {
            return Ok(());
        };
        self.watch.leads(id, &running.raft)?;
        if self.rng.below(8) < self.plan.fall {
            // Who has just been elected has told some and not others.
            let wait = self.rng.below(25);
            self.after(wait, Happening::Falls { node: id, life });
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
}
