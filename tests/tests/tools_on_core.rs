//! Kafka's tools, frames and all, against the real core.

use client::io::{Input, LinkId, Output};
use client::tools::{Env, Tool, split_line};
use ids::{ConnId, Rng};
use std::collections::BTreeMap;
use tests::direct::Direct;

struct Said {
    stdout: String,
    stderr: String,
    exit: i32,
}

/// Runs a command to its end; time passes when nothing else happens.
fn run(core: &mut Direct, line: &str, stdin: &str) -> Said {
    let words = split_line(line).expect("a line that splits");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut tool = Tool::start(&words, Env::new(Rng::new(1)));
    let mut said = Said {
        stdout: String::new(),
        stderr: String::new(),
        exit: -1,
    };
    let mut links: BTreeMap<LinkId, ConnId> = BTreeMap::new();
    let mut inputs = vec![Input::Start];
    if tool.reads_stdin() {
        inputs.push(Input::Stdin(stdin.as_bytes().to_vec().into()));
        inputs.push(Input::StdinEnd);
    }
    for _ in 0..20_000 {
        if inputs.is_empty() {
            core.advance(1);
            inputs.push(Input::Timer);
        }
        for input in std::mem::take(&mut inputs) {
            let mut out = Vec::new();
            tool.step(core.now, &input, &mut out);
            for output in out {
                match output {
                    Output::Connect { link, .. } => {
                        links.insert(link, core.connect());
                        inputs.push(Input::Connected { link });
                    }
                    Output::Send { link, frame } => core.send(links[&link], frame),
                    Output::Disconnect { link } => {
                        links.remove(&link);
                    }
                    Output::Stdout(bytes) => said.stdout += &String::from_utf8_lossy(&bytes),
                    Output::Stderr(bytes) => said.stderr += &String::from_utf8_lossy(&bytes),
                    Output::Exit(code) => {
                        said.exit = code;
                        return said;
                    }
                }
            }
        }
        for (&link, &conn) in &links {
            while let Some(frame) = core.reply(conn) {
                inputs.push(Input::Frame { link, frame });
            }
        }
    }
    panic!("{line} does not end: {}{}", said.stdout, said.stderr);
}

#[test]
fn what_the_console_producer_sends_the_console_consumer_prints() {
    let mut core = Direct::new(&[]);
    let produce = "kafka-console-producer --bootstrap-server localhost:9092 --topic events --reader-property parse.key=true --reader-property key.separator=:";
    let said = run(&mut core, produce, "a:first\nb:second\n");
    assert_eq!(
        (said.exit, said.stdout.as_str()),
        (0, ""),
        "{}",
        said.stderr
    );
    let consume = "kafka-console-consumer --bootstrap-server localhost:9092 --topic events --partition 0 --offset earliest --max-messages 2 --formatter-property print.key=true";
    let said = run(&mut core, consume, "");
    assert_eq!(said.stdout, "a\tfirst\nb\tsecond\n");
    assert_eq!(said.stderr, "Processed a total of 2 messages\n");
    let said = run(
        &mut core,
        "kafka-get-offsets --bootstrap-server localhost:9092 --topic events",
        "",
    );
    assert_eq!(said.stdout, "events:0:2\n");
    let said = run(
        &mut core,
        "kafka-topics --list --bootstrap-server localhost:9092",
        "",
    );
    assert_eq!(said.stdout, "events\n");
}
