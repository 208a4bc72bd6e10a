//! What of an event goes into the trace, and what of it a person reads.

use crate::actors::ActorId;
use crate::trace::Trace;
use alloc::format;
use alloc::string::{String, ToString};
use client::io::Input as ToClient;
use cluster::{ClientEvent, Cluster, DiskEvent, Event, LinkEvent, LogId};
use ids::{NodeId, Time};

pub(crate) fn trace_event(trace: &mut Trace, now: Time, node: NodeId, event: &Event) {
    trace.number(now.0);
    trace.number(u64::from(node.0.unsigned_abs()));
    match event {
        Event::Start => trace.number(1),
        Event::Client(ClientEvent::Connected { conn, .. })
        | Event::ControllerListener(ClientEvent::Connected { conn, .. }) => {
            trace.number(2 << 40 | conn.0)
        }
        Event::Client(ClientEvent::Disconnected { conn })
        | Event::ControllerListener(ClientEvent::Disconnected { conn }) => {
            trace.number(3 << 40 | conn.0)
        }
        Event::Client(ClientEvent::Request { conn, frame })
        | Event::ControllerListener(ClientEvent::Request { conn, frame }) => {
            trace.number(4 << 40 | conn.0);
            trace.bytes(frame);
        }
        Event::Disk(DiskEvent::Stored { token, .. }) => trace.number(5 << 40 | token.0),
        Event::Disk(DiskEvent::StoreFailed { token, .. }) => trace.number(6 << 40 | token.0),
        Event::Disk(DiskEvent::Loaded { token, bytes, .. }) => {
            trace.number(7 << 40 | token.0);
            trace.bytes(bytes);
        }
        Event::Shutdown => trace.number(9),
        Event::Link(event) => trace_link(trace, event),
        Event::Tick => trace.number(10),
    }
}

fn trace_link(trace: &mut Trace, event: &LinkEvent) {
    match event {
        LinkEvent::Linked { link } => trace.number(11 << 40 | link.0),
        // Its bytes are in the trace as the reply they were.
        LinkEvent::Received { link, frame } => {
            trace.number(12 << 40 | link.0);
            trace.number(frame.len() as u64);
        }
        LinkEvent::Lost { link } => trace.number(13 << 40 | link.0),
    }
}

fn link_words(event: &LinkEvent) -> String {
    match event {
        LinkEvent::Linked { link } => format!("has link {}", link.0),
        LinkEvent::Received { link, frame } => {
            format!("hears {} bytes on link {}", frame.len(), link.0)
        }
        LinkEvent::Lost { link } => format!("has lost link {}", link.0),
    }
}

pub(crate) fn trace_store(
    trace: &mut Trace,
    cluster: &Cluster,
    node: NodeId,
    log: LogId,
    ops: &[log::StoreOp],
) {
    for op in ops {
        match op {
            log::StoreOp::Append {
                segment,
                position,
                length,
            } => {
                trace.number(segment.0.unsigned_abs());
                let slice = log::LogSlice {
                    segment: *segment,
                    position: *position,
                    length: *length,
                };
                let pieces = cluster
                    .log(node, log)
                    .and_then(|log| log.slice_bytes(&slice));
                for piece in pieces.into_iter().flatten() {
                    trace.bytes(piece);
                }
            }
            log::StoreOp::AppendBatch(batch) => {
                trace.number(batch.segment.0.unsigned_abs());
                trace.bytes(&batch.header);
                trace.bytes(&batch.records);
            }
            log::StoreOp::Put { file, bytes } => {
                trace.bytes(file.name().as_bytes());
                trace.bytes(bytes);
            }
            log::StoreOp::Delete { file } => trace.bytes(file.name().as_bytes()),
            log::StoreOp::Roll { segment } => trace.number(1 << 62 | segment.0.unsigned_abs()),
            log::StoreOp::Truncate { segment, position } => {
                trace.number(segment.0.unsigned_abs());
                trace.number(u64::from(*position));
            }
        }
    }
}

pub(crate) fn trace_input(trace: &mut Trace, now: Time, actor: ActorId, input: &ToClient) {
    trace.number(now.0);
    trace.number(1 << 48 | u64::from(actor.0));
    match input {
        ToClient::Start => trace.number(1),
        ToClient::Connected { link } => trace.number(2 << 40 | u64::from(link.0)),
        ToClient::ConnectFailed { link, .. } => trace.number(3 << 40 | u64::from(link.0)),
        ToClient::Closed { link } => trace.number(4 << 40 | u64::from(link.0)),
        // Its bytes are in the trace as the reply they were.
        ToClient::Frame { link, frame } => {
            trace.number(5 << 40 | u64::from(link.0));
            trace.number(frame.len() as u64);
        }
        ToClient::Stdin(text) => trace.bytes(text),
        ToClient::StdinEnd => trace.number(7),
        ToClient::Interrupt => trace.number(8),
        ToClient::Timer => trace.number(9),
        ToClient::StdoutFull => trace.number(10),
        ToClient::StdoutReady => trace.number(11),
    }
}

/// A fact that a node is told, in words.
pub(crate) fn event_words(event: &Event) -> String {
    match event {
        Event::Start => "starts".to_string(),
        Event::Client(ClientEvent::Connected { conn, .. })
        | Event::ControllerListener(ClientEvent::Connected { conn, .. }) => {
            format!("is connected by {}", conn.0)
        }
        Event::Client(ClientEvent::Disconnected { conn })
        | Event::ControllerListener(ClientEvent::Disconnected { conn }) => {
            format!("is left by {}", conn.0)
        }
        Event::Client(ClientEvent::Request { conn, frame })
        | Event::ControllerListener(ClientEvent::Request { conn, frame }) => {
            let api = crate::frames::api_of(frame);
            let (key, version) = api.unwrap_or((-1, -1));
            let name = wire::api_table::api(key).map_or("request", |api| api.name);
            format!(
                "hears {name} v{version} of {} bytes from {}",
                frame.len(),
                conn.0
            )
        }
        Event::Disk(DiskEvent::Stored { log, token }) => format!("has stored {log:?} {}", token.0),
        Event::Disk(DiskEvent::StoreFailed { log, token }) => {
            format!("could not store {log:?} {}", token.0)
        }
        Event::Disk(DiskEvent::Loaded { token, bytes, .. }) => {
            format!("has loaded {} bytes for {}", bytes.len(), token.0)
        }
        Event::Shutdown => "is to stop".to_string(),
        Event::Link(event) => link_words(event),
        Event::Tick => "wakes".to_string(),
    }
}

/// A fact that a client is told, in words.
pub(crate) fn input_words(input: &ToClient) -> String {
    match input {
        ToClient::Start => "starts".to_string(),
        ToClient::Connected { link } => format!("has connected {}", link.0),
        ToClient::ConnectFailed { link, why } => format!("could not connect {}: {why}", link.0),
        ToClient::Closed { link } => format!("has lost {}", link.0),
        ToClient::Frame { link, frame } => format!("hears {} bytes on {}", frame.len(), link.0),
        ToClient::Stdin(text) => format!("reads {} bytes", text.len()),
        ToClient::StdinEnd => "reads the end".to_string(),
        ToClient::Interrupt => "is interrupted".to_string(),
        ToClient::Timer => "wakes".to_string(),
        ToClient::StdoutFull => "is not read any more".to_string(),
        ToClient::StdoutReady => "is read again".to_string(),
    }
}
