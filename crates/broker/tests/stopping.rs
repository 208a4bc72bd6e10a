//! A broker that stops in order: the controller takes its leaderships first, then lets it go.

use crate::support::Cluster;
use brooklet_broker::{ControllerEvent, Event};
use ids::{NodeId, Token};
use metadata::MetadataRecord;
use wire::Message;
use wire::broker_heartbeat_request::BrokerHeartbeatRequest;
use wire::broker_heartbeat_response::BrokerHeartbeatResponse;
use wire::broker_registration_change_record::BrokerRegistrationChangeRecord;
use wire::broker_registration_response::BrokerRegistrationResponse;

/// Answers the only question of broker 1 about its registration that is open.
fn answer<A: Message>(cluster: &mut Cluster, version: i16, answer: &A) {
    let (token, _) = cluster.node(1).beats.pop().expect("a question");
    assert!(cluster.node(1).beats.is_empty(), "one question at a time");
    tell(cluster, token, version, answer);
}

fn tell<A: Message>(cluster: &mut Cluster, token: Token, version: i16, answer: &A) {
    let frame = wire::encode_response(0, A::API_KEY, version, answer).unwrap();
    let event = ControllerEvent::Answered {
        token,
        frame: frame.bytes,
    };
    cluster.step(NodeId(1), Event::Controller(event));
}

fn beat(is_fenced: bool, should_shut_down: bool) -> BrokerHeartbeatResponse {
    BrokerHeartbeatResponse {
        is_caught_up: true,
        is_fenced,
        should_shut_down,
        ..BrokerHeartbeatResponse::default()
    }
}

/// A broker that has just told the controller that it wants to stop.
fn stopping() -> Cluster {
    let mut cluster = Cluster::new(1, &[]);
    let granted = BrokerRegistrationResponse {
        broker_epoch: 0,
        ..BrokerRegistrationResponse::default()
    };
    answer(&mut cluster, 4, &granted);
    answer(&mut cluster, 1, &beat(false, false));
    cluster.shut_down(1);
    let (_, frame) = cluster.node(1).beats.last().expect("a heartbeat");
    let mut body = wire::RequestFrame::decode(frame.clone()).unwrap().body;
    let asked = BrokerHeartbeatRequest::decode(&mut body, 1).unwrap();
    assert!(asked.want_shut_down);
    cluster
}

/// The record that fences broker 1.
fn fence(cluster: &mut Cluster) {
    cluster.write(&[MetadataRecord::BrokerRegistrationChange(
        BrokerRegistrationChangeRecord {
            broker_id: 1,
            broker_epoch: 0,
            fenced: 1,
            ..BrokerRegistrationChangeRecord::default()
        },
    )]);
}

#[test]
fn the_record_that_fences_a_stopping_broker_does_not_make_it_ask_to_be_unfenced() {
    let mut cluster = stopping();
    // An ordinary heartbeat now would unfence it again, and it would never be let go.
    fence(&mut cluster);
    cluster.advance(100);
    answer(&mut cluster, 1, &beat(true, true));
    assert!(cluster.node(1).broker.may_stop());
    cluster.advance(60_000);
    let beats = &cluster.node(1).beats;
    assert!(beats.is_empty(), "nothing more is to be said");
}

#[test]
fn a_broker_that_may_not_stop_yet_asks_again_soon_and_then_as_often_as_ever() {
    let mut cluster = stopping();
    for waited in [50, 2_000, 2_000] {
        answer(&mut cluster, 1, &beat(true, false));
        cluster.advance(waited - 1);
        assert!(cluster.node(1).beats.is_empty(), "not before {waited} ms");
        cluster.advance(1);
        assert_eq!(cluster.node(1).beats.len(), 1, "after {waited} ms");
    }
    answer(&mut cluster, 1, &beat(true, true));
    assert!(cluster.node(1).broker.may_stop());
}
