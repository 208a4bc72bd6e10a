//! What a disk confirms counts for the order it names and for no other.

use cluster::{ClientEffect, ClientEvent, DiskEffect, DiskEvent, Effect, Event, LogId};
use ids::{ConnId, Token};
use records::{BatchBuilder, BatchOptions};
use tests::direct::{Direct, NODE, resolve};
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Message, Records, RequestHeader, Str};

const VERSION: i16 = 9;

/// A node with a topic of two partitions, whose disk confirms only what a test tells.
struct Slow {
    direct: Direct,
    effects: Vec<Effect>,
}

impl Slow {
    fn new() -> Slow {
        let mut direct = Direct::new(&[]);
        let conn = direct.connect();
        direct.create_topic(conn, "orders", 2);
        Slow {
            direct,
            effects: Vec::new(),
        }
    }

    fn tell(&mut self, event: impl Into<Event>) {
        let (now, event) = (self.direct.now, event.into());
        self.direct
            .cluster
            .step(now, NODE, event, &mut self.effects);
    }

    /// Produces a record on a connection of its own; gives the order to store it.
    fn produce(&mut self, partition: i32) -> (LogId, Token, ConnId) {
        let conn = self.direct.connect();
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let added = builder.append(1_000, None, Some(b"value"), &[]);
        assert!(added.is_ok());
        let partition = PartitionProduceData {
            index: partition,
            records: Records::Bytes(builder.build().into()),
            ..PartitionProduceData::default()
        };
        let topic = TopicProduceData {
            name: Str::from("orders"),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: 1,
            timeout_ms: 30_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        let header = RequestHeader {
            api_key: ProduceRequest::API_KEY,
            api_version: VERSION,
            correlation_id: 5,
            client_id: None,
        };
        let frame = wire::encode_request(&header, &request).expect("a request of its version");
        self.tell(ClientEvent::Request { conn, frame });
        let ordered = self.effects.drain(..).find_map(|effect| match effect {
            Effect::Disk(DiskEffect::Store { log, token, .. }) => Some((log, token, conn)),
            _ => None,
        });
        ordered.expect("the record is to be stored")
    }

    /// The error codes of the answers that have come since the last call, in the order of connections.
    fn answers(&mut self) -> Vec<(ConnId, i16)> {
        let mut answers = Vec::new();
        for effect in self.effects.drain(..) {
            if let Effect::Client(ClientEffect::Reply { conn, reply }) = effect {
                let frame = resolve(&self.direct.cluster, &reply);
                let (_, answer) =
                    wire::decode_response::<ProduceResponse>(frame, VERSION).expect("an answer");
                let code = answer.responses[0].partition_responses[0].error_code;
                answers.push((conn, code));
            }
        }
        answers.sort_unstable();
        answers
    }
}

#[test]
fn a_completion_that_comes_after_its_order_was_taken_back_acknowledges_nothing() {
    let mut slow = Slow::new();
    let (log, first, one) = slow.produce(0);
    let (same, second, two) = slow.produce(0);
    assert_eq!(log, same);
    slow.tell(DiskEvent::StoreFailed { log, token: first });
    assert_eq!(slow.answers(), [(one, 56), (two, 56)]);
    let (_, third, three) = slow.produce(0);
    slow.tell(DiskEvent::Stored { log, token: second });
    assert!(slow.answers().is_empty(), "the third is not stored yet");
    slow.tell(DiskEvent::Stored { log, token: third });
    assert_eq!(slow.answers(), [(three, 0)]);
}

#[test]
fn what_is_stored_of_one_log_acknowledges_nothing_of_another() {
    let mut slow = Slow::new();
    let (log, token, one) = slow.produce(0);
    let (other, later, two) = slow.produce(1);
    assert!(log != other && log != LogId::METADATA && other != LogId::METADATA);
    slow.tell(DiskEvent::Stored { log, token: later });
    assert!(slow.answers().is_empty(), "a token counts for its own log");
    slow.tell(DiskEvent::Stored {
        log: other,
        token: later,
    });
    assert_eq!(slow.answers(), [(two, 0)]);
    slow.tell(DiskEvent::Stored { log, token });
    assert_eq!(slow.answers(), [(one, 0)]);
}
