//! The network: who is connected to whom, and what becomes of a message on the way.
//!
//! Clients' connections and the links that nodes open to each other are the same thing: an opening end and
//! a node that accepts. Messages of one connection arrive in order and whole, or the connection is broken.
//! What lies between two hosts is a wire for each direction.

use crate::actors::ActorId;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use cluster::{ClientEvent, Event};
use ids::{ConnId, NodeId, Rng, Time};
use sorted::SortedMap;

/// One way between two hosts, in microseconds, where nothing slows it.
pub(crate) const LATENCY_MICROS: u64 = 400;
/// The port of the first node; each further node has the next one.
pub(crate) const FIRST_PORT: u16 = 9092;
/// Where the first node's controller listens, apart from its broker; each further one at the next port.
pub(crate) const CONTROLLER_PORT: u16 = 19092;
/// Connections to the controller's listener have numbers from here on.
const CONTROLLER_CONNS: u64 = 1 << 62;
/// How long a host waits for the answer of one that it wants to connect to, as Kafka's
/// `socket.connection.setup.timeout.ms`.
pub(crate) const SETUP_MICROS: u64 = 10_000_000;

/// A machine on the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Host {
    /// Where all clients are.
    Clients,
    Node(NodeId),
}

/// The end that has opened a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum End {
    Client(ActorId, client::io::LinkId),
    Node(NodeId, cluster::LinkId),
}

impl End {
    pub(crate) fn host(self) -> Host {
        match self {
            End::Client(..) => Host::Clients,
            End::Node(node, _) => Host::Node(node),
        }
    }
}

/// Something for the end that has opened a connection.
#[derive(Clone, Debug)]
pub(crate) enum ToEnd {
    Connected,
    Refused(Arc<str>),
    Frame(Bytes),
    Closed,
}

/// Whether messages come through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Fate {
    #[default]
    Open,
    /// Connections are refused, and those there are break.
    Cut,
    /// Nothing arrives, and nobody is told.
    Swallows,
}

/// What is to become of the next exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reset {
    /// The request is lost on the way, with its connection.
    Request,
    /// The request is carried out, and its response is lost with the connection.
    Response,
}

/// One direction between two hosts.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) latency: u64,
    /// A message takes up to so much longer, by chance.
    pub(crate) jitter: u64,
    /// `None` for as many as there are.
    pub(crate) bytes_per_second: Option<u64>,
    pub(crate) fate: Fate,
    pub(crate) reset: Option<Reset>,
    /// Until when it carries what was sent before.
    busy: Time,
}

impl Default for Wire {
    fn default() -> Wire {
        Wire {
            latency: LATENCY_MICROS,
            jitter: 0,
            bytes_per_second: None,
            fate: Fate::Open,
            reset: None,
            busy: Time(0),
        }
    }
}

impl Wire {
    /// When so many bytes arrive that are sent now.
    fn carry(&mut self, now: Time, bytes: usize, chance: &mut Rng) -> Time {
        let sent = match self.bytes_per_second {
            Some(rate) => {
                let micros = (bytes as u64).saturating_mul(1_000_000) / rate.max(1);
                self.busy = self.busy.max(now).plus_micros(micros);
                self.busy
            }
            None => now,
        };
        let jitter = match self.jitter {
            0 => 0,
            most => chance.below(most.saturating_add(1)),
        };
        sent.plus_micros(self.latency.saturating_add(jitter))
    }
}

/// A connection, by the end that has opened it.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) node: NodeId,
    pub(crate) conn: ConnId,
    /// The end that has opened it has closed it, and the node could not be told.
    pub(crate) is_left: bool,
    /// The node is gone from it, and its end could not be told.
    pub(crate) is_lost: bool,
    /// When the last message arrives at the node, and at the end.
    last: (Time, Time),
    /// What TCP sends again when the network lets it: nothing of it has arrived.
    to_node: Vec<ClientEvent>,
    to_end: Vec<ToEnd>,
}

/// All connections, and the wires that are not as they are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    by_conn: SortedMap<(NodeId, ConnId), End>,
    by_end: SortedMap<End, Connection>,
    wires: SortedMap<(Host, Host), Wire>,
    next_conn: u64,
}

/// What becomes of a message.
pub(crate) enum Sent {
    /// It arrives then.
    Arrives(Time),
    /// The connection breaks.
    Breaks,
    /// It does not arrive, for now.
    Held,
}

/// What happens on a connection, for whichever of the node's listeners has it.
pub(crate) fn heard(event: ClientEvent) -> Event {
    let (ClientEvent::Connected { conn, .. }
    | ClientEvent::Disconnected { conn }
    | ClientEvent::Request { conn, .. }) = &event;
    match conn.0 < CONTROLLER_CONNS {
        true => Event::Client(event),
        false => Event::ControllerListener(event),
    }
}

impl Network {
    /// A new connection between an end and a node.
    pub(crate) fn connect(&mut self, end: End, node: NodeId, port: u16) -> ConnId {
        self.next_conn += 1;
        let conn = match port {
            CONTROLLER_PORT.. => ConnId(CONTROLLER_CONNS + self.next_conn),
            _ => ConnId(self.next_conn),
        };
        self.by_conn.insert((node, conn), end);
        let connection = Connection {
            node,
            conn,
            is_left: false,
            is_lost: false,
            last: (Time(0), Time(0)),
            to_node: Vec::new(),
            to_end: Vec::new(),
        };
        self.by_end.insert(end, connection);
        conn
    }

    pub(crate) fn connection(&mut self, end: End) -> Option<&mut Connection> {
        self.by_end.get_mut(&end)
    }

    pub(crate) fn end(&self, node: NodeId, conn: ConnId) -> Option<End> {
        self.by_conn.get(&(node, conn)).copied()
    }

    /// Forgets a connection.
    pub(crate) fn forget(&mut self, end: End) -> Option<Connection> {
        let connection = self.by_end.remove(&end)?;
        self.by_conn.remove(&(connection.node, connection.conn));
        Some(connection)
    }

    /// The node's end is gone: nobody there hears of the connection any more.
    pub(crate) fn lose(&mut self, end: End) {
        if let Some(connection) = self.by_end.get_mut(&end) {
            connection.is_lost = true;
            connection.to_node.clear();
            self.by_conn.remove(&(connection.node, connection.conn));
        }
    }

    /// All connections that somebody has opened.
    pub(crate) fn opened(&self, from: End, to: End) -> Vec<End> {
        let range = self.by_end.range(from..=to);
        range.map(|(end, _)| *end).collect()
    }

    /// All connections that a node has accepted.
    pub(crate) fn accepted(&self, node: NodeId) -> Vec<End> {
        let range = self
            .by_conn
            .range((node, ConnId(0))..=(node, ConnId(u64::MAX)));
        range.map(|(_, end)| *end).collect()
    }

    /// All connections between two hosts, whoever has opened them.
    pub(crate) fn between(&self, from: Host, to: Host) -> Vec<End> {
        let all = self.by_end.iter();
        let same = |end: &End, of: &Connection| {
            let hosts = (end.host(), Host::Node(of.node));
            hosts == (from, to) || hosts == (to, from)
        };
        all.filter(|(end, of)| same(end, of))
            .map(|(end, _)| *end)
            .collect()
    }

    pub(crate) fn fate(&self, from: Host, to: Host) -> Fate {
        let wire = self.wires.get(&(from, to));
        wire.map_or(Fate::Open, |wire| wire.fate)
    }

    /// The wire of a direction, to change it.
    pub(crate) fn wire(&mut self, from: Host, to: Host) -> &mut Wire {
        self.wires.entry((from, to)).or_default()
    }

    /// Everything is as it is made.
    pub(crate) fn mend(&mut self, from: Host, to: Host) {
        self.wires.remove(&(from, to));
    }

    /// The directions that are not as they are made.
    pub(crate) fn changed(&self) -> Vec<(Host, Host)> {
        self.wires.keys().copied().collect()
    }

    /// When a message without a connection arrives, if it does.
    pub(crate) fn passage(
        &mut self,
        from: Host,
        to: Host,
        now: Time,
        chance: &mut Rng,
    ) -> Option<Time> {
        match self.wires.get_mut(&(from, to)) {
            None => Some(now.plus_micros(LATENCY_MICROS)),
            Some(wire) if wire.fate == Fate::Open => Some(wire.carry(now, 0, chance)),
            Some(_) => None,
        }
    }

    /// What becomes of so many bytes that an end sends now, and to whom; `None` without a connection.
    pub(crate) fn send_to_node(
        &mut self,
        end: End,
        now: Time,
        bytes: usize,
        chance: &mut Rng,
    ) -> Option<(Sent, NodeId, ConnId)> {
        let connection = self.by_end.get_mut(&end)?;
        if connection.is_lost {
            return None;
        }
        let way = (end.host(), Host::Node(connection.node));
        let wire = self.wires.get_mut(&way);
        let held = !connection.to_node.is_empty();
        let sent = pass(
            wire,
            Reset::Request,
            held,
            &mut connection.last.0,
            now,
            bytes,
            chance,
        );
        Some((sent, connection.node, connection.conn))
    }

    /// What becomes of so many bytes that a node sends now; `None` when nobody is there for them.
    pub(crate) fn send_to_end(
        &mut self,
        end: End,
        now: Time,
        bytes: usize,
        chance: &mut Rng,
    ) -> Option<Sent> {
        let connection = self.by_end.get_mut(&end)?;
        if connection.is_left {
            return None;
        }
        let way = (Host::Node(connection.node), end.host());
        let wire = self.wires.get_mut(&way);
        let held = !connection.to_end.is_empty();
        let sent = pass(
            wire,
            Reset::Response,
            held,
            &mut connection.last.1,
            now,
            bytes,
            chance,
        );
        Some(sent)
    }
}

impl Connection {
    pub(crate) fn hold_to_node(&mut self, event: ClientEvent) {
        self.to_node.push(event);
    }

    pub(crate) fn hold_to_end(&mut self, what: ToEnd) {
        self.to_end.push(what);
    }

    /// Whether something is held back from the end.
    pub(crate) fn holds(&self) -> bool {
        !self.to_end.is_empty()
    }

    /// What was held back, to be sent again.
    pub(crate) fn take_held(&mut self) -> (Vec<ClientEvent>, Vec<ToEnd>) {
        let to_node = core::mem::take(&mut self.to_node);
        (to_node, core::mem::take(&mut self.to_end))
    }
}

/// Sends over a wire; what comes later on a connection never arrives earlier. `reset` is what may break it.
fn pass(
    wire: Option<&mut Wire>,
    reset: Reset,
    held: bool,
    last: &mut Time,
    now: Time,
    bytes: usize,
    chance: &mut Rng,
) -> Sent {
    let at = match wire {
        None => now.plus_micros(LATENCY_MICROS),
        Some(wire) => {
            if wire.fate == Fate::Swallows {
                return Sent::Held;
            }
            // What opens or closes a connection has no bytes, and is no exchange.
            if wire.fate == Fate::Cut
                || bytes > 0 && wire.reset.take_if(|it| *it == reset).is_some()
            {
                return Sent::Breaks;
            }
            wire.carry(now, bytes, chance)
        }
    };
    if held {
        return Sent::Held;
    }
    *last = at.max(*last);
    Sent::Arrives(*last)
}
