//! What the world says to those outside it.

use crate::actors::ActorId;
use alloc::string::String;
use bytes::Bytes;
use client::io::Input as ToClient;
use cluster::Note;
use ids::{NodeId, Offset, TopicIdPartition};

/// Something for those outside the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A terminal printed something.
    Terminal {
        /// The terminal's number.
        id: u32,
        /// What.
        text: TerminalText,
    },
    /// A terminal's command is over.
    Exit {
        /// The terminal's number.
        id: u32,
        /// Its exit status.
        code: i32,
    },
    /// A frame for a client from outside.
    Frame {
        /// The client's number.
        id: u32,
        /// The frame, without its four bytes of length.
        frame: Bytes,
    },
    /// The broker has closed the connection of a client from outside.
    Closed {
        /// The client's number.
        id: u32,
    },
    /// A broker says something.
    Note {
        /// Which.
        node: NodeId,
        /// What.
        note: Note,
    },
    /// Recovery had to give something up.
    Cut {
        /// The log's name.
        log: String,
        /// The file.
        file: String,
        /// How many bytes of it were kept.
        at: u64,
        /// How many were not.
        bytes: u64,
        /// Why, in a sentence.
        why: String,
    },
    /// A log of a topic that is not internal goes on in a new segment.
    Rolled {
        /// Topic and partition.
        name: TopicIdPartition,
        /// The segment's base offset.
        offset: Offset,
    },
    /// The oldest segments of a log of a topic that is not internal were deleted.
    Deleted {
        /// Topic and partition.
        name: TopicIdPartition,
        /// Records below are gone.
        below: Offset,
    },
    /// A command of a person or of the scenario was refused.
    Refused {
        /// The number its input had; 0 for the scenario's own.
        input: u64,
        /// Kafka's error name or one of ours.
        code: String,
        /// A sentence.
        message: String,
    },
    /// A command was carried out.
    Done {
        /// The number its input had.
        input: u64,
    },
}

/// Text of a terminal.
#[derive(Clone, Debug, PartialEq)]
pub enum TerminalText {
    /// Standard output.
    Out(Bytes),
    /// Standard error.
    Err(Bytes),
}

/// What a client from outside is told of what reaches it.
pub(crate) fn outside_hears(id: ActorId, input: &ToClient) -> Option<Said> {
    match input {
        ToClient::Frame { frame, .. } => Some(Said::Frame {
            id: id.0,
            frame: frame.clone(),
        }),
        ToClient::Closed { .. } | ToClient::ConnectFailed { .. } => Some(Said::Closed { id: id.0 }),
        ToClient::Start
        | ToClient::Connected { .. }
        | ToClient::Stdin(_)
        | ToClient::StdinEnd
        | ToClient::Interrupt
        | ToClient::StdoutFull
        | ToClient::StdoutReady
        | ToClient::Timer => None,
    }
}
