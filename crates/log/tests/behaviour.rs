//! What a broker relies on, rule by rule.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use brooklet_log as log;
use bytes::Bytes;
use ids::{LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, Time, Uuid};
use log::{Appended, Log, LogConfig, LogFile, Read, Recovery, Refused, StoreOp, files};
use records::{BatchBuilder, BatchOptions, EndTxnMarker, ValidBatch};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn new_log(config: LogConfig) -> Log {
    Log::new(config, Offset(0), Time(0))
}

/// A batch of `count` records at `timestamp` from `producer`: id, epoch, first sequence.
fn batch(count: u32, timestamp: i64, producer: (i64, i16, i32)) -> ValidBatch<'static> {
    let options = BatchOptions {
        producer_id: ProducerId(producer.0),
        producer_epoch: ProducerEpoch(producer.1),
        base_sequence: producer.2,
        ..BatchOptions::default()
    };
    build(count, timestamp, options)
}

fn transactional(count: u32, producer: (i64, i16, i32)) -> ValidBatch<'static> {
    let options = BatchOptions {
        producer_id: ProducerId(producer.0),
        producer_epoch: ProducerEpoch(producer.1),
        base_sequence: producer.2,
        transactional: true,
        ..BatchOptions::default()
    };
    build(count, 1000, options)
}

fn build(count: u32, timestamp: i64, options: BatchOptions) -> ValidBatch<'static> {
    let mut builder = BatchBuilder::new(options);
    for _ in 0..count {
        builder
            .append(timestamp, None, Some(b"value"), &[])
            .unwrap();
    }
    builder.into_valid()
}

fn marker(commit: bool, producer: (i64, i16)) -> ValidBatch<'static> {
    let marker = EndTxnMarker {
        commit,
        coordinator_epoch: 3,
    };
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: ProducerId(producer.0),
        producer_epoch: ProducerEpoch(producer.1),
        transactional: true,
        control: true,
        ..BatchOptions::default()
    });
    let (key, value) = (marker.key(), marker.value());
    builder.append(1000, Some(&key), Some(&value), &[]).unwrap();
    builder.into_valid()
}

fn append(log: &mut Log, batch: &ValidBatch<'_>) -> Result<Appended, Refused> {
    log.append(Time(0), batch, LeaderEpoch(0), &mut Vec::new())
}

fn fill(log: &mut Log, batches: u32, timestamp: i64) {
    for _ in 0..batches {
        append(log, &batch(1, timestamp, (-1, -1, -1))).unwrap();
    }
    log.stored(log.log_end());
    log.advance_high_watermark(log.log_end());
}

#[test]
fn a_retried_batch_is_answered_with_the_offsets_it_got_the_first_time() {
    let mut log = new_log(LogConfig::default());
    for n in 0..6 {
        append(&mut log, &batch(2, 50 + n, (7, 0, 2 * n as i32))).unwrap();
    }
    let end = log.log_end();
    for n in 1..6 {
        let again = append(&mut log, &batch(2, 50 + n, (7, 0, 2 * n as i32)));
        assert_eq!(
            again,
            Err(Refused::Duplicate {
                base_offset: Offset(2 * n),
                last_offset: Offset(2 * n + 1),
                timestamp: 50 + n,
            })
        );
    }
    let sixth_last = append(&mut log, &batch(2, 50, (7, 0, 0)));
    let out_of_order = Refused::OutOfOrderSequence {
        expected: 12,
        found: 0,
    };
    assert_eq!(sixth_last, Err(out_of_order));
    assert_eq!(log.log_end(), end);
}

#[test]
fn sequences_must_follow_and_a_new_epoch_begins_with_zero() {
    let mut log = new_log(LogConfig::default());
    append(&mut log, &batch(1, 1, (7, 1, 40))).unwrap();
    let refused = |expected, found| Err(Refused::OutOfOrderSequence { expected, found });
    assert_eq!(append(&mut log, &batch(1, 1, (7, 1, 42))), refused(41, 42));
    append(&mut log, &batch(1, 1, (7, 1, 41))).unwrap();
    assert_eq!(append(&mut log, &batch(1, 1, (7, 2, 42))), refused(0, 42));
    append(&mut log, &batch(1, 1, (7, 2, 0))).unwrap();
    let current = ProducerEpoch(2);
    let fenced = Err(Refused::InvalidProducerEpoch { current });
    assert_eq!(append(&mut log, &batch(1, 1, (7, 1, 42))), fenced);
}

#[test]
fn sequences_begin_again_with_zero_after_the_largest() {
    let mut log = new_log(LogConfig::default());
    append(&mut log, &batch(3, 1, (7, 0, i32::MAX - 1))).unwrap();
    append(&mut log, &batch(1, 1, (7, 0, 1))).unwrap();
    let again = append(&mut log, &batch(3, 1, (7, 0, i32::MAX - 1)));
    assert!(matches!(
        again,
        Err(Refused::Duplicate {
            base_offset: Offset(0),
            ..
        })
    ));
}

#[test]
fn a_producer_silent_for_a_day_is_forgotten() {
    let mut log = new_log(LogConfig::default());
    append(&mut log, &batch(1, 5, (7, 0, 0))).unwrap();
    assert_eq!(log.expire_producers(Time::from_millis(DAY_MS + 4)), 0);
    assert_eq!(log.expire_producers(Time::from_millis(DAY_MS + 5)), 1);
    append(&mut log, &batch(1, 5, (7, 0, 77))).unwrap();
}

#[test]
fn producers_are_known_again_after_recovery_and_as_before_after_truncation() {
    let mut log = new_log(LogConfig::default());
    let mut bytes = Vec::new();
    for n in 0..20 {
        let batch = batch(1, 5, (7, 0, n));
        batch.write_into(&mut bytes, Offset(i64::from(n)), LeaderEpoch(0));
        append(&mut log, &batch).unwrap();
    }
    let mut recovery = Recovery::new(LogConfig::default(), Default::default(), Time(0));
    recovery.segment(Offset(0));
    recovery.bytes(Bytes::from(bytes));
    let (mut recovered, _) = recovery.finish();
    for log in [&mut log, &mut recovered] {
        let again = append(log, &batch(1, 5, (7, 0, 17)));
        assert!(matches!(
            again,
            Err(Refused::Duplicate {
                base_offset: Offset(17),
                ..
            })
        ));
        assert!(
            log.truncate_to(Offset(10), Time(0), &mut Vec::new())
                .unwrap()
        );
        append(log, &batch(1, 5, (7, 0, 10))).unwrap();
    }
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset() {
    let mut log = new_log(LogConfig::default());
    fill(&mut log, 2, 1000);
    append(&mut log, &transactional(2, (8, 0, 0))).unwrap();
    append(&mut log, &transactional(2, (9, 0, 0))).unwrap();
    log.advance_high_watermark(log.log_end());
    assert_eq!(log.last_stable(), Offset(2));
    let refused = append(&mut log, &batch(1, 1000, (8, 0, 2)));
    assert_eq!(refused, Err(Refused::InvalidTxnState));
    append(&mut log, &marker(false, (8, 0))).unwrap();
    assert_eq!(
        log.last_stable(),
        Offset(2),
        "the marker is not replicated yet"
    );
    log.advance_high_watermark(log.log_end());
    assert_eq!(log.last_stable(), Offset(4));
    append(&mut log, &marker(true, (9, 0))).unwrap();
    log.advance_high_watermark(log.log_end());
    assert_eq!(log.last_stable(), Offset(8));
    let aborted = log.aborted_transactions(Offset(0), Offset(8));
    let [txn] = &aborted[..] else {
        panic!("{aborted:?}");
    };
    assert_eq!((txn.first_offset, txn.last_offset), (Offset(2), Offset(6)));
    assert_eq!(txn.last_stable_offset, Offset(4));
    assert_eq!(log.aborted_transactions(Offset(7), Offset(8)), []);
}

#[test]
fn what_could_not_be_stored_is_taken_back() {
    let mut log = new_log(LogConfig::default());
    fill(&mut log, 3, 1000);
    append(&mut log, &batch(5, 1000, (7, 0, 0))).unwrap();
    let mut ops = Vec::new();
    assert_eq!(log.store_failed(Time(0), &mut ops), Ok(true));
    assert_eq!(log.log_end(), Offset(3));
    assert_eq!(log.high_watermark(), Offset(3));
    assert!(matches!(ops[..], [StoreOp::Truncate { .. }]));
    append(&mut log, &batch(5, 1000, (7, 0, 0))).unwrap();
}

#[test]
fn retention_by_time_takes_the_active_segment_too() {
    let mut log = new_log(LogConfig {
        segment_bytes: 300,
        ..LogConfig::default()
    });
    fill(&mut log, 10, 1000);
    let mut ops = Vec::new();
    let now = Time::from_millis(1000 + 7 * DAY_MS);
    assert_eq!(log.retain(now, &mut ops), 0);
    let later = Time::from_millis(1001 + 7 * DAY_MS);
    assert!(log.retain(later, &mut ops) > 1);
    assert_eq!(log.log_start(), Offset(10));
    assert_eq!(log.log_end(), Offset(10));
    assert_eq!(log.size(), 0);
    assert_eq!(
        log.read(Offset(9), 100, Offset(10), true)
            .unwrap_err()
            .log_start,
        Offset(10)
    );
    assert_eq!(log.retain(later, &mut ops), 0, "an empty segment stays");
}

#[test]
fn retention_spares_what_is_not_below_the_high_watermark() {
    let mut log = new_log(LogConfig {
        segment_bytes: 300,
        retention_bytes: 0,
        ..LogConfig::default()
    });
    for _ in 0..10 {
        append(&mut log, &batch(1, 1000, (-1, -1, -1))).unwrap();
    }
    log.advance_high_watermark(Offset(5));
    let mut ops = Vec::new();
    log.retain(Time(0), &mut ops);
    assert!(log.log_start() > Offset(0) && log.log_start() <= Offset(5));
    assert_eq!(log.log_end(), Offset(10));
}

#[test]
fn a_follower_takes_batches_as_they_are_and_only_at_its_end() {
    let mut leader = new_log(LogConfig::default());
    for epoch in [0, 0, 3] {
        let batch = batch(2, 1000, (-1, -1, -1));
        leader
            .append(Time(0), &batch, LeaderEpoch(epoch), &mut Vec::new())
            .unwrap();
    }
    let Read::Slice(slice) = leader.read(Offset(0), u32::MAX, Offset(6), true).unwrap() else {
        panic!("all is in memory");
    };
    let bytes = leader.slice_pieces(&slice).unwrap().concat();
    let mut follower = new_log(LogConfig::default());
    let mut ops = Vec::new();
    let cut = &bytes[..bytes.len() - 1];
    let taken = follower.append_replicated(Time(0), cut, &mut ops).unwrap();
    assert_eq!(follower.log_end(), Offset(4));
    let rest = &bytes[taken as usize..];
    follower.append_replicated(Time(0), rest, &mut ops).unwrap();
    assert_eq!(follower.leader_epochs(), leader.leader_epochs());
    let again = follower.append_replicated(Time(0), rest, &mut ops);
    assert_eq!(again, Err(Refused::NotNext { log_end: Offset(6) }));
    let mut damaged = bytes.clone();
    damaged[80] ^= 1;
    let mut other = new_log(LogConfig::default());
    assert!(
        other
            .append_replicated(Time(0), &damaged, &mut ops)
            .is_err()
    );
    assert_eq!(other.log_end(), Offset(0));
}

#[test]
fn batches_of_a_later_epoch_than_the_leaders_are_left_out() {
    let mut bytes = Vec::new();
    for (base, epoch) in [(0, 0), (2, 3)] {
        let batch = batch(2, 1000, (-1, -1, -1));
        batch.write_into(&mut bytes, Offset(base), LeaderEpoch(epoch));
    }
    let first = bytes.len() / 2;
    let mut follower = new_log(LogConfig::default());
    let mut ops = Vec::new();
    let taken = follower.append_from_leader(Time(0), LeaderEpoch(2), &bytes, &mut ops);
    assert_eq!(taken, Ok(first as u32));
    assert_eq!(follower.log_end(), Offset(2));
    let rest = &bytes[first..];
    let taken = follower.append_from_leader(Time(0), LeaderEpoch(3), rest, &mut ops);
    assert_eq!(taken, Ok(rest.len() as u32));
    assert_eq!(follower.latest_epoch(), Some(LeaderEpoch(3)));
}

#[test]
fn a_failed_leaders_empty_epoch_is_forgotten_when_nothing_is_truncated() {
    let mut log = new_log(LogConfig::default());
    fill(&mut log, 2, 1000);
    log.become_leader(LeaderEpoch(5));
    let mut ops = Vec::new();
    assert_eq!(log.truncate_to(Offset(2), Time(0), &mut ops), Ok(false));
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(0)));
    assert!(matches!(
        &ops[..],
        [StoreOp::Put {
            file: LogFile::LeaderEpochs,
            ..
        }]
    ));
}

#[test]
fn any_bytes_give_a_log() {
    let mut rng = ids::Rng::new(5);
    let mut good = Vec::new();
    for n in 0..10 {
        batch(3, 9, (4, 0, 3 * n)).write_into(&mut good, Offset(i64::from(n) * 3), LeaderEpoch(0));
    }
    for _ in 0..2000 {
        let mut bytes = good.clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.next() as u8;
        }
        bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
        let checkpoints = log::Checkpoints {
            clean: rng.below(2) == 0,
            ..Default::default()
        };
        let mut recovery = Recovery::new(LogConfig::default(), checkpoints, Time(0));
        for at in [0, 30] {
            recovery.file(LogFile::Index(Offset(at)), Bytes::from(bytes.clone()));
            recovery.segment(Offset(at));
            let pieces = bytes.chunks(1 + rng.below(300) as usize);
            pieces.for_each(|piece| recovery.bytes(Bytes::copy_from_slice(piece)));
        }
        let (log, report) = recovery.finish();
        assert!(log.log_end() <= Offset(i64::MAX));
        let kept: u64 = log.size();
        let cut: u64 = report.cuts.iter().map(|cut| cut.bytes).sum();
        assert_eq!(kept + cut, 2 * bytes.len() as u64, "{:?}", report.cuts);
    }
}

#[test]
fn kafkas_small_files_read_back_and_are_written_alike() {
    let epochs = b"0\n2\n0 37\n4 60\n";
    let entries = files::decode_leader_epochs(epochs).unwrap();
    assert_eq!(files::encode_leader_epochs(&entries), epochs);
    assert_eq!(files::decode_leader_epochs(b"0\n3\n0 37\n"), None);
    let points = b"0\n2\n__consumer_offsets 0 44\nplain 1 66\n";
    let offsets = files::decode_offset_checkpoint(points).unwrap();
    let key = (String::from("plain"), PartitionIndex(1));
    assert_eq!(offsets[&key], Offset(66));
    assert_eq!(files::encode_offset_checkpoint(&offsets), points);
    let metadata = b"version: 0\ntopic_id: 6kYgGZYRRc2RAA25zPsL7w";
    let id = files::decode_partition_metadata(metadata).unwrap();
    assert_eq!(files::encode_partition_metadata(id), metadata);
    let text = b"#\n#Sat Nov 21 07:28:39 UTC 2026\nnode.id=1\n\
        directory.id=b2jJ9eURSHeqWN4IJiMwsw\nversion=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n";
    let properties = files::MetaProperties::decode(text).unwrap();
    assert_eq!(properties.node_id, NodeId(1));
    assert_eq!(
        properties.directory_id,
        Uuid::parse("b2jJ9eURSHeqWN4IJiMwsw").unwrap()
    );
    assert_eq!(
        files::MetaProperties::decode(&properties.encode()),
        Some(properties)
    );
    for name in ["00000000000000000083.timeindex", "partition.metadata"] {
        assert_eq!(LogFile::parse(name).unwrap().name(), name);
    }
    for name in [
        "83.log",
        "00000000000000000083.log.deleted",
        "+0000000000000000083.log",
    ] {
        assert_eq!(LogFile::parse(name), None);
    }
}

#[test]
fn chunks_fed_as_they_were_stored_are_the_same_chunks_again() {
    let mut log = new_log(LogConfig {
        segment_bytes: 200_000,
        ..LogConfig::default()
    });
    for n in 0..300 {
        append(&mut log, &batch(1 + n % 200, 1000, (-1, -1, -1))).unwrap();
    }
    let chunks = |log: &Log| -> Vec<log::ChunkInfo> {
        let sizes: Vec<(Offset, u32)> = log.segment_sizes().collect();
        let whole = sizes.iter().map(|&(segment, length)| log::LogSlice {
            segment,
            position: 0,
            length,
        });
        whole
            .flat_map(|slice| log.chunks(&slice).collect::<Vec<_>>())
            .collect()
    };
    let stored = chunks(&log);
    assert!(
        stored.len() > 5
            && stored
                .iter()
                .all(|chunk| chunk.slice.length <= log::CHUNK_BYTES)
    );
    let mut recovery = Recovery::new(LogConfig::default(), Default::default(), Time(0));
    let mut segment = None;
    for chunk in &stored {
        if segment != Some(chunk.slice.segment) {
            segment = Some(chunk.slice.segment);
            recovery.segment(chunk.slice.segment);
        }
        recovery.bytes(Bytes::from(
            log.slice_pieces(&chunk.slice).unwrap().concat(),
        ));
    }
    let (mut recovered, report) = recovery.finish();
    assert_eq!(report.cuts, []);
    assert_eq!(chunks(&recovered), stored);
    append(&mut recovered, &batch(1, 1000, (-1, -1, -1))).unwrap();
    assert_eq!(
        chunks(&recovered).len(),
        stored.len(),
        "the last chunk goes on growing"
    );
}

#[test]
fn a_log_larger_than_memory_is_recovered_piece_by_piece() {
    let mut bytes = Vec::new();
    let mut log = new_log(LogConfig::default());
    for _ in 0..500 {
        let batch = batch(100, 1000, (-1, -1, -1));
        batch.write_into(&mut bytes, log.log_end(), LeaderEpoch(0));
        append(&mut log, &batch).unwrap();
    }
    let mut recovery = Recovery::new(LogConfig::default(), Default::default(), Time(0));
    recovery.segment(Offset(0));
    for piece in bytes.chunks(100_000) {
        recovery.bytes(Bytes::copy_from_slice(piece));
        recovery.evict(100_000);
    }
    let (mut recovered, report) = recovery.finish();
    assert_eq!(report.cuts, []);
    assert_eq!(recovered.size(), bytes.len() as u64);
    assert!(recovered.hot_bytes() <= 200_000);
    let Ok(Read::Cold(slice)) = recovered.read(Offset(777), 1000, Offset(i64::MAX), true) else {
        panic!("the first chunks have been evicted");
    };
    let range = slice.position as usize..(slice.position + slice.length) as usize;
    assert!(recovered.install(&slice, Bytes::copy_from_slice(&bytes[range])));
    let read = recovered.read(Offset(777), 1000, Offset(i64::MAX), true);
    assert_eq!(read, log.read(Offset(777), 1000, Offset(i64::MAX), true));
}
