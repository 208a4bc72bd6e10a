//! The tests of record batches, as one program: each file is a subject.

mod builder;
mod hostile;
mod produce;
mod segments;
mod support;
