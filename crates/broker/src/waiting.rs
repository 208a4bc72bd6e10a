//! Requests that cannot be answered yet, with the time by which they must be (Kafka's purgatory).

use crate::api::fetch::PendingFetch;
use crate::api::list_offsets::PendingListOffsets;
use crate::api::produce::PendingProduce;
use crate::coordinator::PendingGroup;
use crate::forward::PendingForward;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use ids::{ConnId, Time};

/// Names a parked request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct WaitId(pub(crate) u64);

/// Who asked, and in which version to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) conn: ConnId,
    pub(crate) correlation_id: i32,
    pub(crate) api_key: i16,
    pub(crate) version: i16,
}

/// A parked request.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) caller: Caller,
    pub(crate) parked: Parked,
    deadline: Option<Time>,
}

#[derive(Clone, Debug)]
pub(crate) enum Parked {
    Produce(PendingProduce),
    Fetch(PendingFetch),
    ListOffsets(PendingListOffsets),
    Forward(PendingForward),
    Group(PendingGroup),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    next: u64,
    /// Boxed: a map's node has room for eleven, and is made anew when one alone comes and goes.
    waiters: BTreeMap<WaitId, Box<Waiter>>,
    deadlines: BTreeSet<(Time, WaitId)>,
}

impl Waiting {
    /// Takes the id that the next parked request will have.
    pub(crate) fn next_id(&mut self) -> WaitId {
        self.next += 1;
        WaitId(self.next)
    }

    pub(crate) fn park(
        &mut self,
        id: WaitId,
        caller: Caller,
        deadline: Option<Time>,
        parked: Parked,
    ) {
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, id));
        }
        let waiter = Waiter {
            caller,
            parked,
            deadline,
        };
        self.waiters.insert(id, Box::new(waiter));
    }

    pub(crate) fn get(&self, id: WaitId) -> Option<&Waiter> {
        self.waiters.get(&id).map(|waiter| &**waiter)
    }

    pub(crate) fn get_mut(&mut self, id: WaitId) -> Option<&mut Waiter> {
        self.waiters.get_mut(&id).map(|waiter| &mut **waiter)
    }

    /// Sets by when a parked request must be answered, in place of an earlier deadline.
    pub(crate) fn set_deadline(&mut self, id: WaitId, deadline: Time) {
        if let Some(waiter) = self.waiters.get_mut(&id) {
            if let Some(old) = waiter.deadline.replace(deadline) {
                self.deadlines.remove(&(old, id));
            }
            self.deadlines.insert((deadline, id));
        }
    }

    pub(crate) fn remove(&mut self, id: WaitId) -> Option<Waiter> {
        let waiter = *self.waiters.remove(&id)?;
        if let Some(deadline) = waiter.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        Some(waiter)
    }

    /// The earliest moment by which a parked request must be answered.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(time, _)| *time)
    }

    /// A request whose time has come.
    pub(crate) fn due(&self, now: Time) -> Option<WaitId> {
        self.deadlines
            .first()
            .filter(|(time, _)| *time <= now)
            .map(|(_, id)| *id)
    }
}
