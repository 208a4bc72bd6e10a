//! Fuzz targets as plain functions: each takes any bytes and must not panic.
//!
//! `tests/tests/fuzz.rs` replays a corpus and mutates it on a fixed seed; a fuzzer may call them, too.

use crate::direct::Direct;
use bytes::Bytes;
use ids::{Offset, Time};
use log::{Checkpoints, LogConfig, Recovery};
use records::{BatchView, Compression, HEADER_LEN, Rules};
use wire::spans::{self, SpanOf};

/// What broken compressed bytes may give at most, in bytes.
const DECOMPRESSED_MAX: u32 = 1 << 20;
/// A node's own segments, small so that they roll.
const SEGMENT_BYTES: &str = "log.segment.bytes";

/// A request's frame: its header, and its spans as a person would look at them.
pub fn request_frame(bytes: &[u8]) {
    let frame = Bytes::copy_from_slice(bytes);
    let _ = wire::RequestFrame::decode(frame.clone());
    let _ = spans::decode(SpanOf::Request, &frame);
}

/// A response's frame of every API in its newest and oldest version.
pub fn response_frame(bytes: &[u8]) {
    let frame = Bytes::copy_from_slice(bytes);
    for api in wire::api_table::APIS {
        for version in [api.min, api.max] {
            let api_key = api.key;
            let _ = spans::decode(SpanOf::Response { api_key, version }, &frame);
        }
    }
}

/// A record batch as a client would send it, and as compressed bytes of each codec.
pub fn record_batch(bytes: &[u8]) {
    let rules = Rules::default();
    if let Ok(valid) = records::validate(bytes, &rules) {
        assert!(u64::from(valid.size()) <= 2 * u64::from(DECOMPRESSED_MAX));
    }
    if let Ok(batch) = BatchView::parse(bytes) {
        let _ = records::decompress(&batch, DECOMPRESSED_MAX);
    }
    // Without the header, whose checksum a damaged copy seldom has.
    for codec in Compression::ALL {
        let payload = bytes.get(HEADER_LEN as usize..).unwrap_or_default();
        let _ = codecs::decompress(codec, payload, DECOMPRESSED_MAX);
    }
}

/// The bytes of a log's first segment: whatever they are, recovery gives a log and no more than them.
pub fn log_recovery(bytes: &[u8]) {
    let now = Time::from_millis(1_795_248_000_000);
    let mut recovery = Recovery::new(LogConfig::default(), Checkpoints::default(), now);
    recovery.segment(Offset(0));
    for piece in bytes.chunks(1000) {
        recovery.bytes(Bytes::copy_from_slice(piece));
    }
    let (log, report) = recovery.finish();
    assert!(log.size() <= bytes.len() as u64, "{report:?}");
    assert!(log.log_start() <= log.high_watermark() && log.high_watermark() <= log.log_end());
}

/// A node that hears these bytes as one frame after another, each with two bytes of length.
pub fn step(bytes: &[u8]) {
    let mut node = Direct::new(&[(SEGMENT_BYTES, "1048576")]);
    let mut conn = node.connect();
    let mut rest = bytes;
    while let [high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (frame, after) = more.split_at(length);
        rest = after;
        node.send(conn, Bytes::copy_from_slice(frame));
        if node.is_closed(conn) {
            conn = node.connect();
        }
    }
    node.advance(1_000);
}

/// A scenario's document: refused in a sentence, or a world that begins.
pub fn scenario(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(scenario) = world::Scenario::parse(&text) else {
        return;
    };
    if let Ok(mut world) = world::World::new(scenario) {
        let until = world.now().plus_millis(20);
        world.run_until(until, 500);
    }
}
