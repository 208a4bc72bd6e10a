//! Segments that Kafka wrote, read here, hold what Kafka's consumer got from them.

use brooklet_records as records;

use crate::support::{RECOVERED, base64, is_damaged, lines, logs, partitions};
use records::{BatchView, Batches, Record, Stop, decompress, spans};
use serde_json::{Value, json};

#[test]
fn every_segment_holds_what_a_consumer_got() {
    for directory in partitions() {
        check(&directory);
    }
}

#[test]
fn every_batch_survives_its_header_being_written_again() {
    for_every_batch(|batch| assert_eq!(batch.bytes()[..61], batch.header().to_bytes()));
}

#[test]
fn a_batch_from_a_log_is_proven_and_written_as_it_is() {
    for_every_batch(|batch| {
        let valid = records::ValidBatch::from_log(batch.bytes()).expect("a sound batch");
        let mut out = Vec::new();
        valid.write_as_is(&mut out);
        assert_eq!(out, batch.bytes());
        assert_eq!(valid.size() as usize, out.len());
    });
}

#[test]
fn spans_cover_each_byte_of_a_batch_once() {
    for_every_batch(|batch| {
        let spans = spans::record_spans(batch.bytes());
        let mut at = 0;
        for span in &spans {
            assert_eq!(span.start, at, "{span:?}");
            assert!(span.end > span.start, "{span:?}");
            at = span.end;
        }
        assert_eq!(at, batch.total_size());
        assert!(spans.iter().all(|span| span.name != "unreadable"));
    });
}

fn for_every_batch(look: impl Fn(&BatchView<'_>)) {
    for log in partitions().iter().flat_map(|directory| logs(directory)) {
        let bytes = vectors::bytes(&log);
        for (_, batch) in Batches::new(&bytes) {
            if batch.crc_is_valid() {
                look(&batch);
            }
        }
    }
}

fn check(directory: &str) {
    let mut found = Vec::new();
    for log in logs(directory) {
        let bytes = vectors::bytes(&log);
        let mut batches = Batches::new(&bytes);
        let mut sound = true;
        for (position, batch) in &mut batches {
            sound = batch.crc_is_valid();
            if !sound {
                assert!(is_damaged(directory), "{log} at {position}");
                break;
            }
            if !batch.attributes.is_control() {
                found.extend(read(&batch));
            }
        }
        if sound && !is_damaged(directory) {
            assert_eq!(batches.stop(), Some(Stop::End), "{log}");
            assert_eq!(batches.position() as usize, bytes.len());
        }
    }
    if directory.ends_with(RECOVERED) {
        // What consumers got after the recovery is noted beside the damaged files.
        return;
    }
    let expected = lines(&format!("{directory}/expected.ndjson"));
    // What lies below the log start offset is still in the file, but no consumer gets it.
    let start = expected.first().and_then(|first| first["offset"].as_i64());
    found.retain(|record| record["offset"].as_i64() >= start && start.is_some());
    assert_eq!(found.len(), expected.len(), "{directory}");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "{directory}");
    }
}

fn read(batch: &BatchView<'_>) -> Vec<Value> {
    let payload = decompress(batch, 1 << 24).expect("a sound payload");
    if let Some(records) = batch.records() {
        assert_eq!(records.count(), batch.count as usize);
    }
    records::records(batch.header(), &payload)
        .map(|record| show(batch, &record.expect("a sound record")))
        .collect()
}

fn show(batch: &BatchView<'_>, record: &Record<'_>) -> Value {
    let headers: Vec<Value> = record
        .headers()
        .map(|header| json!([header.name(), header.value.map(base64)]))
        .collect();
    json!({
        "partition": 0,
        "offset": record.offset.0,
        "timestamp": record.timestamp,
        "timestampType": format!("{:?}", batch.attributes.timestamp_type()),
        "key": record.key.map(base64),
        "value": record.value.map(base64),
        "headers": headers,
        "leaderEpoch": batch.partition_leader_epoch.0,
    })
}
