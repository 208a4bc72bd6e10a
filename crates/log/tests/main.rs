//! The log's tests, as one program but for those that count allocations: each file is a subject.

mod behaviour;
mod model;
mod producers;
mod resume;
mod segments;
mod support;
