//! `brooklet serve` as a command: its lines, its exit status, its signals.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::{Served, ask, brooklet, connect, fresh_dir};
use std::net::SocketAddr;
use std::process::Stdio;
use wire::Str;
use wire::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::describe_configs_response::DescribeConfigsResponse;

#[test]
fn it_says_ready_once_and_stops_in_order_on_sigterm() {
    let dir = fresh_dir("serve-sigterm");
    let mut served = Served::spawn(&["--data", dir.to_str().unwrap()]);
    let address = served.ready();
    connect(address);
    served.terminate();
    let (status, rest, errors) = served.wait();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert_eq!(rest, "", "one line and no more");
    assert!(errors.starts_with("logs are in "), "{errors}");
    assert!(dir.join(".kafka_cleanshutdown").is_file());
}

#[test]
fn it_stops_in_order_on_sighup_when_its_terminal_is_closed() {
    let dir = fresh_dir("serve-sighup");
    let mut served = Served::spawn(&["--data", dir.to_str().unwrap()]);
    served.ready();
    served.signal("-HUP");
    let (status, _, errors) = served.wait();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert!(dir.join(".kafka_cleanshutdown").is_file());
}

#[test]
fn with_its_parent_it_stops_in_order_when_its_standard_input_closes() {
    let dir = fresh_dir("serve-with-parent");
    let words = [
        "--for-tests",
        "--with-parent",
        "--data",
        dir.to_str().unwrap(),
    ];
    let mut served = Served::spawn_with(&words, Stdio::piped());
    connect(served.ready());
    drop(served.child.stdin.take());
    let (status, _, errors) = served.wait();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert!(dir.join(".kafka_cleanshutdown").is_file());
}

/// What the server says of these configs of its own.
fn told(address: SocketAddr, names: &[&str]) -> Vec<String> {
    let resource = DescribeConfigsResource {
        resource_type: 4,
        resource_name: Str::from("1"),
        configuration_keys: Some(names.iter().copied().map(Str::from).collect()),
        ..Default::default()
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        ..Default::default()
    };
    let answer: DescribeConfigsResponse = ask(&mut connect(address), 4, &request);
    let rows = answer.results[0].configs.iter();
    rows.map(|row| row.value.as_deref().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn for_tests_it_takes_a_free_port_and_waits_for_nobody_unless_told_otherwise() {
    let names = [
        "group.initial.rebalance.delay.ms",
        "group.min.session.timeout.ms",
        "offsets.topic.num.partitions",
    ];
    let two = [
        Served::spawn_with(&["--for-tests"], Stdio::null()),
        Served::spawn_with(&["--for-tests"], Stdio::null()),
    ];
    let [one, other] = two.map(|mut served| (served.ready(), served));
    assert_ne!(one.0, other.0);
    assert_eq!(told(one.0, &names), ["0", "1", "1"]);
    let words = [
        "--for-tests",
        "--override",
        "offsets.topic.num.partitions=3",
    ];
    let mut served = Served::spawn_with(&words, Stdio::null());
    assert_eq!(told(served.ready(), &names), ["0", "1", "3"]);
}

#[test]
fn each_command_says_how_it_is_called() {
    for command in ["serve", "run", "bench"] {
        for flag in ["--help", "-h"] {
            let ended = brooklet(&[command, flag]);
            let text = String::from_utf8(ended.stdout).unwrap();
            assert_eq!(ended.status.code(), Some(0), "{command} {flag}");
            let first = format!("brooklet {command} ");
            assert!(text.starts_with(&first), "{command} {flag}: {text}");
            assert!(ended.stderr.is_empty(), "{command} {flag}");
        }
    }
}

#[test]
fn without_a_directory_it_says_that_logs_are_in_memory() {
    let mut served = Served::spawn(&[]);
    served.ready();
    served.terminate();
    let (_, _, errors) = served.wait();
    assert!(errors.contains("logs are in memory"), "{errors}");
}

#[test]
fn listening_to_other_machines_is_warned_of() {
    let mut served = Served::spawn(&["--listen", "0.0.0.0:0"]);
    served.ready();
    served.terminate();
    let (_, _, errors) = served.wait();
    assert!(errors.contains("WARNING: 0.0.0.0:"), "{errors}");
}

#[test]
fn server_properties_are_taken_and_what_has_no_effect_is_named() {
    let dir = fresh_dir("serve-properties");
    let file = dir.join("server.properties");
    let logs = dir.join("logs");
    let text = format!(
        "process.roles=broker,controller\nnode.id=4\nlog.dirs={}\nnum.io.threads=8\nfoo=bar\n",
        logs.display()
    );
    std::fs::write(&file, text).unwrap();
    let mut served = Served::spawn(&[file.to_str().unwrap(), "--override", "num.partitions=3"]);
    served.ready();
    served.terminate();
    let (status, _, errors) = served.wait();
    assert_eq!(status.code(), Some(0));
    assert!(
        errors.contains("without effect here: foo, num.io.threads"),
        "{errors}"
    );
    let meta = std::fs::read_to_string(logs.join("meta.properties")).unwrap();
    assert!(meta.contains("node.id=4"), "{meta}");
}

#[test]
fn wrong_usage_is_2_and_refusal_is_1_each_with_one_line() {
    let file = fresh_dir("serve-not-a-dir").join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&[], 2, "say what to do"),
        (&["sevre"], 2, "no command \"sevre\""),
        (&["serve", "--port", "1"], 2, "no option --port"),
        (&["serve", "--listen"], 2, "--listen needs"),
        (&["serve", "--listen", "here"], 2, "say host:port"),
        (&["serve", "--fsync", "never"], 2, "can only be `always`"),
        (&["serve", "--memory", "--data", "x"], 2, "not both"),
        (&["serve", "--brokers", "x"], 2, "must be a number"),
        (&["serve", "--brokers", "3"], 1, "not built yet"),
        (&["serve", "/no/such/file"], 1, "cannot be read"),
        (&["serve", "--data", file], 1, "cannot be opened"),
        (&["serve", "--fsync", "always"], 1, "needs --data"),
        (
            &["serve", "--listen", "no.such.host.invalid:1"],
            1,
            "cannot listen",
        ),
        (&["run", "x.json"], 1, "x.json: No such file"),
        (&["run"], 2, "run needs a scenario"),
        (&["run", "x.json", "--for", "ever"], 2, "--for needs"),
        (&["run", "Cargo.toml"], 1, "not one Brooklet reads"),
    ];
    for (words, code, said) in cases {
        let ended = brooklet(words);
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(*code), "{words:?}: {errors}");
        assert!(errors.contains(said), "{words:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{words:?}: {errors}");
        assert!(ended.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn a_port_in_use_is_refused_with_a_way_out() {
    let mut served = Served::spawn(&[]);
    let address = served.ready().to_string();
    let second = brooklet(&["serve", "--listen", &address]);
    let errors = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(
        errors.contains("is in use") && errors.contains(":0"),
        "{errors}"
    );
}
