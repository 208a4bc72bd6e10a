//! The command line.

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
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let value = |words: &mut std::slice::Iter<'_, String>| {
            words
                .next()
                .cloned()
                .ok_or_else(|| format!("{word} needs a value; see brooklet bench --help"))
        };
        match word.as_str() {
            "--help" | "-h" => return Ok(Asked::Help),
            "--quick" => options.quick = true,
            "--only" => options.only = Some(value(&mut words)?),
            "--json" => options.json = Some(value(&mut words)?),
            "--wire" => options.wire = Some(value(&mut words)?),
            other => {
                return Err(format!(
                    "there is no option {other:?}; see brooklet bench --help"
                ));
            }
        }
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
