//! A terminal: one of Kafka's command lines while it runs.

use crate::network::FIRST_PORT;
use crate::said::TerminalText;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use client::io::{Input, Output};
use client::tools::{Env, Tool};
use ids::{Rng, Time};

/// Brokers that a client is told of at most; it finds the others through them.
const BOOTSTRAP_MAX: u32 = 3;

/// Where a client of a world with so many brokers finds them.
pub(crate) fn bootstrap(brokers: u32) -> Vec<(Arc<str>, u16)> {
    let above = 0..u16::try_from(brokers.min(BOOTSTRAP_MAX)).unwrap_or(1);
    above
        .map(|above| (Arc::from("localhost"), FIRST_PORT + above))
        .collect()
}

/// Whom a command line runs for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Someone at a terminal sees what it prints.
    Person,
    /// A command of the stage, by its input's number; only its end matters.
    Input(u64),
}

/// A command line that runs.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    pub(crate) whom: For,
    /// What it printed, when nobody sees it.
    pub(crate) printed: String,
    tool: Tool,
}

impl Terminal {
    pub(crate) fn new(words: &[String], whom: For, rng: Rng) -> Terminal {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut env = Env::new(rng);
        env.terminal = whom == For::Person;
        env.has_files = false;
        Terminal {
            whom,
            printed: String::new(),
            tool: Tool::start(&words, env),
        }
    }

    /// Keeps text that nobody else sees; says whether it did.
    pub(crate) fn hears(&mut self, text: &TerminalText) -> bool {
        if self.whom == For::Person {
            return false;
        }
        let (TerminalText::Out(bytes) | TerminalText::Err(bytes)) = text;
        // A refusal is a line or two; more is not worth keeping.
        if self.printed.len() < 4096 {
            self.printed.push_str(&String::from_utf8_lossy(bytes));
        }
        true
    }

    pub(crate) fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        self.tool.step(now, input, out);
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.tool.next_deadline()
    }
}
