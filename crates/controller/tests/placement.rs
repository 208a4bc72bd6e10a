//! Where replicas go, held against what Kafka made for the same brokers.

use crate::alone::Alone;
use ids::PartitionIndex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wire::Str;
use wire::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use wire::create_partitions_response::CreatePartitionsResponse;

type Racks = BTreeMap<i32, Option<String>>;

/// What of an assignment does not depend on chance.
fn check(racks: &Racks, factor: usize, assignment: &[Vec<i32>]) {
    let count = racks.len();
    let names: BTreeSet<&Option<String>> = racks.values().collect();
    let by_rack = names.len() > 1;
    for replicas in assignment {
        let distinct: BTreeSet<&i32> = replicas.iter().collect();
        assert_eq!(
            (replicas.len(), distinct.len()),
            (factor, factor),
            "{assignment:?}"
        );
        let used: BTreeSet<_> = replicas.iter().map(|id| &racks[id]).collect();
        assert_eq!(
            used.len(),
            factor.min(names.len()),
            "racks in {assignment:?}"
        );
    }
    let ids: Vec<i32> = racks.keys().copied().collect();
    for (at, block) in assignment.chunks(count).enumerate() {
        let firsts: Vec<i32> = block.iter().map(|replicas| replicas[0]).collect();
        if !by_rack {
            let leaders: BTreeSet<&i32> = firsts.iter().collect();
            assert_eq!(leaders.len(), firsts.len(), "leaders in {assignment:?}");
        }
        if at > 0 {
            continue;
        }
        let place = |id: &i32| ids.iter().position(|other| other == id).unwrap();
        let names: Vec<_> = names.iter().collect();
        let rack = |id: &i32| names.iter().position(|name| **name == &racks[id]).unwrap();
        let steps = |places: Vec<usize>, round: usize| {
            places
                .windows(2)
                .all(|pair| pair[1] == (pair[0] + 1) % round)
        };
        if by_rack {
            assert!(
                steps(firsts.iter().map(rack).collect(), names.len()),
                "{assignment:?}"
            );
        } else {
            assert!(
                steps(firsts.iter().map(place).collect(), count),
                "{assignment:?}"
            );
            for replicas in block {
                assert!(
                    steps(replicas.iter().map(place).collect(), count),
                    "{assignment:?}"
                );
            }
        }
    }
}

struct Sample {
    racks: Racks,
    factor: usize,
    assignment: Vec<Vec<i32>>,
    grown_to: Option<usize>,
}

fn samples() -> Vec<Sample> {
    let number = |value: &Value| i32::try_from(value.as_i64().unwrap()).unwrap();
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let rack = |(id, rack): (&String, &Value)| {
            (id.parse().unwrap(), rack.as_str().map(str::to_string))
        };
        let lists = line["assignment"].as_array().unwrap().iter();
        let lists = lists.map(|list| list.as_array().unwrap().iter().map(number).collect());
        Sample {
            racks: line["brokers"]
                .as_object()
                .unwrap()
                .iter()
                .map(rack)
                .collect(),
            factor: usize::try_from(line["rf"].as_u64().unwrap()).unwrap(),
            assignment: lists.collect(),
            grown_to: line["grownTo"]
                .as_u64()
                .map(|count| usize::try_from(count).unwrap()),
        }
    };
    vectors::text("cluster/assignments.ndjson")
        .lines()
        .map(read)
        .collect()
}

/// A controller with these brokers, numbered as in the sample.
fn cluster(racks: &Racks, seed: u64) -> Alone {
    let mut alone = Alone::with_seed(&[], seed);
    for (id, rack) in racks {
        alone.join(*id, rack.as_deref());
    }
    alone
}

fn replicas(alone: &Alone, topic: &str) -> Vec<Vec<i32>> {
    let partitions = alone.image().topic(topic).unwrap().partitions.values();
    let ids =
        |partition: &metadata::Partition| partition.replicas.iter().map(|node| node.0).collect();
    partitions.map(ids).collect()
}

#[test]
fn what_is_checked_holds_of_kafkas_own_assignments() {
    for sample in samples() {
        if sample.grown_to.is_none() {
            check(&sample.racks, sample.factor, &sample.assignment);
        }
    }
}

#[test]
fn replicas_are_placed_as_kafka_places_them() {
    let mut starts = BTreeSet::new();
    for (seed, sample) in (0..).zip(samples()) {
        let mut alone = cluster(&sample.racks, seed);
        let (count, factor) = (sample.assignment.len(), sample.factor);
        let answer = alone.create_anywhere(
            "t",
            i32::try_from(count).unwrap(),
            i16::try_from(factor).unwrap(),
        );
        assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
        let assignment = replicas(&alone, "t");
        check(&sample.racks, factor, &assignment);
        let ids: Vec<&i32> = sample.racks.keys().collect();
        starts.insert(ids.iter().position(|id| **id == assignment[0][0]).unwrap());
    }
    assert!(
        starts.len() >= 3,
        "the first broker is one of chance: {starts:?}"
    );
}

#[test]
fn partitions_that_are_added_begin_at_a_broker_of_chance() {
    let racks: Racks = (1..=4).map(|id| (id, None)).collect();
    let mut firsts = BTreeSet::new();
    for seed in 0..20 {
        let mut alone = cluster(&racks, seed);
        alone.create("t", &[vec![1, 2]], &[]);
        let answer = grow(&mut alone, 5, None);
        assert_eq!(answer.results[0].error_code, 0, "{answer:?}");
        let all = replicas(&alone, "t");
        check(&racks, 2, &all[1..]);
        firsts.insert(all[1][0]);
    }
    assert!(firsts.len() > 2, "{firsts:?}");
}

fn grow(alone: &mut Alone, count: i32, by_hand: Option<Vec<Vec<i32>>>) -> CreatePartitionsResponse {
    let assignment = |broker_ids| CreatePartitionsAssignment {
        broker_ids,
        ..CreatePartitionsAssignment::default()
    };
    let request = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: Str::from("t"),
            count,
            assignments: by_hand.map(|lists| lists.into_iter().map(assignment).collect()),
            ..CreatePartitionsTopic::default()
        }],
        ..CreatePartitionsRequest::default()
    };
    alone.ask(3, &request)
}

#[test]
fn partitions_added_by_hand_have_as_many_replicas_as_the_others() {
    let racks: Racks = (1..=3).map(|id| (id, None)).collect();
    let mut alone = cluster(&racks, 1);
    alone.create("t", &[vec![1, 2]], &[]);
    alone.beat(3, |request| request.want_fence = true);
    let refused = [
        (vec![1], 39, "which have 2 replica(s)."),
        (vec![1, 1], 39, "more than once."),
        (vec![1, 7], 39, "no such broker is registered."),
        (vec![], 39, "an empty replica list."),
    ];
    for (list, code, end) in refused {
        let answer = grow(&mut alone, 2, Some(vec![list]));
        let row = &answer.results[0];
        assert_eq!(row.error_code, code, "{row:?}");
        assert!(
            row.error_message.as_ref().unwrap().ends_with(end),
            "{row:?}"
        );
    }
    let answer = grow(&mut alone, 2, Some(vec![vec![3, 2]]));
    assert_eq!(answer.results[0].error_code, 0, "{answer:?}");
    let partition = alone.image().partition("t", PartitionIndex(1)).unwrap();
    assert_eq!(
        (partition.leader.0, partition.isr.len()),
        (2, 1),
        "{partition:?}"
    );
}

#[test]
fn a_fenced_broker_gets_replicas_but_never_the_first() {
    for seed in 0..30 {
        let racks: Racks = (1..=3).map(|id| (id, Some(format!("r{id}")))).collect();
        let mut alone = cluster(&racks, seed);
        alone.beat(3, |request| request.want_fence = true);
        alone.create_anywhere("t", 6, 3);
        for list in replicas(&alone, "t") {
            assert_ne!(list[0], 3, "{list:?}");
            assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), 3, "{list:?}");
        }
    }
}
