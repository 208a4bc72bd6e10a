//! The help text, as joptsimple lays it out.

use super::{Arg, Kind, Opt};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The overall width of the help, in characters.
const WIDTH: usize = 80;
/// Spaces between the two columns.
const GAP: usize = 2;

/// The help: two columns, wrapped as joptsimple wraps them.
#[must_use]
pub(in super::super) fn help(options: &[Opt]) -> String {
    let mut sorted: Vec<&Opt> = options.iter().collect();
    sorted::sort_by_key(&mut sorted, |option| option.name);
    let mut rows: Vec<(String, String)> = Vec::new();
    let column = (WIDTH - GAP) / 2;
    for option in sorted {
        let left = wrap(&signature(option), column);
        let right = wrap(option.about, WIDTH - GAP - column);
        for i in 0..left.len().max(right.len()) {
            let piece = |column: &[String]| column.get(i).cloned().unwrap_or_default();
            rows.push((piece(&left), piece(&right)));
        }
    }
    // Required options come with a star, if there are any.
    let title = match options.iter().any(|option| option.required) {
        true => "Option (* = required)",
        false => "Option",
    };
    rows.insert(0, ("-".repeat(title.len()), "-----------".to_string()));
    rows.insert(0, (title.to_string(), "Description".to_string()));
    let widest =
        |column: fn(&(String, String)) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let left = widest(|row| row.0.len());
    // Kafka's own descriptions always fill their column.
    let right = widest(|row| row.1.len()).max(WIDTH - GAP - column);
    let mut text = String::new();
    for (option, about) in &rows {
        text.push_str(&format!("{option:left$}  {about:right$}\n"));
    }
    text
}

fn signature(option: &Opt) -> String {
    let described = |kind: Kind, name: &str| match name {
        "" => kind.name().to_string(),
        _ => format!("{}: {name}", kind.name()),
    };
    let star = if option.required { "* " } else { "" };
    let name = format!("{star}--{}", option.name);
    match option.arg {
        Arg::None => name,
        Arg::Value(kind, value) => format!("{name} <{}>", described(kind, value)),
        Arg::Optional(kind, value) => format!("{name} [{}]", described(kind, value)),
    }
}

/// Breaks after spaces and hyphens; lines after the first are indented by 2. A line of the text itself begins anew.
fn wrap(text: &str, width: usize) -> Vec<String> {
    text.split('\n')
        .flat_map(|line| wrap_line(line, width))
        .collect()
}

fn wrap_line(text: &str, width: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let words = text.split_inclusive(' ').flat_map(break_hyphens);
    for word in words.flat_map(|word| break_long(word, width - 2)) {
        if piece.len() + word.len() > width {
            pieces.push(piece.trim_end().to_string());
            piece = format!("  {word}");
        } else {
            piece.push_str(word);
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// A word that is wider than a line breaks behind its dots, as class names do.
fn break_long(word: &str, width: usize) -> Vec<&str> {
    if word.trim_end().len() <= width {
        return alloc::vec![word];
    }
    word.split_inclusive('.').collect()
}

/// The places where a line may break within a word: behind a row of hyphens that a letter follows, and
/// before a parenthesis.
fn break_hyphens(word: &str) -> Vec<&str> {
    let bytes = word.as_bytes();
    let mut parts = Vec::new();
    let mut start = 0;
    for i in 1..bytes.len() {
        let behind = bytes[i - 1] == b'-' && bytes[i] != b'-';
        let before = bytes[i] == b'(' && bytes[i - 1].is_ascii_alphabetic();
        if before || behind && bytes[i].is_ascii_alphabetic() {
            parts.push(&word[start..i]);
            start = i;
        }
    }
    parts.push(&word[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::super::{integer, maybe, switch, text};
    use super::*;
    use alloc::vec;

    const OPTIONS: &[Opt] = &[
        text("topic", "topic", "The topic."),
        switch("list", "List all."),
        maybe("state", "", "State."),
        integer("partitions", "# of partitions", "How many."),
        text("bootstrap-server", "server to connect to", "Where."),
    ];

    #[test]
    fn help_wraps_both_columns_and_breaks_behind_hyphens() {
        assert_eq!(
            wrap("future version. Use --command-property instead.", 36),
            vec!["future version. Use --command-", "  property instead."]
        );
        let text = help(OPTIONS);
        assert!(text.contains("--bootstrap-server <String: server to    Where."));
        assert!(text.starts_with("Option                                   Description"));
    }
}
