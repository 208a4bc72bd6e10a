//! `brooklet bench` by itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    ExitCode::from(u8::try_from(brooklet_bench::main(&args)).unwrap_or(1))
}
