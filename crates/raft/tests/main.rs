//! The raft's tests, as one program but for its lives: each file is a subject.

mod bytes;
mod elections;
mod hostile;
mod membership;
mod replication;
mod support;
