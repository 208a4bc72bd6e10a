//! `cargo xtask versus-kafka`: the server beside an Apache Kafka of the same moment.
//!
//! Both brokers run at the same time, pinned on the first core; the client, librdkafka's own
//! `rdkafka_performance`, on the second. They take turns, round by round, so that what a busy machine does
//! to one it does to the other; rounds that warm up are left out; medians count. What a broker spends is its
//! processor time as the kernel tells it, which depends less on the machine's other work than a clock does.

mod brokers;
mod lines;
mod load;
mod peer;
mod report;
mod tools;

use crate::process::{must_run, scratch, target};
use crate::trouble::{Outcome, Trouble};
use brokers::Broker;
use lines::{LINES, Line};
use report::{Report, Sides};
use std::process::Command;

/// Rounds that count, if the command line does not say otherwise.
const ROUNDS: usize = 5;
/// Rounds before them: Kafka's bytecode is compiled while it runs.
const WARM: usize = 2;

/// What the command line asks for.
struct Options {
    only: Option<String>,
    rounds: usize,
    warm: usize,
    /// How many of its records a throughput line sends.
    scale: f64,
    binary: Option<String>,
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = parse(arguments)?;
    let tools = tools::fetch()?;
    let folder = scratch()?.join("versus");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|e| Trouble::io("create", &folder, e))?;
    let binary = match &options.binary {
        Some(path) => path.into(),
        None => {
            let mut cargo = Command::new("cargo");
            cargo.args(["build", "--release", "-p", "brooklet"]);
            must_run("versus-build", cargo.current_dir(crate::root()))?;
            target().join("release/brooklet")
        }
    };
    let mut kafka = Broker::kafka(&tools, &binary, &folder)?;
    let mut ours = Broker::ours(&binary, &folder)?;
    let mut report = Report::default();
    println!("{}", report::machine());
    for line in LINES.iter().filter(|line| wanted(&options, line)) {
        let measured = (line.run)(&mut Round {
            options: &options,
            tools: &tools,
            name: line.name,
            brokers: [&mut kafka, &mut ours],
        })?;
        report.push(line, &measured);
    }
    println!("\n{}", report.table());
    Ok(())
}

fn wanted(options: &Options, line: &Line) -> bool {
    let only = options.only.as_deref();
    only.is_none_or(|only| only.split(',').any(|part| line.name.contains(part)))
}

/// What a line works with.
pub(crate) struct Round<'a> {
    options: &'a Options,
    tools: &'a tools::Tools,
    name: &'a str,
    /// Kafka, then ours.
    brokers: [&'a mut Broker; 2],
}

impl Round<'_> {
    /// Records of a line whose whole size is `thousands`.
    fn records(&self, thousands: u64) -> u64 {
        (thousands as f64 * self.options.scale) as u64 * 1000
    }

    /// Measures both in turns; gives the figures of the rounds that count, Kafka's and ours.
    fn alternate<T>(
        &mut self,
        mut one: impl FnMut(&mut Broker, &tools::Tools, usize) -> Outcome<T>,
    ) -> Outcome<Sides<T>> {
        let mut sides = Sides {
            kafka: Vec::new(),
            ours: Vec::new(),
        };
        for round in 0..self.options.warm + self.options.rounds {
            // Whoever is first may find the machine in another state.
            for turn in 0..2 {
                let side = (round + turn) % 2;
                let found = one(self.brokers[side], self.tools, round);
                let found = found.inspect_err(|_| eprintln!())?;
                eprint!("\r{}: round {}     ", self.name, round + 1);
                if round >= self.options.warm {
                    match side {
                        0 => sides.kafka.push(found),
                        _ => sides.ours.push(found),
                    }
                }
            }
        }
        eprintln!();
        Ok(sides)
    }
}

fn parse(arguments: &[String]) -> Outcome<Options> {
    let mut options = Options {
        only: None,
        rounds: ROUNDS,
        warm: WARM,
        scale: 1.0,
        binary: None,
    };
    let known = ["--only=", "--rounds=", "--warm=", "--scale=", "--binary="];
    for (name, value) in crate::options::read("versus-kafka", arguments, &known)? {
        let number = || {
            let found = value.parse::<f64>().ok().filter(|number| *number >= 0.0);
            found.ok_or_else(|| Trouble::Usage(format!("{name} {value} is no number.")))
        };
        match name.as_str() {
            "--only" => options.only = Some(value),
            "--rounds" => options.rounds = (number()? as usize).max(1),
            "--warm" => options.warm = number()? as usize,
            "--scale" => options.scale = number()?,
            _ => options.binary = Some(value),
        }
    }
    Ok(options)
}
