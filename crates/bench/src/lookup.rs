//! Reads at random offsets, in a large log and in a small one.

use crate::Bench;
use crate::load::NOW;
use crate::measure::Rounds;
use crate::report::{Row, Work};
use ids::{LeaderEpoch, Offset, Rng};
use log::{Log, LogConfig, Read};
use records::{BatchBuilder, BatchOptions};

const LARGE: u64 = 10_000_000;
const SMALL: u64 = 10_000;

/// Kinds of batches in a log of uneven ones.
const KINDS: u64 = 64;

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<(), String> {
    for (batch, kinds, word) in [(1, 1, ""), (1, KINDS, "/uneven"), (100, 1, "")] {
        let name = format!("lookup/{batch}{word}");
        if bench.wants(&name) {
            measure(bench, name, batch, kinds)?;
        }
    }
    Ok(())
}

fn measure(bench: &mut Bench<'_>, name: String, batch: u32, kinds: u64) -> Result<(), String> {
    bench.progress(&format!("{name}: filling the logs"));
    let records = bench.plan.size(LARGE);
    let large = filled(records, batch, kinds)?;
    let small = filled(bench.plan.size(SMALL), batch, kinds)?;
    let length = large.size() / (records / u64::from(batch)).max(1);
    let (mut in_large, mut in_small) = (Reader::new(&large), Reader::new(&small));
    let mut read_large = |repetitions: u64| in_large.read(repetitions);
    let mut read_small = |repetitions: u64| in_small.read(repetitions);
    let rounds = Rounds::run(bench.plan, &mut [&mut read_large, &mut read_small]);
    let missed = in_large.missed + in_small.missed;
    if missed > 0 {
        return Err(format!("{name}: {missed} offsets were not found"));
    }
    let work = Work {
        unit: "lookups",
        count: 1,
        bytes: length,
    };
    let row = Row::new(name, work, "the same in 10 k records", &rounds);
    bench.push(
        row.with("ns_per_lookup", rounds.nanos(0).median)
            .with("ns_per_lookup_small", rounds.nanos(1).median)
            .with("records", records as f64),
    );
    Ok(())
}

struct Reader<'a> {
    log: &'a Log,
    rng: Rng,
    missed: u64,
}

impl Reader<'_> {
    fn new(log: &Log) -> Reader<'_> {
        Reader {
            log,
            rng: Rng::new(1),
            missed: 0,
        }
    }

    fn read(&mut self, repetitions: u64) {
        let end = self.log.log_end();
        for _ in 0..repetitions {
            let offset = Offset(self.rng.below(end.0.unsigned_abs()) as i64);
            // As a consumer asks: up to the high watermark, at least one batch.
            match self.log.read(offset, 1 << 20, end, true) {
                Ok(Read::Slice(slice)) if slice.length > 0 => {}
                _ => self.missed += 1,
            }
        }
    }
}

/// A log of batches of so many records, whose values are of one size or of any of `kinds`.
fn filled(records: u64, batch: u32, kinds: u64) -> Result<Log, String> {
    let mut batches = Vec::new();
    for kind in 0..kinds {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        for _ in 0..batch {
            let value = vec![b'0'; 10 + kind as usize];
            let added = builder.append(NOW.millis(), None, Some(&value), &[]);
            added.map_err(|_| "a batch is too large".to_owned())?;
        }
        batches.push(builder.into_valid());
    }
    let mut rng = Rng::new(2);
    let mut log = Log::new(LogConfig::default(), Offset(0), NOW);
    let mut ops = Vec::new();
    for _ in 0..records / u64::from(batch) {
        let valid = &batches[rng.below(kinds) as usize];
        let appended = log.append(NOW, valid, LeaderEpoch(0), &mut ops);
        appended.map_err(|why| format!("the log refused a batch: {why:?}"))?;
        ops.clear();
    }
    log.stored(log.log_end());
    Ok(log)
}
