//! Directories that a real Kafka 4.3.1 wrote: read, recovered, and written again by us.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use crate::support::{Dir, offset, vector, vector_time};
use brooklet_log as log;
use ids::{LeaderEpoch, Offset};
use log::{Checkpoints, Log, LogConfig, LogFile, Read, StoreOp};
use records::{BatchView, Batches};
use std::fmt::Write;
use std::path::Path;

/// A case, and how its topic was configured: `segment.bytes`, `index.interval.bytes`.
const CASES: &[(&str, u32, u32)] = &[
    ("plain", 1 << 30, 4096),
    ("gzip", 1 << 30, 4096),
    ("snappy", 1 << 30, 4096),
    ("lz4", 1 << 30, 4096),
    ("zstd", 1 << 30, 4096),
    ("mixed-codecs", 1 << 30, 300),
    ("broker-recompress", 1 << 30, 4096),
    ("log-append-time", 1 << 30, 100),
    ("timestamps-out-of-order", 1500, 150),
    ("segment-ms", 1 << 30, 4096),
    ("no-timestamp", 1 << 30, 1),
    ("large-record", 1 << 30, 4096),
    ("tombstones", 1 << 30, 4096),
    ("idempotent", 1500, 200),
    ("delete-records", 1 << 30, 300),
    ("delete-records-segments", 1000, 300),
    ("delete-records-all", 1 << 30, 300),
    ("retention-bytes", 1000, 300),
    ("retention-time", 1000, 300),
    ("index-roll", 1 << 30, 1),
    ("index-default", 30_000, 4096),
    ("leader-epochs", 1000, 200),
    ("empty", 1 << 30, 4096),
];

const DAMAGED: &[&str] = &[
    "sigkill",
    "sigkill-preallocate",
    "sigkill-torn",
    "sigkill-corrupt",
    "sigkill-zeros",
];

fn config(case: &str) -> LogConfig {
    let (_, segment_bytes, index_interval_bytes) = *CASES
        .iter()
        .find(|(name, _, _)| *name == case)
        .unwrap_or(&("", 3000, 300));
    LogConfig {
        segment_bytes,
        index_interval_bytes,
        segment_index_bytes: if case == "index-roll" { 60 } else { 10 << 20 },
        segment_ms: if case == "segment-ms" {
            3_600_000
        } else {
            i64::MAX
        },
        ..LogConfig::default()
    }
}

/// Log starts that Kafka keeps in the log directory's checkpoint.
fn log_start(case: &str) -> Offset {
    offset(match case {
        "delete-records" => 37,
        "delete-records-segments" => 83,
        "delete-records-all" => 3,
        _ => 0,
    })
}

fn clean(case: &str) -> Checkpoints {
    Checkpoints {
        clean: true,
        recovery_point: Offset(i64::MAX),
        log_start: log_start(case),
        high_watermark: Offset(i64::MAX),
    }
}

fn base64(bytes: Option<&[u8]>) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let Some(bytes) = bytes else {
        return String::from("null");
    };
    let mut text = String::from("\"");
    for group in bytes.chunks(3) {
        let word = (group.iter().fold(0u32, |word, &b| word << 8 | u32::from(b)))
            << (8 * (3 - group.len()));
        for i in 0..4 {
            text.push(match i <= group.len() {
                true => char::from(ALPHABET[(word >> (18 - 6 * i)) as usize & 63]),
                false => '=',
            });
        }
    }
    text + "\""
}

/// Reads the whole log as a consumer does, fetch by fetch, into lines like `expected.ndjson`'s.
fn consume(log: &Log, max_bytes: u32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut next = log.log_start();
    loop {
        let read = log
            .read(next, max_bytes, log.high_watermark(), true)
            .unwrap();
        let Read::Slice(slice) = read else {
            panic!("nothing has been evicted");
        };
        if slice.length == 0 {
            return lines;
        }
        let bytes: Vec<u8> = log
            .slice_bytes(&slice)
            .unwrap()
            .flatten()
            .copied()
            .collect();
        let pieces = log.slice_pieces(&slice).unwrap();
        assert_eq!(bytes, pieces.concat());
        for (_, batch) in Batches::new(&bytes) {
            print(&batch, next, &mut lines);
            next = batch.next_offset();
        }
    }
}

fn print(batch: &BatchView<'_>, from: Offset, lines: &mut Vec<String>) {
    if batch.attributes.is_control() {
        return;
    }
    let payload = records::decompress(batch, 64 << 20).unwrap();
    for record in records::records(batch.header(), &payload) {
        let record = record.unwrap();
        if record.offset < from {
            continue;
        }
        let kind = match batch.attributes.timestamp_type() {
            records::TimestampType::CreateTime => "CreateTime",
            records::TimestampType::LogAppendTime => "LogAppendTime",
        };
        let mut line = format!(
            "{{\"partition\":0,\"offset\":{},\"timestamp\":{},\"timestampType\":\"{kind}\",",
            record.offset, record.timestamp
        );
        let (key, value) = (base64(record.key), base64(record.value));
        write!(line, "\"key\":{key},\"value\":{value},\"headers\":[").unwrap();
        for (i, header) in record.headers().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let name = serde_json::Value::from(header.name().into_owned());
            let value = base64(header.value);
            write!(line, "{comma}[{name},{value}]").unwrap();
        }
        write!(line, "],\"leaderEpoch\":{}}}", batch.partition_leader_epoch).unwrap();
        lines.push(line);
    }
}

fn assert_consumes(log: &Log, path: &Path, case: &str) {
    let expected = std::fs::read_to_string(path.join("expected.ndjson")).unwrap();
    let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let expected: Vec<_> = expected.lines().map(parse).collect();
    for max_bytes in [1, 1000, u32::MAX] {
        let lines: Vec<_> = consume(log, max_bytes)
            .iter()
            .map(|line| parse(line))
            .collect();
        assert_eq!(lines.len(), expected.len(), "{case}: count");
        for (line, expected) in lines.iter().zip(&expected) {
            assert_eq!(line, expected, "{case}");
        }
    }
}

#[test]
fn a_closed_directory_is_read_record_by_record() {
    for (case, _, _) in CASES {
        let path = vector(case);
        let dir = Dir::read(&path);
        for piece in [1 << 20, 4096, 100] {
            let (log, report) = dir.recover(&config(case), clean(case), vector_time(), piece);
            assert_eq!(report.cuts, [], "{case}");
            assert_consumes(&log, &path, case);
        }
    }
}

#[test]
fn reading_a_closed_directory_and_closing_it_again_changes_no_file() {
    for (case, _, _) in CASES {
        let path = vector(case);
        let mut dir = Dir::read(&path);
        // Of no use any more: at the log's start, and of a clean stop that is not the last.
        // Kafka's next start drops them as well.
        for (owner, at) in [("retention-time", 20), ("leader-epochs", 16)] {
            if owner == *case {
                dir.0.remove(&LogFile::Snapshot(Offset(at)).name());
            }
        }
        let (mut log, mut report) = dir.recover(&config(case), clean(case), vector_time(), 1 << 20);
        let mut after = dir.clone();
        after.apply(&log, &mut report.ops);
        let mut ops = Vec::new();
        // The last start was the leadership that the checkpoint ends with.
        let epochs = log::files::decode_leader_epochs(&dir.0["leader-epoch-checkpoint"]).unwrap();
        log.become_leader(epochs.last().unwrap().epoch);
        log.close(&mut ops);
        after.apply(&log, &mut ops);
        after.assert_same(&dir, case);
    }
}

#[test]
fn what_a_kill_or_damage_left_is_recovered_as_kafka_recovers_it() {
    for case in DAMAGED {
        let path = vector(case);
        let (before, expected) = (Dir::read(&path), Dir::read(&path.join("recovered")));
        for piece in [1 << 20, 77] {
            let (mut log, mut report) =
                before.recover(&config(case), Checkpoints::default(), vector_time(), piece);
            assert_eq!(report.cuts.is_empty(), *case == "sigkill", "{case}");
            let mut after = before.clone();
            after.apply(&log, &mut report.ops);
            let mut ops = Vec::new();
            log.become_leader(LeaderEpoch(2));
            log.close(&mut ops);
            after.apply(&log, &mut ops);
            after.assert_same(&expected, case);
            log.advance_high_watermark(log.log_end());
            assert_consumes(&log, &path, case);
        }
    }
}

#[test]
fn a_report_says_which_bytes_were_cut_and_why() {
    let words = [
        ("sigkill-preallocate", "zeros"),
        ("sigkill-torn", "ends after"),
        ("sigkill-corrupt", "checksum"),
        ("sigkill-zeros", "zeros"),
    ];
    for (case, word) in words {
        let path = vector(case);
        let dir = Dir::read(&path);
        let (_, report) = dir.recover(&config(case), Checkpoints::default(), vector_time(), 1000);
        let [cut] = &report.cuts[..] else {
            panic!("{case}: {:?}", report.cuts);
        };
        let file = &dir.0[&cut.file.name()];
        assert_eq!(cut.position + cut.bytes, file.len() as u64, "{case}");
        assert!(cut.reason.contains(word), "{case}: {}", cut.reason);
    }
}

/// All batches of a directory, oldest first.
fn batches(dir: &Dir) -> Vec<Vec<u8>> {
    let logs = dir.0.iter().filter(|(name, _)| name.ends_with(".log"));
    logs.flat_map(|(_, bytes)| Batches::new(bytes).map(|(_, batch)| batch.bytes().to_vec()))
        .collect()
}

struct Writer {
    dir: Dir,
    log: Log,
    ops: Vec<StoreOp>,
    config: LogConfig,
}

impl Writer {
    fn step<T>(&mut self, step: impl FnOnce(&mut Log, &mut Vec<StoreOp>) -> T) -> T {
        let result = step(&mut self.log, &mut self.ops);
        self.dir.apply(&self.log, &mut self.ops);
        self.log.stored(self.log.log_end());
        self.log.advance_high_watermark(self.log.log_end());
        result
    }

    /// A clean stop, a start, and a new leadership.
    fn restart(&mut self, epoch: LeaderEpoch) {
        self.step(Log::close);
        let checkpoints = Checkpoints {
            log_start: self.log.log_start(),
            ..clean("")
        };
        let (log, mut report) = self
            .dir
            .recover(&self.config, checkpoints, vector_time(), 1 << 20);
        assert_eq!(report.cuts, []);
        self.log = log;
        self.dir.apply(&self.log, &mut report.ops);
        self.log.become_leader(epoch);
    }
}

#[test]
fn the_same_batches_give_the_same_files_as_kafka_wrote() {
    for (case, _, _) in CASES {
        let path = vector(case);
        // All its batches are gone, and with them what its snapshot was made from.
        if *case == "retention-time" {
            continue;
        }
        let expected = Dir::read(&path);
        let batches = batches(&expected);
        let first = batches
            .first()
            .and_then(|bytes| BatchView::parse(bytes).ok());
        let start = first.map_or(Offset(0), |batch| batch.base_offset);
        let config = config(case);
        let mut writer = Writer {
            dir: Dir::default(),
            log: Log::new(config.clone(), start, vector_time()),
            ops: Vec::new(),
            config,
        };
        writer.step(|log, ops| log.create(ops));
        writer.log.become_leader(LeaderEpoch(0));
        for bytes in &batches {
            let batch = records::ValidBatch::from_log(bytes).unwrap();
            let epoch = batch.header().partition_leader_epoch;
            if writer.log.latest_epoch() != Some(epoch) {
                writer.restart(epoch);
            }
            let appended =
                writer.step(|log, ops| log.append(vector_time(), &batch, epoch, ops).unwrap());
            assert_eq!(appended.base_offset, batch.header().base_offset);
        }
        writer
            .step(|log, ops| log.delete_records_before(log_start(case), ops))
            .unwrap();
        let epochs = log::files::decode_leader_epochs(&expected.0["leader-epoch-checkpoint"]);
        let last = epochs.unwrap().last().unwrap().epoch;
        if writer.log.latest_epoch() != Some(last) {
            writer.restart(last);
        }
        writer.step(Log::close);
        let metadata = LogFile::PartitionMetadata.name();
        let bytes = expected.0[&metadata].clone();
        writer.dir.0.insert(metadata, bytes);
        writer.dir.assert_same(&expected, case);
    }
}

#[test]
fn transactions_and_compacted_logs_are_rebuilt_from_their_batches_alone() {
    let cases = [
        "transactions",
        "idempotent-expired",
        "compacted",
        "compacted-tombstones",
        "compacted-transactions",
        "consumer-offsets",
        "transaction-state",
    ];
    for case in cases {
        let path = vector(case);
        let dir = Dir::read(&path);
        let mut bare = dir.clone();
        bare.0.retain(|name, _| name.ends_with(".log"));
        let (mut log, report) =
            bare.recover(&config(case), Checkpoints::default(), vector_time(), 1000);
        assert_eq!(report.cuts, [], "{case}");
        log.advance_high_watermark(log.log_end());
        assert_consumes(&log, &path, case);
        let aborted = log.aborted_transactions(Offset(0), Offset(i64::MAX));
        let mut indexed = Vec::new();
        for (name, bytes) in &dir.0 {
            if name.ends_with(".txnindex") {
                indexed.extend(log::files::decode_txn_index(bytes).unwrap());
            }
        }
        if case == "compacted-transactions" {
            // Compaction has dropped the data, so that its markers end nothing any more.
            continue;
        }
        assert_eq!(aborted, indexed, "{case}");
        let newest = dir
            .0
            .keys()
            .rfind(|name| name.ends_with(".snapshot"))
            .unwrap();
        let mut ops = Vec::new();
        log.close(&mut ops);
        let written = ops.iter().find_map(|op| match op {
            StoreOp::Put { file, bytes } if file.name() == *newest => Some(bytes),
            _ => None,
        });
        if case != "idempotent-expired" {
            let expected = crate::support::snapshot(&dir.0[newest]);
            assert_eq!(
                crate::support::snapshot(written.unwrap()),
                expected,
                "{case}"
            );
        }
    }
}

#[test]
fn a_reader_of_committed_records_sees_what_kafkas_consumer_saw() {
    let cases = [
        "transactions",
        "compacted-transactions",
        "idempotent",
        "idempotent-expired",
    ];
    for case in cases {
        let path = vector(case);
        let (log, _) = Dir::read(&path).recover(&config(case), clean(case), vector_time(), 5000);
        let expected = vectors::text(&format!("segments/{case}/expected-read-committed.ndjson"));
        let aborted = log.aborted_transactions(log.log_start(), log.last_stable());
        let mut lines = Vec::new();
        let mut next = log.log_start();
        while let Ok(Read::Slice(slice)) = log.read(next, 1 << 20, log.last_stable(), true)
            && slice.length > 0
        {
            let bytes: Vec<u8> = log
                .slice_bytes(&slice)
                .unwrap()
                .flatten()
                .copied()
                .collect();
            for (_, batch) in Batches::new(&bytes) {
                let hidden = aborted.iter().any(|txn| {
                    txn.producer_id == batch.producer_id
                        && batch.attributes.is_transactional()
                        && (txn.first_offset..=txn.last_offset).contains(&batch.base_offset)
                });
                if !hidden {
                    print(&batch, next, &mut lines);
                }
                next = batch.next_offset();
            }
        }
        let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let lines: Vec<_> = lines.iter().map(|line| parse(line)).collect();
        let expected: Vec<_> = expected.lines().map(parse).collect();
        assert_eq!(lines, expected, "{case}");
    }
}
