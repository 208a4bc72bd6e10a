//! Random histories, compared with a list of batches.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use crate::support::Dir;
use brooklet_log as log;
use bytes::Bytes;
use ids::{LeaderEpoch, Offset, Rng, Time};
use log::{Checkpoints, Log, LogConfig, LogFile, LogSlice, Lookup, Read, StoreOp};
use records::{BatchBuilder, BatchOptions, BatchView, ValidBatch};

/// The log as a list: each batch as it should be stored.
#[derive(Clone, Default)]
struct Model {
    batches: Vec<Stored>,
    start: i64,
    end: i64,
    high_watermark: i64,
}

#[derive(Clone)]
struct Stored {
    base: i64,
    last: i64,
    bytes: Vec<u8>,
}

/// A log, its files and its model, moved together.
#[derive(Clone)]
struct Subject {
    log: Log,
    dir: Dir,
    model: Model,
    /// Bytes that recoveries have not read.
    unread: usize,
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 300_000,
        segment_ms: i64::MAX,
        index_interval_bytes: 4096,
        retention_ms: -1,
        retention_bytes: 900_000,
        ..LogConfig::default()
    }
}

/// A batch of some records, some milliseconds after `clock`.
fn batch(rng: &mut Rng, clock: i64) -> ValidBatch<'static> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let length = match rng.below(20) {
        0 => 70_000,
        1..5 => 9_000,
        _ => 200,
    };
    for _ in 0..=rng.below(4) {
        let value: Vec<u8> = (0..rng.below(length)).map(|i| i as u8).collect();
        let timestamp = 1_000_000 + clock + rng.below(200) as i64;
        builder.append(timestamp, None, Some(&value), &[]).unwrap();
    }
    builder.into_valid()
}

impl Subject {
    fn new() -> Subject {
        let log = Log::new(config(), Offset(0), Time(0));
        let mut subject = Subject {
            log,
            dir: Dir::default(),
            model: Model::default(),
            unread: 0,
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

    /// Puts a cold chunk back into memory, from the files.
    fn load(&mut self, slice: LogSlice) {
        let file = &self.dir.0[&LogFile::Log(slice.segment).name()];
        let from = slice.position as usize;
        let bytes = &file[from..from + slice.length as usize];
        assert!(!self.log.install(&slice, Bytes::from_static(b"wrong")));
        assert!(self.log.install(&slice, Bytes::copy_from_slice(bytes)));
    }

    fn append(&mut self, rng: &mut Rng) {
        let through = rng.below(2) == 0;
        self.append_one(rng, through);
    }

    /// Appends a batch; `through` the log, if it is large, into its file alone.
    fn append_one(&mut self, rng: &mut Rng, through: bool) {
        // Sometimes time goes on with the offsets, sometimes it does not.
        let clock = match self.model.end / 1000 % 2 {
            0 => self.model.end,
            _ => rng.below(1000) as i64,
        };
        let batch = batch(rng, clock);
        let epoch = LeaderEpoch(rng.below(3) as i32 + self.log.latest_epoch().map_or(0, |e| e.0));
        let base = Offset(self.model.end);
        let mut bytes = Vec::new();
        batch.write_into(&mut bytes, base, epoch);
        let appended = match through {
            false => self.step(|log, ops| log.append(Time(0), &batch, epoch, ops)),
            true => {
                // As it comes in a request, among other bytes.
                let mut came = vec![7; 5];
                batch.write_into(&mut came, Offset(0), LeaderEpoch(-1));
                let came = Bytes::from(came);
                let batch = ValidBatch::from_log(&came[5..]).unwrap();
                let hot = self.log.hot_bytes();
                let appended =
                    self.step(|log, ops| log.append_through(Time(0), (&batch, &came), epoch, ops));
                let large = batch.size() > 40_000;
                assert!(!large || self.log.hot_bytes() == hot, "not kept in memory");
                appended
            }
        };
        let appended = appended.unwrap();
        assert_eq!(appended.base_offset, base);
        let last = appended.last_offset.0;
        self.model.end = last + 1;
        let base = base.0;
        self.model.batches.push(Stored { base, last, bytes });
    }

    fn read(&mut self, rng: &mut Rng) {
        let model = &self.model;
        let offset = model.start + rng.below((model.end - model.start + 1) as u64) as i64;
        let bound = rng.below(model.end as u64 + 1) as i64;
        let max = rng.below(200_000) as u32;
        let at_least_one = rng.below(2) == 0;
        let slice = loop {
            let read = self
                .log
                .read(Offset(offset), max, Offset(bound), at_least_one);
            match read.unwrap() {
                Read::Slice(slice) => break slice,
                Read::Cold(slice) => self.load(slice),
            }
        };
        let found: Vec<u8> = self
            .log
            .slice_bytes(&slice)
            .unwrap()
            .flatten()
            .copied()
            .collect();
        assert_eq!(self.log.slice_pieces(&slice).unwrap().concat(), found);
        let mut expected = Vec::new();
        let mut first = 0;
        for batch in &self.model.batches {
            if offset < bound && batch.last >= offset && batch.last < bound {
                first = if first == 0 { batch.bytes.len() } else { first };
                expected.extend_from_slice(&batch.bytes);
            }
        }
        assert!(
            expected.starts_with(&found),
            "offset {offset} below {bound}"
        );
        let limit = if at_least_one {
            first.max(max as usize)
        } else {
            max as usize
        };
        assert!(found.len() <= limit);
        let first_fits = first > 0 && (first <= max as usize || at_least_one);
        assert_eq!(found.len() >= first && first > 0, first_fits);
    }

    /// Reads on and on as a consumer does whose broker sends from files; gives how often it did.
    fn read_on(&mut self, rng: &mut Rng) -> usize {
        let (mut next, end) = (self.model.start, Offset(self.model.end));
        let (mut bytes, mut through) = (Vec::new(), 0);
        while next < self.model.end {
            let max = 100_000 + rng.below(200_000) as u32;
            let slice = match self.log.read_through(Offset(next), max, end, true) {
                Some(slice) => {
                    assert!(slice.length <= max.max(300_000) && slice.length > 0);
                    through += 1;
                    slice
                }
                None => match self.log.read(Offset(next), max, end, true).unwrap() {
                    Read::Slice(slice) => slice,
                    Read::Cold(slice) => {
                        self.load(slice);
                        continue;
                    }
                },
            };
            let file = &self.dir.0[&LogFile::Log(slice.segment).name()];
            let from = slice.position as usize;
            let found = &file[from..from + slice.length as usize];
            let mut batches = records::Batches::new(found);
            let last = batches
                .by_ref()
                .last()
                .map(|(_, batch)| batch.next_offset());
            bytes.extend_from_slice(&found[..batches.position() as usize]);
            next = last.unwrap().0;
        }
        let all = self.model.batches.iter();
        let readable = all.filter(|batch| batch.last >= self.model.start);
        let expected: Vec<u8> = readable.flat_map(|batch| batch.bytes.clone()).collect();
        assert!(bytes == expected, "what is read on and on is the log");
        through
    }

    fn look_up(&mut self, rng: &mut Rng) {
        let offset = rng.below(self.model.end as u64 + 2) as i64;
        let first = self.log.segment_sizes().next().unwrap().0.0;
        let mut batches = self.model.batches.iter();
        let expected = batches
            .find(|batch| batch.last >= offset && batch.base >= first)
            .cloned();
        loop {
            match self.log.batch_at(Offset(offset)) {
                Lookup::Cold(slice) => self.load(slice),
                Lookup::None => break assert!(expected.is_none()),
                Lookup::Batch(found) => {
                    let expected = expected.unwrap();
                    assert_eq!(found.header.base_offset.0, expected.base);
                    break assert_eq!(found.slice.length as usize, expected.bytes.len());
                }
            }
        }
    }

    fn look_up_timestamp(&mut self, rng: &mut Rng) {
        let timestamp = 1_000_000 + rng.below(1_300) as i64;
        let from = self.model.start;
        let late = |batch: &&Stored| {
            batch.last >= from && BatchView::parse(&batch.bytes).unwrap().max_timestamp >= timestamp
        };
        let expected = self.model.batches.iter().find(late).map(|batch| batch.base);
        let found = loop {
            match self.log.offset_for_timestamp(timestamp, Offset(0)) {
                Lookup::Cold(slice) => self.load(slice),
                Lookup::None => break None,
                Lookup::Batch(batch) => break Some(batch.header.base_offset.0),
            }
        };
        assert_eq!(found, expected);
    }

    fn truncate(&mut self, rng: &mut Rng) {
        let back = rng.below(30) as i64;
        let target = (self.model.end - back).max(self.model.high_watermark);
        loop {
            let cold = self.step(|log, ops| log.truncate_to(Offset(target), Time(0), ops).err());
            match cold {
                Some(slice) => self.load(slice),
                None => break,
            }
        }
        let model = &mut self.model;
        while let Some(batch) = model.batches.pop_if(|batch| batch.last >= target) {
            model.end = batch.base;
        }
        model.start = model.start.min(model.end);
        model.high_watermark = model.high_watermark.min(model.end);
    }

    /// The disk refuses what has not been stored.
    fn fail(&mut self) {
        let kept = self.log.stored_end().0;
        self.step(|log, ops| log.store_failed(Time(0), ops))
            .unwrap();
        let model = &mut self.model;
        while let Some(batch) = model.batches.pop_if(|batch| batch.last >= kept) {
            model.end = batch.base;
        }
    }

    fn advance(&mut self, rng: &mut Rng) {
        let ahead = rng.below((self.model.end - self.model.high_watermark + 1) as u64) as i64;
        self.log.stored(Offset(self.model.end));
        let to = self.model.high_watermark + ahead;
        self.log.advance_high_watermark(Offset(to));
        self.model.high_watermark = to;
    }

    fn cut_start(&mut self, rng: &mut Rng) {
        let room = self.model.high_watermark - self.model.start;
        let to = self.model.start + rng.below(room as u64 / 4 + 1) as i64;
        self.step(|log, ops| log.delete_records_before(Offset(to), ops))
            .unwrap();
        self.model.start = self.model.start.max(to);
        self.step(|log, ops| log.retain(Time(0), ops));
        let start = self.log.log_start().0;
        assert!(self.model.start <= start && start <= self.model.high_watermark);
        self.model.start = start;
        let first = self.log.segment_sizes().next().unwrap().0.0;
        self.model.batches.retain(|batch| batch.base >= first);
    }

    fn recover(&mut self, rng: &mut Rng) {
        let checkpoints = Checkpoints {
            clean: rng.below(2) == 0,
            recovery_point: Offset(rng.below(self.model.end as u64 + 1) as i64),
            log_start: Offset(self.model.start),
            high_watermark: Offset(self.model.high_watermark),
        };
        if rng.below(2) == 0 {
            return self.resume(checkpoints);
        }
        let piece = 1 + rng.below(100_000) as usize;
        let (log, mut report) = self.dir.recover(&config(), checkpoints, Time(0), piece);
        assert_eq!(report.cuts, []);
        self.dir.apply(&log, &mut report.ops);
        let (again, report) = self.dir.recover(&config(), checkpoints, Time(0), piece);
        assert_eq!(report.ops, [], "what is recovered needs no recovery");
        assert_eq!(again.log_end(), log.log_end());
        self.log = log;
    }

    /// Goes on from the indexes, after a clean stop or from the recovery point.
    fn resume(&mut self, checkpoints: Checkpoints) {
        if checkpoints.clean {
            self.step(|log, ops| log.close(ops));
        }
        let (log, mut report, read) = self.dir.resume(&config(), checkpoints, Time(0));
        assert_eq!(report.cuts, []);
        self.dir.apply(&log, &mut report.ops);
        self.unread += log.size() as usize - read;
        self.log = log;
    }

    /// The highest timestamp, by the log and by the list.
    fn look_up_max_timestamp(&mut self) {
        let found = loop {
            match self.log.max_timestamp_offset() {
                Lookup::Cold(slice) => self.load(slice),
                Lookup::None => break None,
                Lookup::Batch(batch) => break Some(batch.header.base_offset.0),
            }
        };
        let mut max = (-1, None);
        for batch in &self.model.batches {
            let timestamp = BatchView::parse(&batch.bytes).unwrap().max_timestamp;
            if timestamp > max.0 {
                max = (timestamp, Some(batch.base));
            }
        }
        assert_eq!(found, max.1);
    }

    fn check(&self) {
        let (log, model) = (&self.log, &self.model);
        assert_eq!(log.log_end().0, model.end);
        assert_eq!(log.log_start().0, model.start);
        assert_eq!(log.high_watermark().0, model.high_watermark);
        assert!(log.log_start() <= log.last_stable());
        assert!(log.last_stable() <= log.high_watermark());
        assert!(log.stored_end() <= log.log_end());
        let size: usize = model.batches.iter().map(|batch| batch.bytes.len()).sum();
        assert_eq!(log.size(), size as u64);
        assert!(log.hot_bytes() <= log.size());
        let epochs = log.leader_epochs();
        assert!(epochs.is_sorted_by(|a, b| a.epoch < b.epoch && a.start < b.start));
    }

    /// Every byte, from the files and from memory.
    fn check_all_bytes(&mut self) {
        let mut files = Vec::new();
        for (name, bytes) in &self.dir.0 {
            if name.ends_with(".log") {
                files.extend_from_slice(bytes);
            }
        }
        let model: Vec<u8> = (self.model.batches.iter())
            .flat_map(|b| b.bytes.clone())
            .collect();
        assert!(files == model, "the files are the model's bytes");
        let mut next = self.model.start;
        while next < self.model.end {
            match self
                .log
                .read(Offset(next), 0, Offset(i64::MAX), true)
                .unwrap()
            {
                Read::Cold(slice) => self.load(slice),
                Read::Slice(slice) => {
                    let bytes: Vec<u8> = self
                        .log
                        .slice_bytes(&slice)
                        .unwrap()
                        .flatten()
                        .copied()
                        .collect();
                    let batch = BatchView::parse(&bytes).unwrap();
                    let stored = self.model.batches.iter().find(|stored| stored.last >= next);
                    assert!(stored.unwrap().bytes == bytes);
                    next = batch.next_offset().0;
                }
            }
        }
    }
}

fn run(seed: u64, steps: u32) -> usize {
    let mut rng = Rng::new(seed);
    let mut subject = Subject::new();
    let mut kept: Vec<Subject> = Vec::new();
    for _ in 0..steps {
        match rng.below(100) {
            0..50 => subject.append(&mut rng),
            50..62 => subject.read(&mut rng),
            62..67 => subject.look_up(&mut rng),
            67..73 => subject.look_up_timestamp(&mut rng),
            73..74 => subject.look_up_max_timestamp(),
            74..78 => subject.truncate(&mut rng),
            78..88 => subject.advance(&mut rng),
            88..93 => {
                let limit = rng.below(600_000);
                subject.log.evict(limit);
                subject.read_on(&mut rng);
            }
            93..95 => subject.cut_start(&mut rng),
            95..97 => subject.recover(&mut rng),
            97 => subject.fail(),
            _ if kept.len() < 3 => kept.push(subject.clone()),
            _ => {
                let index = rng.below(3) as usize;
                kept[index].check_all_bytes();
                kept[index] = subject.clone();
            }
        }
        subject.check();
    }
    subject.check_all_bytes();
    for mut clone in kept {
        clone.check();
        clone.check_all_bytes();
    }
    subject.unread
}

#[test]
fn a_random_history_leaves_the_log_as_a_list_of_batches_would_be() {
    let mut unread = 0;
    for seed in 0..24 {
        println!("seed {seed}");
        unread += run(seed, 400);
    }
    assert!(
        unread > 10_000_000,
        "{unread} bytes were taken from indexes"
    );
}

#[test]
fn evicting_keeps_to_the_limit_what_is_stored_and_not_growing() {
    let mut rng = Rng::new(1);
    let mut subject = Subject::new();
    (0..300).for_each(|_| subject.append_one(&mut rng, false));
    let before = subject.log.hot_bytes();
    assert_eq!(before, subject.log.size());
    assert_eq!(subject.log.evict(0), 0, "nothing is stored yet");
    subject.log.stored(subject.log.log_end());
    subject.log.evict(200_000);
    assert!(subject.log.hot_bytes() <= 200_000);
    subject.log.evict(0);
    assert!(subject.log.hot_bytes() <= u64::from(log::CHUNK_BYTES));
    subject.check_all_bytes();
    assert_eq!(subject.log.hot_bytes(), before);
}

#[test]
fn who_reads_on_through_files_makes_nothing_come_into_memory() {
    let mut rng = Rng::new(2);
    let mut subject = Subject::new();
    (0..600).for_each(|_| subject.append_one(&mut rng, false));
    subject.log.stored(subject.log.log_end());
    subject.log.evict(0);
    let before = subject.log.hot_bytes();
    assert!(subject.read_on(&mut rng) > 10);
    assert_eq!(subject.log.hot_bytes(), before);
}
