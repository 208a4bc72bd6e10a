//! What a start reads: little after a clean stop, and below the recovery point in any case.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::{Running, fresh_dir, in_dir};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MARKER: &str = ".kafka_cleanshutdown";
const RECORDS: i64 = 40;

fn value(number: i64) -> Vec<u8> {
    vec![b'a' + (number % 26) as u8; 100_000]
}

fn all() -> Vec<(i64, Vec<u8>)> {
    (0..RECORDS).map(|at| (at, value(at))).collect()
}

/// A directory with a topic of four segments, stopped cleanly.
fn stopped(name: &str) -> PathBuf {
    let dir = fresh_dir(name);
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    client.create("orders", &[("segment.bytes", "1048576")]);
    for number in 0..RECORDS {
        assert_eq!(client.produce("orders", &[&value(number)]), (0, number));
    }
    assert_eq!(server.stop(), Vec::<String>::new());
    dir
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("orders-0")).unwrap();
    let mut logs: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .collect();
    logs.sort();
    logs
}

#[test]
fn a_topic_that_was_deleted_and_made_again_keeps_its_records_over_a_restart() {
    let dir = fresh_dir("restart-again");
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    for value in [&b"gone"[..], b"gone, too", b"kept"] {
        client.create("orders", &[]);
        assert_eq!(client.produce("orders", &[value]), (0, 0));
        if value != b"kept" {
            client.delete("orders");
        }
    }
    client.create("deleted", &[]);
    client.delete("deleted");
    assert_eq!(server.stop(), Vec::<String>::new());
    let names = |dir: &Path| {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let before = names(&dir);
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    assert_eq!(client.read_all("orders", 0), [(0, b"kept".to_vec())]);
    assert_eq!(client.produce("orders", &[b"more"]), (0, 1));
    assert_eq!(server.stop(), Vec::<String>::new());
    assert_eq!(names(&dir), before);
    let server = Running::start(&in_dir(&dir));
    assert_eq!(server.client().read_all("orders", 0).len(), 2);
}

/// Puts zeros where a segment's third to fifth batch were, which nobody can read over.
fn blind(segment: &Path) {
    let file = fs::File::options().write(true).open(segment).unwrap();
    file.write_all_at(&[0; 300_000], 250_000).unwrap();
}

#[test]
fn a_directory_that_was_closed_cleanly_gives_all_its_records_back_and_goes_on() {
    let dir = stopped("restart-clean");
    for round in 0..3 {
        let server = Running::start(&in_dir(&dir));
        let mut client = server.client();
        let records = client.read_all("orders", 0);
        assert!(records[..RECORDS as usize] == all());
        assert_eq!(client.produce("orders", &[b"more"]), (0, RECORDS + round));
        assert_eq!(server.stop(), Vec::<String>::new());
    }
}

#[test]
fn what_was_closed_cleanly_is_not_read_at_the_start() {
    let dir = stopped("restart-unread");
    for segment in segments(&dir) {
        blind(&segment);
    }
    let server = Running::start(&in_dir(&dir));
    assert_eq!(server.lines.all(), Vec::<String>::new());
    let mut client = server.client();
    assert_eq!(client.fetch("orders", 4).0, 56, "KAFKA_STORAGE_ERROR");
    let last = (RECORDS - 1, value(RECORDS - 1));
    assert_eq!(client.fetch("orders", RECORDS - 1).2, [last]);
    assert_eq!(client.produce("orders", &[b"more"]), (0, RECORDS));
    server.stop();
}

#[test]
fn without_the_marker_what_lies_below_the_recovery_point_is_not_read() {
    let dir = stopped("restart-recovery-point");
    fs::remove_file(dir.join(MARKER)).unwrap();
    let segments = segments(&dir);
    let (active, closed) = segments.split_last().unwrap();
    blind(&closed[1]);
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    assert!(client.read_all("orders", 20) == all()[20..]);
    assert_eq!(server.stop(), Vec::<String>::new());
    // The last segment may have grown since: it is read.
    fs::remove_file(dir.join(MARKER)).unwrap();
    blind(active);
    let server = Running::start(&in_dir(&dir));
    assert!(server.lines.any("cut at byte"), "{:?}", server.lines.all());
}

#[test]
fn without_marker_and_recovery_point_everything_is_read() {
    let dir = stopped("restart-unclean");
    fs::remove_file(dir.join(MARKER)).unwrap();
    fs::remove_file(dir.join("recovery-point-offset-checkpoint")).unwrap();
    blind(&segments(&dir)[1]);
    let server = Running::start(&in_dir(&dir));
    assert!(server.lines.any("cut at byte"), "{:?}", server.lines.all());
    let records = server.client().read_all("orders", 0);
    assert!(records == all()[..records.len()] && records.len() < 20);
}

#[test]
fn an_index_that_is_wrong_gives_way_to_the_log() {
    let dir = stopped("restart-index");
    for segment in segments(&dir) {
        // Each entry names the place 10 bytes before its own.
        let index = segment.with_extension("index");
        let mut bytes = fs::read(&index).unwrap();
        for entry in bytes.chunks_mut(8) {
            let position = u32::from_be_bytes(entry[4..].try_into().unwrap());
            entry[4..].copy_from_slice(&(position - 10).to_be_bytes());
        }
        fs::write(&index, bytes).unwrap();
    }
    let server = Running::start(&in_dir(&dir));
    assert!(server.client().read_all("orders", 0) == all());
    assert_eq!(server.stop(), Vec::<String>::new());
}
