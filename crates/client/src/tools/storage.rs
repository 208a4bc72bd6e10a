//! The command lines of the tools for who has files, `kafka-storage` and `kafka-dump-log`: what they do is the native command's.

use super::options::Parsed;
use super::options::dump_log::OPTIONS;
use super::options::storage::{GRAMMAR, ONLY_ONE};
use super::{Said, Thrown, features};
use crate::io::Output;
use alloc::format;
use alloc::string::String;
use ids::Time;

/// What a command says and ends with, when nothing is left to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spoken {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit status.
    pub status: i32,
}

impl From<Said> for Spoken {
    fn from(mut said: Said) -> Spoken {
        let mut out = alloc::vec::Vec::new();
        said.step(Time(0), &mut out);
        let mut spoken = Spoken {
            stdout: String::new(),
            stderr: String::new(),
            status: 0,
        };
        for output in out {
            match output {
                Output::Stdout(bytes) => spoken.stdout += &String::from_utf8_lossy(&bytes),
                Output::Stderr(bytes) => spoken.stderr += &String::from_utf8_lossy(&bytes),
                Output::Exit(status) => spoken.status = status,
                _ => {}
            }
        }
        spoken
    }
}

/// A line of `kafka-storage` (without its name) taken apart: `info`, `format` or `random-uuid` with its options.
///
/// # Errors
/// What is said instead: refusals, help, and what needs no files.
pub fn storage_line(words: &[String]) -> Result<(&'static str, Parsed), Spoken> {
    let line = GRAMMAR.read(words)?;
    let given = ONLY_ONE.iter().filter(|name| line.parsed.has(name));
    let mut given = given.copied();
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        return Err(GRAMMAR.excluded(line.command, second, first).into());
    }
    match line.command {
        "version-mapping" => Err(features::tell_mapping(&line.parsed).into()),
        "feature-dependencies" => {
            Err(features::tell_dependencies(line.parsed.all("feature")).into())
        }
        command => Ok((command, line.parsed)),
    }
}

const ABOUT: &str = "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly corrupt log segment.";
/// Decoders of topics that have records of their own.
const DECODERS: [&str; 7] = [
    "cluster-metadata-decoder",
    "key-decoder-class",
    "offsets-decoder",
    "remote-log-metadata-decoder",
    "share-group-state-decoder",
    "transaction-log-decoder",
    "value-decoder-class",
];

/// A line of `kafka-dump-log` (without its name) taken apart.
///
/// # Errors
/// What is said instead: refusals and help.
pub fn dump_line(words: &[String]) -> Result<Parsed, Spoken> {
    let refuse = |thrown: Thrown| Said::default().uncaught(&thrown);
    let parsed = super::read(words, ABOUT, (OPTIONS, &[]), refuse)?;
    if let Some(message) = parsed.missing(&["files"]) {
        return Err(Said::default().usage(&message, OPTIONS).into());
    }
    if let Some(name) = DECODERS.iter().find(|name| parsed.has(name)) {
        let text = format!("--{name} is not part of Brooklet yet.");
        return Err(Said::default().err(&text).exit(1).into());
    }
    Ok(parsed)
}
