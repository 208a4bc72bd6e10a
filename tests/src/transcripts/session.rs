//! Kafka's tools at work on one node in virtual time: several at once, typed to and interrupted.

use crate::direct::Direct;
use bytes::Bytes;
use client::io::{Input, LinkId, Output};
use client::tools::{Env, Tool, files_named, split_line};
use cluster::ClientEvent;
use ids::{ConnId, Rng};
use std::collections::{BTreeMap, VecDeque};
use wire::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::incremental_alter_configs_response::IncrementalAlterConfigsResponse;

/// The longest a command may take in [`Session::run`]: two minutes of virtual time.
const PATIENCE_MS: u64 = 120_000;
/// Time between the first line that is piped in and the rest, so that not all records share a timestamp.
const FIRST_LINE_MS: u64 = 9;
/// The longest piece of a turn without anything happening.
const STRIDE_MS: u64 = 50;

/// What a command has said.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Its exit status; `None` while it runs.
    pub exit: Option<i32>,
}

/// What a command finds where it starts.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Seed of its chance: which partition records without keys go to, group names, member ids.
    pub seed: u64,
    /// Lines typed at a terminal, one after the other; `None`: there is no terminal.
    pub typed: Option<Vec<String>>,
    /// What is piped in.
    pub stdin: Vec<u8>,
    /// The files it names, by the names it uses.
    pub files: BTreeMap<String, Bytes>,
}

struct Command {
    line: String,
    tool: Tool,
    links: BTreeMap<LinkId, ConnId>,
    inputs: VecDeque<Input>,
    typing: VecDeque<String>,
    /// Piped in a moment after the first line.
    rest: Option<Bytes>,
    is_terminal: bool,
    said: Said,
}

/// Names a command of a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CommandId(u32);

/// One node and the commands that run against it. Only `localhost:9092` answers.
pub struct Session {
    /// The node.
    pub core: Direct,
    commands: BTreeMap<CommandId, Command>,
    started: u32,
}

impl Session {
    /// A fresh node with these properties.
    #[must_use]
    pub fn new(properties: &[(&str, &str)]) -> Session {
        Session {
            core: Direct::new(properties),
            commands: BTreeMap::new(),
            started: 0,
        }
    }

    /// Eligible leader replicas are not built; with them Kafka writes this config into a new metadata log.
    ///
    /// # Panics
    /// When the core refuses it.
    pub fn set_min_isr_for_all_brokers(&mut self) {
        let config = AlterableConfig {
            name: "min.insync.replicas".into(),
            value: Some("1".into()),
            ..Default::default()
        };
        let all_brokers = AlterConfigsResource {
            resource_type: 4,
            resource_name: "".into(),
            configs: vec![config],
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![all_brokers],
            ..Default::default()
        };
        let conn = self.core.connect();
        let answer: IncrementalAlterConfigsResponse = self.core.ask(conn, 1, &request);
        assert_eq!(answer.responses[0].error_code, 0);
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it does not end in two minutes of virtual time.
    pub fn run(&mut self, line: &str, place: Place) -> Said {
        let id = self.start(line, place);
        let until = self.core.now.plus_millis(PATIENCE_MS);
        while self.said(id).exit.is_none() {
            let said = self.said(id);
            assert!(self.core.now < until, "{line} does not end: {said:?}");
            self.turn();
        }
        self.commands
            .remove(&id)
            .map(|c| c.said)
            .unwrap_or_default()
    }

    /// As [`Session::run`], with nothing to read and a seed of its own.
    pub fn say(&mut self, line: &str) -> Said {
        let seed = u64::from(self.started) + 1;
        let place = Place {
            seed,
            ..Place::default()
        };
        self.run(line, place)
    }

    /// Starts a command that runs beside others.
    ///
    /// # Panics
    /// When no shell would take the line.
    pub fn start(&mut self, line: &str, place: Place) -> CommandId {
        let words = split_line(line).expect("a shell takes this line");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut env = Env::new(Rng::new(place.seed));
        env.terminal = place.typed.is_some();
        for name in files_named(&words) {
            if let Some(bytes) = place.files.get(name) {
                env.files.insert(name.to_string(), bytes.clone());
            }
        }
        let tool = Tool::start(&words, env);
        let mut inputs = VecDeque::from([Input::Start]);
        let mut rest = None;
        if tool.reads_stdin() && place.typed.is_none() {
            let first = place
                .stdin
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(place.stdin.len(), |at| at + 1);
            let mut bytes = Bytes::from(place.stdin);
            let first = bytes.split_to(first);
            inputs.push_back(Input::Stdin(first));
            rest = Some(bytes);
        }
        self.started += 1;
        let id = CommandId(self.started);
        let command = Command {
            line: line.to_string(),
            tool,
            links: BTreeMap::new(),
            inputs,
            is_terminal: place.typed.is_some(),
            typing: place.typed.unwrap_or_default().into(),
            rest,
            said: Said::default(),
        };
        self.commands.insert(id, command);
        self.settle();
        if let Some(rest) = self.commands.get_mut(&id).and_then(|c| c.rest.take()) {
            self.pass(FIRST_LINE_MS);
            let command = self.commands.get_mut(&id).expect("just started");
            command.inputs.extend([Input::Stdin(rest), Input::StdinEnd]);
        }
        id
    }

    /// What a command has said so far.
    ///
    /// # Panics
    /// When it was already taken away.
    #[must_use]
    pub fn said(&self, id: CommandId) -> &Said {
        &self.commands[&id].said
    }

    /// Presses Ctrl+C and lets the command end.
    ///
    /// # Panics
    /// When it does not end in two minutes of virtual time.
    pub fn interrupt(&mut self, id: CommandId) -> Said {
        let command = self.commands.get_mut(&id).expect("a command that runs");
        command.inputs.push_back(Input::Interrupt);
        let until = self.core.now.plus_millis(PATIENCE_MS);
        while self.said(id).exit.is_none() {
            assert!(self.core.now < until, "an interrupted command does not end");
            self.turn();
        }
        self.commands
            .remove(&id)
            .map(|c| c.said)
            .unwrap_or_default()
    }

    /// Kills a command: its connections break, nothing is said goodbye to.
    pub fn kill(&mut self, id: CommandId) {
        let command = self.commands.remove(&id).expect("a command that runs");
        for conn in command.links.into_values() {
            self.core.step(ClientEvent::Disconnected { conn });
        }
    }

    /// Lets time pass for everyone.
    pub fn pass(&mut self, millis: u64) {
        let until = self.core.now.plus_millis(millis);
        self.settle();
        while self.core.now < until {
            let left = until.since(self.core.now).div_ceil(1000);
            self.advance(left);
            self.settle();
        }
    }

    /// Everything that happens now, or else the next thing that happens.
    fn turn(&mut self) {
        if !self.settle() {
            self.advance(STRIDE_MS);
        }
    }

    /// Lets time pass until something is due, at most `most` milliseconds.
    fn advance(&mut self, most: u64) {
        let running = self.commands.values();
        let running = running.filter(|command| command.said.exit.is_none());
        let due = running.filter_map(|command| command.tool.next_deadline());
        let due = due.chain(self.core.cluster.next_deadline(crate::direct::NODE));
        let due = due.map(|at| at.since(self.core.now).div_ceil(1000)).min();
        self.core.advance(due.unwrap_or(most).clamp(1, most));
    }

    /// Steps every command that has something to take in until none has; false when none had.
    fn settle(&mut self) -> bool {
        let mut moved = false;
        loop {
            let ids: Vec<CommandId> = self.commands.keys().copied().collect();
            let mut again = false;
            for id in ids {
                again |= self.step(id);
            }
            if !again {
                return moved;
            }
            moved = true;
        }
    }

    /// One input of one command; false when it has none.
    fn step(&mut self, id: CommandId) -> bool {
        let Some(command) = self.commands.get_mut(&id) else {
            return false;
        };
        if command.said.exit.is_some() {
            return false;
        }
        for (&link, &conn) in &command.links {
            while let Some(frame) = self.core.reply(conn) {
                command.inputs.push_back(Input::Frame { link, frame });
            }
        }
        let core = &self.core;
        let mut lost = Vec::new();
        command.links.retain(|&link, conn| {
            let closed = core.is_closed(*conn);
            lost.extend(closed.then_some(Input::Closed { link }));
            !closed
        });
        command.inputs.extend(lost);
        let due = command.tool.next_deadline();
        if command.inputs.is_empty() && due.is_some_and(|due| due <= self.core.now) {
            command.inputs.push_back(Input::Timer);
        }
        if command.inputs.is_empty() && command.is_terminal {
            command.type_next();
        }
        let Some(input) = command.inputs.pop_front() else {
            return false;
        };
        let mut out = Vec::new();
        command.tool.step(self.core.now, &input, &mut out);
        for output in out {
            command.take(output, &mut self.core);
        }
        true
    }
}

impl Command {
    /// The next line someone types, once everything before it is done; the terminal shows it.
    fn type_next(&mut self) {
        match self.typing.pop_front() {
            Some(line) => {
                self.said.stdout += &format!("{line}\n");
                self.inputs
                    .push_back(Input::Stdin(Bytes::from(line + "\n")));
            }
            None => {
                self.is_terminal = false;
                self.inputs.push_back(Input::StdinEnd);
            }
        }
    }

    fn take(&mut self, output: Output, core: &mut Direct) {
        match output {
            Output::Connect { link, host, port } => {
                let known = matches!(&*host, "localhost" | "127.0.0.1") && port == 9092;
                if known {
                    self.links.insert(link, core.connect());
                    self.inputs.push_back(Input::Connected { link });
                } else {
                    let why = "Connection refused".into();
                    self.inputs.push_back(Input::ConnectFailed { link, why });
                }
            }
            Output::Send { link, frame } => match self.links.get(&link) {
                Some(&conn) => core.send(conn, frame),
                None => panic!("{} sends on a link that is closed", self.line),
            },
            Output::Disconnect { link } => {
                if let Some(conn) = self.links.remove(&link) {
                    core.step(ClientEvent::Disconnected { conn });
                }
            }
            Output::Stdout(bytes) => self.said.stdout += &super::printable(&bytes),
            Output::Stderr(bytes) => self.said.stderr += &String::from_utf8_lossy(&bytes),
            Output::Exit(code) => {
                self.said.exit = Some(code);
                for (_, conn) in std::mem::take(&mut self.links) {
                    core.step(ClientEvent::Disconnected { conn });
                }
            }
        }
    }
}
