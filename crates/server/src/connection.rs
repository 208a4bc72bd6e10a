//! One client's connection: a socket, what has come in, what is to go out.

use crate::frames::Frames;
use crate::outgoing::{Outgoing, Piece, Sent, Unsent};
use crate::reader::Stretch;
use bytes::Bytes;
use ids::Time;
use mio::net::TcpStream;
use std::io::{ErrorKind, IoSliceMut, Read};
use std::net::SocketAddr;
use wire::FrameError;

/// Bytes that may wait to be sent before no further request of the connection is handled.
const UNSENT_MAX: u64 = 1 << 20;

/// Bytes read behind a large frame, into the buffer that all connections share: they are copied.
const BEHIND_BYTES: usize = 8 << 10;

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
    /// The other side has ended its stream: it is read to the end.
    pub(crate) ended: bool,
    /// It is in the queue of connections to be served.
    pub(crate) queued: bool,
    /// The last time something was read or written.
    pub(crate) active: Time,
    /// Since when there has been something to send.
    waiting: Option<Time>,
    /// What it sends next is being read from the disk.
    cold: bool,
}

/// What sending has come to.
#[derive(Debug)]
pub(crate) enum Sending {
    /// As much is sent as the client takes.
    Done,
    /// Nothing more can be sent before these bytes have been read.
    Cold(Stretch),
    /// The connection is broken.
    Broken,
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        frames: Frames,
        now: Time,
        unsent: Unsent,
    ) -> Connection {
        Connection {
            stream,
            peer,
            frames,
            outgoing: Outgoing::counted_in(unsent),
            readable: true,
            ended: false,
            queued: false,
            active: now,
            waiting: None,
            cold: false,
        }
    }

    /// Reads once, if the socket may have something.
    pub(crate) fn receive(&mut self, scratch: &mut [u8], now: Time) -> Received {
        if !self.readable {
            return Received::Drained;
        }
        let room = self.frames.room();
        let (room_bytes, behind) = (room.len(), room.len().min(1) * BEHIND_BYTES);
        let behind = match behind {
            0 => scratch,
            bytes => scratch.get_mut(..bytes).unwrap_or_default(),
        };
        let asked = room_bytes + behind.len();
        let mut both = [IoSliceMut::new(room), IoSliceMut::new(behind)];
        let both = both.get_mut(usize::from(room_bytes == 0)..);
        match self.stream.read_vectored(both.unwrap_or_default()) {
            Ok(0) => Received::Gone,
            Ok(read) => {
                self.active = now;
                self.frames.filled(read.min(room_bytes));
                let behind = behind.get(..read.saturating_sub(room_bytes));
                self.frames.extend(behind.unwrap_or_default());
                // A short read has taken all there was: the poll tells of more, but tells of the
                // stream's end only once.
                self.readable = read == asked || self.ended;
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

    pub(crate) fn push(&mut self, pieces: Vec<Piece>) {
        self.outgoing.push(pieces);
    }

    /// Since when the client has not taken all of its answers.
    pub(crate) fn waiting_since(&self) -> Option<Time> {
        self.waiting
    }

    /// Sends what the socket takes.
    pub(crate) fn send(&mut self, now: Time) -> Sending {
        if self.cold {
            return Sending::Done;
        }
        let before = self.outgoing.left();
        let sent = self.outgoing.write_to(&mut self.stream);
        if self.outgoing.left() < before {
            self.active = now;
        }
        match self.outgoing.left() {
            0 => self.waiting = None,
            _ => _ = self.waiting.get_or_insert(now),
        }
        match sent {
            Ok(Sent::All | Sent::Some) => Sending::Done,
            Ok(Sent::Cold(stretch)) => {
                self.cold = true;
                Sending::Cold(stretch)
            }
            Err(_) => Sending::Broken,
        }
    }

    /// What it sends next has been read.
    pub(crate) fn warmed(&mut self) {
        self.cold = false;
    }
}
