//! Produce requests through the server's file layer, beside the same bytes written to a plain file.

use crate::Bench;
use crate::load::{NOW, SHAPES, Shape, TOPIC, frame, produce_frame};
use crate::measure::{Plan, Rounds};
use crate::report::{Row, Work};
use bytes::{Bytes, BytesMut};
use cluster::{ClientEvent, Event};
use ids::{ConnId, Time};
use server::{Console, Driver, Fsync, Identity, Out, Piece, RealFiles, open_dir};
use sorted::SortedMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wire::Str;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};

/// Requests of one turn of the server, each from a connection of its own: one fsync serves all.
const TURN: u64 = 16;
/// The first of the connections.
const CONN: ConnId = ConnId(9);
/// Bytes of logs that stay in memory.
const CACHE_BYTES: u64 = 64 << 20;
/// Bytes that the plain file grows to before it is emptied, so that the disk has room for it.
const PLAIN_BYTES: u64 = 512 << 20;
/// Waits for the broker's registration and the topic, in steps of 10 ms.
const PATIENCE: u32 = 1000;

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<(), String> {
    let shapes = ["100B/1", "100B/16KiB", "1KiB/1000"];
    for shape in SHAPES
        .into_iter()
        .filter(|shape| shapes.contains(&shape.name))
    {
        for (word, fsync) in [("roll", Fsync::OnRoll), ("always", Fsync::Always)] {
            let name = format!("files/{}/fsync-{word}", shape.name);
            if bench.wants(&name) {
                measure(bench, name, shape, fsync)?;
            }
        }
    }
    Ok(())
}

fn measure(bench: &mut Bench<'_>, name: String, shape: Shape, fsync: Fsync) -> Result<(), String> {
    let dir = Scratch::new().map_err(|why| format!("{name}: no room for files: {why}"))?;
    let batch = shape.batch();
    let request = produce_frame(0, 1, &batch);
    let mut node = OnDisk::start(&dir.0.join("data"), fsync)?;
    let (mut sent, mut refused) = (0, 0);
    let mut produce = |turns: u64| {
        for _ in 0..turns {
            refused += TURN - node.turn(&request);
        }
        sent += turns * TURN;
    };
    let plain = Plain::create(&dir.0.join("plain"), fsync);
    let mut plain = plain.map_err(|why| format!("{name}: {why}"))?;
    let mut failed = None;
    let mut limit = |turns: u64| {
        for _ in 0..turns {
            failed = failed.take().or(plain.turn(&batch).err());
        }
    };
    let always = fsync == Fsync::Always;
    let plan = Plan {
        // A disk's own pauses are longer than a turn of the scheduler.
        rounds: if bench.plan.quick { 5 } else { 31 },
        round: Duration::from_millis(match (bench.plan.quick, always) {
            (true, _) => 1,
            (false, true) => 50,
            (false, false) => 10,
        }),
        ..bench.plan
    };
    let rounds = Rounds::run(plan, &mut [&mut produce, &mut limit]);
    if let Some(why) = failed {
        return Err(format!("{name}: the plain file cannot be written: {why}"));
    }
    if refused > 0 {
        return Err(format!(
            "{name}: {refused} requests of {sent} got no answer"
        ));
    }
    node.check(&request)?;
    let work = Work::records(u64::from(shape.records) * TURN, batch.len() as u64 * TURN);
    let limit_name = if always { "write + fsync" } else { "write" };
    let row = Row::new(name, work, limit_name, &rounds);
    bench.push(row.with("us_per_turn", rounds.nanos(0).median / 1e3));
    Ok(())
}

/// A node with Kafka's files, driven as the server drives it, without sockets.
struct OnDisk {
    driver: Driver,
    now: Time,
}

impl OnDisk {
    fn start(dir: &Path, fsync: Fsync) -> Result<OnDisk, String> {
        let files = RealFiles::open(dir);
        let files = files.map_err(|why| format!("{} cannot be used: {why}", dir.display()))?;
        let identity = Identity {
            node: None,
            host: "127.0.0.1".to_owned(),
            port: 9092,
            properties: SortedMap::new(),
            seed: 1,
        };
        let console = Console::stderr();
        let files = Box::new(files);
        let opened = open_dir(files, &identity, fsync, CACHE_BYTES, NOW, &console);
        let opened = opened.map_err(|why| why.0)?;
        let mut node = OnDisk {
            driver: Driver::new(opened.node, opened.store, CACHE_BYTES, console),
            now: NOW,
        };
        node.tell(Event::Start);
        node.wait("the broker does not serve", |node| node.driver.is_serving())?;
        for at in 0..TURN {
            let (conn, host) = (ConnId(CONN.0 + at), Arc::from("127.0.0.1"));
            node.tell(ClientEvent::Connected { conn, host });
        }
        let topic = CreatableTopic {
            name: Str::from(TOPIC),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..CreateTopicsRequest::default()
        };
        let frame = frame(&request);
        node.tell(ClientEvent::Request { conn: CONN, frame });
        node.wait("the topic is not created", |node| {
            !node.driver.take_out().is_empty()
        })?;
        Ok(node)
    }

    fn tell(&mut self, event: impl Into<Event>) {
        self.driver.tell(self.now, event.into());
        self.driver.commit(self.now);
    }

    /// Lets time pass until something is so.
    fn wait(&mut self, otherwise: &str, done: fn(&mut OnDisk) -> bool) -> Result<(), String> {
        for _ in 0..PATIENCE {
            if done(self) {
                return Ok(());
            }
            self.now = self.now.plus_millis(10);
            self.tell(Event::Tick);
        }
        Err(otherwise.to_owned())
    }

    /// One turn of the server; gives the number of answers.
    fn turn(&mut self, request: &Bytes) -> u64 {
        for at in 0..TURN {
            let (conn, frame) = (ConnId(CONN.0 + at), request.clone());
            let event = ClientEvent::Request { conn, frame };
            self.driver.tell(self.now, event.into());
        }
        self.driver.commit(self.now);
        let out = self.driver.take_out();
        out.iter()
            .filter(|out| matches!(out, Out::Reply { .. }))
            .count() as u64
    }

    /// Produces once more and looks at the answer.
    fn check(&mut self, request: &Bytes) -> Result<(), String> {
        let frame = request.clone();
        self.tell(ClientEvent::Request { conn: CONN, frame });
        let out = self.driver.take_out();
        let Some(Out::Reply { pieces, .. }) = out.first() else {
            return Err("a produce request got no answer".to_owned());
        };
        let mut answer = BytesMut::new();
        for piece in pieces {
            if let Piece::Bytes(bytes) = piece {
                answer.extend_from_slice(bytes);
            }
        }
        crate::produce::refusal(answer.freeze())
    }
}

/// A file that gets the same bytes in as many writes.
struct Plain {
    file: File,
    written: u64,
    fsync: Fsync,
}

impl Plain {
    fn create(path: &Path, fsync: Fsync) -> io::Result<Plain> {
        Ok(Plain {
            file: File::create(path)?,
            written: 0,
            fsync,
        })
    }

    fn turn(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.written > PLAIN_BYTES {
            self.written = 0;
            // Only the length is set back: the writes go on at the position they have reached,
            // which leaves a hole that takes no room.
            self.file.set_len(0)?;
        }
        for _ in 0..TURN {
            self.file.write_all(batch)?;
            self.written += batch.len() as u64;
        }
        if self.fsync == Fsync::Always {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

/// A directory that goes with its value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Scratch> {
        let dir = std::env::temp_dir().join(format!("brooklet-bench-files-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        Ok(Scratch(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
