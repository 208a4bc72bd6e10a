//! What command lines print, on its way to the page: in order, gathered, and only as fast as the page takes it.
//!
//! A terminal's number is the page's, and never used twice; the world's own numbers are used again when it
//! is taken back. What a command prints and nobody reads is kept up to a bound; then the command is told
//! that its output is full, as one whose pipe is, and stands still until it is read.

use std::collections::VecDeque;

use sorted::SortedMap;
use world::{Answer, Input, TerminalText, World};

use crate::push::{Outbox, Push};

/// Bytes of one terminal's output that leave in one turn at most.
const LEAVES_BYTES: usize = 64 << 10;
/// Bytes from which on a command is told that its output is full ...
const FULL_BYTES: usize = 256 << 10;
/// ... and from which on it may print again.
const READY_BYTES: usize = 64 << 10;
/// Bytes kept of what a command prints all the same; what comes then is lost, and that is said.
const KEPT_BYTES: usize = 4 << 20;
/// Command lines that run, or whose output has not left, at most.
const TERMINALS_MAX: usize = 200;
/// Exit status of a command whose world is no more.
const GONE: i32 = 130;

/// Why a command ended that did not end by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The world was taken back to before it began, or to where it was not.
    Undone,
    /// Another world is shown now.
    Replaced,
    /// The world was begun again from what is stored.
    Restarted,
}

impl Why {
    fn word(self) -> &'static str {
        match self {
            Why::Undone => "undone",
            Why::Replaced => "replaced",
            Why::Restarted => "restarted",
        }
    }
}

/// A command line and what it printed that has not left.
struct Terminal {
    /// The world's number of it; `None` for one that was answered at once.
    world: Option<u32>,
    printed: VecDeque<TerminalText>,
    bytes: usize,
    /// It was told that its output is full.
    full: bool,
    /// Nobody takes its output for now.
    held: bool,
    /// Bytes that were lost.
    lost: u64,
    ended: Option<(i32, Option<Why>)>,
}

/// The command lines of an open workspace, by the page's numbers.
pub(crate) struct Terminals {
    open: SortedMap<u64, Terminal>,
    next: u64,
}

impl Terminals {
    /// `next` is the first number to be given.
    pub(crate) fn new(next: u64) -> Terminals {
        Terminals {
            open: SortedMap::new(),
            next,
        }
    }

    /// The number that is given next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether there is no room for one more.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= TERMINALS_MAX
    }

    fn add(&mut self, world: Option<u32>) -> &mut Terminal {
        self.next += 1;
        let fresh = Terminal {
            world,
            printed: VecDeque::new(),
            bytes: 0,
            full: false,
            held: false,
            lost: 0,
            ended: None,
        };
        self.open.entry(self.next - 1).or_insert(fresh)
    }

    /// A command line began in the world; gives the page's number of it.
    pub(crate) fn began(&mut self, world: u32) -> u64 {
        self.add(Some(world));
        self.next - 1
    }

    /// A command line was answered at once; gives the page's number of it.
    pub(crate) fn answered(&mut self, answer: Answer) -> u64 {
        let terminal = self.add(None);
        for text in answer.printed {
            terminal.print(text);
        }
        terminal.ended = Some((answer.code, None));
        self.next - 1
    }

    /// The world's number of a terminal whose command runs.
    pub(crate) fn running(&self, page: u64) -> Option<u32> {
        let terminal = self.open.get(&page)?;
        terminal.world.filter(|_| terminal.ended.is_none())
    }

    fn of_world(&mut self, id: u32) -> Option<&mut Terminal> {
        let mut all = self.open.values_mut();
        all.find(|terminal| terminal.world == Some(id) && terminal.ended.is_none())
    }

    /// A command printed something.
    pub(crate) fn print(&mut self, id: u32, text: TerminalText) {
        if let Some(terminal) = self.of_world(id) {
            terminal.print(text);
        }
    }

    /// A command is over.
    pub(crate) fn exited(&mut self, id: u32, code: i32) {
        if let Some(terminal) = self.of_world(id) {
            terminal.ended = Some((code, None));
        }
    }

    /// Ends the commands that the world does not run any more though it never said so.
    pub(crate) fn end_missing(&mut self, world: &World) {
        for terminal in self.open.values_mut() {
            let gone = terminal.world.is_some_and(|id| !world.has_terminal(id));
            if gone && terminal.ended.is_none() {
                terminal.ended = Some((GONE, Some(Why::Undone)));
            }
        }
    }

    /// Ends all commands: their world is no more. What they printed leaves at once.
    pub(crate) fn end_all(&mut self, why: Why, out: &mut Outbox) {
        for (page, mut terminal) in std::mem::take(&mut self.open) {
            terminal.ended.get_or_insert((GONE, Some(why)));
            terminal.leave(page, usize::MAX, out);
        }
    }

    /// Tells commands whose output is not read to wait, and those whose output has been to go on.
    pub(crate) fn hold_back(&mut self, world: &mut World) {
        for terminal in self.open.values_mut() {
            let Some(id) = terminal.world.filter(|_| terminal.ended.is_none()) else {
                continue;
            };
            if !terminal.full && terminal.bytes > FULL_BYTES {
                terminal.full = true;
                world.input(Input::StdoutFull { id });
            } else if terminal.full && terminal.bytes < READY_BYTES {
                terminal.full = false;
                world.input(Input::StdoutReady { id });
            }
        }
    }

    /// Holds the output of a command back, or lets it leave again.
    pub(crate) fn hold(&mut self, page: u64, held: bool) {
        if let Some(terminal) = self.open.get_mut(&page) {
            terminal.held = held;
        }
    }

    /// Lets leave what may leave in one turn.
    pub(crate) fn leave(&mut self, out: &mut Outbox) {
        self.open.retain(|page, terminal| {
            let goes = !terminal.held && terminal.leave(*page, LEAVES_BYTES, out);
            !goes
        });
    }

    /// Whether something may leave and has not.
    pub(crate) fn has_news(&self) -> bool {
        let mut all = self.open.values();
        all.any(|terminal| !terminal.held && (terminal.bytes > 0 || terminal.ended.is_some()))
    }
}

impl Terminal {
    fn print(&mut self, text: TerminalText) {
        let length = bytes_of(&text).len();
        if self.bytes.saturating_add(length) > KEPT_BYTES {
            self.lost += length as u64;
            return;
        }
        self.bytes += length;
        self.printed.push_back(text);
    }

    /// Lets up to `room` bytes leave, and the end when all has left; says whether it did.
    fn leave(&mut self, page: u64, mut room: usize, out: &mut Outbox) -> bool {
        let id = page as f64;
        while room > 0
            && let Some((text, is_error)) = self.take(room)
        {
            room = room.saturating_sub(text.len());
            out.push(&match is_error {
                true => Push::Stderr { id, text },
                false => Push::Stdout { id, text },
            });
        }
        if self.bytes > 0 {
            return false;
        }
        if let lost @ 1.. = std::mem::take(&mut self.lost) {
            let text = format!("… {lost} bytes of output were not read in time and are lost\n");
            out.push(&Push::Stderr { id, text });
        }
        let Some((code, why)) = self.ended else {
            return false;
        };
        let why = why.map(Why::word);
        out.push(&Push::Exit { id, code, why });
        true
    }

    /// As much as goes into one message: text of one kind, whole lines if there is a line's end.
    fn take(&mut self, room: usize) -> Option<(String, bool)> {
        let is_error = matches!(self.printed.front()?, TerminalText::Err(_));
        let mut taken = Vec::new();
        while let Some(text) = self.printed.front_mut() {
            if matches!(text, TerminalText::Err(_)) != is_error || taken.len() >= room {
                break;
            }
            let (TerminalText::Out(bytes) | TerminalText::Err(bytes)) = text;
            let part = bytes.split_to(cut_at(bytes, room - taken.len()));
            taken.extend_from_slice(&part);
            if !bytes.is_empty() {
                break;
            }
            self.printed.pop_front();
        }
        self.bytes -= taken.len();
        Some((String::from_utf8_lossy(&taken).into_owned(), is_error))
    }
}

fn bytes_of(text: &TerminalText) -> &bytes::Bytes {
    let (TerminalText::Out(bytes) | TerminalText::Err(bytes)) = text;
    bytes
}

/// How many of these bytes go into `room`: up to a line's end where there is one, and never into the middle of
/// a character.
fn cut_at(bytes: &[u8], room: usize) -> usize {
    if bytes.len() <= room {
        return bytes.len();
    }
    let head = bytes.get(..room).unwrap_or_default();
    if let Some(end) = head.iter().rposition(|byte| *byte == b'\n') {
        return end + 1;
    }
    let begins = |at: &usize| bytes.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    (1..=room).rev().find(begins).unwrap_or(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(text: &str) -> TerminalText {
        TerminalText::Out(text.to_string().into())
    }

    fn terminal(texts: &[TerminalText]) -> Terminal {
        let mut terminals = Terminals::new(7);
        let terminal = terminals.add(Some(1));
        for text in texts {
            terminal.print(text.clone());
        }
        terminals.open.remove(&7).expect("it has that number")
    }

    #[test]
    fn what_was_printed_in_many_pieces_leaves_in_one() {
        let mut one = terminal(&[
            out("a\n"),
            out("b\n"),
            TerminalText::Err("c\n".into()),
            out("d\n"),
        ]);
        let mut taken = Vec::new();
        while let Some(each) = one.take(1_000) {
            taken.push(each);
        }
        let expected = [("a\nb\n", false), ("c\n", true), ("d\n", false)];
        assert_eq!(taken, expected.map(|(text, err)| (text.to_string(), err)));
        assert_eq!(one.bytes, 0);
    }

    #[test]
    fn output_is_cut_behind_a_line_or_between_characters() {
        let mut one = terminal(&[out("first\nsecond\nth"), out("ird\nääää")]);
        let mut taken = Vec::new();
        while let Some((text, _)) = one.take(9) {
            taken.push(text);
        }
        assert_eq!(taken.concat(), "first\nsecond\nthird\nääää");
        assert!(taken.iter().all(|text| text.len() <= 9), "{taken:?}");
        assert_eq!(taken[0], "first\n");
        assert!(!taken.concat().contains('\u{fffd}'));
    }

    #[test]
    fn what_nobody_reads_is_kept_up_to_a_bound_only() {
        let line = out(&"x".repeat(1 << 20));
        let one = terminal(&[line.clone(), line.clone(), line.clone(), line.clone(), line]);
        assert_eq!((one.bytes, one.lost), (4 << 20, 1 << 20));
    }
}
