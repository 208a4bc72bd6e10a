//! Fetches of 1 MiB: frame in, reply out, its pieces copied to one place as a socket would.

use crate::Bench;
use crate::load::{COPY, Ring, SHAPES, Shape, fetch_frame, produce_frame};
use crate::measure::Rounds;
use crate::node::{InProcess, pieces};
use crate::report::{Row, Work};
use bytes::Bytes;
use cluster::ClientEvent;
use ids::{ConnId, Rng};

/// Bytes a fetch asks for.
const FETCH_BYTES: u32 = 1 << 20;
/// Bytes in the log that is fetched from.
const LOG_BYTES: u64 = 64 << 20;
/// Requests that are taken in turn.
const REQUESTS: u64 = 256;

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<(), String> {
    for shape in SHAPES {
        if !shape.name.ends_with("16KiB") && shape.name != "100B/1" {
            continue;
        }
        for order in ["sequential", "random"] {
            let name = format!("fetch/{order}/{}", shape.name);
            if bench.wants(&name) {
                measure(bench, name, shape, order == "random")?;
            }
        }
    }
    Ok(())
}

fn measure(bench: &mut Bench<'_>, name: String, shape: Shape, random: bool) -> Result<(), String> {
    bench.progress(&format!("{name}: filling the log"));
    let batch = shape.batch();
    let mut node = InProcess::start();
    node.create_topic(1)?;
    let conn = node.connect();
    let batches = (bench.plan.size(LOG_BYTES) + 2 * u64::from(FETCH_BYTES)) / batch.len() as u64;
    let frame = produce_frame(0, 1, &batch);
    for _ in 0..batches {
        let frame = frame.clone();
        node.tell(ClientEvent::Request { conn, frame }, &mut |_, _| {});
    }
    let frames = requests(shape, batch.len() as u64, batches, random);
    let mut answered = 0;
    let mut ring = Ring::new(4 * u64::from(FETCH_BYTES));
    let (mut at, mut asked) = (0, 0);
    let node = std::cell::RefCell::new(node);
    let mut fetch = |repetitions: u64| {
        for _ in 0..repetitions {
            exchange(&node, conn, &frames, &mut at, &mut |piece| {
                answered += piece.len() as u64;
                ring.copy(piece);
            });
        }
        asked += repetitions;
    };
    let source = vec![2; LOG_BYTES as usize];
    let mut target = Ring::new(4 * u64::from(FETCH_BYTES));
    let mut from = 0;
    let mut limit = |repetitions: u64| {
        for _ in 0..repetitions {
            target.copy(&source[from..from + FETCH_BYTES as usize]);
            from = (from + FETCH_BYTES as usize) % source.len();
        }
    };
    let mut resolved = 0;
    let mut turn = 0;
    let mut resolve = |repetitions: u64| {
        for _ in 0..repetitions {
            exchange(&node, conn, &frames, &mut turn, &mut |piece| {
                resolved += piece.len() as u64;
            });
        }
    };
    let rounds = Rounds::run(bench.plan, &mut [&mut fetch, &mut limit, &mut resolve]);
    let least = u64::from(FETCH_BYTES) * asked;
    if answered < least || answered > least + least / 8 {
        return Err(format!(
            "{name}: {answered} bytes came where {least} were asked for"
        ));
    }
    let records = u64::from(FETCH_BYTES) * u64::from(shape.records) / batch.len() as u64;
    let work = Work::records(records, FETCH_BYTES.into());
    let row = Row::new(name, work, COPY, &rounds);
    bench.push(row.with("ns_without_copy", rounds.nanos(2).median));
    Ok(())
}

/// The requests: one after the other through the log, or anywhere in it.
fn requests(shape: Shape, batch_bytes: u64, batches: u64, random: bool) -> Vec<Bytes> {
    let mut rng = Rng::new(3);
    let each = u64::from(FETCH_BYTES) / batch_bytes;
    // Every fetch must be able to be full.
    let last = batches - u64::from(FETCH_BYTES) / batch_bytes - 2;
    (0..REQUESTS)
        .map(|at| {
            let batch = if random {
                rng.below(last)
            } else {
                at * each % last
            };
            let offset = batch * u64::from(shape.records);
            fetch_frame(0, offset as i64, FETCH_BYTES as i32)
        })
        .collect()
}

fn exchange(
    node: &std::cell::RefCell<InProcess>,
    conn: ConnId,
    frames: &[Bytes],
    at: &mut usize,
    take: &mut dyn FnMut(&[u8]),
) {
    let frame = frames[*at].clone();
    *at = (*at + 1) % frames.len();
    let mut node = node.borrow_mut();
    node.tell(
        ClientEvent::Request { conn, frame },
        &mut |cluster, reply| {
            pieces(cluster, reply, take);
        },
    );
}
