//! A member of a group on the stage: a real consumer, and someone who handles its records at a rate.

use crate::scenario::GroupSpec;
use alloc::sync::Arc;
use alloc::vec::Vec;
use client::consumer::{Assignor, Begin, Config, Consumer, Reset, Subscription};
use client::io::{Input, Output};
use ids::{Offset, PartitionIndex, Rng, Time};

/// `max.poll.records`.
const POLL_RECORDS_MAX: u64 = 500;
/// How often a member that handles nothing still polls, in milliseconds.
const IDLE_POLL_MS: u64 = 1_000;

/// A consumer with its owner.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) group: Arc<str>,
    pub(crate) name: Arc<str>,
    /// Records handled so far.
    pub(crate) handled: u64,
    /// It has said that it leaves, and goes once that is done.
    pub(crate) leaving: bool,
    client: Consumer,
    rate: u32,
    paused: bool,
    /// When the next record may be handled.
    next: Time,
    /// When it polls next although there is nothing to handle.
    idle: Time,
}

impl Member {
    pub(crate) fn new(
        now: Time,
        group: &GroupSpec,
        name: &str,
        servers: Vec<(Arc<str>, u16)>,
        rng: Rng,
    ) -> Member {
        let mut config = Config::new(name, servers);
        config.group = Some(Arc::from(group.group_id.as_str()));
        config.assignors = match group.assignor.as_str() {
            "roundrobin" => alloc::vec![Assignor::RoundRobin],
            _ => alloc::vec![Assignor::Range],
        };
        config.session_timeout_ms = group.session_timeout_ms;
        // A third of the session, as Kafka advises, and never slower than its default.
        config.heartbeat_interval_ms = (group.session_timeout_ms / 3).clamp(100, 3_000);
        config.auto_commit = group.auto_commit;
        config.auto_commit_interval_ms = group.auto_commit_interval_ms;
        config.reset = match group.auto_offset_reset.as_str() {
            "earliest" => Reset::Earliest,
            "none" => Reset::None,
            _ => Reset::Latest,
        };
        let topics = group
            .topics
            .iter()
            .map(|topic| Arc::from(topic.as_str()))
            .collect();
        Member {
            group: Arc::from(group.group_id.as_str()),
            name: Arc::from(name),
            handled: 0,
            leaving: false,
            client: Consumer::new(config, Subscription::Topics(topics), rng),
            rate: group.rate,
            paused: group.paused,
            next: now,
            idle: now,
        }
    }

    /// The consumer, to look at.
    pub(crate) fn client(&self) -> &Consumer {
        &self.client
    }

    pub(crate) fn set_rate(&mut self, now: Time, rate: u32, paused: bool) {
        self.rate = rate;
        self.paused = paused;
        self.next = now;
    }

    pub(crate) fn seek(&mut self, topic: &str, partition: PartitionIndex, offset: Offset) {
        self.client.seek(topic, partition, Begin::At(offset));
    }

    /// Begins to leave; it is over when [`Member::is_gone`].
    pub(crate) fn leave(&mut self) {
        self.leaving = true;
        self.client.close();
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.leaving && self.client.is_closed()
    }

    pub(crate) fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        self.client.step(now, input, out);
        if !self.leaving && self.handle(now) {
            self.client.step(now, &Input::Timer, out);
        }
        while self.client.take_event().is_some() {}
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let handles = !self.leaving && !self.paused && self.client.has_records();
        let own = if handles { self.next } else { self.idle };
        let own = (!self.leaving).then_some(own);
        [own, self.client.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Handles what its rate allows; says whether it polled.
    fn handle(&mut self, now: Time) -> bool {
        let ready = !self.paused && self.client.has_records() && self.next <= now;
        if !ready {
            if self.idle > now {
                return false;
            }
            self.idle = now.plus_millis(IDLE_POLL_MS);
            self.client.poll_records(now, 0);
            return true;
        }
        let allowed = match self.rate {
            0 => POLL_RECORDS_MAX,
            rate => {
                let due = 1 + u128::from(now.since(self.next)) * u128::from(rate) / 1_000_000;
                u64::try_from(due).unwrap_or(u64::MAX).min(POLL_RECORDS_MAX)
            }
        };
        let got = self
            .client
            .poll_records(now, usize::try_from(allowed).unwrap_or(1))
            .len() as u64;
        self.handled += got;
        self.idle = now.plus_millis(IDLE_POLL_MS);
        self.next = match self.rate {
            0 => now,
            rate => now.plus_micros(1_000_000 / u64::from(rate)),
        };
        true
    }
}
