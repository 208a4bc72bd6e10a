//! A data directory that Apache Kafka 4.3.1 wrote opens, and gives its records back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::{Lines, Running, fresh_dir, in_dir};
use brooklet_server::Server;
use std::fs;
use std::path::{Path, PathBuf};

/// Cases of one broker's data directory that a plain read shows whole.
const CASES: &[&str] = &[
    "plain",
    "gzip",
    "snappy",
    "lz4",
    "zstd",
    "mixed-codecs",
    "broker-recompress",
    "large-record",
    "log-append-time",
    "timestamps-out-of-order",
    "idempotent",
    "leader-epochs",
    "empty",
    "index-roll",
    "index-default",
    "segment-ms",
    "delete-records",
    "delete-records-segments",
    "retention-bytes",
    "no-timestamp",
];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn every_record_of_kafkas_own_directory_is_served() {
    let from = vectors::path("segments");
    let dir = fresh_dir("kafkas-directory");
    copy(&from.join("_logdir"), &dir);
    copy(
        &from.join("cluster-metadata"),
        &dir.join("__cluster_metadata-0"),
    );
    for case in CASES {
        copy(&from.join(case), &dir.join(format!("{case}-0")));
    }
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    for case in CASES {
        let expected = vectors::text(&format!("segments/{case}/expected.ndjson"));
        let records: Vec<(i64, Vec<u8>)> = expected.lines().map(record_of).collect();
        let Some((first, _)) = records.first() else {
            assert_eq!(client.fetch(case, 0).0, 0, "{case}");
            continue;
        };
        assert_eq!(client.read_all(case, *first), records, "{case}");
        if *first > 0 {
            assert_eq!(
                client.fetch(case, 0).0,
                1,
                "{case}: OFFSET_OUT_OF_RANGE below its start"
            );
        }
    }
    let end = client.fetch("plain", 66).1;
    assert_eq!(client.produce("plain", &[b"one more"]), (0, end));
    let cuts: Vec<String> = server
        .stop()
        .into_iter()
        .filter(|line| line.contains("cut at") || line.contains("missing"))
        .collect();
    assert_eq!(
        cuts,
        Vec::<String>::new(),
        "a clean directory has nothing to cut"
    );
}

/// A directory of which Kafka has trimmed the metadata log: it begins at offset 38 and has
/// snapshots up to 62 and 63.
fn trimmed(name: &str) -> PathBuf {
    let from = vectors::path("trimmed-metadata");
    let dir = fresh_dir(name);
    copy(&from, &dir);
    for part in ["__cluster_metadata-0", "after-0", "kept-0", "kept-1"] {
        copy(&from.join(part), &dir.join(part));
    }
    dir
}

/// Its two topics are there; the one that was deleted after the first snapshot is not.
fn has_both_topics(server: &Running) {
    let mut client = server.client();
    let values = [&b"one"[..], b"two", b"three"];
    let kept = client
        .read_all("kept", 0)
        .into_iter()
        .map(|record| record.1);
    assert!(kept.eq(values));
    let four = b"four".to_vec();
    let after = [(0, four.clone()), (1, four)];
    assert_eq!(client.read_all("after", 0), after);
    assert_eq!(client.fetch("more", 0).0, 3, "UNKNOWN_TOPIC_OR_PARTITION");
}

const NEWEST: &str = "__cluster_metadata-0/00000000000000000063-0000000001.checkpoint";

#[test]
fn a_metadata_log_that_begins_with_a_snapshot_opens_and_goes_on() {
    let dir = trimmed("trimmed-metadata");
    let server = Running::start(&in_dir(&dir));
    has_both_topics(&server);
    let mut client = server.client();
    client.create("new", &[]);
    assert_eq!(client.produce("new", &[b"here"]), (0, 0));
    assert_eq!(server.stop(), Vec::<String>::new());
    let server = Running::start(&in_dir(&dir));
    has_both_topics(&server);
    assert_eq!(server.client().read_all("new", 0), [(0, b"here".to_vec())]);
}

#[test]
fn a_damaged_snapshot_gives_way_to_the_one_before_it_and_the_log_after_that() {
    let dir = trimmed("damaged-snapshot");
    let mut bytes = fs::read(dir.join(NEWEST)).unwrap();
    bytes[700] ^= 1;
    fs::write(dir.join(NEWEST), bytes).unwrap();
    let server = Running::start(&in_dir(&dir));
    has_both_topics(&server);
    assert_eq!(
        server.stop(),
        [format!("{NEWEST}: is damaged and not used")]
    );
}

#[test]
fn a_snapshot_beyond_the_logs_end_takes_the_logs_place() {
    let dir = trimmed("lost-metadata");
    // All that is left of the log is its first batch.
    let log = dir.join("__cluster_metadata-0/00000000000000000038.log");
    fs::File::options()
        .write(true)
        .open(log)
        .unwrap()
        .set_len(541)
        .unwrap();
    for _ in 0..2 {
        let server = Running::start(&in_dir(&dir));
        has_both_topics(&server);
    }
}

#[test]
fn a_trimmed_metadata_log_without_a_snapshot_is_refused_in_words() {
    let dir = trimmed("no-snapshot");
    for name in [
        NEWEST,
        "__cluster_metadata-0/00000000000000000062-0000000001.checkpoint",
    ] {
        fs::remove_file(dir.join(name)).unwrap();
    }
    let refused = Server::start(&in_dir(&dir), Lines::default().console());
    let why = refused.err().unwrap().to_string();
    assert!(
        why.contains("begins at offset 38, and no snapshot is whole"),
        "{why}"
    );
}

/// Kafka's own directory after a clean stop, damaged, and what a consumer then read from Kafka. Where
/// that is less than there was, Brooklet says so.
#[test]
fn a_damaged_directory_is_served_as_kafka_serves_it_and_what_is_missing_is_told() {
    let from = vectors::path("damaged");
    let dir = fresh_dir("damaged");
    copy(&from, &dir);
    for entry in fs::read_dir(&from).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            copy(&entry.path(), &dir.join(entry.file_name()));
        }
    }
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    for line in vectors::text("damaged/expected.txt").lines() {
        let mut words = line.split_whitespace();
        let topic = words.next().unwrap();
        let expected: Vec<(i64, Vec<u8>)> = words
            .map(|word| word.split_once(':').unwrap())
            .map(|(offset, value)| (offset.parse().unwrap(), value.as_bytes().to_vec()))
            .collect();
        let first = expected.first().map_or(100, |(first, _)| *first);
        assert_eq!(client.read_all(topic, first), expected, "{topic}");
        let told = server.lines.any(&format!("{topic}-0"));
        let is_less = expected.len() < 13;
        assert!(told || !is_less, "{topic}: {:?}", server.lines.all());
    }
}

/// Offset and value of a line of JSON.
fn record_of(line: &str) -> (i64, Vec<u8>) {
    let after = |key: &str| line.split_once(key).unwrap().1;
    let offset = after("\"offset\":").split(',').next().unwrap();
    let value = after("\"value\":").split([',', '}']).next().unwrap();
    (
        offset.parse().unwrap(),
        from_base64(value.trim_matches('"')),
    )
}

fn from_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    if text == "null" {
        return bytes;
    }
    for c in text.bytes().filter(|c| *c != b'=') {
        let value = ALPHABET.iter().position(|a| *a == c).unwrap();
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
