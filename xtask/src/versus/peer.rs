//! Clients of one small request at a time, without a library: what librdkafka cannot show.

use super::brokers::Broker;
use crate::trouble::{Outcome, Trouble};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest wait for an answer before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Version of Produce that both speak, without tags.
const VERSION: i16 = 7;
/// Bytes of a small record's value, and of a large one's.
const RECORD_BYTES: usize = 100;
const BATCH_BYTES: usize = 16_000;
/// Batches that are sent before the first answer is waited for.
const AHEAD: usize = 32;
/// Time between two probes.
const PROBE_EVERY: Duration = Duration::from_millis(1);

/// A connection that produces single small records.
pub(crate) struct Peer {
    stream: TcpStream,
    frame: Vec<u8>,
    /// Where the partition's number is in it.
    partition_at: usize,
}

impl Peer {
    pub(crate) fn connect(broker: &Broker, topic: &str, partition: i32) -> Outcome<Peer> {
        let open = || {
            let stream = TcpStream::connect(&broker.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok::<_, io::Error>(stream)
        };
        let stream = open().map_err(|e| failed(broker.name, &e))?;
        let (frame, partition_at) = produce_frame(topic, partition, RECORD_BYTES);
        Ok(Peer {
            stream,
            frame,
            partition_at,
        })
    }

    /// What it sends next is for this partition.
    fn turn_to(&mut self, partition: i32) {
        let to = self.frame.get_mut(self.partition_at..self.partition_at + 4);
        if let Some(to) = to {
            to.copy_from_slice(&partition.to_be_bytes());
        }
    }

    pub(crate) fn send(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.frame)
    }

    /// Takes an answer, which must say that the record is there.
    pub(crate) fn receive(&mut self) -> io::Result<()> {
        let mut four = [0; 4];
        self.stream.read_exact(&mut four)?;
        let length = u32::from_be_bytes(four).min(1 << 20);
        let mut answer = vec![0; length as usize];
        self.stream.read_exact(&mut answer)?;
        // Correlation id, one topic with its name, one partition with its index, then the error.
        let name = answer
            .get(8..10)
            .map_or(0, |two| usize::from(two[0]) << 8 | usize::from(two[1]));
        match answer.get(10 + name + 8..10 + name + 10) {
            Some([0, 0]) => Ok(()),
            other => Err(io::Error::other(format!(
                "the record was refused: {other:?}"
            ))),
        }
    }
}

/// Sends batches of one large record round the partitions on one connection, some of them ahead of their
/// answers; gives the batches for each second of the broker's processor time.
pub(crate) fn around(
    broker: &Broker,
    topic: &str,
    partitions: i32,
    batches: usize,
) -> Outcome<f64> {
    let mut peer = Peer::connect(broker, topic, 0)?;
    (peer.frame, peer.partition_at) = produce_frame(topic, 0, BATCH_BYTES);
    for partition in 0..partitions {
        peer.turn_to(partition);
        // A partition that has just been made may have no leader yet.
        let began = Instant::now();
        while let Err(e) = peer.send().and_then(|()| peer.receive()) {
            if began.elapsed() > PATIENCE {
                return Err(failed(broker.name, &e));
            }
            std::thread::sleep(PROBE_EVERY);
        }
    }
    let before = broker.spent()?;
    let mut go = || {
        for (number, partition) in (0..batches).zip((0..partitions).cycle()) {
            peer.turn_to(partition);
            peer.send()?;
            if number >= AHEAD {
                peer.receive()?;
            }
        }
        (0..batches.min(AHEAD)).try_for_each(|_| peer.receive())
    };
    go().map_err(|e| failed(broker.name, &e))?;
    Ok(batches as f64 / (broker.spent()? - before).max(0.01))
}

/// Sends one record a second on each of many connections, for some seconds; gives the processor
/// time that the broker spends in one of them.
pub(crate) fn many(broker: &Broker, topic: &str, connections: usize, seconds: u64) -> Outcome<f64> {
    let wrong = |e: io::Error| failed(broker.name, &e);
    let peers = (0..connections).map(|number| Peer::connect(broker, topic, number as i32 % 6));
    let mut peers: Vec<Peer> = peers.collect::<Outcome<_>>()?;
    for peer in &mut peers {
        peer.send().map_err(wrong)?;
    }
    let before = broker.spent()?;
    let began = Instant::now();
    for round in 0..seconds {
        for (number, peer) in (0_u64..).zip(&mut peers) {
            // Its answer has come long since; the sends are spread over the second.
            let due = round * 1_000_000 + number * 1_000_000 / connections as u64;
            let due = began + Duration::from_micros(due);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            peer.receive().and_then(|()| peer.send()).map_err(wrong)?;
        }
    }
    Ok((broker.spent()? - before) / began.elapsed().as_secs_f64())
}

/// The longest wait for an answer, in milliseconds, of a client that sends a small record every
/// millisecond while `busy` goes on and for some time after.
pub(crate) fn stall(
    broker: &mut Broker,
    topic: &str,
    after: Duration,
    busy: impl FnOnce(&mut Broker) -> Outcome,
) -> Outcome<f64> {
    let mut peer = Peer::connect(broker, topic, 0)?;
    let (name, ended) = (broker.name, AtomicBool::new(false));
    std::thread::scope(|scope| {
        let probe = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                let began = Instant::now();
                peer.send().and_then(|()| peer.receive())?;
                longest = longest.max(began.elapsed());
                std::thread::sleep(PROBE_EVERY.saturating_sub(began.elapsed()));
            }
            Ok::<_, io::Error>(longest)
        });
        let done = busy(broker);
        std::thread::sleep(after);
        ended.store(true, Ordering::Relaxed);
        done?;
        let lost = || io::Error::other("the probe ended");
        let longest = probe.join().unwrap_or_else(|_| Err(lost()));
        Ok(longest.map_err(|e| failed(name, &e))?.as_secs_f64() * 1000.0)
    })
}

fn failed(name: &str, error: &io::Error) -> Trouble {
    Trouble::Failed(format!("{name}: a small request failed: {error}."))
}

/// A Produce request with one record, its length in front, and where the partition's number is in it.
fn produce_frame(topic: &str, partition: i32, bytes: usize) -> (Vec<u8>, usize) {
    let batch = batch(bytes);
    let mut body = Vec::new();
    body.extend(0_i16.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(7_i32.to_be_bytes());
    text(&mut body, "versus");
    body.extend((-1_i16).to_be_bytes());
    body.extend(1_i16.to_be_bytes());
    body.extend(30_000_i32.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    text(&mut body, topic);
    body.extend(1_i32.to_be_bytes());
    let partition_at = 4 + body.len();
    body.extend(partition.to_be_bytes());
    body.extend((batch.len() as i32).to_be_bytes());
    body.extend(batch);
    let mut frame = (body.len() as i32).to_be_bytes().to_vec();
    frame.extend(body);
    (frame, partition_at)
}

/// A length as a record has it: zigzag, seven bits at a time.
fn varint(out: &mut Vec<u8>, length: usize) {
    let mut left = length * 2;
    while left > 0x7f {
        out.push(left as u8 & 0x7f | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as i16).to_be_bytes());
    out.extend(text.as_bytes());
}

/// A batch of format 2 with one record: no key, so many bytes, no headers.
fn batch(bytes: usize) -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = (now.as_millis() as i64).to_be_bytes();
    // Attributes, both deltas, a null key, the value's length and the count of headers: varints.
    let mut record = vec![0, 0, 0, 1];
    varint(&mut record, bytes);
    record.extend(std::iter::repeat_n(b'x', bytes));
    record.push(0);
    let mut checked = 0_i16.to_be_bytes().to_vec();
    checked.extend(0_i32.to_be_bytes());
    checked.extend(now);
    checked.extend(now);
    checked.extend((-1_i64).to_be_bytes());
    checked.extend((-1_i16).to_be_bytes());
    checked.extend((-1_i32).to_be_bytes());
    checked.extend(1_i32.to_be_bytes());
    varint(&mut checked, record.len());
    checked.extend(record);
    let mut batch = 0_i64.to_be_bytes().to_vec();
    batch.extend((checked.len() as i32 + 9).to_be_bytes());
    batch.extend((-1_i32).to_be_bytes());
    batch.push(2);
    batch.extend(crc32c(&checked).to_be_bytes());
    batch.extend(checked);
    batch
}

/// CRC-32C, bit by bit: it is needed a few times.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}
