//! The built command, as one program of tests: each file is a subject.

mod common;
mod dump;
mod serve;
mod sigkill;
mod storage;
mod tools;
