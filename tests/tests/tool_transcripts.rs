//! Transcripts of Kafka's tools that need no broker: wrong usage, help, version.

use client::io::{Input, Output};
use client::tools::{Env, Tool, files_named, find, split_line};
use ids::{Rng, Time};
use tests::transcripts;

/// Flags of older courses, which Kafka 4 refuses and Brooklet takes with one line of advice.
const OLD_FLAGS: [&str; 5] = [
    "--zookeeper",
    "--broker-list",
    "--new-consumer",
    "--whitelist",
    "--blacklist",
];

#[test]
fn what_needs_no_broker_is_said_as_kafka_says_it() {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for transcript in transcripts::all() {
        let words = split_line(&transcript.command).expect("a shell took this line");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let built = find(words[0]).is_some_and(|tool| !tool.options.is_empty());
        if !built || words.iter().any(|word| OLD_FLAGS.contains(word)) {
            continue;
        }
        let mut env = Env::new(Rng::new(1));
        for file in files_named(&words) {
            if let Some(bytes) = transcripts::input(file) {
                env.files.insert(file.to_string(), bytes.into());
            }
        }
        let mut tool = Tool::start(&words, env);
        let mut out = Vec::new();
        tool.step(Time::from_millis(1), &Input::Start, &mut out);
        let Some(exit) = out.iter().find_map(exit_status) else {
            continue; // It wants a broker.
        };
        let text = |pick: fn(&Output) -> Option<&[u8]>| {
            let bytes: Vec<u8> = out.iter().filter_map(pick).flatten().copied().collect();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let stdout = text(|output| match output {
            Output::Stdout(bytes) => Some(bytes.as_ref()),
            _ => None,
        });
        let stderr = text(|output| match output {
            Output::Stderr(bytes) => Some(bytes.as_ref()),
            _ => None,
        });
        if stderr.contains("is not part of Brooklet yet") {
            continue;
        }
        compared += 1;
        if let Some(difference) = transcripts::difference(&transcript, &stdout, &stderr, exit) {
            wrong.push(format!("{}: {difference}", transcript.name));
        }
    }
    assert!(compared >= 20, "only {compared} transcripts were compared");
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

fn exit_status(output: &Output) -> Option<i32> {
    match output {
        Output::Exit(status) => Some(*status),
        _ => None,
    }
}
