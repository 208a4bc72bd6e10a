//! Every option of every tool, with its refusals, said as a real Kafka's tools say it.

use bytes::Bytes;
use client::tools::options::{Arg, Kind};
use client::tools::{files_named, find, split_line};
use std::collections::BTreeMap;
use tests::transcripts::options::{self, INTENDED};
use tests::transcripts::session::{Place, Session};
use tests::transcripts::{self, Transcript};

fn place(transcript: &Transcript, seed: u64) -> Place {
    let words = split_line(&transcript.command).expect("a shell took this line");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let files = files_named(&words).into_iter();
    let there = files.filter_map(|name| Some((name.to_string(), transcripts::input(name)?.into())));
    let files: BTreeMap<String, Bytes> = there.collect();
    Place {
        seed,
        typed: None,
        stdin: transcript.stdin.clone().unwrap_or_default(),
        files,
    }
}

/// Plays the session of one tool on a fresh core.
fn play(tool: &str) -> Vec<String> {
    let mut session = Session::new(&[
        ("offsets.topic.num.partitions", "5"),
        ("group.initial.rebalance.delay.ms", "0"),
    ]);
    session.set_min_isr_for_all_brokers();
    let mut wrong = Vec::new();
    for (transcript, seed) in options::of(tool).iter().zip(1..) {
        let said = session.run(&transcript.command, place(transcript, seed));
        let exit = said.exit.unwrap_or(-1);
        let what = options::difference(transcript, &said.stdout, &said.stderr, exit);
        let intended = INTENDED.iter().find(|row| row.0 == transcript.line);
        match (what, intended) {
            (Some(what), None) => wrong.push(format!("$ {}\n{what}", transcript.line)),
            (None, Some((_, why))) => {
                wrong.push(format!("$ {}\nis the same, though {why}", transcript.line));
            }
            _ => {}
        }
    }
    wrong
}

#[test]
fn every_option_and_every_refusal_is_said_as_kafka_says_it() {
    let (mut compared, mut wrong) = (0, Vec::new());
    for tool in options::tools() {
        compared += options::of(&tool).len();
        wrong.extend(play(&tool));
    }
    println!("compared: {compared}");
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// Options of `kafka-configs` for what has no configs here; that is said when they are used.
const NOT_BUILT: [&str; 9] = [
    "broker-logger",
    "client",
    "client-defaults",
    "client-metrics",
    "group",
    "ip",
    "ip-defaults",
    "user",
    "user-defaults",
];

/// The options that Kafka's help lists for each tool, as `--name Kind`.
fn known() -> BTreeMap<String, Vec<(String, String)>> {
    let text = vectors::text("tools/known-options.lst");
    let (mut tools, mut tool) = (BTreeMap::new(), String::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.trim().strip_prefix("--") {
            None => tool = line.split(' ').next().unwrap_or_default().to_string(),
            Some(option) => {
                let (name, kind) = option.split_once(' ').unwrap_or((option, ""));
                let options: &mut Vec<(String, String)> = tools.entry(tool.clone()).or_default();
                options.push((name.to_string(), kind.to_string()));
            }
        }
    }
    tools
}

#[test]
fn every_option_of_kafkas_help_is_known_and_was_tried() {
    let known = known();
    for name in options::tools() {
        let tool = format!("kafka-{name}");
        let ours = find(&tool).expect("a tool").options;
        let lines: Vec<String> = options::of(&name).into_iter().map(|t| t.line).collect();
        for (option, kind) in &known[&tool] {
            let found = ours.iter().find(|ours| ours.name == option);
            let found = found.unwrap_or_else(|| panic!("{tool} does not know --{option}"));
            let right = match (kind.as_str(), found.arg) {
                ("Integer", Arg::Value(Kind::Integer, _)) | ("Long", Arg::Value(Kind::Long, _)) => {
                    true
                }
                ("String", Arg::Value(Kind::String | Kind::File, _)) => true,
                // Of optional values the help shows none, nor of some others.
                ("", _) => true,
                _ => false,
            };
            assert!(
                right,
                "{tool} --{option} wants {kind}, ours {:?}",
                found.arg
            );
            let flag = format!("--{option}");
            let tried = lines
                .iter()
                .any(|line| line.split([' ', '=']).any(|word| word == flag));
            let built = tool != "kafka-configs" || !NOT_BUILT.contains(&option.as_str());
            assert!(tried || !built, "{tool} {flag} was never tried");
        }
    }
}
