//! Messages on their way: between clients and nodes, and between nodes.

use crate::network::{
    CONTROLLER_PORT, Connection, End, FIRST_PORT, Fate, Host, LATENCY_MICROS, SETUP_MICROS, Sent,
    ToEnd,
};
use crate::queue::{Happening, Life};
use crate::state::State;
use alloc::format;
use alloc::sync::Arc;
use bytes::Bytes;
use client::io::Input as ToClient;
use cluster::{ClientEvent, Endpoint, Event, LinkEffect, LinkEvent, LinkId};
use ids::{ConnId, NodeId, Time};

impl State {
    /// Tells the end that has opened a connection something at `at`.
    fn plan_end(&mut self, at: Time, end: End, what: ToEnd) {
        let life = match end {
            End::Client(..) => 0,
            End::Node(node, _) => self.life(node),
        };
        self.queue.push(at, Happening::ToEnd { end, life, what });
    }

    /// Something reaches the end that has opened a connection.
    pub(crate) fn reach_end(&mut self, end: End, life: Life, what: ToEnd) {
        match end {
            End::Client(actor, link) => self.tell_actor(actor, &client_hears(link, what)),
            End::Node(node, link) if life == self.life(node) => {
                self.tell_node(node, Event::Link(node_hears(link, what)));
            }
            End::Node(..) => {}
        }
    }

    /// Carries out what a node orders of the connections that it opens.
    pub(crate) fn carry_link(&mut self, node: NodeId, effect: LinkEffect) {
        match effect {
            LinkEffect::Dial { link, to } => self.dial(End::Node(node, link), &to),
            LinkEffect::Send { link, frame } => {
                self.trace.number(1 << 33 | link.0);
                self.trace.bytes(&frame);
                self.send_request(End::Node(node, link), frame);
            }
            LinkEffect::HangUp { link } => self.hang_up(End::Node(node, link)),
        }
    }

    /// A node connects to the one that has this endpoint.
    fn dial(&mut self, end: End, to: &Endpoint) {
        if to.port >= CONTROLLER_PORT {
            let node = NodeId(i32::from(to.port - CONTROLLER_PORT) + 1);
            let listens = |node: &cluster::Node| node.controller().is_some();
            return match self.cluster.node(node).is_some_and(listens) {
                true => self.connect(end, node, &to.host, to.port),
                false => self.refuse(end, &to.host, to.port),
            };
        }
        let found = (self.cluster.nodes())
            .filter_map(|node| Some(node.broker()?.config()))
            .find(|config| config.host == to.host && config.port == to.port)
            .map(|config| config.node);
        match found {
            Some(node) => self.connect(end, node, &to.host, to.port),
            None => self.refuse(end, &to.host, to.port),
        }
    }

    fn refuse(&mut self, end: End, host: &str, port: u16) {
        let why = Arc::from(format!("Connection to {host}:{port} refused"));
        let at = self.now.plus_micros(2 * LATENCY_MICROS);
        self.plan_end(at, end, ToEnd::Refused(why));
    }

    /// A client connects. Any host name leads to this world's brokers; the port says which, the first when
    /// none is meant.
    pub(crate) fn connect_client(&mut self, end: End, host: &str, port: u16) {
        let number = NodeId(i32::from(port) - i32::from(FIRST_PORT) + 1);
        let node = match self.disks.contains_key(&number) {
            true => number,
            false => NodeId(1),
        };
        match self.cluster.node(node) {
            Some(_) => self.connect(end, node, host, port),
            None => self.refuse(end, host, port),
        }
    }

    fn connect(&mut self, end: End, node: NodeId, host: &str, port: u16) {
        let (from, to) = (end.host(), Host::Node(node));
        if self.network.fate(from, to) == Fate::Cut || self.network.fate(to, from) == Fate::Cut {
            return self.refuse(end, host, port);
        }
        let (now, chance) = (self.now, &mut self.rng);
        let there = self.network.passage(from, to, now, chance);
        let back = there.and_then(|at| self.network.passage(to, from, at, chance));
        let (Some(there), Some(back)) = (there, back) else {
            let why = Arc::from(format!("Connection to {host}:{port} timed out"));
            return self.plan_end(now.plus_micros(SETUP_MICROS), end, ToEnd::Refused(why));
        };
        let conn = self.network.connect(end, node, port);
        let host = Arc::from("127.0.0.1");
        self.plan_client(there, node, ClientEvent::Connected { conn, host });
        self.plan_end(back, end, ToEnd::Connected);
    }

    /// An end sends a request.
    pub(crate) fn send_request(&mut self, end: End, frame: Bytes) {
        let (now, bytes) = (self.now, frame.len());
        let sent = self.network.send_to_node(end, now, bytes, &mut self.rng);
        if let Some((sent, node, conn)) = sent {
            self.sent_to_node(end, node, sent, ClientEvent::Request { conn, frame });
        }
    }

    /// An end closes its connection; what it has sent before comes first.
    pub(crate) fn hang_up(&mut self, end: End) {
        let Some(connection) = self.network.connection(end) else {
            return;
        };
        connection.is_left = true;
        let conn = connection.conn;
        if connection.is_lost {
            self.network.forget(end);
            return;
        }
        self.send_to_node(end, 0, ClientEvent::Disconnected { conn });
    }

    fn send_to_node(&mut self, end: End, bytes: usize, event: ClientEvent) {
        let now = self.now;
        let sent = self.network.send_to_node(end, now, bytes, &mut self.rng);
        if let Some((sent, node, _)) = sent {
            self.sent_to_node(end, node, sent, event);
        }
    }

    fn sent_to_node(&mut self, end: End, node: NodeId, sent: Sent, event: ClientEvent) {
        match sent {
            Sent::Arrives(at) => {
                if matches!(event, ClientEvent::Disconnected { .. }) {
                    self.network.forget(end);
                }
                self.plan_client(at, node, event);
            }
            Sent::Held => {
                if let Some(connection) = self.network.connection(end) {
                    connection.hold_to_node(event);
                }
            }
            Sent::Breaks => self.break_connection(end),
        }
    }

    /// A node answers.
    pub(crate) fn send_response(&mut self, node: NodeId, conn: ConnId, frame: Bytes) {
        // The client may have closed meanwhile.
        if let Some(end) = self.network.end(node, conn) {
            self.send_to_end(end, frame.len(), ToEnd::Frame(frame));
        }
    }

    fn send_to_end(&mut self, end: End, bytes: usize, what: ToEnd) {
        let now = self.now;
        match self.network.send_to_end(end, now, bytes, &mut self.rng) {
            None => {}
            Some(Sent::Arrives(at)) => self.plan_end(at, end, what),
            Some(Sent::Held) => {
                if let Some(connection) = self.network.connection(end) {
                    connection.hold_to_end(what);
                }
            }
            Some(Sent::Breaks) => self.break_connection(end),
        }
    }

    /// A node closes a connection, or dies.
    pub(crate) fn close_connection(&mut self, end: End) {
        self.network.lose(end);
        let left = self.network.connection(end).is_none_or(|it| it.is_left);
        if left {
            self.network.forget(end);
            return;
        }
        match self.network.send_to_end(end, self.now, 0, &mut self.rng) {
            None => {}
            Some(Sent::Held) => {
                if let Some(connection) = self.network.connection(end) {
                    connection.hold_to_end(ToEnd::Closed);
                }
            }
            Some(Sent::Arrives(at)) => {
                self.network.forget(end);
                self.plan_end(at, end, ToEnd::Closed);
            }
            Some(Sent::Breaks) => self.break_connection(end),
        }
    }

    /// Both sides learn that a connection is no more; what was on the way is lost.
    pub(crate) fn break_connection(&mut self, end: End) {
        let Some(connection) = self.network.forget(end) else {
            return;
        };
        let at = self.now.plus_micros(LATENCY_MICROS);
        if !connection.is_lost {
            let conn = connection.conn;
            self.plan_client(at, connection.node, ClientEvent::Disconnected { conn });
        }
        if !connection.is_left {
            self.plan_end(at, end, ToEnd::Closed);
        }
    }

    /// A node is gone: whoever was connected to it learns it, and so does whom it was connected to.
    pub(crate) fn disconnect_node(&mut self, node: NodeId) {
        for end in self.network.accepted(node) {
            self.close_connection(end);
        }
        let opened = |link| End::Node(node, LinkId(link));
        for end in self.network.opened(opened(0), opened(u64::MAX)) {
            self.hang_up(end);
        }
    }

    /// What was held back between two hosts is sent again, now that it may come through.
    pub(crate) fn send_held(&mut self, from: Host, to: Host) {
        for end in self.network.between(from, to) {
            let Some(connection) = self.network.connection(end) else {
                continue;
            };
            let (to_node, to_end) = connection.take_held();
            for event in to_node {
                let bytes = match &event {
                    ClientEvent::Request { frame, .. } => frame.len(),
                    _ => 0,
                };
                self.send_to_node(end, bytes, event);
            }
            for what in to_end {
                let bytes = match &what {
                    ToEnd::Frame(frame) => frame.len(),
                    _ => 0,
                };
                self.send_to_end(end, bytes, what);
            }
            let told = |it: &mut Connection| it.is_lost && !it.holds();
            if self.network.connection(end).is_some_and(told) {
                self.network.forget(end);
            }
        }
    }
}

fn client_hears(link: client::io::LinkId, what: ToEnd) -> ToClient {
    match what {
        ToEnd::Connected => ToClient::Connected { link },
        ToEnd::Refused(why) => ToClient::ConnectFailed { link, why },
        ToEnd::Frame(frame) => ToClient::Frame { link, frame },
        ToEnd::Closed => ToClient::Closed { link },
    }
}

fn node_hears(link: LinkId, what: ToEnd) -> LinkEvent {
    match what {
        ToEnd::Connected => LinkEvent::Linked { link },
        ToEnd::Frame(frame) => LinkEvent::Received { link, frame },
        ToEnd::Refused(_) | ToEnd::Closed => LinkEvent::Lost { link },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::scenario::Scenario;
    use std::vec::Vec;
    use wire::api_versions_request::ApiVersionsRequest;
    use wire::{Message, RequestHeader};

    /// None that a node opens itself.
    const LINK: LinkId = LinkId(1 << 40);

    /// Two brokers, the second of which dials the first.
    fn dialled() -> State {
        let text = r#"{"version": 1, "seed": "1", "brokers": 2, "topics": [], "producers": [], "groups": []}"#;
        let scenario: Scenario = serde_json::from_str(text).expect("a scenario");
        let mut state = State::empty(Arc::new(scenario), Time::from_millis(0));
        state.begin();
        hears(&mut state, 2_000);
        let (link, to) = (
            LINK,
            Endpoint {
                host: Arc::from("localhost"),
                port: FIRST_PORT,
            },
        );
        state.carry_link(NodeId(2), LinkEffect::Dial { link, to });
        state
    }

    /// What the link hears meanwhile, with how many microseconds later.
    fn hears(state: &mut State, millis: u64) -> Vec<(u64, LinkEvent)> {
        let (began, mut heard) = (state.now, Vec::new());
        let until = began.plus_millis(millis);
        while state.next_time().is_some_and(|next| next <= until) {
            let Some((at, what)) = state.queue.pop() else {
                break;
            };
            state.now = state.now.max(at);
            if let Happening::ToEnd {
                end: End::Node(_, link),
                what,
                ..
            } = &what
                && *link == LINK
            {
                heard.push((state.now.since(began), node_hears(*link, what.clone())));
            }
            state.happen(what);
        }
        state.now = until;
        heard
    }

    fn ask(state: &mut State) {
        let request = ApiVersionsRequest::default();
        let header = RequestHeader {
            api_key: ApiVersionsRequest::API_KEY,
            api_version: 0,
            correlation_id: 5,
            client_id: None,
        };
        let frame = wire::encode_request(&header, &request).expect("it can be written");
        state.carry_link(NodeId(2), LinkEffect::Send { link: LINK, frame });
    }

    fn fault(state: &mut State, text: &str) {
        let fault: Fault = serde_json::from_str(text).expect(text);
        state.fault(&fault).expect(text);
    }

    #[test]
    fn a_node_is_answered_over_a_link_as_a_client_is() {
        let mut state = dialled();
        let linked = LinkEvent::Linked { link: LINK };
        assert_eq!(hears(&mut state, 1), [(2 * LATENCY_MICROS, linked)]);
        ask(&mut state);
        ask(&mut state);
        let heard = hears(&mut state, 1);
        let [
            (first, LinkEvent::Received { frame, .. }),
            (second, LinkEvent::Received { .. }),
        ] = &*heard
        else {
            panic!("{heard:?}");
        };
        assert_eq!((*first, *second), (2 * LATENCY_MICROS, 2 * LATENCY_MICROS));
        assert_eq!(frame[..4], 5_i32.to_be_bytes());
        state.carry_link(NodeId(2), LinkEffect::HangUp { link: LINK });
        ask(&mut state);
        assert_eq!(hears(&mut state, 100), []);
    }

    #[test]
    fn a_link_that_is_cut_or_leads_nowhere_is_lost() {
        let lost = LinkEvent::Lost { link: LINK };
        let mut state = dialled();
        hears(&mut state, 1);
        fault(&mut state, r#"{"fault":"cut","link":[2,1]}"#);
        assert_eq!(hears(&mut state, 10), [(LATENCY_MICROS, lost.clone())]);
        let to = Endpoint {
            host: Arc::from("localhost"),
            port: FIRST_PORT,
        };
        let link = LINK;
        let again = LinkEffect::Dial { link, to };
        state.carry_link(NodeId(2), again.clone());
        assert_eq!(hears(&mut state, 10), [(2 * LATENCY_MICROS, lost.clone())]);
        fault(&mut state, r#"{"fault":"heal","link":[2,1]}"#);
        fault(&mut state, r#"{"fault":"kill","node":1}"#);
        state.carry_link(NodeId(2), again.clone());
        assert_eq!(hears(&mut state, 10), [(2 * LATENCY_MICROS, lost.clone())]);
        fault(&mut state, r#"{"fault":"start","node":1}"#);
        fault(
            &mut state,
            r#"{"fault":"isolate","node":1,"how":"blackHole"}"#,
        );
        state.carry_link(NodeId(2), again);
        assert_eq!(hears(&mut state, 20_000), [(SETUP_MICROS, lost)]);
    }

    #[test]
    fn a_black_hole_swallows_one_way_and_what_it_swallowed_comes_when_it_is_healed() {
        for (link, more) in [("[2,1]", 2), ("[1,2]", 1)] {
            let mut state = dialled();
            hears(&mut state, 1);
            let begin = std::format!(r#"{{"fault":"blackHole","link":{link}}}"#);
            fault(&mut state, &begin);
            ask(&mut state);
            assert_eq!(hears(&mut state, 5_000), []);
            fault(&mut state, r#"{"fault":"healAll"}"#);
            let heard = hears(&mut state, 1);
            let [(at, LinkEvent::Received { .. })] = &*heard else {
                panic!("{heard:?}");
            };
            assert_eq!(*at, more * LATENCY_MICROS);
        }
    }

    #[test]
    fn a_node_that_dies_takes_its_links_with_it() {
        let mut state = dialled();
        hears(&mut state, 1);
        fault(&mut state, r#"{"fault":"kill","node":1}"#);
        let lost = LinkEvent::Lost { link: LINK };
        assert_eq!(hears(&mut state, 10), [(LATENCY_MICROS, lost)]);
        let mut state = dialled();
        hears(&mut state, 1);
        ask(&mut state);
        fault(&mut state, r#"{"fault":"kill","node":2}"#);
        assert_eq!(hears(&mut state, 100), []);
    }

    #[test]
    fn a_reset_loses_a_request_or_its_response_and_the_link() {
        for moment in ["request", "response"] {
            let mut state = dialled();
            hears(&mut state, 1);
            let text = std::format!(r#"{{"fault":"reset","link":[2,1],"moment":"{moment}"}}"#);
            fault(&mut state, &text);
            ask(&mut state);
            let heard = hears(&mut state, 100);
            let [(_, LinkEvent::Lost { .. })] = &*heard else {
                panic!("{moment}: {heard:?}");
            };
        }
    }
}
