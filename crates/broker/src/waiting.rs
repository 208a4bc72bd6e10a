//! Requests that cannot be answered yet, with the time by which they must be (Kafka's purgatory).

use crate::ascending::Ascending;
use alloc::vec::Vec;
use ids::{ConnId, Time};

/// Names a parked request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct WaitId(pub(crate) u64);

/// Who asked, and in which version to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) conn: ConnId,
    /// Which of the connection's requests it is.
    pub(crate) request: u64,
    pub(crate) correlation_id: i32,
    pub(crate) api_key: i16,
    pub(crate) version: i16,
}

/// A parked request, with what its API keeps of it.
#[derive(Clone, Debug)]
pub(crate) struct Waiter<P> {
    pub(crate) caller: Caller,
    pub(crate) parked: P,
    deadline: Option<Time>,
}

/// All parked requests. Their room is used again, for with acks=1 every produce request is parked
/// until the shell has confirmed its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Waiting<P> {
    next: u64,
    waiters: Vec<Option<Waiter<P>>>,
    /// Places in `waiters` that are free.
    free: Vec<u32>,
    /// The place in `waiters` of each request.
    places: Ascending<WaitId, u32>,
    deadlines: Ascending<(Time, WaitId), ()>,
}

impl<P> Default for Waiting<P> {
    fn default() -> Self {
        Waiting {
            next: 0,
            waiters: Vec::new(),
            free: Vec::new(),
            places: Ascending::default(),
            deadlines: Ascending::default(),
        }
    }
}

impl<P> Waiting<P> {
    /// Takes the id that the next parked request will have.
    pub(crate) fn next_id(&mut self) -> WaitId {
        self.next += 1;
        WaitId(self.next)
    }

    pub(crate) fn park(&mut self, id: WaitId, caller: Caller, deadline: Option<Time>, parked: P) {
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, id), ());
        }
        let waiter = Some(Waiter {
            caller,
            parked,
            deadline,
        });
        let free = self.free.pop();
        let place = free.and_then(|place| Some((place, self.waiters.get_mut(place as usize)?)));
        match place {
            Some((place, room)) => {
                *room = waiter;
                self.places.insert(id, place);
            }
            None => {
                let place = u32::try_from(self.waiters.len()).unwrap_or(u32::MAX);
                self.waiters.push(waiter);
                self.places.insert(id, place);
            }
        }
    }

    pub(crate) fn get(&self, id: WaitId) -> Option<&Waiter<P>> {
        let place = self.places.get(id)?;
        self.waiters.get(place as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: WaitId) -> Option<&mut Waiter<P>> {
        let place = self.places.get(id)?;
        self.waiters.get_mut(place as usize)?.as_mut()
    }

    /// Sets by when a parked request must be answered, in place of an earlier deadline.
    pub(crate) fn set_deadline(&mut self, id: WaitId, deadline: Time) {
        let Some(waiter) = self.get_mut(id) else {
            return;
        };
        if let Some(old) = waiter.deadline.replace(deadline) {
            self.deadlines.remove((old, id));
        }
        self.deadlines.insert((deadline, id), ());
    }

    pub(crate) fn remove(&mut self, id: WaitId) -> Option<Waiter<P>> {
        let place = self.places.remove(id)?;
        let waiter = self.waiters.get_mut(place as usize)?.take()?;
        self.free.push(place);
        if let Some(deadline) = waiter.deadline {
            self.deadlines.remove((deadline, id));
        }
        Some(waiter)
    }

    /// The earliest moment by which a parked request must be answered.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(time, _)| time)
    }

    /// A request whose time has come.
    pub(crate) fn due(&self, now: Time) -> Option<WaitId> {
        let (time, id) = self.deadlines.first()?;
        (time <= now).then_some(id)
    }
}
