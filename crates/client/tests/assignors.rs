//! The assignors against the plans of kafka-clients 4.3.0, and their rules.

use brooklet_client::assignors::{
    Assignment, Subscriber, TopicSizes, cooperative_sticky, range, round_robin, sticky,
};
use ids::{PartitionIndex, Rng, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Assignor = fn(&TopicSizes, &[Subscriber]) -> Assignment;
const ASSIGNORS: [(&str, Assignor); 4] = [
    ("range", range),
    ("roundrobin", round_robin),
    ("sticky", sticky),
    ("cooperative-sticky", cooperative_sticky),
];

#[test]
fn first_plans_are_those_of_kafka() {
    let all = |topics: &[&str], ids: &[&str]| -> Vec<Subscriber> {
        ids.iter().map(|id| member(id, topics)).collect()
    };
    let cases = [
        (
            "T1",
            sizes(&[("t0", 3), ("t1", 3)]),
            all(&["t0", "t1"], &["a", "b"]),
        ),
        ("T2", sizes(&[("t0", 7)]), all(&["t0"], &["a", "b", "c"])),
        (
            "T3",
            sizes(&[("t0", 1), ("t1", 2), ("t2", 3)]),
            vec![
                member("a", &["t0"]),
                member("b", &["t0", "t1"]),
                member("c", &["t0", "t1", "t2"]),
            ],
        ),
    ];
    for (case, sizes, members) in &cases {
        for (name, assignor) in ASSIGNORS {
            let expected = plan(case, name);
            assert_eq!(shown(&assignor(sizes, members)), expected, "{case} {name}");
        }
    }
}

#[test]
fn sticky_plans_of_later_rounds_are_those_of_kafka() {
    for (name, assignor) in &ASSIGNORS[2..] {
        let sizes = sizes(&[("t0", 6)]);
        let mut members = vec![member("a", &["t0"]), member("b", &["t0"])];
        let round = |label: &str, generation: i32, members: &mut Vec<Subscriber>| {
            let assignment = assignor(&sizes, members);
            assert_eq!(
                shown(&assignment),
                plan("T3", &format!("{name} {label}")),
                "{name}"
            );
            for member in members {
                member.owned.clone_from(&assignment[&member.member_id]);
                member.generation = generation;
            }
        };
        round("round1 (t0:6; a,b)", 1, &mut members);
        members.push(member("c", &["t0"]));
        round("round2 (+c joins)", 2, &mut members);
        let mut without_a = members[1..].to_vec();
        round("round3 (rejoin)", 3, &mut members);
        round("round3b (a leaves)", 3, &mut without_a);
    }
}

#[test]
fn static_members_come_first_and_by_name() {
    let mut members = vec![
        member("a", &["t0"]),
        member("z", &["t0"]),
        member("y", &["t0"]),
    ];
    members[1].instance_id = Some(Arc::from("i1"));
    members[2].instance_id = Some(Arc::from("i2"));
    for assignor in [range, round_robin] {
        let plan = shown(&assignor(&sizes(&[("t0", 3)]), &members));
        assert_eq!(plan["z"], ["t0-0"]);
        assert_eq!(plan["y"], ["t0-1"]);
        assert_eq!(plan["a"], ["t0-2"]);
    }
}

#[test]
fn every_partition_has_one_owner_that_wants_it_whatever_members_claim() {
    let mut rng = Rng::new(11);
    for _ in 0..300 {
        let topics: Vec<String> = (0..=rng.below(3)).map(|t| format!("t{t}")).collect();
        let sizes: TopicSizes = topics
            .iter()
            .map(|t| (Arc::from(&**t), rng.below(6) as i32))
            .collect();
        let members: Vec<Subscriber> = (0..=rng.below(4))
            .map(|id| anybody(&format!("m{id}"), &topics, &mut rng))
            .collect();
        for (name, assignor) in &ASSIGNORS[..3] {
            check(&assignor(&sizes, &members), &sizes, &members, name);
        }
        // A cooperative plan is part of the sticky one.
        let (whole, part) = (
            sticky(&sizes, &members),
            cooperative_sticky(&sizes, &members),
        );
        for (id, partitions) in &part {
            assert!(partitions.iter().all(|p| whole[id].contains(p)));
        }
    }
}

#[test]
fn sticky_moves_nothing_when_nothing_changed() {
    let mut rng = Rng::new(5);
    for _ in 0..100 {
        let topics = ["t0".to_string(), "t1".to_string(), "t2".to_string()];
        let sizes = sizes(&[("t0", 5), ("t1", 4), ("t2", 7)]);
        let mut members: Vec<Subscriber> = (0..=rng.below(5))
            .map(|id| anybody(&format!("m{id}"), &topics, &mut rng))
            .collect();
        let first = sticky(&sizes, &members);
        for member in &mut members {
            member.owned.clone_from(&first[&member.member_id]);
            member.generation = 1;
        }
        assert_eq!(sticky(&sizes, &members), first);
        assert_eq!(cooperative_sticky(&sizes, &members), first);
    }
}

#[test]
fn a_claim_of_an_older_generation_counts_for_nothing() {
    let mut members = vec![member("a", &["t0"]), member("b", &["t0"])];
    for (member, generation) in members.iter_mut().zip([1, 2]) {
        member.owned = (0..2).map(|p| partition("t0", p)).collect();
        member.generation = generation;
    }
    let plan = shown(&sticky(&sizes(&[("t0", 4)]), &members));
    assert_eq!(plan["b"], ["t0-0", "t0-1"]);
    assert_eq!(plan["a"], ["t0-2", "t0-3"]);
}

fn check(assignment: &Assignment, sizes: &TopicSizes, members: &[Subscriber], name: &str) {
    let mut owners: BTreeMap<&TopicPartition, &Arc<str>> = BTreeMap::new();
    for member in members {
        for partition in &assignment[&member.member_id] {
            assert!(member.topics.contains(&partition.topic), "{name}: unwanted");
            let former = owners.insert(partition, &member.member_id);
            assert_eq!(former, None, "{name}: {partition} has two owners");
        }
    }
    let wanted: BTreeSet<&Arc<str>> = members.iter().flat_map(|m| &m.topics).collect();
    let all = sizes.iter().filter(|(topic, _)| wanted.contains(topic));
    let count: i32 = all.map(|(_, size)| *size).sum();
    assert_eq!(
        owners.len(),
        count as usize,
        "{name}: a partition without an owner"
    );
}

/// A member that wants some topics and claims whatever it likes.
fn anybody(id: &str, topics: &[String], rng: &mut Rng) -> Subscriber {
    let wanted: Vec<&str> = topics
        .iter()
        .filter(|_| rng.below(3) > 0)
        .map(|topic| &**topic)
        .collect();
    let mut member = member(id, &wanted);
    member.owned = (0..rng.below(6))
        .map(|_| {
            partition(
                &topics[rng.below(topics.len() as u64) as usize],
                rng.below(8) as i32,
            )
        })
        .collect();
    member.generation = rng.below(3) as i32 - 1;
    member
}

fn member(id: &str, topics: &[&str]) -> Subscriber {
    Subscriber {
        member_id: Arc::from(id),
        instance_id: None,
        topics: topics.iter().map(|topic| Arc::from(*topic)).collect(),
        owned: Vec::new(),
        generation: -1,
    }
}

fn partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition {
        topic: Arc::from(topic),
        partition: PartitionIndex(partition),
    }
}

fn sizes(topics: &[(&str, i32)]) -> TopicSizes {
    topics
        .iter()
        .map(|(topic, size)| (Arc::from(*topic), *size))
        .collect()
}

type Plan = BTreeMap<String, Vec<String>>;

fn shown(assignment: &Assignment) -> Plan {
    let text = |(id, given): (&Arc<str>, &Vec<TopicPartition>)| {
        (
            id.to_string(),
            given.iter().map(ToString::to_string).collect(),
        )
    };
    assignment.iter().map(text).collect()
}

/// The plan under the heading `name` of a case in the recorded answers.
fn plan(case: &str, name: &str) -> Plan {
    let heading = format!("  {name}");
    let recorded = vectors::text("partitioners-and-assignors.txt");
    let plan: Plan = recorded
        .lines()
        .skip_while(|line| !line.starts_with(case))
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| line.starts_with("    "))
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(id, given)| {
            (
                id.to_string(),
                given.split_whitespace().map(Into::into).collect(),
            )
        })
        .collect();
    assert!(!plan.is_empty(), "no plan recorded for {case} {name}");
    plan
}
