//! The world's tests, as one program: each file is a subject.

mod cold;
mod commands;
mod crashes;
mod faults;
mod first_world;
mod full_disk;
mod lives;
mod made_again;
mod members;
mod resets;
mod restored;
mod several;
mod undo;
