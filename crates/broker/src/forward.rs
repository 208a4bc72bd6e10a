//! What only the controller can decide: requests passed on, and blocks of producer ids.

use crate::api;
use crate::broker::{Broker, Cx, Handled};
use crate::event::{Effect, Reply};
use crate::waiting::{Caller, Parked, WaitId};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, Time, Token};
use metadata::OFFSETS_TOPIC;
use sorted::SortedMap;
use wire::Str;
use wire::allocate_producer_ids_request::AllocateProducerIdsRequest;
use wire::allocate_producer_ids_response::AllocateProducerIdsResponse;
use wire::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};

/// Version in which the broker asks for topics.
const CREATE_TOPICS_VERSION: i16 = 7;

/// How long a client waits for the controller before it is told to try again.
const FORWARD_TIMEOUT_MS: u64 = 30_000;

/// A request that waits for the controller.
#[derive(Clone, Debug)]
pub(crate) enum PendingForward {
    /// The controller's answer is the client's answer.
    Forwarded,
    /// `InitProducerId` waits for a block of ids.
    ProducerId,
}

/// The block of producer ids this broker gives out, and who waits for the next one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProducerIds {
    next: i64,
    end: i64,
    asked: Option<Token>,
    waiting: Vec<WaitId>,
    /// Forwarded requests by the token of the question.
    forwarded: SortedMap<Token, WaitId>,
}

impl Broker {
    /// Passes a client's frame on to the controller as it came.
    pub(crate) fn forward(&mut self, cx: &mut Cx<'_>, frame: Bytes) -> Handled {
        let id = self.waiting.next_id();
        let token = self.next_token();
        self.producer_ids.forwarded.insert(token, id);
        let deadline = cx.now.plus_millis(FORWARD_TIMEOUT_MS);
        self.waiting.park(
            id,
            cx.caller,
            Some(deadline),
            Parked::Forward(PendingForward::Forwarded),
        );
        cx.out.push(Effect::Ask { token, frame });
        Handled::Parked(id)
    }

    /// Whether a topic that a client names may be created on the way.
    pub(crate) fn may_auto_create(&self) -> bool {
        self.configs()
            .broker("auto.create.topics.enable")
            .is_some_and(|found| found.value == "true")
    }

    /// Asks the controller to create topics with the defaults; nobody waits for the answer,
    /// clients ask for their metadata again.
    pub(crate) fn auto_create(&mut self, names: &[Str], out: &mut Vec<Effect>) {
        let topic = |name: &Str| {
            let mut topic = CreatableTopic {
                name: name.clone(),
                num_partitions: -1,
                replication_factor: -1,
                ..CreatableTopic::default()
            };
            if &**name == OFFSETS_TOPIC {
                self.shape_offsets_topic(&mut topic);
            }
            topic
        };
        let topics = names.iter().map(topic).collect();
        let request = CreateTopicsRequest {
            topics,
            timeout_ms: 30_000,
            ..CreateTopicsRequest::default()
        };
        self.ask(&request, CREATE_TOPICS_VERSION, out);
    }

    /// `__consumer_offsets` as Kafka creates it; with fewer brokers than its replication
    /// factor it gets as many replicas as there are brokers.
    fn shape_offsets_topic(&self, topic: &mut CreatableTopic) {
        let configs = self.configs();
        topic.num_partitions =
            i32::try_from(configs.broker_number("offsets.topic.num.partitions")).unwrap_or(50);
        let live = i64::try_from(self.image.live_brokers().count()).unwrap_or(i64::MAX);
        let factor = configs
            .broker_number("offsets.topic.replication.factor")
            .min(live)
            .max(1);
        topic.replication_factor = i16::try_from(factor).unwrap_or(1);
        let segment_bytes =
            alloc::format!("{}", configs.broker_number("offsets.topic.segment.bytes"));
        let settings = [
            ("cleanup.policy", "compact"),
            ("compression.type", "producer"),
            ("segment.bytes", &segment_bytes),
        ];
        topic.configs = settings
            .iter()
            .map(|(name, value)| CreatableTopicConfig {
                name: Str::from(*name),
                value: Some(Str::from(*value)),
                ..CreatableTopicConfig::default()
            })
            .collect();
    }

    /// The next producer id, if the block has one; else asks for a block.
    pub(crate) fn take_producer_id(&mut self, out: &mut Vec<Effect>) -> Option<i64> {
        if self.producer_ids.next < self.producer_ids.end {
            self.producer_ids.next += 1;
            return Some(self.producer_ids.next - 1);
        }
        if self.producer_ids.asked.is_none() {
            let request = AllocateProducerIdsRequest {
                broker_id: self.config.node.0,
                broker_epoch: self.registration.epoch(),
                ..AllocateProducerIdsRequest::default()
            };
            let token = self.ask(&request, 0, out);
            self.producer_ids.asked = Some(token);
        }
        None
    }

    /// Parks an `InitProducerId` until a block of ids has come.
    pub(crate) fn await_producer_id(&mut self, cx: &Cx<'_>) -> Handled {
        let id = self.waiting.next_id();
        self.producer_ids.waiting.push(id);
        let deadline = cx.now.plus_millis(FORWARD_TIMEOUT_MS);
        self.waiting.park(
            id,
            cx.caller,
            Some(deadline),
            Parked::Forward(PendingForward::ProducerId),
        );
        Handled::Parked(id)
    }

    pub(crate) fn answered(
        &mut self,
        now: Time,
        token: Token,
        frame: Bytes,
        out: &mut Vec<Effect>,
    ) {
        if self.registration_answered(now, token, &frame) {
            return;
        }
        if self.producer_ids.asked == Some(token) {
            self.producer_ids.asked = None;
            self.block_came(frame, out);
            return;
        }
        let Some(id) = self.producer_ids.forwarded.remove(&token) else {
            return;
        };
        // The client may have gone meanwhile.
        let Some(waiter) = self.waiting.remove(id) else {
            return;
        };
        self.finish(
            &waiter.caller,
            Reply {
                bytes: frame,
                slices: Vec::new(),
            },
            out,
        );
    }

    fn block_came(&mut self, frame: Bytes, out: &mut Vec<Effect>) {
        if let Ok((_, answer)) = wire::decode_response::<AllocateProducerIdsResponse>(frame, 0)
            && answer.error_code == 0
        {
            self.producer_ids.next = answer.producer_id_start;
            self.producer_ids.end = answer
                .producer_id_start
                .saturating_add(i64::from(answer.producer_id_len));
        }
        for id in core::mem::take(&mut self.producer_ids.waiting) {
            let Some(waiter) = self.waiting.remove(id) else {
                continue;
            };
            let answer = match self.take_producer_id(out) {
                Some(producer_id) => api::init_producer_id::granted(producer_id),
                None => api::init_producer_id::refused(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            };
            self.finish_with(&waiter.caller, &answer, out);
        }
    }

    pub(crate) fn forward_timed_out(
        &mut self,
        caller: &Caller,
        forward: &PendingForward,
        out: &mut Vec<Effect>,
    ) {
        match forward {
            PendingForward::ProducerId => {
                let answer = api::init_producer_id::refused(ErrorCode::REQUEST_TIMED_OUT);
                self.finish_with(caller, &answer, out);
            }
            // There is no way to say "timed out" that fits every API; a closed connection
            // makes every client ask again.
            PendingForward::Forwarded => {
                let why = crate::event::Closing::Unsupported {
                    api_key: caller.api_key,
                    version: caller.version,
                };
                self.connections.close(caller.conn);
                out.push(Effect::Close {
                    conn: caller.conn,
                    why,
                });
            }
        }
    }
}
