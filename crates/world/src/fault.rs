//! The one vocabulary of faults: the stage, a scenario's events, a seed and a tool speak it.
//!
//! In JSON a fault is an object with its name in `fault` and its fields beside it. A field `version` may be
//! there and is 1: a form that means something else will have another number.

use crate::document::Document;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What becomes of messages on a link that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Failing {
    /// Connections are refused and break.
    Cut,
    /// Nothing arrives, and nobody is told.
    BlackHole,
}

/// Which way messages go, seen from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ways {
    /// To it.
    In,
    /// From it.
    Out,
    /// To it and from it.
    Both,
}

/// When a connection breaks that is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// In the middle of a request, which does not arrive.
    Request,
    /// When a request has been carried out, and nobody hears of it.
    Response,
}

/// Something that goes wrong, or is made good again.
///
/// A `link` is one direction between two hosts, from and to, each the number of a node; 0 is where
/// all clients are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "fault",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    try_from = "Document"
)]
#[allow(missing_docs, reason = "the fields say what they are")]
pub enum Fault {
    /// Stops a node as `kill -9` does: what it has written stays, everything else is gone.
    Kill { node: i32 },
    /// Stops a node in order: its leaderships go first, then its logs are closed and flushed.
    Stop { node: i32 },
    /// Starts a node that does not run, on what its disk holds.
    Start { node: i32 },
    /// A node stands still, as after `kill -STOP`; its connections stay.
    Pause { node: i32 },
    /// It goes on.
    Resume { node: i32 },
    /// A node dies, and its disk is a new one.
    Wipe { node: i32 },
    /// A node's disk has no room for records any more.
    Fill { node: i32 },
    /// There is room again.
    Free { node: i32 },
    /// A node loses its power: of each file what was flushed is left, and perhaps some bytes more.
    PowerLoss { node: i32 },
    /// A node dies while it writes: of the write that is under way, or the next one, a beginning is left.
    Tear { node: i32 },
    /// One bit of a node's logs turns over on the disk; who reads it there finds it so.
    Flip { node: i32 },
    /// A write takes a node's disk so many milliseconds longer; 0 for not.
    SlowDisk { node: i32, ms: u32 },
    /// A node's clock on the wall is ahead by so many milliseconds, or behind.
    Skew { node: i32, ms: i32 },
    /// Connections over a link are refused, and those there are break.
    Cut { link: Vec<i32> },
    /// A link swallows what is sent. When it is healed, TCP sends again what its connections still want to.
    BlackHole { link: Vec<i32> },
    /// A link carries no more than so many bytes a second.
    Slow {
        link: Vec<i32>,
        bytes_per_second: u32,
    },
    /// A message over a link takes so many milliseconds, and by chance up to `jitter` more.
    Delay {
        link: Vec<i32>,
        ms: u32,
        jitter_ms: u32,
    },
    /// The next exchange of requests over a link breaks its connection.
    Reset { link: Vec<i32>, moment: Moment },
    /// All links of a node fail.
    Isolate { node: i32, how: Failing, ways: Ways },
    /// A link is as it was made, both ways.
    Heal { link: Vec<i32> },
    /// All links are, and all disks.
    HealAll,
}

impl Fault {
    /// The node that it happens to, if it is one.
    #[must_use]
    pub fn node(&self) -> Option<i32> {
        match self {
            Fault::Kill { node }
            | Fault::Stop { node }
            | Fault::Start { node }
            | Fault::Pause { node }
            | Fault::Resume { node }
            | Fault::Wipe { node }
            | Fault::Fill { node }
            | Fault::Free { node }
            | Fault::PowerLoss { node }
            | Fault::Tear { node }
            | Fault::Flip { node }
            | Fault::SlowDisk { node, .. }
            | Fault::Skew { node, .. }
            | Fault::Isolate { node, .. } => Some(*node),
            Fault::Cut { .. }
            | Fault::BlackHole { .. }
            | Fault::Slow { .. }
            | Fault::Delay { .. }
            | Fault::Reset { .. }
            | Fault::Heal { .. }
            | Fault::HealAll => None,
        }
    }

    /// The link that it happens to: from, to.
    #[must_use]
    pub fn link(&self) -> Option<(i32, i32)> {
        match self {
            Fault::Cut { link }
            | Fault::BlackHole { link }
            | Fault::Slow { link, .. }
            | Fault::Delay { link, .. }
            | Fault::Reset { link, .. }
            | Fault::Heal { link } => match link.as_slice() {
                [from, to] => Some((*from, *to)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a node does not outlive it.
    #[must_use]
    pub fn is_deadly(&self) -> bool {
        matches!(
            self,
            Fault::Kill { .. } | Fault::Wipe { .. } | Fault::PowerLoss { .. } | Fault::Tear { .. }
        )
    }
}

impl TryFrom<Document> for Fault {
    type Error = String;

    fn try_from(mut from: Document) -> Result<Fault, String> {
        let version = from.take::<Option<u32>>("version")?.unwrap_or(1);
        if version != 1 {
            return Err(format!("faults of version {version} are not known"));
        }
        let name: String = from.take("fault")?;
        let fault = match name.as_str() {
            "cut" | "blackHole" | "slow" | "delay" | "reset" | "heal" => {
                link_fault(&name, &mut from)?
            }
            "healAll" => Fault::HealAll,
            _ => node_fault(&name, &mut from)?,
        };
        from.end().map(|()| fault)
    }
}

fn link_fault(name: &str, from: &mut Document) -> Result<Fault, String> {
    let link: Vec<i32> = from.take("link")?;
    match link.as_slice() {
        [a, b] if a != b && *a >= 0 && *b >= 0 => {}
        _ => {
            return Err(String::from(
                "`link`: two hosts, from and to; 0 is the clients",
            ));
        }
    }
    Ok(match name {
        "cut" => Fault::Cut { link },
        "blackHole" => Fault::BlackHole { link },
        "slow" => Fault::Slow {
            link,
            bytes_per_second: from.take("bytesPerSecond")?,
        },
        "delay" => Fault::Delay {
            link,
            ms: from.take("ms")?,
            jitter_ms: from.take::<Option<u32>>("jitterMs")?.unwrap_or(0),
        },
        "reset" => Fault::Reset {
            link,
            moment: from.take("moment")?,
        },
        _ => Fault::Heal { link },
    })
}

fn node_fault(name: &str, from: &mut Document) -> Result<Fault, String> {
    const NAMES: [&str; 14] = [
        "kill",
        "stop",
        "start",
        "pause",
        "resume",
        "wipe",
        "fill",
        "free",
        "powerLoss",
        "tear",
        "flip",
        "slowDisk",
        "skew",
        "isolate",
    ];
    if !NAMES.contains(&name) {
        return Err(format!("there is no fault `{name}`"));
    }
    let node = from.take("node")?;
    Ok(match name {
        "kill" => Fault::Kill { node },
        "stop" => Fault::Stop { node },
        "start" => Fault::Start { node },
        "pause" => Fault::Pause { node },
        "resume" => Fault::Resume { node },
        "wipe" => Fault::Wipe { node },
        "fill" => Fault::Fill { node },
        "free" => Fault::Free { node },
        "powerLoss" => Fault::PowerLoss { node },
        "tear" => Fault::Tear { node },
        "flip" => Fault::Flip { node },
        "slowDisk" => Fault::SlowDisk {
            node,
            ms: from.take("ms")?,
        },
        "skew" => Fault::Skew {
            node,
            ms: from.take("ms")?,
        },
        _ => Fault::Isolate {
            node,
            how: from.take("how")?,
            ways: from.take::<Option<Ways>>("ways")?.unwrap_or(Ways::Both),
        },
    })
}
