//! `kafka-dump-log` beside what Kafka's said of the same files: `tests/vectors/segments/dump-log.txt`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::process::Command;

/// Standard output, standard error and the exit status, as a transcript has them.
fn said(line: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brooklet"));
    let command = command
        .args(line.split(' '))
        .current_dir(vectors::path("segments"));
    let ended = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(ended.stdout), text(ended.stderr));
    format!(
        "{stdout}--- stderr\n{stderr}--- exit {}\n",
        ended.status.code().unwrap()
    )
}

/// Without what Java says behind an exception that nobody caught.
fn bare(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("Caused by: "));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn files_are_shown_as_kafkas_tool_shows_them() {
    let session = vectors::text("segments/dump-log.txt");
    let (mut compared, mut wrong) = (0, Vec::new());
    for block in session.trim_start_matches("$ ").split("\n$ ") {
        let (line, expected) = block.split_once('\n').unwrap();
        let (ours, theirs) = (bare(&said(line)), bare(expected));
        compared += 1;
        let mut pairs = ours.trim_end().lines().zip(theirs.trim_end().lines());
        if ours.trim_end() != theirs.trim_end() {
            let first = pairs.find(|(a, b)| a != b);
            wrong.push(format!("$ {line}\n{first:#?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn whatever_the_bytes_of_a_file_claim_it_is_told_where_they_end() {
    let dir = std::env::temp_dir().join(format!("brooklet-dump-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let good = vectors::bytes("segments/plain/00000000000000000000.log");
    for (at, byte) in [(8, 0x7f), (16, 9), (57, 0x7f), (61, 0xff), (21, 7), (22, 7)] {
        for kind in ["log", "index", "timeindex", "snapshot", "txnindex"] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            let file = dir.join(format!("00000000000000000000.{kind}"));
            std::fs::write(&file, bytes).unwrap();
            let text = said(&format!(
                "kafka-dump-log --print-data-log --files {}",
                file.display()
            ));
            assert!(text.starts_with("Dumping "), "{text}");
            let ended = text.ends_with("--- exit 0\n") || text.ends_with("--- exit 1\n");
            assert!(ended && !text.contains("panicked"), "{at} {kind}: {text}");
        }
    }
    let _ = std::fs::remove_dir_all(&dir);
}
