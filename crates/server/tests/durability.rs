//! `--fsync always` against a power cut at every operation, and a disk that is full.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::node::Node;
use crate::common::recorder::Recorder;
use crate::common::{fresh_dir, produce_request};
use brooklet_server::{Fsync, RealFiles};
use cluster::Event;
use ids::PartitionIndex;
use wire::produce_response::ProduceResponse;

#[test]
fn a_stall_longer_than_a_session_does_not_fence_the_only_broker() {
    // What is heard first after it: that time has passed, or a client's request of any kind.
    for first in 0..3 {
        let files = Recorder::default();
        let mut node = Node::start(&files, Fsync::OnRoll);
        node.create("orders");
        let leader = |node: &Node| {
            let broker = node.driver.cluster().node(node.driver.node()).unwrap();
            let image = broker.image().unwrap();
            let partition = image.partition("orders", PartitionIndex(0)).unwrap();
            (partition.leader(), partition.leader_epoch)
        };
        let before = leader(&node);
        for stall_s in [10, 60, 7 * 24 * 3600] {
            node.now = node.now.plus_millis(stall_s * 1000);
            match first {
                0 => node.tell(Event::Tick),
                1 => assert_eq!(node.produce("orders", "a record"), 0),
                _ => node.create(&format!("more-{stall_s}")),
            }
            node.tell(Event::Tick);
            assert!(node.driver.is_serving(), "{first}: {stall_s} s");
            assert_eq!(leader(&node), before, "{first}: {stall_s} s");
            assert_eq!(node.produce("orders", "a record"), 0);
        }
    }
}

#[test]
fn records_bear_the_time_on_the_wall_and_deadlines_do_not() {
    let files = Recorder::default();
    let mut node = Node::start(&files, Fsync::OnRoll);
    node.create("orders");
    // The machine's clock is set on by two days: the record below is of before.
    node.driver.set_wall_ahead(2 * 24 * 3_600_000_000);
    assert_eq!(node.produce("orders", "a record"), 0);
    assert!(node.driver.is_serving());
    // Set back by two hours, the record's time lies too far ahead (message.timestamp.after.max.ms).
    node.driver.set_wall_ahead(-2 * 3_600_000_000);
    assert_eq!(node.produce("orders", "a record"), 32, "INVALID_TIMESTAMP");
}

#[test]
fn a_request_without_time_to_wait_is_answered_by_what_is_committed_at_once() {
    for fsync in [Fsync::OnRoll, Fsync::Always] {
        let files = Recorder::default();
        let mut node = Node::start(&files, fsync);
        node.create("orders");
        for timeout_ms in [0, -1] {
            let mut request = produce_request("orders", &[b"a record"], -1);
            request.timeout_ms = timeout_ms;
            let answer: ProduceResponse = node.ask(9, &request);
            assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
        }
    }
}

#[test]
fn requests_that_a_client_sends_without_waiting_share_an_fsync() {
    let files = Recorder::default();
    let mut node = Node::start(&files, Fsync::Always);
    node.create("orders");
    assert_eq!(node.produce("orders", "0"), 0);
    let before = files.ops_in("orders-0");
    for value in ["1", "2", "3", "4"] {
        node.send(9, &produce_request("orders", &[value.as_bytes()], -1));
    }
    assert_eq!(node.driver.take_out().len(), 0, "nothing is durable yet");
    node.driver.commit(node.now);
    assert_eq!(
        files.ops_in("orders-0") - before,
        4 + 1,
        "writes, and an fsync"
    );
    let offsets: Vec<i64> = (node.received::<ProduceResponse>(9).iter())
        .map(|answer| answer.responses[0].partition_responses[0].base_offset)
        .collect();
    assert_eq!(offsets, [1, 2, 3, 4]);
}

#[test]
fn a_stop_answers_what_a_thread_was_making_durable() {
    let files = RealFiles::open(&fresh_dir("stop-while-syncing")).unwrap();
    let mut node = Node::try_start_on(Box::new(files), Fsync::Always).unwrap();
    node.create("orders");
    node.driver.work_aside(|| {}).unwrap();
    node.send(9, &produce_request("orders", &[b"a record"], -1));
    // From here on the thread has it; nobody asks the thread again.
    node.driver.commit_aside(node.now);
    node.driver.commit(node.now);
    assert_eq!(node.received::<ProduceResponse>(9).len(), 1);
}

/// What has been acknowledged, with the number of operations there had been by then.
struct Acknowledged {
    ops: usize,
    topic: &'static str,
    end: i64,
}

fn run(files: &Recorder) -> Vec<Acknowledged> {
    let mut node = Node::start(files, Fsync::Always);
    let mut acknowledged = Vec::new();
    for (round, topic) in ["first", "second"].into_iter().enumerate() {
        node.create(topic);
        let mut note = |end| {
            let ops = files.len();
            acknowledged.push(Acknowledged { ops, topic, end });
        };
        note(0);
        for i in 0..12 {
            assert_eq!(node.produce(topic, &format!("{round} {i}")), 0);
            note(i + 1);
        }
    }
    acknowledged
}

/// The first power cut after which something acknowledged is missing.
fn first_loss(files: &Recorder, acknowledged: &[Acknowledged]) -> Option<String> {
    for (ops, left) in files.after_each_cut().enumerate() {
        let node = Node::start(&left, Fsync::Always);
        for promise in acknowledged.iter().filter(|promise| promise.ops <= ops) {
            let end = node.end(promise.topic);
            if end < promise.end {
                let Acknowledged {
                    topic,
                    end: promised,
                    ..
                } = promise;
                return Some(format!(
                    "a power cut after {ops} operations: {topic} ends at {end}, not {promised}"
                ));
            }
        }
    }
    None
}

#[test]
fn with_fsync_always_no_power_cut_loses_what_was_acknowledged() {
    let files = Recorder::default();
    let acknowledged = run(&files);
    assert!(acknowledged.len() == 26 && files.len() > 100);
    assert_eq!(first_loss(&files, &acknowledged), None);
}

#[test]
fn without_the_fsync_the_same_check_finds_the_loss() {
    let files = Recorder::without_fsync();
    let acknowledged = run(&files);
    assert!(first_loss(&files, &acknowledged).is_some());
}

/// Segments of `orders-0` that a power cut would take bytes from.
fn at_risk(files: &Recorder) -> Vec<String> {
    let mut names = files.at_risk();
    names.retain(|name| name.starts_with("orders-0/"));
    names
}

#[test]
fn a_closed_segment_is_flushed_while_the_server_goes_on() {
    let files = Recorder::default();
    let mut node = Node::start(&files, Fsync::OnRoll);
    node.create("orders");
    for _ in 0..12 {
        assert_eq!(node.produce("orders", "a record of no great length"), 0);
    }
    let segments = at_risk(&files);
    assert!(
        segments.len() > 2,
        "nothing has been flushed yet: {segments:?}"
    );
    assert_eq!(node.recovery_point(&files), 0);
    // One flush after the other moves the recovery point to the end of its segment.
    for (number, next) in segments.iter().enumerate().skip(1) {
        assert!(files.flush_one());
        assert_eq!(at_risk(&files), segments[number..]);
        let end: i64 = next["orders-0/".len()..][..20].parse().unwrap();
        assert_eq!(node.recovery_point(&files), end);
    }
    assert!(!files.flush_one());
    assert_eq!(node.produce("orders", "one more"), 0);
    node.driver.close().unwrap();
    assert_eq!(at_risk(&files), Vec::<String>::new());
    assert_eq!(node.recovery_point(&files), 13);
    assert!(files.text(".kafka_cleanshutdown").is_some());
}

#[test]
fn a_flush_covers_the_segments_that_a_killed_server_had_not_flushed() {
    let files = Recorder::default();
    let mut killed = Node::start(&files, Fsync::OnRoll);
    killed.create("orders");
    for _ in 0..12 {
        assert_eq!(killed.produce("orders", "a record of no great length"), 0);
    }
    files.forget_flushes();
    drop(killed);
    for fsync in [Fsync::OnRoll, Fsync::Always] {
        let files = files.copy();
        let mut node = Node::start(&files, fsync);
        let closed = at_risk(&files).len();
        while at_risk(&files).len() == closed {
            assert_eq!(node.produce("orders", "a record of no great length"), 0);
            while files.flush_one() {}
        }
        let left = at_risk(&files).len();
        assert!(closed > 2 && left <= 1, "{fsync:?}: {:?}", at_risk(&files));
    }
}

#[test]
fn after_a_flush_that_failed_nothing_is_taken_for_flushed() {
    let files = Recorder::default();
    let mut node = Node::start(&files, Fsync::OnRoll);
    node.create("orders");
    files.break_flushes();
    for _ in 0..12 {
        assert_eq!(node.produce("orders", "a record of no great length"), 0);
    }
    assert!(files.flush_one());
    assert_eq!(node.recovery_point(&files), 0);
    let said = node.lines.all();
    assert!(
        said[0].starts_with("orders-0: a closed segment cannot be flushed: "),
        "{said:?}"
    );
    node.driver.close().unwrap();
    assert_eq!(node.recovery_point(&files), 0);
    assert_eq!(files.text(".kafka_cleanshutdown"), None);
}

#[test]
fn starts_and_stops_write_nothing_of_a_log_that_nothing_comes_to() {
    let files = Recorder::default();
    let mut node = Node::start(&files, Fsync::OnRoll);
    node.create("orders");
    assert_eq!(node.produce("orders", "a record"), 0);
    node.stop();
    let before = files.ops_in("orders-0");
    for _ in 0..3 {
        let mut node = Node::start(&files, Fsync::OnRoll);
        assert_eq!(files.ops_in("orders-0"), before);
        node.stop();
        assert_eq!(files.ops_in("orders-0"), before);
    }
    let mut node = Node::start(&files, Fsync::OnRoll);
    assert_eq!(node.produce("orders", "another"), 0);
    node.stop();
    assert!(files.ops_in("orders-0") > before + 4);
    assert_eq!(Node::start(&files, Fsync::OnRoll).end("orders"), 2);
}

/// What is done to files for a topic of so many partitions: when it is made, at a stop, and at a
/// start and a stop once the directories are there.
fn work_for(partitions: i32, fsync: Fsync) -> [usize; 3] {
    let files = Recorder::default();
    let mut node = Node::start(&files, fsync);
    let mut before = files.len();
    let mut since = || {
        let done = files.len() - before;
        before += done;
        done
    };
    node.create_with("idle", partitions);
    let made = since();
    node.stop();
    let stopped = since();
    let mut node = Node::start(&files, fsync);
    while !node.driver.is_laid_out() {
        node.driver.lay_out();
    }
    node.stop();
    assert!(files.text("idle-0/partition.metadata").is_some());
    since();
    Node::start(&files, fsync).stop();
    [made, stopped, since()]
}

#[test]
fn partitions_that_nothing_comes_to_cost_no_file_when_they_are_made_nor_at_a_stop() {
    for fsync in [Fsync::OnRoll, Fsync::Always] {
        let (few, many) = (work_for(3, fsync), work_for(300, fsync));
        assert_eq!(few, many, "{fsync:?}");
        assert!(many.iter().all(|ops| *ops < 60), "{fsync:?}: {many:?}");
    }
}

#[test]
fn a_partition_that_had_no_directory_yet_begins_again_without_a_word() {
    let files = Recorder::default();
    let mut node = Node::start(&files, Fsync::OnRoll);
    node.create("orders");
    node.stop();
    let mut node = Node::start(&files, Fsync::OnRoll);
    assert_eq!(node.lines.all(), Vec::<String>::new());
    assert_eq!(node.produce("orders", "a record"), 0);
    assert!(files.text("orders-0/leader-epoch-checkpoint").is_some());
}

#[test]
fn a_start_does_no_more_for_a_topic_however_often_there_was_one_before() {
    let files = Recorder::default();
    let mut node = Node::start(&files, Fsync::OnRoll);
    node.create("orders");
    assert_eq!(node.produce("orders", "a record"), 0);
    node.stop();
    let mut work = Vec::new();
    for _ in 0..4 {
        let before = files.len();
        let mut node = Node::start(&files, Fsync::OnRoll);
        work.push(files.len() - before);
        assert_eq!(node.end("orders"), 1);
        node.stop();
    }
    // The second start takes back a leader epoch of the first, in which nothing was written.
    assert!(work[1..].iter().all(|ops| *ops == work[1]), "{work:?}");
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let files = Recorder::default();
    let mut node = Node::start(&files, Fsync::OnRoll);
    node.create("orders");
    assert_eq!(node.produce("orders", "kept"), 0);
    files.set_full(true);
    for _ in 0..3 {
        assert_eq!(node.produce("orders", "refused"), 56, "KAFKA_STORAGE_ERROR");
    }
    assert_eq!(node.end("orders"), 1);
    let said = node.lines.all();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("orders-0: cannot be written: "),
        "{said:?}"
    );
    files.set_full(false);
    assert_eq!(node.produce("orders", "works again"), 0);
    assert_eq!(node.lines.all()[1], "orders-0: can be written again");
    // What recovery finds is what was acknowledged.
    let after = Node::start(&files, Fsync::OnRoll);
    assert_eq!(after.end("orders"), 2);
    assert_eq!(after.lines.all(), Vec::<String>::new());
}
