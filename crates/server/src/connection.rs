//! One client's connection: a socket, what has come in, what is to go out.

use crate::frames::{FrameError, Frames};
use crate::outgoing::{Outgoing, Unsent};
use bytes::Bytes;
use ids::Time;
use mio::net::TcpStream;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;

/// Bytes that may wait to be sent before no further request of the connection is handled.
const UNSENT_MAX: u64 = 1 << 20;

/// What reading a socket once has brought.
#[derive(Debug)]
pub(crate) enum Received {
    /// Perhaps some bytes; there may be more.
    More,
    /// All there is for now.
    Drained,
    /// The client has gone.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    frames: Frames,
    outgoing: Outgoing,
    /// The socket may have bytes to read.
    pub(crate) readable: bool,
    /// It is in the queue of connections to be served.
    pub(crate) queued: bool,
    /// The last time something was read or written.
    pub(crate) active: Time,
    /// Since when there has been something to send.
    waiting: Option<Time>,
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        max_frame: u32,
        now: Time,
        unsent: Unsent,
    ) -> Connection {
        Connection {
            stream,
            peer,
            frames: Frames::new(max_frame),
            outgoing: Outgoing::counted_in(unsent),
            readable: true,
            queued: false,
            active: now,
            waiting: None,
        }
    }

    /// Reads once, if the socket may have something.
    pub(crate) fn receive(&mut self, scratch: &mut [u8], now: Time) -> Received {
        if !self.readable {
            return Received::Drained;
        }
        match self.stream.read(scratch) {
            Ok(0) => Received::Gone,
            Ok(read) => {
                self.active = now;
                self.frames.extend(scratch.get(..read).unwrap_or_default());
                Received::More
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Received::Drained
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Received::More,
            Err(_) => Received::Gone,
        }
    }

    pub(crate) fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        self.frames.next_frame()
    }

    /// Whether the client must first take its answers.
    pub(crate) fn is_clogged(&self) -> bool {
        self.outgoing.left() > UNSENT_MAX
    }

    pub(crate) fn push(&mut self, pieces: Vec<Bytes>) {
        self.outgoing.push(pieces);
    }

    /// Since when the client has not taken all of its answers.
    pub(crate) fn waiting_since(&self) -> Option<Time> {
        self.waiting
    }

    /// Sends what the socket takes; `false` when the connection is broken.
    pub(crate) fn send(&mut self, now: Time) -> bool {
        let before = self.outgoing.left();
        let sent = self.outgoing.write_to(&mut self.stream);
        if self.outgoing.left() < before {
            self.active = now;
        }
        match self.outgoing.left() {
            0 => self.waiting = None,
            _ => _ = self.waiting.get_or_insert(now),
        }
        sent.is_ok()
    }
}
