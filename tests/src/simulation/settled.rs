//! What must hold at the end of a life, when everything has come to rest.

use super::Checked;
use super::watch::{TOPICS, Watch, for_each_batch};
use records::decompress;
use std::collections::{BTreeMap, BTreeSet};
use world::{Input, Said, TerminalText, World};

/// The most that one batch may decompress to.
const BATCH_BYTES_MAX: u32 = 16 << 20;
/// How long a command may take, in world milliseconds.
const COMMAND_MS: u64 = 60_000;

/// Looks at everything once more.
pub(super) fn check(world: &mut World, watch: &Watch) -> Checked {
    watermarks(world, watch)?;
    groups(world)?;
    let orders = records(world, "orders")?;
    producers(world, &orders)?;
    consumed(world, &orders)
}

/// What is in a log is committed.
fn watermarks(world: &World, watch: &Watch) -> Checked {
    for topic in TOPICS {
        for partition in 0..world.partition_count(topic) {
            let log = world.partition_log(topic, partition);
            let log = log.ok_or_else(|| format!("{topic}-{partition} has no log"))?;
            let (mark, end) = (log.high_watermark().0, log.log_end().0);
            let known = watch.committed_end(topic, partition);
            if mark != end || mark < known {
                return Err(format!(
                    "{topic}-{partition}: high watermark {mark} of {end}, once {known}"
                ));
            }
        }
    }
    Ok(())
}

/// All partitions are owned by members that live, and read to their end.
fn groups(world: &World) -> Checked {
    let snapshot = world.snapshot();
    for spec in world.actors().groups {
        let view = snapshot
            .groups
            .iter()
            .find(|view| view.group_id == spec.group_id);
        let view = view.ok_or_else(|| format!("there is no group {}", spec.group_id))?;
        if view.state != "Stable" || view.members.len() != spec.members.len() {
            return Err(format!(
                "{} members are placed: {view:?}",
                spec.members.len()
            ));
        }
        let owned = view.members.iter().flat_map(|member| &member.assignment);
        let owned: BTreeSet<(&str, i32)> = owned.map(|a| (a.topic.as_str(), a.partition)).collect();
        for topic in &spec.topics {
            for partition in 0..world.partition_count(topic) {
                if !owned.contains(&(topic.as_str(), partition)) {
                    return Err(format!(
                        "nobody in {} reads {topic}-{partition}",
                        spec.group_id
                    ));
                }
            }
        }
        if let Some(row) = view
            .offsets
            .iter()
            .find(|row| row.lag.as_deref() != Some("0"))
        {
            return Err(format!(
                "{} has not read and committed all: {row:?}",
                spec.group_id
            ));
        }
    }
    Ok(())
}

/// Each partition's values with their offsets.
type Records = BTreeMap<i32, Vec<(i64, String)>>;

fn records(world: &World, topic: &str) -> Result<Records, String> {
    let mut all = Records::new();
    for partition in 0..world.partition_count(topic) {
        let found = all.entry(partition).or_default();
        let log = world.partition_log(topic, partition);
        let log = log.ok_or_else(|| format!("{topic}-{partition} has no log"))?;
        for_each_batch(log, log.log_start(), log.log_end(), |batch| {
            let payload = decompress(batch, BATCH_BYTES_MAX).unwrap_or_default();
            for record in records::records(batch.header(), &payload).flatten() {
                let value = String::from_utf8_lossy(record.value.unwrap_or_default());
                // Dots are what pads a value.
                found.push((record.offset.0, value.trim_end_matches('.').to_string()));
            }
        });
    }
    Ok(all)
}

/// What was acknowledged is there; what an idempotent producer sent, once and in its order.
fn producers(world: &World, orders: &Records) -> Checked {
    for (name, sent, failed) in world.sent() {
        if failed > 0 {
            return Err(format!("{name} gave {failed} records up"));
        }
        if !["once", "again"].contains(&name) {
            continue;
        }
        let mut seen = BTreeSet::new();
        let mut copies = 0u64;
        for values in orders.values() {
            let mut last = None;
            let own = values
                .iter()
                .filter_map(|(_, value)| value.strip_prefix(name)?.strip_prefix(':'));
            for number in own.filter_map(|text| text.parse::<u64>().ok()) {
                copies += 1;
                seen.insert(number);
                if name == "once" && last.is_some_and(|last| last >= number) {
                    return Err(format!("{name}:{number} comes after {last:?}"));
                }
                last = Some(number);
            }
        }
        let kept = seen.len() as u64;
        if kept < sent || name == "once" && copies != sent {
            return Err(format!(
                "{name}: {sent} acknowledged, {kept} there, in {copies} copies"
            ));
        }
    }
    Ok(())
}

/// A consumer that reads from the beginning gets just what lies in the log.
fn consumed(world: &mut World, orders: &Records) -> Checked {
    let count: usize = orders.values().map(Vec::len).sum();
    let line = format!(
        "kafka-console-consumer --bootstrap-server b1:9092 --topic orders --from-beginning \
         --max-messages {count} --timeout-ms 20000 --formatter-property print.partition=true \
         --formatter-property print.offset=true"
    );
    world.take_said();
    let terminal = world.input(Input::Spawn { line });
    let until = world.now().plus_millis(COMMAND_MS);
    while world.run_until(until, 10_000) > 0 {}
    let mut printed = Vec::new();
    for said in world.take_said() {
        if let Said::Terminal {
            id,
            text: TerminalText::Out(bytes),
        } = said
            && id == terminal
        {
            printed.extend_from_slice(&bytes);
        }
    }
    let mut read = Records::new();
    for line in String::from_utf8_lossy(&printed).lines() {
        let mut fields = line.split('\t');
        let mut number = |name: &str| fields.next()?.strip_prefix(name)?.parse::<i64>().ok();
        let (Some(partition), Some(offset)) = (number("Partition:"), number("Offset:")) else {
            return Err(format!("the consumer printed {line:?}"));
        };
        let value = fields.next().unwrap_or_default().trim_end_matches('.');
        let partition = i32::try_from(partition).unwrap_or(-1);
        read.entry(partition)
            .or_default()
            .push((offset, value.to_string()));
    }
    for (partition, expected) in orders {
        let got = read.remove(partition).unwrap_or_default();
        if let Some(at) =
            (0..expected.len().max(got.len())).find(|at| got.get(*at) != expected.get(*at))
        {
            return Err(format!(
                "a consumer of orders-{partition} got {:?}, not {:?}",
                got.get(at),
                expected.get(at)
            ));
        }
    }
    Ok(())
}
