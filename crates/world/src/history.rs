//! History: every input with its time, and snapshots from which any moment is played again.
//!
//! Playing again gives the same world, so the past is not stored but found: the nearest snapshot,
//! the inputs after it, and the events in between.

use crate::command::Command;
use crate::state::{Said, State};
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

#[derive(Debug)]
struct Snapshot {
    state: State,
    /// Inputs journaled before it, since the journal's first.
    inputs: u64,
    events: u64,
}

/// The journal and its snapshots.
#[derive(Debug)]
pub(crate) struct History {
    snapshots: VecDeque<Snapshot>,
    journal: VecDeque<Journaled>,
    /// Inputs that were dropped from the journal's front.
    dropped: u64,
    events: u64,
    ticks: VecDeque<(Time, TickKind)>,
    /// Records appended by the end of each second.
    appended: VecDeque<(Time, u64)>,
    redo: Vec<Command>,
    /// The newest moment, while an older one is looked at.
    present: Option<Box<State>>,
    /// The past was continued, so what is stored no longer fits.
    forked: bool,
    looked: usize,
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
            dropped: 0,
            events: 0,
            ticks: VecDeque::new(),
            appended: VecDeque::from([(state.now, 0)]),
            redo: Vec::new(),
            present: None,
            forked: false,
            looked: 0,
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
            || (self.journal.len() > INPUTS_MAX && self.snapshots.len() > 1)
        {
            self.snapshots.pop_front();
            let Some(first) = self.snapshots.front() else {
                break;
            };
            while self.dropped < first.inputs && self.journal.pop_front().is_some() {
                self.dropped += 1;
            }
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
        self.journal.push_back(Journaled {
            event: self.events,
            at: state.now,
            input: input.clone(),
        });
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

    /// Shows the moment `millis` after the world began; nothing is lost by looking.
    pub fn seek(&mut self, millis: u64) {
        let present = self
            .history
            .present
            .take()
            .map_or_else(|| self.state.clone(), |present| *present);
        let wanted = self
            .state
            .began
            .plus_millis(millis)
            .max(self.history.start());
        if wanted >= present.now {
            self.state = present;
            return;
        }
        self.state = self.play_to(|state, _| state.now <= wanted, Some(wanted));
        self.history.present = Some(Box::new(present));
    }

    /// Back to the newest moment.
    pub fn seek_present(&mut self) {
        if let Some(present) = self.history.present.take() {
            self.state = *present;
        }
    }

    /// Goes on from the moment shown: what came after it is given up. Says whether that was the past.
    pub fn continue_here(&mut self) -> bool {
        if self.history.present.take().is_none() {
            return false;
        }
        self.forget_after(self.state.now);
        self.state.close_outside();
        self.history.forked = true;
        true
    }

    /// Whether, since the last call, the past was continued: everything stored is to be written anew.
    pub fn take_fork(&mut self) -> bool {
        core::mem::take(&mut self.history.forked)
    }

    /// Rewinds to just before the last thing a person did; `false` when there is none in history.
    pub fn undo(&mut self) -> bool {
        self.seek_present();
        let is_command = |entry: &Journaled| matches!(entry.input, Input::Command(_));
        let Some(at) = self.history.journal.iter().rposition(is_command) else {
            return false;
        };
        let target = self.history.dropped + at as u64;
        let Some(first) = self.history.snapshots.front() else {
            return false;
        };
        if target < first.inputs {
            return false;
        }
        let mut state = self.play_to(|_, inputs| inputs < target, None);
        let Some(undone) = self.history.journal.get(at).cloned() else {
            return false;
        };
        // Time may have passed since the last event before it.
        state.now = state.now.max(undone.at);
        let mut redo = core::mem::take(&mut self.history.redo);
        if let Input::Command(command) = undone.input {
            redo.push(command);
        }
        self.state = state;
        self.history.journal.truncate(at);
        self.history.events = undone.event;
        self.history
            .snapshots
            .retain(|snapshot| snapshot.inputs <= target && snapshot.events <= undone.event);
        self.forget_after(undone.at);
        self.state.close_outside();
        self.history.redo = redo;
        self.history.forked = true;
        true
    }

    /// Does again what was undone last; `false` when there is nothing.
    pub fn redo(&mut self) -> Option<u32> {
        let command = self.history.redo.pop()?;
        let rest = core::mem::take(&mut self.history.redo);
        let id = self.input(Input::Command(command));
        self.history.redo = rest;
        Some(id)
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

    /// Plays again from the nearest snapshot while `keep(state, inputs applied)` says so.
    fn play_to(&self, keep: impl Fn(&State, u64) -> bool, until: Option<Time>) -> State {
        let history = &self.history;
        let fits = |snapshot: &&Snapshot| {
            keep(&snapshot.state, snapshot.inputs) || until.is_none() && snapshot.inputs == 0
        };
        let from = history
            .snapshots
            .iter()
            .rev()
            .find(fits)
            .or_else(|| history.snapshots.front());
        let Some(from) = from else {
            return self.state.clone();
        };
        let mut state = from.state.clone();
        state.keeps_writes = false;
        let (mut inputs, mut events) = (from.inputs, from.events);
        loop {
            let next = usize::try_from(inputs - history.dropped)
                .ok()
                .and_then(|at| history.journal.get(at));
            if let Some(entry) = next
                && entry.event == events
            {
                if !keep(&state, inputs) || until.is_some_and(|until| entry.at > until) {
                    break;
                }
                state.now = state.now.max(entry.at);
                state.take_input(entry.input.clone());
                inputs += 1;
                continue;
            }
            let due = state.next_time();
            // Without a time, the end is an input: everything before it happens.
            let goes_on = match until {
                Some(until) => due.is_some_and(|due| due <= until),
                None => next.is_some() && due.is_some(),
            };
            if !goes_on || !state.owed.is_empty() {
                break;
            }
            state.step();
            events += 1;
        }
        if let Some(until) = until {
            state.now = state.now.max(until);
        }
        state.said.clear();
        state.writes.clear();
        state.keeps_writes = self.state.keeps_writes;
        state
    }

    fn forget_after(&mut self, at: Time) {
        let history = &mut self.history;
        history.journal.retain(|entry| entry.at <= at);
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
