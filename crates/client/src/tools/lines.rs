//! How lines become records: Kafka's `LineMessageReader`.

use super::options::Parsed;
use super::typed::Typed;
use super::{Env, Thrown};
use crate::pattern::Pattern;
use crate::producer::{Header, Record};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// A reader of lines, with what was typed and not read.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    /// The topic of the records.
    pub(super) topic: String,
    pub(super) typed: Typed,
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: Separator,
    headers_key_separator: String,
    ignore_error: bool,
    null_marker: Option<String>,
    number: u64,
}

fn failed(message: &str) -> Thrown {
    Thrown::new("org.apache.kafka.common.KafkaException", message)
}

impl Lines {
    /// A reader as the options say.
    pub(super) fn new(parsed: &Parsed, env: &Env) -> Result<Lines, Thrown> {
        let topic = parsed.one("topic")?.unwrap_or_default();
        let file = super::file(parsed, env, "reader-config")?;
        let mut pairs = super::properties(file.unwrap_or_default());
        pairs.push(("topic".to_string(), topic.to_string()));
        pairs.extend(parsed.pairs("property"));
        pairs.extend(parsed.pairs("reader-property"));
        let last = |name: &str| {
            let found = pairs.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        let yes =
            |name: &str| last(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let or = |name: &str, default: &str| last(name).unwrap_or_else(|| default.into());
        let headers_separator = or("headers.separator", ",");
        let lines = Lines {
            topic: last("topic").unwrap_or_default(),
            typed: Typed::default(),
            parse_key: yes("parse.key"),
            key_separator: or("key.separator", "\t"),
            parse_headers: yes("parse.headers"),
            headers_delimiter: or("headers.delimiter", "\t"),
            headers_separator: Separator::new(&headers_separator)?,
            headers_key_separator: or("headers.key.separator", ":"),
            ignore_error: yes("ignore.error"),
            null_marker: last("null.marker"),
            number: 0,
        };
        match lines.equal(&headers_separator) {
            Some((one, other)) => Err(failed(&format!("{one} and {other} may not be equal"))),
            None => Ok(lines),
        }
    }

    /// Two of the separators that are the same, in the order in which Kafka finds them.
    fn equal(&self, headers_separator: &str) -> Option<(&'static str, &'static str)> {
        let delimiter = ("headers.delimiter", Some(self.headers_delimiter.as_str()));
        let separator = ("headers.separator", Some(headers_separator));
        let of_keys = self.headers_key_separator.as_str();
        let of_keys = ("headers.key.separator", Some(of_keys));
        let key = ("key.separator", Some(self.key_separator.as_str()));
        let null = ("null.marker", self.null_marker.as_deref());
        let pairs = [
            (delimiter, separator),
            (delimiter, of_keys),
            (separator, of_keys),
            (null, key),
            (null, separator),
            (null, delimiter),
            (null, of_keys),
        ];
        let same = pairs.iter().find(|(one, other)| one.1 == other.1);
        same.map(|(one, other)| (one.0, other.0))
    }

    /// The next whole line, without its end, as Java reads it: what is not UTF-8 becomes U+FFFD.
    pub(super) fn take(&mut self, ended: bool) -> Option<String> {
        let line = self.typed.line(ended)?;
        self.number += 1;
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    /// The record that a line is.
    pub(super) fn record(&self, topic: &Arc<str>, line: &str) -> Result<Record, Thrown> {
        let mut rest = line;
        let mut headers = None;
        if self.parse_headers {
            let delimiter = (self.headers_delimiter.as_str(), "headers delimiter");
            headers = self.cut(line, &mut rest, delimiter)?;
        }
        let mut key = None;
        if self.parse_key {
            key = self.cut(
                line,
                &mut rest,
                (self.key_separator.as_str(), "key separator"),
            )?;
        }
        let marked = |text: &&str| self.null_marker.as_deref() != Some(*text);
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let mut record = Record::new(topic.clone(), Bytes::new());
        record.key = key.filter(marked).map(bytes);
        record.value = Some(rest).filter(marked).map(bytes);
        if let Some(headers) = headers.filter(marked) {
            record.headers = self.headers(headers)?;
        }
        Ok(record)
    }

    /// Cuts off what stands before a separator.
    fn cut<'a>(
        &self,
        line: &str,
        rest: &mut &'a str,
        (separator, what): (&str, &str),
    ) -> Result<Option<&'a str>, Thrown> {
        match rest.split_once(separator) {
            Some((before, behind)) => {
                *rest = behind;
                Ok(Some(before))
            }
            None if self.ignore_error => Ok(None),
            None => Err(failed(&format!(
                "No {what} found on line number {}: '{line}'",
                self.number
            ))),
        }
    }

    fn headers(&self, text: &str) -> Result<Vec<Header>, Thrown> {
        let mut headers = Vec::new();
        let marker = self.null_marker.as_deref();
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        for pair in self.headers_separator.split(text) {
            headers.push(match pair.split_once(self.headers_key_separator.as_str()) {
                Some((key, _)) if marker == Some(key) => {
                    return Err(failed(&format!(
                        "Header keys should not be equal to the null marker '{key}' as they can't be null"
                    )));
                }
                Some((key, value)) => Header {
                    key: bytes(key),
                    value: (marker != Some(value)).then(|| bytes(value)),
                },
                None if self.ignore_error => Header {
                    key: bytes(pair),
                    value: None,
                },
                None => {
                    return Err(failed(&format!(
                        "No header key separator found in pair '{pair}' on line number {}",
                        self.number
                    )));
                }
            });
        }
        Ok(headers)
    }
}

/// What stands between headers: a regular expression to Kafka.
#[derive(Clone, Debug)]
enum Separator {
    Text(String),
    Pattern(Pattern),
}

impl Separator {
    fn new(text: &str) -> Result<Separator, Thrown> {
        let special = |c: char| r"\^$.|?*+()[]{}".contains(c);
        if !text.contains(special) {
            return Ok(Separator::Text(text.to_string()));
        }
        let pattern = Pattern::new(text).map_err(|bad| {
            let class = "java.util.regex.PatternSyntaxException";
            Thrown::new(class, &bad.to_string())
        })?;
        Ok(Separator::Pattern(pattern))
    }

    /// The pieces of a text; empty ones at the end are left out, as Java's split does.
    fn split<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut pieces: Vec<&str> = match self {
            Separator::Text(separator) => text.split(separator.as_str()).collect(),
            Separator::Pattern(pattern) => split_by(pattern, text),
        };
        while pieces.len() > 1 && pieces.last().is_some_and(|piece| piece.is_empty()) {
            pieces.pop();
        }
        pieces
    }
}

/// Cuts a text at the longest matches of a pattern, from the left.
fn split_by<'a>(pattern: &Pattern, text: &'a str) -> Vec<&'a str> {
    let ends: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let (mut pieces, mut from, mut at) = (Vec::new(), 0, 0);
    while at < ends.len() {
        let start = ends.get(at).copied().unwrap_or(text.len());
        let longest = (at + 1..ends.len()).rev().find(|&end| {
            let found = ends.get(end).and_then(|&end| text.get(start..end));
            found.is_some_and(|found| pattern.matches(found))
        });
        match longest.and_then(|end| Some((end, *ends.get(end)?))) {
            Some((end, behind)) => {
                pieces.extend(text.get(from..start));
                (from, at) = (behind, end);
            }
            None => at += 1,
        }
    }
    pieces.extend(text.get(from..));
    pieces
}
