//! A terminal's line: splitting it into words.

use alloc::string::String;
use alloc::vec::Vec;

/// Why a line cannot be split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SplitError {
    /// A quote is opened and not closed.
    OpenQuote,
    /// The line ends in a backslash.
    LoneBackslash,
    /// Something that only a shell understands, outside of quotes.
    Shell(&'static str),
}

impl core::fmt::Display for SplitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            SplitError::OpenQuote => f.write_str("a quote is opened but not closed"),
            SplitError::LoneBackslash => {
                f.write_str("the line ends in a backslash with nothing behind it")
            }
            SplitError::Shell(sign) => write!(
                f,
                "{sign} is for a shell, and there is none here: one of Kafka's tools runs at a time. In quotes it is text."
            ),
        }
    }
}

/// Splits a line into words as a POSIX shell does, with `'…'`, `"…"` and `\`; nothing is expanded.
///
/// # Errors
/// An open quote, a backslash at the end, or pipes, redirects and what else would need a shell.
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
            c => {
                if let Some(sign) = shell_sign(c, chars.clone().next()) {
                    return Err(SplitError::Shell(sign));
                }
                word.get_or_insert_default().push(c);
            }
        }
    }
    words.extend(word);
    Ok(words)
}

/// What a shell would take these two characters for.
fn shell_sign(first: char, second: Option<char>) -> Option<&'static str> {
    Some(match (first, second) {
        ('|', Some('|')) => "||",
        ('|', _) => "|",
        ('&', Some('&')) => "&&",
        ('&', _) => "&",
        ('>', Some('>')) => ">>",
        ('>', _) => ">",
        ('<', Some('<')) => "<<",
        ('<', _) => "<",
        (';', _) => ";",
        ('`', _) => "`",
        ('$', Some('(')) => "$(",
        _ => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

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
    fn what_needs_a_shell_is_refused_by_name_and_is_text_in_quotes() {
        let signs = ["|", "||", "&", "&&", ">", ">>", "<", "<<", ";", "`", "$("];
        for sign in signs {
            for line in [
                alloc::format!("kafka-topics --list {sign} x"),
                alloc::format!("kafka-topics --list{sign}x"),
            ] {
                assert_eq!(split_line(&line), Err(SplitError::Shell(sign)), "{line}");
            }
            for quoted in [
                alloc::format!("a '{sign}'"),
                alloc::format!("a \"\\{sign}\""),
            ] {
                assert!(split_line(&quoted).is_ok(), "{quoted}");
            }
        }
        assert_eq!(
            SplitError::Shell("&&").to_string(),
            "&& is for a shell, and there is none here: one of Kafka's tools runs at a time. In quotes it is text."
        );
        assert_eq!(
            split_line(r"a \| $HOME '>' \$(").unwrap(),
            ["a", "|", "$HOME", ">", "$("]
        );
    }
}
