//! Steps, and the branches they leave: what a person did is taken back and done again, and nothing that
//! has happened is lost by it.
//!
//! Whoever does something in the past turns off there; taking that back leads to the branch that was left,
//! with everything that came after. Taking a step back keeps, too, what had become of it: doing it again leads
//! there. What is kept aside is bounded; what does not fit is let go, the oldest first.

use super::journal::Journaled;
use super::play::Goal;
use super::{History, Position, Snapshot, Step, Tick};
use crate::disk::DiskWrite;
use crate::state::State;
use crate::world::{Input, World};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use ids::Time;

/// Branches kept aside.
const LEFT_MAX: usize = 8;
/// Bytes of records that all branches aside may hold of their own, and so the most that one may.
const LEFT_BYTES_MAX: u64 = 32 << 20;

/// What history has behind a place.
#[derive(Debug)]
struct Tail {
    journal: VecDeque<Journaled>,
    snapshots: VecDeque<Snapshot>,
    ticks: VecDeque<Tick>,
    appended: VecDeque<(Time, u64)>,
    steps: VecDeque<Step>,
    left: Vec<Left>,
    events: u64,
}

/// A branch that was left: how the world went on from a place where someone turned off.
#[derive(Debug)]
pub(super) struct Left {
    /// Where it was left.
    pub(super) from: Position,
    at: Time,
    /// Its newest moment.
    present: Box<State>,
    /// What was written to disks up to where it was left.
    stored: Vec<DiskWrite>,
    tail: Tail,
    redo: Vec<Redo>,
    /// Bytes appended to logs behind that place.
    appended: u64,
}

impl Left {
    /// Bytes of logs that nothing else holds.
    fn bytes(&self) -> u64 {
        let left = self.tail.left.iter().map(Left::bytes);
        let redo = self.redo.iter().map(Redo::bytes);
        self.appended + left.chain(redo).sum::<u64>()
    }
}

/// A step that was taken back.
#[derive(Debug)]
pub(super) struct Redo {
    inputs: Vec<Input>,
    step: Step,
    /// How the world had gone on after it, while that is kept.
    left: Option<Left>,
}

impl Redo {
    fn bytes(&self) -> u64 {
        self.left.as_ref().map_or(0, Left::bytes)
    }

    /// History begins at `begin` now: a branch from before that has nothing to stand on.
    pub(super) fn forget_before(&mut self, begin: Position) {
        self.left.take_if(|left| !begin.is_up_to(left.from));
    }
}

impl History {
    /// Takes off what history has behind `from`, which was at `at`.
    fn split_off(&mut self, from: Position, at: Time) -> Tail {
        let is_kept = |place: Position| place.is_up_to(from);
        Tail {
            journal: self.journal.split_off(from.inputs),
            snapshots: split(&mut self.snapshots, |kept| is_kept(kept.place)),
            ticks: split(&mut self.ticks, |tick| is_kept(tick.place)),
            appended: split(&mut self.appended, |(end, _)| *end <= at),
            steps: split(&mut self.steps, |step| step.begins() < from.inputs),
            left: {
                let kept = |left: &&Left| left.from.inputs < from.inputs;
                let count = self.left.iter().take_while(kept).count();
                self.left.split_off(count)
            },
            events: core::mem::replace(&mut self.events, from.events),
        }
    }

    /// Puts what was taken off back to its end.
    fn join(&mut self, tail: Tail) {
        self.journal.append(tail.journal);
        self.snapshots.extend(tail.snapshots);
        self.ticks.extend(tail.ticks);
        self.appended.extend(tail.appended);
        self.steps.extend(tail.steps);
        self.left.extend(tail.left);
        self.events = tail.events;
    }

    /// Leaves the branch whose newest moment is `present`, at `from`, where the world is `shown`.
    fn leave(&mut self, from: Position, shown: &State, present: Box<State>) -> Left {
        let tail = self.split_off(from, shown.now);
        if self.appended.is_empty() {
            self.appended.push_back((shown.now, shown.appended_total()));
        }
        Left {
            from,
            at: shown.now,
            stored: shown.all_written(),
            tail,
            redo: core::mem::take(&mut self.redo),
            appended: present.written.saturating_sub(shown.written),
            present,
        }
    }

    /// Keeps a branch that was left by a deed in the past, and lets go of the oldest when it is too much.
    fn keep_left(&mut self, left: Left) {
        self.left.push(left);
        let too_much = |kept: &[Left]| {
            kept.len() > LEFT_MAX || kept.iter().map(Left::bytes).sum::<u64>() > LEFT_BYTES_MAX
        };
        while self.left.len() > 1 && too_much(&self.left) {
            self.left.remove(0);
        }
    }

    /// Keeps a step that was taken back with what had become of it, as far as there is room.
    fn keep_redo(&mut self, redo: Redo) {
        self.redo.push(redo);
        let mut room = LEFT_BYTES_MAX;
        let mut count = 0;
        for redo in self.redo.iter_mut().rev() {
            count += usize::from(redo.left.is_some());
            match room.checked_sub(redo.bytes()) {
                Some(rest) if count <= LEFT_MAX => room = rest,
                _ => redo.left = None,
            }
        }
    }
}

/// Takes off the end of `all` from the first on that is not to be kept.
fn split<T>(all: &mut VecDeque<T>, is_kept: impl Fn(&T) -> bool) -> VecDeque<T> {
    let kept = all.iter().take_while(|each| is_kept(each)).count();
    all.split_off(kept)
}

impl World {
    /// Whether what came after the moment shown could be kept aside: it must lie in memory, and not be
    /// much. True at the newest moment.
    #[must_use]
    pub fn can_branch(&self) -> bool {
        let Some(present) = &self.history.present else {
            return true;
        };
        let bytes = present.written.saturating_sub(self.state.written);
        bytes <= LEFT_BYTES_MAX && present.has_in_memory_since(&self.state)
    }

    /// Turns off at the moment shown: what came after it is left aside, and [`World::undo`] of what is done
    /// here leads back to it. Says whether that was the past.
    pub fn branch_here(&mut self) -> bool {
        if self.is_playing() {
            return false;
        }
        let Some(present) = self.history.present.take() else {
            return false;
        };
        self.state.keeps_writes = present.keeps_writes;
        let from = self.history.shown;
        let left = self.history.leave(from, &self.state, present);
        self.history.keep_left(left);
        self.fork(self.state.all_written());
        true
    }

    /// What is stored is of another branch: every log is cut to what both have, and written on from there.
    fn fork(&mut self, stored: Vec<DiskWrite>) {
        self.state.close_outside();
        self.history.forked = true;
        self.state.writes.clear();
        if self.state.keeps_writes {
            self.state.writes = stored;
        }
    }

    /// Whether, since the last call, another branch was taken: everything stored is to be written anew.
    pub fn take_fork(&mut self) -> bool {
        core::mem::take(&mut self.history.forked)
    }

    /// What undoing would take back.
    #[must_use]
    pub fn to_undo(&self) -> Option<&str> {
        let begin = self.history.snapshots.front()?.place.inputs;
        let step = self.history.steps.iter().rfind(|step| !step.refused)?;
        (step.begins() >= begin).then_some(&*step.label)
    }

    /// What would be done again.
    #[must_use]
    pub fn to_redo(&self) -> Option<&str> {
        let redo = self.history.redo.iter().rfind(|redo| !redo.step.refused)?;
        Some(&redo.step.label)
    }

    /// Rewinds to just before the last thing a person did that was not refused; `false` when there is
    /// none in history.
    ///
    /// As with [`World::seek`], the world may have to wait for bytes on the way.
    pub fn undo(&mut self) -> bool {
        if self.to_undo().is_none() {
            return false;
        }
        self.seek_present();
        let Some(step) = self.history.steps.iter().rfind(|step| !step.refused) else {
            return false;
        };
        let target = step.begins();
        let is_there = |left: &Left| left.from.inputs == target;
        if self.history.left.last().is_some_and(is_there) {
            self.turn_back(target);
        } else {
            self.play(Goal::Undo(target));
        }
        true
    }

    /// Takes back the step by which someone turned off in the past: the branch that was left is there
    /// again, shown where it was left.
    fn turn_back(&mut self, target: u64) {
        let Some(left) = self.history.left.pop() else {
            return;
        };
        let at = left.at;
        let again = self.taken_back(target);
        self.rejoin(left);
        self.history.redo.extend(again);
        if at < self.state.now {
            self.play(Goal::Moment(at));
        }
    }

    /// The world stands just before input `target`: it and all after it are taken back.
    pub(super) fn undone(&mut self, target: u64) {
        let entry = self.history.journal.get(target);
        let (Some(entry), Some(present)) = (entry, self.history.present.take()) else {
            return;
        };
        let from = Position {
            inputs: target,
            events: entry.event,
        };
        // Time may have passed since the last event before it.
        self.state.now = self.state.now.max(entry.at);
        self.state.keeps_writes = present.keeps_writes;
        let is_kept = present.has_in_memory_since(&self.state);
        let again = self.taken_back(target);
        let redo = core::mem::take(&mut self.history.redo);
        let left = self.history.leave(from, &self.state, present);
        self.history.redo = redo;
        let mut left = Some(left).filter(|_| is_kept);
        for mut redo in again {
            // What was refused along with it goes with it, and leads to nothing of its own.
            redo.left = left.take_if(|_| !redo.step.refused);
            self.history.keep_redo(redo);
        }
        self.fork(self.state.all_written());
    }

    /// The steps from input `target` on, to be done again, the last first.
    fn taken_back(&self, target: u64) -> Vec<Redo> {
        let steps = self.history.steps.iter().rev();
        let taken = steps.take_while(|step| step.begins() >= target);
        let input = |at: &u64| Some(self.history.journal.get(*at)?.input.clone());
        let redo = |step: &Step| Redo {
            inputs: step.inputs.iter().filter_map(input).collect(),
            step: step.clone(),
            left: None,
        };
        taken.map(redo).collect()
    }

    /// Does again what was undone last and had not been refused; `None` when there is nothing.
    pub fn redo(&mut self) -> Option<Redone> {
        let mut rest = core::mem::take(&mut self.history.redo);
        while rest.last().is_some_and(|redo| redo.step.refused) {
            rest.pop();
        }
        let redo = rest.pop()?;
        let redone = match redo.left {
            Some(left) => {
                self.seek_present();
                self.rejoin(left);
                Redone::Rejoined
            }
            None => {
                let mut numbers = redo.inputs.into_iter().map(|input| self.input(input));
                let number = numbers.by_ref().last();
                Redone::Given(number.unwrap_or_default())
            }
        };
        self.history.redo = rest;
        Some(redone)
    }

    /// Takes a branch that was left: the world is at its newest moment. What history has behind the place
    /// where it was left goes.
    fn rejoin(&mut self, left: Left) {
        drop(self.history.split_off(left.from, left.at));
        self.history.join(left.tail);
        self.history.redo = left.redo;
        self.state = *left.present;
        self.fork(left.stored);
    }
}

/// What doing something again came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redone {
    /// The world is as it had become after it.
    Rejoined,
    /// It was given again; its answer carries this number.
    Given(u32),
}
