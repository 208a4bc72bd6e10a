//! What is compared.

use super::Round;
use super::load::{self, Figures, Shape};
use super::report::{Measure, Sides, Unit};
use crate::trouble::Outcome;

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
        name: "consume 100 B, one group",
        run: |round| consume(round, shape(100, "1"), 5_000),
    },
    Line {
        name: "consume 1 KiB, one group",
        run: |round| consume(round, shape(1024, "1"), 1_000),
    },
];

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
