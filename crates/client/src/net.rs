//! The client's side of the network: connections, versions, timeouts, and what the cluster looks like.
//!
//! [`Net`] connects to brokers when asked to, agrees on versions with each (ApiVersions, KIP-511), keeps
//! metadata fresh, and matches replies to requests. Its owner asks [`Net::ready`], sends, and takes
//! [`Event`]s. It decides nothing about retries of the owner's requests: only what was lost is told.

mod asking;
mod closing;
mod config;
mod conn;
mod metadata;

pub use config::Config;
pub use metadata::{Interest, Metadata, Partition, Topic};

use crate::io::{Input, LinkId, Output};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use conn::{Conn, State};
use ids::{NodeId, Rng, Time};
use sorted::SortedMap;
use wire::api_versions_request::ApiVersionsRequest;
use wire::{Message, RequestHeader, Str};

/// Whom a request goes to. Each is a connection of its own: a broker answers one connection in order,
/// so heartbeats must not stand behind a fetch that waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Node {
    /// The n-th of the addresses the client was given.
    Bootstrap(u16),
    /// A broker.
    Broker(NodeId),
    /// A broker in its role as coordinator.
    Coordinator(NodeId),
}

/// Why no reply will come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// The connection is gone; whether the request was carried out is unknown.
    Disconnected,
    /// `request.timeout.ms` has passed; the connection was closed.
    TimedOut,
}

/// What the owner has to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The reply to a request.
    Reply {
        /// What [`Net::send`] returned.
        correlation: i32,
        /// The version of the request, and so of the reply.
        version: i16,
        /// The frame, from the response header on.
        frame: Bytes,
    },
    /// A request will not be answered.
    Lost {
        /// What [`Net::send`] returned.
        correlation: i32,
        /// Why.
        loss: Loss,
    },
    /// New metadata has come in.
    Metadata,
}

/// Connections and metadata of one client.
#[derive(Clone, Debug)]
pub struct Net {
    config: Config,
    rng: Rng,
    conns: SortedMap<Node, Conn>,
    links: SortedMap<LinkId, Node>,
    next_link: u32,
    next_correlation: i32,
    events: VecDeque<Event>,
    metadata: metadata::Cache,
    /// When it was stepped last: what time alone could bring about until then is done.
    stepped: Time,
}

impl Net {
    /// A client that has not connected to anything yet.
    #[must_use]
    pub fn new(config: Config, rng: Rng) -> Net {
        Net {
            config,
            rng,
            conns: SortedMap::new(),
            links: SortedMap::new(),
            next_link: 0,
            next_correlation: 0,
            events: VecDeque::new(),
            stepped: Time(0),
            metadata: metadata::Cache::default(),
        }
    }

    /// What the client is set to.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is known of the cluster.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata.known
    }

    /// The client's source of chance.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Which topics metadata shall cover; asks for it when something is added.
    pub fn set_interest(&mut self, interest: Interest) {
        self.metadata.set_interest(interest);
    }

    /// Adds one topic to those that metadata covers.
    pub fn add_topic(&mut self, topic: &Arc<str>) {
        self.metadata.add_topic(topic);
    }

    /// Asks for fresh metadata soon; an answer that is on its way counts as fresh.
    pub fn refresh_metadata(&mut self) {
        self.metadata.wanted |= self.metadata.in_flight.is_none();
    }

    /// The next event, if any.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The wait before attempt number `attempt` (from 1): doubling, with a fifth of chance, in ms.
    pub fn backoff(&mut self, attempt: u32) -> u64 {
        let (first, most) = (
            self.config.retry_backoff_ms,
            self.config.retry_backoff_max_ms,
        );
        conn::backoff(&mut self.rng, first, most, attempt)
    }

    /// The addresses and brokers that any request may go to.
    #[must_use]
    pub fn candidates(&self) -> Vec<Node> {
        self.each_candidate().collect()
    }

    fn each_candidate(&self) -> impl Iterator<Item = Node> {
        let brokers = self
            .metadata
            .known
            .brokers
            .keys()
            .map(|&id| Node::Broker(id));
        let bootstrap = (0..self.config.bootstrap.len()).filter_map(|i| u16::try_from(i).ok());
        brokers.chain(bootstrap.map(Node::Bootstrap))
    }

    /// A node that can take a request now; connects to one when there is none.
    pub fn any_ready(&mut self, now: Time, out: &mut Vec<Output>) -> Option<Node> {
        let limit = self.config.max_in_flight;
        let usable = self
            .conns
            .iter()
            .filter(|(node, conn)| !matches!(node, Node::Coordinator(_)) && conn.can_send(limit));
        if let Some((&node, _)) = usable.min_by_key(|(_, conn)| conn.in_flight.len()) {
            return Some(node);
        }
        let busy = |state: &State| !matches!(state, State::Down);
        let connecting = |(node, conn): (&Node, &Conn)| {
            !matches!(node, Node::Coordinator(_)) && busy(&conn.state)
        };
        if self.conns.iter().any(connecting) {
            return None;
        }
        let may = |node: &Node| self.conns.get(node).is_none_or(|conn| conn.retry_at <= now);
        let fails = |node: &Node| self.conns.get(node).map_or(0, |conn| conn.failures);
        let candidates = self.candidates();
        let next = candidates.into_iter().filter(may).min_by_key(fails)?;
        self.connect(now, next, out);
        None
    }

    /// Whether a request can be sent to `node` now; connects to it when it is not connected.
    pub fn ready(&mut self, now: Time, node: Node, out: &mut Vec<Output>) -> bool {
        match self.conns.get(&node) {
            Some(conn) if conn.can_send(self.config.max_in_flight) => true,
            Some(conn) if !matches!(conn.state, State::Down) || conn.retry_at > now => false,
            _ => {
                self.connect(now, node, out);
                false
            }
        }
    }

    /// Whether connections to `node` have failed and it is not connected now.
    #[must_use]
    pub fn unreachable(&self, node: Node) -> bool {
        let down = |conn: &Conn| conn.failures > 0 && !matches!(conn.state, State::Ready);
        self.conns.get(&node).is_some_and(down)
    }

    /// When a node that is down may be connected to again; `None` when it is not down.
    #[must_use]
    pub fn retry_at(&self, node: Node) -> Option<Time> {
        let conn = self.conns.get(&node)?;
        (conn.state == State::Down).then_some(conn.retry_at)
    }

    /// Whether some node is down, so that [`Net::retry_at`] may give a time.
    #[must_use]
    pub fn has_node_down(&self) -> bool {
        self.conns.values().any(|conn| conn.state == State::Down)
    }

    /// Whether some broker can take a request now.
    #[must_use]
    pub fn has_ready_node(&self) -> bool {
        let limit = self.config.max_in_flight;
        self.conns.values().any(|conn| conn.can_send(limit))
    }

    /// The highest version of a request that `node` and we (up to `cap`) both know; `None` when there is
    /// none, or when nothing is agreed with the node yet.
    #[must_use]
    pub fn version<M: Message>(&self, node: Node, cap: i16) -> Option<i16> {
        let (least, most) = *self.conns.get(&node)?.versions.get(&M::API_KEY)?;
        let version = most.min(M::MAX_VERSION).min(cap);
        (version >= least && version >= M::MIN_VERSION).then_some(version)
    }

    /// Sends a request to a node that is [`ready`](Net::ready); the reply comes as an event with the
    /// number returned. `None`: the node is not ready, or the message cannot be said in this version.
    pub fn send<M: Message>(
        &mut self,
        now: Time,
        node: Node,
        version: i16,
        message: &M,
        out: &mut Vec<Output>,
    ) -> Option<i32> {
        self.send_within(
            now,
            node,
            version,
            message,
            self.config.request_timeout_ms,
            out,
        )
    }

    /// As [`Net::send`], with a timeout of its own in milliseconds.
    pub fn send_within<M: Message>(
        &mut self,
        now: Time,
        node: Node,
        version: i16,
        message: &M,
        timeout_ms: u32,
        out: &mut Vec<Output>,
    ) -> Option<i32> {
        let (correlation, frame) = self.encode(version, message)?;
        let conn = self.conns.get_mut(&node)?;
        let deadline = now.plus_millis(u64::from(timeout_ms));
        conn.in_flight.push_back(conn::InFlight {
            correlation,
            version,
            deadline,
            ours: None,
        });
        out.push(Output::Send {
            link: conn.link,
            frame,
        });
        Some(correlation)
    }

    /// Sends a request that is never answered (Produce with acks=0).
    pub fn send_unanswered<M: Message>(
        &mut self,
        node: Node,
        version: i16,
        message: &M,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some((_, frame)) = self.encode(version, message) else {
            return false;
        };
        let Some(conn) = self.conns.get(&node) else {
            return false;
        };
        out.push(Output::Send {
            link: conn.link,
            frame,
        });
        true
    }

    fn encode<M: Message>(&mut self, version: i16, message: &M) -> Option<(i32, Bytes)> {
        let correlation = self.next_correlation;
        let header = RequestHeader {
            api_key: M::API_KEY,
            api_version: version,
            correlation_id: correlation,
            client_id: Some(self.config.client_id.clone()),
        };
        let frame = wire::encode_request(&header, message).ok()?;
        self.next_correlation = correlation.checked_add(1).unwrap_or(0);
        Some((correlation, frame))
    }

    /// Takes in what happened to a connection, or that time has passed; then does what is due.
    pub fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        self.stepped = now;
        match input {
            Input::Connected { link } => self.on_connected(now, *link, out),
            Input::ConnectFailed { link, .. } | Input::Closed { link } => {
                if let Some(node) = self.links.remove(link) {
                    self.fail(now, node, Loss::Disconnected);
                }
            }
            Input::Frame { link, frame } => self.on_frame(now, *link, frame, out),
            _ => {}
        }
        self.expire(now, out);
        self.pump_metadata(now, out);
    }

    /// When [`Net::step`] wants to be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let conns = self.conns.values().filter_map(Conn::deadline);
        let metadata = self.metadata.due(self.earliest_retry());
        self.ahead(conns.chain(metadata))
    }

    /// The earliest of these moments that is still to come. What was due by the last step and
    /// is not done waits for something else than time: a connection, an answer, room.
    pub(crate) fn ahead(&self, moments: impl Iterator<Item = Time>) -> Option<Time> {
        moments.filter(|moment| *moment > self.stepped).min()
    }

    /// When the first node that is down may be tried again; `None` when one can be used at once.
    fn earliest_retry(&self) -> Option<Time> {
        let retry = |node: Node| self.conns.get(&node).map_or(Time(0), |conn| conn.retry_at);
        self.each_candidate().map(retry).min()
    }

    fn address(&self, node: Node) -> Option<(Arc<str>, u16)> {
        match node {
            Node::Bootstrap(i) => self.config.bootstrap.get(usize::from(i)).cloned(),
            Node::Broker(id) | Node::Coordinator(id) => {
                self.metadata.known.brokers.get(&id).cloned()
            }
        }
    }

    fn connect(&mut self, now: Time, node: Node, out: &mut Vec<Output>) {
        let Some((host, port)) = self.address(node) else {
            self.metadata.wanted = true;
            return;
        };
        let link = LinkId(self.next_link);
        self.next_link = self.next_link.wrapping_add(1);
        let conn = self.conns.entry(node).or_default();
        conn.link = link;
        conn.versions.clear();
        let timeout = u64::from(self.config.connect_timeout_ms);
        conn.state = State::Connecting {
            deadline: now.plus_millis(timeout),
        };
        self.links.insert(link, node);
        out.push(Output::Connect { link, host, port });
    }

    fn on_connected(&mut self, now: Time, link: LinkId, out: &mut Vec<Output>) {
        let Some(&node) = self.links.get(&link) else {
            return;
        };
        if let Some(conn) = self.conns.get_mut(&node) {
            conn.state = State::Negotiating;
        }
        self.ask_versions(now, node, ApiVersionsRequest::MAX_VERSION, out);
    }

    fn ask_versions(&mut self, now: Time, node: Node, version: i16, out: &mut Vec<Output>) {
        let request = ApiVersionsRequest {
            client_software_name: Str::from_static("brooklet"),
            client_software_version: Str::from_static(env!("CARGO_PKG_VERSION")),
            ..Default::default()
        };
        if self.send(now, node, version, &request, out).is_some() {
            self.mark_ours(node, conn::Ours::Versions);
        }
    }

    fn mark_ours(&mut self, node: Node, ours: conn::Ours) {
        let last = self
            .conns
            .get_mut(&node)
            .and_then(|conn| conn.in_flight.back_mut());
        if let Some(last) = last {
            last.ours = Some(ours);
        }
    }

    fn on_frame(&mut self, now: Time, link: LinkId, frame: &Bytes, out: &mut Vec<Output>) {
        let Some(&node) = self.links.get(&link) else {
            return;
        };
        let Some(conn) = self.conns.get_mut(&node) else {
            return;
        };
        let correlation = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        let expected = conn.in_flight.front().map(|sent| sent.correlation);
        let (Some(sent), true) = (
            conn.in_flight.front().cloned(),
            correlation == expected && correlation.is_some(),
        ) else {
            // Not an answer to what was asked: the other end does not speak Kafka.
            self.drop_link(now, node, Loss::Disconnected, out);
            return;
        };
        conn.in_flight.pop_front();
        match sent.ours {
            None => self.events.push_back(Event::Reply {
                correlation: sent.correlation,
                version: sent.version,
                frame: frame.clone(),
            }),
            Some(conn::Ours::Versions) => self.on_versions(now, node, sent.version, frame, out),
            Some(conn::Ours::Metadata) => self.on_metadata(now, node, sent.version, frame, out),
        }
    }

    fn on_versions(
        &mut self,
        now: Time,
        node: Node,
        version: i16,
        frame: &Bytes,
        out: &mut Vec<Output>,
    ) {
        match conn::read_versions(frame, version) {
            Some(conn::Answer::Agreed(versions)) => {
                if let Some(conn) = self.conns.get_mut(&node) {
                    conn.versions = versions;
                    conn.state = State::Ready;
                    conn.failures = 0;
                }
            }
            Some(conn::Answer::TryLower(lower)) if lower < version => {
                self.ask_versions(now, node, lower, out);
            }
            _ => self.drop_link(now, node, Loss::Disconnected, out),
        }
    }

    /// Closes what has waited too long.
    fn expire(&mut self, now: Time, out: &mut Vec<Output>) {
        let late = |(node, conn): (&Node, &Conn)| conn.expired(now).then_some(*node);
        let nodes: Vec<Node> = self.conns.iter().filter_map(late).collect();
        for node in nodes {
            self.drop_link(now, node, Loss::TimedOut, out);
        }
    }

    fn drop_link(&mut self, now: Time, node: Node, loss: Loss, out: &mut Vec<Output>) {
        if let Some(link) = self.conns.get(&node).map(|conn| conn.link)
            && self.links.remove(&link).is_some()
        {
            out.push(Output::Disconnect { link });
        }
        self.fail(now, node, loss);
    }

    /// Takes note that a connection is gone, and when it may be tried again.
    fn fail(&mut self, now: Time, node: Node, loss: Loss) {
        let Some(conn) = self.conns.get_mut(&node) else {
            return;
        };
        conn.state = State::Down;
        conn.failures = conn.failures.saturating_add(1);
        let (first, most) = (
            self.config.reconnect_backoff_ms,
            self.config.reconnect_backoff_max_ms,
        );
        let wait = conn::backoff(&mut self.rng, first, most, conn.failures);
        conn.retry_at = now.plus_millis(wait);
        let lost = core::mem::take(&mut conn.in_flight);
        for sent in &lost {
            self.lose(sent, loss);
        }
        self.metadata.wanted = true;
    }

    fn lose(&mut self, sent: &conn::InFlight, loss: Loss) {
        match sent.ours {
            None => self.events.push_back(Event::Lost {
                correlation: sent.correlation,
                loss,
            }),
            Some(conn::Ours::Metadata) => self.metadata.in_flight = None,
            Some(conn::Ours::Versions) => {}
        }
    }

    /// A bootstrap connection that turns out to lead to a broker is used as that broker's.
    fn adopt_bootstrap(&mut self, node: Node) {
        let Some(address) = self
            .address(node)
            .filter(|_| matches!(node, Node::Bootstrap(_)))
        else {
            return;
        };
        let brokers = &self.metadata.known.brokers;
        let found = brokers.iter().find(|(_, at)| **at == address);
        let Some(broker) = found.map(|(&id, _)| Node::Broker(id)) else {
            return;
        };
        if self.conns.contains_key(&broker) {
            return;
        }
        if let Some(conn) = self.conns.remove(&node) {
            self.links.insert(conn.link, broker);
            self.conns.insert(broker, conn);
        }
    }

    /// Drops connections to brokers that have left the cluster or moved to another address.
    fn forget_gone(&mut self, out: &mut Vec<Output>) {
        let brokers = &self.metadata.known.brokers;
        let gone = |node: &Node| match node {
            Node::Bootstrap(_) => false,
            Node::Broker(id) | Node::Coordinator(id) => !brokers.contains_key(id),
        };
        let gone: Vec<Node> = self.conns.keys().copied().filter(gone).collect();
        for node in gone {
            self.disconnect(node, out);
        }
    }
}
