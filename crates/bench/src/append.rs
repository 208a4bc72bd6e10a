//! One log, without a broker: validate a batch, append it.

use crate::Bench;
use crate::load::{CHECK_AND_COPY, NOW, Ring, SHAPES, Shape};
use crate::measure::Rounds;
use crate::report::{Row, Work};
use ids::{LeaderEpoch, Offset};
use log::{Log, LogConfig};
use records::Rules;

/// Bytes that the log may keep in memory.
const HOT_BYTES: u64 = 8 << 20;
/// Appended bytes after which the log is told to drop what exceeds that.
const EVICT_EVERY: u64 = 1 << 20;

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<(), String> {
    for shape in SHAPES {
        let name = format!("append/{}", shape.name);
        if bench.wants(&name) {
            measure(bench, name, shape)?;
        }
    }
    Ok(())
}

fn measure(bench: &mut Bench<'_>, name: String, shape: Shape) -> Result<(), String> {
    let batch = shape.batch();
    let rules = Rules {
        now_millis: NOW.millis(),
        ..Rules::default()
    };
    let mut log = Log::new(LogConfig::default(), Offset(0), NOW);
    let mut ops = Vec::new();
    let (mut appended, mut refused) = (0, None);
    let mut append = |repetitions: u64| {
        for _ in 0..repetitions {
            let valid = match records::validate(&batch, &rules) {
                Ok(valid) => valid,
                Err(why) => return refused = Some(format!("{why:?}")),
            };
            if let Err(why) = log.append(NOW, &valid, LeaderEpoch(0), &mut ops) {
                return refused = Some(format!("{why:?}"));
            }
            ops.clear();
            appended += batch.len() as u64;
            if appended >= EVICT_EVERY {
                appended = 0;
                log.stored(log.log_end());
                log.evict(HOT_BYTES);
            }
        }
    };
    // Until the log uses memory again that it had before.
    append(bench.plan.size(HOT_BYTES + 2 * EVICT_EVERY) / batch.len() as u64);
    let mut ring = Ring::new(HOT_BYTES);
    let mut limit = |repetitions: u64| (0..repetitions).for_each(|_| ring.check_and_copy(&batch));
    let mut checksum = |repetitions: u64| {
        for _ in 0..repetitions {
            std::hint::black_box(codecs::crc32c(std::hint::black_box(&batch)));
        }
    };
    let rounds = Rounds::run(bench.plan, &mut [&mut append, &mut limit, &mut checksum]);
    if let Some(why) = refused {
        return Err(format!("{name}: the log refused a batch: {why}"));
    }
    let work = Work::records(shape.records.into(), batch.len() as u64);
    let crc = rounds.per_second(2).median * batch.len() as f64;
    let row = Row::new(name, work, CHECK_AND_COPY, &rounds);
    bench.push(
        row.with("ns_per_batch", rounds.nanos(0).median)
            .with("crc_bytes_per_second", crc),
    );
    Ok(())
}
