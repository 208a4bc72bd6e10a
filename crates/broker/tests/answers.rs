//! What a leader, a follower and one that pretends to be a replica were told by real brokers; the same is asked
//! here, in the same order, and answered the same.

use crate::support::{Cluster, PRODUCE, TOPIC, produce_batch, produced};
use bytes::Bytes;
use ids::ErrorCode;
use serde_json::{Value, json};
use wire::Str;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ReplicaState};
use wire::fetch_response::{FetchResponse, PartitionData};
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::list_offsets_response::ListOffsetsResponse;
use wire::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use wire::offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;
use wire::partition_change_record::PartitionChangeRecord;
use wire::produce_response::ProduceResponse;

/// The story's topic and its id, for which `t` stands here.
const NAME: &str = "epochs";

fn number<T: TryFrom<i64>>(value: &Value, default: i64) -> T {
    let found = value.as_i64().unwrap_or(default);
    T::try_from(found).unwrap_or_else(|_| panic!("{found} does not fit"))
}

/// Rows of an answer, one for each partition of each topic.
fn rows(value: &Value) -> Vec<(&Value, &Value)> {
    let topics = ["Topics", "Responses"].map(|name| value[name].as_array());
    let topics = topics.into_iter().flatten().flatten();
    let rows = topics.map(|topic| (topic, topic["Partitions"].as_array().unwrap()));
    let rows = rows.flat_map(|(topic, rows)| rows.iter().map(move |row| (topic, row)));
    rows.collect()
}

fn named(topic: &Value) -> (Str, ids::Uuid) {
    let name = ["Topic", "Name"].map(|name| topic[name].as_str());
    match name.into_iter().flatten().next() {
        Some(NAME) => (Str::from_static("t"), ids::Uuid::default()),
        Some(other) => (Str::from(other), ids::Uuid::default()),
        None => (Str::EMPTY, TOPIC),
    }
}

fn fetch(cluster: &mut Cluster, id: i32, version: i16, body: &Value) -> Value {
    let topics = rows(body).into_iter().map(|(topic, row)| {
        let (name, topic_id) = named(topic);
        let partition = FetchPartition {
            partition: number(&row["Partition"], 0),
            current_leader_epoch: number(&row["CurrentLeaderEpoch"], -1),
            fetch_offset: number(&row["FetchOffset"], 0),
            last_fetched_epoch: number(&row["LastFetchedEpoch"], -1),
            partition_max_bytes: number(&row["PartitionMaxBytes"], 0),
            ..FetchPartition::default()
        };
        FetchTopic {
            topic: name,
            topic_id,
            partitions: vec![partition],
            ..FetchTopic::default()
        }
    });
    let state = &body["ReplicaState"];
    let request = FetchRequest {
        replica_id: match version {
            15.. => -1,
            _ => number(&body["ReplicaId"], -1),
        },
        replica_state: ReplicaState {
            replica_id: number(&state["ReplicaId"], -1),
            replica_epoch: number(&state["ReplicaEpoch"], -1),
            ..ReplicaState::default()
        },
        max_wait_ms: number(&body["MaxWaitMs"], 0),
        min_bytes: number(&body["MinBytes"], 0),
        max_bytes: number(&body["MaxBytes"], 0),
        isolation_level: number(&body["IsolationLevel"], 0),
        session_epoch: number(&body["SessionEpoch"], -1),
        topics: topics.collect(),
        rack_id: Str::from(body["RackId"].as_str().unwrap_or_default()),
        ..FetchRequest::default()
    };
    let conn = cluster.send(id, version, &request);
    cluster.advance(100);
    let answer: FetchResponse = cluster.answer(id, conn, version).expect("an answer");
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let endpoints = answer.node_endpoints.iter().map(|node| node.node_id);
    json!([
        answer.error_code,
        partitions.map(fetched_row).collect::<Vec<_>>(),
        endpoints.collect::<Vec<_>>()
    ])
}

fn fetched_row(row: &PartitionData) -> Value {
    let records = row.records.bytes().cloned().unwrap_or_default();
    json!([
        row.error_code,
        [
            row.high_watermark,
            row.last_stable_offset,
            row.log_start_offset
        ],
        row.preferred_read_replica,
        hex(&records),
        [
            i64::from(row.diverging_epoch.epoch),
            row.diverging_epoch.end_offset
        ],
        [
            row.current_leader.leader_id,
            row.current_leader.leader_epoch
        ],
    ])
}

/// The same of the real one's answer.
fn really_fetched(answer: &Value) -> Value {
    let or = |value: &Value, default: i64| value.as_i64().unwrap_or(default);
    let row = |(_, row): (&Value, &Value)| {
        let (end, leader) = (&row["DivergingEpoch"], &row["CurrentLeader"]);
        json!([
            row["ErrorCode"],
            [
                row["HighWatermark"],
                row["LastStableOffset"],
                row["LogStartOffset"]
            ],
            or(&row["PreferredReadReplica"], -1),
            row["Records"],
            [or(&end["Epoch"], -1), or(&end["EndOffset"], -1)],
            [or(&leader["LeaderId"], -1), or(&leader["LeaderEpoch"], -1)],
        ])
    };
    let endpoints = answer["NodeEndpoints"].as_array().into_iter().flatten();
    let endpoints = endpoints.map(|node| &node["NodeId"]);
    json!([
        answer["ErrorCode"],
        rows(answer).into_iter().map(row).collect::<Vec<_>>(),
        endpoints.collect::<Vec<_>>()
    ])
}

fn list_offsets(cluster: &mut Cluster, id: i32, version: i16, body: &Value) -> Value {
    let topics = rows(body).into_iter().map(|(topic, row)| ListOffsetsTopic {
        name: named(topic).0,
        partitions: vec![ListOffsetsPartition {
            partition_index: number(&row["PartitionIndex"], 0),
            current_leader_epoch: number(&row["CurrentLeaderEpoch"], -1),
            timestamp: number(&row["Timestamp"], 0),
            ..ListOffsetsPartition::default()
        }],
        ..ListOffsetsTopic::default()
    });
    let request = ListOffsetsRequest {
        replica_id: number(&body["ReplicaId"], -1),
        isolation_level: number(&body["IsolationLevel"], 0),
        topics: topics.collect(),
        ..ListOffsetsRequest::default()
    };
    let answer: ListOffsetsResponse = cluster.ask(id, version, &request);
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let row = partitions.map(|row| {
        json!({"PartitionIndex": row.partition_index, "ErrorCode": row.error_code,
            "Timestamp": row.timestamp, "Offset": row.offset, "LeaderEpoch": row.leader_epoch})
    });
    Value::Array(row.collect())
}

fn end_of_epoch(cluster: &mut Cluster, id: i32, version: i16, body: &Value) -> Value {
    let topics = rows(body)
        .into_iter()
        .map(|(topic, row)| OffsetForLeaderTopic {
            topic: named(topic).0,
            partitions: vec![OffsetForLeaderPartition {
                partition: number(&row["Partition"], 0),
                current_leader_epoch: number(&row["CurrentLeaderEpoch"], -1),
                leader_epoch: number(&row["LeaderEpoch"], -1),
                ..OffsetForLeaderPartition::default()
            }],
            ..OffsetForLeaderTopic::default()
        });
    let request = OffsetForLeaderEpochRequest {
        replica_id: number(&body["ReplicaId"], -1),
        topics: topics.collect(),
        ..OffsetForLeaderEpochRequest::default()
    };
    let answer: OffsetForLeaderEpochResponse = cluster.ask(id, version, &request);
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let row = partitions.map(|row| {
        json!({"Partition": row.partition, "ErrorCode": row.error_code,
            "LeaderEpoch": row.leader_epoch, "EndOffset": row.end_offset})
    });
    Value::Array(row.collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

/// A cluster in which what the story says has happened: 2 leads in epoch 1, and all have what was written.
fn prepared(records: &str) -> Cluster {
    let properties = [
        ("log.message.timestamp.after.max.ms", "9223372036854775807"),
        (
            "replica.selector.class",
            "org.apache.kafka.common.replica.RackAwareReplicaSelector",
        ),
    ];
    let mut cluster = Cluster::new(3, &properties);
    cluster.create(&[1, 2, 3], &[1, 2, 3]);
    let bytes = unhex(records);
    let batches = records::Batches::new(&bytes).map(|(_, batch)| batch);
    for (leader, batch) in [1, 2].into_iter().zip(batches) {
        if leader == 2 {
            cluster.change(PartitionChangeRecord {
                leader,
                ..PartitionChangeRecord::default()
            });
        }
        let mut sent = batch.bytes().to_vec();
        sent[..8].fill(0);
        sent[12..16].fill(0xff);
        let request = produce_batch(-1, Bytes::from(sent));
        let conn = cluster.send(leader, PRODUCE, &request);
        cluster.advance(2_000);
        let answer: ProduceResponse = cluster.answer(leader, conn, PRODUCE).expect("an answer");
        assert_eq!(produced(&answer).0, ErrorCode::NONE);
    }
    cluster
}

#[test]
fn epochs_racks_and_replica_ids_are_answered_as_kafka_answers_them() {
    let story = vectors::text("cluster/15-epochs-and-followers/answers.ndjson");
    let lines = story
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let all = rows(&lines[0]["answer"])[0].1["Records"].as_str().unwrap();
    let mut cluster = prepared(all);
    let mut wrong = Vec::new();
    let mut played = 0;
    for line in &lines {
        let (body, answer) = (&line["body"], &line["answer"]);
        let (id, version) = (number(&line["node"], 0), number(&line["version"], 0));
        let bare = || {
            rows(answer)
                .into_iter()
                .map(|(_, row)| row.clone())
                .collect()
        };
        let (ours, theirs) = match line["api"].as_str().unwrap() {
            "Fetch" => (
                fetch(&mut cluster, id, version, body),
                really_fetched(answer),
            ),
            "ListOffsets" => (list_offsets(&mut cluster, id, version, body), bare()),
            "OffsetForLeaderEpoch" => (end_of_epoch(&mut cluster, id, version, body), bare()),
            _ => continue,
        };
        played += 1;
        if ours != theirs {
            wrong.push(format!("{}: {ours}, Kafka: {theirs}", line["name"]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {played}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(played, 187);
}
