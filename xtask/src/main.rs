//! Set up, build, serve and test Brooklet.

fn main() {}
