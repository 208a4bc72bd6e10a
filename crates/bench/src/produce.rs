//! The whole path of a produce request: frame in, `Store` out and confirmed, reply out.

use crate::Bench;
use crate::load::{CHECK_AND_COPY, Ring, SHAPES, Shape, produce_frame};
use crate::measure::Rounds;
use crate::node::InProcess;
use crate::report::{Row, Work};
use bytes::Bytes;
use cluster::ClientEvent;
use wire::produce_response::ProduceResponse;

/// Bytes that all logs together may keep in memory.
const HOT_BYTES: u64 = 64 << 20;
/// Produced bytes after which the logs are told to drop what exceeds that.
const EVICT_EVERY: u64 = 8 << 20;
/// The shapes that are also spread over many partitions.
const SPREAD: [&str; 3] = ["100B/1", "100B/16KiB", "1KiB/16KiB"];

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<(), String> {
    for shape in SHAPES {
        for partitions in [1, 10, 100, 1000] {
            let name = format!("produce/{}/p{partitions}", shape.name);
            let measured = partitions == 1 || SPREAD.contains(&shape.name);
            if measured && bench.wants(&name) {
                measure(bench, name, shape, partitions)?;
            }
        }
    }
    Ok(())
}

fn measure(
    bench: &mut Bench<'_>,
    name: String,
    shape: Shape,
    partitions: i32,
) -> Result<(), String> {
    let batch = shape.batch();
    let frames: Vec<Bytes> = (0..partitions)
        .map(|partition| produce_frame(partition, 1, &batch))
        .collect();
    let mut node = InProcess::start();
    node.create_topic(partitions)?;
    let conn = node.connect();
    check(&mut node, conn, &frames)?;
    let (mut sent, mut at, mut unevicted) = (0, 0, 0);
    node.replies = 0;
    let mut produce = |repetitions: u64| {
        for _ in 0..repetitions {
            let frame = frames[at].clone();
            at = if at + 1 == frames.len() { 0 } else { at + 1 };
            unevicted += frame.len() as u64;
            node.tell(ClientEvent::Request { conn, frame }, &mut |_, _| {});
            if unevicted >= EVICT_EVERY {
                unevicted = 0;
                node.evict(HOT_BYTES);
            }
        }
        sent += repetitions;
    };
    // Until the logs use memory again that they had before: fresh memory costs the system more
    // than the broker.
    produce(bench.plan.size(HOT_BYTES + EVICT_EVERY) / frames[0].len() as u64);
    let mut ring = Ring::new(HOT_BYTES);
    let mut next = 0;
    let mut limit = |repetitions: u64| {
        for _ in 0..repetitions {
            let frame = &frames[next];
            next = if next + 1 == frames.len() {
                0
            } else {
                next + 1
            };
            ring.check_and_copy(&frame[frame.len() - batch.len()..]);
        }
    };
    let rounds = Rounds::run(bench.plan, &mut [&mut produce, &mut limit]);
    if node.replies != sent {
        return Err(format!(
            "{name}: {} replies to {sent} requests",
            node.replies
        ));
    }
    let work = Work::records(shape.records.into(), batch.len() as u64);
    let row = Row::new(name, work, CHECK_AND_COPY, &rounds);
    bench.push(row.with("ns_per_request", rounds.nanos(0).median));
    Ok(())
}

/// Sends every frame once and looks at its answer.
fn check(node: &mut InProcess, conn: ids::ConnId, frames: &[Bytes]) -> Result<(), String> {
    for frame in frames {
        let mut bytes = Vec::new();
        let frame = frame.clone();
        node.tell(
            ClientEvent::Request { conn, frame },
            &mut |cluster, reply| {
                crate::node::pieces(cluster, reply, &mut |piece| bytes.extend_from_slice(piece));
            },
        );
        refusal(Bytes::from(bytes))?;
    }
    Ok(())
}

/// What a produce answer refuses, if anything.
pub(crate) fn refusal(answer: Bytes) -> Result<(), String> {
    let (_, answer) = wire::decode_response::<ProduceResponse>(answer, crate::load::VERSION)
        .map_err(|why| format!("an answer to Produce cannot be read: {why:?}"))?;
    let partitions = answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses);
    match partitions.map(|partition| partition.error_code).max() {
        Some(0) => Ok(()),
        other => Err(format!("the broker refused a batch: error {other:?}")),
    }
}
