//! The figures as a table and as JSON.

use crate::measure::{Rounds, Spread};
use serde::Serialize;
use serde_json::{Map, Value};

/// One figure beside its limit.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// What is counted, mostly `records`.
    pub(crate) unit: &'static str,
    /// Units in a second.
    pub(crate) records_per_second: f64,
    pub(crate) records_per_second_min: f64,
    pub(crate) records_per_second_max: f64,
    pub(crate) bytes_per_second: f64,
    /// What the limit does with the same bytes.
    pub(crate) limit_name: &'static str,
    pub(crate) limit_bytes_per_second: f64,
    /// How much of its limit the subject reaches: the median over the rounds.
    pub(crate) ratio: f64,
    pub(crate) ratio_min: f64,
    pub(crate) ratio_max: f64,
    pub(crate) rounds: u32,
    /// What else there is to say, by name.
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// What one repetition of a subject handles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) unit: &'static str,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl Work {
    pub(crate) fn records(count: u64, bytes: u64) -> Work {
        Work {
            unit: "records",
            count,
            bytes,
        }
    }
}

impl Row {
    /// The row of rounds whose first side is the subject and whose second is its limit.
    pub(crate) fn new(name: String, work: Work, limit_name: &'static str, rounds: &Rounds) -> Row {
        let own = rounds.per_second(0);
        let rate = |spread: Spread, each: u64| spread.map(|per_second| per_second * each as f64);
        let records = rate(own, work.count);
        let ratio = rounds.ratio(1);
        Row {
            name,
            unit: work.unit,
            records_per_second: records.median,
            records_per_second_min: records.min,
            records_per_second_max: records.max,
            bytes_per_second: rate(own, work.bytes).median,
            limit_name,
            limit_bytes_per_second: rate(rounds.per_second(1), work.bytes).median,
            ratio: ratio.median,
            ratio_min: ratio.min,
            ratio_max: ratio.max,
            rounds: rounds.count(),
            more: Map::new(),
        }
    }

    /// The row with one more figure.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: f64) -> Row {
        self.more.insert(name.to_owned(), Value::from(value));
        self
    }

    /// The row in one line, for people.
    pub(crate) fn line(&self) -> String {
        let mut line = format!(
            "{:<36} {:>10} {:<10} {:>10}/s {:>6.2} of {:>10}/s {} [{:.2}..{:.2}]",
            self.name,
            scaled(self.records_per_second),
            format!("{}/s", self.unit),
            bytes(self.bytes_per_second),
            self.ratio,
            bytes(self.limit_bytes_per_second),
            self.limit_name,
            self.ratio_min,
            self.ratio_max,
        );
        for (name, value) in &self.more {
            let number = value.as_f64().unwrap_or(0.0);
            line.push_str(&format!(", {name} {}", scaled(number)));
        }
        line
    }
}

/// All rows as a JSON array.
pub(crate) fn json(rows: &[Row]) -> String {
    let mut text = serde_json::to_string(rows).unwrap_or_else(|_| "[]".to_owned());
    text.push('\n');
    text
}

/// All rows as a table: each figure, its share of the limit with least and most over the rounds.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        text.push_str(&row.line());
        text.push('\n');
    }
    text
}

/// A number with three digits and a prefix of thousands.
fn scaled(value: f64) -> String {
    let (value, prefix) = match value {
        value if value >= 1e9 => (value / 1e9, " G"),
        value if value >= 1e6 => (value / 1e6, " M"),
        value if value >= 1e4 => (value / 1e3, " k"),
        value => (value, ""),
    };
    if value >= 100.0 {
        format!("{value:.0}{prefix}")
    } else if value >= 10.0 {
        format!("{value:.1}{prefix}")
    } else {
        format!("{value:.2}{prefix}")
    }
}

fn bytes(value: f64) -> String {
    let text = scaled(value);
    match text.split_once(' ') {
        Some(_) => format!("{text}B"),
        None => format!("{text} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_prefix() {
        assert_eq!(scaled(1_234_567.0), "1.23 M");
        assert_eq!(scaled(999.0), "999");
        assert_eq!(bytes(15.3e9), "15.3 GB");
        assert_eq!(bytes(10.0), "10.0 B");
    }
}
