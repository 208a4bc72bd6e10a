//! What must hold when everything is made good and has come to rest.

use super::{BROKERS, Checked};
use ids::NodeId;
use log::{Log, Read};
use records::{Batches, decompress};
use std::collections::BTreeSet;
use world::World;

/// The most that one batch may decompress to.
const BATCH_BYTES_MAX: u32 = 16 << 20;

/// Looks at everything.
pub(super) fn check(world: &World) -> Checked {
    in_sync(world)?;
    alike(world, "orders")?;
    for partition in 0..world.partition_count("__consumer_offsets") {
        same(world, "__consumer_offsets", partition)?;
    }
    acknowledged(world)?;
    group(world)
}

/// Every broker runs, and every replica is in sync.
pub(super) fn in_sync(world: &World) -> Checked {
    let snapshot = world.snapshot();
    if let Some(broker) = snapshot.brokers.iter().find(|it| it.state != "running") {
        return Err(format!("{broker:?}"));
    }
    for topic in &snapshot.topics {
        for partition in &topic.partitions {
            let isr = BTreeSet::from_iter(&partition.isr);
            if isr.len() != BROKERS.unsigned_abs() as usize || !isr.contains(&partition.leader) {
                return Err(format!("{}: {partition:?}", topic.name));
            }
        }
    }
    Ok(())
}

fn alike(world: &World, topic: &str) -> Checked {
    (0..world.partition_count(topic)).try_for_each(|partition| same(world, topic, partition))
}

/// All replicas have the same log, and all of it is committed.
fn same(world: &World, topic: &str, partition: i32) -> Checked {
    let mut first: Option<(i64, Vec<u8>)> = None;
    for node in 1..=BROKERS {
        let log = world.replica_log(NodeId(node), topic, partition);
        let log = log.ok_or_else(|| format!("{node} has no {topic}-{partition}"))?;
        let (mark, end) = (log.high_watermark().0, log.log_end().0);
        if mark != end {
            return Err(format!(
                "{topic}-{partition} on {node}: high watermark {mark} of {end}"
            ));
        }
        let found = (end, bytes(log));
        match &first {
            None => first = Some(found),
            Some(first) if *first == found => {}
            Some((other, _)) => {
                return Err(format!(
                    "{topic}-{partition} on {node} ends at {end} and is another than that up to {other}"
                ));
            }
        }
    }
    Ok(())
}

fn bytes(log: &Log) -> Vec<u8> {
    let (mut all, mut from) = (Vec::new(), log.log_start());
    while let Ok(Read::Slice(slice)) = log.read(from, 1 << 20, log.log_end(), true)
        && slice.length > 0
    {
        let pieces = log.slice_pieces(&slice).expect("it is in memory").concat();
        for (_, batch) in Batches::new(&pieces) {
            from = from.max(batch.next_offset());
        }
        all.extend(pieces);
    }
    all
}

/// What was acknowledged is there; what an idempotent producer sent, once and in its order.
fn acknowledged(world: &World) -> Checked {
    let mut all = Vec::new();
    for partition in 0..world.partition_count("orders") {
        let log = world.partition_log("orders", partition);
        let log = log.ok_or_else(|| format!("orders-{partition} has no log"))?;
        let mut values = Vec::new();
        for (_, batch) in Batches::new(&bytes(log)) {
            let payload = decompress(&batch, BATCH_BYTES_MAX).unwrap_or_default();
            for record in records::records(batch.header(), &payload).flatten() {
                let value = record.value.unwrap_or_default();
                values.push(String::from_utf8_lossy(value).into_owned());
            }
        }
        all.push(values);
    }
    for (name, sent, failed) in world.sent() {
        let (mut seen, mut copies) = (BTreeSet::new(), 0_u64);
        for values in &all {
            let mut last = None;
            let own = values
                .iter()
                .filter_map(|value| value.strip_prefix(name)?.strip_prefix(':'));
            for number in own.filter_map(|text| text.parse::<u64>().ok()) {
                copies += 1;
                seen.insert(number);
                if name == "once" && last.is_some_and(|last| last >= number) {
                    return Err(format!(
                        "{name}:{number} comes after {last:?}; {sent} acknowledged, {failed} given up"
                    ));
                }
                last = Some(number);
            }
        }
        let kept = seen.len() as u64;
        // What was given up may lie there nevertheless.
        let most = sent + failed;
        if kept < sent || name == "once" && !(sent..=most).contains(&copies) {
            return Err(format!(
                "{name}: {sent} acknowledged, {failed} given up, {kept} there, in {copies} copies"
            ));
        }
    }
    Ok(())
}

/// The group reads all, and has committed that.
fn group(world: &World) -> Checked {
    let groups = world.snapshot().groups;
    let group = groups.iter().find(|it| it.group_id == "billing");
    let group = group.ok_or("there is no group")?;
    let behind = |row: &&world::OffsetView| row.lag.as_deref() != Some("0");
    match group.offsets.iter().find(behind) {
        _ if group.state != "Stable" || group.members.len() != 2 => Err(format!("{group:?}")),
        Some(row) => Err(format!("{row:?} in {group:?}")),
        None => Ok(()),
    }
}
