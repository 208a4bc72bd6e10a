//! Command lines with a command in the middle: `kafka-cluster unregister --id 4`.
//!
//! A few of Kafka's tools use argparse4j instead of joptsimple: options before the command belong to the
//! tool, those behind it to the command. What people see of it, the words and the justified lines of a
//! refusal, is reproduced from what was recorded; usage and help are texts, for their layout is no rule's.

use super::super::Said;
use super::{Arg, Kind, Opt, Parsed};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The overall width of a refusal, in characters.
const WIDTH: usize = 75;

/// A tool or one of its commands: its options, and what is said about them.
pub(in super::super) struct Part {
    /// The command; empty for the tool itself.
    pub(in super::super) name: &'static str,
    /// How it is called, an empty line, and what there is to know.
    pub(in super::super) help: &'static str,
    pub(in super::super) options: &'static [Opt],
    /// Options that exclude each other, and of which one must be there.
    pub(in super::super) one_of: &'static [&'static str],
}

/// A tool with commands.
pub(in super::super) struct Grammar {
    pub(in super::super) program: &'static str,
    /// What `--help` ends with.
    pub(in super::super) help_status: i32,
    /// A refusal is one line, without the usage.
    pub(in super::super) terse: bool,
    pub(in super::super) tool: Part,
    pub(in super::super) commands: &'static [Part],
    /// Other names of options, of one letter.
    pub(in super::super) short: &'static [(&'static str, &'static str)],
}

/// A command line taken apart.
pub(in super::super) struct Line {
    pub(in super::super) command: &'static str,
    /// The options of the tool and of the command.
    pub(in super::super) parsed: Parsed,
}

impl Grammar {
    /// Takes a line apart; what is said instead, when it is wrong or asks for the help.
    pub(in super::super) fn read(&self, words: &[String]) -> Result<Line, Said> {
        let mut parsed = Parsed::default();
        let mut words = words.iter().map(String::as_str);
        let command = self.take(&self.tool, &mut words, &mut parsed)?;
        let Some(command) = command else {
            return Err(self.refuse(&self.tool, "too few arguments"));
        };
        let found = self.commands.iter().find(|part| part.name == command);
        let Some(part) = found else {
            let names = self.commands.iter().map(|part| format!("'{}'", part.name));
            let names: Vec<String> = names.collect();
            let choices = names.join(", ");
            let text = format!("invalid choice: '{command}' (choose from {choices})");
            return Err(self.refuse(&self.tool, &text));
        };
        if let Some(word) = self.take(part, &mut words, &mut parsed)? {
            return Err(self.refuse(part, &format!("unrecognized arguments: '{word}'")));
        }
        self.complete(part, &parsed)?;
        self.complete(&self.tool, &parsed)?;
        Ok(Line {
            command: part.name,
            parsed,
        })
    }

    /// Takes the options of a part; gives the first word that is none.
    fn take<'a>(
        &self,
        part: &Part,
        words: &mut impl Iterator<Item = &'a str>,
        parsed: &mut Parsed,
    ) -> Result<Option<&'a str>, Said> {
        while let Some(word) = words.next() {
            if word == "--help" || word == "-h" {
                let said = Said::default().out(part.help.trim_end());
                return Err(said.exit(self.help_status));
            }
            if !word.starts_with('-') {
                return Ok(Some(word));
            }
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            let long = self.short.iter().find(|(short, _)| *short == name);
            let long = long
                .map(|(_, long)| *long)
                .or_else(|| name.strip_prefix("--"));
            let option = part.options.iter().find(|o| Some(o.name) == long);
            let Some(option) = option else {
                return Err(self.refuse(part, &format!("unrecognized arguments: '{word}'")));
            };
            let shown = self.shown(option.name);
            let other = part
                .one_of
                .iter()
                .filter(|one| part.one_of.contains(&option.name) && **one != option.name);
            if let Some(other) = other.into_iter().find(|other| parsed.has(other)) {
                let other = self.shown(other);
                let text = format!("argument {shown}: not allowed with argument {other}");
                return Err(self.refuse(part, &text));
            }
            let value = match option.arg {
                Arg::None => None,
                Arg::Value(kind, _) | Arg::Optional(kind, _) => {
                    let value = inline.or_else(|| words.next());
                    let expected = || format!("argument {shown}: expected one argument");
                    let value = value.ok_or_else(|| self.refuse(part, &expected()))?;
                    if kind == Kind::Integer && value.parse::<i32>().is_err() {
                        let text = format!(
                            "argument {shown}: could not convert '{value}' to Integer (For input string: \"{value}\")"
                        );
                        return Err(self.refuse(part, &text));
                    }
                    Some(value.to_string())
                }
            };
            parsed.put(option.name, value);
        }
        Ok(None)
    }

    /// That nothing is missing.
    fn complete(&self, part: &Part, parsed: &Parsed) -> Result<(), Said> {
        let mut required = part.options.iter().filter(|option| option.required);
        if let Some(option) = required.find(|option| !parsed.has(option.name)) {
            let text = format!("argument {} is required", self.shown(option.name));
            return Err(self.refuse(part, &text));
        }
        let of_group = part.one_of.iter();
        if part.one_of.is_empty() || of_group.clone().any(|name| parsed.has(name)) {
            return Ok(());
        }
        let names: Vec<String> = of_group.map(|name| self.shown(name)).collect();
        let text = format!("one of the arguments {} is required", names.join(" "));
        Err(self.refuse(part, &text))
    }

    /// The refusal of an option beside another.
    pub(in super::super) fn excluded(&self, command: &str, option: &str, other: &str) -> Said {
        let part = self.commands.iter().find(|part| part.name == command);
        let (option, other) = (self.shown(option), self.shown(other));
        let text = format!("argument {option}: not allowed with argument {other}");
        self.refuse(part.unwrap_or(&self.tool), &text)
    }

    /// An option by all its names.
    fn shown(&self, name: &str) -> String {
        let short = self.short.iter().find(|(_, long)| *long == name);
        let short = short.map_or(String::new(), |(short, _)| format!("/{short}"));
        format!("--{name}{short}")
    }

    fn refuse(&self, part: &Part, text: &str) -> Said {
        if self.terse {
            let text = format!("Command line error: {text}. Type --help for help.");
            return Said::default().err_without_end(&text).exit(1);
        }
        let usage = part.help.split("\n\n").next().unwrap_or_default();
        let text = justified(&format!("{}: error: {text}", self.program));
        Said::default().err(usage.trim_end()).err(&text).exit(1)
    }
}

/// Breaks a text into lines that all end at the same column but the last: the missing spaces go first to
/// every gap alike, then to those in the middle.
fn justified(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let (mut from, mut at) = (0, 0);
    for piece in pieces(text) {
        if at + piece.len() - from > WIDTH && at > from {
            lines.push(&text[from..at]);
            from = at;
        }
        at += piece.len();
    }
    let full = lines.iter().map(|line| stretched(line) + "\n");
    full.collect::<String>() + &text[from..]
}

/// Where a line may be broken: behind spaces, and behind a dash before a letter.
fn pieces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    let bytes = text.as_bytes();
    for (at, pair) in bytes.windows(2).enumerate() {
        let breaks = match pair {
            [b' ', next] => *next != b' ',
            [b'-', next] => next.is_ascii_alphabetic(),
            _ => false,
        };
        if breaks {
            found.push(&text[from..=at]);
            from = at + 1;
        }
    }
    found.push(&text[from..]);
    found
}

fn stretched(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let gaps = words.len().saturating_sub(1);
    let letters: usize = words.iter().map(|word| word.len()).sum();
    let (each, rest) = match gaps {
        0 => (0, 0),
        gaps => (
            WIDTH.saturating_sub(letters) / gaps,
            WIDTH.saturating_sub(letters) % gaps,
        ),
    };
    let first = (gaps - rest).div_ceil(2);
    let mut out = String::new();
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            let more = usize::from((first..first + rest).contains(&(at - 1)));
            out.extend(core::iter::repeat_n(' ', each + more));
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines that Kafka's tools wrote.
    #[test]
    fn refusals_are_justified_as_kafkas_are() {
        for lines in [
            "kafka-metadata-quorum: error: argument  --bootstrap-controller: not allowed\nwith argument --bootstrap-server",
            "kafka-metadata-quorum: error: one  of  the  arguments --bootstrap-server --\nbootstrap-controller is required",
            "kafka-metadata-quorum:  error:  invalid  choice:   'explain'  (choose  from\n'describe', 'add-controller', 'remove-controller')",
            "kafka-metadata-quorum: error:  argument  --bootstrap-server:  expected  one\nargument",
            "kafka-metadata-quorum:  error:  argument   --controller-id/-i:   could  not\nconvert 'x' to Integer (For input string: \"x\")",
            "kafka-cluster: error: argument --id/-i:  could  not  convert 'x' to Integer\n(For input string: \"x\")",
            "kafka-cluster: error: too few arguments",
        ] {
            let text = lines.replace("--\nb", "--b").replace('\n', " ");
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            assert_eq!(justified(&words.join(" ")), lines);
        }
    }
}
