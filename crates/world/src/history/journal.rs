//! The journal: every input with the event before which it came.

use crate::command::{Command, Line};
use crate::world::{Input, TickKind};
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::Time;

/// Inputs kept; the oldest snapshot goes when there are more.
const INPUTS_MAX: usize = 100_000;
/// Bytes of inputs kept, which clients from outside and terminals send.
const INPUT_BYTES_MAX: u64 = 16 << 20;

/// An input with the event before which it came.
#[derive(Clone, Debug)]
pub(super) struct Journaled {
    /// How many events had happened.
    pub(super) event: u64,
    pub(super) at: Time,
    pub(super) input: Input,
}

/// Inputs in order; those at the front are let go of when there are too many.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<Journaled>,
    /// Bytes of the entries' inputs.
    bytes: u64,
    /// Inputs that were dropped from the front.
    dropped: u64,
}

impl Journal {
    /// How many inputs there have been, those let go of counted too.
    pub(super) fn end(&self) -> u64 {
        self.dropped + self.entries.len() as u64
    }

    /// The input of a number, if it is still there.
    pub(super) fn get(&self, number: u64) -> Option<&Journaled> {
        let at = number.checked_sub(self.dropped)?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() > INPUTS_MAX || self.bytes > INPUT_BYTES_MAX
    }

    pub(super) fn push(&mut self, event: u64, at: Time, input: Input) {
        self.bytes += input.bytes();
        self.entries.push_back(Journaled { event, at, input });
    }

    /// Lets go of the inputs before a number.
    pub(super) fn forget_before(&mut self, number: u64) {
        while self.dropped < number
            && let Some(gone) = self.entries.pop_front()
        {
            self.dropped += 1;
            self.bytes -= gone.input.bytes();
        }
    }

    /// Takes the inputs from a number on away.
    pub(super) fn split_off(&mut self, number: u64) -> VecDeque<Journaled> {
        let at = number.saturating_sub(self.dropped);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let tail = self.entries.split_off(at.min(self.entries.len()));
        self.bytes -= tail.iter().map(|entry| entry.input.bytes()).sum::<u64>();
        tail
    }

    /// Puts inputs that were taken away to the end.
    pub(super) fn append(&mut self, tail: VecDeque<Journaled>) {
        self.bytes += tail.iter().map(|entry| entry.input.bytes()).sum::<u64>();
        self.entries.extend(tail);
    }
}

impl Input {
    /// Bytes that this input holds beside itself.
    fn bytes(&self) -> u64 {
        match self {
            Input::Frame { frame: bytes, .. } | Input::Stdin { text: bytes, .. } => {
                bytes.len() as u64
            }
            Input::Spawn { line } => line.len() as u64,
            Input::Command(Command::Send { lines, .. }) => {
                let size =
                    |line: &Line| line.value.len() + line.key.as_ref().map_or(0, String::len);
                lines.iter().map(size).sum::<usize>() as u64
            }
            _ => 0,
        }
    }

    /// What a person calls this when it can be taken back: a command's name, or a command line that
    /// changes something. `None` for what is no step of its own.
    pub(super) fn step_label(&self) -> Option<String> {
        match self {
            Input::Command(command) => Some(command.name().to_string()),
            Input::Spawn { line } if !only_reads(line) => Some(line.clone()),
            _ => None,
        }
    }

    /// Whether this belongs to the step of the input before it.
    pub(super) fn continues(&self, before: &Input) -> bool {
        match (before, self) {
            (Input::Command(before), Input::Command(command)) => command.continues(before),
            _ => false,
        }
    }

    /// The mark that it leaves on the timeline.
    pub(super) fn tick(&self) -> Option<TickKind> {
        match self {
            Input::Command(Command::KillBroker { .. }) => Some(TickKind::Crash),
            Input::Command(Command::Fault { fault }) if fault.is_deadly() => Some(TickKind::Crash),
            _ => self.step_label().map(|_| TickKind::User),
        }
    }
}

/// Whether a command line changes nothing; one that cannot be read does not.
pub(crate) fn only_reads(line: &str) -> bool {
    client::tools::split_line(line).ok().is_none_or(|words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        client::tools::only_reads(&words)
    })
}
