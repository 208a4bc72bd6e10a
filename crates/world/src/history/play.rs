//! Playing again: from the nearest snapshot to an earlier moment, and on from there.

use super::Snapshot;
use crate::state::State;
use crate::world::World;
use alloc::boxed::Box;
use ids::Time;

/// Where playing ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// At a moment, which is only looked at.
    Moment(Time),
    /// Just before this input, which is undone.
    Undo(u64),
}

/// What history holds next.
enum Next {
    /// An input that came at this time.
    Input(Time),
    /// An event that happened at this time.
    Event(Time),
    /// Nothing: what comes is not history.
    End,
}

impl World {
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
        self.history.goal.is_some()
    }

    /// Back to the newest moment.
    pub fn seek_present(&mut self) {
        self.history.goal = None;
        if let Some(present) = self.history.present.take() {
            self.state = *present;
        }
    }

    /// From the past on: lets what happened happen again, up to `until` and at most `max` things; gives
    /// their number. Past the newest moment the world is there again.
    pub(crate) fn replay_until(&mut self, until: Time, max: u64) -> u64 {
        let newest = self.newest();
        let mut done = 0;
        while done < max && !self.stands_still() && self.replay(until) {
            done += 1;
        }
        self.state.forget_said();
        if self.stands_still() {
            return done;
        }
        let over = match self.next_recorded() {
            Next::Input(at) | Next::Event(at) => at > until,
            Next::End => true,
        };
        if over && until >= newest {
            self.seek_present();
        } else if over {
            self.state.now = self.state.now.max(until);
        }
        done
    }

    /// One thing that happened happens again, if it did by `until`; says whether it did.
    pub(crate) fn replay(&mut self, until: Time) -> bool {
        match self.next_recorded() {
            Next::Input(at) if at <= until => self.replay_input(),
            Next::Event(at) if at <= until => self.replay_event(),
            _ => return false,
        }
        true
    }

    fn next_recorded(&self) -> Next {
        let shown = self.history.shown;
        if let Some(entry) = self.history.journal.get(shown.inputs)
            && entry.event == shown.events
        {
            return Next::Input(entry.at);
        }
        match self.state.next_time() {
            Some(due) if shown.events < self.history.events => Next::Event(due),
            _ => Next::End,
        }
    }

    fn replay_input(&mut self) {
        let shown = &mut self.history.shown;
        if let Some(entry) = self.history.journal.get(shown.inputs) {
            self.state.now = self.state.now.max(entry.at);
            self.state.take_input(entry.input.clone());
            shown.inputs += 1;
        }
    }

    fn replay_event(&mut self) {
        self.state.step();
        self.history.shown.events += 1;
    }

    /// Plays again from the nearest snapshot to an earlier moment; the present is kept aside.
    pub(super) fn play(&mut self, goal: Goal) {
        let fits = |snapshot: &&Snapshot| match goal {
            Goal::Moment(wanted) => snapshot.state.now <= wanted,
            Goal::Undo(target) => snapshot.place.inputs <= target,
        };
        let snapshots = &self.history.snapshots;
        let from = snapshots.iter().rev().find(fits);
        let Some(from) = from.or_else(|| snapshots.front()) else {
            return;
        };
        let mut state: State = from.state.clone();
        state.keeps_writes = false;
        self.history.shown = from.place;
        self.history.goal = Some(goal);
        let present = core::mem::replace(&mut self.state, state);
        self.history.present = Some(Box::new(present));
        self.play_on();
    }

    /// Plays on until the goal is reached, or until bytes are needed that are not in memory.
    pub(crate) fn play_on(&mut self) {
        let Some(goal) = self.history.goal else {
            return;
        };
        loop {
            if self.state.waits() {
                self.state.forget_said();
                return;
            }
            let is_on_the_way = match (goal, self.next_recorded()) {
                (_, Next::End) => false,
                (Goal::Moment(wanted), Next::Input(at) | Next::Event(at)) => at <= wanted,
                (Goal::Undo(target), Next::Input(_)) => self.history.shown.inputs < target,
                (Goal::Undo(_), Next::Event(_)) => true,
            };
            if !is_on_the_way || !self.replay(Time(u64::MAX)) {
                break;
            }
        }
        self.state.forget_said();
        self.history.goal = None;
        match goal {
            Goal::Moment(wanted) => self.state.now = self.state.now.max(wanted),
            Goal::Undo(target) => self.undone(target),
        }
    }
}
