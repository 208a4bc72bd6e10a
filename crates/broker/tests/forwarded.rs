//! Requests that wait for the controller come to an end, whatever the controller does.

use brooklet_broker::{
    Broker, BrokerConfig, ClientEffect, ClientEvent, Closing, ControllerEvent, Effect, Event,
};
use bytes::Bytes;
use ids::{ConnId, ErrorCode, NodeId, Time, Token, Uuid};
use sorted::SortedMap;
use std::sync::Arc;
use wire::allocate_producer_ids_request::AllocateProducerIdsRequest;
use wire::allocate_producer_ids_response::AllocateProducerIdsResponse;
use wire::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use wire::alter_configs_response::AlterConfigsResponse;
use wire::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use wire::create_partitions_response::CreatePartitionsResponse;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::delete_topics_response::DeleteTopicsResponse;
use wire::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use wire::elect_leaders_response::ElectLeadersResponse;
use wire::incremental_alter_configs_request::{
    AlterConfigsResource as IncrementalResource, IncrementalAlterConfigsRequest,
};
use wire::incremental_alter_configs_response::IncrementalAlterConfigsResponse;
use wire::init_producer_id_request::InitProducerIdRequest;
use wire::init_producer_id_response::InitProducerIdResponse;
use wire::{Message, RequestHeader, Str};

/// A broker whose controller is this test.
struct Asking {
    broker: Broker,
    now: Time,
    /// The questions to the controller, heartbeats aside.
    asked: Vec<(Token, Bytes)>,
    replies: Vec<(ConnId, Bytes)>,
    closed: Vec<(ConnId, Closing)>,
}

impl Asking {
    fn new() -> Asking {
        let config = BrokerConfig {
            node: NodeId(1),
            cluster_id: Arc::from("cluster"),
            host: Arc::from("localhost"),
            port: 9092,
            incarnation: Uuid([1; 16]),
            directory: Uuid([2; 16]),
            previous_epoch: None,
            properties: SortedMap::new(),
            seed: 1,
            catalog: metadata::Catalog::kafka(),
        };
        let mut asking = Asking {
            broker: Broker::new(config, Vec::new()),
            now: Time::from_millis(1_000_000),
            asked: Vec::new(),
            replies: Vec::new(),
            closed: Vec::new(),
        };
        asking.step(Event::Start);
        asking
    }

    fn step(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.broker.step(self.now, event, &mut effects);
        for effect in effects {
            match effect {
                Effect::Ask { token, frame } if !matches!(frame[1], 62 | 63) => {
                    self.asked.push((token, frame));
                }
                Effect::Client(ClientEffect::Reply { conn, reply }) => {
                    self.replies.push((conn, reply.bytes))
                }
                Effect::Client(ClientEffect::Close { conn, why }) => self.closed.push((conn, why)),
                _ => {}
            }
        }
    }

    fn advance(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        while let Some(due) = self.broker.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.step(Event::Tick);
        }
        self.now = until;
    }

    /// A client that has sent a request.
    fn client(&mut self, number: u64, frame: Bytes) -> ConnId {
        let conn = ConnId(number);
        let host = Arc::from("127.0.0.1");
        self.step(Event::Client(ClientEvent::Connected { conn, host }));
        self.step(Event::Client(ClientEvent::Request { conn, frame }));
        conn
    }

    fn answer<A: Message>(&mut self, conn: ConnId, version: i16) -> A {
        let at = self.replies.iter().position(|(to, _)| *to == conn);
        let (_, frame) = self.replies.remove(at.expect("an answer"));
        wire::decode_response(frame, version).unwrap().1
    }

    /// The controller gives a block of producer ids that begins at `start`.
    fn give_block(&mut self, token: Token, start: i64, len: i32) {
        let answer = AllocateProducerIdsResponse {
            producer_id_start: start,
            producer_id_len: len,
            ..AllocateProducerIdsResponse::default()
        };
        let key = AllocateProducerIdsRequest::API_KEY;
        let frame = wire::encode_response(0, key, 0, &answer).unwrap().bytes;
        self.step(Event::Controller(ControllerEvent::Answered {
            token,
            frame,
        }));
    }
}

fn frame<Q: Message>(version: i16, request: &Q) -> Bytes {
    let header = RequestHeader {
        api_key: Q::API_KEY,
        api_version: version,
        correlation_id: 5,
        client_id: None,
    };
    wire::encode_request(&header, request).unwrap()
}

/// A producer without transactions.
fn idempotent() -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: None,
        ..InitProducerIdRequest::default()
    }
}

fn create(name: &str) -> CreateTopicsRequest {
    CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: Str::from(name),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        }],
        timeout_ms: 1000,
        ..CreateTopicsRequest::default()
    }
}

/// Reads the code that the answer has for what the request named.
type Code = fn(&mut Asking, ConnId) -> i16;

/// One request of each API that is passed on, and how its answer says why there is none.
fn requests() -> Vec<(Bytes, Code)> {
    let name = || Str::from("orders");
    let delete = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some(name()),
            ..DeleteTopicState::default()
        }],
        ..DeleteTopicsRequest::default()
    };
    let alter = AlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_name: name(),
            ..AlterConfigsResource::default()
        }],
        ..AlterConfigsRequest::default()
    };
    let grow = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: name(),
            ..CreatePartitionsTopic::default()
        }],
        ..CreatePartitionsRequest::default()
    };
    let elect = ElectLeadersRequest {
        topic_partitions: Some(vec![TopicPartitions {
            topic: name(),
            partitions: vec![0],
            ..TopicPartitions::default()
        }]),
        ..ElectLeadersRequest::default()
    };
    let incremental = IncrementalAlterConfigsRequest {
        resources: vec![IncrementalResource {
            resource_name: name(),
            ..IncrementalResource::default()
        }],
        ..IncrementalAlterConfigsRequest::default()
    };
    vec![
        (frame(7, &create("orders")), |asking, conn| {
            asking.answer::<CreateTopicsResponse>(conn, 7).topics[0].error_code
        }),
        (frame(6, &delete), |asking, conn| {
            asking.answer::<DeleteTopicsResponse>(conn, 6).responses[0].error_code
        }),
        (frame(2, &alter), |asking, conn| {
            asking.answer::<AlterConfigsResponse>(conn, 2).responses[0].error_code
        }),
        (frame(3, &grow), |asking, conn| {
            asking.answer::<CreatePartitionsResponse>(conn, 3).results[0].error_code
        }),
        (frame(2, &elect), |asking, conn| {
            let answer: ElectLeadersResponse = asking.answer(conn, 2);
            let row = &answer.replica_election_results[0].partition_result[0];
            assert_eq!(row.error_code, answer.error_code);
            answer.error_code
        }),
        (frame(1, &incremental), |asking, conn| {
            asking
                .answer::<IncrementalAlterConfigsResponse>(conn, 1)
                .responses[0]
                .error_code
        }),
    ]
}

#[test]
fn a_request_that_the_controller_refuses_is_answered_in_its_own_words() {
    for (number, (frame, code)) in (1..).zip(requests()) {
        let mut asking = Asking::new();
        let conn = asking.client(number, frame);
        let (token, _) = asking.asked.pop().expect("it is passed on");
        let refused = ErrorCode::KAFKA_STORAGE_ERROR;
        asking.step(Event::Controller(ControllerEvent::Refused {
            token,
            code: refused,
        }));
        assert_eq!(ErrorCode(code(&mut asking, conn)), refused);
    }
}

#[test]
fn a_request_that_the_controller_never_answers_is_told_that_its_time_is_over() {
    for (number, (frame, code)) in (1..).zip(requests()) {
        let mut asking = Asking::new();
        let conn = asking.client(number, frame);
        let (token, _) = asking.asked.pop().expect("it is passed on");
        asking.advance(60_000);
        assert_eq!(
            ErrorCode(code(&mut asking, conn)),
            ErrorCode::REQUEST_TIMED_OUT
        );
        // An answer that comes too late is nobody's.
        let frame = Bytes::from_static(b"too late");
        asking.step(Event::Controller(ControllerEvent::Answered {
            token,
            frame,
        }));
        assert_eq!(
            (&asking.replies[..], &asking.closed[..]),
            (&[][..], &[][..])
        );
    }
}

#[test]
fn a_body_that_cannot_be_read_closes_the_connection_and_is_not_passed_on() {
    for (number, (frame, _)) in (1..).zip(requests()) {
        let mut asking = Asking::new();
        let cut = frame.slice(..frame.len() - 3);
        let conn = asking.client(number, cut);
        assert_eq!(asking.closed, [(conn, Closing::Malformed)]);
        assert!(asking.asked.is_empty());
    }
}

#[test]
fn an_answer_of_the_controller_that_gets_lost_does_not_end_producer_ids() {
    let mut asking = Asking::new();
    let first = asking.client(1, frame(4, &idempotent()));
    let (lost, _) = asking.asked.pop().expect("a block is asked for");
    asking.advance(10_000);
    let (token, _) = asking.asked.pop().expect("it is asked for again");
    assert_ne!(token, lost);
    asking.give_block(token, 7_000, 10);
    let answer: InitProducerIdResponse = asking.answer(first, 4);
    assert_eq!((answer.error_code, answer.producer_id), (0, 7_000));
}

#[test]
fn a_refused_block_of_producer_ids_is_asked_for_again_by_the_next_client() {
    let mut asking = Asking::new();
    let first = asking.client(1, frame(4, &idempotent()));
    let (token, _) = asking.asked.pop().expect("a block is asked for");
    asking.step(Event::Controller(ControllerEvent::Refused {
        token,
        code: ErrorCode::KAFKA_STORAGE_ERROR,
    }));
    let answer: InitProducerIdResponse = asking.answer(first, 4);
    assert_eq!(
        ErrorCode(answer.error_code),
        ErrorCode::COORDINATOR_NOT_AVAILABLE
    );
    let second = asking.client(2, frame(4, &idempotent()));
    let (token, _) = asking.asked.pop().expect("it is asked for again");
    asking.give_block(token, 0, 10);
    let answer: InitProducerIdResponse = asking.answer(second, 4);
    assert_eq!((answer.error_code, answer.producer_id), (0, 0));
}

#[test]
fn more_clients_than_a_block_has_ids_all_get_one() {
    let mut asking = Asking::new();
    let clients: Vec<ConnId> = (1..=25)
        .map(|number| asking.client(number, frame(4, &idempotent())))
        .collect();
    let mut start = 0;
    while let Some((token, _)) = asking.asked.pop() {
        asking.give_block(token, start, 10);
        start += 10;
    }
    let ids = clients.iter().map(|conn| {
        let answer: InitProducerIdResponse = asking.answer(*conn, 4);
        answer.producer_id
    });
    assert_eq!(ids.collect::<Vec<i64>>(), (0..25).collect::<Vec<i64>>());
}
