//! A cluster with everything around it simulated: clients, network, disks and clock, on one seed.
//!
//! The playground is this simulator, and so are the reliability tests: a [`World`] runs a scenario
//! event by event; whatever a person does goes in as an [`Input`], is journaled, and can be replayed.
//! The same scenario, seed and inputs give the same trace, byte for byte, on every machine.
//!
//! Simulated clients exchange Kafka's own frames with the brokers; nothing reaches past them.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod actors;
mod apply;
mod ask;
mod checks;
mod command;
mod disk;
mod document;
mod fault;
mod faults;
mod frames;
mod history;
mod inspect;
mod network;
mod nodes;
mod queue;
mod said;
mod scenario;
mod starting;
mod state;
mod storing;
mod tool_lines;
mod trace;
mod traced;
mod view;
mod wires;
mod world;

pub use actors::ActorId;
pub use ask::Answer;
pub use checks::Broken;
pub use cluster::{LogId, MetadataLog, Note};
pub use command::{
    Acks, Codec, Command, GroupChange, How, KeyMode, Line, PartitionerSpec, ProducerChange,
};
pub use disk::{DiskWrite, StoredLog, log_key};
pub use fault::{Failing, Fault, Moment, Ways};
pub use frames::SentFrame;
pub use history::Redone;
pub use inspect::{BatchView, Inspection, Look, Looked, Partitioning, RecordView, Span};
pub use said::{Said, TerminalText};
pub use scenario::{
    GroupSpec, MemberSpec, ProducerSpec, Scenario, ScenarioError, TimedCommand, TopicSpec,
};
pub use trace::{Trace, TracePoint};
pub use view::{
    Actors, AssignedView, GroupView, MemberPosition, OffsetView, PartitionView, Snapshot, TopicView,
};
pub use world::{Input, RecoveredLog, Restored, TickKind, TimelineView, World};
