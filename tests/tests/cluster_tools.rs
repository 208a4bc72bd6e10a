//! Kafka's tools on a cluster of several brokers, as recorded of a real one, command after command.

use ids::{Time, Uuid};
use std::collections::BTreeSet;
use tests::fake_cluster::{FakeCluster, Node};
use tests::transcripts::{self, Transcript};

const FOLDER: &str = "cluster/tools";
const THREE: &str = "cluster/tools-three-controllers";

/// The transcripts of a folder, by their numbers; notes of what happened in between have none.
fn recorded(folder: &str) -> Vec<(u32, Transcript)> {
    let one = |file: &String| {
        let name = file.rsplit('/').next().unwrap_or(file);
        let number = name.get(..3)?.parse().ok()?;
        Some((number, transcripts::parse(name, &vectors::text(file))?))
    };
    vectors::files(folder, ".txt")
        .iter()
        .filter_map(one)
        .collect()
}

fn stdout_of(folder: &str, number: u32) -> String {
    let all = recorded(folder).into_iter();
    let mut found = all.filter(|row| row.0 == number);
    found.next().expect("a transcript").1.stdout
}

/// Without Java's traces on standard output, and with lists that Kafka prints in the order of its hashes sorted.
fn normal(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let of_trace = |line: &&str| line.starts_with("\tat ") || line.starts_with("Caused by: ");
    let mut kept: Vec<String> = Vec::new();
    let mut in_trace = false;
    for (at, line) in lines.iter().enumerate() {
        let heads = lines.get(at + 1).is_some_and(of_trace);
        let names = line
            .split(':')
            .next()
            .is_some_and(|name| name.ends_with("Exception"));
        let blank = in_trace && line.is_empty();
        in_trace = of_trace(line) || heads && names || in_trace && line.is_empty();
        // A trace without frames is only its head and an empty line.
        let bare = names && lines.get(at + 1).is_some_and(|next| next.is_empty());
        if of_trace(line)
            || heads && names
            || blank
            || bare
            || at > 0 && line.is_empty() && kept_trace(&lines, at)
        {
            continue;
        }
        let sorted = match line.split_once(" for partitions ") {
            Some((what, list)) => {
                let mut names: Vec<&str> = list.split(", ").collect();
                names.sort_unstable();
                format!("{what} for partitions {}", names.join(", "))
            }
            None => (*line).to_string(),
        };
        kept.push(sorted);
    }
    // Topics, and elections that failed, come in the order of their hashes as well.
    let hashed = |line: &String| {
        line.trim_start().starts_with("Topic: ") || line.starts_with("Error completing")
    };
    if kept.iter().any(hashed) {
        kept.sort();
    }
    kept.iter().map(|line| format!("{line}\n")).collect()
}

/// Whether the line before is the head of a trace.
fn kept_trace(lines: &[&str], at: usize) -> bool {
    let before = lines[at - 1];
    before
        .split(':')
        .next()
        .is_some_and(|name| name.ends_with("Exception"))
}

fn compare(cluster: &mut FakeCluster, folder: &str, expected: &Transcript) -> Option<String> {
    let files = |name: &str| {
        name.starts_with("inputs/")
            .then(|| vectors::bytes(&format!("{folder}/{name}")))
    };
    let said = cluster.run(&expected.command, |name| {
        // What the names of these say is so: Kafka was to say that they are missing.
        (!name.contains("nofile")).then(|| files(name)).flatten()
    });
    let mut expected = expected.clone();
    expected.stdout = normal(&expected.stdout);
    let of_trace = |line: &&str| !line.starts_with("\tSuppressed: ");
    let stderr = expected.stderr.lines().filter(of_trace);
    expected.stderr = stderr.map(|line| format!("{line}\n")).collect();
    let mut stdout = normal(&said.stdout);
    // What is proposed is chosen by chance.
    let proposed = "Proposed partition reassignment configuration\n";
    if let (Some((theirs, _)), Some((ours, _))) = (
        expected.stdout.clone().split_once(proposed),
        stdout.clone().split_once(proposed),
    ) {
        (expected.stdout, stdout) = (theirs.to_string(), ours.to_string());
    }
    let exit = said.exit.unwrap_or(-1);
    let what = transcripts::difference(&expected, &stdout, &said.stderr, exit)?;
    Some(format!("{}\n$ {}\n{what}", expected.name, expected.line))
}

/// What brokers did by themselves before a command, and what the cluster looked like then.
fn happen(cluster: &mut FakeCluster, number: u32) {
    let topics = |cluster: &mut FakeCluster, of: u32| cluster.take_topics(&stdout_of(FOLDER, of));
    let fence = |cluster: &mut FakeCluster, ids: &[i32]| {
        for node in &mut cluster.brokers {
            node.fenced = ids.contains(&node.id);
        }
    };
    match number {
        9 => {
            topics(cluster, 9);
            for partition in &mut cluster.topics.get_mut("pairs").expect("a topic").partitions {
                partition.size = 8_081_760;
            }
        }
        12 => cluster.take_quorum(&stdout_of(FOLDER, 13), 1, 61),
        15 => cluster.take_quorum(&stdout_of(FOLDER, 13), 1, 63),
        40 => cluster.finish_moves(),
        41 => {
            cluster.finish_moves();
            topics(cluster, 44);
        }
        50 => {
            fence(cluster, &[3]);
            topics(cluster, 50);
        }
        57 => cluster.take_quorum(&stdout_of(FOLDER, 57), 1, 226),
        62 => topics(cluster, 62),
        65 => {
            fence(cluster, &[2, 3]);
            topics(cluster, 65);
            let both = stdout_of(FOLDER, 66) + &stdout_of(FOLDER, 67);
            change(cluster, &both);
        }
        71 => topics(cluster, 71),
        73 => {
            fence(cluster, &[]);
            topics(cluster, 73);
        }
        78 | 84 => cluster.brokers.push(Node {
            id: 4,
            port: 9096,
            rack: Some("r1".to_string()),
            fenced: false,
        }),
        81 => topics(cluster, 81),
        86 => {
            cluster.take_endpoints(&stdout_of(FOLDER, 87));
            topics(cluster, 86);
        }
        92 => cluster.features_epoch = 59,
        _ => {}
    }
}

/// What each tool refuses, and says where there is one broker, `tests/vectors/cluster/options.txt`.
#[test]
fn every_option_of_the_cluster_tools_is_taken_or_refused_as_kafka_does() {
    let mut cluster = FakeCluster {
        id: "Q2x1c3RlclZlY3RvcnMtMQ".to_string(),
        now: Time::from_millis(1_796_081_632_824),
        features_epoch: 224,
        ..Default::default()
    };
    let node = |port| Node {
        id: 1,
        port,
        rack: None,
        fenced: false,
    };
    (cluster.brokers, cluster.controllers) = (vec![node(9092)], vec![node(9093)]);
    let topic = "Topic: t\tTopicId: YdV8tIP_TjqS_UuX2rf-ww\n\tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\n\tTopic: t\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1\n";
    cluster.take_topics(topic);
    let text = vectors::text("cluster/options.txt");
    let (mut compared, mut wrong) = (0, Vec::new());
    for block in text
        .split("\n$ ")
        .map(|block| format!("$ {}", block.trim_start_matches("$ ")))
    {
        let transcript = transcripts::parse("options", &block).expect("a transcript");
        compared += 1;
        wrong.extend(compare(&mut cluster, "cluster/tools", &transcript));
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// Takes single partitions as their lines show them.
fn change(cluster: &mut FakeCluster, lines: &str) {
    for line in lines.lines() {
        let mut one = FakeCluster::default();
        let name = line
            .split("Topic: ")
            .nth(1)
            .and_then(|rest| rest.split('\t').next())
            .expect("a topic");
        one.topics.insert(name.to_string(), Default::default());
        one.take_topics(line);
        let at: usize = line
            .split("Partition: ")
            .nth(1)
            .and_then(|rest| rest.split('\t').next())
            .and_then(|n| n.parse().ok())
            .expect("a partition");
        let partition = one.topics[name].partitions[0].clone();
        cluster.topics.get_mut(name).expect("a topic").partitions[at] = partition;
    }
}

fn cluster() -> FakeCluster {
    let mut cluster = FakeCluster {
        id: "Q2x1c3RlclZlY3RvcnMtMQ".to_string(),
        now: Time::from_millis(1_795_250_082_581),
        ..Default::default()
    };
    cluster.take_endpoints(&stdout_of(FOLDER, 16));
    cluster.take_endpoints(&stdout_of(FOLDER, 17));
    cluster
}

#[test]
fn the_tools_say_of_a_cluster_what_kafkas_said_of_theirs() {
    let mut cluster = cluster();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (number, transcript) in recorded(FOLDER) {
        happen(&mut cluster, number);
        // 14: how long ago depends on when it was asked. 63: nobody leads, and it waits for ever. 69: no broker takes records here.
        if [14, 63, 69].contains(&number) {
            continue;
        }
        compared += 1;
        wrong.extend(compare(&mut cluster, FOLDER, &transcript));
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(compared > 70, "only {compared} were compared");
}

#[test]
fn the_quorum_of_three_controllers_is_told_as_kafka_tells_it() {
    let mut cluster = cluster();
    cluster.take_endpoints(&stdout_of(THREE, 6));
    let wrong: Vec<String> = recorded(THREE)
        .into_iter()
        .filter_map(|(number, transcript)| {
            let (table, high_watermark) = match number {
                2 => (3, 442),
                5 => (3, 445),
                8 => (8, 453),
                9 => (8, 454),
                _ => (3, 442),
            };
            cluster.take_quorum(&stdout_of(THREE, table), 7, high_watermark);
            match number {
                // The lag in time is another at each moment, and the ends of the logs at 9 were told at 8.
                2 | 5 | 9 | 4 => {
                    let said = cluster.run(&transcript.command, |_| None);
                    let fixed = |text: &str| {
                        let lines = text.lines().filter(|line| !line.starts_with("MaxFollower"));
                        lines.map(|line| format!("{line}\n")).collect::<String>()
                    };
                    let (theirs, ours) = (fixed(&transcript.stdout), fixed(&said.stdout));
                    (number != 4 && theirs != ours)
                        .then(|| format!("{}\n{theirs}\n{ours}", transcript.name))
                }
                _ => compare(&mut cluster, THREE, &transcript),
            }
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_status_counts_how_far_and_how_long_the_last_voter_is_behind() {
    let mut cluster = cluster();
    cluster.take_endpoints(&stdout_of(THREE, 6));
    cluster.take_quorum(&stdout_of(THREE, 8), 7, 453);
    let line = "kafka-metadata-quorum --bootstrap-server localhost:9092 describe --status";
    let said = cluster.run(line, |_| None);
    assert!(
        said.stdout.contains("MaxFollowerLag:         7\n"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("MaxFollowerLagTimeMs:   3729\n"),
        "{}",
        said.stdout
    );
    // A voter that has no directory yet, as static voters do not.
    cluster.quorum.topics[0].partitions[0].current_voters[0].replica_directory_id = Uuid::ZERO;
    let said = cluster.run(line, |_| None);
    assert!(
        said.stdout
            .contains("{\"id\": 101, \"directoryId\": null, \"endpoints\": "),
        "{}",
        said.stdout
    );
}

#[test]
fn human_readable_times_are_told_as_how_long_ago_they_were() {
    let mut cluster = cluster();
    cluster.take_quorum(&stdout_of(FOLDER, 13), 1, 61);
    cluster.now = Time::from_millis(1_795_250_082_170);
    let line = "kafka-metadata-quorum --bootstrap-server localhost:9092 describe --replication --human-readable";
    let said = cluster.run(line, |_| None);
    assert!(said.stdout.contains("100   \tpu6KzSzFTUqcN1R21EDltA\t62          \t0  \t8 ms ago          \t8 ms ago             \tLeader  \t\n"), "{}", said.stdout);
}

#[test]
fn a_proposal_uses_the_brokers_it_was_given_and_as_many_racks_as_there_are() {
    let mut cluster = cluster();
    cluster.take_topics(&stdout_of(FOLDER, 9));
    let files = |name: &str| {
        name.starts_with("inputs/")
            .then(|| vectors::bytes(&format!("{FOLDER}/{name}")))
    };
    let line = "kafka-reassign-partitions --generate --topics-to-move-json-file inputs/move.json --broker-list 2,3 --disable-rack-aware --bootstrap-server localhost:9092";
    let said = cluster.run(line, files);
    let (_, proposed) = said
        .stdout
        .split_once("configuration\n")
        .expect("a proposal");
    let proposed: serde_json::Value = serde_json::from_str(proposed).expect("JSON");
    let mut replicas = BTreeSet::new();
    for row in proposed["partitions"].as_array().expect("rows") {
        let wanted = if row["topic"] == "pairs" { 2 } else { 1 };
        let ids = row["replicas"].as_array().expect("replicas");
        assert_eq!(
            (ids.len(), row["log_dirs"].as_array().map(Vec::len)),
            (wanted, Some(wanted))
        );
        replicas.extend(ids.iter().filter_map(serde_json::Value::as_i64));
    }
    assert_eq!(replicas, BTreeSet::from([2, 3]));
}
