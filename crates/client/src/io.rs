//! What a client machine is told and what it orders.
//!
//! Every machine of this crate is driven the same way: `step(now, input, &mut out)`, and
//! `next_deadline()` says when it wants `Input::Timer` if nothing else happens first. A shell (the
//! simulated world, a terminal, the native command) turns outputs into sockets and streams.

use alloc::sync::Arc;
use bytes::Bytes;

/// Names one connection of one machine; a number is never used twice by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LinkId(pub u32);

/// Something that happened to a machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The machine begins; given once, before everything else.
    Start,
    /// The connection asked for by [`Output::Connect`] stands.
    Connected {
        /// Which connection.
        link: LinkId,
    },
    /// The connection asked for could not be made; the link is gone.
    ConnectFailed {
        /// Which connection.
        link: LinkId,
        /// What went wrong, for people.
        why: Arc<str>,
    },
    /// The other end closed the connection, or the network did; the link is gone.
    Closed {
        /// Which connection.
        link: LinkId,
    },
    /// One whole response frame, without its 4-byte length.
    Frame {
        /// Which connection.
        link: LinkId,
        /// The frame, from the response header on.
        frame: Bytes,
    },
    /// Bytes typed or piped in; any piece of the stream.
    Stdin(Bytes),
    /// Standard input ended (Ctrl+D).
    StdinEnd,
    /// Ctrl+C: stop cleanly.
    Interrupt,
    /// Whoever reads standard output is behind: nothing more should be printed for now. A process that
    /// writes to a full pipe stands still; a machine here stops reading what it would print.
    StdoutFull,
    /// Standard output is read again.
    StdoutReady,
    /// Time passed; also the way to make a machine look at what its owner gave it.
    Timer,
}

/// Something a machine orders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Open a connection; answered by `Connected` or `ConnectFailed`.
    Connect {
        /// The number of the new connection.
        link: LinkId,
        /// Host name or address.
        host: Arc<str>,
        /// TCP port.
        port: u16,
    },
    /// Send one request frame, without its 4-byte length.
    Send {
        /// Which connection.
        link: LinkId,
        /// The frame, from the request header on.
        frame: Bytes,
    },
    /// Close a connection; nothing more is heard of the link.
    Disconnect {
        /// Which connection.
        link: LinkId,
    },
    /// Bytes for standard output.
    Stdout(Bytes),
    /// Bytes for standard error.
    Stderr(Bytes),
    /// The command is over with this exit status; nothing follows.
    Exit(i32),
}

impl Output {
    /// One line of text for standard output, the line feed added.
    #[must_use]
    pub fn stdout_line(text: &str) -> Output {
        Output::Stdout(line(text))
    }

    /// One line of text for standard error, the line feed added.
    #[must_use]
    pub fn stderr_line(text: &str) -> Output {
        Output::Stderr(line(text))
    }
}

fn line(text: &str) -> Bytes {
    let mut bytes = alloc::vec::Vec::with_capacity(text.len() + 1);
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'\n');
    bytes.into()
}
