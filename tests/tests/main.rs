//! What crosses crates, as one program but for what counts allocations or plants bugs: each file is a subject.

mod answers;
mod cluster_tools;
mod cold;
mod completions;
mod creation;
mod describe_configs;
mod determinism;
mod first_path;
mod fuzz;
mod groups;
mod refused_for_good;
mod sessions;
mod several;
mod stores;
mod tool_options;
mod tool_transcripts;
mod tools_on_core;
mod tools_together;
