//! History: every input with its time, and snapshots from which any moment is played again.
//!
//! Playing again gives the same world, so the past is not stored but found: the nearest snapshot,
//! the inputs after it, and the events in between. Looking never destroys: who does something in the past
//! turns off there, and the branch that was left is kept ([`branches`]).

mod branches;
mod journal;
mod play;

use crate::said::Said;
use crate::state::State;
use crate::world::{Input, TickKind, TimelineView, World};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
pub use branches::Redone;
use branches::{Left, Redo};
use cluster::Note;
use ids::Time;
use journal::Journal;
pub(crate) use journal::only_reads;
use play::Goal;

/// Events between two snapshots: few enough to be played again at once.
const SNAPSHOT_EVENTS: u64 = 10_000;
/// World time between two snapshots.
const SNAPSHOT_MICROS: u64 = 10_000_000;
/// Snapshots kept; the oldest goes first, and history begins later.
const SNAPSHOTS_MAX: usize = 64;
/// Bytes written between two looks at what the snapshots hold in memory.
const EVICT_BYTES: u64 = 1 << 20;
/// Ticks kept for the timeline.
const TICKS_MAX: usize = 1_000;
/// Seconds of rates kept for the timeline.
const RATES_MAX: usize = 3_600;

/// A place in history: how much had come in, and how much had happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Inputs applied, since the journal's first.
    pub(crate) inputs: u64,
    /// Events that have happened.
    pub(crate) events: u64,
}

impl Position {
    /// Whether this place is not behind `other`.
    fn is_up_to(self, other: Position) -> bool {
        self.inputs <= other.inputs && self.events <= other.events
    }
}

#[derive(Debug)]
struct Snapshot {
    state: State,
    place: Position,
}

/// A mark on the timeline.
#[derive(Clone, Copy, Debug)]
struct Tick {
    at: Time,
    kind: TickKind,
    /// Where in history it was made.
    place: Position,
}

/// Something a person did that can be taken back.
#[derive(Clone, Debug)]
struct Step {
    /// The places of its inputs in the journal, since the journal's first: most steps have one.
    inputs: Vec<u64>,
    /// The number that the answers of its last input carry.
    number: u32,
    /// What it is called: a command's name, or a command line.
    label: String,
    /// Kafka or the world refused it. Taking it back would change nothing that anyone can see, so it
    /// goes together with the one before it.
    refused: bool,
}

impl Step {
    /// Where it begins.
    fn begins(&self) -> u64 {
        self.inputs.first().copied().unwrap_or(0)
    }
}

/// The journal and its snapshots.
#[derive(Debug)]
pub(crate) struct History {
    snapshots: VecDeque<Snapshot>,
    journal: Journal,
    /// Events that have happened by the newest moment.
    events: u64,
    ticks: VecDeque<Tick>,
    /// Records appended by the end of each second.
    appended: VecDeque<(Time, u64)>,
    steps: VecDeque<Step>,
    redo: Vec<Redo>,
    /// Branches that were left by doing something in the past, the newest last.
    left: Vec<Left>,
    /// The newest moment, while an older one is looked at.
    pub(crate) present: Option<Box<State>>,
    /// Where the moment shown stands, while it is an older one.
    shown: Position,
    /// An earlier moment is being played again and waits for bytes.
    goal: Option<Goal>,
    /// Another branch was taken, so what is stored no longer fits.
    forked: bool,
    looked: usize,
    /// Bytes that had been written when bytes were last let go of.
    evicted: u64,
}

impl History {
    /// The history of a world that begins as `first` is.
    pub(crate) fn new(first: State) -> History {
        let now = first.now;
        let first = Snapshot {
            state: first,
            place: Position::default(),
        };
        History {
            snapshots: VecDeque::from([first]),
            journal: Journal::default(),
            events: 0,
            ticks: VecDeque::new(),
            appended: VecDeque::from([(now, 0)]),
            steps: VecDeque::new(),
            redo: Vec::new(),
            left: Vec::new(),
            present: None,
            shown: Position::default(),
            goal: None,
            forked: false,
            looked: 0,
            evicted: 0,
        }
    }

    /// Where the newest moment stands.
    fn end(&self) -> Position {
        Position {
            inputs: self.journal.end(),
            events: self.events,
        }
    }

    /// One event has happened.
    pub(crate) fn noted(&mut self, state: &State) {
        self.events += 1;
        self.hear(state);
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
            self.events - last.place.events >= SNAPSHOT_EVENTS
                || state.now.since(last.state.now) >= SNAPSHOT_MICROS
        });
        if due {
            self.snapshot(state);
        }
    }

    /// What was said has been taken: what is said next is all new.
    pub(crate) fn said_is_taken(&mut self) {
        self.looked = 0;
    }

    /// Marks what the world said since the last look.
    fn hear(&mut self, state: &State) {
        for said in state.said.get(self.looked..).unwrap_or_default() {
            match said {
                Said::Note {
                    note: Note::Rebalanced { .. },
                    ..
                } => self.tick(state.now, TickKind::Rebalance),
                Said::Refused { input, .. } => {
                    let mut steps = self.steps.iter_mut();
                    if let Some(step) = steps.rfind(|step| u64::from(step.number) == *input) {
                        // What came before in the same step was carried out.
                        step.refused = step.inputs.len() == 1;
                    }
                }
                _ => {}
            }
        }
        self.looked = state.said.len();
    }

    fn tick(&mut self, at: Time, kind: TickKind) {
        let place = self.end();
        self.ticks.push_back(Tick { at, kind, place });
        while self.ticks.len() > TICKS_MAX {
            self.ticks.pop_front();
        }
    }

    fn snapshot(&mut self, state: &State) {
        let mut copy = state.clone();
        copy.leave_outside();
        self.snapshots.push_back(Snapshot {
            state: copy,
            place: self.end(),
        });
        while self.snapshots.len() > SNAPSHOTS_MAX
            || self.snapshots.len() > 1 && (self.journal.is_full() || self.holds_too_much(state))
        {
            self.snapshots.pop_front();
            let Some(first) = self.snapshots.front() else {
                break;
            };
            let begin = first.place;
            self.journal.forget_before(begin.inputs);
            self.steps.retain(|step| step.begins() >= begin.inputs);
            self.left.retain(|left| begin.is_up_to(left.from));
            for redo in &mut self.redo {
                redo.forget_before(begin);
            }
        }
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
        if let Some(present) = &mut self.present {
            present.disk_bytes = Some(max_bytes);
        }
    }

    /// Takes that bound away.
    pub(crate) fn free_disks(&mut self) {
        for snapshot in &mut self.snapshots {
            snapshot.state.free_disks();
        }
        if let Some(present) = &mut self.present {
            present.free_disks();
        }
    }

    /// Lets go of every earlier moment.
    pub(crate) fn forget(&mut self, state: &State) {
        self.snapshots.clear();
        self.redo.clear();
        self.left.clear();
        self.steps.clear();
        self.journal.forget_before(self.journal.end());
        self.snapshot(state);
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
    fn note_input(&mut self, state: &State, input: &Input) {
        if self.journal.is_full() {
            self.snapshot(state);
        }
        self.journal.push(self.events, state.now, input.clone());
        if let Some(kind) = input.tick() {
            self.tick(state.now, kind);
        }
    }

    /// Notes the input that was journaled last as a step, or as more of the last one; `number` is what its
    /// answers carry.
    fn note_step(&mut self, number: u32, label: Option<String>) {
        let Some(label) = label else {
            return;
        };
        self.redo.clear();
        let at = self.journal.end().saturating_sub(1);
        let continued = self.steps.back_mut().filter(|step| {
            let before = step
                .inputs
                .last()
                .and_then(|before| self.journal.get(*before));
            let input = self.journal.get(at);
            input
                .zip(before)
                .is_some_and(|(input, before)| input.input.continues(&before.input))
        });
        match continued {
            Some(step) => {
                step.inputs.push(at);
                step.number = number;
            }
            None => self.steps.push_back(Step {
                inputs: Vec::from([at]),
                number,
                label,
                refused: false,
            }),
        }
    }

    fn start(&self) -> Time {
        self.snapshots
            .front()
            .map_or(Time(0), |first| first.state.now)
    }
}

impl World {
    /// Takes an input; gives the number that answers to it carry.
    ///
    /// While an older moment is shown, what a person does there begins a branch, and what belongs to
    /// someone who is running already reaches that one where it is: at the newest moment.
    pub fn input(&mut self, input: Input) -> u32 {
        let label = input.step_label();
        if label.is_some() {
            self.branch_here();
        }
        let aside = self.enter_newest();
        self.history.note_input(&self.state, &input);
        let number = self.state.take_input(input);
        self.history.note_step(number, label);
        self.history.hear(&self.state);
        self.leave_newest(aside);
        number
    }

    /// Puts the newest moment in the place of the one shown, which is given.
    fn enter_newest(&mut self) -> Option<State> {
        let present = self.history.present.take()?;
        Some(core::mem::replace(&mut self.state, *present))
    }

    fn leave_newest(&mut self, aside: Option<State>) {
        if let Some(shown) = aside {
            let present = core::mem::replace(&mut self.state, shown);
            self.history.present = Some(Box::new(present));
        }
    }

    /// How many inputs the journal holds, those already let go counted too.
    #[must_use]
    pub fn journal_length(&self) -> u64 {
        self.history.journal.end()
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

    /// History begins at the newest moment: there is nothing to go back to, or to undo.
    pub fn forget_history(&mut self) {
        self.seek_present();
        self.history.forget(&self.state);
    }

    /// The moment where history begins.
    #[must_use]
    pub fn history_start(&self) -> Time {
        self.history.start()
    }

    /// The newest moment, whatever is shown.
    pub(crate) fn present(&self) -> &State {
        self.history.present.as_deref().unwrap_or(&self.state)
    }

    /// What the timeline shows.
    #[must_use]
    pub fn timeline(&self) -> TimelineView {
        let state = &self.state;
        let millis = |time: Time| state.world_millis(time);
        let ticks = self.history.ticks.iter();
        let appended = self.history.appended.iter();
        TimelineView {
            start: millis(self.history.start()),
            end: millis(self.newest()),
            now: millis(state.now),
            ticks: ticks.map(|tick| (millis(tick.at), tick.kind)).collect(),
            appended: appended.map(|(at, count)| (millis(*at), *count)).collect(),
            undo: self.to_undo().map(Into::into),
            redo: self.to_redo().map(Into::into),
        }
    }
}
