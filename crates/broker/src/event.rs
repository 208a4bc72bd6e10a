//! What goes in and what comes out: facts and orders.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ConnId, ErrorCode, PartitionIndex, Token, Uuid};
use log::{LogSlice, StoreOp};

/// Names one replica of this broker for as long as it runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplicaId(pub u32);

/// A fact the broker is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// The broker may begin: it registers with the controller.
    Start,
    /// A client has connected; `host` is its address as tools show it.
    Connected {
        /// The connection, never used before.
        conn: ConnId,
        /// The client's address, such as `127.0.0.1`.
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
    /// The ops of [`Effect::Store`] have been written.
    Stored {
        /// The order's token.
        token: Token,
    },
    /// The ops could not be written, and neither were any later ones of that replica.
    StoreFailed {
        /// The order's token.
        token: Token,
    },
    /// What [`Effect::Load`] asked for.
    Loaded {
        /// The order's token.
        token: Token,
        /// Exactly the bytes of the slice; empty when they could not be read.
        bytes: Bytes,
    },
    /// A batch of the metadata log is committed.
    Metadata {
        /// The batch as it lies in the log.
        batch: Bytes,
    },
    /// The controller's answer to [`Effect::Ask`].
    Answered {
        /// The question's token.
        token: Token,
        /// The response frame.
        frame: Bytes,
    },
    /// The controller has no answer to [`Effect::Ask`].
    Refused {
        /// The question's token.
        token: Token,
        /// Why.
        code: ErrorCode,
    },
    /// Time has passed; whatever was due is done.
    Tick,
}

/// An order the broker gives. Effects are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send this to a client.
    Reply {
        /// The connection.
        conn: ConnId,
        /// The frame.
        reply: Reply,
    },
    /// Close a connection.
    Close {
        /// The connection.
        conn: ConnId,
        /// Why, for the one log line.
        why: Closing,
    },
    /// A replica begins to exist here; what follows about it names it by its id.
    Open {
        /// Its id from now on.
        replica: ReplicaId,
        /// Whose log it is.
        name: ReplicaName,
    },
    /// A replica's log and files are to be removed.
    Remove {
        /// The replica; its id is not used again.
        replica: ReplicaId,
    },
    /// Write to a replica's files, then say `Stored`.
    Store {
        /// Comes back with the completion.
        token: Token,
        /// The replica.
        replica: ReplicaId,
        /// What to write, in order.
        ops: Vec<StoreOp>,
    },
    /// Read bytes of a replica's log that are no longer in memory, then say `Loaded`.
    Load {
        /// Comes back with the bytes.
        token: Token,
        /// The replica.
        replica: ReplicaId,
        /// Which bytes.
        slice: LogSlice,
    },
    /// Send a request to the active controller, then say `Answered`.
    Ask {
        /// Comes back with the answer.
        token: Token,
        /// The request frame.
        frame: Bytes,
    },
    /// Something a person may want to know.
    Note(Note),
}

/// Whose log a replica is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaName {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's id.
    pub topic_id: Uuid,
    /// The partition's number.
    pub partition: PartitionIndex,
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
    /// The replica whose log it is.
    pub replica: ReplicaId,
    /// The bytes of that log.
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
        name: ReplicaName,
    },
    /// A metadata record could not be read and was left out.
    BadMetadata,
}
