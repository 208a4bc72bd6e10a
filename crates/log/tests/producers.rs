//! What a log remembers of producers: bounded, and right also when a write fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use brooklet_log::{Log, LogConfig, Refused};
use ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Time};
use records::{BatchBuilder, BatchOptions};

/// Appends one record of so many bytes.
fn append(log: &mut Log, producer: i64, sequence: i32, bytes: usize) -> Result<(), Refused> {
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: ProducerId(producer),
        producer_epoch: ProducerEpoch(0),
        base_sequence: sequence,
        ..BatchOptions::default()
    });
    let value = vec![7; bytes];
    let time = 1_000 + producer;
    builder.append(time, None, Some(&value), &[]).unwrap();
    let batch = builder.into_valid();
    let appended = log.append(Time(0), &batch, LeaderEpoch(0), &mut Vec::new());
    appended.map(|_| ())
}

fn store(log: &mut Log) {
    log.stored(log.log_end());
    log.advance_high_watermark(log.log_end());
}

#[test]
fn a_write_that_fails_is_taken_back_though_what_came_before_is_not_in_memory() {
    let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
    for sequence in 0..100 {
        append(&mut log, 1, sequence, 2_000).unwrap();
    }
    store(&mut log);
    log.evict(0);
    for sequence in 100..103 {
        append(&mut log, 1, sequence, 2_000).unwrap();
    }
    append(&mut log, 2, 0, 2_000).unwrap();
    assert_eq!(log.store_failed(Time(0), &mut Vec::new()), Ok(true));
    assert_eq!(
        (log.log_end(), log.stored_end()),
        (Offset(100), Offset(100))
    );
    // The producers go on where they were.
    let duplicate = append(&mut log, 1, 99, 2_000);
    assert!(matches!(duplicate, Err(Refused::Duplicate { .. })));
    assert_eq!(append(&mut log, 1, 100, 2_000), Ok(()));
    assert_eq!(append(&mut log, 2, 0, 2_000), Ok(()));
}

#[test]
fn a_log_forgets_the_longest_silent_producers_when_it_may_remember_fewer() {
    let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
    for producer in 0..5_000 {
        append(&mut log, producer, 0, 500).unwrap();
    }
    store(&mut log);
    log.drop_producer_states();
    log.limit_producers(1_000);
    assert_eq!(log.producers().count(), 1_000);
    assert!(log.producer_states() <= 2_000);
    // Who was heard of last is still known.
    let duplicate = append(&mut log, 4_999, 0, 500);
    assert!(matches!(duplicate, Err(Refused::Duplicate { .. })));
    assert_eq!(append(&mut log, 4_999, 1, 500), Ok(()));
}

#[test]
fn producers_of_one_moment_are_not_all_forgotten_at_once() {
    let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
    for producer in 0..=brooklet_log::MAX_PRODUCERS as i64 {
        let mut builder = BatchBuilder::new(BatchOptions {
            producer_id: ProducerId(producer),
            producer_epoch: ProducerEpoch(0),
            base_sequence: 0,
            ..BatchOptions::default()
        });
        builder.append(1_000, None, Some(b"v"), &[]).unwrap();
        let batch = builder.into_valid();
        log.append(Time(0), &batch, LeaderEpoch(0), &mut Vec::new())
            .unwrap();
    }
    let known = log.producers().count();
    assert!(known > brooklet_log::MAX_PRODUCERS / 2, "{known}");
}
