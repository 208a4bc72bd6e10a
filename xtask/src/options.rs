//! The options of a command, as `lexopt` cuts them.

use crate::trouble::{Outcome, Trouble};
use lexopt::{Arg, Parser, ValueExt};

/// Reads the options after a command. Of `known`, those that end with `=` have a value; any other word is
/// refused.
pub(crate) fn read(
    command: &str,
    words: &[String],
    known: &[&str],
) -> Outcome<Vec<(String, String)>> {
    let refuse = |why: &str| Trouble::Usage(format!("{command}: {why}."));
    let mut parser = Parser::from_args(words);
    let mut found = Vec::new();
    while let Some(word) = parser.next().map_err(|why| refuse(&why.to_string()))? {
        let name = match word {
            Arg::Long(name) => format!("--{name}"),
            Arg::Short(letter) => format!("-{letter}"),
            Arg::Value(word) => word.to_string_lossy().into_owned(),
        };
        let value = if known.contains(&format!("{name}=").as_str()) {
            let value = parser.value().and_then(ValueExt::string);
            value.map_err(|_| refuse(&format!("{name} wants a value")))?
        } else if known.contains(&name.as_str()) {
            String::new()
        } else {
            return Err(refuse(&format!("it does not know `{name}`")));
        };
        found.push((name, value));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_word_that_a_command_does_not_know_is_refused() {
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        let known = ["--port=", "--no-open"];
        let found = read("play", &words(&["--port=1", "--no-open"]), &known);
        let expected = [("--port", "1"), ("--no-open", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert!(found.is_ok_and(|found| found == expected));
        for wrong in [&["--prot", "1"][..], &["--port"], &["page"]] {
            assert!(read("play", &words(wrong), &known).is_err(), "{wrong:?}");
        }
    }
}
