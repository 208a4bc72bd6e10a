//! Kafka's command lines, run by the built command against the built server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::{Served, brooklet};
use std::io::Write;
use std::process::{Command, Stdio};

fn said(words: &[&str], stdin: &str) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_brooklet"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(stdin.as_bytes()).unwrap();
    drop(input);
    let ended = child.wait_with_output().unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    (ended.status.code().unwrap(), text)
}

#[test]
fn a_topic_is_created_filled_and_read_from_the_command_line() {
    let mut served = Served::spawn(&["--override", "group.initial.rebalance.delay.ms=0"]);
    let at = served.ready().to_string();
    let at = ["--bootstrap-server", &at];
    let run = |tool: &str, words: &[&str], stdin: &str| {
        let all: Vec<&str> = [tool].iter().chain(&at).chain(words).copied().collect();
        said(&all, stdin)
    };
    let ok = |text: &str| (0, text.to_owned());
    let topics = "kafka-topics";
    assert_eq!(
        run(topics, &["--create", "--topic", "t"], ""),
        ok("Created topic t.\n")
    );
    assert_eq!(run("kafka-topics.sh", &["--list"], ""), ok("t\n"));
    let (status, _) = run("kafka-console-producer", &["--topic", "t"], "one\ntwo\n");
    assert_eq!(status, 0);
    let read = ["--topic", "t", "--from-beginning", "--max-messages", "2"];
    assert_eq!(run("kafka-console-consumer", &read, ""), ok("one\ntwo\n"));
    assert_eq!(
        run("kafka-get-offsets", &["--topic", "t"], ""),
        ok("t:0:2\n")
    );
    let read = [&["--group", "g"], &read[..]].concat();
    assert_eq!(run("kafka-console-consumer", &read, ""), ok("one\ntwo\n"));
    let (_, described) = run("kafka-consumer-groups", &["--describe", "--group", "g"], "");
    let row = described.lines().last().unwrap_or_default();
    let row: Vec<&str> = row.split_whitespace().take(6).collect();
    assert_eq!(
        row,
        ["g", "t", "0", "2", "2", "0"],
        "group, topic, partition, offsets, lag"
    );
    let again = run(topics, &["--create", "--topic", "t"], "");
    assert_eq!(again.0, 1);
    assert!(again.1.contains("already exists"), "{}", again.1);
}

#[test]
fn a_tool_that_is_not_built_says_so() {
    let ended = brooklet(&["kafka-acls", "--list"]);
    assert_eq!(ended.status.code(), Some(1));
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors}");
}
