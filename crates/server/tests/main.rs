//! The server's tests, as one program: each file is a subject.

mod common;
mod directories;
mod durability;
mod hostile;
mod kafka_dir;
mod lives;
mod restart;
mod serving;
mod slow_readers;
mod told;
