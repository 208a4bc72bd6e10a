//! A quorum elects, brokers come to it, and everyone knows the same.

use crate::support::Bench;
use ids::{NodeId, PartitionIndex};
use wire::Str;
use wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::create_topics_response::CreateTopicsResponse;
use wire::describe_quorum_request as describe;
use wire::describe_quorum_response::DescribeQuorumResponse;

/// Makes a topic of three replicas at a broker; gives its code.
pub(crate) fn create(bench: &mut Bench, at: i32, name: &str) -> i16 {
    let topic = CreatableTopic {
        name: Str::from(name),
        num_partitions: 3,
        replication_factor: 3,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 30_000,
        ..CreateTopicsRequest::default()
    };
    let answer: CreateTopicsResponse = bench.ask(at, 7, &request);
    answer.topics[0].error_code
}

/// Every running node has the topic, led by a live broker, and the same image.
pub(crate) fn assert_agreed(bench: &mut Bench, topic: &str) {
    bench.run(1_500);
    let running = bench.running();
    let first = bench.image(running[0]).clone();
    for id in &running {
        assert_eq!(*bench.image(*id), first, "node {id} knows something else");
    }
    let topic = first.topic(topic).unwrap();
    assert_eq!(topic.partitions.len(), 3);
    for partition in topic.partitions.values() {
        assert_eq!(partition.replicas.len(), 3);
        let leader = partition.leader().unwrap();
        assert!(running.contains(&leader.0), "{leader} leads and is gone");
    }
}

#[test]
fn three_combined_nodes_elect_register_and_agree_on_a_topic() {
    let mut bench = Bench::combined(3);
    bench.start_all();
    bench.run_until(10_000, |bench| {
        bench.controller().is_some() && bench.all_serve()
    });
    for (at, name) in [(1, "a"), (2, "b"), (3, "c")] {
        assert_eq!(create(&mut bench, at, name), 0, "{name}");
        assert_agreed(&mut bench, name);
    }
    let leader = bench.controller().unwrap();
    assert_eq!(
        bench
            .image(leader)
            .feature("eligible.leader.replicas.version"),
        1
    );
    // Those that do not lead have introduced themselves to the one that does.
    for id in 1..=3 {
        let known = &bench.image(1).controllers()[&NodeId(id)];
        let port = known.end_points.first().map(|endpoint| endpoint.port);
        assert_eq!(port, Some(19_000 + u16::try_from(id).unwrap()));
    }
    // Everything went as frames: votes, fetches, registrations, heartbeats, envelopes.
    for key in [1, 52, 53, 58, 62, 63] {
        assert!(
            bench.sent.get(&key).is_some_and(|count| *count > 0),
            "nothing of API {key}"
        );
    }
}

#[test]
fn a_lone_controller_serves_three_brokers() {
    let mut bench = Bench::split(1, 3);
    bench.start_all();
    bench.run_until(5_000, Bench::all_serve);
    assert_eq!(create(&mut bench, 1, "t"), 0);
    assert_agreed(&mut bench, "t");
    let isr = |index| {
        let partition = bench.image(101).partition("t", PartitionIndex(index));
        partition.unwrap().isr.len()
    };
    assert_eq!([isr(0), isr(1), isr(2)], [3, 3, 3]);
}

#[test]
fn a_node_that_starts_late_catches_up_by_fetching() {
    let mut bench = Bench::split(3, 4);
    for id in [101, 102, 103, 1, 2, 3] {
        bench.start(id);
    }
    bench.run_until(10_000, |bench| {
        bench.controller().is_some() && bench.all_serve()
    });
    for name in ["a", "b"] {
        assert_eq!(create(&mut bench, 1, name), 0);
    }
    bench.run(60_000);
    bench.start(4);
    bench.run_until(5_000, Bench::all_serve);
    assert_agreed(&mut bench, "b");
    assert!(bench.image(4).brokers().contains_key(&NodeId(4)));
}

#[test]
fn the_leader_describes_the_quorum_and_others_say_that_they_do_not_lead() {
    let mut bench = Bench::split(3, 1);
    bench.start_all();
    bench.run_until(10_000, |bench| {
        bench.controller().is_some() && bench.all_serve()
    });
    bench.run(1_000);
    let leader = bench.controller().unwrap();
    let request = describe::DescribeQuorumRequest {
        topics: vec![describe::TopicData {
            topic_name: Str::from("__cluster_metadata"),
            partitions: vec![describe::PartitionData::default()],
            ..describe::TopicData::default()
        }],
        ..describe::DescribeQuorumRequest::default()
    };
    for id in [101, 102, 103] {
        let answer: DescribeQuorumResponse = bench.ask_controller(id, 2, &request);
        let part = &answer.topics[0].partitions[0];
        if id == leader {
            assert_eq!((part.error_code, part.leader_id), (0, leader));
            assert_eq!(part.current_voters.len(), 3);
            let observers = part.observers.iter().map(|replica| replica.replica_id);
            assert_eq!(observers.collect::<Vec<_>>(), [1]);
        } else {
            // NOT_LEADER_OR_FOLLOWER, and nothing else, as in Kafka.
            assert_eq!(
                (part.error_code, part.leader_id, part.leader_epoch),
                (6, 0, 0)
            );
        }
    }
}

#[test]
fn a_lone_node_serves_as_soon_as_its_disk_has_answered() {
    let mut bench = Bench::combined(1);
    for _ in 0..3 {
        let before = bench.now;
        bench.start(1);
        bench.run_until(100, Bench::all_serve);
        // Writes of a millisecond each: the election, who the controller is, the registration, and the end of
        // being fenced. Nobody waits for time to pass.
        let took = bench.now.since(before) / 1000;
        assert!(took <= 6, "{took} ms");
        bench.kill(1);
    }
    assert!(bench.sent.is_empty(), "it spoke to somebody");
}
