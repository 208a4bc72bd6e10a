//! The files that a command line names, and `-`: the file that comes from standard input.
//!
//! Kafka's tools know `-` as little as any other name. Here it stands for what is typed or piped in until
//! its end, because a terminal in a browser has no files.

use super::options::{Arg, Kind};
use super::{Body, Env, Said, ToolInfo};
use crate::io::{Input, Output};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

/// The name that stands for standard input.
const STDIN: &str = "-";
/// The longest file that standard input may be, in bytes.
const FILE_MAX: usize = 1 << 20;

/// The files that a command line (its words, the tool's name first) names and that its tool reads;
/// without `-`, which is standard input.
#[must_use]
pub fn files_named<'a>(argv: &[&'a str]) -> Vec<&'a str> {
    let Some((name, words)) = argv.split_first() else {
        return Vec::new();
    };
    let Some(tool) = super::find(name) else {
        return Vec::new();
    };
    let files = options_with_files(tool, words).into_iter();
    let names = files.map(|(_, file)| file);
    names.filter(|file| *file != STDIN).collect()
}

/// The options that name files, each with the name.
fn options_with_files<'a>(tool: &ToolInfo, words: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    let mut found = Vec::new();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let Some(text) = word.strip_prefix("--").or(word.strip_prefix('-')) else {
            continue;
        };
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let option = tool.options.iter().find(|option| option.name == name);
        if let Some(option) = option
            && let Arg::Value(kind, _) = option.arg
            && let Some(value) = inline.or_else(|| words.next())
            && kind == Kind::File
        {
            found.push((option.name, value));
        }
    }
    found
}

/// Begins a tool, once the file that it wants from standard input is there.
pub(super) fn begin(tool: &'static ToolInfo, words: Vec<String>, env: Env) -> Body {
    let Some(start) = tool.start else {
        return Body::Said(Said::default());
    };
    let asks = |word: &String| matches!(word.as_str(), "--help" | "--version");
    if words.iter().any(asks) {
        return start(&words, env);
    }
    let borrowed: Vec<&str> = words.iter().map(String::as_str).collect();
    let files = options_with_files(tool, &borrowed);
    let refuse = |text: &str| Body::Said(Said::default().err(text).exit(1));
    let missing = files.iter().find(|(_, file)| *file != STDIN);
    if let (false, Some((option, file))) = (env.has_files, missing) {
        return refuse(&format!(
            "--{option} {file}: there are no files here. Give - for the file, then type or paste its text and end it with Ctrl+D."
        ));
    }
    let Some((option, _)) = files.into_iter().find(|(_, file)| *file == STDIN) else {
        return start(&words, env);
    };
    if tool.name == "kafka-console-producer" {
        return refuse(&format!(
            "--{option} -: standard input is where this tool reads its records from."
        ));
    }
    Body::Reading(Box::new(Reading {
        option,
        start,
        words,
        env,
        bytes: Vec::new(),
    }))
}

/// A command that waits for the end of its file.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    option: &'static str,
    start: fn(&[String], Env) -> Body,
    words: Vec<String>,
    env: Env,
    bytes: Vec<u8>,
}

impl Reading {
    /// Takes in what is typed; gives the tool itself once that has ended.
    pub(super) fn step(&mut self, input: &Input, out: &mut Vec<Output>) -> Option<Body> {
        match input {
            Input::Start if self.env.terminal => {
                out.push(Output::stderr_line(&format!(
                    "--{} is read from here: type or paste it, then Ctrl+D.",
                    self.option
                )));
                self.prompt(out);
            }
            Input::Stdin(bytes) => {
                if self.bytes.len() + bytes.len() > FILE_MAX {
                    let text = format!("--{} -: more than {FILE_MAX} bytes.", self.option);
                    return Some(Body::Said(Said::default().err(&text).exit(1)));
                }
                self.bytes.extend_from_slice(bytes);
                for _ in bytes.iter().filter(|byte| **byte == b'\n') {
                    self.prompt(out);
                }
            }
            Input::StdinEnd => {
                let mut env = self.env.clone();
                let file = Bytes::from(core::mem::take(&mut self.bytes));
                env.files.insert(STDIN.into(), file);
                return Some((self.start)(&self.words, env));
            }
            Input::Interrupt => out.push(Output::Exit(130)),
            _ => {}
        }
        None
    }

    fn prompt(&self, out: &mut Vec<Output>) {
        if self.env.terminal {
            out.push(Output::Stdout(Bytes::from_static(b">")));
        }
    }
}
