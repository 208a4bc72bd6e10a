//! Topics of a producer, and what gathers for each partition.

use super::batch::{Batch, Record};
use super::choose::{Chooser, Partitioner};
use super::{Config, Event, Producer, Ticket};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use ids::{ErrorCode, NodeId, ProducerEpoch, ProducerId, Time};
use sorted::SortedMap;

/// A topic that records were given for.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    /// Records that wait for the topic to be known.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) chooser: Chooser,
    pub(super) queues: SortedMap<i32, Queue>,
}

#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) since: Time,
    ticket: Ticket,
    record: Record,
}

/// Batches of one partition, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    pub(super) batches: VecDeque<Batch>,
    /// The producer id and epoch that its sequence numbers count under.
    pub(super) counts_under: (ProducerId, ProducerEpoch),
    /// The sequence number of the next record that has none.
    pub(super) next_sequence: i32,
    /// Batches of this partition under way.
    pub(super) in_flight: u32,
    /// Sequence numbers of first records of batches under way or waiting to be sent again, to tell
    /// whether an earlier one is still open.
    pub(super) open: VecDeque<i32>,
    /// Its sequence has a gap, or the broker thinks so: it begins again with the next epoch.
    pub(super) spoiled: bool,
    /// There is a later epoch, and batches are open that have numbers of the earlier one. The broker may have
    /// them, so they keep their numbers, and what has none waits until they are settled.
    pub(super) outlives: bool,
    /// Whom its batches are under way to.
    pub(super) under_way_to: Option<NodeId>,
    /// Its batches are under way to who leads no longer, or are sent again: what follows must not overtake
    /// them, or the new leader forgets that it has them before they come to it.
    pub(super) held: bool,
}

impl Queue {
    /// One of its batches is no longer under way.
    pub(super) fn came_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.in_flight == 0 {
            self.under_way_to = None;
            self.held = false;
        }
    }

    /// Whether the first batch may go now.
    pub(super) fn is_ready(&self, now: Time, config: &Config, flushing: bool) -> bool {
        self.ready_at(config, flushing).is_some_and(|at| at <= now)
    }

    /// When the first batch may go; `None` while an earlier one must come back first.
    fn ready_at(&self, config: &Config, flushing: bool) -> Option<Time> {
        let batch = self.batches.front()?;
        if batch.attempts > 0 {
            // A batch that is sent again goes alone, so that order is kept.
            return (self.in_flight == 0).then_some(batch.not_before);
        }
        if self.outlives || self.held {
            return None;
        }
        let full = self.batches.len() > 1 || batch.size() >= u64::from(config.batch_size);
        if full || flushing {
            return Some(Time(0));
        }
        Some(batch.created.plus_micros(config.linger_us))
    }

    /// When something must be done about the first batch.
    pub(super) fn deadline(&self, config: &Config, flushing: bool) -> Option<Time> {
        let first = self.batches.front()?;
        let give_up = first
            .created
            .plus_millis(u64::from(config.delivery_timeout_ms));
        Some(
            self.ready_at(config, flushing)
                .map_or(give_up, |at| at.min(give_up)),
        )
    }

    /// Puts a batch back in the order of the sequence.
    pub(super) fn put_back(&mut self, batch: Batch) {
        let earlier = |queued: &Batch| match (queued.sequence, batch.sequence) {
            (Some(queued), Some(ours)) => ours.wrapping_sub(queued) > 0,
            _ => queued.attempts > 0 && queued.created <= batch.created,
        };
        let at = self
            .batches
            .iter()
            .take_while(|queued| earlier(queued))
            .count();
        self.batches.insert(at, batch);
    }
}

impl Topic {
    pub(super) fn new(name: Arc<str>, batch_size: u32) -> Topic {
        Topic {
            name,
            waiting: VecDeque::new(),
            chooser: Chooser::new(batch_size),
            queues: SortedMap::new(),
        }
    }
}

impl Producer {
    /// Puts a record into its partition's last batch, or lets it wait for its topic to be known.
    pub(super) fn place(&mut self, now: Time, number: u32, ticket: Ticket, record: Record) {
        let Some(topic) = self.topics.get_mut(number as usize) else {
            return;
        };
        let known = self.net.metadata().topic(&topic.name);
        let partitions = known.map_or(0, |known| known.partitions.len());
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        let named_beyond = record
            .partition
            .is_some_and(|partition| partition >= partitions);
        let known = known.filter(|_| partitions > 0 && !named_beyond);
        let Some(known) = known else {
            let since = now;
            topic.waiting.push_back(Waiting {
                since,
                ticket,
                record,
            });
            return;
        };
        let partition = match record.partition {
            Some(partition) => partition.max(0),
            None => {
                let (key, partitioner) = (record.key.as_deref(), self.config.partitioner);
                topic.chooser.choose(partitioner, key, known, &mut self.rng)
            }
        };
        let queue = topic.queues.entry(partition).or_default();
        let limit = self.config.batch_size;
        let last = queue.batches.back();
        if !last.is_some_and(|last| last.has_room(&record, limit)) {
            let batch = Batch::new((number, partition), now, self.config.compression);
            queue.batches.push_back(batch);
        }
        if let Some(last) = queue.batches.back_mut() {
            let size = last.push(now, ticket, &record);
            let keyless = record.key.is_none() || self.config.partitioner == Partitioner::Sticky;
            if record.partition.is_none() && keyless {
                topic.chooser.sent(size, last.size() >= u64::from(limit));
            }
        }
        self.active.insert((number, partition));
    }

    /// Tries again to place what waits, after new metadata.
    pub(super) fn place_waiting(&mut self, now: Time) {
        for number in 0..self.topics.len() {
            let Some(topic) = self.topics.get_mut(number) else {
                return;
            };
            let waiting = core::mem::take(&mut topic.waiting);
            let name = topic.name.clone();
            let error = self
                .net
                .metadata()
                .topics
                .get(&name)
                .map(|topic| topic.error);
            if error == Some(ErrorCode::INVALID_TOPIC_EXCEPTION) {
                let message = format!("Invalid topics: [{name}]");
                for waiting in waiting {
                    self.fail_waiting(waiting, ErrorCode::INVALID_TOPIC_EXCEPTION, &message);
                }
                continue;
            }
            for Waiting {
                since,
                ticket,
                record,
            } in waiting
            {
                self.place(
                    now,
                    u32::try_from(number).unwrap_or(u32::MAX),
                    ticket,
                    record,
                );
                if let Some(last) = self.topics[number].waiting.back_mut()
                    && last.ticket == ticket
                {
                    last.since = since;
                }
            }
        }
    }

    /// Gives up what has waited for too long.
    pub(super) fn expire(&mut self, now: Time) {
        let block = u64::from(self.config.max_block_ms);
        for number in 0..self.topics.len() {
            loop {
                let topic = &mut self.topics[number];
                let late = |w: &Waiting| w.since.plus_millis(block) <= now;
                if !topic.waiting.front().is_some_and(late) {
                    break;
                }
                let name = topic.name.clone();
                let Some(waiting) = topic.waiting.pop_front() else {
                    break;
                };
                let message = format!(
                    "Topic {name} not present in metadata after {} ms.",
                    self.config.max_block_ms
                );
                self.fail_waiting(waiting, ErrorCode::REQUEST_TIMED_OUT, &message);
            }
        }
        self.expire_batches(now);
    }

    fn expire_batches(&mut self, now: Time) {
        let timeout = u64::from(self.config.delivery_timeout_ms);
        let late = |batch: &Batch| batch.created.plus_millis(timeout) <= now;
        let is_late = |at: &(u32, i32)| {
            let queue = self.queue(at.0, at.1);
            queue
                .and_then(|queue| queue.batches.front())
                .is_some_and(late)
        };
        let late_queues: alloc::vec::Vec<_> = self.active.iter().copied().filter(is_late).collect();
        for (number, partition) in late_queues {
            let topic = &mut self.topics[number as usize];
            let name = topic.name.clone();
            let Some(queue) = topic.queues.get_mut(&partition) else {
                continue;
            };
            let Some(batch) = queue.batches.pop_front() else {
                continue;
            };
            if queue.batches.is_empty() {
                self.active.remove(&(number, partition));
            }
            if batch.sequence.is_some() {
                // Whether the broker has it is unknown, so the sequence cannot go on.
                queue.spoiled = true;
                self.identity.spoil();
            }
            let message = format!(
                "Expiring {} record(s) for {name}-{partition}:{} ms has passed since batch creation",
                batch.tickets.len(),
                now.since(batch.created) / 1000
            );
            self.fail_batch(&batch, ErrorCode::REQUEST_TIMED_OUT, &message);
        }
    }

    fn fail_waiting(&mut self, waiting: Waiting, code: ErrorCode, message: &str) {
        let size = waiting.record.size_bound();
        let ticket = waiting.ticket;
        let message = Arc::from(message);
        self.settle(
            size,
            Event::Failed {
                ticket,
                code,
                message,
            },
        );
    }
}
