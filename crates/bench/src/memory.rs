//! What a partition, a record and a connection take, by the process's resident memory.

use crate::Bench;
use crate::load::{SHAPES, produce_frame};
use crate::measure::{Plan, Rounds};
use crate::node::InProcess;
use crate::report::{Row, Work};
use cluster::ClientEvent;
use std::time::Duration;

const PAGE: u64 = 4096;

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<(), String> {
    if resident().is_none() {
        bench.progress("memory: skipped, this system has no /proc/self/statm");
        return Ok(());
    }
    // What grows least comes first: memory that others have freed would hide it.
    let mut kept = Vec::new();
    if bench.wants("memory/record") {
        kept.push(records(bench)?);
    }
    if bench.wants("memory/connection") {
        kept.push(connections(bench));
    }
    if bench.wants("memory/partition") {
        kept.push(partitions(bench)?);
    }
    drop(kept);
    Ok(())
}

/// Empty partitions, each with its log.
fn partitions(bench: &mut Bench<'_>) -> Result<InProcess, String> {
    let count = bench.plan.size(10_000);
    let mut node = InProcess::start();
    let mut outcome = Ok(());
    grow(bench, "memory/partition", "partitions", count, &mut || {
        outcome = node.create_topic(i32::try_from(count).unwrap_or(i32::MAX));
    });
    outcome.map(|()| node)
}

/// Connections that have said nothing yet.
fn connections(bench: &mut Bench<'_>) -> InProcess {
    let count = bench.plan.size(100_000);
    let mut node = InProcess::start();
    grow(
        bench,
        "memory/connection",
        "connections",
        count,
        &mut || {
            for _ in 0..count {
                node.connect();
            }
        },
    );
    node
}

/// Records of 100 B in batches of one, their bytes dropped from memory as soon as they are stored.
fn records(bench: &mut Bench<'_>) -> Result<InProcess, String> {
    let count = bench.plan.size(2_000_000);
    let mut node = InProcess::start();
    node.create_topic(1)?;
    let conn = node.connect();
    let frame = produce_frame(0, 1, &SHAPES[0].batch());
    grow(bench, "memory/record", "records", count, &mut || {
        for at in 0..count {
            let frame = frame.clone();
            node.tell(ClientEvent::Request { conn, frame }, &mut |_, _| {});
            if at % 1024 == 0 {
                node.evict(0);
            }
        }
    });
    Ok(node)
}

/// Measures by how much `make` makes the process grow; its limit is to fill as much fresh memory.
fn grow(bench: &mut Bench<'_>, name: &str, unit: &'static str, count: u64, make: &mut dyn FnMut()) {
    let before = resident().unwrap_or(0);
    let begin = std::time::Instant::now();
    make();
    let took = begin.elapsed();
    let bytes = resident().unwrap_or(0).saturating_sub(before).max(PAGE);
    let mut limit = |repetitions: u64| {
        for _ in 0..repetitions {
            let fresh = vec![1_u8; bytes as usize];
            std::hint::black_box(&fresh);
        }
    };
    // What grows can only be made once: its time is given, only the limit's is measured in rounds.
    let plan = Plan {
        round: Duration::from_millis(1),
        ..bench.plan
    };
    let rounds = Rounds::run(plan, &mut [&mut limit]).under(took);
    let work = Work { unit, count, bytes };
    let row = Row::new(name.to_owned(), work, "fill fresh memory", &rounds);
    bench.push(row.with("bytes_each", bytes as f64 / count as f64));
}

/// Bytes of this process that are in memory.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}
