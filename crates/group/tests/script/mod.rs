//! A group under a script: requests in, the answers by waiter out.

#![allow(unreachable_pub, reason = "a module of tests")]

use brooklet_group::{
    Group, GroupConfig, GroupState, JoinAnswer, JoinRequest, Leaver, Output, Protocol, Refusal,
    SyncAnswer, SyncRequest,
};
use bytes::Bytes;
use ids::{Generation, Rng, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

pub struct Script {
    pub group: Group,
    pub now: Time,
    pub joins: BTreeMap<u64, Result<JoinAnswer, Refusal>>,
    pub syncs: BTreeMap<u64, Result<SyncAnswer, Refusal>>,
    /// Records ordered and not confirmed yet.
    pub records: Vec<(u64, GroupState)>,
    /// Client ids of members that were given up.
    pub timed_out: Vec<Arc<str>>,
    rng: Rng,
    waiters: u64,
}

/// A member id as a short text argument; a client named by its first letters.
pub fn id(text: &str) -> Arc<str> {
    Arc::from(text)
}

pub fn asks(member_id: &str) -> JoinRequest {
    JoinRequest {
        waiter: 0,
        member_id: id(member_id),
        instance_id: None,
        client_id: id("app"),
        client_host: id("/127.0.0.1"),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: id("consumer"),
        protocols: protocols(&["range"]),
        require_known_member: false,
        can_skip_assignment: true,
    }
}

pub fn protocols(names: &[&str]) -> Vec<Protocol> {
    let protocol = |name: &&str| Protocol {
        name: id(name),
        metadata: Bytes::from(format!("topics for {name}")),
    };
    names.iter().map(protocol).collect()
}

impl Script {
    /// No initial delay, as in the recorded answers of a real broker.
    pub fn new() -> Script {
        Script::with(GroupConfig {
            initial_delay_ms: 0,
            ..GroupConfig::default()
        })
    }

    pub fn with(config: GroupConfig) -> Script {
        let now = Time::from_millis(1_000_000);
        Script {
            group: Group::new(id("g"), config, now),
            now,
            joins: BTreeMap::new(),
            syncs: BTreeMap::new(),
            records: Vec::new(),
            timed_out: Vec::new(),
            rng: Rng::new(42),
            waiters: 0,
        }
    }

    /// Takes outputs in; a waiter that is answered twice fails the test.
    pub fn take(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Joined { waiter, result } => {
                    assert!(
                        self.joins.insert(waiter, result).is_none(),
                        "join {waiter} twice"
                    );
                }
                Output::Synced { waiter, result } => {
                    assert!(
                        self.syncs.insert(waiter, result).is_none(),
                        "sync {waiter} twice"
                    );
                }
                Output::Persist { ticket, state } => self.records.push((ticket, state)),
                Output::TimedOut { client_id } => self.timed_out.push(client_id),
            }
        }
    }

    /// Sends a join; the answer, if there is one already, is in `joins`.
    pub fn send_join(&mut self, mut request: JoinRequest) -> u64 {
        self.waiters += 1;
        request.waiter = self.waiters;
        let mut out = Vec::new();
        self.group.join(self.now, &request, &mut self.rng, &mut out);
        self.take(out);
        self.expire();
        self.waiters
    }

    /// Sends a join that is answered at once.
    pub fn join(&mut self, request: JoinRequest) -> Result<JoinAnswer, Refusal> {
        let waiter = self.send_join(request);
        self.joins.get(&waiter).expect("the join is parked").clone()
    }

    pub fn send_sync(&mut self, member: &str, generation: i32, shares: &[(&str, &str)]) -> u64 {
        self.waiters += 1;
        let request = SyncRequest {
            waiter: self.waiters,
            member_id: id(member),
            instance_id: None,
            generation: Generation(generation),
            protocol_type: None,
            protocol: None,
            assignments: shares
                .iter()
                .map(|(member, share)| (id(member), Bytes::from(share.to_string())))
                .collect(),
        };
        self.sync_request(&request);
        self.waiters
    }

    pub fn sync_request(&mut self, request: &SyncRequest) {
        let mut out = Vec::new();
        self.group.sync(self.now, request, &mut out);
        self.take(out);
    }

    /// Syncs as leader and confirms the record.
    pub fn sync(&mut self, member: &str, generation: i32, shares: &[(&str, &str)]) {
        self.send_sync(member, generation, shares);
        self.store(true);
    }

    /// Confirms all ordered records.
    pub fn store(&mut self, stored: bool) {
        for (ticket, _) in std::mem::take(&mut self.records) {
            let mut out = Vec::new();
            self.group.persisted(self.now, ticket, stored, &mut out);
            self.take(out);
        }
    }

    pub fn heartbeat(&mut self, member: &str, generation: i32) -> Result<(), Refusal> {
        self.group
            .heartbeat(self.now, member, None, Generation(generation))
    }

    pub fn leave(&mut self, member: &str, instance: Option<&str>) -> Result<(), Refusal> {
        let leaver = Leaver {
            member_id: id(member),
            instance_id: instance.map(id),
        };
        let mut out = Vec::new();
        let answers = self.group.leave(self.now, &[leaver], &mut out);
        self.take(out);
        answers.into_iter().next().expect("one answer per leaver")
    }

    /// Lets milliseconds pass, doing what becomes due when it is due.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        while let Some(at) = self.group.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.expire();
        }
        self.now = end;
    }

    fn expire(&mut self) {
        let mut out = Vec::new();
        self.group.expire(self.now, &mut out);
        self.take(out);
    }

    /// A stable group of dynamic members: the id of each, the leader's first.
    pub fn stable(&mut self, members: usize) -> Vec<Arc<str>> {
        let first = self.join(asks("")).expect("the first join").member_id;
        let mut all = vec![first.clone()];
        for _ in 1..members {
            let waiter = self.send_join(asks(""));
            let rejoins: Vec<u64> = all.iter().map(|id| self.send_join(asks(id))).collect();
            for waiter in rejoins {
                assert!(self.joins[&waiter].is_ok());
            }
            all.push(self.joins[&waiter].clone().expect("a join").member_id);
        }
        let generation = self.group.generation().0;
        for member in &all {
            self.sync(member, generation, &[(&*all[0], "share of the leader")]);
        }
        assert_eq!(self.group.state().name(), "Stable");
        all
    }
}
