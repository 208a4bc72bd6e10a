//! How a node speaks to others: connections that it has opened itself, whose frames are Kafka's.
//!
//! What others open to this node comes in as a client's connection does. A shell carries frames and
//! knows nothing of what is in them: it dials, sends, and tells what has come or that a link is lost.
//! Within a link frames come whole and in order, or the link is lost.

use alloc::sync::Arc;
use bytes::Bytes;

/// Names a connection that a node has opened; never used again by that node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u64);

/// Where another node listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    /// Its host, as its listeners or `controller.quorum.voters` name it.
    pub host: Arc<str>,
    /// Its port there.
    pub port: u16,
}

/// An order about a link.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkEffect {
    /// Connect, then say `Linked` or `Lost`.
    Dial {
        /// The link from now on.
        link: LinkId,
        /// Where to.
        to: Endpoint,
    },
    /// Send a request, once the link is there.
    Send {
        /// The link.
        link: LinkId,
        /// Header and body, without the four bytes of length.
        frame: Bytes,
    },
    /// Close it; nothing more is heard of it.
    HangUp {
        /// The link.
        link: LinkId,
    },
}

/// What becomes of a link.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkEvent {
    /// The other side has accepted it.
    Linked {
        /// The link.
        link: LinkId,
    },
    /// A response has come, without its four bytes of length.
    Received {
        /// The link.
        link: LinkId,
        /// Header and body.
        frame: Bytes,
    },
    /// It could not be opened, or is broken; what was sent may or may not have arrived.
    Lost {
        /// The link.
        link: LinkId,
    },
}
