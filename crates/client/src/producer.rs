//! A producer as Kafka's own clients are: batches per partition, idempotent, retrying, in order.
//!
//! The owner gives records with [`Producer::send`] and gets a [`Ticket`] for each; [`Producer::step`] does
//! the rest, and [`Producer::take_event`] tells what became of every ticket, once. Of the errors that a
//! batch can meet, those that pass are retried with the same sequence numbers until
//! `delivery.timeout.ms`; a gap in the sequence makes the producer take a new epoch (KIP-360).
//! Not here: transactions, splitting a batch that the broker finds too large.

mod batch;
mod choose;
mod identity;
mod partition;
mod sender;

pub use batch::{Header, Record};
pub use choose::Partitioner;

use crate::io::{Input, Output};
use crate::net::{self, Net};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use batch::Batch;
use codecs::Compression;
use identity::Identity;
use ids::{ErrorCode, Offset, Rng, Time};
use partition::Topic;
use sorted::{SortedMap, SortedSet};

/// When a record counts as sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Acks {
    /// `0`: as soon as it is on its way.
    None,
    /// `1`: when the leader has it.
    Leader,
    /// `all`: when every in-sync replica has it.
    #[default]
    All,
}

/// What a producer is set to; defaults are Kafka's own.
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections and metadata.
    pub net: net::Config,
    /// `acks`.
    pub acks: Acks,
    /// `enable.idempotence`; has no effect unless acks is all.
    pub idempotence: bool,
    /// `batch.size` in bytes.
    pub batch_size: u32,
    /// `linger.ms`, here in microseconds.
    pub linger_us: u64,
    /// `buffer.memory` in bytes.
    pub buffer_memory: u64,
    /// `max.request.size` in bytes.
    pub max_request_size: u32,
    /// `max.block.ms`: how long a record waits for its topic to be known.
    pub max_block_ms: u32,
    /// `delivery.timeout.ms`.
    pub delivery_timeout_ms: u32,
    /// `retries`.
    pub retries: u32,
    /// `compression.type`.
    pub compression: Compression,
    /// How records without a partition get one.
    pub partitioner: Partitioner,
}

impl Config {
    /// Kafka's defaults.
    #[must_use]
    pub fn new(client_id: &str, bootstrap: Vec<(Arc<str>, u16)>) -> Config {
        Config {
            net: net::Config::new(client_id, bootstrap),
            acks: Acks::All,
            idempotence: true,
            batch_size: 16_384,
            linger_us: 5_000,
            buffer_memory: 32 * 1024 * 1024,
            max_request_size: 1024 * 1024,
            max_block_ms: 60_000,
            delivery_timeout_ms: 120_000,
            retries: i32::MAX.unsigned_abs(),
            compression: Compression::None,
            partitioner: Partitioner::default(),
        }
    }
}

/// Names one record given to [`Producer::send`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// What became of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It is stored as `acks` asks.
    Acked {
        /// Which record.
        ticket: Ticket,
        /// The partition it went to.
        partition: i32,
        /// Its offset; -1 when the broker does not say (acks=0, a duplicate).
        offset: Offset,
    },
    /// It was given up.
    Failed {
        /// Which record.
        ticket: Ticket,
        /// Why, as the broker or Kafka's own client numbers it.
        code: ErrorCode,
        /// The same in words.
        message: Arc<str>,
    },
}

/// Why a record was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The buffer is full; send again when events have come in.
    BufferFull,
    /// The record alone is larger than `max.request.size`; Kafka's sentence about it.
    TooLarge(String),
    /// The producer is closing.
    Closed,
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    config: Config,
    net: Net,
    rng: Rng,
    topics: Vec<Topic>,
    by_name: SortedMap<Arc<str>, u32>,
    /// Partitions with batches that wait, as (topic's number, partition).
    active: SortedSet<(u32, i32)>,
    identity: Identity,
    in_flight: SortedMap<i32, Vec<Batch>>,
    events: VecDeque<Event>,
    next_ticket: u64,
    buffered: u64,
    /// Records taken and not yet told about.
    unsettled: u64,
    flushing: bool,
    closed: bool,
    seen_metadata: u64,
}

impl Producer {
    /// A producer that has not connected to anything yet.
    #[must_use]
    pub fn new(config: Config, mut rng: Rng) -> Producer {
        let identity = Identity::new(config.idempotence && config.acks == Acks::All);
        Producer {
            net: Net::new(config.net.clone(), rng.fork()),
            rng,
            config,
            topics: Vec::new(),
            by_name: SortedMap::new(),
            active: SortedSet::new(),
            identity,
            in_flight: SortedMap::new(),
            events: VecDeque::new(),
            next_ticket: 0,
            buffered: 0,
            unsettled: 0,
            flushing: false,
            closed: false,
            seen_metadata: 0,
        }
    }

    /// Takes a record. It is sent by a later [`Producer::step`]; give it `Input::Timer` after a round of sends.
    ///
    /// # Errors
    /// When it is too large, there is no room, or the producer is closing.
    pub fn send(&mut self, now: Time, record: Record) -> Result<Ticket, Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        let size = record.size_bound();
        let limit = u64::from(self.config.max_request_size);
        let serialized = record.serialized_bound();
        if serialized > limit {
            return Err(Refused::TooLarge(alloc::format!(
                "The message is {serialized} bytes when serialized which is larger than {limit}, which is the value of the max.request.size configuration."
            )));
        }
        if serialized > self.config.buffer_memory {
            return Err(Refused::TooLarge(alloc::format!(
                "The message is {serialized} bytes when serialized which is larger than the total memory buffer you have configured with the buffer.memory configuration."
            )));
        }
        if self.buffered.saturating_add(size) > self.config.buffer_memory {
            return Err(Refused::BufferFull);
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.buffered += size;
        self.unsettled += 1;
        let topic = self.topic_number(&record.topic);
        self.place(now, topic, ticket, record);
        Ok(ticket)
    }

    /// The next thing that became of a record.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends what has gathered without waiting for `linger.ms`, until everything is settled.
    pub fn flush(&mut self) {
        self.flushing = true;
    }

    /// Takes no more records; those taken are still sent.
    pub fn close(&mut self) {
        self.closed = true;
        self.flushing = true;
    }

    /// Whether every record taken has been acknowledged or given up.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unsettled == 0
    }

    /// Connections and metadata, to look at.
    #[must_use]
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// What the producer is set to.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes what may change while it runs: acks stays as it is.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let acks = self.config.acks;
        change(&mut self.config);
        self.config.acks = acks;
    }

    /// Takes in what happened, then does what is due.
    pub fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        self.net.step(now, input, out);
        while let Some(event) = self.net.take_event() {
            match event {
                net::Event::Reply {
                    correlation,
                    version,
                    frame,
                } => {
                    if !self
                        .identity
                        .on_reply(&mut self.net, now, correlation, version, &frame)
                    {
                        self.on_produced(now, correlation, version, frame);
                    }
                }
                net::Event::Lost { correlation, loss } => {
                    if !self.identity.on_lost(correlation) {
                        self.on_lost(now, correlation, loss);
                    }
                }
                net::Event::Metadata => {}
            }
        }
        if self.net.metadata().updates != self.seen_metadata {
            self.seen_metadata = self.net.metadata().updates;
            self.place_waiting(now);
        }
        self.expire(now);
        self.pump(now, out);
        if self.unsettled == 0 && !self.closed {
            self.flushing = false;
        }
    }

    /// When [`Producer::step`] wants to be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let active = self.active.iter().filter_map(|&(topic, partition)| {
            self.queue(topic, partition)?
                .deadline(&self.config, self.flushing)
        });
        let waiting = self.topics.iter().filter_map(|topic| topic.waiting.front());
        let block = u64::from(self.config.max_block_ms);
        let waiting = waiting.map(|waiting| waiting.since.plus_millis(block));
        let network = self
            .net
            .next_deadline()
            .into_iter()
            .chain(self.blocked_until());
        self.net.ahead(active.chain(waiting).chain(network))
    }

    /// Closes every connection; unsettled records are never told about.
    pub fn disconnect(&mut self, out: &mut Vec<Output>) {
        self.net.close(out);
        self.in_flight.clear();
    }

    fn topic_number(&mut self, name: &Arc<str>) -> u32 {
        if let Some(&number) = self.by_name.get(name.as_ref()) {
            return number;
        }
        let number = u32::try_from(self.topics.len()).unwrap_or(u32::MAX);
        let batch_size = self.config.batch_size;
        self.topics.push(Topic::new(name.clone(), batch_size));
        self.by_name.insert(name.clone(), number);
        self.net.add_topic(name);
        number
    }

    fn queue(&self, topic: u32, partition: i32) -> Option<&partition::Queue> {
        let topic = self.topics.get(usize::try_from(topic).ok()?)?;
        topic.queues.get(&partition)
    }

    fn settle(&mut self, size: u64, event: Event) {
        self.buffered = self.buffered.saturating_sub(size);
        self.unsettled = self.unsettled.saturating_sub(1);
        self.events.push_back(event);
    }

    /// Gives up all records of a batch.
    fn fail_batch(&mut self, batch: &Batch, code: ErrorCode, message: &str) {
        let message: Arc<str> = Arc::from(message);
        for &(ticket, size) in &batch.tickets {
            let message = message.clone();
            self.settle(
                u64::from(size),
                Event::Failed {
                    ticket,
                    code,
                    message,
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, Machine, TOPIC};
    use records::BatchView;

    impl Machine for Producer {
        fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
            Producer::step(self, now, input, out);
        }
        fn next_deadline(&self) -> Option<Time> {
            Producer::next_deadline(self)
        }
    }

    fn producer(change: impl FnOnce(&mut Config)) -> Producer {
        let mut config = Config::new("test", alloc::vec![("localhost".into(), 9092)]);
        change(&mut config);
        Producer::new(config, Rng::new(1))
    }

    fn send(producer: &mut Producer, fake: &Fake, text: &str) -> Ticket {
        let record = Record::new(TOPIC.into(), Bytes::copy_from_slice(text.as_bytes()));
        producer.send(fake.now, record).unwrap()
    }

    fn send_to(producer: &mut Producer, fake: &Fake, partition: i32) {
        let mut record = Record::new(TOPIC.into(), Bytes::from_static(b"x"));
        record.partition = Some(partition);
        producer.send(fake.now, record).unwrap();
    }

    fn settle(producer: &mut Producer, fake: &mut Fake) -> Vec<Event> {
        fake.run(producer, |_, producer| producer.is_settled());
        core::iter::from_fn(|| producer.take_event()).collect()
    }

    use bytes::Bytes;

    #[test]
    fn a_record_takes_api_versions_metadata_init_producer_id_and_produce() {
        let (mut producer, mut fake) = (producer(|_| {}), Fake::new(1));
        let ticket = send(&mut producer, &fake, "one");
        let events = settle(&mut producer, &mut fake);
        assert_eq!(fake.seen, [18, 3, 22, 0]);
        assert_eq!(
            events,
            [Event::Acked {
                ticket,
                partition: 0,
                offset: Offset(0)
            }]
        );
        let (_, batch) = &fake.logs[&0].0[0];
        let batch = BatchView::parse(batch).unwrap();
        assert_eq!((batch.producer_id.0, batch.base_sequence), (4, 0));
    }

    #[test]
    fn an_older_broker_is_asked_again_in_its_own_version() {
        let (mut producer, mut fake) = (producer(|_| {}), Fake::new(1));
        fake.api_versions_max = 2;
        send(&mut producer, &fake, "one");
        assert_eq!(settle(&mut producer, &mut fake).len(), 1);
        assert_eq!(fake.seen[..2], [18, 18]);
    }

    #[test]
    fn records_within_the_linger_share_a_batch() {
        let (mut producer, mut fake) = (producer(|_| {}), Fake::new(1));
        for text in ["a", "b", "c"] {
            send(&mut producer, &fake, text);
        }
        let events = settle(&mut producer, &mut fake);
        let offsets = events.iter().map(|event| match event {
            Event::Acked { offset, .. } => offset.0,
            Event::Failed { message, .. } => panic!("{message}"),
        });
        assert_eq!(offsets.collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(fake.logs[&0].0.len(), 1);
    }

    #[test]
    fn a_passing_error_is_retried_with_the_same_sequence() {
        let (mut producer, mut fake) = (producer(|_| {}), Fake::new(1));
        fake.produce_errors.extend([6, 7]);
        let ticket = send(&mut producer, &fake, "one");
        let events = settle(&mut producer, &mut fake);
        assert_eq!(
            events,
            [Event::Acked {
                ticket,
                partition: 0,
                offset: Offset(0)
            }]
        );
        assert_eq!(fake.seen.iter().filter(|&&api| api == 0).count(), 3);
        let batch = BatchView::parse(&fake.logs[&0].0[0].1)
            .unwrap()
            .base_sequence;
        assert_eq!(batch, 0);
    }

    #[test]
    fn a_refused_batch_fails_with_kafkas_words_and_the_next_one_begins_a_new_epoch() {
        let (mut producer, mut fake) = (producer(|_| {}), Fake::new(1));
        fake.produce_errors
            .push_back(ErrorCode::MESSAGE_TOO_LARGE.0);
        send(&mut producer, &fake, "one");
        let events = settle(&mut producer, &mut fake);
        let Event::Failed { code, message, .. } = &events[0] else {
            panic!("the record was acknowledged");
        };
        assert_eq!(*code, ErrorCode::MESSAGE_TOO_LARGE);
        assert!(message.starts_with("The request included a message larger"));
        send(&mut producer, &fake, "two");
        assert_eq!(settle(&mut producer, &mut fake).len(), 1);
        let batch = &fake.logs[&0].0[0].1;
        let batch = BatchView::parse(batch).unwrap();
        assert_eq!((batch.producer_epoch.0, batch.base_sequence), (1, 0));
    }

    #[test]
    fn a_new_epoch_leaves_alone_what_another_partition_may_have() {
        let (mut producer, mut fake) = (producer(|_| {}), Fake::new(2));
        // The first partition refuses its batch; the second has appended its own, and says so late.
        fake.produce_errors.extend([
            ErrorCode::MESSAGE_TOO_LARGE.0,
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND.0,
        ]);
        for partition in [0, 1] {
            send_to(&mut producer, &fake, partition);
        }
        settle(&mut producer, &mut fake);
        for partition in [0, 1] {
            send_to(&mut producer, &fake, partition);
        }
        settle(&mut producer, &mut fake);
        let marks = |partition: i32| {
            let batches = fake.logs[&partition].0.iter();
            let marks = batches.map(|(_, batch)| {
                let batch = BatchView::parse(batch).unwrap();
                (batch.producer_epoch.0, batch.base_sequence)
            });
            marks.collect::<Vec<_>>()
        };
        assert_eq!(marks(0), [(1, 0)]);
        assert_eq!(marks(1), [(0, 0), (1, 0)]);
    }

    #[test]
    fn acks_zero_is_settled_as_soon_as_it_is_sent() {
        let (mut producer, mut fake) = (producer(|config| config.acks = Acks::None), Fake::new(1));
        let ticket = send(&mut producer, &fake, "one");
        let events = settle(&mut producer, &mut fake);
        assert_eq!(
            events,
            [Event::Acked {
                ticket,
                partition: 0,
                offset: Offset(-1)
            }]
        );
        assert_eq!(fake.seen, [18, 3, 0]);
    }

    #[test]
    fn a_topic_that_never_appears_fails_after_max_block() {
        let (mut producer, mut fake) = (producer(|_| {}), Fake::new(1));
        let record = Record::new("nope".into(), Bytes::new());
        producer.send(fake.now, record).unwrap();
        let events = settle(&mut producer, &mut fake);
        let Event::Failed { message, .. } = &events[0] else {
            panic!("the record was acknowledged");
        };
        assert_eq!(
            &**message,
            "Topic nope not present in metadata after 60000 ms."
        );
    }

    #[test]
    fn five_requests_are_in_flight_and_sequences_follow_each_other() {
        let config = |config: &mut Config| config.batch_size = 1;
        let (mut producer, mut fake) = (producer(config), Fake::new(1));
        for _ in 0..20 {
            send(&mut producer, &fake, "x");
        }
        assert_eq!(settle(&mut producer, &mut fake).len(), 20);
        let sequence = |(_, batch): &(i64, Bytes)| BatchView::parse(batch).unwrap().base_sequence;
        let sequences: Vec<i32> = fake.logs[&0].0.iter().map(sequence).collect();
        assert_eq!(sequences, (0..20).collect::<Vec<_>>());
    }
}
