//! The group's tests, as one program: each file is a subject.

mod committing;
mod joining;
mod model;
mod script;
mod syncing;
