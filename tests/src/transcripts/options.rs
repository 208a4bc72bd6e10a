//! What Kafka's tools said to their options, one by one, with their refusals: `tests/vectors/tools/options`.
//!
//! A file is a session of one tool on a fresh broker: command lines, each with its answer in the form of a
//! transcript, and an empty line behind it. `cargo xtask conformance --tools` plays them against a real Kafka.

use super::{Transcript, parse};

/// Where Brooklet means to say something else, and why; by the line as it was typed.
pub const INTENDED: &[(&str, &str)] = &[(
    "printf 'a:1\\tv\\n' | kafka-console-producer --bootstrap-server localhost:9092 --topic lines --reader-property parse.headers=true --reader-property 'headers.separator=['",
    "what is wrong with a regular expression is said in its own words",
)];

const FOLDER: &str = "tools/options";

/// The tools whose options were tried.
#[must_use]
pub fn tools() -> Vec<String> {
    let name = |file: &String| {
        let name = file.trim_start_matches("tools/options/");
        name.trim_end_matches(".txt").to_string()
    };
    vectors::files(FOLDER, ".txt").iter().map(name).collect()
}

/// The session of one tool.
///
/// # Panics
///
/// When it cannot be read.
#[must_use]
pub fn of(tool: &str) -> Vec<Transcript> {
    let text = vectors::text(&format!("{FOLDER}/{tool}.txt"));
    let mut blocks: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with("$ ") {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push_str(line);
        }
    }
    let read = |block: &String| parse(tool, block).expect("a transcript");
    blocks.iter().map(read).collect()
}

/// Writes the session of one tool.
///
/// # Panics
///
/// When it cannot be written.
pub fn write(tool: &str, session: &[Transcript]) {
    let path = vectors::path(FOLDER).join(format!("{tool}.txt"));
    let text: String = session.iter().map(shown).collect();
    std::fs::write(path, text).expect("the vectors can be written");
}

fn shown(transcript: &Transcript) -> String {
    let ended = |text: &str| match text {
        "" => String::new(),
        text if text.ends_with('\n') => text.to_string(),
        text => format!("{text}\n[no newline at end]\n"),
    };
    format!(
        "$ {}\n{}--- stderr\n{}--- exit {}\n\n",
        transcript.line,
        ended(&transcript.stdout),
        ended(&transcript.stderr),
        transcript.exit.unwrap_or(-1)
    )
}

/// Tools that list what Java hashes, in that order; here it is sorted.
const ANY_ORDER: [&str; 4] = [
    "kafka-consumer-groups",
    "kafka-delete-records",
    "kafka-groups",
    "kafka-topics",
];

/// What is wrong with an answer, in the light of a recorded one; lines of a list may come in any order.
#[must_use]
pub fn difference(expected: &Transcript, stdout: &str, stderr: &str, exit: i32) -> Option<String> {
    let found = super::difference(expected, stdout, stderr, exit)?;
    let lists = |tool: &&str| expected.command.starts_with(tool);
    if !ANY_ORDER.iter().any(lists) {
        return Some(found);
    }
    let sorted = |text: &str| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    let expected = Transcript {
        stdout: sorted(&expected.stdout),
        ..expected.clone()
    };
    super::difference(&expected, &sorted(stdout), stderr, exit).map(|_| found)
}

/// A text as it is recorded: without the help, and with one line for all the frames of a stack trace.
#[must_use]
pub fn shortened(text: &str) -> String {
    let mut out = String::new();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (i, line) in lines.iter().enumerate() {
        if line.starts_with("Option ") && line.contains("  Description") {
            let left = lines.len() - i;
            return out + &format!("[cut: {left} more lines]\n");
        }
        let frame = |line: &str| line.starts_with("\tat ") || line.starts_with("\t... ");
        match frame(line) {
            false => out.push_str(line),
            true if !out.ends_with("\tat ...\n") => out.push_str("\tat ...\n"),
            true => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_stack_traces_are_cut() {
        let help = "Wrong.\nOption      Description\n------\n--a\n";
        assert_eq!(shortened(help), "Wrong.\n[cut: 3 more lines]\n");
        let trace = "java.x.Y: z\n\tat a\n\tat b\nCaused by: c\n\tat d\n\t... 12 more\n";
        let short = "java.x.Y: z\n\tat ...\nCaused by: c\n\tat ...\n";
        assert_eq!(shortened(trace), short);
    }
}
