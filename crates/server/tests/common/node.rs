//! A node over recorded files, without sockets.

#![allow(unreachable_pub, reason = "a module of tests")]

use super::recorder::Recorder;
use super::{Lines, produce_request};
use brooklet_server::{Driver, Files, Fsync, Identity, Out, Refusal, open_dir};
use bytes::{Bytes, BytesMut};
use cluster::{ClientEvent, Event};
use ids::{ConnId, PartitionIndex, Time};
use std::cell::Cell;
use std::sync::Arc;
use wire::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::produce_response::ProduceResponse;
use wire::{Message, RequestHeader, Str};

const CONN: ConnId = ConnId(9);

/// A node over recorded files, without sockets.
pub struct Node {
    pub driver: Driver,
    pub now: Time,
    pub lines: Lines,
}

/// Another seed with each start within a test: a process is not its predecessor, and says so to its controller.
fn incarnation() -> u64 {
    thread_local!(static STARTS: Cell<u64> = const { Cell::new(11) });
    STARTS.replace(STARTS.get() + 1)
}

impl Node {
    pub fn start(files: &Recorder, fsync: Fsync) -> Node {
        Node::try_start(files, fsync).unwrap()
    }

    /// Fails where the directory is refused.
    pub fn try_start(files: &Recorder, fsync: Fsync) -> Result<Node, Refusal> {
        Node::try_start_on(Box::new(files.clone()), fsync)
    }

    /// Over any files.
    pub fn try_start_on(files: Box<dyn Files>, fsync: Fsync) -> Result<Node, Refusal> {
        let identity = Identity {
            node: None,
            host: "localhost".to_owned(),
            port: 9092,
            properties: Default::default(),
            seed: incarnation(),
        };
        let now = Time::from_millis(1_795_248_000_000);
        let lines = Lines::default();
        let console = lines.console();
        let opened = open_dir(files, &identity, fsync, 1 << 20, now, &console)?;
        let driver = Driver::new(opened.node, opened.store, 1 << 20, console);
        let mut node = Node { driver, now, lines };
        node.tell(Event::Start);
        while !node.driver.is_serving() {
            node.now = node.driver.next_deadline().unwrap().max(node.now);
            node.tell(Event::Tick);
        }
        let host = Arc::from("127.0.0.1");
        node.tell(ClientEvent::Connected { conn: CONN, host });
        Ok(node)
    }

    /// Stops in order: leaderships go first, as the server does it.
    pub fn stop(&mut self) {
        self.tell(Event::Shutdown);
        while !self.driver.may_stop() {
            self.now = self.driver.next_deadline().unwrap().max(self.now);
            self.tell(Event::Tick);
        }
        self.driver.close().unwrap();
    }

    pub fn tell(&mut self, event: impl Into<Event>) {
        self.driver.tell(self.now, event.into());
        self.settle();
    }

    /// What the server does at the end of each turn.
    fn settle(&mut self) {
        self.driver.commit(self.now);
        self.driver.clear_out();
    }

    /// Tells the node a request; nothing of what it writes is confirmed yet.
    pub fn send<Q: Message>(&mut self, version: i16, request: &Q) {
        let header = RequestHeader {
            api_key: Q::API_KEY,
            api_version: version,
            correlation_id: 1,
            client_id: None,
        };
        let frame = wire::encode_request(&header, request).unwrap();
        let event = ClientEvent::Request { conn: CONN, frame };
        self.driver.tell(self.now, event.into());
    }

    /// The answers that have come since the last call.
    pub fn received<A: Message>(&mut self, version: i16) -> Vec<A> {
        let answers = self.driver.take_out().into_iter().map(|out| {
            let Out::Reply { pieces, .. } = out else {
                panic!("the connection is closed");
            };
            let mut frame = BytesMut::new();
            for piece in pieces {
                match piece {
                    brooklet_server::Piece::Bytes(bytes) => frame.extend_from_slice(&bytes),
                    brooklet_server::Piece::File(_) => panic!("these files are not the machine's"),
                }
            }
            wire::decode_response(Bytes::from(frame), version)
                .unwrap()
                .1
        });
        answers.collect()
    }

    pub fn ask<Q: Message, A: Message>(&mut self, version: i16, request: &Q) -> A {
        self.send(version, request);
        self.settle();
        self.received(version).pop().expect("an answer")
    }

    pub fn create(&mut self, topic: &str) {
        self.create_with(topic, 1);
    }

    pub fn create_with(&mut self, topic: &str, partitions: i32) {
        let configs = vec![CreatableTopicConfig {
            name: Str::from("internal.segment.bytes"),
            value: Some(Str::from("400")),
            ..CreatableTopicConfig::default()
        }];
        let topic = CreatableTopic {
            name: Str::from(topic),
            num_partitions: partitions,
            replication_factor: 1,
            configs,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 1000,
            ..CreateTopicsRequest::default()
        };
        let answer: CreateTopicsResponse = self.ask(7, &request);
        assert_eq!(answer.topics[0].error_code, 0);
    }

    /// Produces one record; the error code.
    pub fn produce(&mut self, topic: &str, value: &str) -> i16 {
        let request = produce_request(topic, &[value.as_bytes()], -1);
        let answer: ProduceResponse = self.ask(9, &request);
        answer.responses[0].partition_responses[0].error_code
    }

    /// The recovery point of `orders-0`, once the checkpoint files have been written.
    pub fn recovery_point(&mut self, files: &Recorder) -> i64 {
        self.driver.checkpoint(true, true);
        let text = files.text("recovery-point-offset-checkpoint").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("orders 0 "));
        line.unwrap().parse().unwrap()
    }

    /// The log end of a topic's only partition; -1 when there is no such topic.
    pub fn end(&self, topic: &str) -> i64 {
        let node = self.driver.cluster().node(self.driver.node()).unwrap();
        let replica = node
            .broker()
            .unwrap()
            .find_replica(topic, PartitionIndex(0));
        let log = replica.and_then(|id| node.broker().unwrap().log(id));
        log.map_or(-1, |log| log.log_end().0)
    }
}
