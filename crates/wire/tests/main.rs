//! The tests of frames, as one program but for those that count allocations: each file is a subject.

extern crate brooklet_wire as wire;

mod common;
mod frames;
mod framing;
