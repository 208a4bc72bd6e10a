//! The command lines as they are typed, against a broker of the tests.

use super::*;
use crate::fake::{Fake, Machine, TOPIC};

impl Machine for Tool {
    fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        Tool::step(self, now, input, out);
    }
    fn next_deadline(&self) -> Option<Time> {
        Tool::next_deadline(self)
    }
}

fn tool(line: &str) -> Tool {
    let words = split_line(line).unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Tool::start(&words, Env::new(Rng::new(1)))
}

fn run(line: &str, stdin: &str, fake: &mut Fake) -> i32 {
    let mut tool = tool(line);
    let mut out = Vec::new();
    if tool.reads_stdin() {
        let bytes = Bytes::copy_from_slice(stdin.as_bytes());
        tool.step(fake.now, &Input::Stdin(bytes), &mut out);
        tool.step(fake.now, &Input::StdinEnd, &mut out);
    }
    out.into_iter().for_each(|output| fake.take(output));
    fake.run(&mut tool, |fake, _| fake.exit.is_some());
    fake.exit.take().unwrap()
}

#[test]
fn lines_typed_to_the_producer_are_printed_by_the_consumer() {
    let mut fake = Fake::new(1);
    let produce = "bin/kafka-console-producer.sh --broker-list localhost:9092 --topic t --property parse.key=true --property key.separator=:";
    assert_eq!(run(produce, "alice:order 1\nbob:x:y", &mut fake), 0);
    assert_eq!(fake.logs[&0].1, 2);
    assert!(
        fake.stderr
            .contains("--broker-list was replaced by --bootstrap-server")
    );
    assert!(fake.stdout.starts_with("Warning: --property is deprecated"));
    (fake.stdout, fake.stderr) = Default::default();
    let consume = "kafka-console-consumer --bootstrap-server localhost:9092 --topic t --partition 0 --offset earliest --max-messages 2 --formatter-property print.key=true --formatter-property print.offset=true";
    assert_eq!(run(consume, "", &mut fake), 0);
    assert_eq!(
        fake.stdout,
        "Offset:0\talice\torder 1\nOffset:1\tbob\tx:y\n"
    );
    assert_eq!(fake.stderr, "Processed a total of 2 messages\n");
}

#[test]
fn a_line_without_a_separator_stops_the_producer_with_1() {
    let mut fake = Fake::new(1);
    let line = "kafka-console-producer --bootstrap-server l:9092 --topic t --reader-property parse.key=true --reader-property key.separator=:";
    assert_eq!(run(line, "a:b\nno separator here\nc:d\n", &mut fake), 1);
    assert_eq!(fake.logs[&0].1, 1);
    assert_eq!(
        fake.stderr,
        "org.apache.kafka.common.KafkaException: No key separator found on line number 2: 'no separator here'\n"
    );
}

#[test]
fn a_consumer_whose_output_is_full_asks_for_no_more_than_its_buffers_hold() {
    let mut fake = Fake::new(1);
    let produce = "kafka-console-producer --bootstrap-server l:9092 --topic t";
    assert_eq!(run(produce, "a\nb\n", &mut fake), 0);
    fake.stdout.clear();
    let mut tool = tool(
        "kafka-console-consumer --bootstrap-server l:9092 --topic t --group g --from-beginning",
    );
    fake.run(&mut tool, |fake, _| fake.stdout == "a\nb\n");
    let mut out = Vec::new();
    tool.step(fake.now, &Input::StdoutFull, &mut out);
    out.into_iter().for_each(|output| fake.take(output));
    assert_eq!(run(produce, "c\nd\n", &mut fake), 0);
    // What is under way still comes, and fills the buffer; then only heartbeats go on.
    fake.run(&mut tool, |fake, _| heartbeats_in_a_row(fake) > 5);
    assert_eq!(run(produce, "e\n", &mut fake), 0);
    fake.run(&mut tool, |fake, _| heartbeats_in_a_row(fake) > 5);
    assert_eq!(fake.stdout, "a\nb\n");
    let mut out = Vec::new();
    tool.step(fake.now, &Input::StdoutReady, &mut out);
    out.into_iter().for_each(|output| fake.take(output));
    fake.run(&mut tool, |fake, _| fake.stdout.ends_with("e\n"));
    assert_eq!(fake.stdout, "a\nb\nc\nd\ne\n");
}

#[test]
fn a_flood_of_short_lines_is_read_in_order_and_only_as_fast_as_it_is_sent() {
    let mut fake = Fake::new(1);
    let lines: String = (0..20_000).map(|i| alloc::format!("{i}\n")).collect();
    let produce = "kafka-console-producer --bootstrap-server l:9092 --topic t";
    assert_eq!(run(produce, &lines, &mut fake), 0);
    assert_eq!(fake.logs[&0].1, 20_000);
    fake.stdout.clear();
    let consume = "kafka-console-consumer --bootstrap-server l:9092 --topic t --from-beginning --timeout-ms 1000";
    run(consume, "", &mut fake);
    assert_eq!(fake.stdout, lines);
}

fn heartbeats_in_a_row(fake: &Fake) -> usize {
    let last = fake.seen.iter().rev();
    // Offsets are committed on the way, every 5 s.
    let last = last.filter(|api| **api != 8);
    last.take_while(|api| **api == 12).count()
}

#[test]
fn a_long_log_is_printed_piece_by_piece_and_stops_when_the_output_is_full() {
    let mut fake = Fake::new(1);
    let lines: String = (0..1200).map(|i| alloc::format!("{i}\n")).collect();
    let produce = "kafka-console-producer --bootstrap-server l:9092 --topic t";
    assert_eq!(run(produce, &lines, &mut fake), 0);
    fake.stdout.clear();
    let mut tool = tool(
        "kafka-console-consumer --bootstrap-server l:9092 --topic t --group g --from-beginning --timeout-ms 1000",
    );
    fake.run(&mut tool, |fake, _| !fake.stdout.is_empty());
    assert_eq!(fake.stdout.lines().count(), 500);
    let mut out = Vec::new();
    tool.step(fake.now, &Input::StdoutFull, &mut out);
    out.into_iter().for_each(|output| fake.take(output));
    let later = fake.now.plus_millis(60_000);
    fake.run(&mut tool, |fake, _| fake.now > later);
    assert_eq!(fake.stdout.lines().count(), 500);
    assert_eq!(fake.exit, None);
    let mut out = Vec::new();
    tool.step(fake.now, &Input::StdoutReady, &mut out);
    out.into_iter().for_each(|output| fake.take(output));
    fake.run(&mut tool, |fake, _| fake.exit.is_some());
    assert_eq!(fake.stdout, lines);
}

#[test]
fn offsets_and_topics_are_listed() {
    let mut fake = Fake::new(2);
    assert_eq!(
        run(
            "kafka-get-offsets --bootstrap-server l:1 --topic t",
            "",
            &mut fake
        ),
        0
    );
    assert_eq!(fake.stdout, "t:0:0\nt:1:0\n");
    fake.stdout.clear();
    assert_eq!(
        run("kafka-topics --list --bootstrap-server l:1", "", &mut fake),
        0
    );
    assert_eq!(fake.stdout, alloc::format!("{TOPIC}\n"));
    fake.stdout.clear();
    let line = "kafka-topics --describe --topic nope --bootstrap-server l:1";
    assert_eq!(run(line, "", &mut fake), 1);
    assert_eq!(
        fake.stdout,
        "Error while executing topic command : Topic 'nope' does not exist as expected\n"
    );
}

#[test]
fn unknown_commands_and_planned_ones_say_so() {
    let mut fake = Fake::new(1);
    assert_eq!(run("ls -l", "", &mut fake), 127);
    assert_eq!(fake.stderr, "ls: command not found\n");
    assert_eq!(run("bin/kafka-acls.sh --list", "", &mut fake), 1);
}

/// What a real Kafka 4.3.1 says to these records.
#[test]
fn a_record_over_max_request_size_is_refused_in_kafkas_sentence_and_the_others_are_sent() {
    let mut fake = Fake::new(1);
    let big = "y".repeat(1_100_000);
    let line = "kafka-console-producer --bootstrap-server l:9092 --topic t";
    assert_eq!(run(line, &alloc::format!("{big}\nsmall\n"), &mut fake), 0);
    let (logged, sentence) = fake.stderr.split_once('\n').unwrap();
    assert!(logged.ends_with("ERROR Error when sending message to topic t with key: null, value: 1100000 bytes with error: (org.apache.kafka.clients.producer.internals.ErrorLoggingCallback)"), "{logged}");
    assert_eq!(
        sentence,
        "org.apache.kafka.common.errors.RecordTooLargeException: The message is 1100088 bytes when serialized which is larger than 1048576, which is the value of the max.request.size configuration.\n"
    );
    assert_eq!(fake.logs[&0].1, 1);
    fake.stderr.clear();
    let keyed = alloc::format!(
        "{line} --reader-property parse.key=true --reader-property key.separator=: --command-property max.request.size=200"
    );
    let value = "y".repeat(500);
    assert_eq!(run(&keyed, &alloc::format!("k:{value}\n"), &mut fake), 0);
    assert!(fake.stderr.contains("key: 1 bytes, value: 500 bytes"));
    assert!(
        fake.stderr
            .contains("The message is 587 bytes when serialized which is larger than 200,")
    );
}

#[test]
fn with_sync_the_first_record_that_is_refused_ends_the_producer() {
    let mut fake = Fake::new(1);
    let value = "y".repeat(500);
    let line = "kafka-console-producer --bootstrap-server l:9092 --topic t --sync --command-property max.request.size=200";
    let stdin = alloc::format!("before\n{value}\nsmall\n");
    assert_eq!(run(line, &stdin, &mut fake), 1);
    assert_eq!(
        fake.stderr,
        "java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.RecordTooLargeException: The message is 586 bytes when serialized which is larger than 200, which is the value of the max.request.size configuration.\n"
    );
    assert_eq!(fake.logs[&0].1, 1);
}

#[test]
fn a_file_named_dash_comes_from_standard_input() {
    let mut fake = Fake::new(1);
    let line = "kafka-delete-records --bootstrap-server l:1 --offset-json-file -";
    assert_eq!(run(line, "no json", &mut fake), 1);
    assert_eq!(fake.stderr, "The input string is not a valid JSON\n");
    fake.stderr.clear();
    let line = "kafka-console-consumer --bootstrap-server l:1 --topic t --command-config=-";
    assert_eq!(run(line, "isolation.level=maybe\n", &mut fake), 1);
    assert!(
        fake.stderr.contains("Invalid value maybe"),
        "{}",
        fake.stderr
    );
}

#[test]
fn where_there_are_no_files_the_only_name_of_one_is_a_dash() {
    let mut fake = Fake::new(1);
    fn words(line: &str) -> Vec<&str> {
        line.split(' ').collect()
    }
    let mut env = Env::new(Rng::new(1));
    (env.has_files, env.terminal) = (false, true);
    let line =
        "kafka-consumer-groups --bootstrap-server l:1 --group g --reset-offsets --from-file o.csv";
    let mut out = Vec::new();
    Tool::start(&words(line), env.clone()).step(fake.now, &Input::Start, &mut out);
    out.drain(..).for_each(|output| fake.take(output));
    assert_eq!(
        fake.stderr,
        "--from-file o.csv: there are no files here. Give - for the file, then type or paste its text and end it with Ctrl+D.\n"
    );
    assert_eq!(fake.exit.take(), Some(1));
    fake.stderr.clear();
    let mut tool = Tool::start(&words(&line.replace("o.csv", "-")), env);
    assert!(tool.reads_stdin());
    tool.step(fake.now, &Input::Start, &mut out);
    tool.step(
        fake.now,
        &Input::Stdin(Bytes::from_static(b"t,0,1\n")),
        &mut out,
    );
    tool.step(fake.now, &Input::Interrupt, &mut out);
    out.drain(..).for_each(|output| fake.take(output));
    assert_eq!(
        fake.stderr,
        "--from-file is read from here: type or paste it, then Ctrl+D.\n"
    );
    assert_eq!((fake.stdout.as_str(), fake.exit), (">>", Some(130)));
    assert_eq!(files_named(&words(line)), ["o.csv"]);
    assert_eq!(
        files_named(&words("kafka-topics --topic --command-config -list")),
        [""; 0]
    );
}

#[test]
fn a_consumer_that_is_given_only_zookeeper_says_what_replaced_it_and_ends() {
    let mut fake = Fake::new(1);
    let line = "kafka-console-consumer --zookeeper zk:2181 --topic t --from-beginning";
    assert_eq!(run(line, "", &mut fake), 1);
    assert!(
        fake.stderr
            .starts_with("--zookeeper was replaced by --bootstrap-server"),
        "{}",
        fake.stderr
    );
    assert_eq!(fake.stderr.lines().count(), 1);
    assert!(fake.seen.is_empty(), "no broker is asked for anything");
}

#[test]
fn bytes_that_are_no_text_come_out_as_they_are() {
    let record = |value: &'static [u8]| crate::consumer::ConsumedRecord {
        topic: "t".into(),
        partition: ids::PartitionIndex(0),
        offset: ids::Offset(0),
        leader_epoch: 0,
        timestamp: 0,
        log_append_time: false,
        key: None,
        value: Some(Bytes::from_static(value)),
        headers: alloc::vec![(Bytes::from_static(b"h"), Some(Bytes::from_static(b"\xfe")))],
    };
    let words = ["--formatter-property", "print.headers=true"].map(String::from);
    let parsed = options::parse(&words, options::console_consumer::OPTIONS, &[]).unwrap();
    let formatter = formatter::Formatter::new(&parsed, &Env::new(Rng::new(1))).unwrap();
    let mut line = Vec::new();
    formatter
        .print(&record(b"a\xff\x00\xc3"), &mut line)
        .unwrap();
    assert_eq!(line, b"h:\xfe\ta\xff\x00\xc3\n");
}

#[test]
fn a_partition_that_there_is_not_is_asked_for_now_and_then_not_all_the_time() {
    let mut fake = Fake::new(1);
    let line =
        "kafka-console-consumer --bootstrap-server l:1 --topic t --partition 7 --timeout-ms 5000";
    assert_eq!(run(line, "", &mut fake), 0);
    let metadata = fake.seen.iter().filter(|api| **api == 3).count();
    assert!(metadata < 20, "{metadata} requests in five seconds");
}
