//! The command line.

use lexopt::{Arg, Parser, ValueExt};

/// What `--help` says.
pub(crate) const HELP: &str = "\
brooklet bench [--only NAME] [--quick] [--json FILE] [--wire HOST:PORT]

  Measures the broker on this machine, each figure beside what the machine itself can do.
    --only  only figures whose name begins with NAME, such as append or produce/100
    --quick a few milliseconds for each figure: to see that it runs, not to compare
    --json  also writes the figures to FILE
    --wire  measures the broker that listens at HOST:PORT instead of one started here
";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Help,
    Run(Options),
}

/// How the benchmark was called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) only: Option<String>,
    pub(crate) quick: bool,
    pub(crate) json: Option<String>,
    pub(crate) wire: Option<String>,
}

impl Options {
    /// Whether the figures of this name are wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only
            .as_deref()
            .is_none_or(|only| name.starts_with(only))
    }

    /// Whether any figure whose name begins with `family` may be wanted.
    pub(crate) fn touches(&self, family: &str) -> bool {
        self.only
            .as_deref()
            .is_none_or(|only| family.starts_with(only) || only.starts_with(family))
    }
}

/// Reads the arguments after `brooklet bench`.
pub(crate) fn parse(args: &[String]) -> Result<Asked, String> {
    let mut options = Options::default();
    let mut parser = Parser::from_args(args);
    while let Some(word) = parser.next().map_err(|why| why.to_string())? {
        let name = match word {
            Arg::Long("help") | Arg::Short('h') => return Ok(Asked::Help),
            Arg::Long(name) => format!("--{name}"),
            Arg::Short(letter) => format!("-{letter}"),
            Arg::Value(word) => word.to_string_lossy().into_owned(),
        };
        let place = match name.as_str() {
            "--quick" => {
                options.quick = true;
                continue;
            }
            "--only" => &mut options.only,
            "--json" => &mut options.json,
            "--wire" => &mut options.wire,
            other => {
                return Err(format!(
                    "there is no option {other:?}; see brooklet bench --help"
                ));
            }
        };
        let value = parser.value().and_then(ValueExt::string);
        let lacks = |_| format!("{name} needs a value; see brooklet bench --help");
        *place = Some(value.map_err(lacks)?);
    }
    Ok(Asked::Run(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Asked, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        parse(&words)
    }

    #[test]
    fn a_name_may_be_a_family_or_one_figure() {
        let only = |name: &str| Options {
            only: Some(name.to_owned()),
            ..Options::default()
        };
        assert!(only("append").wants("append/100B/16KiB"));
        assert!(only("append/100B").touches("append"));
        assert!(!only("append").touches("fetch"));
        assert!(!only("append/1KiB").wants("append/100B/16KiB"));
    }

    #[test]
    fn wrong_usage_is_refused_in_words() {
        assert!(parsed(&["--json"]).is_err_and(|why| why.contains("needs a value")));
        assert!(parsed(&["--fast"]).is_err_and(|why| why.contains("--fast")));
        assert_eq!(parsed(&["-h", "--fast"]), Ok(Asked::Help));
    }
}
