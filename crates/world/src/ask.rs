//! Questions: command lines that only read are answered from the moment shown, which stays as it is.
//!
//! The world is copied, the command runs in the copy until it ends, and the copy is forgotten. So a question
//! can be asked of a world that stands still, and of the past, and nothing comes of it.

use crate::actors::ActorId;
use crate::history::only_reads;
use crate::said::{Said, TerminalText};
use crate::world::{Input, World};
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;

/// Events that one question may take: thousands of times what Kafka's tools need.
const EVENTS_MAX: u64 = 200_000;
/// World time that it may take, in milliseconds; Kafka's tools give up before.
const TIME_MAX_MS: u64 = 120_000;

/// What a command line printed, and its exit status.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What it printed, in order.
    pub printed: Vec<TerminalText>,
    /// Its exit status.
    pub code: i32,
}

impl World {
    /// The answer to a command line that only reads, as of the moment shown; `None` for one that does more.
    #[must_use]
    pub fn ask(&self, line: &str) -> Option<Answer> {
        if !only_reads(line) || self.stands_still() {
            return None;
        }
        let mut copy = self.state.clone();
        copy.leave_outside();
        copy.keeps_writes = false;
        let line = line.to_string();
        let id = ActorId(copy.take_input(Input::Spawn { line }));
        let until = copy.now.plus_millis(TIME_MAX_MS);
        let mut printed = Vec::new();
        for _ in 0..EVENTS_MAX {
            for said in copy.said.drain(..) {
                match said {
                    Said::Terminal { id: of, text } if of == id.0 => printed.push(text),
                    Said::Exit { id: of, code } if of == id.0 => {
                        return Some(Answer { printed, code });
                    }
                    _ => {}
                }
            }
            copy.writes.clear();
            let goes_on = !copy.waits() && copy.next_time().is_some_and(|next| next <= until);
            if !goes_on || !copy.step() {
                break;
            }
        }
        let why = "What this asks for is not in memory: let the world run, and ask again.\n";
        printed.push(TerminalText::Err(Bytes::from_static(why.as_bytes())));
        Some(Answer { printed, code: 1 })
    }
}
