//! The stories of a real cluster: what happened is told to the controller alone, which has to write the records
//! that the real one wrote.
//!
//! What happened follows from the records: who registered, who fell silent, which ISR its leader asked for.

use crate::alone::{Alone, Played};
use crate::shown::{Names, OTHERS, batches, of_kafkas, of_ours, settle};
use ids::{PartitionIndex, Uuid};
use metadata::MetadataRecord;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wire::Str;
use wire::allocate_producer_ids_request::AllocateProducerIdsRequest;
use wire::allocate_producer_ids_response::AllocateProducerIdsResponse;
use wire::alter_partition_reassignments_request as reassign;
use wire::alter_partition_reassignments_response::AlterPartitionReassignmentsResponse;
use wire::assign_replicas_to_dirs_request as assign;
use wire::assign_replicas_to_dirs_response::AssignReplicasToDirsResponse;
use wire::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use wire::elect_leaders_response::ElectLeadersResponse;
use wire::incremental_alter_configs_request as configs;
use wire::incremental_alter_configs_response::IncrementalAlterConfigsResponse;
use wire::unregister_broker_request::UnregisterBrokerRequest;
use wire::unregister_broker_response::UnregisterBrokerResponse;

/// What is particular about a story.
#[derive(Default)]
struct Story {
    name: &'static str,
    /// Its brokers were killed: who registers again has lost its last epoch.
    killed: bool,
    without_elr: bool,
    /// Leaders went back by themselves, every so many seconds.
    check_seconds: Option<&'static str>,
}

fn story(name: &'static str) -> Story {
    Story {
        name,
        ..Story::default()
    }
}

struct Replay {
    story: Story,
    alone: Alone,
    /// Those that send heartbeats.
    alive: BTreeSet<i32>,
    /// Those whose controlled shutdown is under way.
    stopping: BTreeSet<i32>,
    names: Names,
    ours: Names,
}

impl Replay {
    fn new(story: Story) -> Replay {
        let interval = story.check_seconds.unwrap_or("3600");
        let properties = [("leader.imbalance.check.interval.seconds", interval)];
        let level = i16::from(!story.without_elr);
        let mut replay = Replay {
            alone: Alone::with_elr(&properties, level),
            story,
            alive: BTreeSet::new(),
            stopping: BTreeSet::new(),
            names: Names::new(),
            ours: Names::new(),
        };
        for (id, directory) in directories(replay.story.name) {
            let byte = u8::try_from(id).unwrap();
            let played = Played {
                epoch: -1,
                incarnation: Uuid([byte; 16]),
                directory,
                rack: Some(format!("r{}", (id - 1) % 3 + 1)),
            };
            replay.alone.brokers.insert(id, played);
            assert_eq!(replay.alone.register(id, -1).error_code, 0);
            replay.serve(id);
        }
        // Every broker leads something else, too.
        let lists = [vec![1, 2, 3], vec![2, 3, 1], vec![3, 1, 2]];
        let answer = replay.alone.create(OTHERS, &lists, &[]);
        assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
        let written = replay.alone.take_written();
        for record in &written {
            assert!(of_ours(record, &mut replay.ours).is_none_or(|shown| !shown.contains("TOPIC")));
        }
        replay
    }

    /// A broker's heartbeats begin.
    fn serve(&mut self, id: i32) {
        self.alone.beat(id, |request| {
            request.cordoned_log_dirs = Some(Vec::new());
        });
        self.alive.insert(id);
    }

    fn run(mut self) {
        for (at, batch) in batches(self.story.name).into_iter().enumerate() {
            let expected = batch
                .iter()
                .map(|record| of_kafkas(record, &mut self.names));
            let expected = settle(expected.collect());
            self.play(&batch);
            let written = self.alone.take_written();
            let written = written
                .iter()
                .filter_map(|record| of_ours(record, &mut self.ours));
            let written = settle(written.collect());
            assert_eq!(written, expected, "{}, batch {at}", self.story.name);
        }
    }

    /// Does what made the real controller write a batch.
    fn play(&mut self, batch: &[Value]) {
        let kind = |record: &Value| record["type"].as_str().unwrap().to_string();
        let find = |wanted: &str| batch.iter().find(|record| kind(record) == wanted);
        if find("TOPIC_RECORD").is_some() {
            self.create(batch);
        } else if let Some(record) = find("REGISTER_BROKER_RECORD") {
            self.register(&record["data"]);
        } else if let Some(record) = find("UNREGISTER_BROKER_RECORD") {
            let request = UnregisterBrokerRequest {
                broker_id: number(&record["data"]["brokerId"]),
                ..UnregisterBrokerRequest::default()
            };
            self.alive.remove(&request.broker_id);
            let answer: UnregisterBrokerResponse = self.alone.ask(0, &request);
            assert_eq!(answer.error_code, 0);
        } else if find("BROKER_REGISTRATION_CHANGE_RECORD").is_some() {
            self.change_brokers(batch);
        } else if let Some(record) = find("PRODUCER_IDS_RECORD") {
            let id = number(&record["data"]["brokerId"]);
            let request = AllocateProducerIdsRequest {
                broker_id: id,
                broker_epoch: self.alone.brokers[&id].epoch,
                ..AllocateProducerIdsRequest::default()
            };
            let answer: AllocateProducerIdsResponse = self.alone.ask(0, &request);
            assert_eq!(answer.error_code, 0);
        } else if find("FEATURE_LEVEL_RECORD").is_some() {
            self.alone.set_elr(1);
        } else if let Some(record) = find("CONFIG_RECORD") {
            self.configure(&record["data"]);
        } else {
            self.change_partitions(batch);
        }
    }

    fn create(&mut self, batch: &[Value]) {
        let of = |kind: &str| {
            let records = batch.iter().filter(move |record| record["type"] == kind);
            records
                .map(|record| record["data"].clone())
                .collect::<Vec<Value>>()
        };
        let assignment: Vec<Vec<i32>> = (of("PARTITION_RECORD").iter())
            .map(|data| numbers(&data["replicas"]))
            .collect();
        let configs = of("CONFIG_RECORD");
        let configs: Vec<(&str, &str)> = (configs.iter())
            .map(|data| {
                (
                    data["name"].as_str().unwrap(),
                    data["value"].as_str().unwrap(),
                )
            })
            .collect();
        let name = of("TOPIC_RECORD")[0]["name"].as_str().unwrap().to_string();
        let answer = self.alone.create(&name, &assignment, &configs);
        assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
    }

    fn register(&mut self, data: &Value) {
        let id = number(&data["brokerId"]);
        let previous = self
            .alone
            .brokers
            .get(&id)
            .map_or(-1, |played| played.epoch);
        let previous = if self.story.killed { -1 } else { previous };
        let played = Played {
            epoch: -1,
            incarnation: uuid(&data["incarnationId"]),
            directory: uuid(&data["logDirs"][0]),
            rack: data["rack"].as_str().map(str::to_string),
        };
        self.alone.brokers.insert(id, played);
        self.stopping.remove(&id);
        // The session of its predecessor ends; nobody has looked yet.
        self.alive.remove(&id);
        for _ in 0..12 {
            match self.alone.register(id, previous).error_code {
                0 => return,
                code => assert_eq!(code, 101),
            }
            let others: Vec<i32> = self.alive.iter().copied().collect();
            self.alone.pass(1, &others, false);
        }
        panic!("{id} is not let in");
    }

    fn change_brokers(&mut self, batch: &[Value]) {
        let changes = batch
            .iter()
            .filter(|record| record["type"] == "BROKER_REGISTRATION_CHANGE_RECORD");
        let changes: Vec<&Value> = changes.map(|record| &record["data"]).collect();
        let fenced = changes.iter().filter(|data| data["fenced"] == 1);
        let fenced: Vec<i32> = fenced.map(|data| number(&data["brokerId"])).collect();
        if !fenced.is_empty() {
            let stops = |id: &i32| self.stopping.contains(id);
            match fenced[..] {
                [id] if stops(&id) => {
                    self.stopping.remove(&id);
                    let others: Vec<i32> = self.alive.iter().copied().collect();
                    self.alone.pass(1, &others, false);
                    self.alive.remove(&id);
                    let answer = self.alone.beat(id, |request| request.want_shut_down = true);
                    assert!(answer.should_shut_down, "{answer:?}");
                }
                _ => self.expire(&fenced),
            }
            return;
        }
        let ids: BTreeSet<i32> = changes
            .iter()
            .map(|data| number(&data["brokerId"]))
            .collect();
        for id in ids {
            let of_it = |data: &&&Value| number(&data["brokerId"]) == id;
            let mine: Vec<&&Value> = changes.iter().filter(of_it).collect();
            let serves = mine.iter().any(|data| data["fenced"] == -1);
            let stops = mine.iter().any(|data| data["inControlledShutdown"] == 1);
            let cordoned = mine.iter().any(|data| data["cordonedLogDirs"].is_array());
            self.alone.beat(id, |request| {
                request.want_shut_down = stops;
                request.cordoned_log_dirs = cordoned.then(Vec::new);
                if !serves && !stops {
                    request.current_metadata_offset = 0;
                }
            });
            match stops {
                true => self.stopping.insert(id),
                false => self.alive.insert(id),
            };
            if stops {
                self.alive.remove(&id);
            }
        }
    }

    /// Brokers are silent until their sessions are over.
    fn expire(&mut self, silent: &[i32]) {
        for id in silent {
            self.alive.remove(id);
        }
        let alive: Vec<i32> = self.alive.iter().copied().collect();
        let mut missing: BTreeSet<i32> = silent.iter().copied().collect();
        let mut written = Vec::new();
        for _ in 0..12 {
            self.alone.pass(1, &alive, true);
            for record in self.alone.take_written() {
                if let MetadataRecord::BrokerRegistrationChange(change) = &record {
                    missing.remove(&change.broker_id);
                }
                written.push(record);
            }
            if missing.is_empty() {
                return self.alone.put_back(written);
            }
        }
        panic!("{missing:?} have not been missed");
    }

    fn configure(&mut self, data: &Value) {
        let request = configs::IncrementalAlterConfigsRequest {
            resources: vec![configs::AlterConfigsResource {
                resource_type: i8::try_from(number(&data["resourceType"])).unwrap(),
                resource_name: Str::from(data["resourceName"].as_str().unwrap()),
                configs: vec![configs::AlterableConfig {
                    name: Str::from(data["name"].as_str().unwrap()),
                    value: data["value"].as_str().map(Str::from),
                    config_operation: i8::from(data["value"].is_null()),
                    ..configs::AlterableConfig::default()
                }],
                ..configs::AlterConfigsResource::default()
            }],
            ..configs::IncrementalAlterConfigsRequest::default()
        };
        let answer: IncrementalAlterConfigsResponse = self.alone.ask(1, &request);
        assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
    }

    fn change_partitions(&mut self, batch: &[Value]) {
        let changes: Vec<&Value> = batch.iter().map(|record| &record["data"]).collect();
        let has = |data: &Value, name: &str| !data[name].is_null();
        if changes
            .iter()
            .all(|data| has(data, "directories") && !has(data, "replicas"))
        {
            return self.assign(&changes);
        }
        for data in changes {
            if has(data, "directories") && !has(data, "replicas") {
                self.assign(&[data]);
                continue;
            }
            let topic = self.names[data["topicId"].as_str().unwrap()].clone();
            let index = number(&data["partitionId"]);
            let grows = has(data, "isr") && (has(data, "addingReplicas") || !has(data, "replicas"));
            if grows {
                self.grow(&topic, index, data);
            } else if has(data, "replicas") {
                self.reassign(&topic, index, data);
            } else if self.story.check_seconds.is_some() {
                // All that are to change do at once.
                if self
                    .alone
                    .image()
                    .partition(&topic, PartitionIndex(index))
                    .unwrap()
                    .leader
                    .0
                    != number(&data["leader"])
                {
                    let alive: Vec<i32> = self.alive.iter().copied().collect();
                    self.alone.pass(6, &alive, true);
                }
            } else {
                self.elect(&topic, index);
            }
        }
    }

    /// The leader asks for the ISR that came of it, and for those who leave with the reassignment.
    fn grow(&mut self, topic: &str, index: i32, data: &Value) {
        let partition = self
            .alone
            .image()
            .partition(topic, PartitionIndex(index))
            .unwrap();
        let mut isr = numbers(&data["isr"]);
        // Whoever lies in a directory that is not registered has left by itself.
        if partition.isr.iter().map(|node| &node.0).eq(&isr) {
            return;
        }
        let leaving = partition.removing.iter().map(|node| node.0);
        isr.extend(leaving.filter(|id| partition.isr.contains(&ids::NodeId(*id))));
        let is_moved = has_moved(data, partition.leader.0);
        let row = self.alone.propose(topic, index, &isr, |_, _| {});
        assert_eq!(row.error_code, if is_moved { 108 } else { 0 }, "{row:?}");
    }

    fn reassign(&mut self, topic: &str, index: i32, data: &Value) {
        let removing = numbers(&data["removingReplicas"]);
        let mut replicas = numbers(&data["replicas"]);
        replicas.retain(|id| !removing.contains(id));
        let is_cancelled = data["addingReplicas"] == serde_json::json!([]);
        let request = reassign::AlterPartitionReassignmentsRequest {
            topics: vec![reassign::ReassignableTopic {
                name: Str::from(topic),
                partitions: vec![reassign::ReassignablePartition {
                    partition_index: index,
                    replicas: (!is_cancelled).then_some(replicas),
                    ..reassign::ReassignablePartition::default()
                }],
                ..reassign::ReassignableTopic::default()
            }],
            ..reassign::AlterPartitionReassignmentsRequest::default()
        };
        let answer: AlterPartitionReassignmentsResponse = self.alone.ask(1, &request);
        assert_eq!(
            answer.responses[0].partitions[0].error_code, 0,
            "{answer:?}"
        );
    }

    fn elect(&mut self, topic: &str, index: i32) {
        let request = ElectLeadersRequest {
            topic_partitions: Some(vec![TopicPartitions {
                topic: Str::from(topic),
                partitions: vec![index],
                ..TopicPartitions::default()
            }]),
            ..ElectLeadersRequest::default()
        };
        let answer: ElectLeadersResponse = self.alone.ask(2, &request);
        let row = &answer.replica_election_results[0].partition_result[0];
        assert_eq!(row.error_code, 0, "{answer:?}");
    }

    /// A broker says where its replicas lie: whose entry has changed.
    fn assign(&mut self, changes: &[&Value]) {
        let mut broker = None;
        let mut directory = Uuid::ZERO;
        let mut topics = Vec::new();
        for data in changes.iter().filter(|data| !data["directories"].is_null()) {
            let name = &self.names[data["topicId"].as_str().unwrap()];
            let topic = self.alone.image().topic(name).unwrap();
            let index = number(&data["partitionId"]);
            let partition = &topic.partitions[&PartitionIndex(index)];
            let told = data["directories"].as_array().unwrap().iter().map(uuid);
            for ((node, old), new) in partition
                .replicas
                .iter()
                .zip(&partition.directories)
                .zip(told)
            {
                if *old != new {
                    broker = Some(node.0);
                    directory = new;
                }
            }
            topics.push(assign::TopicData {
                topic_id: topic.id,
                partitions: vec![assign::PartitionData {
                    partition_index: index,
                    ..assign::PartitionData::default()
                }],
                ..assign::TopicData::default()
            });
        }
        let broker = broker.expect("a directory that changes");
        let request = assign::AssignReplicasToDirsRequest {
            broker_id: broker,
            broker_epoch: self.alone.brokers[&broker].epoch,
            directories: vec![assign::DirectoryData {
                id: directory,
                topics,
                ..assign::DirectoryData::default()
            }],
            ..assign::AssignReplicasToDirsRequest::default()
        };
        let answer: AssignReplicasToDirsResponse = self.alone.ask(0, &request);
        assert_eq!(answer.error_code, 0, "{answer:?}");
    }
}

/// Whether a change names another leader than the one that asked.
fn has_moved(data: &Value, leader: i32) -> bool {
    data["leader"]
        .as_i64()
        .is_some_and(|new| new != i64::from(leader))
}

/// The directory of each broker at a story's beginning.
fn directories(story: &str) -> BTreeMap<i32, Uuid> {
    let mut found = BTreeMap::new();
    for record in batches(story).iter().flatten() {
        let data = &record["data"];
        let all = data["directories"]
            .as_array()
            .into_iter()
            .flatten()
            .map(uuid);
        for (id, directory) in numbers(&data["replicas"]).into_iter().zip(all) {
            found.entry(id).or_insert(directory);
        }
    }
    for id in 1..=3u8 {
        found.entry(id.into()).or_insert(Uuid([50 + id; 16]));
    }
    found
}

fn number(value: &Value) -> i32 {
    i32::try_from(value.as_i64().unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<i32> {
    value.as_array().into_iter().flatten().map(number).collect()
}

fn uuid(value: &Value) -> Uuid {
    Uuid::parse(value.as_str().unwrap()).unwrap()
}

macro_rules! stories {
    ($($test:ident: $story:expr,)*) => {
        $(#[test]
        fn $test() {
            Replay::new($story).run();
        })*
    };
}

stories! {
    a_killed_leader_is_replaced: Story { killed: true, ..story("01-leader-killed-acks1") },
    leaders_killed_twice_are_replaced: Story { killed: true, ..story("02-leader-killed-acks-all") },
    a_leader_that_stops_in_order_is_replaced_first: story("03-leader-clean-shutdown"),
    a_paused_follower_leaves_and_returns: story("04-follower-paused"),
    the_isr_falls_below_its_minimum: story("05-min-isr"),
    elections_lose_records_only_where_they_may: Story { killed: true, ..story("06-unclean-election") },
    the_leader_changes_twice: Story { killed: true, ..story("07-double-election") },
    eligible_leaders_return_after_clean_stops: story("08-elr-clean-stops"),
    the_last_known_leader_returns_after_kills: Story { killed: true, ..story("09-elr-kills") },
    replicas_are_moved: story("10-reassignment"),
    a_broker_restarts: story("11-broker-restart"),
    two_brokers_share_an_id: story("12-two-brokers-one-id"),
    leaders_move_so_that_epochs_grow: story("15-epochs-and-followers"),
    a_fourth_broker_comes_and_goes: story("16-fourth-broker"),
    preferred_replicas_lead_again_by_themselves:
        Story { check_seconds: Some("6"), ..story("19-automatic-preferred-election") },
    the_last_in_sync_stays_without_eligible_leaders:
        Story { without_elr: true, ..story("21-min-isr-without-elr") },
    a_zombie_is_replaced: story("22-zombie-leader"),
    a_pretended_replica_changes_nothing: story("23-pretended-replica"),
    a_leader_is_killed_amid_retries: Story { killed: true, ..story("24-idempotent-retries") },
    a_quick_restart_waits_for_the_session: Story { killed: true, ..story("25-quick-restart-after-kill") },
    logs_diverge_over_several_epochs: Story { killed: true, ..story("26-divergence-over-several-epochs") },
    an_empty_disk_leads_an_empty_log: Story { killed: true, ..story("27-empty-disk") },
}
