//! Runs the command lines of `tests/vectors/tools/options` by a real Kafka's tools against a real Kafka, and by
//! Brooklet's own against Brooklet, and says where the answers differ. `cargo xtask conformance --tools` fetches
//! and builds what this needs and calls it.
//!
//! With `--record` what Kafka said goes into those files, which the tests read: a new command line is written
//! there without an answer, and recorded.

mod sides;

use sides::{Brooklet, Kafka, Said, Side};
use std::path::PathBuf;
use std::process::ExitCode;
use tests::transcripts::options::{self, INTENDED};
use tests::transcripts::{self, Transcript};

struct Arguments {
    libs: PathBuf,
    brooklet: PathBuf,
    record: bool,
    /// Only these tools; all when empty.
    tools: Vec<String>,
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("usage: conformance --libs DIR --brooklet FILE [--record] [TOOL]...");
        return ExitCode::from(2);
    };
    let mut differing = 0;
    for tool in options::tools() {
        if arguments.tools.is_empty() || arguments.tools.contains(&tool) {
            differing += session(&arguments, &tool);
        }
    }
    match differing {
        0 => ExitCode::SUCCESS,
        _ => {
            println!("{differing} differ");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Option<Arguments> {
    let mut words = std::env::args().skip(1);
    let (mut libs, mut brooklet) = (None, None);
    let (mut record, mut tools) = (false, Vec::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--libs" => libs = words.next().map(PathBuf::from),
            "--brooklet" => brooklet = words.next().map(PathBuf::from),
            "--record" => record = true,
            tool if !tool.starts_with('-') => tools.push(tool.to_string()),
            _ => return None,
        }
    }
    Some(Arguments {
        libs: libs?,
        // Tools run where the files lie that they name.
        brooklet: std::fs::canonicalize(brooklet?).ok()?,
        record,
        tools,
    })
}

/// The command lines of one tool, by both sides, each on a fresh broker; how many differ.
fn session(arguments: &Arguments, tool: &str) -> usize {
    let recorded = options::of(tool);
    println!("{tool}: {} command lines", recorded.len());
    let mut kafka = Kafka::start(&arguments.libs);
    let mut ours = Brooklet::start(&arguments.brooklet);
    let (mut fresh, mut differing) = (Vec::new(), 0);
    for transcript in recorded {
        let theirs = said(&transcript, kafka.run(&transcript));
        let own = ours.run(&transcript);
        if !arguments.record
            && let Some(what) = differs(&transcript, &theirs)
        {
            println!(
                "$ {}\n  Kafka says something else than was recorded: {what}",
                transcript.line
            );
            differing += 1;
        }
        let intended = INTENDED.iter().find(|row| row.0 == transcript.line);
        match (differs(&theirs, &said(&transcript, own)), intended) {
            (Some(what), None) => {
                println!("$ {}\n  {what}", transcript.line);
                differing += 1;
            }
            (None, Some((_, why))) => {
                println!("$ {}\n  is the same by now, though {why}", transcript.line);
                differing += 1;
            }
            _ => {}
        }
        fresh.push(theirs);
    }
    if arguments.record {
        options::write(tool, &fresh);
    }
    differing
}

fn differs(expected: &Transcript, found: &Transcript) -> Option<String> {
    let exit = found.exit.unwrap_or(-1);
    options::difference(expected, &found.stdout, &found.stderr, exit)
}

fn said(transcript: &Transcript, said: Said) -> Transcript {
    Transcript {
        stdout: options::shortened(&said.stdout),
        stderr: options::shortened(&transcripts::without_log(&said.stderr)),
        exit: Some(said.exit),
        ..transcript.clone()
    }
}
