//! Requests that a node sends to others: over which link each goes, and which response is whose.
//!
//! A link carries one kind of requests to one place, in order, as Kafka's channels do: a Fetch that
//! waits for records must not hold up a heartbeat. Whoever calls hears of each call once: its answer,
//! or that there is none.

use crate::link::{Endpoint, LinkEffect, LinkEvent, LinkId};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::Time;
use sorted::SortedMap;

/// Requests that may wait for their answers on one link: nobody here sends many ahead.
pub const UNANSWERED_MAX: usize = 64;

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Purpose {
    /// Votes, and fetching the metadata log.
    Quorum,
    /// A broker's registration and heartbeats.
    Heartbeat,
    /// A broker's other requests to the active controller.
    Controller,
    /// Requests of clients that are passed on to it.
    Forwarding,
    /// A follower's fetches from a leader.
    Replication,
}

/// Names a call, as the caller has chosen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallToken(pub u64);

/// There is no answer: nobody was there, the link broke, or it took too long. The request may have
/// been carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unanswered;

/// What became of a call.
pub type Answer = (CallToken, Result<Bytes, Unanswered>);

/// All calls of a node that are under way. `Clone` is a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    links: SortedMap<LinkId, Link>,
    /// The link in use for a purpose at a place.
    in_use: SortedMap<(Purpose, Endpoint), LinkId>,
    dialled: u64,
}

#[derive(Clone, Debug)]
struct Link {
    purpose: Purpose,
    to: Endpoint,
    /// Calls without an answer, in the order of their requests, and until when each may take.
    unanswered: VecDeque<(CallToken, Time)>,
    /// Requests that wait for the link to be there; `None` once it is.
    waiting: Option<Vec<Bytes>>,
}

impl Calls {
    /// Sends a request, header and body, whose answer is awaited until some time. A link is dialled if
    /// there is none.
    ///
    /// # Errors
    /// When too many calls wait on that link already; the caller tries again later.
    pub fn call(
        &mut self,
        (purpose, to): (Purpose, Endpoint),
        token: CallToken,
        frame: Bytes,
        until: Time,
        out: &mut Vec<LinkEffect>,
    ) -> Result<(), Unanswered> {
        let key = (purpose, to);
        let id = match self.in_use.get(&key) {
            Some(id) => *id,
            None => self.dial(key, out),
        };
        let link = self.links.get_mut(&id).ok_or(Unanswered)?;
        if link.unanswered.len() >= UNANSWERED_MAX {
            return Err(Unanswered);
        }
        link.unanswered.push_back((token, until));
        match &mut link.waiting {
            Some(waiting) => waiting.push(frame),
            None => out.push(LinkEffect::Send { link: id, frame }),
        }
        Ok(())
    }

    fn dial(&mut self, key: (Purpose, Endpoint), out: &mut Vec<LinkEffect>) -> LinkId {
        self.dialled += 1;
        let id = LinkId(self.dialled);
        let (purpose, to) = key.clone();
        out.push(LinkEffect::Dial {
            link: id,
            to: to.clone(),
        });
        let link = Link {
            purpose,
            to,
            unanswered: VecDeque::new(),
            waiting: Some(Vec::new()),
        };
        self.links.insert(id, link);
        self.in_use.insert(key, id);
        id
    }

    /// Takes what becomes of a link; what that means for calls is appended to `answers`.
    pub fn hear(&mut self, event: LinkEvent, answers: &mut Vec<Answer>, out: &mut Vec<LinkEffect>) {
        match event {
            LinkEvent::Linked { link } => {
                let waiting = self.links.get_mut(&link).and_then(|it| it.waiting.take());
                let frames = waiting.into_iter().flatten();
                out.extend(frames.map(|frame| LinkEffect::Send { link, frame }));
            }
            LinkEvent::Received { link: id, frame } => {
                let Some(link) = self.links.get_mut(&id) else {
                    return;
                };
                match link.unanswered.pop_front() {
                    Some((token, _)) => answers.push((token, Ok(frame))),
                    // Nothing was asked: whoever is there does not speak as it should.
                    None => self.hang_up(id, answers, out),
                }
            }
            LinkEvent::Lost { link } => self.forget(link, answers),
        }
    }

    /// Gives up what has taken too long, and the links with it: answers come in order, so that nothing
    /// behind it would be heard either.
    pub fn expire(&mut self, now: Time, answers: &mut Vec<Answer>, out: &mut Vec<LinkEffect>) {
        let late = |link: &Link| link.unanswered.iter().any(|(_, until)| *until <= now);
        let late: Vec<LinkId> = (self.links.iter())
            .filter(|(_, link)| late(link))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.hang_up(id, answers, out);
        }
    }

    /// Hangs up where something says so.
    pub fn leave(
        &mut self,
        is_left: impl Fn(Purpose, &Endpoint) -> bool,
        answers: &mut Vec<Answer>,
        out: &mut Vec<LinkEffect>,
    ) {
        let left: Vec<LinkId> = (self.links.iter())
            .filter(|(_, link)| is_left(link.purpose, &link.to))
            .map(|(id, _)| *id)
            .collect();
        for id in left {
            self.hang_up(id, answers, out);
        }
    }

    /// When [`Calls::expire`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let all = self.links.values().flat_map(|link| link.unanswered.iter());
        all.map(|(_, until)| *until).min()
    }

    fn hang_up(&mut self, id: LinkId, answers: &mut Vec<Answer>, out: &mut Vec<LinkEffect>) {
        out.push(LinkEffect::HangUp { link: id });
        self.forget(id, answers);
    }

    fn forget(&mut self, id: LinkId, answers: &mut Vec<Answer>) {
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        self.in_use.remove(&(link.purpose, link.to));
        let calls = link.unanswered.into_iter();
        answers.extend(calls.map(|(token, _)| (token, Err(Unanswered))));
    }
}

#[cfg(test)]
mod tests {
    use super::{CallToken, Calls, Purpose, UNANSWERED_MAX, Unanswered};
    use crate::link::{Endpoint, LinkEffect, LinkEvent, LinkId};
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use bytes::Bytes;
    use ids::Time;

    const LATE: Time = Time(5_000_000);

    fn to(purpose: Purpose) -> (Purpose, Endpoint) {
        let host = Arc::from("broker-2");
        (purpose, Endpoint { host, port: 9092 })
    }

    fn call(calls: &mut Calls, purpose: Purpose, token: u64, out: &mut Vec<LinkEffect>) {
        let frame = Bytes::from_static(b"request");
        let made = calls.call(to(purpose), CallToken(token), frame, LATE, out);
        assert_eq!(made, Ok(()));
    }

    fn send(link: u64) -> LinkEffect {
        LinkEffect::Send {
            link: LinkId(link),
            frame: Bytes::from_static(b"request"),
        }
    }

    #[test]
    fn requests_wait_for_their_link_and_answers_are_taken_in_order() {
        let (mut calls, mut out, mut answers) = (Calls::default(), Vec::new(), Vec::new());
        call(&mut calls, Purpose::Quorum, 1, &mut out);
        call(&mut calls, Purpose::Quorum, 2, &mut out);
        let (link, (_, to)) = (LinkId(1), to(Purpose::Quorum));
        assert_eq!(out, [LinkEffect::Dial { link, to }]);
        out.clear();
        calls.hear(LinkEvent::Linked { link }, &mut answers, &mut out);
        call(&mut calls, Purpose::Quorum, 3, &mut out);
        assert_eq!(out, [send(1), send(1), send(1)]);
        for text in ["one", "two"] {
            let frame = Bytes::from_static(text.as_bytes());
            calls.hear(LinkEvent::Received { link, frame }, &mut answers, &mut out);
        }
        let answered = |token, text: &'static str| {
            let frame = Bytes::from_static(text.as_bytes());
            (CallToken(token), Ok(frame))
        };
        assert_eq!(answers, [answered(1, "one"), answered(2, "two")]);
    }

    #[test]
    fn a_lost_link_ends_its_calls_and_no_others_and_the_next_call_dials_again() {
        let (mut calls, mut out, mut answers) = (Calls::default(), Vec::new(), Vec::new());
        call(&mut calls, Purpose::Quorum, 1, &mut out);
        call(&mut calls, Purpose::Replication, 2, &mut out);
        let link = LinkId(1);
        calls.hear(LinkEvent::Lost { link }, &mut answers, &mut out);
        assert_eq!(answers, [(CallToken(1), Err(Unanswered))]);
        out.clear();
        call(&mut calls, Purpose::Quorum, 3, &mut out);
        let (link, (_, to)) = (LinkId(3), to(Purpose::Quorum));
        assert_eq!(out, [LinkEffect::Dial { link, to }]);
    }

    #[test]
    fn an_answer_that_does_not_come_in_time_ends_the_link_with_all_that_waits_on_it() {
        let (mut calls, mut out, mut answers) = (Calls::default(), Vec::new(), Vec::new());
        call(&mut calls, Purpose::Controller, 1, &mut out);
        call(&mut calls, Purpose::Controller, 2, &mut out);
        assert_eq!(calls.next_deadline(), Some(LATE));
        calls.expire(Time(LATE.0 - 1), &mut answers, &mut out);
        assert!(answers.is_empty());
        out.clear();
        calls.expire(LATE, &mut answers, &mut out);
        assert_eq!(out, [LinkEffect::HangUp { link: LinkId(1) }]);
        let lost = |token| (CallToken(token), Err(Unanswered));
        assert_eq!(answers, [lost(1), lost(2)]);
        assert_eq!(calls.next_deadline(), None);
    }

    #[test]
    fn an_answer_that_nobody_asked_for_ends_the_link() {
        let (mut calls, mut out, mut answers) = (Calls::default(), Vec::new(), Vec::new());
        call(&mut calls, Purpose::Quorum, 1, &mut out);
        let link = LinkId(1);
        for _ in 0..2 {
            let frame = Bytes::from_static(b"answer");
            calls.hear(LinkEvent::Received { link, frame }, &mut answers, &mut out);
        }
        assert_eq!(answers.len(), 1);
        assert_eq!(out.last(), Some(&LinkEffect::HangUp { link }));
    }

    #[test]
    fn calls_that_wait_on_one_link_have_a_bound() {
        let (mut calls, mut out) = (Calls::default(), Vec::new());
        for token in 0..UNANSWERED_MAX as u64 {
            call(&mut calls, Purpose::Quorum, token, &mut out);
        }
        let frame = Bytes::from_static(b"request");
        let refused = calls.call(to(Purpose::Quorum), CallToken(99), frame, LATE, &mut out);
        assert_eq!(refused, Err(Unanswered));
    }
}
