//! Medians, ratios, and the table.

use super::lines::Line;
use std::fmt::Write;

/// The figures of both brokers.
pub(crate) struct Sides<T> {
    pub(crate) kafka: Vec<T>,
    pub(crate) ours: Vec<T>,
}

impl<T> Sides<T> {
    pub(crate) fn map(&self, name: &'static str, unit: Unit, of: impl Fn(&T) -> f64) -> Measure {
        let all = |sides: &[T]| median(sides.iter().map(&of).collect());
        Measure {
            name,
            unit,
            kafka: all(&self.kafka),
            ours: all(&self.ours),
        }
    }
}

/// How a figure is written.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    /// Millions.
    Millions,
    /// Milliseconds.
    Millis,
    /// As it is.
    Plain,
}

/// A figure of both.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kafka: f64,
    pub(crate) ours: f64,
}

#[derive(Default)]
pub(crate) struct Report {
    rows: String,
}

impl Report {
    pub(crate) fn push(&mut self, line: &Line, measures: &[Measure]) {
        for measure in measures {
            let row = format!(
                "| {}: {} | {} | {} | {:.2} |",
                line.name,
                measure.name,
                shown(measure.unit, measure.kafka),
                shown(measure.unit, measure.ours),
                measure.ours / measure.kafka.max(f64::MIN_POSITIVE)
            );
            println!("{row}");
            let _ = writeln!(self.rows, "{row}");
        }
    }

    pub(crate) fn table(&self) -> String {
        format!(
            "| | Kafka | Brooklet | ratio |\n|---|---|---|---|\n{}",
            self.rows
        )
    }
}

/// How busy the machine is, for the figures are worth less then.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let load = read("/proc/loadavg");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!("{cores} cores, load {load} before the first round; medians, ours ÷ Kafka's")
}

fn shown(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Millions => format!("{:.2} M", value / 1e6),
        Unit::Millis => format!("{value:.2} ms"),
        Unit::Plain => format!("{value:.3}"),
    }
}

pub(crate) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}
