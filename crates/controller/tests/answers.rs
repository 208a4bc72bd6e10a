//! Brokers that are only sockets spoke to a real controller; the same is asked here, in the same order, and answered
//! and written the same.

use crate::alone::{Alone, FAR, features};
use crate::shown::{Names, batches, of_kafkas, of_ours, settle};
use ids::{NodeId, Uuid};
use serde_json::Value;
use std::collections::BTreeMap;
use wire::Str;
use wire::allocate_producer_ids_request::AllocateProducerIdsRequest;
use wire::allocate_producer_ids_response::AllocateProducerIdsResponse;
use wire::alter_partition_request as alter;
use wire::alter_partition_response::AlterPartitionResponse;
use wire::broker_heartbeat_request::BrokerHeartbeatRequest;
use wire::broker_heartbeat_response::BrokerHeartbeatResponse;
use wire::broker_registration_request::{BrokerRegistrationRequest, Feature, Listener};
use wire::broker_registration_response::BrokerRegistrationResponse;
use wire::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest,
};
use wire::create_topics_response::CreateTopicsResponse;
use wire::unregister_broker_request::UnregisterBrokerRequest;
use wire::unregister_broker_response::UnregisterBrokerResponse;

const STORY: &str = "17-controller-and-brokers";

/// Ids that are of chance or depend on what else was written, as Kafka's are here.
struct Asked {
    alone: Alone,
    /// Broker epochs here by those of the vector.
    epochs: BTreeMap<i64, i64>,
    /// Topic ids here by those of the vector.
    topics: BTreeMap<String, Uuid>,
}

impl Asked {
    fn epoch(&self, value: &Value) -> i64 {
        let epoch = value.as_i64().unwrap();
        // One next to a known one is as wrong here as it was there.
        let near = |by: i64| self.epochs.get(&(epoch + by)).map(|ours| ours - by);
        near(0)
            .or_else(|| near(1))
            .or_else(|| near(-1000))
            .unwrap_or(epoch)
    }

    fn ask(&mut self, line: &Value) -> Value {
        let (body, version) = (
            &line["body"],
            i16::try_from(line["version"].as_i64().unwrap()).unwrap(),
        );
        match line["api"].as_str().unwrap() {
            "BrokerRegistration" => self.register(version, body),
            "BrokerHeartbeat" => self.beat(version, body),
            "AlterPartition" => self.alter(version, body),
            "CreateTopics" => self.create(version, body, &line["answer"]),
            "AllocateProducerIds" => {
                let request = AllocateProducerIdsRequest {
                    broker_id: number(&body["BrokerId"]),
                    broker_epoch: self.epoch(&body["BrokerEpoch"]),
                    ..AllocateProducerIdsRequest::default()
                };
                let answer: AllocateProducerIdsResponse = self.alone.ask(version, &request);
                serde_json::json!({"ErrorCode": answer.error_code,
                    "ProducerIdStart": answer.producer_id_start, "ProducerIdLen": answer.producer_id_len})
            }
            "UnregisterBroker" => {
                let request = UnregisterBrokerRequest {
                    broker_id: number(&body["BrokerId"]),
                    ..UnregisterBrokerRequest::default()
                };
                let answer: UnregisterBrokerResponse = self.alone.ask(version, &request);
                serde_json::json!({"ErrorCode": answer.error_code,
                    "ErrorMessage": answer.error_message.as_deref()})
            }
            other => panic!("{other} is not played"),
        }
    }

    fn register(&mut self, version: i16, body: &Value) -> Value {
        let listeners = body["Listeners"]
            .as_array()
            .unwrap()
            .iter()
            .map(|listener| Listener {
                name: text(&listener["Name"]),
                host: text(&listener["Host"]),
                port: u16::try_from(number(&listener["Port"])).unwrap(),
                ..Listener::default()
            });
        let level = |value: &Value| i16::try_from(number(value)).unwrap();
        let features = body["Features"]
            .as_array()
            .unwrap()
            .iter()
            .map(|feature| Feature {
                name: text(&feature["Name"]),
                min_supported_version: level(&feature["MinSupportedVersion"]),
                max_supported_version: level(&feature["MaxSupportedVersion"]),
                ..Feature::default()
            });
        let request = BrokerRegistrationRequest {
            broker_id: number(&body["BrokerId"]),
            cluster_id: text(&body["ClusterId"]),
            incarnation_id: uuid(&body["IncarnationId"]),
            listeners: listeners.collect(),
            features: features.collect(),
            rack: body["Rack"].as_str().map(Str::from),
            is_migrating_zk_broker: body["IsMigratingZkBroker"] == true,
            log_dirs: body["LogDirs"]
                .as_array()
                .unwrap()
                .iter()
                .map(uuid)
                .collect(),
            previous_broker_epoch: body["PreviousBrokerEpoch"].as_i64().unwrap(),
            ..BrokerRegistrationRequest::default()
        };
        let answer: BrokerRegistrationResponse = self.alone.ask(version, &request);
        serde_json::json!({"ErrorCode": answer.error_code, "BrokerEpoch": answer.broker_epoch})
    }

    fn beat(&mut self, version: i16, body: &Value) -> Value {
        let read = body["CurrentMetadataOffset"].as_i64().unwrap();
        let request = BrokerHeartbeatRequest {
            broker_id: number(&body["BrokerId"]),
            broker_epoch: self.epoch(&body["BrokerEpoch"]),
            // It had read just its registration, or nothing.
            current_metadata_offset: self.epochs.get(&read).copied().unwrap_or(read),
            want_fence: body["WantFence"] == true,
            want_shut_down: body["WantShutDown"] == true,
            ..BrokerHeartbeatRequest::default()
        };
        let answer: BrokerHeartbeatResponse = self.alone.ask(version, &request);
        serde_json::json!({"ErrorCode": answer.error_code, "IsCaughtUp": answer.is_caught_up,
            "IsFenced": answer.is_fenced, "ShouldShutDown": answer.should_shut_down})
    }

    fn alter(&mut self, version: i16, body: &Value) -> Value {
        let topic = |topic: &Value| {
            let id = topic["TopicId"].as_str().unwrap();
            let partitions = topic["Partitions"].as_array().unwrap().iter();
            alter::TopicData {
                topic_id: self
                    .topics
                    .get(id)
                    .copied()
                    .unwrap_or_else(|| uuid(&topic["TopicId"])),
                partitions: partitions
                    .map(|partition| self.proposal(partition))
                    .collect(),
                ..alter::TopicData::default()
            }
        };
        let request = alter::AlterPartitionRequest {
            broker_id: number(&body["BrokerId"]),
            broker_epoch: self.epoch(&body["BrokerEpoch"]),
            topics: body["Topics"]
                .as_array()
                .unwrap()
                .iter()
                .map(topic)
                .collect(),
            ..alter::AlterPartitionRequest::default()
        };
        let answer: AlterPartitionResponse = self.alone.ask(version, &request);
        let rows = answer.topics.iter().map(|topic| {
            let rows = topic.partitions.iter().map(|row| {
                serde_json::json!({"PartitionIndex": row.partition_index, "ErrorCode": row.error_code,
                    "LeaderId": row.leader_id, "LeaderEpoch": row.leader_epoch, "Isr": row.isr,
                    "LeaderRecoveryState": row.leader_recovery_state,
                    "PartitionEpoch": row.partition_epoch})
            });
            serde_json::json!({"Partitions": rows.collect::<Vec<Value>>()})
        });
        serde_json::json!({"ErrorCode": answer.error_code, "Topics": rows.collect::<Vec<Value>>()})
    }

    fn proposal(&self, partition: &Value) -> alter::PartitionData {
        let members = partition["NewIsrWithEpochs"]
            .as_array()
            .into_iter()
            .flatten();
        let member = |member: &Value| alter::BrokerState {
            broker_id: number(&member["BrokerId"]),
            broker_epoch: self.epoch(&member["BrokerEpoch"]),
            ..alter::BrokerState::default()
        };
        let isr = partition["NewIsr"].as_array().into_iter().flatten();
        alter::PartitionData {
            partition_index: number(&partition["PartitionIndex"]),
            leader_epoch: number(&partition["LeaderEpoch"]),
            new_isr: isr.map(number).collect(),
            new_isr_with_epochs: members.map(member).collect(),
            leader_recovery_state: i8::try_from(number(&partition["LeaderRecoveryState"])).unwrap(),
            partition_epoch: number(&partition["PartitionEpoch"]),
            ..alter::PartitionData::default()
        }
    }

    fn create(&mut self, version: i16, body: &Value, expected: &Value) -> Value {
        let asked = &body["Topics"][0];
        let assignments = asked["Assignments"].as_array().unwrap().iter();
        let assignments = assignments.map(|assignment| CreatableReplicaAssignment {
            partition_index: number(&assignment["PartitionIndex"]),
            broker_ids: assignment["BrokerIds"]
                .as_array()
                .unwrap()
                .iter()
                .map(number)
                .collect(),
            ..CreatableReplicaAssignment::default()
        });
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: text(&asked["Name"]),
                num_partitions: number(&asked["NumPartitions"]),
                replication_factor: i16::try_from(number(&asked["ReplicationFactor"])).unwrap(),
                assignments: assignments.collect(),
                ..CreatableTopic::default()
            }],
            ..CreateTopicsRequest::default()
        };
        let answer: CreateTopicsResponse = self.alone.ask(version, &request);
        let row = &answer.topics[0];
        let id = expected["Topics"][0]["TopicId"]
            .as_str()
            .unwrap()
            .to_string();
        self.topics.insert(id, row.topic_id);
        serde_json::json!({"Topics": [{"Name": &*row.name, "ErrorCode": row.error_code,
            "ErrorMessage": row.error_message.as_deref(), "NumPartitions": row.num_partitions,
            "ReplicationFactor": row.replication_factor}]})
    }
}

/// Leaves out of what Kafka answered what is not compared.
fn comparable(mut answer: Value) -> Value {
    let fields = answer.as_object_mut().unwrap();
    fields.remove("ThrottleTimeMs");
    let topics = fields.get_mut("Topics").and_then(Value::as_array_mut);
    for topic in topics.into_iter().flatten() {
        let topic = topic.as_object_mut().unwrap();
        topic.remove("TopicId");
        topic.remove("Configs");
    }
    answer
}

/// The last record before Kafka placed replicas by chance.
const LAST_COMPARED: &str = "PRODUCER_IDS_RECORD {\"brokerId\":2,\"nextProducerId\":2000}";

#[test]
fn the_controller_answers_brokers_as_kafkas_does() {
    let properties = [("default.replication.factor", "3")];
    let mut alone = Alone::with_elr(&properties, 1);
    alone
        .controller
        .set_cluster_id("Q2x1c3RlclZlY3RvcnMtMQ".into());
    let mut asked = Asked {
        alone,
        epochs: BTreeMap::new(),
        topics: BTreeMap::new(),
    };
    for line in vectors::text(&format!("cluster/{STORY}/answers.ndjson")).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (name, api) = (
            line["name"].as_str().unwrap(),
            line["api"].as_str().unwrap(),
        );
        if matches!(
            api,
            "ApiVersions" | "Metadata" | "DescribeCluster" | "DescribeQuorum"
        ) {
            continue;
        }
        asked.prepare(name);
        let mut ours = asked.ask(&line);
        let theirs = &line["answer"];
        if let (Some(here), Some(there)) =
            (ours["BrokerEpoch"].as_i64(), theirs["BrokerEpoch"].as_i64())
            && here > 0
            && there > 0
        {
            asked.epochs.insert(there, here);
            ours["BrokerEpoch"] = theirs["BrokerEpoch"].clone();
        }
        assert_eq!(ours, comparable(theirs.clone()), "{name}");
    }
    let (mut names, mut own_names) = (Names::new(), Names::new());
    let of_cluster = |record: &&Value| {
        let kind = record["type"].as_str().unwrap();
        !kind.ends_with("TRANSACTION_RECORD")
            && ![
                "FEATURE_LEVEL_RECORD",
                "CONFIG_RECORD",
                "REGISTER_CONTROLLER_RECORD",
            ]
            .contains(&kind)
    };
    let expected = batches(STORY).concat();
    let expected = expected
        .iter()
        .filter(of_cluster)
        .map(|record| of_kafkas(record, &mut names));
    let written = asked.alone.take_written();
    let written = written
        .iter()
        .filter_map(|record| of_ours(record, &mut own_names));
    assert_eq!(begin(written), begin(expected));
}

fn begin(shown: impl Iterator<Item = String>) -> Vec<String> {
    let mut shown: Vec<String> = shown.collect();
    let last = shown.iter().position(|text| text == LAST_COMPARED);
    shown.truncate(last.expect("the last one that is compared") + 1);
    settle(shown)
}

impl Asked {
    /// What went on between the requests that were written down, by the story's words and its metadata.
    fn prepare(&mut self, name: &str) {
        match name {
            "register-log-dir-of-another-broker" => {
                self.join(18);
                self.join(20);
            }
            "heartbeat-controlled-shutdown-2-others-behind-in-metadata" => self.hear(&[1, 3], 0),
            "heartbeat-controlled-shutdown-2-others-caught-up" => self.hear(&[1, 3], FAR),
            "allocateproducerids" => {
                self.wait(10, &[1, 3], false);
                self.join(63);
            }
            "create-rf3-with-one-of-three-fenced" => self.fence(3),
            "create-all-fenced" => {
                self.fence(2);
                self.fence(1);
            }
            "heartbeat-after-the-session-expired" => {
                self.hear(&[1, 2, 3], FAR);
                self.wait(14, &[2, 3], true);
            }
            _ => {}
        }
    }

    fn wait(&mut self, seconds: u32, alive: &[i32], ticks: bool) {
        for _ in 0..seconds {
            self.alone.now = self.alone.now.plus_millis(1000);
            self.hear(alive, FAR);
            if ticks {
                self.alone.tick();
            }
        }
    }

    /// The latest epoch of a broker.
    fn latest(&self, id: i32) -> i64 {
        self.alone.image().brokers()[&NodeId(id)].epoch
    }

    fn hear(&mut self, ids: &[i32], current_metadata_offset: i64) {
        for id in ids {
            let request = BrokerHeartbeatRequest {
                broker_id: *id,
                broker_epoch: self.latest(*id),
                current_metadata_offset,
                ..BrokerHeartbeatRequest::default()
            };
            let answer: BrokerHeartbeatResponse = self.alone.ask(1, &request);
            assert_eq!(answer.error_code, 0);
        }
    }

    fn fence(&mut self, id: i32) {
        let request = BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: self.latest(id),
            current_metadata_offset: FAR,
            want_fence: true,
            ..BrokerHeartbeatRequest::default()
        };
        let answer: BrokerHeartbeatResponse = self.alone.ask(1, &request);
        assert!(answer.is_fenced, "{answer:?}");
    }

    /// The broker whose registration has this epoch in the vector registers, and serves.
    fn join(&mut self, epoch: i64) {
        let all = batches(STORY).concat();
        let is_meant = |record: &&Value| {
            record["type"] == "REGISTER_BROKER_RECORD" && record["data"]["brokerEpoch"] == epoch
        };
        let data = &all.iter().find(is_meant).unwrap()["data"];
        let short = |value: &Value| Uuid::parse(value.as_str().unwrap()).unwrap();
        let request = BrokerRegistrationRequest {
            broker_id: number(&data["brokerId"]),
            cluster_id: Str::from("Q2x1c3RlclZlY3RvcnMtMQ"),
            incarnation_id: short(&data["incarnationId"]),
            features: features(),
            rack: data["rack"].as_str().map(Str::from),
            log_dirs: vec![short(&data["logDirs"][0])],
            ..BrokerRegistrationRequest::default()
        };
        let answer: BrokerRegistrationResponse = self.alone.ask(4, &request);
        assert_eq!(answer.error_code, 0);
        self.epochs.insert(epoch, answer.broker_epoch);
        self.hear(&[request.broker_id], FAR);
    }
}

fn text(value: &Value) -> Str {
    Str::from(value.as_str().unwrap())
}

fn number(value: &Value) -> i32 {
    i32::try_from(value.as_i64().unwrap()).unwrap()
}

fn uuid(value: &Value) -> Uuid {
    let hex = value.as_str().unwrap().replace('-', "");
    Uuid(u128::from_str_radix(&hex, 16).unwrap().to_be_bytes())
}
