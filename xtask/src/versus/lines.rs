//! What is compared.

use super::Round;
use super::brokers::Broker;
use super::load::{self, Figures, Shape};
use super::peer;
use super::report::{Measure, Sides, Unit};
use super::tools::Tools;
use crate::trouble::Outcome;
use std::time::Duration;

/// One line of the comparison.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Round<'_>) -> Outcome<Vec<Measure>>,
}

pub(crate) const LINES: &[Line] = &[
    Line {
        name: "produce 100 B, acks 1",
        run: |round| produce(round, shape(100, "1"), 4_000),
    },
    Line {
        name: "produce 1 KiB, acks all",
        run: |round| produce(round, shape(1024, "-1"), 800),
    },
    Line {
        name: "produce 1 KiB, lz4",
        run: |round| {
            let codec = Shape {
                codec: "lz4",
                ..shape(1024, "-1")
            };
            produce(round, codec, 4_000)
        },
    },
    Line {
        name: "produce 100 B, 1000 partitions",
        run: |round| {
            let many = Shape {
                partitions: 1000,
                ..shape(100, "1")
            };
            produce(round, many, 2_000)
        },
    },
    Line {
        name: "batches of 16 kB, 6 and 1,000 partitions",
        run: |round| {
            let mut measures = Vec::new();
            for partitions in [6, 1000] {
                let name = format!("around-{partitions}");
                for broker in &mut round.brokers {
                    broker.create(&name, partitions)?;
                }
                let sides = round.alternate(|broker, _, _| {
                    peer::around(broker, &name, partitions as i32, BATCHES)
                })?;
                for broker in &mut round.brokers {
                    broker.delete(&name)?;
                }
                let what = match partitions {
                    6 => "6: batches per broker CPU second",
                    _ => "1,000: batches per broker CPU second",
                };
                measures.push(sides.map(what, Unit::Plain, |found| *found));
            }
            Ok(measures)
        },
    },
    Line {
        name: "consume 100 B, one group",
        run: |round| consume(round, shape(100, "1"), 5_000),
    },
    Line {
        name: "consume 1 KiB, one group",
        run: |round| consume(round, shape(1024, "1"), 1_000),
    },
    Line {
        name: "latency at 50,000 records/s",
        run: |round| {
            let name = topic(round.name);
            let sides = round.alternate(|broker, tools, number| {
                load::latency(broker, tools, &format!("{name}.{number}"), LATENCY_SECONDS)
            })?;
            Ok(vec![
                sides.map("p50", Unit::Millis, |found| found.p50),
                sides.map("p99", Unit::Millis, |found| found.p99),
            ])
        },
    },
    Line {
        name: "5,000 connections, a record a second each",
        run: |round| {
            let name = topic(round.name);
            let sides = round.alternate(|broker, _, number| {
                let name = format!("{name}.{number}");
                broker.create(&name, 6)?;
                let spent = peer::many(broker, &name, CONNECTIONS, CONNECTIONS_SECONDS)?;
                broker.delete(&name)?;
                Ok(spent)
            })?;
            Ok(vec![sides.map("broker CPU", Unit::Plain, |spent| *spent)])
        },
    },
    Line {
        name: "longest wait while 1 GB of segments is deleted",
        run: |round| stall(round, 6, 1_000, |broker, _, name| broker.delete(name)),
    },
    Line {
        name: "longest wait while 1,000 partitions are deleted",
        run: |round| stall(round, 1000, 10, |broker, _, name| broker.delete(name)),
    },
    Line {
        name: "longest wait while 1 GB is read from the disk",
        run: |round| {
            stall(round, 6, 1_000, |broker, tools, name| {
                broker.chill(name)?;
                load::consume(broker, tools, name, name, 1_000_000)?;
                broker.delete(name)
            })
        },
    },
];

/// Seconds that a latency is measured in.
const LATENCY_SECONDS: u64 = 5;
const BATCHES: usize = 20_000;
const CONNECTIONS: usize = 5_000;
const CONNECTIONS_SECONDS: u64 = 5;

/// The longest wait of a small produce request while something happens to a topic of so many
/// partitions and thousands of records of 1 KiB.
fn stall(
    round: &mut Round<'_>,
    partitions: u32,
    thousands: u64,
    busy: fn(&mut Broker, &Tools, &str) -> Outcome,
) -> Outcome<Vec<Measure>> {
    let name = topic(round.name);
    for broker in &mut round.brokers {
        broker.create(&name, 1)?;
    }
    let probed = name.clone();
    let sides = round.alternate(|broker, tools, number| {
        let name = format!("{name}.{number}");
        let large = Shape {
            partitions,
            ..shape(1024, "1")
        };
        broker.create(&name, partitions)?;
        load::fill(broker, tools, &name, large, thousands * 1000)?;
        peer::stall(broker, &probed, Duration::from_millis(1500), |broker| {
            busy(broker, tools, &name)
        })
    })?;
    for broker in &mut round.brokers {
        broker.delete(&probed)?;
    }
    Ok(vec![
        sides.map("milliseconds", Unit::Millis, |longest| *longest),
    ])
}

fn shape(bytes: u32, acks: &'static str) -> Shape {
    Shape {
        bytes,
        acks,
        codec: "none",
        partitions: 6,
    }
}

fn produce(round: &mut Round<'_>, shape: Shape, thousands: u64) -> Outcome<Vec<Measure>> {
    let records = round.records(thousands);
    let name = topic(round.name);
    let sides = round.alternate(|broker, tools, number| {
        load::produce(broker, tools, &format!("{name}.{number}"), shape, records)
    })?;
    Ok(throughput(&sides))
}

fn consume(round: &mut Round<'_>, shape: Shape, thousands: u64) -> Outcome<Vec<Measure>> {
    let records = round.records(thousands);
    let name = topic(round.name);
    for broker in &mut round.brokers {
        broker.create(&name, shape.partitions)?;
        load::fill(broker, round.tools, &name, shape, records)?;
    }
    let sides = round.alternate(|broker, tools, number| {
        load::consume(broker, tools, &name, &format!("{name}.{number}"), records)
    })?;
    for broker in &mut round.brokers {
        broker.delete(&name)?;
    }
    Ok(throughput(&sides))
}

fn throughput(sides: &Sides<Figures>) -> Vec<Measure> {
    vec![
        sides.map("records per broker CPU second", Unit::Millions, |found| {
            found.per_cpu
        }),
        sides.map("records/s", Unit::Millions, |found| found.per_second),
    ]
}

/// A line's name as a topic's.
fn topic(name: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    name.chars().map(plain).collect()
}
