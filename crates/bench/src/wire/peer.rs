//! One connection of a client that keeps several requests under way.

use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longest wait for an answer before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest answer that is taken.
const ANSWER_BYTES: u32 = 64 << 20;

/// What a connection sends, over and over.
pub(super) struct Load {
    /// Frames with their length in front.
    frames: Vec<Vec<u8>>,
    window: usize,
    check: fn(Bytes) -> Result<(), String>,
}

impl Load {
    /// Requests of Kafka's protocol, each answer looked at.
    pub(super) fn kafka(
        frames: &[Bytes],
        window: usize,
        check: fn(Bytes) -> Result<(), String>,
    ) -> Load {
        let framed = |frame: &Bytes| {
            let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
            bytes.extend_from_slice(frame);
            bytes
        };
        Load {
            frames: frames.iter().map(framed).collect(),
            window,
            check,
        }
    }

    /// As many bytes for [`super::echo::Echo`], which answers each with `reply` bytes.
    pub(super) fn bare(frames: &[Bytes], window: usize, reply: u32) -> Load {
        let framed = |frame: &Bytes| {
            let length = frame.len().max(4);
            let mut bytes = (length as u32).to_be_bytes().to_vec();
            bytes.extend_from_slice(&reply.to_be_bytes());
            bytes.resize(4 + length, 5);
            bytes
        };
        Load {
            frames: frames.iter().map(framed).collect(),
            window,
            check: |_| Ok(()),
        }
    }
}

/// A connection and how long its answers took.
pub(super) struct Peer {
    reader: BufReader<TcpStream>,
    next: usize,
    out: Vec<u8>,
    /// Microseconds from sending to the whole answer.
    waits: Vec<f64>,
}

impl Peer {
    pub(super) fn connect(address: &str) -> Result<Peer, String> {
        let open = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok::<_, std::io::Error>(stream)
        };
        let stream = open().map_err(|why| format!("cannot connect to {address}: {why}"))?;
        Ok(Peer {
            reader: BufReader::with_capacity(256 << 10, stream),
            next: 0,
            out: Vec::new(),
            waits: Vec::new(),
        })
    }

    /// The waits so far, in microseconds.
    pub(super) fn take_waits(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.waits)
    }

    /// Sends this many requests and takes all their answers; gives the length of the last one.
    pub(super) fn exchange(&mut self, load: &Load, requests: u64) -> Result<u32, String> {
        let mut sent = VecDeque::new();
        let (mut left, mut length) = (requests, 0);
        while left > 0 || !sent.is_empty() {
            self.out.clear();
            while left > 0 && sent.len() < load.window {
                let frame = &load.frames[self.next % load.frames.len()];
                self.next = self.next.wrapping_add(1);
                self.out.extend_from_slice(frame);
                sent.push_back(Instant::now());
                left -= 1;
            }
            let stream = self.reader.get_mut();
            stream
                .write_all(&self.out)
                .map_err(|why| format!("sending failed: {why}"))?;
            // One answer, and all that have come with it: then there is room to send again.
            loop {
                let answer = self.answer()?;
                length = answer.len() as u32;
                if let Some(begin) = sent.pop_front() {
                    self.waits.push(begin.elapsed().as_secs_f64() * 1e6);
                }
                (load.check)(answer)?;
                if sent.is_empty() || self.reader.buffer().is_empty() {
                    break;
                }
            }
        }
        Ok(length)
    }

    fn answer(&mut self) -> Result<Bytes, String> {
        let mut read = || {
            let mut four = [0; 4];
            self.reader.read_exact(&mut four)?;
            let length = ::wire::frame_length(four, ANSWER_BYTES)
                .map_err(|error| std::io::Error::other(error.to_string()))?;
            let mut answer = vec![0; length as usize];
            self.reader.read_exact(&mut answer)?;
            Ok::<_, std::io::Error>(Bytes::from(answer))
        };
        read().map_err(|why| format!("no answer came: {why}"))
    }
}
