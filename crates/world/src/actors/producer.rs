//! A producer on the stage: a real producer, and someone who gives it records.

use crate::command::{Acks, Codec, KeyMode, Line, PartitionerSpec, ProducerChange};
use crate::scenario::ProducerSpec;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use client::io::{Input, Output};
use client::producer::{self, Event, Partitioner, Producer, Record, Refused};
use codecs::Compression;
use ids::{Rng, Time};

/// Records given in one go at most; a burst beyond waits a millisecond.
const BURST_MAX: u64 = 2_000;
/// Lines that may wait to be sent; more are refused.
pub(crate) const LINES_MAX: usize = 1_000_000;
/// A value as long as it may get by padding.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// A producer with its source of records.
#[derive(Clone, Debug)]
pub(crate) struct ProducerActor {
    pub(crate) spec: ProducerSpec,
    /// Records acknowledged, or sent where nothing is acknowledged.
    pub(crate) sent: u64,
    /// Records given up.
    pub(crate) failed: u64,
    client: Producer,
    /// Where it looks for its brokers.
    servers: Vec<(Arc<str>, u16)>,
    topic: Arc<str>,
    rng: Rng,
    /// The running number of the next record.
    number: u64,
    /// Since when records come at the present rate, and how many have come since.
    rate_since: Time,
    rate_given: u64,
    lines: VecDeque<Line>,
    /// The buffer was full; nothing is given before this.
    blocked_until: Option<Time>,
}

impl ProducerActor {
    pub(crate) fn new(
        now: Time,
        spec: ProducerSpec,
        servers: Vec<(Arc<str>, u16)>,
        mut rng: Rng,
    ) -> ProducerActor {
        let client = Producer::new(config(&spec, &servers), rng.fork());
        ProducerActor {
            topic: Arc::from(spec.topic.as_str()),
            client,
            spec,
            servers,
            sent: 0,
            failed: 0,
            rng,
            number: 0,
            rate_since: now,
            rate_given: 0,
            lines: VecDeque::new(),
            blocked_until: None,
        }
    }

    /// Takes lines to send, also while paused; says whether there is room for them.
    pub(crate) fn send(&mut self, lines: &[Line]) -> bool {
        if self.lines.len() + lines.len() > LINES_MAX {
            return false;
        }
        self.lines.extend(lines.iter().cloned());
        true
    }

    /// Changes what is given. What cannot change while a producer runs makes it begin anew.
    pub(crate) fn change(&mut self, now: Time, change: &ProducerChange, out: &mut Vec<Output>) {
        let before = self.spec.clone();
        apply(&mut self.spec, change);
        self.topic = Arc::from(self.spec.topic.as_str());
        self.rate_since = now;
        self.rate_given = 0;
        let anew = before.acks != self.spec.acks || before.idempotent != self.spec.idempotent;
        if anew {
            self.client.disconnect(out);
            self.client = Producer::new(config(&self.spec, &self.servers), self.rng.fork());
            self.client.step(now, &Input::Start, out);
        } else {
            let wanted = config(&self.spec, &self.servers);
            self.client.configure(|config| {
                config.batch_size = wanted.batch_size;
                config.linger_us = wanted.linger_us;
                config.compression = wanted.compression;
                config.partitioner = wanted.partitioner;
            });
        }
    }

    pub(crate) fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        self.client.step(now, input, out);
        if self.give(now) {
            self.client.step(now, &Input::Timer, out);
        }
        while let Some(event) = self.client.take_event() {
            match event {
                Event::Acked { .. } => self.sent += 1,
                Event::Failed { .. } => self.failed += 1,
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let own = match self.blocked_until {
            Some(until) => Some(until),
            None if !self.lines.is_empty() => Some(self.rate_since),
            None => self.next_record(),
        };
        [own, self.client.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the next record of the rate is due.
    fn next_record(&self) -> Option<Time> {
        if self.spec.paused || self.spec.rate == 0 {
            return None;
        }
        // 64 bits hold half a million years at the highest rate; 128 are slow on wasm32.
        let micros = (self.rate_given + 1).saturating_mul(1_000_000) / u64::from(self.spec.rate);
        Some(self.rate_since.plus_micros(micros))
    }

    /// Gives the client what is due; says whether there was anything.
    fn give(&mut self, now: Time) -> bool {
        if self.blocked_until.is_some_and(|until| until > now) {
            return false;
        }
        self.blocked_until = None;
        let mut given = 0;
        while given < BURST_MAX
            && let Some(line) = self.lines.front()
        {
            let record = Record {
                key: line
                    .key
                    .as_ref()
                    .map(|key| Bytes::copy_from_slice(key.as_bytes())),
                ..Record::new(
                    self.topic.clone(),
                    Bytes::copy_from_slice(line.value.as_bytes()),
                )
            };
            if !self.hand_over(now, record) {
                return given > 0;
            }
            self.lines.pop_front();
            given += 1;
        }
        while given < BURST_MAX && self.next_record().is_some_and(|due| due <= now) {
            let record = self.make(now);
            if !self.hand_over(now, record) {
                return given > 0;
            }
            self.rate_given += 1;
            self.number += 1;
            given += 1;
        }
        if given == BURST_MAX {
            self.blocked_until = Some(now.plus_millis(1));
        }
        given > 0
    }

    /// `false` when the client has no room: it is tried again in a while.
    fn hand_over(&mut self, now: Time, mut record: Record) -> bool {
        if let PartitionerSpec::Manual { partition } = self.spec.partitioner {
            record.partition = Some(partition);
        }
        match self.client.send(now, record) {
            Ok(_) => true,
            Err(Refused::BufferFull) => {
                self.blocked_until = Some(now.plus_millis(10));
                false
            }
            Err(Refused::TooLarge(_) | Refused::Closed) => {
                self.failed += 1;
                true
            }
        }
    }

    fn make(&mut self, now: Time) -> Record {
        let key = match &self.spec.key {
            KeyMode::None => None,
            KeyMode::Cycle { keys } => Some(format!(
                "guest-{}",
                self.number % u64::from((*keys).max(1)) + 1
            )),
            KeyMode::Fixed { key } => Some(key.clone()),
        };
        let value = self.value(now, key.as_deref().unwrap_or(""));
        Record {
            key: key.map(|key| Bytes::from(key.into_bytes())),
            ..Record::new(self.topic.clone(), value)
        }
    }

    fn value(&mut self, now: Time, key: &str) -> Bytes {
        let wanted = (self.spec.value_size as usize).min(VALUE_BYTES_MAX);
        let room = self.spec.value_template.len() + 16;
        let mut text = String::with_capacity(room.max(wanted));
        let mut rest = self.spec.value_template.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (name, tail) = after.split_once('}').unwrap_or((after, ""));
            match name {
                "n" => text.push_str(&self.number.to_string()),
                "key" => text.push_str(key),
                "time" => text.push_str(&now.millis().to_string()),
                "random" => text.push_str(&self.rng.below(1000).to_string()),
                // Anything else is text, such as JSON's own braces.
                _ => {
                    text.push('{');
                    rest = after;
                    continue;
                }
            }
            rest = tail;
        }
        text.push_str(rest);
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len().max(wanted), b'.');
        Bytes::from(bytes)
    }
}

fn config(spec: &ProducerSpec, servers: &[(Arc<str>, u16)]) -> producer::Config {
    let mut config = producer::Config::new(&spec.name, servers.to_vec());
    config.acks = match spec.acks {
        Acks::All => producer::Acks::All,
        Acks::Leader => producer::Acks::Leader,
        Acks::None => producer::Acks::None,
    };
    config.idempotence = spec.idempotent;
    config.batch_size = spec.batch_size;
    config.linger_us = u64::from(spec.linger_ms) * 1000;
    config.compression = match spec.compression {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    };
    config.partitioner = match spec.partitioner {
        PartitionerSpec::Key | PartitionerSpec::Manual { .. } => Partitioner::Default,
        PartitionerSpec::Sticky => Partitioner::Sticky,
        PartitionerSpec::RoundRobin => Partitioner::RoundRobin,
    };
    config
}

fn apply(spec: &mut ProducerSpec, change: &ProducerChange) {
    macro_rules! set {
        ($($field:ident),*) => {
            $(if let Some(value) = &change.$field { spec.$field = value.clone(); })*
        };
    }
    set!(
        topic,
        rate,
        value_template,
        value_size,
        key,
        partitioner,
        acks,
        idempotent,
        batch_size,
        linger_ms,
        compression,
        paused
    );
}
