//! What goes in and what comes out: facts and orders.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ConnId, ErrorCode, NodeId, Time, Token, TopicIdPartition};
use log::{DiskEffect, DiskEvent, LogId, LogSlice};
use metadata::Snapshot;

/// A fact the broker is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// The broker may begin: it registers with the controller.
    Start,
    /// A client has done something.
    Client(ClientEvent),
    /// The disk has carried out an order, or could not.
    Disk(DiskEvent),
    /// The controller says something.
    Controller(ControllerEvent),
    /// What became of an [`Effect::Call`]; each call is followed by exactly one of these.
    Called {
        /// The call's token.
        token: Token,
        /// The response frame.
        answer: Result<Bytes, Lost>,
    },
    /// Time has passed; whatever was due is done.
    Tick,
}

/// There is no answer: nobody was there, the connection broke, or it took too long. The request may have
/// been carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost;

/// What a client does.
#[derive(Clone, Debug)]
pub enum ClientEvent {
    /// It has connected.
    Connected {
        /// The connection, never used before on this node.
        conn: ConnId,
        /// The client's address as tools show it, such as `127.0.0.1`.
        host: Arc<str>,
    },
    /// A connection is gone, whoever closed it.
    Disconnected {
        /// The connection.
        conn: ConnId,
    },
    /// A frame has come in, without its four bytes of length.
    Request {
        /// The connection it came from.
        conn: ConnId,
        /// Header and body.
        frame: Bytes,
    },
}

/// What the controller says to a broker.
#[derive(Clone, Debug)]
pub enum ControllerEvent {
    /// Its answer to [`Effect::Ask`].
    Answered {
        /// The question's token.
        token: Token,
        /// The response frame.
        frame: Bytes,
    },
    /// It has no answer to [`Effect::Ask`].
    Refused {
        /// The question's token.
        token: Token,
        /// Why.
        code: ErrorCode,
    },
    /// This takes the place of all batches that were told before.
    Snapshot {
        /// What everything below its end adds up to.
        snapshot: Snapshot,
    },
    /// A batch of the metadata log is committed.
    Metadata {
        /// The batch as it lies in the log.
        batch: Bytes,
    },
}

/// An order the broker gives. Effects are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Something for a client.
    Client(ClientEffect),
    /// Something for the disk.
    Disk(DiskEffect),
    /// Send a request to the active controller, then say `Answered`.
    Ask {
        /// Comes back with the answer.
        token: Token,
        /// The request frame.
        frame: Bytes,
    },
    /// Send a request to another broker, then say `Called`. Those to one broker are answered in order.
    Call {
        /// The other broker.
        to: NodeId,
        /// Comes back with the answer.
        token: Token,
        /// The request frame.
        frame: Bytes,
        /// When to give it up.
        until: Time,
    },
    /// Something a person may want to know.
    Note(Note),
}

/// What is done for a client.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEffect {
    /// Send it this.
    Reply {
        /// The connection.
        conn: ConnId,
        /// The frame.
        reply: Reply,
    },
    /// Close its connection.
    Close {
        /// The connection.
        conn: ConnId,
        /// Why, for the one log line.
        why: Closing,
    },
}

/// A response frame, without its four bytes of length: bytes with log slices between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// All bytes but those of the slices.
    pub bytes: Bytes,
    /// Where slices of logs go, in ascending order.
    pub slices: Vec<ReplySlice>,
}

/// A slice of a log within a reply. It is to be resolved before the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplySlice {
    /// Position in [`Reply::bytes`] before which the slice goes.
    pub at: u32,
    /// The log.
    pub log: LogId,
    /// Which bytes of it.
    pub slice: LogSlice,
}

impl Reply {
    /// Length of the frame in bytes, slices included.
    #[must_use]
    pub fn len(&self) -> u64 {
        let slices: u64 = self
            .slices
            .iter()
            .map(|slice| u64::from(slice.slice.length))
            .sum();
        slices + self.bytes.len() as u64
    }

    /// Whether the frame has no bytes; a real one never is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why a connection is closed by the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The frame's bytes are not a request.
    Malformed,
    /// The API or its version is not one this broker speaks.
    Unsupported {
        /// The request's API key.
        api_key: i16,
        /// Its version.
        version: i16,
    },
    /// A produce request with acks=0 failed: closing is the only way to say so.
    UnacknowledgedFailure,
    /// More requests are queued on the connection than the broker keeps.
    TooManyRequests,
}

/// Something a person may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// A group completed its join phase.
    Rebalanced {
        /// The group.
        group: Arc<str>,
        /// Its new generation.
        generation: i32,
        /// How many members it has.
        members: u32,
    },
    /// A group gave a member up that was silent or late.
    MemberTimedOut {
        /// The group.
        group: Arc<str>,
        /// The member's `client.id`.
        client_id: Arc<str>,
    },
    /// A topic is made because a client named one that there is not (`auto.create.topics.enable`).
    TopicMade {
        /// The topic.
        topic: Arc<str>,
        /// The client's `client.id`.
        client_id: Arc<str>,
    },
    /// The broker refused to write; nothing acknowledged is lost.
    StoreRefused {
        /// Whose log.
        name: TopicIdPartition,
    },
    /// A metadata record could not be read and was left out.
    BadMetadata,
}
