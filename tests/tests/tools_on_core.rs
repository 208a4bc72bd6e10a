//! Kafka's recorded sessions with its console tools, played command by command against the real core.
//!
//! One node whose state builds up as the recording's did. What cannot be said as Kafka says it stands in
//! [`LEFT_OUT`], with the reason, and is printed; everything else must fit, up to what `tests/vectors/README.md`
//! says differs from run to run.

use bytes::Bytes;
use client::tools::{files_named, find, split_line};
use std::collections::BTreeMap;
use tests::transcripts::session::{CommandId, Place, Session};
use tests::transcripts::{self, Transcript};

const OLD_FLAG: &str =
    "a flag of older courses: Kafka 4 refuses it, Brooklet takes it and says what replaced it";

const TRANSACTION: &str = "what a transaction left behind: Brooklet has none";

/// Transcripts that are not compared, each with its reason; a number or a range of numbers.
const LEFT_OUT: &[(u32, u32, &str)] = &[
    (75, 75, OLD_FLAG),
    (
        81,
        81,
        "a group of the consumer rebalance protocol (KIP-848)",
    ),
    (
        86,
        86,
        "a group of the consumer rebalance protocol (KIP-848)",
    ),
    (
        89,
        89,
        "a group of the consumer rebalance protocol (KIP-848)",
    ),
    (130, 130, "configs of groups are not built"),
    (131, 132, "quotas are not built"),
    (
        136,
        136,
        "Kafka's tool asks for the unknown topic for a minute, ours says at once that there is none",
    ),
    (
        142,
        142,
        "Kafka tells partitions in the order of their hashes",
    ),
    (150, 152, TRANSACTION),
    (157, 157, "the id of this node's cluster"),
    (
        159,
        160,
        "the ids of this node's cluster and directory, and how long its log is",
    ),
    (161, 161, "features of which some are not built"),
    (171, 171, "requests of which some are not built"),
    (176, 176, TRANSACTION),
    (
        186,
        187,
        "the formatters of Kafka's internal topics are not built",
    ),
    (191, 204, OLD_FLAG),
    (213, 214, TRANSACTION),
];

/// Seeds with which records without keys go to the partitions they went to when Kafka was recorded.
const SEEDS: &[(u32, u64)] = &[(33, 4), (37, 1), (38, 1), (39, 6)];

/// Lines come in any order: several partitions, or Kafka's hash order.
const ANY_ORDER: &[u32] = &[15, 21, 23, 46, 47, 54, 177];
/// Lists of groups: any order, groups of console consumers without numbers, columns as wide as those.
const GROUP_LISTS: &[u32] = &[76, 77, 78, 79, 90, 93, 229];

fn number(transcript: &Transcript) -> u32 {
    let digits = transcript.name.split('-').next().unwrap_or_default();
    digits.parse().expect("transcripts are numbered")
}

fn left_out(transcript: &Transcript) -> Option<&'static str> {
    let number = number(transcript);
    let words = split_line(&transcript.command).expect("a shell took this line");
    let built = find(&words[0]).is_some_and(|tool| !tool.options.is_empty());
    let listed = LEFT_OUT
        .iter()
        .find(|row| (row.0..=row.1).contains(&number));
    match listed {
        Some(row) => Some(row.2),
        None => (!built).then_some("this tool is not built"),
    }
}

fn place(transcript: &Transcript) -> Place {
    let number = number(transcript);
    let words = split_line(&transcript.command).expect("a shell took this line");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut files = BTreeMap::new();
    for name in files_named(&words) {
        if let Some(bytes) = transcripts::input(name) {
            files.insert(name.to_string(), Bytes::from(bytes));
        }
    }
    let typed = transcript.name.ends_with("-interactive").then(|| {
        let lines = transcript.stdout.lines();
        let lines = lines.filter_map(|line| line.strip_prefix('>'));
        lines
            .filter(|line| !line.is_empty())
            .map(str::to_string)
            .collect()
    });
    let seed = SEEDS.iter().find(|row| row.0 == number);
    Place {
        seed: seed.map_or(u64::from(number), |row| row.1),
        typed,
        stdin: transcript.stdin.clone().unwrap_or_default(),
        files,
    }
}

/// What is not fixed about a transcript taken out of a text.
fn loosened(number: u32, text: &str) -> String {
    let groups = GROUP_LISTS.contains(&number);
    if !groups && !ANY_ORDER.contains(&number) {
        return text.to_string();
    }
    let text = transcripts::mask(text);
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    if groups {
        lines.retain(|line| !line.starts_with("new-shop"));
        for line in &mut lines {
            *line = without_numbers(line);
        }
    }
    lines.sort();
    if groups {
        lines.dedup();
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A masked line with console consumers' groups unnumbered and columns one space apart.
fn without_numbers(line: &str) -> String {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut pieces = line.split("console-consumer-");
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        out += "console-consumer-N";
        out += piece.trim_start_matches('N');
    }
    out
}

fn difference(transcript: &Transcript, stdout: &str, stderr: &str, exit: i32) -> Option<String> {
    let number = number(transcript);
    let mut expected = transcript.clone();
    expected.stdout = loosened(number, &expected.stdout);
    expected.stderr = loosened(number, &expected.stderr);
    let stdout = stdout.replace("/tmp/kafka-logs", "DIR/kafka-logs");
    let (stdout, stderr) = (loosened(number, &stdout), loosened(number, stderr));
    transcripts::difference(&expected, &stdout, &stderr, exit)
}

/// Plays transcripts in order; `before` sets up what ran beside them.
fn play(from: u32, below: u32, mut before: impl FnMut(u32, &mut Session)) {
    let mut session = Session::new(&[]);
    session.set_min_isr_for_all_brokers();
    let (mut compared, mut wrong) = (0, Vec::new());
    for transcript in transcripts::all() {
        let number = number(&transcript);
        if !(from..below).contains(&number) {
            continue;
        }
        before(number, &mut session);
        if let Some(why) = left_out(&transcript) {
            println!("not compared: {}: {why}", transcript.name);
            continue;
        }
        let said = session.run(&transcript.command, place(&transcript));
        let exit = said.exit.unwrap_or(-1);
        compared += 1;
        if let Some(what) = difference(&transcript, &said.stdout, &said.stderr, exit) {
            wrong.push(format!(
                "{}\n$ {}\n{what}",
                transcript.name, transcript.command
            ));
        }
    }
    println!("compared: {compared}");
    let report = wrong.join("\n\n");
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n\n{report}",
        wrong.len()
    );
}

/// A command that runs beside the others, in a group of its own.
fn beside(session: &mut Session, line: &str) -> CommandId {
    let place = Place {
        seed: 900,
        ..Place::default()
    };
    let id = session.start(line, place);
    session.pass(10_000);
    id
}

#[test]
fn the_first_recorded_session_is_said_as_kafka_says_it() {
    let mut shop = None;
    play(1, 208, |number, session| match number {
        76 => {
            let line = "kafka-console-consumer --bootstrap-server localhost:9092 --topic orders --group shop --from-beginning --command-property client.id=shop-1";
            shop = Some(beside(session, line));
        }
        97 => {
            session.interrupt(shop.take().expect("it runs"));
        }
        _ => {}
    });
}

#[test]
fn the_second_recorded_session_is_said_as_kafka_says_it() {
    play(208, 1000, |number, session| {
        if number == 219 {
            earlier_clients(session);
        }
    });
}

/// Kafka's transactional producer and its performance tests had been here.
fn earlier_clients(session: &mut Session) {
    let produce = "kafka-console-producer --bootstrap-server localhost:9092 --topic payments";
    let place = Place {
        stdin: ("committed\n".to_string() + &"x\n".repeat(2004)).into(),
        ..Place::default()
    };
    session.run(produce, place);
    for group in ["", "", "--group perf-consumer-59143"] {
        let consume = "kafka-console-consumer --bootstrap-server localhost:9092 --topic payments --timeout-ms 5000";
        session.say(&format!("{consume} {group}"));
    }
}
