//! Random lives of brokers: whatever happens, what the controller decides keeps its invariants.

use crate::alone::Alone;
use ids::{NodeId, PartitionIndex, Rng, Uuid};
use metadata::Partition;
use std::collections::BTreeMap;
use wire::Str;
use wire::alter_partition_reassignments_request as reassign;
use wire::alter_partition_reassignments_response::AlterPartitionReassignmentsResponse;
use wire::elect_leaders_request::ElectLeadersRequest;
use wire::elect_leaders_response::ElectLeadersResponse;
use wire::unregister_broker_request::UnregisterBrokerRequest;
use wire::unregister_broker_response::UnregisterBrokerResponse;

const TOPICS: [(&str, &str, &str); 3] = [
    ("plain", "1", "false"),
    ("two", "2", "false"),
    ("unclean", "2", "true"),
];

/// The epochs of each partition.
type Epochs = BTreeMap<(String, i32), (i32, i32)>;

struct Life {
    alone: Alone,
    rng: Rng,
    count: i32,
    incarnations: u8,
    /// Those that send heartbeats.
    alive: Vec<i32>,
    epochs: Epochs,
    elr: bool,
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut rng = Rng::new(seed);
        let elr = rng.below(3) > 0;
        let count = 3 + i32::try_from(rng.below(3)).unwrap();
        let mut alone = Alone::with_elr(&[], i16::from(elr));
        for id in 1..=count {
            alone.join(id, None);
        }
        for (name, least, unclean) in TOPICS {
            let lists = (0..4).map(|at| (0..3).map(|step| (at + step) % count + 1).collect());
            let lists: Vec<Vec<i32>> = lists.collect();
            let configs = [
                ("min.insync.replicas", least),
                ("unclean.leader.election.enable", unclean),
            ];
            assert_eq!(alone.create(name, &lists, &configs).topics[0].error_code, 0);
        }
        Life {
            alone,
            rng,
            count,
            incarnations: 200,
            alive: (1..=count).collect(),
            epochs: Epochs::new(),
            elr,
        }
    }

    fn below(&mut self, bound: i32) -> i32 {
        i32::try_from(self.rng.below(u64::try_from(bound).unwrap())).unwrap()
    }

    fn any_partition(&mut self) -> (&'static str, i32) {
        let topic = usize::try_from(self.below(3)).unwrap();
        (TOPICS[topic].0, self.below(4))
    }

    fn step(&mut self) {
        let id = 1 + self.below(self.count);
        let is_known = self.alone.image().brokers().contains_key(&NodeId(id));
        let is_alive = self.alive.contains(&id) && is_known;
        match self.below(12) {
            0 => self.alive.retain(|other| *other != id),
            1 if !is_alive => self.restart(id),
            2 if is_alive => {
                self.alone.beat(id, |request| request.want_fence = true);
            }
            3 if is_alive => {
                let answer = self.alone.beat(id, |request| request.want_shut_down = true);
                if answer.should_shut_down {
                    self.alive.retain(|other| *other != id);
                }
            }
            4 => {
                let seconds = 1 + u32::try_from(self.below(12)).unwrap();
                let registered = |id: &i32| self.alone.image().brokers().contains_key(&NodeId(*id));
                let alive: Vec<i32> = self.alive.iter().copied().filter(registered).collect();
                self.alone.pass(seconds, &alive, true);
            }
            5..=8 => self.propose(),
            9 => self.reassign(),
            10 => {
                let request = ElectLeadersRequest {
                    election_type: i8::try_from(self.below(2)).unwrap(),
                    topic_partitions: None,
                    ..ElectLeadersRequest::default()
                };
                let answer: ElectLeadersResponse = self.alone.ask(2, &request);
                assert_eq!(answer.error_code, 0);
            }
            11 if self.below(4) == 0 && is_known => {
                let request = UnregisterBrokerRequest {
                    broker_id: id,
                    ..UnregisterBrokerRequest::default()
                };
                let answer: UnregisterBrokerResponse = self.alone.ask(0, &request);
                assert_eq!(answer.error_code, 0);
                self.alive.retain(|other| *other != id);
            }
            _ => {}
        }
    }

    /// A process begins anew, after an orderly end or another, and perhaps too early.
    fn restart(&mut self, id: i32) {
        let is_clean = self.below(2) == 0;
        self.incarnations = self.incarnations.wrapping_add(1);
        let played = self.alone.brokers.get_mut(&id).unwrap();
        played.incarnation = Uuid([self.incarnations; 16]);
        let previous = if is_clean { played.epoch } else { -1 };
        if self.alone.register(id, previous).error_code == 0 {
            self.alive.push(id);
            self.alone.beat(id, |_| {});
        }
    }

    /// A leader that lives asks for some ISR; what is wrong about it is refused.
    fn propose(&mut self) {
        let (topic, index) = self.any_partition();
        let partition = self.partition(topic, index).clone();
        if !self.alone.image().brokers().contains_key(&partition.leader) {
            return;
        }
        let mut isr: Vec<i32> = Vec::new();
        for node in &partition.replicas {
            if *node == partition.leader || self.rng.below(3) > 0 {
                isr.push(node.0);
            }
        }
        self.alone.propose(topic, index, &isr, |_, _| {});
    }

    fn reassign(&mut self) {
        let (topic, index) = self.any_partition();
        let mut replicas: Vec<i32> = (1..=self.count).collect();
        for last in (1..replicas.len()).rev() {
            let other = self.rng.below(last as u64 + 1);
            replicas.swap(last, usize::try_from(other).unwrap());
        }
        replicas.truncate(1 + usize::try_from(self.below(3)).unwrap());
        let request = reassign::AlterPartitionReassignmentsRequest {
            topics: vec![reassign::ReassignableTopic {
                name: Str::from(topic),
                partitions: vec![reassign::ReassignablePartition {
                    partition_index: index,
                    replicas: (self.below(3) > 0).then_some(replicas),
                    ..reassign::ReassignablePartition::default()
                }],
                ..reassign::ReassignableTopic::default()
            }],
            ..reassign::AlterPartitionReassignmentsRequest::default()
        };
        let _: AlterPartitionReassignmentsResponse = self.alone.ask(1, &request);
    }

    fn partition(&self, topic: &str, index: i32) -> &Partition {
        self.alone
            .image()
            .partition(topic, PartitionIndex(index))
            .unwrap()
    }

    fn check(&mut self) {
        let brokers = self.alone.image().brokers().clone();
        let is_active = |node: &NodeId| brokers.get(node).is_some_and(|entry| entry.is_active());
        for (topic, least, _) in TOPICS {
            for index in 0..4 {
                let partition = self.partition(topic, index).clone();
                let Partition {
                    replicas, isr, elr, ..
                } = &partition;
                let least = least.parse::<usize>().unwrap().min(replicas.len());
                let leader = partition.leader();
                assert!(
                    leader.is_none_or(|leader| isr.contains(&leader)),
                    "{partition:?}"
                );
                assert!(
                    isr.iter().all(|node| replicas.contains(node)),
                    "{partition:?}"
                );
                assert!(!elr.iter().any(|node| isr.contains(node)), "{partition:?}");
                assert!(elr.is_empty() || isr.len() < least, "{partition:?}");
                assert!(
                    self.elr || elr.is_empty() && !isr.is_empty(),
                    "{partition:?}"
                );
                assert_eq!(replicas.len(), partition.directories.len(), "{partition:?}");
                let moves = partition.adding.iter().chain(&partition.removing);
                assert!(
                    moves.clone().all(|node| replicas.contains(node)),
                    "{partition:?}"
                );
                let eligible = if isr.is_empty() { elr } else { isr };
                let could = eligible.iter().any(is_active);
                assert!(leader.is_some() || !could, "{partition:?} could be led");
                let now = (partition.leader_epoch.0, partition.partition_epoch);
                let before = self.epochs.insert((topic.to_string(), index), now);
                let grows = before.is_none_or(|(leader, whole)| now.0 >= leader && now.1 >= whole);
                assert!(grows, "{before:?} before {partition:?}");
            }
        }
    }
}

#[test]
fn whatever_becomes_of_brokers_partitions_keep_their_invariants() {
    for seed in 0..150 {
        let mut life = Life::new(seed);
        for _ in 0..300 {
            life.step();
            life.check();
        }
    }
}

#[test]
fn the_same_life_is_lived_twice() {
    let records = |seed| {
        let mut life = Life::new(seed);
        (0..200).for_each(|_| life.step());
        life.alone.take_written()
    };
    assert_eq!(records(7), records(7));
}
