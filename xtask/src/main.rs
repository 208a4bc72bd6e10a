//! Set up, build, serve and test Brooklet: `cargo xtask <command>`.
//!
//! Exit status: 0 done, 1 failed (one clear line on stderr), 2 wrong usage.

mod bench_page;
mod browser;
mod build;
mod codegen;
mod conformance;
mod first_load;
mod kafka;
mod options;
mod play;
mod process;
mod serve;
mod setup;
mod split;
mod steps;
mod test;
mod trouble;
mod versus;

use std::path::PathBuf;
use std::process::ExitCode;

use trouble::{Outcome, Trouble};

const USAGE: &str = "\
usage: cargo xtask <command>

  play [--port N] [--no-open]   set up and build everything, serve the playground, open it
  test [--only PART[,PART]]     set up everything and run every test, or these parts
  build                         the playground: core to web/wasm/, page to dist/
  conformance --tools [--record] [TOOL]
                                run the options of Kafka's console tools by a real Kafka and by Brooklet, and
                                say where they differ; needs Java 17 and Maven
  bench-page                    measure the world in WebAssembly, and the stage's frames
  versus-kafka [--only LINE] [--rounds N] [--warm N] [--scale X] [--binary FILE]
                                measure the server beside an Apache Kafka
  first-load                    renew the profile of a first visit, which splits the core in two
  codegen                       renew crates/wire/src/generated from its schema, web/engine/generated from Rust
  codegen-check                 say whether that is up to date
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(Trouble::Usage(why)) => {
            eprintln!("xtask: {why}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Err(Trouble::Missing(why) | Trouble::Failed(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome<ExitCode> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    if !["play", "test", "conformance", "versus-kafka"].contains(&command) {
        options::read(command, rest, &[])?;
    }
    match command {
        "play" => play::run(rest).map(|()| ExitCode::SUCCESS),
        "test" => test::run(rest),
        "build" => build::everything().map(|()| ExitCode::SUCCESS),
        "bench-page" => bench_page::run().map(|()| ExitCode::SUCCESS),
        "conformance" => conformance::run(rest).map(|()| ExitCode::SUCCESS),
        "versus-kafka" => versus::run(rest).map(|()| ExitCode::SUCCESS),
        "first-load" => first_load::run().map(|()| ExitCode::SUCCESS),
        "codegen" => done(codegen::run()),
        "codegen-check" => done(codegen::check()),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Trouble::Usage(format!("there is no command `{other}`."))),
    }
}

fn done(result: Result<(), String>) -> Outcome<ExitCode> {
    result.map(|()| ExitCode::SUCCESS).map_err(Trouble::Failed)
}

/// The repository's root, whatever directory cargo was called from.
fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent()
        .map_or_else(|| PathBuf::from("."), PathBuf::from)
}
