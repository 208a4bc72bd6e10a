//! The whole core as one WebAssembly module. `cargo xtask test --only imports` links it and asserts
//! that the module imports nothing: no clock, no chance, no host.

pub use world;
