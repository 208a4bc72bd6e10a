//! Whatever comes to a controller's listener, or as the answer to what a node has asked, does no harm.

use crate::quorum::create;
use crate::support::Bench;
use brooklet_cluster::{ClientEvent, Event, LinkEvent, LinkId};
use bytes::Bytes;
use ids::{ConnId, Rng};
use std::sync::Arc;

const FRAMES: u64 = 30_000;

fn noise(rng: &mut Rng, length: u64) -> Vec<u8> {
    // Mostly small numbers, which are lengths and counts that may be right.
    let byte = |rng: &mut Rng| match rng.below(4) {
        0 => rng.below(256) as u8,
        1 => 0xff,
        _ => rng.below(4) as u8,
    };
    (0..length).map(|_| byte(rng)).collect()
}

/// A header that may be right, and a body that is not; perhaps in an envelope that is.
fn frame(rng: &mut Rng) -> Bytes {
    let key = match rng.below(8) {
        0 => rng.below(120) as i16 - 2,
        _ => [
            1, 18, 19, 45, 52, 53, 54, 55, 56, 57, 58, 59, 62, 63, 64, 67, 70, 73, 80, 81, 82,
        ][rng.below(21) as usize],
    };
    let mut bytes = Vec::new();
    bytes.extend(key.to_be_bytes());
    bytes.extend((rng.below(8) as i16 - 1 + 12 * i16::from(key == 1)).to_be_bytes());
    bytes.extend(7i32.to_be_bytes());
    bytes.extend((-1i16).to_be_bytes());
    let length = rng.below(80);
    bytes.extend(noise(rng, length));
    if rng.below(5) > 0 {
        return bytes.into();
    }
    let request = wire::envelope_request::EnvelopeRequest {
        request_data: bytes.into(),
        ..wire::envelope_request::EnvelopeRequest::default()
    };
    let header = wire::RequestHeader {
        api_key: 58,
        ..wire::RequestHeader::default()
    };
    wire::encode_request(&header, &request).unwrap()
}

#[test]
fn nonsense_at_the_controllers_listener_stops_nobody() {
    let mut bench = Bench::combined(1);
    bench.start_all();
    bench.run_until(1_000, Bench::all_serve);
    let mut rng = Rng::new(3);
    for number in 0..FRAMES {
        let conn = ConnId(1_000_000 + number);
        let host = Arc::from("127.0.0.1");
        let frame = frame(&mut rng);
        for event in [
            ClientEvent::Connected { conn, host },
            ClientEvent::Request { conn, frame },
            ClientEvent::Disconnected { conn },
        ] {
            bench.tell(1, Event::ControllerListener(event));
        }
        if number % 1_000 == 0 {
            bench.run(10);
        }
    }
    bench.run_until(10_000, Bench::all_serve);
}

#[test]
fn nonsense_in_place_of_answers_stops_nobody() {
    let mut bench = Bench::split(3, 3);
    bench.start_all();
    bench.run_until(10_000, |bench| {
        bench.controller().is_some() && bench.all_serve()
    });
    let mut rng = Rng::new(4);
    for _ in 0..400 {
        for id in [1, 2, 3, 101, 102, 103] {
            let link = LinkId(1 + rng.below(12));
            let length = rng.below(60);
            let frame = noise(&mut rng, length).into();
            bench.tell(id, LinkEvent::Received { link, frame }.into());
        }
        bench.run(20);
    }
    bench.run_until(60_000, |bench| {
        bench.controller().is_some() && bench.all_serve()
    });
    assert_eq!(create(&mut bench, 1, "after"), 0);
}
