//! Measures appends of one-record batches and reads at random offsets: `cargo run --release --example lookup [records]`.

use brooklet_log::{Log, LogConfig, Read};
use ids::{LeaderEpoch, Offset, Rng, Time};
use records::{BatchBuilder, BatchOptions};
use std::time::Instant;

fn main() {
    let records: u64 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(10_000_000);
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let _ = builder.append(1, None, Some(b"x"), &[]);
    let batch = builder.into_valid();
    let mut log = Log::new(LogConfig::default(), Offset(0), Time(0));
    let mut ops = Vec::new();
    let begin = Instant::now();
    for _ in 0..records {
        let appended = log.append(Time(0), &batch, LeaderEpoch(0), &mut ops);
        assert!(appended.is_ok());
        ops.clear();
    }
    let per_append = begin.elapsed().as_nanos() as u64 / records;
    let mut rng = Rng::new(1);
    let begin = Instant::now();
    let reads = 1_000_000;
    for _ in 0..reads {
        let offset = Offset(rng.below(records) as i64);
        let read = log.read(offset, 1_000_000, Offset(i64::MAX), true);
        assert!(matches!(read, Ok(Read::Slice(slice)) if slice.length > 0));
    }
    let per_read = begin.elapsed().as_nanos() as u64 / reads;
    let begin = Instant::now();
    let clones = 1000;
    for _ in 0..clones {
        std::hint::black_box(log.clone());
    }
    let per_clone = begin.elapsed().as_nanos() as u64 / clones;
    println!(
        "{records} records, {} bytes: append {per_append} ns, read {per_read} ns, clone {per_clone} ns",
        log.size()
    );
}
