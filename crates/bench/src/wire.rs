//! Over TCP: pipelined requests on several connections, beside the same bytes without a broker.

mod echo;
mod peer;

use crate::Bench;
use crate::load::{SHAPES, Shape, TOPIC, VERSION, fetch_frame, frame, produce_frame};
use crate::measure::{Plan, Rounds};
use crate::produce::refusal;
use crate::report::{Row, Work};
use ::wire::Str;
use ::wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use ::wire::create_topics_response::CreateTopicsResponse;
use ::wire::fetch_response::FetchResponse;
use bytes::Bytes;
use echo::Echo;
use peer::{Load, Peer};
use server::{Console, Server, Settings, Stopper};
use std::thread::JoinHandle;
use std::time::Duration;

const PARTITIONS: i32 = 6;
/// Requests that are under way on a connection.
const WINDOW: usize = 16;
const FETCH_BYTES: i32 = 1 << 20;
/// What the limit is called.
const LOOPBACK: &str = "same bytes over TCP, unread";
/// The error that says that the topic is there.
const TOPIC_ALREADY_EXISTS: i16 = 36;
/// How often, and how long apart, a new topic is asked whether it has leaders.
const LEADER_TRIES: u32 = 100;
const LEADER_PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<(), String> {
    let (address, own) = match &bench.options.wire {
        Some(address) => (address.clone(), None),
        None => {
            let own = Own::start()?;
            (own.address.clone(), Some(own))
        }
    };
    create_topic(&address)?;
    await_leaders(&address)?;
    let outcome = figures(bench, &address);
    drop(own);
    outcome
}

fn figures(bench: &mut Bench<'_>, address: &str) -> Result<(), String> {
    let shapes = ["100B/1", "100B/16KiB", "1KiB/16KiB"];
    for shape in SHAPES
        .into_iter()
        .filter(|shape| shapes.contains(&shape.name))
    {
        for (acks, connections) in [(1, 1), (1, 4), (-1, 4)] {
            let word = if acks == 1 { "1" } else { "all" };
            let name = format!("wire/produce/{}/acks-{word}/c{connections}", shape.name);
            if bench.wants(&name) {
                produce(bench, name, address, shape, acks, connections)?;
            }
        }
    }
    for connections in [1, 4] {
        let name = format!("wire/fetch/1MiB/c{connections}");
        if bench.wants(&name) {
            fetch(bench, name, address, connections)?;
        }
    }
    Ok(())
}

fn produce(
    bench: &mut Bench<'_>,
    name: String,
    address: &str,
    shape: Shape,
    acks: i16,
    connections: usize,
) -> Result<(), String> {
    let batch = shape.batch_at(millis_now());
    let frames: Vec<Bytes> = (0..PARTITIONS)
        .map(|partition| produce_frame(partition, acks, &batch))
        .collect();
    let work = Work::records(shape.records.into(), batch.len() as u64);
    measure(bench, name, address, &frames, connections, work, refusal)
}

/// Fetches the first mebibyte of a partition, again and again.
fn fetch(
    bench: &mut Bench<'_>,
    name: String,
    address: &str,
    connections: usize,
) -> Result<(), String> {
    let shape = SHAPES[4];
    let batch = shape.batch_at(millis_now());
    let fill = [produce_frame(0, 1, &batch)];
    let count = 2 * FETCH_BYTES as u64 / batch.len() as u64;
    let mut peer = Peer::connect(address)?;
    peer.exchange(&Load::kafka(&fill, WINDOW, refusal), count)?;
    drop(peer);
    let frames = [fetch_frame(0, 0, FETCH_BYTES)];
    let records = FETCH_BYTES as u64 * u64::from(shape.records) / batch.len() as u64;
    let work = Work::records(records, FETCH_BYTES as u64);
    measure(bench, name, address, &frames, connections, work, fetched)
}

fn fetched(answer: Bytes) -> Result<(), String> {
    let (_, answer) = ::wire::decode_response::<FetchResponse>(answer, VERSION)
        .map_err(|why| format!("an answer to Fetch cannot be read: {why:?}"))?;
    let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    match partitions.next() {
        Some(data) if data.error_code == 0 && data.records.len() == FETCH_BYTES as u32 => Ok(()),
        Some(data) => Err(format!(
            "a fetch of {FETCH_BYTES} bytes gave {}, error {}",
            data.records.len(),
            data.error_code
        )),
        None => Err(format!(
            "a fetch was answered with error {}",
            answer.error_code
        )),
    }
}

fn measure(
    bench: &mut Bench<'_>,
    name: String,
    address: &str,
    frames: &[Bytes],
    connections: usize,
    work: Work,
    check: fn(Bytes) -> Result<(), String>,
) -> Result<(), String> {
    let load = Load::kafka(frames, WINDOW, check);
    let mut peers = connect(address, connections)?;
    let reply = peers[0].exchange(&load, 1)?;
    let echo = Echo::start()?;
    let bare = Load::bare(frames, WINDOW, reply);
    let mut bare_peers = connect(&echo.address, connections)?;
    let mut failed = None;
    let mut bare_failed = None;
    let plan = Plan {
        rounds: if bench.plan.quick { 5 } else { 11 },
        round: Duration::from_millis(if bench.plan.quick { 2 } else { 60 }),
        ..bench.plan
    };
    let rounds = Rounds::run(
        plan,
        &mut [&mut |n| all(&mut peers, &load, n, &mut failed), &mut |n| {
            all(&mut bare_peers, &bare, n, &mut bare_failed)
        }],
    );
    if let Some(why) = failed.or(bare_failed) {
        return Err(format!("{name}: {why}"));
    }
    let mut waits: Vec<f64> = peers.iter_mut().flat_map(Peer::take_waits).collect();
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (waits.len() as f64 * share) as usize;
        waits
            .get(index.min(waits.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
    };
    let work = Work {
        count: work.count * connections as u64,
        bytes: work.bytes * connections as u64,
        ..work
    };
    let row = Row::new(name, work, LOOPBACK, &rounds)
        .with("connections", connections as f64)
        .with("p50_us", at(0.5))
        .with("p99_us", at(0.99))
        .with("p99.9_us", at(0.999));
    bench.push(row);
    Ok(())
}

fn connect(address: &str, connections: usize) -> Result<Vec<Peer>, String> {
    (0..connections).map(|_| Peer::connect(address)).collect()
}

/// Lets every connection do this many requests, all at the same time.
fn all(peers: &mut [Peer], load: &Load, requests: u64, failed: &mut Option<String>) {
    let outcomes: Vec<Result<u32, String>> = std::thread::scope(|scope| {
        let running: Vec<_> = peers
            .iter_mut()
            .map(|peer| scope.spawn(move || peer.exchange(load, requests)))
            .collect();
        let lost = || Err("a connection's thread ended".to_owned());
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| lost()))
            .collect()
    });
    if let Some(why) = outcomes.into_iter().find_map(Result::err) {
        failed.get_or_insert(why);
    }
}

fn create_topic(address: &str) -> Result<(), String> {
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: Str::from(TOPIC),
            num_partitions: PARTITIONS,
            replication_factor: 1,
            ..CreatableTopic::default()
        }],
        ..CreateTopicsRequest::default()
    };
    let check = |answer: Bytes| {
        let (_, answer) = ::wire::decode_response::<CreateTopicsResponse>(answer, 7)
            .map_err(|why| format!("an answer to CreateTopics cannot be read: {why:?}"))?;
        match answer.topics.first().map(|topic| topic.error_code) {
            Some(0 | TOPIC_ALREADY_EXISTS) => Ok(()),
            other => Err(format!(
                "topic {TOPIC} could not be created: error {other:?}"
            )),
        }
    };
    let mut peer = Peer::connect(address)?;
    peer.exchange(&Load::kafka(&[frame(&request)], 1, check), 1)?;
    Ok(())
}

/// Waits until every partition takes a record: a cluster answers before its brokers lead.
fn await_leaders(address: &str) -> Result<(), String> {
    let batch = SHAPES[0].batch_at(millis_now());
    let frames: Vec<Bytes> = (0..PARTITIONS)
        .map(|partition| produce_frame(partition, 1, &batch))
        .collect();
    let load = Load::kafka(&frames, 1, refusal);
    let mut last = Ok(0);
    for _ in 0..LEADER_TRIES {
        let mut peer = Peer::connect(address)?;
        last = peer.exchange(&load, frames.len() as u64);
        if last.is_ok() {
            break;
        }
        std::thread::sleep(LEADER_PAUSE);
    }
    last.map(|_| ())
        .map_err(|why| format!("topic {TOPIC} takes no records: {why}"))
}

/// The time by this machine's clock, which the server's should agree with.
fn millis_now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A server in this process, its logs in memory.
struct Own {
    address: String,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Own {
    fn start() -> Result<Own, String> {
        let settings = Settings {
            port: 0,
            ..Settings::default()
        };
        let server = Server::start(&settings, Console::to(|_| {}))
            .map_err(|why| format!("the server does not start: {why}"))?;
        let address = server.address().to_string();
        let stopper = server.stopper();
        let thread = std::thread::spawn(move || {
            let _ = server.run();
        });
        Ok(Own {
            address,
            stopper,
            thread: Some(thread),
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
