//! Every option of every tool, with its refusals, said as a real Kafka's tools say it.

use bytes::Bytes;
use client::tools::{files_named, split_line};
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
