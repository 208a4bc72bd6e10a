//! A terminal's line: splitting it into words, and completing the word at the cursor.

use super::TOOLS;
use super::options::Opt;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Why a line cannot be split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SplitError {
    /// A quote is opened and not closed.
    OpenQuote,
    /// The line ends in a backslash.
    LoneBackslash,
}

impl core::fmt::Display for SplitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            SplitError::OpenQuote => "a quote is opened but not closed",
            SplitError::LoneBackslash => "the line ends in a backslash with nothing behind it",
        })
    }
}

/// Splits a line into words as a POSIX shell does, with `'…'`, `"…"` and `\`; nothing is expanded.
///
/// # Errors
/// An open quote or a backslash at the end.
pub fn split_line(line: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => single_quoted(&mut chars, word.get_or_insert_default())?,
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => {
                let escaped = chars.next().ok_or(SplitError::LoneBackslash)?;
                word.get_or_insert_default().push(escaped);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single_quoted(chars: &mut core::str::Chars<'_>, word: &mut String) -> Result<(), SplitError> {
    loop {
        match chars.next().ok_or(SplitError::OpenQuote)? {
            '\'' => return Ok(()),
            c => word.push(c),
        }
    }
}

fn double_quoted(chars: &mut core::str::Chars<'_>, word: &mut String) -> Result<(), SplitError> {
    loop {
        match chars.next().ok_or(SplitError::OpenQuote)? {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or(SplitError::OpenQuote)? {
                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                c => {
                    word.push('\\');
                    word.push(c);
                }
            },
            c => word.push(c),
        }
    }
}

/// What Tab offers at a place in a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Completion {
    /// Byte position in the line where the word to replace begins.
    pub start: usize,
    /// What could stand there instead, in order.
    pub candidates: Vec<String>,
    /// The word is a topic's name; the caller knows the topics.
    pub wants_topic: bool,
}

/// What Tab offers for the word that ends at `cursor` (a byte position; clamped to the line).
#[must_use]
pub fn complete(line: &str, cursor: usize) -> Completion {
    let mut cursor = cursor.min(line.len());
    while !line.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let before = &line[..cursor];
    let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = &before[start..];
    let earlier: Vec<&str> = before[..start].split_whitespace().collect();
    let mut completion = Completion {
        start,
        candidates: Vec::new(),
        wants_topic: false,
    };
    let Some(tool) = earlier.first() else {
        let built = TOOLS.iter().filter(|tool| !tool.options.is_empty());
        let names = built.map(|tool| tool.name);
        completion.candidates = starting_with(names, word, "");
        return completion;
    };
    let options: &[Opt] = match super::find(tool) {
        Some(tool) => tool.options,
        None => return completion,
    };
    if let Some(prefix) = word.strip_prefix("--") {
        let names = options.iter().map(|option| option.name);
        completion.candidates = starting_with(names, prefix, "--");
    } else {
        completion.wants_topic = earlier.last() == Some(&"--topic");
    }
    completion
}

fn starting_with<'a>(
    names: impl Iterator<Item = &'a str>,
    prefix: &str,
    dashes: &str,
) -> Vec<String> {
    let fitting = names.filter(|name| name.starts_with(prefix));
    let mut found: Vec<String> = fitting.map(|name| dashes.to_string() + name).collect();
    sorted::sort(&mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_hold_words_together() {
        let words = split_line(r#"kafka-topics --topic 'bad name!' "a \"b\" \n" c\ d ''"#).unwrap();
        assert_eq!(
            words,
            [
                "kafka-topics",
                "--topic",
                "bad name!",
                r#"a "b" \n"#,
                "c d",
                ""
            ]
        );
        assert_eq!(split_line("a 'b"), Err(SplitError::OpenQuote));
        assert_eq!(split_line("a \\"), Err(SplitError::LoneBackslash));
    }

    #[test]
    fn tab_completes_tools_flags_and_asks_for_topics() {
        let line = "kafka-cons";
        let found = complete(line, line.len()).candidates;
        assert_eq!(
            found,
            [
                "kafka-console-consumer",
                "kafka-console-producer",
                "kafka-consumer-groups"
            ]
        );
        let line = "kafka-topics --at-";
        assert_eq!(
            complete(line, line.len()).candidates,
            ["--at-min-isr-partitions"]
        );
        let line = "kafka-topics --topic or";
        assert!(complete(line, line.len()).wants_topic);
        assert_eq!(complete("日本 x", 1).start, 0);
    }
}
