//! A log taken over from its indexes and snapshots knows what a log knows that was read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use crate::support::{Dir, snapshot};
use brooklet_log as log;
use bytes::Bytes;
use ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Rng, Time};
use log::{Checkpoints, Log, LogConfig, LogFile, LogSlice, Lookup, Read, Refused, StoreOp};
use records::{BatchBuilder, BatchOptions, EndTxnMarker, ValidBatch};
use std::collections::BTreeMap;

const NOW: Time = Time(2_000_000_000);
const EPOCH: LeaderEpoch = LeaderEpoch(3);

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 400_000,
        ..LogConfig::default()
    }
}

fn clean() -> Checkpoints {
    Checkpoints {
        clean: true,
        recovery_point: Offset(i64::MAX),
        log_start: Offset(0),
        high_watermark: Offset(i64::MAX),
    }
}

/// A log with idempotent and transactional producers, its files, and who does what in it.
struct Subject {
    log: Log,
    dir: Dir,
    /// The next sequence number of each producer.
    sequences: BTreeMap<i64, i32>,
    open: Vec<i64>,
}

impl Subject {
    fn new() -> Subject {
        let mut subject = Subject {
            log: Log::new(config(), Offset(0), NOW),
            dir: Dir::default(),
            sequences: BTreeMap::new(),
            open: Vec::new(),
        };
        subject.step(|log, ops| log.create(ops));
        subject
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Log, &mut Vec<StoreOp>) -> T) -> T {
        let mut ops = Vec::new();
        let result = step(&mut self.log, &mut ops);
        self.dir.apply(&self.log, &mut ops);
        result
    }

    fn append(&mut self, batch: &ValidBatch<'_>) -> Result<(), Refused> {
        self.step(|log, ops| log.append(NOW, batch, EPOCH, ops).map(|_| ()))
    }

    /// Producers up to 9 are idempotent only; the others write in transactions.
    fn produce(&mut self, producer: i64) {
        let sequence = self.sequences.entry(producer).or_default();
        let batch = batch(producer, *sequence);
        *sequence += 3;
        if producer > 9 && !self.open.contains(&producer) {
            self.open.push(producer);
        }
        self.append(&batch).unwrap();
    }

    fn end_transaction(&mut self, commit: bool) {
        if self.open.is_empty() {
            return;
        }
        let producer = self.open.remove(0);
        self.append(&marker(producer, commit)).unwrap();
    }

    fn random(&mut self, rng: &mut Rng, steps: u32) {
        for _ in 0..steps {
            match rng.below(12) {
                0 => self.end_transaction(false),
                1 => self.end_transaction(true),
                // One producer falls silent early.
                2 if self.log.log_end() > Offset(60) => {}
                2 => self.produce(1),
                kind => self.produce(kind as i64),
            }
        }
        let end = self.log.log_end();
        self.log.stored(end);
        self.log.advance_high_watermark(end);
    }

    fn same(&self, other: &Log, case: &str) {
        let state = |log: &Log| {
            snapshot(&log::files::encode_snapshot(
                log.producers().collect::<Vec<_>>().into_iter(),
            ))
        };
        assert_eq!(state(&self.log), state(other), "{case}: producers");
        let rest = |log: &Log| {
            let aborted = log.aborted_transactions(Offset(0), Offset(i64::MAX));
            let sizes: Vec<_> = log.segment_sizes().collect();
            let ends = (log.last_stable(), log.log_end(), log.log_start());
            (ends, aborted, sizes, log.leader_epochs().to_vec())
        };
        assert_eq!(rest(&self.log), rest(other), "{case}");
    }
}

fn batch(producer: i64, sequence: i32) -> ValidBatch<'static> {
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: ProducerId(producer),
        producer_epoch: ProducerEpoch(0),
        base_sequence: sequence,
        transactional: producer > 9,
        ..BatchOptions::default()
    });
    for _ in 0..3 {
        builder
            .append(1_900_000, None, Some(&[7; 2000]), &[])
            .unwrap();
    }
    builder.into_valid()
}

fn marker(producer: i64, commit: bool) -> ValidBatch<'static> {
    let marker = EndTxnMarker {
        commit,
        coordinator_epoch: 5,
    };
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: ProducerId(producer),
        producer_epoch: ProducerEpoch(0),
        transactional: true,
        control: true,
        ..BatchOptions::default()
    });
    builder
        .append(1_900_000, Some(&marker.key()), Some(&marker.value()), &[])
        .unwrap();
    builder.into_valid()
}

#[test]
fn producers_and_transactions_are_those_of_the_snapshot_and_of_what_came_after_it() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let mut subject = Subject::new();
        subject.log.become_leader(EPOCH);
        subject.random(&mut rng, 400);
        let bases: Vec<Offset> = subject.log.segment_sizes().map(|(base, _)| base).collect();
        assert!(bases.len() > 4);
        // After a kill: what lies above the recovery point is read.
        let recovery_point = bases[rng.below(bases.len() as u64) as usize];
        let checkpoints = Checkpoints {
            clean: false,
            recovery_point,
            ..clean()
        };
        let (log, report, read) = subject.dir.resume(&config(), checkpoints, NOW);
        subject.same(&log, &format!("seed {seed} from {recovery_point}"));
        assert_eq!(report.ops, []);
        let above: u32 = (subject.log.segment_sizes())
            .filter(|(base, _)| *base >= recovery_point)
            .map(|(_, size)| size)
            .sum();
        assert!(
            read < above as usize + bases.len() * 20_000,
            "{read} bytes were read"
        );
        // After a clean stop hardly anything is, and all goes on.
        subject.step(|log, ops| log.close(ops));
        let (log, report, read) = subject.dir.resume(&config(), clean(), NOW);
        subject.same(&log, &format!("seed {seed}"));
        assert_eq!(report.ops, []);
        assert!(read < bases.len() * 20_000, "{read} bytes were read");
        subject.log = log;
        let last = subject.sequences[&3];
        let again = subject.append(&batch(3, last - 3));
        assert!(matches!(again, Err(Refused::Duplicate { .. })), "{again:?}");
        subject.random(&mut rng, 50);
        let (log, _) = subject.dir.recover(
            &config(),
            Checkpoints {
                clean: false,
                recovery_point: Offset(0),
                ..clean()
            },
            NOW,
            1 << 20,
        );
        subject.same(&log, &format!("seed {seed}, going on"));
    }
}

#[test]
fn after_a_kill_the_snapshot_of_an_earlier_stop_is_gone_on_from() {
    for seed in 30..40 {
        let mut rng = Rng::new(seed);
        let mut subject = Subject::new();
        subject.log.become_leader(EPOCH);
        subject.random(&mut rng, 200);
        subject.step(|log, ops| log.close(ops));
        let checkpoints = Checkpoints {
            clean: false,
            recovery_point: subject.log.log_end(),
            ..clean()
        };
        // The segment that grew on has a transaction index of that stop.
        subject.random(&mut rng, 40);
        let (log, _, read) = subject.dir.resume(&config(), checkpoints, NOW);
        subject.same(&log, &format!("seed {seed}"));
        assert!((read as u64) < log.size(), "{read}");
    }
}

#[test]
fn without_a_snapshot_of_its_producers_a_segment_is_read() {
    let mut subject = Subject::new();
    subject.log.become_leader(EPOCH);
    subject.random(&mut Rng::new(1), 300);
    subject.step(|log, ops| log.close(ops));
    subject.dir.0.retain(|name, _| !name.ends_with(".snapshot"));
    let (log, _, read) = subject.dir.resume(&config(), clean(), NOW);
    subject.same(&log, "no snapshots");
    assert_eq!(read as u64, log.size());
}

#[test]
fn leader_epochs_that_no_file_tells_are_read() {
    let mut subject = Subject::new();
    subject.log.become_leader(EPOCH);
    subject.random(&mut Rng::new(3), 300);
    subject.step(|log, ops| log.close(ops));
    subject.dir.0.remove("leader-epoch-checkpoint").unwrap();
    let (log, _, read) = subject.dir.resume(&config(), clean(), NOW);
    subject.same(&log, "no leader epochs");
    let first = log.segment_sizes().next().unwrap().1;
    assert!(read >= first as usize, "{read}");
}

#[test]
fn what_an_index_has_not_promised_is_not_taken_over() {
    let mut subject = Subject::new();
    subject.log.become_leader(EPOCH);
    subject.random(&mut Rng::new(2), 300);
    subject.step(|log, ops| log.close(ops));
    let size = subject.log.size();
    let damage = |kind: &str, change: fn(&mut Vec<u8>)| {
        let mut dir = subject.dir.clone();
        for (name, bytes) in &mut dir.0 {
            if name.ends_with(kind) {
                change(bytes);
            }
        }
        let (log, report, read) = dir.resume(&config(), clean(), NOW);
        (log.log_end(), report.cuts.len(), read as u64 >= size)
    };
    let end = subject.log.log_end();
    assert_eq!(damage(".log", |_| {}), (end, 0, false));
    assert_eq!(damage(".index", Vec::clear), (end, 0, true));
    assert_eq!(damage(".index", |bytes| bytes.truncate(9)), (end, 0, true));
    assert_eq!(
        damage(".timeindex", |bytes| bytes.truncate(11)),
        (end, 0, true)
    );
    let last = |bytes: &mut Vec<u8>| {
        let at = bytes.len() - 1;
        bytes[at] ^= 1;
    };
    assert_eq!(damage(".index", last), (end, 0, true));
    assert_eq!(damage(".snapshot", last), (end, 0, true));
    // Damage behind the last index entry is found, as it always was after a clean stop: by its form.
    let (found, cuts, _) = damage(".log", |bytes| bytes.truncate(bytes.len() - 1));
    assert!(found < end && cuts > 0);
}

type Spoil = fn(&mut Vec<u8>);

/// What a crash, a restore or a person makes of a producer snapshot.
const SNAPSHOT_DAMAGES: &[(&str, Spoil)] = &[
    ("no byte is left", Vec::clear),
    ("a byte is another", |bytes| {
        let at = bytes.len() - 5;
        bytes[at] ^= 0x40;
    }),
    ("it is cut", |bytes| bytes.truncate(11)),
    ("it is zeros", |bytes| bytes.fill(0)),
    ("it is whole, and without producers", |bytes| {
        *bytes = log::files::encode_snapshot([].into_iter());
    }),
];

#[test]
fn a_damaged_or_emptied_snapshot_is_not_believed_after_a_clean_stop() {
    for steps in [20, 110, 400] {
        let mut subject = Subject::new();
        subject.log.become_leader(EPOCH);
        subject.random(&mut Rng::new(6), steps);
        subject.produce(3);
        subject.log.stored(subject.log.log_end());
        subject.log.advance_high_watermark(subject.log.log_end());
        subject.step(|log, ops| log.close(ops));
        let last = batch(3, subject.sequences[&3] - 3);
        for (what, damage) in SNAPSHOT_DAMAGES {
            for newest_only in [true, false] {
                let case = format!("{steps} steps, {what}, the newest only: {newest_only}");
                let mut dir = subject.dir.clone();
                let snapshots = dir
                    .0
                    .iter_mut()
                    .filter(|(name, _)| name.ends_with(".snapshot"));
                let left = if newest_only { 1 } else { usize::MAX };
                snapshots
                    .rev()
                    .take(left)
                    .for_each(|(_, bytes)| damage(bytes));
                let (mut log, report, _) = dir.resume(&config(), clean(), NOW);
                assert_eq!(report.cuts, [], "{case}");
                subject.same(&log, &case);
                let again = log.append(NOW, &last, EPOCH, &mut Vec::new());
                assert!(
                    matches!(again, Err(Refused::Duplicate { .. })),
                    "{case}: {again:?}"
                );
                // The next stop leaves a snapshot that is one.
                let mut ops = report.ops;
                log.close(&mut ops);
                dir.apply(&log, &mut ops);
                let name = LogFile::Snapshot(log.log_end()).name();
                let (left, right) = (&dir.0[&name], &subject.dir.0[&name]);
                assert_eq!(snapshot(left), snapshot(right), "{case}");
            }
        }
    }
}

#[test]
fn after_a_clean_stop_a_torn_segment_does_not_take_those_behind_it_along() {
    let mut subject = Subject::new();
    subject.log.become_leader(EPOCH);
    subject.random(&mut Rng::new(8), 300);
    subject.step(|log, ops| log.close(ops));
    let sizes: Vec<(Offset, u32)> = subject.log.segment_sizes().collect();
    let (torn, size) = sizes[1];
    let mut dir = subject.dir.clone();
    let file = dir.0.get_mut(&LogFile::Log(torn).name()).unwrap();
    file.truncate(size as usize - 100);
    let flushed = Checkpoints {
        clean: false,
        recovery_point: sizes[3].0,
        ..clean()
    };
    for (checkpoints, what) in [(clean(), "clean"), (flushed, "flushed")] {
        let (log, report, _) = dir.resume(&config(), checkpoints, NOW);
        assert_eq!(report.cuts.len(), 1, "{what}: {:?}", report.cuts);
        assert_eq!(log.log_end(), subject.log.log_end(), "{what}");
        let bases = |log: &Log| {
            log.segment_sizes()
                .map(|(base, _)| base)
                .collect::<Vec<_>>()
        };
        assert_eq!(bases(&log), bases(&subject.log), "{what}");
    }
    // What a crash has torn is not gone on behind.
    let torn_end = dir
        .resume(&config(), Checkpoints::default(), NOW)
        .0
        .log_end();
    assert!(torn_end < sizes[2].0);
}

#[test]
fn a_log_start_beyond_the_end_is_said() {
    let mut subject = Subject::new();
    subject.produce(3);
    subject.step(|log, ops| log.close(ops));
    let checkpoints = Checkpoints {
        log_start: Offset(100),
        ..clean()
    };
    let (log, report, _) = subject.dir.resume(&config(), checkpoints, NOW);
    assert_eq!((log.log_start(), log.log_end()), (Offset(100), Offset(100)));
    assert!(
        report.cuts[0].reason.contains("offset 100"),
        "{:?}",
        report.cuts
    );
}

#[test]
fn damaged_files_give_a_log_that_can_be_read_without_a_panic() {
    let mut subject = Subject::new();
    subject.log.become_leader(EPOCH);
    subject.random(&mut Rng::new(4), 200);
    subject.step(|log, ops| log.close(ops));
    let mut rng = Rng::new(5);
    for round in 0..400 {
        let mut dir = subject.dir.clone();
        dir.0.iter_mut().for_each(|file| damage(&mut rng, file));
        let (mut log, mut report, _) = dir.resume(&config(), clean(), NOW);
        dir.apply(&log, &mut report.ops);
        read_everything(&mut log, &dir, &mut rng);
        let target = Offset(rng.below(log.log_end().0 as u64 + 1) as i64);
        while let Err(cold) = log.truncate_to(target, NOW, &mut report.ops) {
            if !load(&mut log, &dir, &cold) {
                break;
            }
        }
        assert!(log.log_end() <= subject.log.log_end(), "round {round}");
    }
}

/// Changes some bytes of an index, or seldom of another file, and seldom cuts it.
fn damage(rng: &mut Rng, (name, bytes): (&String, &mut Vec<u8>)) {
    for _ in 0..rng.below(4) {
        if !bytes.is_empty() && (name.ends_with("index") || rng.below(30) == 0) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = bytes[at].wrapping_add(1 << rng.below(8));
        }
    }
    if rng.below(20) == 0 {
        bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
    }
}

fn load(log: &mut Log, dir: &Dir, slice: &LogSlice) -> bool {
    let file = &dir.0[&LogFile::Log(slice.segment).name()];
    let from = slice.position as usize;
    let bytes = &file[from..from + slice.length as usize];
    log.install(slice, Bytes::copy_from_slice(bytes))
}

/// Looks for every third offset and for some timestamps, as far as the bytes can be loaded.
fn read_everything(log: &mut Log, dir: &Dir, rng: &mut Rng) {
    for offset in (log.log_start().0..log.log_end().0).step_by(3) {
        while let Ok(Read::Cold(slice)) = log.read(Offset(offset), 100_000, Offset(i64::MAX), true)
        {
            if !load(log, dir, &slice) {
                break;
            }
        }
        if rng.below(50) == 0 {
            log.evict(0);
        }
    }
    for timestamp in [-5, 0, 1_899_999, 1_900_000, 1_900_001, i64::MAX] {
        while let Lookup::Cold(slice) = log.offset_for_timestamp(timestamp, log.log_start()) {
            if !load(log, dir, &slice) {
                break;
            }
        }
    }
}
