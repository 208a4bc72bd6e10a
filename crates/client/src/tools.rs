//! Kafka's command lines: the same flags, output, messages and exit status as Kafka 4.3's own tools.
//!
//! [`Tool::start`] takes the words of a command; the tool then runs as every machine here does. What was
//! recorded of the real tools is in `tests/src/transcripts.rs`'s vectors. Beside that, flags that older
//! courses teach still work, each with one line on standard error that says what replaced it. Messages
//! that Kafka's own logger would write go to standard error in its form, without stack traces.

mod begin;
mod broker_api_versions;
mod cluster;
mod configs;
mod console_consumer;
mod console_producer;
mod consumer_groups;
mod decimal;
mod delete_records;
mod deserializers;
mod features;
mod formatter;
mod get_offsets;
mod groups;
mod leader_election;
mod line;
mod lines;
mod log;
mod log_dirs;
mod moments;
pub mod options;
mod quorum;
mod reading;
mod reads;
mod reassign;
mod settings;
mod storage;
mod table;
mod topics;
mod typed;

use begin::{Thrown, addresses, admin, admin_of_commands, file, no_address, properties, read};
pub use line::{SplitError, split_line};
pub use options::{Values, values};
pub use reading::files_named;
pub use reads::only_reads;
pub use storage::{Spoken, dump_line, storage_line};

use crate::admin::{Admin, Call, Outcome};
use crate::io::{Input, Output};
use crate::net;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Rng, Time};
use options::{Opt, Parsed};
use sorted::SortedMap;

/// What `--version` prints: the Kafka whose tools these are.
pub const VERSION: &str = "4.3.1";

/// What a tool gets from the place where it runs.
#[derive(Clone, Debug)]
pub struct Env {
    /// Its source of chance.
    pub rng: Rng,
    /// Standard input and output are both a terminal: prompts are shown.
    pub terminal: bool,
    /// The files that the command names (see [`files_named`]), by the name it uses.
    pub files: SortedMap<String, Bytes>,
    /// There are files at all. Where there are none, `-` is the only name of a file: standard input.
    pub has_files: bool,
}

impl Env {
    /// No terminal; files, but none that was named.
    #[must_use]
    pub fn new(rng: Rng) -> Env {
        Env {
            rng,
            terminal: false,
            files: SortedMap::new(),
            has_files: true,
        }
    }
}

/// One of Kafka's tools.
pub struct ToolInfo {
    /// Its name, without `.sh`.
    pub name: &'static str,
    /// Its options; empty when it is not built yet.
    pub options: &'static [Opt],
    start: Option<fn(&[String], Env) -> Body>,
}

/// What the native command does itself: tools that open files.
const FOR_FILES: [&str; 2] = ["kafka-dump-log", "kafka-storage"];

/// Every tool there is, built or not.
pub const TOOLS: &[ToolInfo] = &[
    built("kafka-topics", options::topics::OPTIONS, topics::start),
    built(
        "kafka-console-producer",
        options::console_producer::OPTIONS,
        console_producer::start,
    ),
    built(
        "kafka-console-consumer",
        options::console_consumer::OPTIONS,
        console_consumer::start,
    ),
    built(
        "kafka-consumer-groups",
        options::consumer_groups::OPTIONS,
        consumer_groups::start,
    ),
    built(
        "kafka-get-offsets",
        options::get_offsets::OPTIONS,
        get_offsets::start,
    ),
    built("kafka-configs", options::configs::OPTIONS, configs::start),
    built(
        "kafka-delete-records",
        options::delete_records::OPTIONS,
        delete_records::start,
    ),
    built("kafka-groups", options::groups::OPTIONS, groups::start),
    planned("kafka-acls"),
    built(
        "kafka-broker-api-versions",
        options::broker_api_versions::OPTIONS,
        broker_api_versions::start,
    ),
    planned("kafka-client-metrics"),
    built("kafka-cluster", options::cluster::OPTIONS, cluster::start),
    planned("kafka-console-share-consumer"),
    planned("kafka-consumer-perf-test"),
    planned("kafka-delegation-tokens"),
    planned("kafka-dump-log"),
    planned("kafka-e2e-latency"),
    built(
        "kafka-features",
        options::features::OPTIONS,
        features::start,
    ),
    built(
        "kafka-leader-election",
        options::leader_election::OPTIONS,
        leader_election::start,
    ),
    built(
        "kafka-log-dirs",
        options::log_dirs::OPTIONS,
        log_dirs::start,
    ),
    built(
        "kafka-metadata-quorum",
        options::quorum::OPTIONS,
        quorum::start,
    ),
    planned("kafka-metadata-shell"),
    planned("kafka-producer-perf-test"),
    built(
        "kafka-reassign-partitions",
        options::reassign::OPTIONS,
        reassign::start,
    ),
    planned("kafka-replica-verification"),
    planned("kafka-share-groups"),
    planned("kafka-storage"),
    planned("kafka-streams-application-reset"),
    planned("kafka-transactions"),
    planned("kafka-verifiable-consumer"),
    planned("kafka-verifiable-producer"),
];

const fn built(
    name: &'static str,
    options: &'static [Opt],
    start: fn(&[String], Env) -> Body,
) -> ToolInfo {
    ToolInfo {
        name,
        options,
        start: Some(start),
    }
}

const fn planned(name: &'static str) -> ToolInfo {
    ToolInfo {
        name,
        options: &[],
        start: None,
    }
}

/// The tool that a word names: with or without a path before it and `.sh` behind it.
#[must_use]
pub fn find(word: &str) -> Option<&'static ToolInfo> {
    let name = word.rsplit('/').next().unwrap_or(word);
    let name = name.strip_suffix(".sh").unwrap_or(name);
    TOOLS.iter().find(|tool| tool.name == name)
}

/// A command that runs.
#[derive(Clone, Debug)]
pub struct Tool {
    body: Body,
    over: bool,
}

#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one per command, never in a collection"
)]
pub(crate) enum Body {
    /// Nothing but output and an end.
    Said(Said),
    /// A file comes from standard input first.
    Reading(Box<reading::Reading>),
    Admin(AdminTool),
    Producer(console_producer::ConsoleProducer),
    Consumer(Box<console_consumer::ConsoleConsumer>),
}

impl Tool {
    /// Begins a command; `argv` begins with the tool's name.
    #[must_use]
    pub fn start(argv: &[&str], env: Env) -> Tool {
        let (name, rest) = argv
            .split_first()
            .map_or(("", [].as_slice()), |(n, r)| (*n, r));
        let words: Vec<String> = rest.iter().map(ToString::to_string).collect();
        let body = match find(name) {
            Some(tool) if tool.start.is_some() => reading::begin(tool, words, env),
            Some(tool) if FOR_FILES.contains(&tool.name) => {
                let text = format!("{}: this tool is for files, and here are none.", tool.name);
                Body::Said(Said::default().err(&text).exit(1))
            }
            Some(tool) => {
                let text = format!("{}: this tool is not part of Brooklet yet.", tool.name);
                Body::Said(Said::default().err(&text).exit(1))
            }
            None => {
                let text = format!("{name}: command not found");
                Body::Said(Said::default().err(&text).exit(127))
            }
        };
        Tool { body, over: false }
    }

    /// Takes in what happened, then does what is due. After `Exit` nothing more comes.
    pub fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        if self.over {
            return;
        }
        let from = out.len();
        match &mut self.body {
            Body::Said(said) => said.step(now, out),
            Body::Reading(reading) => {
                if let Some(body) = reading.step(input, out) {
                    self.body = body;
                    self.step(now, &Input::Start, out);
                    return;
                }
            }
            Body::Admin(tool) => tool.step(now, input, out),
            Body::Producer(tool) => tool.step(now, input, out),
            Body::Consumer(tool) => tool.step(now, input, out),
        }
        let news = out.get(from..).unwrap_or_default();
        self.over = news.iter().any(|output| matches!(output, Output::Exit(_)));
    }

    /// When [`Tool::step`] wants to be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        if self.over {
            return None;
        }
        match &self.body {
            Body::Said(_) | Body::Reading(_) => None,
            Body::Admin(tool) => tool.admin.next_deadline(),
            Body::Producer(tool) => tool.next_deadline(),
            Body::Consumer(tool) => tool.next_deadline(),
        }
    }

    /// Whether the command reads standard input.
    #[must_use]
    pub fn reads_stdin(&self) -> bool {
        matches!(self.body, Body::Producer(_) | Body::Reading(_))
    }
}

/// Output that is known before anything is asked, and perhaps the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Output(Output),
    /// A line of the logger, which is dated when it is written: level, text, logger.
    Log(&'static str, String, &'static str),
}

impl Said {
    pub(crate) fn out(mut self, line: &str) -> Said {
        self.pieces.push(Piece::Output(Output::stdout_line(line)));
        self
    }

    pub(crate) fn err(mut self, line: &str) -> Said {
        self.pieces.push(Piece::Output(Output::stderr_line(line)));
        self
    }

    /// The same on standard error, and no line ends behind it.
    pub(crate) fn err_without_end(mut self, text: &str) -> Said {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.pieces.push(Piece::Output(Output::Stderr(bytes)));
        self
    }

    pub(crate) fn exit(mut self, code: i32) -> Said {
        self.pieces.push(Piece::Output(Output::Exit(code)));
        self
    }

    /// The lines about old options.
    pub(crate) fn notes(self, parsed: &Parsed) -> Said {
        parsed.notes.iter().fold(self, |said, note| said.err(note))
    }

    /// A message, the help, and status 1, as all of Kafka's tools refuse wrong usage.
    pub(crate) fn usage(self, message: &str, options: &[Opt]) -> Said {
        let help = options::help(options);
        self.err(message).err(help.trim_end_matches('\n')).exit(1)
    }

    /// What a tool says that ends with an exception which nobody catches.
    pub(crate) fn uncaught(self, thrown: &Thrown) -> Said {
        let said = self.err(&format!("Exception in thread \"main\" {thrown}"));
        said.cause(thrown).exit(1)
    }

    /// What Java says below an exception, if something else was behind it.
    pub(crate) fn cause(self, thrown: &Thrown) -> Said {
        match &thrown.cause {
            Some(cause) => self.err(&format!("Caused by: {cause}")),
            None => self,
        }
    }

    pub(crate) fn log(mut self, level: &'static str, text: &str, logger: &'static str) -> Said {
        self.pieces
            .push(Piece::Log(level, text.to_string(), logger));
        self
    }

    pub(crate) fn step(&mut self, now: Time, out: &mut Vec<Output>) {
        out.extend(self.pieces.drain(..).map(|piece| match piece {
            Piece::Output(output) => output,
            Piece::Log(level, text, logger) => {
                Output::stderr_line(&log::line(now, level, &text, logger))
            }
        }));
    }
}

/// What an administrative tool does next.
pub(crate) enum Next {
    /// Ask these calls and come back with their outcomes.
    Ask(Vec<Call>),
    /// End with this status.
    Exit(i32),
}

/// A tool made of rounds of administrative calls.
#[derive(Clone, Debug)]
pub(crate) struct AdminTool {
    admin: Admin,
    job: Job,
    before: Said,
    begun: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Job {
    Topics(topics::Topics),
    Groups(consumer_groups::Groups),
    Offsets(get_offsets::GetOffsets),
    AllGroups(groups::AllGroups),
    Configs(configs::Configs),
    DeleteRecords(delete_records::DeleteRecords),
    Quorum(quorum::Quorum),
    Cluster(cluster::Cluster),
    Features(features::Features),
    LogDirs(log_dirs::LogDirs),
    Election(leader_election::Election),
    ApiVersions(broker_api_versions::ApiVersions),
    Reassign(reassign::Reassign),
}

impl AdminTool {
    pub(crate) fn new(config: net::Config, rng: Rng, job: Job, before: Said) -> AdminTool {
        AdminTool {
            admin: Admin::new(config, rng),
            job,
            before,
            begun: false,
        }
    }

    /// The same tool, whose calls may take so long.
    pub(crate) fn within(mut self, millis: u64) -> AdminTool {
        self.admin.set_timeout(millis);
        self
    }

    fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        if *input == Input::Interrupt {
            self.admin.disconnect(out);
            out.push(Output::Exit(130));
            return;
        }
        let mut say = Say { now, out };
        if !self.begun {
            self.begun = true;
            self.before.step(now, say.out);
            if self.go_on(Vec::new(), &mut say) {
                return;
            }
        }
        self.admin.step(now, input, say.out);
        while let Some(outcomes) = self.admin.take_round() {
            if self.go_on(outcomes, &mut say) {
                return;
            }
            self.admin.step(now, &Input::Timer, say.out);
        }
    }

    /// One step of the job; true when it is over.
    fn go_on(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> bool {
        // Only one of them is wanted by a page that begins; the others stay by themselves.
        let next = match &mut self.job {
            Job::Topics(job) => job.next(outcomes, say),
            Job::Groups(job) => job.next(outcomes, say),
            Job::Offsets(job) => job.next(outcomes, say),
            Job::AllGroups(job) => job.next(outcomes, say),
            Job::Configs(job) => job.next(outcomes, say),
            Job::DeleteRecords(job) => job.next(outcomes, say),
            Job::Quorum(job) => job.next(outcomes, say),
            Job::Cluster(job) => job.next(outcomes, say),
            Job::Features(job) => job.next(outcomes, say),
            Job::LogDirs(job) => job.next(outcomes, say),
            Job::Election(job) => job.next(outcomes, say),
            Job::ApiVersions(job) => job.next(outcomes, say),
            Job::Reassign(job) => job.next(outcomes, say),
        };
        match next {
            Next::Ask(calls) => {
                self.admin.ask(say.now, calls);
                false
            }
            Next::Exit(code) => {
                self.admin.disconnect(say.out);
                say.out.push(Output::Exit(code));
                true
            }
        }
    }
}

/// Where a job puts its words.
pub(crate) struct Say<'a> {
    pub(crate) now: Time,
    pub(crate) out: &'a mut Vec<Output>,
}

impl Say<'_> {
    pub(crate) fn out(&mut self, line: &str) {
        self.out.push(Output::stdout_line(line));
    }

    pub(crate) fn err(&mut self, line: &str) {
        self.out.push(Output::stderr_line(line));
    }

    /// What Kafka's logger writes: `[date] LEVEL text (logger)`.
    pub(crate) fn log(&mut self, level: &str, text: &str, logger: &str) {
        let line = log::line(self.now, level, text, logger);
        self.err(&line);
    }
}

#[cfg(test)]
mod tests;
