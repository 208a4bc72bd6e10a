//! Throughput and latency figures, each beside the limit measured in the same run.
//!
//! Every figure comes from rounds in which the subject and its limit take turns, so that a busy
//! machine slows both; what is reported is the median, with the least and the most. The limit is
//! what the machine does with the same bytes when there is no broker in between.

#![forbid(unsafe_code)]

mod append;
mod fetch;
mod files;
mod load;
mod lookup;
mod measure;
mod memory;
mod node;
mod options;
mod produce;
mod report;
mod wire;
mod world;

use measure::Plan;
use options::{Asked, Options};
use report::Row;
use std::io::Write;

/// Runs `brooklet bench` with these arguments; gives the exit status: 0 done, 1 failed, 2 wrong usage.
#[must_use]
pub fn main(args: &[String]) -> i32 {
    let options = match options::parse(args) {
        Ok(Asked::Run(options)) => options,
        Ok(Asked::Help) => {
            return i32::from(say(std::io::stdout(), options::HELP).is_err());
        }
        Err(why) => {
            let _ = say(std::io::stderr(), &format!("brooklet bench: {why}\n"));
            return 2;
        }
    };
    match run(&options) {
        Ok(()) => 0,
        Err(why) => {
            let _ = say(std::io::stderr(), &format!("brooklet bench: {why}\n"));
            1
        }
    }
}

/// A family of figures.
struct Case {
    name: &'static str,
    run: fn(&mut Bench<'_>) -> Result<(), String>,
}

/// Memory comes first: what other cases have freed would hide what it uses.
const CASES: &[Case] = &[
    Case {
        name: "memory",
        run: memory::run,
    },
    Case {
        name: "append",
        run: append::run,
    },
    Case {
        name: "lookup",
        run: lookup::run,
    },
    Case {
        name: "produce",
        run: produce::run,
    },
    Case {
        name: "fetch",
        run: fetch::run,
    },
    Case {
        name: "files",
        run: files::run,
    },
    Case {
        name: "world",
        run: world::run,
    },
    Case {
        name: "wire",
        run: wire::run,
    },
];

/// What a case works with: how long to measure, and where its rows go.
struct Bench<'a> {
    plan: Plan,
    options: &'a Options,
    rows: Vec<Row>,
}

impl Bench<'_> {
    /// Whether `--only` wants the figures of this name.
    fn wants(&self, name: &str) -> bool {
        self.options.wants(name)
    }

    /// Says on stderr what is being measured now.
    fn progress(&self, what: &str) {
        let _ = say(std::io::stderr(), &format!("bench: {what}\n"));
    }

    fn push(&mut self, row: Row) {
        self.progress(&row.line());
        self.rows.push(row);
    }
}

fn run(options: &Options) -> Result<(), String> {
    let mut bench = Bench {
        plan: Plan::of(options.quick),
        options,
        rows: Vec::new(),
    };
    for case in CASES {
        if options.touches(case.name) {
            (case.run)(&mut bench)?;
        }
    }
    if bench.rows.is_empty() {
        let only = options.only.as_deref().unwrap_or_default();
        let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        return Err(format!(
            "no figure is called {only:?}; their names begin with {}",
            names.join(", ")
        ));
    }
    if let Some(path) = &options.json {
        let text = report::json(&bench.rows);
        std::fs::write(path, text).map_err(|why| format!("cannot write {path}: {why}"))?;
    }
    say(std::io::stdout(), &report::table(&bench.rows))
        .map_err(|why| format!("cannot print the table: {why}"))
}

fn say(mut to: impl Write, text: &str) -> std::io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn every_figure_of_the_json_stands_beside_its_limit() {
        let path = std::env::temp_dir().join(format!("brooklet-bench-{}.json", std::process::id()));
        let path_text = path.to_string_lossy().into_owned();
        let args = ["--quick", "--json", &path_text].map(str::to_owned);
        assert_eq!(super::main(&args), 0);
        let text = std::fs::read_to_string(&path).expect("the file was written");
        std::fs::remove_file(&path).expect("the file can be removed");
        let rows: Vec<Value> = serde_json::from_str(&text).expect("an array");
        for family in super::CASES {
            let named = |row: &&Value| {
                row["name"]
                    .as_str()
                    .is_some_and(|n| n.starts_with(family.name))
            };
            assert!(
                rows.iter().any(|row| named(&row)),
                "no figure of {}",
                family.name
            );
        }
        for row in &rows {
            assert!(row["limit_name"].is_string(), "{row}");
            for figure in [
                "records_per_second",
                "bytes_per_second",
                "limit_bytes_per_second",
                "ratio",
            ] {
                assert!(
                    row[figure].as_f64().is_some_and(|value| value > 0.0),
                    "{figure} of {row}"
                );
            }
        }
    }

    #[test]
    fn a_name_without_figures_is_refused() {
        assert_eq!(super::main(&["--only", "nothing"].map(str::to_owned)), 1);
        assert_eq!(super::main(&["--only"].map(str::to_owned)), 2);
    }
}
