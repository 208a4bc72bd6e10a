//! The clients of a world: producers, members of groups, terminals, and those from outside.

mod member;
mod outside;
mod producer;
mod terminal;

pub(crate) use member::Member;
pub(crate) use outside::Outside;
pub(crate) use producer::{LINES_MAX, ProducerActor};
pub(crate) use terminal::{For, Terminal, bootstrap};

use alloc::vec::Vec;
use client::io::{Input, Output};
use cluster::LogId;
use ids::{NodeId, Time, Token, TopicIdPartition};
use log::LogSlice;

/// Names a client of the world; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ActorId(pub u32);

/// One client.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    Producer(ProducerActor),
    Member(Member),
    Terminal(Terminal),
    Outside(Outside),
}

/// Bytes of a log that a node waits for; the shell has them.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    pub(crate) node: NodeId,
    pub(crate) log: OwedLog,
    pub(crate) token: Token,
    pub(crate) slice: LogSlice,
}

/// Whose bytes they are.
#[derive(Clone, Debug)]
pub(crate) enum OwedLog {
    /// A log of a node that runs.
    Open(LogId),
    /// One that its node recovers, to start with it.
    Recovered(TopicIdPartition),
}

impl Actor {
    pub(crate) fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        match self {
            Actor::Producer(producer) => producer.step(now, input, out),
            Actor::Member(member) => member.step(now, input, out),
            Actor::Terminal(terminal) => terminal.step(now, input, out),
            Actor::Outside(outside) => outside.step(input, out),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        match self {
            Actor::Producer(producer) => producer.next_deadline(),
            Actor::Member(member) => member.next_deadline(),
            Actor::Terminal(terminal) => terminal.next_deadline(),
            Actor::Outside(_) => None,
        }
    }
}
