//! `kafka-storage` beside what Kafka's said and wrote: `tests/vectors/cluster/storage.txt`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;
use std::process::Command;

const FILES: [&str; 5] = ["st", "dy", "dy3", "dy6", "br"];

/// Ids of directories that were drawn by lot: all but the one that a command named.
fn masked(text: &str) -> String {
    let mut out = String::new();
    for (at, piece) in text.split("directory.id=").enumerate() {
        if at > 0 {
            out += "directory.id=";
        }
        let drawn = at > 0 && !piece.starts_with("EjRWeJCrze8SNFZ4kKvNAA");
        out += if drawn { &piece[22..] } else { piece };
    }
    // What Java says behind an exception that nobody caught.
    let lines = out.lines().filter(|line| !line.starts_with("Caused by: "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Runs a line in a directory; standard output, standard error and the exit status as a transcript has them.
fn said(line: &str, dir: &Path) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_brooklet"));
    let ended = command.args(words).current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(ended.stdout), text(ended.stderr));
    let status = ended.status.code().unwrap();
    let said = format!("{stdout}--- stderr\n{stderr}--- exit {status}\n");
    masked(&said.replace(dir.to_str().unwrap(), "DIR"))
}

#[test]
fn directories_are_formatted_and_told_about_as_kafkas_tool_does_it() {
    let dir = std::env::temp_dir().join(format!("brooklet-storage-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    for name in FILES {
        let text = vectors::text(&format!("cluster/storage/{name}.properties"));
        let text = text.replace("DIR", dir.to_str().unwrap());
        std::fs::write(dir.join(format!("{name}.properties")), text).unwrap();
    }
    let session = vectors::text("cluster/storage.txt");
    let (mut compared, mut wrong) = (0, Vec::new());
    for block in session.trim_start_matches("$ ").split("\n$ ") {
        let (line, expected) = block.split_once('\n').unwrap();
        let (ours, theirs) = (said(line, &dir), masked(expected));
        compared += 1;
        if ours.trim_end() != theirs.trim_end() {
            wrong.push(format!("$ {line}\nKafka's:\n{theirs}\nours:\n{ours}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let path = "st2/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
    let (ours, theirs) = (
        std::fs::read(dir.join(path)).unwrap(),
        vectors::bytes("cluster/storage/two-voters.checkpoint"),
    );
    // All but times and what is summed over them: the first batch ends at 218.
    let fixed = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        for batch in [0, 218] {
            bytes[batch + 17..batch + 21].fill(0);
            bytes[batch + 27..batch + 43].fill(0);
        }
        bytes[74..82].fill(0);
        bytes
    };
    assert_eq!(fixed(&ours), fixed(&theirs));
    let _ = std::fs::remove_dir_all(&dir);
}

#[test]
fn an_id_is_drawn_anew_each_time_and_never_looks_like_an_option() {
    let draw = || said("kafka-storage random-uuid", &std::env::temp_dir());
    let (one, two) = (draw(), draw());
    assert_ne!(one, two);
    let id = one.lines().next().unwrap();
    assert!(id.len() == 22 && !id.starts_with('-'), "{id}");
}
