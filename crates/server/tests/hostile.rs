//! Hostile bytes on the port: a closed connection and one line, and everybody else is served.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::{Running, settings};
use brooklet_server::Storage;
use ids::Rng;
use std::io::Write;

fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn what_is_no_request_closes_the_connection_with_one_line() {
    let server = Running::start(&settings(Storage::Memory, &[]));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("http", b"GET / HTTP/1.1\r\n\r\n".to_vec(), "HTTP"),
        ("post", b"POST /topics HTTP/1.1\r\n\r\n".to_vec(), "HTTP"),
        ("tls", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], "TLS"),
        ("tls alert", vec![0x15, 3, 3, 0, 2, 2, 40], "TLS"),
        ("negative", vec![0xff, 0xff, 0xff, 0xff], "-1 bytes"),
        (
            "huge",
            vec![0x7f, 0xff, 0xff, 0xff],
            "socket.request.max.bytes",
        ),
        ("empty", frame(b""), "no Kafka request"),
        ("short", frame(&[0, 3, 0]), "no Kafka request"),
        (
            "unknown api",
            frame(&[0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
            "no Kafka request",
        ),
        (
            "unknown version",
            frame(&[0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0]),
            "version 99 of API 3",
        ),
        (
            "client id too long",
            frame(&[0, 3, 0, 0, 0, 0, 0, 1, 0x7f, 0xff]),
            "no Kafka request",
        ),
        (
            "array of 2 billion",
            frame(&[0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]),
            "no Kafka request",
        ),
        (
            "3.9 GB in 8 bytes",
            frame(&[3, 0, 0, 3, 0x3c, 0x0c, 0, 0xb6]),
            "no Kafka request",
        ),
    ];
    for (name, bytes, said) in cases {
        let before = server.lines.all().len();
        let mut client = server.client();
        client.stream.write_all(&bytes).unwrap();
        assert!(client.is_closed(), "{name}");
        let lines = server.lines.all();
        assert_eq!(lines.len(), before + 1, "{name}: {lines:?}");
        assert!(lines[before].contains(said), "{name}: {}", lines[before]);
    }
    server.client().create("still-serving", &[]);
}

#[test]
fn a_request_that_trickles_in_is_answered_and_one_that_ends_early_is_forgotten() {
    let server = Running::start(&settings(Storage::Memory, &[]));
    // ApiVersions v0, byte by byte.
    let mut client = server.client();
    for byte in frame(&[0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]) {
        client.stream.write_all(&[byte]).unwrap();
    }
    let answer: wire::api_versions_response::ApiVersionsResponse = client.receive(0).unwrap();
    assert_eq!(answer.error_code, 0);
    let mut half = server.client();
    half.stream.write_all(&[0, 0, 1, 0, 0, 18]).unwrap();
    half.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(half.is_closed());
    assert_eq!(server.lines.all(), Vec::<String>::new());
}

#[test]
fn noise_never_stops_the_server() {
    let server = Running::start(&settings(Storage::Memory, &[]));
    let mut rng = Rng::new(20_261_121);
    let apis: [u8; 12] = [0, 1, 2, 3, 8, 10, 11, 18, 19, 22, 32, 44];
    for round in 0..300 {
        let api = apis[rng.below(12) as usize];
        let version = rng.below(14) as u8;
        let mut body = vec![0, api, 0, version, 0, 0, 0, 1, 0, 1, b'x'];
        body.extend((0..rng.below(200)).map(|_| rng.next() as u8));
        let mut client = server.client();
        // The server may close before all of it is written.
        let _ = client.stream.write_all(&frame(&body));
        if round % 50 == 49 {
            server.client().create(&format!("after-{round}"), &[]);
        }
    }
}
