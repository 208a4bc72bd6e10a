//! Random clients against one group. Whatever they do, the promises hold that no
//! single script can check.

use crate::script::{Script, asks, id, protocols};
use brooklet_group::{GroupConfig, Leaver, Output, Refusal, State};
use ids::{Rng, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const STEPS: u64 = 400;

#[test]
fn promises_hold_whatever_members_do() {
    let mut seen = String::new();
    for seed in 0..300 {
        let (end, trace) = run(seed);
        assert!(
            end.is_some(),
            "seed {seed} left somebody waiting: {trace:?}"
        );
        seen.push_str(&trace.concat());
    }
    // A walk that never gets anywhere would prove nothing.
    for what in [
        "SyncAnswer",
        "skip_assignment: true",
        "FencedInstance",
        "NotStored",
    ] {
        let count = seen.matches(what).count();
        assert!(count > 20, "{what} happened {count} times only");
        println!("{what}: {count}");
    }
}

#[test]
fn the_same_seed_takes_the_same_course() {
    for seed in 0..5 {
        assert_eq!(run(seed).1, run(seed).1);
    }
}

/// A client as the test drives it; what it believes may be out of date.
#[derive(Default)]
struct Client {
    member_id: String,
    instance_id: Option<String>,
    generation: i32,
    wants_to_join: bool,
    wants_to_sync: bool,
    parked: BTreeSet<u64>,
}

struct Model {
    s: Script,
    rng: Rng,
    clients: Vec<Client>,
    /// Every waiter ever parked, by client.
    parked: BTreeMap<u64, usize>,
    answered: BTreeSet<u64>,
    /// The shares handed out per generation and member id.
    shares: BTreeMap<(i32, String), Vec<u8>>,
    leaders: BTreeMap<i32, Arc<str>>,
    generation: i32,
    trace: Vec<String>,
}

fn run(seed: u64) -> (Option<Time>, Vec<String>) {
    let mut rng = Rng::new(seed);
    let config = GroupConfig {
        initial_delay_ms: [0, 3_000][rng.below(2) as usize],
        max_size: [5, 10][rng.below(2) as usize],
        ..GroupConfig::default()
    };
    let clients = (0..6).map(|n| Client {
        wants_to_join: true,
        instance_id: (n < 2).then(|| format!("static{n}")),
        ..Client::default()
    });
    let mut model = Model {
        s: Script::with(config),
        rng,
        clients: clients.collect(),
        parked: BTreeMap::new(),
        answered: BTreeSet::new(),
        shares: BTreeMap::new(),
        leaders: BTreeMap::new(),
        generation: 0,
        trace: Vec::new(),
    };
    for _ in 0..STEPS {
        model.step();
        model.check();
    }
    (model.finish(), model.trace)
}

impl Model {
    /// Mostly what a sane client would do next, sometimes anything.
    fn step(&mut self) {
        let who = self.rng.below(self.clients.len() as u64) as usize;
        let client = &self.clients[who];
        let waits = client
            .parked
            .iter()
            .any(|waiter| !self.answered.contains(waiter));
        let chaos = self.rng.below(100);
        match self.rng.below(8) {
            _ if chaos < 1 => self.leave(who),
            _ if chaos < 4 => self.join(who),
            _ if chaos < 5 => self.sync(who),
            _ if chaos < 12 && client.instance_id.is_some() && !waits => {
                self.clients[who].member_id.clear(); // Started anew.
                self.join(who);
            }
            _ if chaos < 6 && self.rng.below(4) == 0 => self.s.pass(61_000),
            0..2 => self.store(),
            2..4 => self.beat_and_pass(),
            _ if waits => {}
            _ if client.wants_to_join => self.join(who),
            _ if client.wants_to_sync => self.sync(who),
            _ => {}
        }
        self.collect();
    }

    /// Time passes, with everybody's heartbeats.
    fn beat_and_pass(&mut self) {
        let millis = [1, 500, 3_000, 5_000][self.rng.below(4) as usize];
        self.s.pass(millis);
        for client in &mut self.clients {
            let beat = self.s.heartbeat(&client.member_id, client.generation);
            client.wants_to_join |= beat.is_err();
        }
    }

    fn join(&mut self, who: usize) {
        let client = &mut self.clients[who];
        if self.rng.below(3) == 0 {
            client.member_id.clear(); // Started anew.
        }
        let mut request = asks(&client.member_id);
        request.instance_id = client.instance_id.as_deref().map(id);
        request.require_known_member = self.rng.below(2) == 0;
        request.can_skip_assignment = self.rng.below(2) == 0;
        request.session_timeout_ms = 6_000 + self.rng.below(50_000) as i32;
        request.rebalance_timeout_ms = self.rng.below(20_000) as i32;
        let orders = [&["range", "sticky"], &["sticky", "range"]];
        request.protocols = protocols(&orders[who % 2][..]);
        let waiter = self.s.send_join(request);
        self.park(waiter, who);
    }

    fn sync(&mut self, who: usize) {
        let client = &self.clients[who];
        let tag = format!("share {}", self.rng.below(1_000));
        let members: Vec<String> = self
            .s
            .group
            .describe()
            .members
            .iter()
            .map(|m| m.member_id.to_string())
            .collect();
        let shares: Vec<(&str, &str)> = members.iter().map(|m| (&**m, &*tag)).collect();
        let (member, generation) = (client.member_id.clone(), client.generation);
        let waiter = self.s.send_sync(&member, generation, &shares);
        self.park(waiter, who);
    }

    fn leave(&mut self, who: usize) {
        let client = &self.clients[who];
        let leaver = Leaver {
            member_id: id(&client.member_id),
            instance_id: client.instance_id.as_deref().map(id),
        };
        let mut out = Vec::new();
        self.s.group.leave(self.s.now, &[leaver], &mut out);
        self.s.take(out);
    }

    /// Confirms the oldest record, or reports that it could not be written.
    fn store(&mut self) {
        if self.s.records.is_empty() {
            return;
        }
        let (ticket, _) = self.s.records.remove(0);
        let stored = self.rng.below(10) != 0;
        let mut out: Vec<Output> = Vec::new();
        self.s.group.persisted(self.s.now, ticket, stored, &mut out);
        self.s.take(out);
    }

    fn park(&mut self, waiter: u64, who: usize) {
        self.parked.insert(waiter, who);
        self.clients[who].parked.insert(waiter);
    }

    /// Lets clients read their answers. `Script::take` has checked that none is a
    /// second one.
    fn collect(&mut self) {
        for (waiter, result) in std::mem::take(&mut self.s.joins) {
            self.answer(waiter, &result);
            let client = &mut self.clients[self.parked[&waiter]];
            match result {
                Ok(answer) => {
                    client.member_id = answer.member_id.to_string();
                    client.generation = answer.generation.0;
                    client.wants_to_join = false;
                    client.wants_to_sync = true;
                    if !answer.members.is_empty() && !answer.skip_assignment {
                        let leader = self.leaders.entry(answer.generation.0);
                        let leader = leader.or_insert_with(|| answer.member_id.clone());
                        assert_eq!(*leader, answer.member_id, "two leaders in one generation");
                    }
                }
                Err(Refusal::MemberIdRequired(given)) => client.member_id = given.to_string(),
                Err(Refusal::UnknownMember | Refusal::FencedInstance) => client.member_id.clear(),
                Err(_) => {}
            }
        }
        for (waiter, result) in std::mem::take(&mut self.s.syncs) {
            self.answer(waiter, &result);
            let client = &mut self.clients[self.parked[&waiter]];
            client.wants_to_sync = false;
            client.wants_to_join = result.is_err();
            if let Ok(answer) = result {
                let key = (self.s.group.generation().0, client.member_id.clone());
                let share = answer.assignment.to_vec();
                let former = self.shares.entry(key).or_insert_with(|| share.clone());
                assert_eq!(*former, share, "two assignments in one generation");
            }
        }
    }

    fn answer(&mut self, waiter: u64, result: &impl std::fmt::Debug) {
        assert!(
            self.parked.contains_key(&waiter),
            "nobody asked as {waiter}"
        );
        assert!(self.answered.insert(waiter), "a second answer for {waiter}");
        self.trace.push(format!("{waiter}: {result:?}"));
    }

    fn check(&mut self) {
        let group = &self.s.group;
        let now = group.generation().0;
        assert!(now >= self.generation, "the generation fell");
        self.generation = now;
        let described = group.describe();
        // While joining, those who may not come back do not count.
        assert!(described.members.len() <= 20, "more members than allowed");
        assert_eq!(described.members.is_empty(), group.leader().is_none());
        if let Some(leader) = group.leader() {
            assert!(described.members.iter().any(|m| m.member_id == *leader));
        }
        if matches!(group.state(), State::Stable | State::CompletingRebalance) {
            assert!(!described.members.is_empty());
        }
    }

    /// Stores what is ordered and lets time pass: then nobody waits any more.
    fn finish(&mut self) -> Option<Time> {
        for _ in 0..20 {
            self.s.store(true);
            self.s.pass(100_000);
            self.collect();
            self.check();
        }
        let waiting: Vec<_> = self
            .parked
            .keys()
            .filter(|waiter| !self.answered.contains(waiter))
            .collect();
        waiting.is_empty().then_some(self.s.now)
    }
}
