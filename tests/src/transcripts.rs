//! The recorded transcripts of Kafka's console tools (`tests/vectors/tools`), and how to compare with them.
//!
//! A transcript is compared by its standard output, its standard error without what Kafka's logger wrote
//! and without Java stack traces, and its exit status. Pieces that differ from run to run are masked on
//! both sides (`tests/vectors/README.md` names them); help texts are compared as far as they were recorded.

pub mod options;
pub mod session;

/// One recorded command.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// File name without its ending, such as `016-topics-describe`.
    pub name: String,
    /// The line as it was typed, with what feeds the command.
    pub line: String,
    /// The command line, without what feeds it.
    pub command: String,
    /// What was piped in; `None` when nothing was.
    pub stdin: Option<Vec<u8>>,
    /// Standard output.
    pub stdout: String,
    /// Standard error, the logger's lines apart.
    pub stderr: String,
    /// Exit status; `None` when the record was cut before it.
    pub exit: Option<i32>,
}

/// What a recorded command names as a file and did not find.
const ABSENT: [&str; 2] = ["inputs/none.json", "inputs/none.csv"];

/// All transcripts in the order in which they were recorded.
///
/// # Panics
///
/// When one of them cannot be read.
#[must_use]
pub fn all() -> Vec<Transcript> {
    let parse_file = |file: &String| {
        let name = file.trim_start_matches("tools/").trim_end_matches(".txt");
        let transcript = parse(name, &vectors::text(file));
        transcript.unwrap_or_else(|| panic!("{file} is no transcript"))
    };
    let files = vectors::files("tools", ".txt");
    files.iter().map(parse_file).collect()
}

/// The bytes of a file that a command names; `None` for the one of which Kafka was to say that it is missing.
#[must_use]
pub fn input(name: &str) -> Option<Vec<u8>> {
    (!ABSENT.contains(&name)).then(|| vectors::bytes(&format!("tools/{name}")))
}

/// Takes the text of a transcript apart.
#[must_use]
pub fn parse(name: &str, text: &str) -> Option<Transcript> {
    let (first, rest) = text.split_once('\n')?;
    let line = first.strip_prefix("$ ")?;
    let rest = rest.split("\n--- log4j").next().unwrap_or_default();
    let (stdout, rest) = split_at_line(rest, "--- stderr");
    let (stderr, rest) = split_at_line(rest, "--- exit ");
    let exit = rest
        .split_whitespace()
        .next()
        .and_then(|code| code.parse().ok());
    let (feed, command) = match line.rsplit_once(" | kafka-") {
        Some((feed, rest)) => (
            Some(feed),
            &line[line.len() - rest.len() - "kafka-".len()..],
        ),
        None => (None, line),
    };
    Some(Transcript {
        name: name.to_string(),
        line: line.to_string(),
        command: command.to_string(),
        stdin: feed.and_then(piped),
        stdout: without_marks(stdout),
        stderr: without_marks(stderr),
        exit,
    })
}

/// What a pipe delivers: `printf '…'`, or one character repeated by `head` and `tr`.
fn piped(feed: &str) -> Option<Vec<u8>> {
    if let Some(text) = feed.strip_prefix("printf '") {
        return text.strip_suffix('\'').map(unescape);
    }
    let count = feed.strip_prefix("head -c ")?;
    let (count, character) = count.split_once(" /dev/zero | tr '\\0' ")?;
    Some(character.repeat(count.parse().ok()?).into_bytes())
}

/// What stands before the line that begins with `mark`, and what follows the mark.
fn split_at_line<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix(mark) {
            let after = at + (line.len() - rest.len());
            let behind = &text[after..];
            return (&text[..at], behind.strip_prefix('\n').unwrap_or(behind));
        }
        at += line.len();
    }
    (text, "")
}

fn without_marks(text: &str) -> String {
    text.strip_suffix("\n[no newline at end]\n")
        .unwrap_or(text)
        .to_string()
}

/// `printf`'s escapes, as far as the transcripts use them: `\n`, `\t`, `\r` and up to three octal digits.
fn unescape(text: &str) -> Vec<u8> {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let octal = piece.bytes().take(3).take_while(|b| b.is_ascii_digit());
        let digits = octal.count();
        let (code, rest) = piece.split_at(digits.max(1).min(piece.len()));
        match u8::from_str_radix(code, 8) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(
                match code {
                    "n" => "\n",
                    "t" => "\t",
                    "r" => "\r",
                    other => other,
                }
                .bytes(),
            ),
        }
        bytes.extend(rest.bytes());
    }
    bytes
}

/// What was printed as text: bytes that are none, and control characters, as `\xff`.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' | '\t' => text.push(c),
                c if c.is_ascii_control() => text += &format!("\\x{:02x}", u32::from(c)),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text += &format!("\\x{byte:02x}");
        }
    }
    text
}

/// What is wrong with what a tool said, in the light of a transcript; `None` when it fits.
#[must_use]
pub fn difference(expected: &Transcript, stdout: &str, stderr: &str, exit: i32) -> Option<String> {
    let theirs = without_traces(&expected.stdout, &expected.stderr);
    let ours = without_log(stderr);
    let ours = without_traces(stdout, &ours);
    let parts = [
        (
            "stdout",
            mask(&without_printed_traces(&expected.stdout)),
            mask(&without_printed_traces(stdout)),
        ),
        ("stderr", mask(&theirs), mask(&ours)),
    ];
    for (what, theirs, ours) in parts {
        if !same(&theirs, &ours) {
            return Some(format!("{what}: {}", first_difference(&theirs, &ours)));
        }
    }
    let exit_fits = expected.exit.is_none_or(|theirs| theirs == exit);
    (!exit_fits).then(|| format!("exit status {exit}, Kafka's was {:?}", expected.exit))
}

/// Compares line by line; behind `[cut: N more lines]` anything may follow.
fn same(theirs: &str, ours: &str) -> bool {
    let theirs: Vec<&str> = theirs.lines().collect();
    let ours: Vec<&str> = ours.lines().collect();
    match theirs.iter().position(|line| line.starts_with("[cut: ")) {
        Some(cut) => ours.get(..cut) == theirs.get(..cut),
        None => ours == theirs,
    }
}

/// The first line that differs, as Kafka has it and as we have it.
fn first_difference(theirs: &str, ours: &str) -> String {
    let (mut theirs, mut ours) = (theirs.lines(), ours.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (theirs.next(), ours.next()) {
            (Some(a), Some(b)) if a == b => {}
            (a, b) => {
                let show =
                    |line: Option<&str>| line.map_or("(the end)".into(), |l| format!("|{l}|"));
                return format!(
                    "line {number}\n  Kafka's {}\n  ours    {}",
                    show(a),
                    show(b)
                );
            }
        }
    }
}

/// Standard error without Java's stack traces and without what only they name.
fn without_traces(stdout: &str, stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().collect();
    let is_frame = |line: &&str| {
        let starts = ["\tat ", "\t... ", "\tSuppressed: "];
        starts.iter().any(|start| line.starts_with(start))
    };
    let place = |line: &&str| line.starts_with(" at [");
    let mut kept: Vec<&str> = Vec::new();
    let mut in_cause = false;
    for (i, line) in lines.iter().enumerate() {
        in_cause = line.starts_with("Caused by: ") || in_cause && place(line);
        if is_frame(line) || in_cause {
            continue;
        }
        // A message of JSON's reader goes on in a second line that says where.
        let behind = lines.iter().skip(i + 1).find(|line| !place(line));
        let heads_trace = behind.is_some_and(is_frame);
        let message = line.split_once(": ").map_or(*line, |(_, message)| message);
        // What reads JSON and CSV complains at length of what the tool then goes on without.
        let of_reader = line.starts_with("com.fasterxml.") || place(line);
        if heads_trace && of_reader {
            continue;
        }
        let said = kept.iter().any(|kept| kept.contains(message)) || stdout.contains(message);
        if (heads_trace || names_exception(line)) && said {
            continue;
        }
        kept.push(line);
    }
    // The topic tool ends its trace with an empty line.
    if stderr.contains("\tat ") {
        while kept.last().is_some_and(|line| line.is_empty()) {
            kept.pop();
        }
    }
    kept.iter().map(|line| format!("{line}\n")).collect()
}

/// Standard output without the stack traces that a tool prints there below its own words, with the head and the
/// empty line behind each.
fn without_printed_traces(stdout: &str) -> String {
    let of_trace = |line: &str| line.starts_with("\tat ") || line.starts_with("Caused by: ");
    let lines: Vec<&str> = stdout.lines().collect();
    let (mut kept, mut in_trace) = (String::new(), false);
    for (i, line) in lines.iter().enumerate() {
        let heads = names_exception(line) && lines.get(i + 1).is_some_and(|next| of_trace(next));
        let ends = in_trace && line.is_empty();
        in_trace = heads || in_trace && of_trace(line);
        if !in_trace && !ends {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    if stdout.ends_with('\n') || stdout.is_empty() {
        return kept;
    }
    kept.trim_end_matches('\n').to_string()
}

/// Standard error without the lines that a stock Kafka's logger would write, and the stack traces in them.
#[must_use]
pub fn without_log(stderr: &str) -> String {
    let mut kept = String::new();
    let lines: Vec<&str> = stderr.lines().collect();
    let (mut in_log, mut began) = (false, false);
    for (i, line) in lines.iter().enumerate() {
        let dated = line.starts_with('[')
            && line.get(24..26) == Some("] ")
            && line[1..24]
                .bytes()
                .all(|b| b.is_ascii_digit() || b" -:,".contains(&b));
        let of_trace = ["\tat ", "\t... ", "Caused by: ", " (", " at ["]
            .iter()
            .any(|start| line.starts_with(start));
        // A message of several lines ends where its trace begins.
        let traced = lines.iter().skip(i + 1).take(3);
        let traced = traced.take_while(|line| !line.starts_with('[') || line.len() < 24);
        let traced = traced.into_iter().any(|line| line.starts_with("\tat "));
        let goes_on = of_trace || began && (names_exception(line) || traced);
        in_log = dated || in_log && goes_on;
        began = dated || in_log && began && !of_trace;
        if !in_log {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Whether a line begins with the name of an exception's class.
fn names_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    let package = [
        "java.",
        "org.apache.kafka.",
        "joptsimple.",
        "com.fasterxml.",
    ];
    package.iter().any(|start| name.starts_with(start)) && !name.contains(' ')
}

/// Replaces what differs from run to run: topic ids, timestamps, uuids, group numbers.
#[must_use]
pub fn mask(text: &str) -> String {
    text.lines().map(|line| mask_line(line) + "\n").collect()
}

/// Lists that Java prints in the order in which it hashes, which differs from run to run.
const SETS: [&str; 7] = [
    "takes one of these options: ",
    "takes the following options: ",
    "one of the following scenarios: ",
    "Valid states are: ",
    "Valid types are: ",
    "Option combination ",
    "the entity type must be one of ",
];

/// A line whose list, if it has one, is sorted.
fn sorted_set(line: &str) -> String {
    let found = SETS
        .iter()
        .find_map(|mark| Some((mark, line.split_once(mark)?)));
    let Some((mark, (before, list))) = found else {
        return line.to_string();
    };
    let bare = |c: char| !matches!(c, '[' | ']' | '"');
    let list: String = list.chars().filter(|&c| bare(c)).collect();
    let (list, behind) = match list.find(" can't be used").or(list.find(" with a --")) {
        Some(at) => list.split_at(at),
        None => (list.as_str(), ""),
    };
    let mut names: Vec<&str> = list.split(", ").collect();
    names.sort_unstable();
    format!("{before}{mark}{}{behind}", names.join(", "))
}

fn mask_line(line: &str) -> String {
    let line = &sorted_set(line);
    let mut out = String::new();
    let mut word = String::new();
    for c in line.chars().chain([' ']) {
        let of_word = c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if of_word {
            word.push(c);
            continue;
        }
        out.push_str(&mask_word(&word, &out));
        word.clear();
        out.push(c);
    }
    out.pop();
    out
}

fn mask_word(word: &str, before: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if before.ends_with("TopicId: ") && word.len() == 22 {
        return "<topic id>".into();
    }
    if let Some(number) = word
        .strip_prefix("console-consumer-")
        .filter(|rest| digits(rest))
    {
        return format!("console-consumer-{}", "N".repeat(number.len()));
    }
    if word.len() == 13 && digits(word) {
        return "<timestamp>".into();
    }
    if word.len() > 37 && is_uuid(&word[word.len() - 36..]) {
        return format!("{}<uuid>", &word[..word.len() - 36]);
    }
    word.to_string()
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12] && groups.concat().bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_has_a_command_its_input_and_three_answers() {
        let text = "$ printf 'a\\tb\\n' | kafka-x --y\nout\n--- stderr\nerr\n--- exit 1\n--- log4j (x)\n[..]\n";
        let transcript = parse("001-x", text).unwrap();
        assert_eq!(transcript.command, "kafka-x --y");
        assert_eq!(transcript.stdin.as_deref(), Some(&b"a\tb\n"[..]));
        assert_eq!(
            (transcript.stdout.as_str(), transcript.stderr.as_str()),
            ("out\n", "err\n")
        );
        assert_eq!(transcript.exit, Some(1));
        assert_eq!(difference(&transcript, "out\n", "err\n", 1), None);
        assert!(difference(&transcript, "out\n", "other\n", 1).is_some());
        assert!(difference(&transcript, "out\n", "err\n", 0).is_some());
    }

    #[test]
    fn what_changes_from_run_to_run_is_masked() {
        assert_eq!(
            mask("Topic: t\tTopicId: pyerO8SDTeOSuY467aVpkQ\tx"),
            "Topic: t\tTopicId: <topic id>\tx\n"
        );
        assert_eq!(
            mask("CreateTime:1795246653179|a"),
            "CreateTime:<timestamp>|a\n"
        );
        assert_eq!(
            mask("m shop-1-b2318cc7-04d3-4aa6-82d1-913f3854254b /127.0.0.1"),
            "m shop-1-<uuid> /127.0.0.1\n"
        );
    }

    #[test]
    fn the_loggers_lines_do_not_count() {
        let stderr =
            "a\n[2026-11-21 07:37:41,154] ERROR x (y)\norg.apache.kafka.common.errors.X: z\nb\n";
        assert_eq!(without_log(stderr), "a\nb\n");
    }
}
