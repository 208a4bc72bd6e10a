//! A server in this process, and a client that speaks frames.

#![allow(unreachable_pub, reason = "a module of tests")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use brooklet_server::{Console, Server, Settings, Stopper, Storage};
pub(crate) mod node;
pub(crate) mod recorder;

use bytes::Bytes;
use records::{BatchBuilder, BatchOptions, Batches};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use wire::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::delete_topics_request::DeleteTopicsRequest;
use wire::delete_topics_response::DeleteTopicsResponse;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::fetch_response::FetchResponse;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Message, Records, RequestHeader, Str};

/// An empty directory that only this test has.
pub fn fresh_dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// The lines a server has said.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub fn console(&self) -> Console {
        let lines = self.0.clone();
        Console::to(move |line| lines.lock().unwrap().push(line.to_owned()))
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn any(&self, part: &str) -> bool {
        self.all().iter().any(|line| line.contains(part))
    }
}

/// A server on a thread of this process.
pub struct Running {
    pub address: SocketAddr,
    pub lines: Lines,
    stopper: Stopper,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Running {
    pub fn start(settings: &Settings) -> Running {
        let lines = Lines::default();
        let server = Server::start(settings, lines.console()).unwrap();
        let (address, stopper) = (server.address(), server.stopper());
        Running {
            address,
            lines,
            stopper,
            thread: Some(std::thread::spawn(move || server.run())),
        }
    }

    /// Stops it in order and gives what it said.
    pub fn stop(mut self) -> Vec<String> {
        self.stopper.stop();
        let thread = self.thread.take().unwrap();
        thread.join().unwrap().unwrap();
        self.lines.all()
    }

    pub fn client(&self) -> Client {
        Client::new(self.address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Settings for any free port of this machine.
pub fn settings(storage: Storage, properties: &[(&str, &str)]) -> Settings {
    let pairs = properties.iter();
    let pairs = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let mut settings = Settings::from_properties(pairs.collect()).unwrap();
    settings.port = 0;
    settings.storage = storage;
    settings
}

pub fn in_dir(dir: &Path) -> Settings {
    settings(Storage::Directory(dir.to_path_buf()), &[])
}

/// A connection that sends requests one by one.
pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub fn new(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream }
    }

    pub fn send<Q: Message>(&mut self, version: i16, request: &Q) -> std::io::Result<()> {
        let header = RequestHeader {
            api_key: Q::API_KEY,
            api_version: version,
            correlation_id: 7,
            client_id: Some(Str::from("test")),
        };
        let frame = wire::encode_request(&header, request).unwrap();
        let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(&frame);
        self.stream.write_all(&bytes)
    }

    pub fn receive<A: Message>(&mut self, version: i16) -> std::io::Result<A> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        let (correlation, answer) = wire::decode_response(Bytes::from(frame), version).unwrap();
        assert_eq!(correlation, 7);
        Ok(answer)
    }

    pub fn ask<Q: Message, A: Message>(&mut self, version: i16, request: &Q) -> A {
        self.send(version, request).unwrap();
        self.receive(version).unwrap()
    }

    /// Whether the server has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    pub fn create(&mut self, name: &str, configs: &[(&str, &str)]) {
        let config = |(key, value): &(&str, &str)| CreatableTopicConfig {
            name: Str::from(*key),
            value: Some(Str::from(*value)),
            ..CreatableTopicConfig::default()
        };
        let topic = CreatableTopic {
            name: Str::from(name),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 5000,
            ..CreateTopicsRequest::default()
        };
        let answer: CreateTopicsResponse = self.ask(7, &request);
        assert_eq!(answer.topics[0].error_code, 0, "{:?}", answer.topics[0]);
    }

    pub fn delete(&mut self, name: &str) {
        let request = DeleteTopicsRequest {
            topic_names: vec![Str::from(name)],
            timeout_ms: 5000,
            ..DeleteTopicsRequest::default()
        };
        let answer: DeleteTopicsResponse = self.ask(4, &request);
        assert_eq!(answer.responses[0].error_code, 0);
    }

    /// Produces one batch; error code and base offset.
    pub fn produce(&mut self, topic: &str, values: &[&[u8]]) -> (i16, i64) {
        self.send(9, &produce_request(topic, values, -1)).unwrap();
        self.produced().unwrap()
    }

    pub fn produced(&mut self) -> std::io::Result<(i16, i64)> {
        let answer: ProduceResponse = self.receive(9)?;
        let partition = &answer.responses[0].partition_responses[0];
        Ok((partition.error_code, partition.base_offset))
    }

    /// What a fetch finds from an offset on: error code, high watermark, (offset, value) pairs.
    pub fn fetch(&mut self, topic: &str, offset: i64) -> (i16, i64, Vec<(i64, Vec<u8>)>) {
        let request = fetch_request(topic, offset, 100);
        let answer: FetchResponse = self.ask(12, &request);
        fetched(&answer, offset)
    }

    /// All values of a topic from an offset to the high watermark.
    pub fn read_all(&mut self, topic: &str, mut from: i64) -> Vec<(i64, Vec<u8>)> {
        let mut all = Vec::new();
        loop {
            let (error, high_watermark, found) = self.fetch(topic, from);
            assert_eq!(error, 0, "a fetch of {topic} from {from}");
            if let Some((last, _)) = found.last() {
                from = last + 1;
                all.extend(found);
            }
            if from >= high_watermark {
                return all;
            }
        }
    }
}

pub fn fetch_request(topic: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::from(topic),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 8 << 20,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

/// What a fetch has found from an offset on: error code, high watermark, (offset, value) pairs.
pub fn fetched(answer: &FetchResponse, offset: i64) -> (i16, i64, Vec<(i64, Vec<u8>)>) {
    let data = &answer.responses[0].partitions[0];
    let mut found = Vec::new();
    for (_, batch) in Batches::new(data.records.bytes().map_or(&[], |bytes| &bytes[..])) {
        if batch.header().attributes.is_control() {
            continue;
        }
        let payload = records::decompress(&batch, 64 << 20).unwrap();
        for record in records::records(batch.header(), &payload) {
            let record = record.unwrap();
            if record.offset.0 >= offset {
                found.push((record.offset.0, record.value.unwrap_or_default().to_vec()));
            }
        }
    }
    (data.error_code, data.high_watermark, found)
}

pub fn batch(values: &[&[u8]]) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for value in values {
        builder
            .append(1_795_248_000_000, None, Some(value), &[])
            .unwrap();
    }
    Bytes::from(builder.build())
}

pub fn produce_request(topic: &str, values: &[&[u8]], acks: i16) -> ProduceRequest {
    let partition = PartitionProduceData {
        index: 0,
        records: Records::Bytes(batch(values)),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: Str::from(topic),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    ProduceRequest {
        acks,
        timeout_ms: 5000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    }
}
