//! The command `brooklet`: serve, bench, run, and Kafka's tools by name.
//!
//! Exit status: 0 done, 1 refused or failed, 2 called the wrong way; each with one line that says why.

#![forbid(unsafe_code)]

mod dump;
mod run;
mod serve;
mod storage;
mod tool;
mod words;

use std::process::ExitCode;

const HELP: &str = "\
brooklet: Apache Kafka, small enough for a browser tab

  brooklet serve [OPTIONS] [server.properties]
      A broker that real Kafka clients can use.

  brooklet run SCENARIO.json [--for MS] [--trace]
      Runs a scenario of the playground and says what came of it.

  brooklet bench [--only NAME] [--quick] [--json FILE] [--wire HOST:PORT]
      Measures the broker beside what this machine can do.

  brooklet kafka-topics | kafka-console-producer | kafka-console-consumer
         | kafka-consumer-groups | kafka-groups | kafka-get-offsets | kafka-configs
         | kafka-delete-records | kafka-cluster | kafka-metadata-quorum | kafka-features
         | kafka-log-dirs | kafka-leader-election | kafka-reassign-partitions
         | kafka-broker-api-versions  ...
      Kafka's own command lines, with its flags and output, against any Kafka broker:
      brooklet kafka-topics --bootstrap-server localhost:9092 --list

  brooklet kafka-storage random-uuid | format | info  ...
      Formats the directories of a node, and says what they are.

  brooklet kafka-dump-log --files FILE,FILE  ...
      Shows what stands in the files of a partition.

  brooklet --help, brooklet --version, and --help after each command
";

/// Why a command ends other than well.
enum Failure {
    /// It was called the wrong way.
    Usage(String),
    /// It was refused, or failed.
    Failed(String),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    arguments.next();
    let mut words = Vec::new();
    for argument in arguments {
        match argument.into_string() {
            Ok(word) => words.push(word),
            Err(word) => {
                return end(Failure::Usage(format!("{} is no text", word.display())));
            }
        }
    }
    if words.first().is_some_and(|word| dump::is_it(word)) {
        return ExitCode::from(dump::run(&words[1..]));
    }
    if words.first().is_some_and(|word| storage::is_it(word)) {
        return ExitCode::from(storage::run(&words[1..]));
    }
    // Kafka's tools speak for themselves, in Kafka's words and with Kafka's exit status.
    if words
        .first()
        .is_some_and(|word| client::tools::find(word).is_some())
    {
        return ExitCode::from(tool::run(&words));
    }
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(failure),
    }
}

fn run(words: &[String]) -> Result<(), Failure> {
    let Some((command, rest)) = words.split_first() else {
        return Err(Failure::Usage(
            "say what to do, such as `brooklet serve`; `brooklet --help` lists everything"
                .to_owned(),
        ));
    };
    match command.as_str() {
        "serve" => serve::serve(rest),
        "run" => run::run(rest),
        "--help" | "-h" | "help" => {
            print!("{HELP}");
            Ok(())
        }
        "--version" | "-V" => {
            println!("brooklet {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        "bench" => match bench::main(rest) {
            0 => Ok(()),
            // It has said why.
            status => std::process::exit(status),
        },
        other => Err(Failure::Usage(format!(
            "there is no command {other:?}; `brooklet --help` lists all"
        ))),
    }
}

fn end(failure: Failure) -> ExitCode {
    let (why, status) = match failure {
        Failure::Usage(why) => (why, 2),
        Failure::Failed(why) => (why, 1),
    };
    eprintln!("brooklet: {why}");
    ExitCode::from(status)
}
