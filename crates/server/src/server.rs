//! The server: one thread that waits for sockets, signals and time, and tells the node.

mod begin;
mod slow;

use crate::buffers::Buffers;
use crate::clock::Steady;
use crate::connection::{Connection, Received, Sending};
use crate::console::Console;
use crate::driver::{Driver, Out};
use crate::frames::Frames;
use crate::settings::{Refusal, Settings};
use cluster::{ClientEvent, Closing, Event};
use ids::{ConnId, Time};
use mio::event::Source;
use mio::net::{TcpListener, UnixStream};
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const LISTENER: Token = Token(0);
const STOP: Token = Token(1);
/// A thread that waits for the disk has done something.
const ASIDE: Token = Token(2);
/// Tokens from here on are connections.
const FIRST_CONNECTION: u64 = 3;

/// Bytes read from a socket at once.
const SCRATCH_BYTES: usize = 32 << 10;
/// Requests of one connection that are handled before the next one's turn.
const FRAMES_AT_ONCE: usize = 32;
/// Connections there are at most, if `max.connections` does not say otherwise.
const CONNECTIONS_MAX: u64 = 10_000;
/// Time that a node may take from its start until it serves.
const START_MS: u64 = 10_000;
/// Time that a controlled shutdown may take.
const STOP_MS: u64 = 2_000;
/// Time between two checkpoints of the high watermarks, as in Kafka.
const HIGH_WATERMARKS_MS: u64 = 5_000;
/// Time between two checkpoints of recovery points and log starts, as in Kafka.
const POINTS_MS: u64 = 60_000;
/// Time after which accepting is tried again when the system had no room for a connection.
const ACCEPT_AGAIN_MS: u64 = 100;

/// A broker on a TCP port.
#[derive(Debug)]
pub struct Server {
    driver: Driver,
    console: Console,
    clock: Steady,
    poll: Poll,
    listener: TcpListener,
    address: SocketAddr,
    stop: UnixStream,
    stopper: Stopper,
    connections: BTreeMap<ConnId, Connection>,
    next_connection: u64,
    /// Connections that may have something to be read or handled.
    runnable: VecDeque<ConnId>,
    /// Connections whose next request waits for an earlier one, or for the client to read.
    held: BTreeSet<ConnId>,
    scratch: Vec<u8>,
    /// What large frames are received in.
    receiving: Buffers,
    max_frame: u32,
    max_connections: usize,
    idle_ms: u64,
    /// Bytes that all answers may take until they are sent.
    unsent_max: u64,
    due: Due,
}

/// When the shell's own work is due.
#[derive(Debug)]
struct Due {
    high_watermarks: Time,
    points: Time,
    idle: Time,
    accept: Option<Time>,
}

/// Asks a server to stop, from any thread.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<UnixStream>);

impl Stopper {
    /// The server stops in order; a second call changes nothing.
    pub fn stop(&self) {
        // A full pipe holds enough requests to stop.
        let _ = (&*self.0).write(&[1]);
    }
}

impl Server {
    /// Recovers the logs, binds the port, and waits until the node serves.
    ///
    /// # Errors
    /// Why it cannot, as one line.
    pub fn start(settings: &Settings, console: Console) -> Result<Server, Refusal> {
        let (listener, address) = begin::bind(settings)?;
        let clock = Steady::default();
        let driver = begin::open(settings, address, clock.now(), &console)?;
        let refuse =
            |error: io::Error| Refusal(format!("the server cannot wait for events: {error}"));
        let poll = Poll::new().map_err(refuse)?;
        let (mut stop, waker) = UnixStream::pair().map_err(refuse)?;
        let mut listener = listener;
        let registry = poll.registry();
        registry
            .register(&mut listener, LISTENER, Interest::READABLE)
            .map_err(refuse)?;
        registry
            .register(&mut stop, STOP, Interest::READABLE)
            .map_err(refuse)?;
        let now = clock.now();
        let mut server = Server {
            driver,
            console,
            clock,
            poll,
            listener,
            address,
            stop,
            stopper: Stopper(Arc::new(waker)),
            connections: BTreeMap::new(),
            next_connection: FIRST_CONNECTION,
            runnable: VecDeque::new(),
            held: BTreeSet::new(),
            scratch: vec![0; SCRATCH_BYTES],
            receiving: Buffers::default(),
            max_frame: u32::try_from(settings.number("socket.request.max.bytes", 100 << 20))
                .unwrap_or(i32::MAX as u32),
            max_connections: usize::try_from(settings.number("max.connections", CONNECTIONS_MAX))
                .unwrap_or(usize::MAX),
            idle_ms: settings.number("connections.max.idle.ms", 600_000).max(1),
            unsent_max: settings.unsent_bytes,
            due: Due {
                high_watermarks: now.plus_millis(HIGH_WATERMARKS_MS),
                points: now.plus_millis(POINTS_MS),
                idle: now,
                accept: None,
            },
        };
        server.begin()?;
        let waker = mio::Waker::new(server.poll.registry(), ASIDE).map_err(refuse)?;
        let waker = Arc::new(waker);
        let wake = move || _ = waker.wake();
        server.driver.work_aside(wake).map_err(refuse)?;
        Ok(server)
    }

    /// Where it listens; the port is the real one when 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Something that stops it from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Stops it when the process gets SIGTERM, SIGINT or SIGHUP (the terminal is closed), as Kafka does.
    ///
    /// # Errors
    /// The operating system refuses the handler.
    pub fn stop_on_signals(&self) -> io::Result<()> {
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            let waker = std::os::fd::AsFd::as_fd(&*self.stopper.0).try_clone_to_owned()?;
            let waker = std::os::unix::net::UnixStream::from(waker);
            signal_hook::low_level::pipe::register(signal, waker)?;
        }
        Ok(())
    }

    /// Serves until it is told to stop, then closes everything in order.
    ///
    /// # Errors
    /// The operating system's poll failed, or the last writes did.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let now = self.clock.now();
            self.driver.set_wall_ahead(self.clock.wall_ahead());
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(now),
                    STOP => {
                        if self.is_stopped() {
                            return self.finish();
                        }
                    }
                    ASIDE => {}
                    Token(number) => self.woken(ConnId(number as u64), event),
                }
            }
            self.turn(now);
        }
    }

    /// Waits until the node has registered and serves.
    fn begin(&mut self) -> Result<(), Refusal> {
        let mut now = self.clock.now();
        let deadline = now.plus_millis(START_MS);
        self.driver.tell(now, Event::Start);
        self.driver.commit(now);
        while !self.driver.is_serving() {
            if now > deadline {
                return Err(Refusal(
                    "the broker could not register with its own controller; is the disk writable?"
                        .to_owned(),
                ));
            }
            let due = self.driver.next_deadline().unwrap_or(deadline);
            std::thread::sleep(Duration::from_micros(due.since(now)));
            now = self.clock.now().max(due);
            self.driver.tell(now, Event::Tick);
            self.driver.commit(now);
        }
        let unknown = self.driver.unclaimed();
        if !unknown.is_empty() {
            self.console.say(format!(
                "{}: the metadata knows no such partitions; the directories are kept and not used",
                unknown.join(", ")
            ));
        }
        Ok(())
    }

    /// One turn: what sockets have brought, what time has brought, and what goes out.
    fn turn(&mut self, now: Time) {
        for conn in self.driver.take_read(now) {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.warmed();
                self.enqueue(conn);
            }
        }
        for _ in 0..self.runnable.len() {
            if let Some(conn) = self.runnable.pop_front() {
                self.serve(now, conn);
            }
        }
        if self.driver.next_deadline().is_some_and(|due| due <= now) {
            self.driver.tell(now, Event::Tick);
        }
        self.driver.commit_aside(now);
        self.send_out(now);
        self.relieve(now);
        self.release();
        self.own_work(now);
    }

    /// Time until something is to be done, if no socket wakes the thread before.
    fn timeout(&mut self) -> Option<Duration> {
        if !self.runnable.is_empty() || !self.driver.is_laid_out() || !self.driver.is_cleared_out()
        {
            return Some(Duration::ZERO);
        }
        let now = self.clock.now();
        let idle = (!self.connections.is_empty()).then_some(self.due.idle);
        let own = [
            Some(self.due.high_watermarks),
            Some(self.due.points),
            idle,
            self.due.accept,
        ];
        let next = own
            .into_iter()
            .chain([self.driver.next_deadline()])
            .flatten()
            .min()?;
        // Polls wait in milliseconds; waking a little late is better than several times.
        Some(Duration::from_micros(next.since(now)))
    }

    fn accept(&mut self, now: Time) {
        self.due.accept = None;
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // No more file descriptors, most likely: those who wait are asked in again.
                    self.console
                        .say(format!("a connection cannot be accepted now: {error}"));
                    self.due.accept = Some(now.plus_millis(ACCEPT_AGAIN_MS));
                    return;
                }
            }
        }
    }

    fn admit(&mut self, mut stream: mio::net::TcpStream, peer: SocketAddr, now: Time) {
        if self.connections.len() >= self.max_connections {
            self.console.say(format!(
                "{peer}: closed: there are {} connections already (max.connections)",
                self.max_connections
            ));
            return;
        }
        let _ = stream.set_nodelay(true);
        let conn = ConnId(self.next_connection);
        let Ok(token) = usize::try_from(conn.0) else {
            return;
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = stream.register(self.poll.registry(), Token(token), interest) {
            self.console
                .say(format!("{peer}: closed: it cannot be watched: {error}"));
            return;
        }
        self.next_connection += 1;
        let frames = Frames::with_buffers(self.max_frame, self.receiving.clone());
        let unsent = self.driver.unsent.clone();
        let connection = Connection::new(stream, peer, frames, now, unsent);
        self.connections.insert(conn, connection);
        let host = Arc::from(peer.ip().to_string());
        self.driver
            .tell(now, ClientEvent::Connected { conn, host }.into());
    }

    fn woken(&mut self, conn: ConnId, event: &mio::event::Event) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        connection.ended |= event.is_read_closed() || event.is_error();
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            connection.readable = true;
        }
        self.enqueue(conn);
    }

    fn enqueue(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(&conn)
            && !connection.queued
        {
            connection.queued = true;
            self.runnable.push_back(conn);
        }
    }

    /// Sends, reads and handles what a connection has, within limits.
    fn serve(&mut self, now: Time, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        connection.queued = false;
        match connection.send(now) {
            Sending::Done => {}
            Sending::Cold(stretch) => self.driver.warm(conn, stretch),
            Sending::Broken => return self.drop_connection(now, conn),
        }
        for _ in 0..FRAMES_AT_ONCE {
            if connection.is_clogged() || self.driver.is_behind(conn) {
                self.held.insert(conn);
                return;
            }
            match connection.next_frame() {
                Ok(Some(frame)) => self
                    .driver
                    .tell(now, ClientEvent::Request { conn, frame }.into()),
                Ok(None) => match connection.receive(&mut self.scratch, now) {
                    Received::More => {}
                    Received::Drained => return,
                    Received::Gone => return self.drop_connection(now, conn),
                },
                Err(error) => {
                    self.console
                        .say(format!("{}: closed: it sent {error}", connection.peer));
                    return self.drop_connection(now, conn);
                }
            }
        }
        self.enqueue(conn);
    }

    fn send_out(&mut self, now: Time) {
        let mut touched = BTreeSet::new();
        let mut closing = Vec::new();
        for out in self.driver.take_out() {
            match out {
                Out::Reply { conn, pieces } => {
                    if let Some(connection) = self.connections.get_mut(&conn) {
                        connection.push(pieces);
                        touched.insert(conn);
                    }
                }
                Out::Close { conn, why } => closing.push((conn, why)),
            }
        }
        for conn in touched {
            let connection = self.connections.get_mut(&conn);
            match connection.map(|connection| connection.send(now)) {
                None | Some(Sending::Done) => {}
                Some(Sending::Cold(stretch)) => self.driver.warm(conn, stretch),
                Some(Sending::Broken) => self.drop_connection(now, conn),
            }
        }
        for (conn, why) in closing {
            if let Some(connection) = self.connections.get(&conn) {
                let peer = connection.peer;
                self.console.say(format!("{peer}: closed: {}", reason(why)));
                self.drop_connection(now, conn);
            }
        }
    }

    /// Lets connections go on that were held back and need not be any more.
    fn release(&mut self) {
        let ready = |conn: &ConnId| {
            let connection = self.connections.get(conn);
            connection.is_none_or(|open| !open.is_clogged()) && !self.driver.is_behind(*conn)
        };
        let free: Vec<ConnId> = self.held.iter().copied().filter(ready).collect();
        for conn in free {
            self.held.remove(&conn);
            self.enqueue(conn);
        }
    }

    fn drop_connection(&mut self, now: Time, conn: ConnId) {
        self.held.remove(&conn);
        if let Some(mut connection) = self.connections.remove(&conn) {
            let _ = connection.stream.deregister(self.poll.registry());
            self.driver
                .tell(now, ClientEvent::Disconnected { conn }.into());
        }
    }

    /// What the shell does on its own account: directories, checkpoints, idle connections.
    fn own_work(&mut self, now: Time) {
        self.driver.lay_out();
        self.driver.clear_out();
        if self.due.accept.is_some_and(|due| due <= now) {
            self.accept(now);
        }
        if self.due.idle <= now {
            self.close_idle(now);
            self.due.idle = now.plus_millis((self.idle_ms / 4).clamp(1, 10_000));
        }
        let (watermarks, points) = (self.due.high_watermarks <= now, self.due.points <= now);
        if watermarks {
            self.due.high_watermarks = now.plus_millis(HIGH_WATERMARKS_MS);
        }
        if points {
            self.due.points = now.plus_millis(POINTS_MS);
        }
        if watermarks || points {
            self.driver.checkpoint(watermarks, points);
        }
    }

    fn close_idle(&mut self, now: Time) {
        let limit = self.idle_ms.saturating_mul(1000);
        let idle = self.connections.iter();
        let idle: Vec<ConnId> = idle
            .filter(|(_, connection)| now.since(connection.active) > limit)
            .map(|(conn, _)| *conn)
            .collect();
        for conn in idle {
            self.drop_connection(now, conn);
        }
    }

    fn is_stopped(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.stop.read(&mut byte), Ok(1))
    }

    /// Controlled shutdown: leaderships go, then every file is closed in order.
    fn finish(mut self) -> io::Result<()> {
        let mut now = self.clock.now();
        let deadline = now.plus_millis(STOP_MS);
        self.driver.tell(now, Event::Shutdown);
        self.driver.commit(now);
        while !self.driver.may_stop() && now < deadline {
            let due = self
                .driver
                .next_deadline()
                .unwrap_or(deadline)
                .min(deadline);
            std::thread::sleep(Duration::from_micros(due.since(now)));
            now = self.clock.now().max(due);
            self.driver.tell(now, Event::Tick);
            self.driver.commit(now);
        }
        self.send_out(now);
        self.driver.close()
    }
}

fn reason(why: Closing) -> String {
    match why {
        Closing::Malformed => "it sent bytes that are no Kafka request".to_owned(),
        Closing::Unsupported { api_key, version } => {
            format!("it sent version {version} of API {api_key}, which is not spoken here")
        }
        Closing::UnacknowledgedFailure => {
            "a request failed that has no other way of saying so".to_owned()
        }
        Closing::TooManyRequests => "it sent too many requests at once".to_owned(),
    }
}
