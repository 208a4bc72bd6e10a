//! Batches into requests, and answers back into tickets.

use super::batch::Batch;
use super::{Acks, Event, Producer};
use crate::io::Output;
use crate::net::{Loss, Node};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, NodeId, Offset, Time};
use sorted::SortedMap;
use wire::Str;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::{PartitionProduceResponse, ProduceResponse};

impl Producer {
    /// Sends what is ready, as far as connections, ids and limits allow.
    pub(super) fn pump(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.identity.renew(self.in_flight.is_empty()) {
            self.restart_sequences();
        }
        self.identity.pump(&mut self.net, now, out);
        if self.active.is_empty() || self.identity.current().is_none() {
            return;
        }
        // A node may take several requests in one step: as long as it takes one, go on.
        loop {
            let ready = self.ready_by_leader(now);
            let mut sent = false;
            for (leader, partitions) in ready {
                let node = Node::Broker(leader);
                if self.net.ready(now, node, out) {
                    sent |= self.send_to(now, node, &partitions, out);
                }
            }
            if !sent {
                return;
            }
        }
    }

    /// Partitions whose first batch may go now, by leader.
    fn ready_by_leader(&mut self, now: Time) -> SortedMap<NodeId, Vec<(u32, i32)>> {
        let mut ready: SortedMap<NodeId, Vec<(u32, i32)>> = SortedMap::new();
        let mut leaderless = false;
        let in_order = !self.identity.is_off();
        for &(number, partition) in &self.active {
            let Some(topic) = self.topics.get_mut(number as usize) else {
                continue;
            };
            let Some(queue) = topic.queues.get_mut(&partition) else {
                continue;
            };
            if !queue.is_ready(now, &self.config, self.flushing) {
                continue;
            }
            let known = self.net.metadata().partition(&topic.name, partition);
            match known.and_then(|known| known.leader) {
                Some(leader) if in_order && queue.under_way_to.is_some_and(|to| to != leader) => {
                    queue.held = true;
                }
                Some(leader) => ready.entry(leader).or_default().push((number, partition)),
                None => leaderless = true,
            }
        }
        if leaderless {
            self.net.refresh_metadata();
        }
        ready
    }

    /// When a node that is waited for may be connected to again.
    pub(super) fn blocked_until(&self) -> Option<Time> {
        let leader = |&(number, partition): &(u32, i32)| {
            let topic = self.topics.get(number as usize)?;
            let known = self.net.metadata().partition(&topic.name, partition)?;
            self.net.retry_at(Node::Broker(known.leader?))
        };
        // This is asked after every step, and nearly always no node is down.
        let active = self.net.has_node_down().then_some(&self.active);
        let nodes = active.into_iter().flatten().filter_map(leader);
        let identity = self
            .identity
            .deadline()
            .filter(|_| self.net.has_ready_node());
        nodes.chain(identity).min()
    }

    /// Sends one request with the first batches of these partitions.
    fn send_to(
        &mut self,
        now: Time,
        node: Node,
        partitions: &[(u32, i32)],
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(version) = self.net.version::<ProduceRequest>(node, i16::MAX) else {
            self.fail_unsupported(partitions);
            return false;
        };
        let (request, batches) = self.build_request(partitions, version);
        if batches.is_empty() {
            return false;
        }
        if let Node::Broker(node) = node {
            self.note_under_way(&batches, node);
        }
        if self.config.acks == Acks::None {
            self.net.send_unanswered(node, version, &request, out);
            for batch in batches {
                self.acknowledge(&batch, None);
            }
            return true;
        }
        match self.net.send(now, node, version, &request, out) {
            Some(correlation) => {
                self.in_flight.insert(correlation, batches);
                true
            }
            None => {
                for batch in batches {
                    self.retry(now, batch);
                }
                false
            }
        }
    }

    /// Notes whom batches go to.
    fn note_under_way(&mut self, batches: &[Batch], node: NodeId) {
        for batch in batches {
            let topic = self.topics.get_mut(batch.at.0 as usize);
            if let Some(queue) = topic.and_then(|topic| topic.queues.get_mut(&batch.at.1)) {
                queue.under_way_to = Some(node);
            }
        }
    }

    fn build_request(
        &mut self,
        partitions: &[(u32, i32)],
        version: i16,
    ) -> (ProduceRequest, Vec<Batch>) {
        let mut request = ProduceRequest {
            acks: match self.config.acks {
                Acks::None => 0,
                Acks::Leader => 1,
                Acks::All => -1,
            },
            timeout_ms: i32::try_from(self.config.net.request_timeout_ms).unwrap_or(i32::MAX),
            ..Default::default()
        };
        let mut batches = Vec::with_capacity(partitions.len());
        let mut size: u64 = 0;
        let mut last_topic = None;
        for &(number, partition) in partitions {
            let Some((batch, bytes)) = self.take_first(number, partition) else {
                continue;
            };
            size += bytes.len() as u64;
            if !batches.is_empty() && size > u64::from(self.config.max_request_size) {
                self.untake(batch);
                break;
            }
            if last_topic != Some(number) {
                last_topic = Some(number);
                request.topic_data.push(self.topic_data(number, version));
            }
            if let Some(topic) = request.topic_data.last_mut() {
                topic.partition_data.push(PartitionProduceData {
                    index: partition,
                    records: bytes.into(),
                    ..Default::default()
                });
            }
            batches.push(batch);
        }
        (request, batches)
    }

    fn topic_data(&self, number: u32, version: i16) -> TopicProduceData {
        let name = self
            .topics
            .get(number as usize)
            .map(|topic| topic.name.as_ref());
        let name = name.unwrap_or_default();
        let id = self.net.metadata().topic(name).map(|topic| topic.id);
        // From version 13 on the id names the topic; copying the name would be for nothing.
        let name = if version >= 13 {
            Str::EMPTY
        } else {
            Str::from(name)
        };
        TopicProduceData {
            name,
            topic_id: id.unwrap_or_default(),
            ..Default::default()
        }
    }

    /// Takes the first batch of a partition, gives it its sequence number and seals it.
    fn take_first(&mut self, number: u32, partition: i32) -> Option<(Batch, Bytes)> {
        let current = self.identity.current()?;
        let queue = self
            .topics
            .get_mut(number as usize)?
            .queues
            .get_mut(&partition)?;
        let mut batch = queue.batches.pop_front()?;
        if queue.batches.is_empty() {
            self.active.remove(&(number, partition));
        }
        let sequence = match batch.sequence {
            _ if self.identity.is_off() => {
                queue.counts_under = current;
                -1
            }
            Some(sequence) => sequence,
            None => {
                if queue.counts_under != current {
                    queue.counts_under = current;
                    queue.next_sequence = 0;
                }
                let first = queue.next_sequence;
                // Sequences wrap from i32::MAX to 0 (KIP-98).
                queue.next_sequence = first.wrapping_add(batch.count()) & i32::MAX;
                queue.open.push_back(first);
                batch.sequence = Some(first);
                first
            }
        };
        // Only what has sequence numbers can be kept in order.
        queue.held = batch.attempts > 0 && !self.identity.is_off();
        batch.attempts = batch.attempts.saturating_add(1);
        queue.in_flight += 1;
        let (id, epoch) = queue.counts_under;
        let bytes = batch.seal(id, epoch, sequence);
        Some((batch, bytes))
    }

    /// Puts back a batch that was taken and then not sent.
    fn untake(&mut self, mut batch: Batch) {
        batch.attempts = batch.attempts.saturating_sub(1);
        self.requeue(batch);
    }

    fn requeue(&mut self, batch: Batch) {
        let at = batch.at;
        let topic = self.topics.get_mut(at.0 as usize);
        if let Some(queue) = topic.and_then(|topic| topic.queues.get_mut(&at.1)) {
            queue.came_back();
            queue.put_back(batch);
            self.active.insert(at);
        }
    }

    fn fail_unsupported(&mut self, partitions: &[(u32, i32)]) {
        for &(number, partition) in partitions {
            while let Some((batch, _)) = self.take_first(number, partition) {
                let message =
                    "The broker does not support the version of Produce that this client needs.";
                self.finish(&batch);
                self.fail_batch(&batch, ErrorCode::UNSUPPORTED_VERSION, message);
            }
        }
    }

    /// Takes an answer to Produce in.
    pub(super) fn on_produced(&mut self, now: Time, correlation: i32, version: i16, frame: Bytes) {
        let Some(batches) = self.in_flight.remove(&correlation) else {
            return;
        };
        let response = wire::decode_response::<ProduceResponse>(frame, version);
        let answers = response
            .map(|(_, response)| response.responses)
            .unwrap_or_default();
        for batch in batches {
            let name = self
                .topics
                .get(batch.at.0 as usize)
                .map(|topic| topic.name.clone());
            let name = name.unwrap_or_else(|| "".into());
            let id = self.net.metadata().topic(&name).map(|topic| topic.id);
            let topic = answers.iter().find(|topic| {
                if version >= 13 {
                    Some(topic.topic_id) == id
                } else {
                    topic.name == *name
                }
            });
            let partition = topic.and_then(|topic| {
                let mut partitions = topic.partition_responses.iter();
                partitions.find(|partition| partition.index == batch.at.1)
            });
            match partition {
                Some(partition) => self.on_partition(now, batch, partition),
                // No answer for it: as if the connection had been lost.
                None => self.retry(now, batch),
            }
        }
    }

    fn on_partition(&mut self, now: Time, batch: Batch, answer: &PartitionProduceResponse) {
        let code = ErrorCode(answer.error_code);
        match code {
            ErrorCode::NONE => self.acknowledge(&batch, Some(answer.base_offset)),
            ErrorCode::DUPLICATE_SEQUENCE_NUMBER => self.acknowledge(&batch, None),
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID
                if !self.identity.is_off() =>
            {
                if self.is_next_in_sequence(&batch) {
                    self.spoil(&batch);
                }
                self.retry(now, batch);
            }
            ErrorCode::INVALID_PRODUCER_EPOCH if !self.identity.is_off() => {
                self.spoil(&batch);
                self.retry(now, batch);
            }
            code if is_passing(code) && batch.attempts <= self.config.retries => {
                self.net.refresh_metadata();
                self.retry(now, batch);
            }
            code => {
                let said = answer
                    .error_message
                    .as_ref()
                    .map(|message| message.as_str());
                let message = said.filter(|said| !said.is_empty());
                let message = message.unwrap_or_else(|| crate::errors::message(code));
                self.finish(&batch);
                if batch.sequence.is_some() {
                    self.spoil(&batch);
                }
                self.fail_batch(&batch, code, message);
            }
        }
    }

    /// Whether no earlier batch of the partition is open, so that the broker's view is what is wrong.
    fn is_next_in_sequence(&self, batch: &Batch) -> bool {
        let queue = self.queue(batch.at.0, batch.at.1);
        let first = queue.and_then(|queue| queue.open.front().copied());
        first.is_none() || first == batch.sequence
    }

    pub(super) fn on_lost(&mut self, now: Time, correlation: i32, loss: Loss) {
        let Some(batches) = self.in_flight.remove(&correlation) else {
            return;
        };
        for batch in batches {
            if batch.attempts <= self.config.retries {
                self.retry(now, batch);
                continue;
            }
            let code = match loss {
                Loss::Disconnected => ErrorCode::NETWORK_EXCEPTION,
                Loss::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
            };
            self.finish(&batch);
            if batch.sequence.is_some() {
                self.spoil(&batch);
            }
            self.fail_batch(&batch, code, crate::errors::message(code));
        }
    }

    fn retry(&mut self, now: Time, mut batch: Batch) {
        let wait = self.net.backoff(batch.attempts);
        batch.not_before = now.plus_millis(wait);
        self.requeue(batch);
    }

    /// Takes note that a batch is no longer under way and will not be sent again.
    fn finish(&mut self, batch: &Batch) {
        let topic = self.topics.get_mut(batch.at.0 as usize);
        if let Some(queue) = topic.and_then(|topic| topic.queues.get_mut(&batch.at.1)) {
            queue.came_back();
            if let Some(sequence) = batch.sequence {
                queue.open.retain(|&open| open != sequence);
            }
            queue.outlives &= !queue.open.is_empty();
        }
    }

    /// The sequence of this batch's partition has a gap: it begins again, with a new epoch.
    fn spoil(&mut self, batch: &Batch) {
        let topic = self.topics.get_mut(batch.at.0 as usize);
        if let Some(queue) = topic.and_then(|topic| topic.queues.get_mut(&batch.at.1)) {
            queue.spoiled = true;
        }
        self.identity.spoil();
    }

    fn acknowledge(&mut self, batch: &Batch, base: Option<i64>) {
        self.finish(batch);
        let base = base.filter(|&base| base >= 0);
        for (i, &(ticket, size)) in (0i64..).zip(&batch.tickets) {
            let offset = Offset(base.map_or(-1, |base| base.saturating_add(i)));
            let partition = batch.at.1;
            self.settle(
                u64::from(size),
                Event::Acked {
                    ticket,
                    partition,
                    offset,
                },
            );
        }
    }

    /// After a new epoch: where the sequence had a gap, every batch that waits gets a new number, from 0. In
    /// other partitions the broker may have what is not yet acknowledged, and would take it for new under new
    /// numbers: there the sequence ends first (KIP-360).
    fn restart_sequences(&mut self) {
        for topic in &mut self.topics {
            for queue in topic.queues.values_mut() {
                if !core::mem::take(&mut queue.spoiled) {
                    queue.outlives = !queue.open.is_empty();
                    continue;
                }
                queue.outlives = false;
                queue.open.clear();
                for batch in &mut queue.batches {
                    batch.sequence = None;
                }
            }
        }
    }
}

/// Whether sending again may help (`RetriableException` in Kafka's client).
fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CORRUPT_MESSAGE
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::REQUEST_TIMED_OUT
            | ErrorCode::REPLICA_NOT_AVAILABLE
            | ErrorCode::NETWORK_EXCEPTION
            | ErrorCode::NOT_ENOUGH_REPLICAS
            | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::UNKNOWN_LEADER_EPOCH
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID
            | ErrorCode::THROTTLING_QUOTA_EXCEEDED
    )
}
