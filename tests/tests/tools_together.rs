//! Kafka's tools at work together on one node: what one does, the others see.

use tests::transcripts::session::{CommandId, Place, Said, Session};

const SERVER: &str = "--bootstrap-server localhost:9092";

fn tool(session: &mut Session, line: &str) -> Said {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    session.say(&format!("{name} {SERVER} {rest}"))
}

fn produce(session: &mut Session, topic: &str, flags: &str, stdin: &str) {
    let line = format!("kafka-console-producer {SERVER} --topic {topic} {flags}");
    let place = Place {
        stdin: stdin.into(),
        ..Place::default()
    };
    let said = session.run(&line, place);
    assert_eq!((said.exit, said.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_the_console_producer_sends_the_console_consumer_prints() {
    let mut session = Session::new(&[]);
    let keys = "--reader-property parse.key=true --reader-property key.separator=:";
    produce(&mut session, "events", keys, "a:first\nb:second\n");
    let said = tool(
        &mut session,
        "kafka-console-consumer --topic events --partition 0 --offset earliest --max-messages 2 --formatter-property print.key=true",
    );
    assert_eq!(said.stdout, "a\tfirst\nb\tsecond\n");
    assert_eq!(said.stderr, "Processed a total of 2 messages\n");
    let said = tool(&mut session, "kafka-get-offsets --topic events");
    assert_eq!(said.stdout, "events:0:2\n");
    let said = tool(&mut session, "kafka-topics --list");
    assert_eq!(said.stdout, "events\n");
}

fn member(session: &mut Session, client: &str, seed: u64) -> CommandId {
    let line = format!(
        "kafka-console-consumer {SERVER} --topic t --group g --from-beginning --command-property client.id={client}"
    );
    let place = Place {
        seed,
        ..Place::default()
    };
    session.start(&line, place)
}

/// Client ids and numbers of partitions of the members of `g`.
fn members(session: &mut Session) -> Vec<(String, String)> {
    let said = tool(
        session,
        "kafka-consumer-groups --describe --group g --members",
    );
    let rows = said.stdout.lines().skip(2).map(|row| {
        let cells: Vec<&str> = row.split_whitespace().collect();
        (cells[3].to_string(), cells[4].to_string())
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |row: &(&str, &str)| (row.0.to_string(), row.1.to_string());
    rows.iter().map(pair).collect()
}

fn state(session: &mut Session) -> String {
    let said = tool(
        session,
        "kafka-consumer-groups --describe --group g --state",
    );
    let row = said.stdout.lines().nth(2).unwrap_or_default();
    row.split_whitespace().skip(3).collect::<Vec<_>>().join(" ")
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn two_console_consumers_of_a_group_share_a_topic_and_lose_nothing_when_one_goes() {
    let mut session = Session::new(&[]);
    tool(
        &mut session,
        "kafka-topics --create --topic t --partitions 4",
    );
    let keys = "--reader-property parse.key=true --reader-property key.separator=:";
    produce(&mut session, "t", keys, "a:1\nb:2\nc:3\nd:4\ne:5\nf:6\n");
    let first = member(&mut session, "one", 11);
    session.pass(6000);
    assert_eq!(
        sorted(&session.said(first).stdout),
        ["1", "2", "3", "4", "5", "6"]
    );
    assert_eq!(members(&mut session), pairs(&[("one", "4")]));

    let second = member(&mut session, "two", 12);
    session.pass(6000);
    assert_eq!(members(&mut session), pairs(&[("one", "2"), ("two", "2")]));
    assert_eq!(state(&mut session), "range Stable 2");
    assert_eq!(session.said(second).stdout, "", "nothing is read twice");
    produce(
        &mut session,
        "t",
        keys,
        "a:7\nb:8\nc:9\nd:10\ne:11\nf:12\ng:13\nh:14\n",
    );
    session.pass(1000);
    let both = session.said(first).stdout.clone() + &session.said(second).stdout;
    assert_eq!(both.lines().count(), 14);
    assert!(!session.said(second).stdout.is_empty());

    let said = session.interrupt(first);
    assert_eq!(said.exit, Some(130));
    session.pass(6000);
    assert_eq!(members(&mut session), pairs(&[("two", "4")]));
    produce(&mut session, "t", keys, "a:15\nb:16\nc:17\nd:18\n");
    session.pass(1000);
    let both = said.stdout + &session.said(second).stdout;
    assert_eq!(
        both.lines().count(),
        18,
        "every record is shown once: {both}"
    );
}

#[test]
fn a_consumer_that_is_killed_is_missed_after_its_session_and_its_records_come_again() {
    let mut session = Session::new(&[]);
    tool(
        &mut session,
        "kafka-topics --create --topic t --partitions 2",
    );
    let keys = "--reader-property parse.key=true --reader-property key.separator=:";
    let first = member(&mut session, "one", 21);
    let second = member(&mut session, "two", 22);
    session.pass(10_000);
    assert_eq!(members(&mut session), pairs(&[("one", "1"), ("two", "1")]));
    produce(&mut session, "t", keys, "a:1\nb:2\nc:3\nd:4\n");
    session.pass(1000);
    let shown = session.said(first).stdout.lines().count();
    session.kill(first);
    session.pass(30_000);
    assert_eq!(members(&mut session).len(), 2, "its session lasts 45 s");
    session.pass(30_000);
    assert_eq!(members(&mut session), pairs(&[("two", "2")]));
    // What the killed one had shown since its last commit is shown again.
    let again = session.said(second).stdout.lines().count();
    assert!((4 - shown..=4).contains(&again), "{again} of 4");
    assert_eq!(state(&mut session), "range Stable 1");
}

#[test]
fn offsets_are_reset_only_while_nobody_reads_and_records_come_again_after_it() {
    let mut session = Session::new(&[]);
    tool(
        &mut session,
        "kafka-topics --create --topic t --partitions 1",
    );
    produce(&mut session, "t", "", "1\n2\n3\n");
    let reader = member(&mut session, "one", 31);
    session.pass(6000);
    let reset = "kafka-consumer-groups --reset-offsets --group g --topic t --to-offset 1 --execute";
    let said = tool(&mut session, reset);
    assert!(said.stdout.contains("Assignments can only be reset if the group 'g' is inactive, but the current state is Stable."));
    let said = session.interrupt(reader);
    assert_eq!(said.stdout, "1\n2\n3\n");
    let said = tool(&mut session, reset);
    assert_eq!(
        said.stdout.lines().nth(2),
        Some("g               t               0          1")
    );
    let reader = member(&mut session, "one", 32);
    session.pass(6000);
    assert_eq!(session.interrupt(reader).stdout, "2\n3\n");
    let said = tool(
        &mut session,
        "kafka-consumer-groups --delete-offsets --group g --topic t",
    );
    assert!(said.stdout.contains("Successful"), "{}", said.stdout);
    let said = tool(&mut session, "kafka-consumer-groups --delete --group g");
    let done = "Deletion of requested consumer groups ('g') was successful.\n";
    assert_eq!(said.stdout, done);
    let said = tool(&mut session, "kafka-consumer-groups --list");
    assert_eq!(said.stdout, "");
}
