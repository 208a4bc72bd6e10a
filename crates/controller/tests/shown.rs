//! Metadata records in the form of `kafka-dump-log`, without what is of chance: topic ids, epochs of brokers.

use metadata::MetadataRecord;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A topic that no story shows.
pub(crate) const OTHERS: &str = "others";

/// Names of topics by id, as text.
pub(crate) type Names = BTreeMap<String, String>;

/// A record as Kafka's dump shows it; `None` for one that the vectors do not show.
pub(crate) fn of_ours(record: &MetadataRecord, names: &mut Names) -> Option<String> {
    let (kind, mut data) = match record {
        MetadataRecord::Topic(body) => {
            names.insert(body.topic_id.to_string(), body.name.to_string());
            ("TOPIC_RECORD", json!({"name": *body.name}))
        }
        MetadataRecord::Config(body) => (
            "CONFIG_RECORD",
            json!({"resourceType": body.resource_type, "resourceName": *body.resource_name,
                "name": *body.name, "value": body.value.as_deref()}),
        ),
        MetadataRecord::Partition(body) => (
            "PARTITION_RECORD",
            json!({"partitionId": body.partition_id, "topicId": body.topic_id.to_string(),
                "replicas": body.replicas, "isr": body.isr, "removingReplicas": body.removing_replicas,
                "addingReplicas": body.adding_replicas, "leader": body.leader,
                "leaderEpoch": body.leader_epoch, "partitionEpoch": body.partition_epoch,
                "directories": texts(&body.directories)}),
        ),
        MetadataRecord::PartitionChange(body) => {
            let mut data =
                json!({"partitionId": body.partition_id, "topicId": body.topic_id.to_string()});
            let lists = [
                ("isr", &body.isr),
                ("replicas", &body.replicas),
                ("removingReplicas", &body.removing_replicas),
                ("addingReplicas", &body.adding_replicas),
                ("eligibleLeaderReplicas", &body.eligible_leader_replicas),
                ("lastKnownElr", &body.last_known_elr),
            ];
            for (name, list) in lists {
                if let Some(list) = list {
                    data[name] = json!(list);
                }
            }
            if body.leader != -2 {
                data["leader"] = json!(body.leader);
            }
            if body.leader_recovery_state != -1 {
                data["leaderRecoveryState"] = json!(body.leader_recovery_state);
            }
            if let Some(directories) = &body.directories {
                data["directories"] = json!(texts(directories));
            }
            ("PARTITION_CHANGE_RECORD", data)
        }
        MetadataRecord::BrokerRegistrationChange(body) => {
            let mut data = json!({"brokerId": body.broker_id});
            if body.fenced != 0 {
                data["fenced"] = json!(body.fenced);
            }
            if body.in_controlled_shutdown != 0 {
                data["inControlledShutdown"] = json!(body.in_controlled_shutdown);
            }
            if let Some(cordoned) = &body.cordoned_log_dirs {
                data["cordonedLogDirs"] = json!(texts(cordoned));
            }
            ("BROKER_REGISTRATION_CHANGE_RECORD", data)
        }
        MetadataRecord::RegisterBroker(body) => (
            "REGISTER_BROKER_RECORD",
            json!({"brokerId": body.broker_id, "fenced": body.fenced, "rack": body.rack.as_deref(),
                "incarnationId": body.incarnation_id.to_string(),
                "inControlledShutdown": body.in_controlled_shutdown,
                "logDirs": texts(&body.log_dirs)}),
        ),
        MetadataRecord::UnregisterBroker(body) => (
            "UNREGISTER_BROKER_RECORD",
            json!({"brokerId": body.broker_id}),
        ),
        MetadataRecord::FeatureLevel(body) => (
            "FEATURE_LEVEL_RECORD",
            json!({"name": *body.name, "featureLevel": body.feature_level}),
        ),
        MetadataRecord::ProducerIds(body) => (
            "PRODUCER_IDS_RECORD",
            json!({"brokerId": body.broker_id, "nextProducerId": body.next_producer_id}),
        ),
        _ => return None,
    };
    name_topic(&mut data, names);
    if data["name"] == OTHERS || data["topic"] == OTHERS {
        return None;
    }
    Some(format!("{kind} {}", sorted(&data)))
}

/// A record of a vector in the same form.
pub(crate) fn of_kafkas(record: &Value, names: &mut Names) -> String {
    let kind = record["type"].as_str().unwrap();
    let mut data = record["data"].clone();
    if kind == "TOPIC_RECORD" {
        let name = data["name"].as_str().unwrap().to_string();
        names.insert(data["topicId"].as_str().unwrap().to_string(), name);
        data.as_object_mut().unwrap().remove("topicId");
    }
    let fields = data.as_object_mut().unwrap();
    for masked in [
        "brokerEpoch",
        "endPoints",
        "features",
        "isMigratingZkBroker",
    ] {
        fields.remove(masked);
    }
    name_topic(&mut data, names);
    format!("{kind} {}", sorted(&data))
}

fn name_topic(data: &mut Value, names: &Names) {
    let fields = data.as_object_mut().unwrap();
    if let Some(id) = fields.remove("topicId") {
        let name = &names[id.as_str().unwrap()];
        fields.insert("topic".to_string(), json!(name));
    }
}

fn texts(ids: &[ids::Uuid]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// The fields in order of their names.
fn sorted(data: &Value) -> String {
    let fields: BTreeMap<String, Value> = data.as_object().unwrap().clone().into_iter().collect();
    let fields: Map<String, Value> = fields.into_iter().collect();
    Value::Object(fields).to_string()
}

/// Partitions change in no order that means anything: such records next to each other are sorted.
pub(crate) fn settle(mut shown: Vec<String>) -> Vec<String> {
    let is_change = |text: &String| text.starts_with("PARTITION_CHANGE");
    let runs = shown.chunk_by_mut(|a, b| is_change(a) && is_change(b));
    runs.for_each(<[String]>::sort);
    shown
}

/// The batches of a story's metadata: their records as JSON.
pub(crate) fn batches(story: &str) -> Vec<Vec<Value>> {
    let text = vectors::text(&format!("cluster/{story}/metadata.txt"));
    let mut batches = vec![Vec::new()];
    for line in text.lines().filter(|line| !line.starts_with(['#', '('])) {
        match line.find('{') {
            Some(begin) => {
                let json = line[begin..].replace("[...]", "[]");
                let record = serde_json::from_str(&json).unwrap();
                batches.last_mut().unwrap().push(record);
            }
            None => batches.push(Vec::new()),
        }
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}
