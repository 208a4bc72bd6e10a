//! Frames as the page reads them: `web/engine/frame.test.ts` reads what is written here.
//!
//! `BROOKLET_RENEW=1 cargo test -p brooklet-wasm frames` writes the examples anew when the layout has changed.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::frames::{Frame, LaneView, Marker, ProducerView};

/// A frame with a record to each cell, one with counts, and one where each lane has a scale of its own; all have
/// all that a frame can have.
fn examples() -> [(&'static str, Frame); 3] {
    let classes = || vec![1, 2, 3, 0, 253, 254, 255];
    let mut mixed = frame(2, counts(&[0, 5, 5, 0, 0, 0, 0, 300]));
    mixed.lanes.extend(frame(0, classes()).lanes);
    [
        ("cells", frame(0, classes())),
        ("counts", frame(2, counts(&[0, 5, 5, 0, 0, 0, 0, 300]))),
        ("mixed", mixed),
    ]
}

/// What a lane of seven cells has for them: the same counts in each.
#[allow(
    clippy::little_endian_bytes,
    reason = "JavaScript's typed arrays are little-endian on every machine"
)]
fn counts(mix: &[u16]) -> Vec<u8> {
    let cell: Vec<u8> = mix.iter().flat_map(|count| count.to_le_bytes()).collect();
    cell.repeat(7)
}

fn frame(decade: u32, bytes: Vec<u8>) -> Frame {
    let marker = |group: u32, position: f64| Marker {
        group,
        member: group,
        position,
        committed: -1.0,
        rate: 2.5,
    };
    let plain = LaneView {
        start: 300,
        high_watermark: 900,
        end: (1 << 40) + 1,
        first: 300,
        decade,
        cells: 7,
        bytes,
        times: None,
        appended: 1.5,
        fetched: 0.25,
        markers: vec![marker(0, 500.0), marker(3, -1.0)],
    };
    let timed = LaneView {
        times: Some(vec![1.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0]),
        bytes: plain.bytes.clone(),
        decade,
        cells: 7,
        ..LaneView::default()
    };
    Frame {
        layout: 7,
        world_time: 1234.5,
        journal: 99,
        running: true,
        past: decade > 0,
        speed: 0.25,
        lanes: vec![plain, timed, LaneView::default()],
        producers: vec![
            ProducerView {
                sent: 1 << 33,
                rate: 4.0,
            },
            ProducerView { sent: 0, rate: 0.0 },
        ],
    }
}

/// What the page must make of it.
fn told(frame: &Frame) -> Value {
    let marker = |marker: &Marker| {
        json!({
            "group": marker.group, "member": marker.member, "position": marker.position,
            "committed": marker.committed, "rate": marker.rate,
        })
    };
    let lane = |lane: &LaneView| {
        let numbers: Vec<u32> = match lane.decade {
            0 => lane.bytes.iter().map(|byte| u32::from(*byte)).collect(),
            _ => lane
                .bytes
                .chunks(2)
                .map(|pair| u32::from(pair[0]) + 256 * u32::from(pair[1]))
                .collect(),
        };
        let (classes, mix) = match lane.decade {
            0 => (numbers, Vec::new()),
            _ => (Vec::new(), numbers),
        };
        json!({
            "logStart": lane.start, "highWatermark": lane.high_watermark, "logEnd": lane.end,
            "first": lane.first, "decade": lane.decade, "cells": lane.cells, "classes": classes, "mix": mix,
            "times": lane.times, "appendRate": lane.appended, "fetchRate": lane.fetched,
            "markers": lane.markers.iter().map(marker).collect::<Vec<_>>(),
        })
    };
    let producer = |producer: &ProducerView| json!({"sent": producer.sent, "rate": producer.rate});
    json!({
        "layout": frame.layout, "worldTime": frame.world_time, "journalLength": frame.journal,
        "running": frame.running, "past": frame.past, "speed": frame.speed,
        "lanes": frame.lanes.iter().map(lane).collect::<Vec<_>>(),
        "producers": frame.producers.iter().map(producer).collect::<Vec<_>>(),
    })
}

/// However it is laid out.
fn same_content(found: &str, told: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    read(found).is_some_and(|found| Some(found) == read(told))
}

#[test]
fn the_examples_that_the_page_reads_are_frames_of_today() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web/engine/examples");
    for (name, frame) in examples() {
        let (bytes, told) = (frame.encode(), format!("{:#}\n", told(&frame)));
        let files = ["bin", "json"].map(|end| folder.join(format!("frame-{name}.{end}")));
        if std::env::var_os("BROOKLET_RENEW").is_some() {
            fs::create_dir_all(&folder).expect("a folder for the examples");
            fs::write(&files[0], &bytes).expect("an example's bytes");
            fs::write(&files[1], &told).expect("an example's content");
        }
        let fresh = fs::read(&files[0]).is_ok_and(|found| found == bytes)
            && fs::read_to_string(&files[1]).is_ok_and(|found| same_content(&found, &told));
        assert!(
            fresh,
            "web/engine/examples/frame-{name} is not what the core writes; \
             see the head of crates/wasm/src/frames_test.rs"
        );
    }
}
