//! History: every input with its time, and snapshots from which any moment is played again.
//!
//! Playing again gives the same world, so the past is not stored but found: the nearest snapshot,
//! the inputs after it, and the events in between.

use crate::command::Command;
use crate::said::Said;
use crate::state::State;
use crate::world::{Input, TickKind, TimelineView, World};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use cluster::Note;
use ids::Time;

/// Events between two snapshots: few enough to be played again at once.
const SNAPSHOT_EVENTS: u64 = 10_000;
/// World time between two snapshots.
const SNAPSHOT_MICROS: u64 = 10_000_000;
/// Snapshots kept; the oldest goes first, and history begins later.
const SNAPSHOTS_MAX: usize = 64;
/// Inputs kept; the oldest snapshot goes when there are more.
const INPUTS_MAX: usize = 100_000;
/// Bytes of inputs kept, which clients from outside and terminals send.
const INPUT_BYTES_MAX: u64 = 16 << 20;
/// Bytes written between two looks at what the snapshots hold in memory.
const EVICT_BYTES: u64 = 1 << 20;
/// Ticks kept for the timeline.
const TICKS_MAX: usize = 1_000;
/// Seconds of rates kept for the timeline.
const RATES_MAX: usize = 3_600;

/// An input with the event before which it came.
#[derive(Clone, Debug)]
struct Journaled {
    /// How many events had happened.
    event: u64,
    at: Time,
    input: Input,
}

impl Journaled {
    /// Bytes that this entry holds beside itself.
    fn bytes(&self) -> u64 {
        match &self.input {
            Input::Frame { frame: bytes, .. } | Input::Stdin { text: bytes, .. } => {
                bytes.len() as u64
            }
            Input::Spawn { line } => line.len() as u64,
            Input::Command(Command::Send { lines, .. }) => {
                let size = |line: &crate::Line| {
                    line.value.len() + line.key.as_ref().map_or(0, alloc::string::String::len)
                };
                lines.iter().map(size).sum::<usize>() as u64
            }
            _ => 0,
        }
    }
}

#[derive(Debug)]
struct Snapshot {
    state: State,
    /// Inputs journaled before it, since the journal's first.
    inputs: u64,
    events: u64,
}

/// An earlier moment that is being played again; what has been played is the world's state.
#[derive(Clone, Copy, Debug)]
struct Playing {
    /// Inputs applied, and events that have happened.
    inputs: u64,
    events: u64,
    goal: Goal,
}

/// Where playing ends.
#[derive(Clone, Copy, Debug)]
enum Goal {
    /// At a moment, which is only looked at.
    Moment(Time),
    /// Just before this input, which is undone.
    Undo(u64),
}

/// The journal and its snapshots.
#[derive(Debug)]
pub(crate) struct History {
    snapshots: VecDeque<Snapshot>,
    journal: VecDeque<Journaled>,
    /// Bytes of the journal's inputs.
    bytes: u64,
    /// Inputs that were dropped from the journal's front.
    dropped: u64,
    events: u64,
    ticks: VecDeque<(Time, TickKind)>,
    /// Records appended by the end of each second.
    appended: VecDeque<(Time, u64)>,
    redo: Vec<Command>,
    /// The newest moment, while an older one is looked at.
    pub(crate) present: Option<Box<State>>,
    /// An earlier moment is being played again and waits for bytes.
    playing: Option<Playing>,
    /// The past was continued, so what is stored no longer fits.
    forked: bool,
    looked: usize,
    /// Bytes that had been written when bytes were last let go of.
    evicted: u64,
}

impl History {
    pub(crate) fn new(state: &State) -> History {
        let first = Snapshot {
            state: state.clone(),
            inputs: 0,
            events: 0,
        };
        History {
            snapshots: VecDeque::from([first]),
            journal: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            events: 0,
            ticks: VecDeque::new(),
            appended: VecDeque::from([(state.now, 0)]),
            redo: Vec::new(),
            present: None,
            playing: None,
            forked: false,
            looked: 0,
            evicted: 0,
        }
    }

    /// One event has happened.
    pub(crate) fn noted(&mut self, state: &State) {
        self.events += 1;
        self.note_ticks(state);
        let second = 1_000_000;
        if self
            .appended
            .back()
            .is_some_and(|(at, _)| state.now.since(*at) >= second)
        {
            self.appended.push_back((state.now, state.appended_total()));
            if self.appended.len() > RATES_MAX {
                self.appended.pop_front();
            }
        }
        let due = self.snapshots.back().is_some_and(|last| {
            self.events - last.events >= SNAPSHOT_EVENTS
                || state.now.since(last.state.now) >= SNAPSHOT_MICROS
        });
        if due {
            self.snapshot(state);
        }
    }

    fn note_ticks(&mut self, state: &State) {
        if state.said.len() < self.looked {
            self.looked = 0;
        }
        for said in &state.said[self.looked..] {
            if let Said::Note {
                note: Note::Rebalanced { .. },
                ..
            } = said
            {
                self.ticks.push_back((state.now, TickKind::Rebalance));
            }
        }
        self.looked = state.said.len();
        while self.ticks.len() > TICKS_MAX {
            self.ticks.pop_front();
        }
    }

    fn snapshot(&mut self, state: &State) {
        let mut copy = state.clone();
        copy.leave_outside();
        let inputs = self.dropped + self.journal.len() as u64;
        self.snapshots.push_back(Snapshot {
            state: copy,
            inputs,
            events: self.events,
        });
        while self.snapshots.len() > SNAPSHOTS_MAX
            || self.snapshots.len() > 1 && (self.is_journal_full() || self.holds_too_much(state))
        {
            self.snapshots.pop_front();
            let Some(first) = self.snapshots.front() else {
                break;
            };
            while self.dropped < first.inputs
                && let Some(gone) = self.journal.pop_front()
            {
                self.dropped += 1;
                self.bytes -= gone.bytes();
            }
        }
    }

    fn is_journal_full(&self) -> bool {
        self.journal.len() > INPUTS_MAX || self.bytes > INPUT_BYTES_MAX
    }

    /// Whether the oldest moment may hold as many bytes again as the logs may come to: what was
    /// deleted since then.
    fn holds_too_much(&self, state: &State) -> bool {
        let oldest = self.snapshots.front().map_or(0, |s| s.state.written);
        let since = state.written.saturating_sub(oldest);
        state.disk_bytes.is_some_and(|max| since > max)
    }

    /// Bounds the disks at every moment.
    pub(crate) fn bound_disks(&mut self, max_bytes: u64) {
        for snapshot in &mut self.snapshots {
            snapshot.state.disk_bytes = Some(max_bytes);
        }
    }

    /// Lets go of the bytes that the present, which has `written` so many, keeps no more than
    /// `max_bytes` of: a snapshot keeps the less the older it is, so that all of them together
    /// hold about as much as the present alone.
    pub(crate) fn evict(&mut self, max_bytes: u64, written: u64) {
        if written.abs_diff(self.evicted) < EVICT_BYTES {
            return;
        }
        self.evicted = written;
        if let Some(present) = &mut self.present {
            present.evict(max_bytes);
        }
        for snapshot in &mut self.snapshots {
            let since = written.saturating_sub(snapshot.state.written);
            snapshot.state.evict(max_bytes.saturating_sub(since));
        }
    }

    /// Notes an input that is about to be applied.
    pub(crate) fn journal(&mut self, state: &State, input: &Input) {
        if let Input::Command(command) = input {
            let crash = matches!(command, Command::KillBroker { .. });
            let kind = if crash {
                TickKind::Crash
            } else {
                TickKind::User
            };
            self.ticks.push_back((state.now, kind));
            self.redo.clear();
        }
        if self.is_journal_full() {
            self.snapshot(state);
        }
        let entry = Journaled {
            event: self.events,
            at: state.now,
            input: input.clone(),
        };
        self.bytes += entry.bytes();
        self.journal.push_back(entry);
    }

    fn truncate_journal(&mut self, at: usize) {
        let gone = self.journal.iter().skip(at).map(Journaled::bytes);
        self.bytes -= gone.sum::<u64>();
        self.journal.truncate(at);
    }

    fn start(&self) -> Time {
        self.snapshots
            .front()
            .map_or(Time(0), |first| first.state.now)
    }
}

impl World {
    /// How many inputs the journal holds, those already let go counted too.
    #[must_use]
    pub fn journal_length(&self) -> u64 {
        self.history.dropped + self.history.journal.len() as u64
    }

    /// Whether an older moment than the newest is shown.
    #[must_use]
    pub fn is_in_the_past(&self) -> bool {
        self.history.present.is_some()
    }

    /// The newest moment, whatever is shown.
    #[must_use]
    pub fn newest(&self) -> Time {
        self.present().now
    }

    /// The moment where history begins.
    #[must_use]
    pub fn history_start(&self) -> Time {
        self.history.start()
    }

    /// Shows the moment `millis` after the world began; nothing is lost by looking.
    ///
    /// When bytes on the way there are not in memory, the world waits for them ([`World::owed`]) and
    /// goes on by itself; until then [`World::is_playing`].
    pub fn seek(&mut self, millis: u64) {
        self.seek_present();
        let wanted = self
            .state
            .began
            .plus_millis(millis)
            .max(self.history.start());
        if wanted < self.state.now {
            self.play(Goal::Moment(wanted));
        }
    }

    /// Whether an earlier moment is being played again and waits for bytes.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        self.history.playing.is_some()
    }

    /// Back to the newest moment.
    pub fn seek_present(&mut self) {
        self.history.playing = None;
        if let Some(present) = self.history.present.take() {
            self.state = *present;
        }
    }

    /// Goes on from the moment shown: what came after it is given up. Says whether that was the past.
    pub fn continue_here(&mut self) -> bool {
        if self.history.present.is_none() || self.is_playing() {
            return false;
        }
        self.history.present = None;
        self.forget_after(self.state.now);
        self.fork();
        true
    }

    /// What is stored is of a present that has been given up: every log is cut to what it is now.
    fn fork(&mut self) {
        self.state.close_outside();
        self.history.forked = true;
        self.state.writes.clear();
        if self.state.keeps_writes {
            self.state.write_all();
        }
    }

    /// Whether, since the last call, the past was continued: everything stored is to be written anew.
    pub fn take_fork(&mut self) -> bool {
        core::mem::take(&mut self.history.forked)
    }

    /// Rewinds to just before the last thing a person did; `false` when there is none in history.
    ///
    /// As with [`World::seek`], the world may have to wait for bytes on the way.
    pub fn undo(&mut self) -> bool {
        self.seek_present();
        let is_command = |entry: &Journaled| matches!(entry.input, Input::Command(_));
        let Some(at) = self.history.journal.iter().rposition(is_command) else {
            return false;
        };
        let target = self.history.dropped + at as u64;
        let reaches = |first: &Snapshot| target >= first.inputs;
        if !self.history.snapshots.front().is_some_and(reaches) {
            return false;
        }
        self.play(Goal::Undo(target));
        true
    }

    /// The world stands just before input `target`: it and all after it are given up.
    fn undone(&mut self, target: u64) {
        self.history.present = None;
        let at = usize::try_from(target - self.history.dropped).unwrap_or(usize::MAX);
        let Some(undone) = self.history.journal.get(at).cloned() else {
            return;
        };
        // Time may have passed since the last event before it.
        self.state.now = self.state.now.max(undone.at);
        let mut redo = core::mem::take(&mut self.history.redo);
        if let Input::Command(command) = undone.input {
            redo.push(command);
        }
        self.history.truncate_journal(at);
        self.history.events = undone.event;
        self.history
            .snapshots
            .retain(|snapshot| snapshot.inputs <= target && snapshot.events <= undone.event);
        self.forget_after(undone.at);
        self.fork();
        self.history.redo = redo;
    }

    /// Does again what was undone last; `false` when there is nothing.
    pub fn redo(&mut self) -> Option<u32> {
        let command = self.history.redo.pop()?;
        let rest = core::mem::take(&mut self.history.redo);
        let id = self.input(Input::Command(command));
        self.history.redo = rest;
        Some(id)
    }

    /// Gives up what would be done again next.
    pub fn skip_redo(&mut self) {
        self.history.redo.pop();
    }

    /// What the timeline shows.
    #[must_use]
    pub fn timeline(&self) -> TimelineView {
        let state = &self.state;
        let newest = self
            .history
            .present
            .as_ref()
            .map_or(state.now, |present| present.now);
        let millis = |time: Time| state.world_millis(time);
        let can_undo = self
            .history
            .journal
            .iter()
            .any(|entry| matches!(entry.input, Input::Command(_)));
        TimelineView {
            start: millis(self.history.start()),
            end: millis(newest),
            now: millis(state.now),
            ticks: self
                .history
                .ticks
                .iter()
                .map(|(at, kind)| (millis(*at), *kind))
                .collect(),
            appended: self
                .history
                .appended
                .iter()
                .map(|(at, count)| (millis(*at), *count))
                .collect(),
            can_undo,
            can_redo: !self.history.redo.is_empty(),
        }
    }

    /// Plays again from the nearest snapshot to an earlier moment; the present is kept aside.
    fn play(&mut self, goal: Goal) {
        let history = &self.history;
        let fits = |snapshot: &&Snapshot| match goal {
            Goal::Moment(wanted) => snapshot.state.now <= wanted,
            Goal::Undo(target) => snapshot.inputs <= target,
        };
        let from = history.snapshots.iter().rev().find(fits);
        let Some(from) = from.or_else(|| history.snapshots.front()) else {
            return;
        };
        let mut state = from.state.clone();
        let playing = Playing {
            inputs: from.inputs,
            events: from.events,
            goal,
        };
        state.keeps_writes = false;
        let present = core::mem::replace(&mut self.state, state);
        self.history.present = Some(Box::new(present));
        self.history.playing = Some(playing);
        self.play_on();
    }

    /// Plays on until the goal is reached, or until bytes are needed that are not in memory.
    pub(crate) fn play_on(&mut self) {
        let Some(mut playing) = self.history.playing else {
            return;
        };
        let state = &mut self.state;
        loop {
            if state.waits() {
                state.forget_said();
                self.history.playing = Some(playing);
                return;
            }
            let next = usize::try_from(playing.inputs - self.history.dropped)
                .ok()
                .and_then(|at| self.history.journal.get(at));
            if let Some(entry) = next
                && entry.event == playing.events
            {
                let over = match playing.goal {
                    Goal::Moment(wanted) => entry.at > wanted,
                    Goal::Undo(target) => playing.inputs >= target,
                };
                if over {
                    break;
                }
                state.now = state.now.max(entry.at);
                state.take_input(entry.input.clone());
                playing.inputs += 1;
                continue;
            }
            let due = state.next_time();
            // An undo ends at an input: everything before that happens.
            let goes_on = match playing.goal {
                Goal::Moment(wanted) => due.is_some_and(|due| due <= wanted),
                Goal::Undo(_) => next.is_some() && due.is_some(),
            };
            if !goes_on {
                break;
            }
            state.step();
            playing.events += 1;
        }
        state.forget_said();
        let present = self.history.present.as_ref();
        state.keeps_writes = present.is_some_and(|present| present.keeps_writes);
        self.history.playing = None;
        match playing.goal {
            Goal::Moment(wanted) => self.state.now = self.state.now.max(wanted),
            Goal::Undo(target) => self.undone(target),
        }
    }

    /// The newest moment, whatever is shown.
    pub(crate) fn present(&self) -> &State {
        self.history.present.as_deref().unwrap_or(&self.state)
    }

    fn forget_after(&mut self, at: Time) {
        let history = &mut self.history;
        let kept = history.journal.partition_point(|entry| entry.at <= at);
        history.truncate_journal(kept);
        history
            .snapshots
            .retain(|snapshot| snapshot.state.now <= at);
        history.ticks.retain(|(tick, _)| *tick <= at);
        history.appended.retain(|(end, _)| *end <= at);
        history.redo.clear();
        if let Some(last) = history.snapshots.back() {
            history.events = history.events.max(last.events);
        }
        let mut copy = self.state.clone();
        copy.leave_outside();
        let inputs = history.dropped + history.journal.len() as u64;
        // From here on events are counted anew, so that journal and snapshots agree.
        history.snapshots.push_back(Snapshot {
            state: copy,
            inputs,
            events: history.events,
        });
        if history.appended.is_empty() {
            history
                .appended
                .push_back((at, self.state.appended_total()));
        }
    }
}
