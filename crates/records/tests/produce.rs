//! Batches that were sent to a Kafka 4.3.1 are taken and refused here as they were there.

use brooklet_records as records;

use crate::support::{hex, lines};
use records::{BatchView, Batches, Compression, Invalid, Rules, TimestampType, validate};
use serde_json::Value;

/// Codes that validation alone decides; the others come from the broker around it.
const DECIDED_HERE: [i64; 7] = [0, -1, 2, 10, 32, 76, 87];

/// The recorded scripts.
fn scripts() -> Vec<Value> {
    lines("answers/produce.ndjson")
}

/// One batch as it was sent, what its topic asked, and what the broker said.
struct Case {
    name: String,
    bytes: Vec<u8>,
    rules: Rules,
    version: i64,
    topic_partition: String,
    answer: Value,
}

#[test]
fn batches_get_the_answers_that_kafka_gave() {
    let mut compared = 0;
    for case in cases() {
        let code = case.answer["ErrorCode"].as_i64().expect("a code");
        let outcome = validate(&case.bytes, &case.rules);
        match &outcome {
            Ok(_) => assert_eq!(code, 0, "{}: taken", case.name),
            Err(why) => {
                assert_eq!(i64::from(why.code().0), code, "{}: {why:?}", case.name);
                compare_details(&case, why);
            }
        }
        compared += 1;
    }
    assert!(compared >= 30, "only {compared} cases were compared");
}

/// Log start offset, message and record errors, in the versions that have them.
fn compare_details(case: &Case, why: &Invalid) {
    let name = &case.name;
    if let Some(start) = case.answer["LogStartOffset"].as_i64() {
        assert_eq!(why.tells_log_start_offset(), start == 0, "{name}");
    }
    if case.version < 8 {
        return;
    }
    let message = why.message(&case.topic_partition);
    assert_eq!(
        message.as_deref(),
        case.answer["ErrorMessage"].as_str(),
        "{name}"
    );
    let expected = case.answer["RecordErrors"].as_array().expect("a list");
    assert_eq!(why.rejected().len(), expected.len(), "{name}");
    for (rejected, expected) in why.rejected().iter().zip(expected) {
        assert_eq!(expected["BatchIndex"], rejected.index, "{name}");
        let message = rejected.message(&case.topic_partition);
        assert_eq!(expected["BatchIndexErrorMessage"], message, "{name}");
    }
}

#[test]
fn what_is_stored_is_what_kafka_stored() {
    let mut compared = 0;
    for script in scripts() {
        let Some((stored, version)) = fetched(&script) else {
            continue;
        };
        let mut out = Vec::new();
        let mut offset = ids::Offset(0);
        let taken = |case: &Case| case.answer["ErrorCode"] == 0;
        for case in script_cases(&script).into_iter().filter(taken) {
            let valid = validate(&case.bytes, &case.rules).expect("a batch that was taken");
            valid.write_into(&mut out, offset, ids::LeaderEpoch(0));
            offset = offset.plus(i64::from(valid.header().count));
        }
        if version == "recompressed" {
            compare_contents(&out, &stored);
        } else {
            assert_eq!(out, stored, "{}", script["name"]);
        }
        compared += 1;
    }
    assert!(compared > 0);
}

/// Codecs differ in what they write, so recompressed batches are compared by what they hold.
fn compare_contents(ours: &[u8], theirs: &[u8]) {
    let ours: Vec<_> = Batches::new(ours).collect();
    let theirs: Vec<_> = Batches::new(theirs).collect();
    assert_eq!(ours.len(), theirs.len());
    for ((_, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        assert!(ours.crc_is_valid());
        assert_eq!(plain(ours), plain(theirs));
        assert_eq!(ours.attributes, theirs.attributes);
        assert_eq!(ours.base_timestamp, theirs.base_timestamp);
        assert_eq!(ours.max_timestamp, theirs.max_timestamp);
        assert_eq!(ours.last_offset(), theirs.last_offset());
    }
}

fn plain(batch: &BatchView<'_>) -> Vec<u8> {
    records::decompress(batch, 1 << 20).expect("a sound payload")
}

/// What a script fetched after producing, when it did, and whether the topic recompresses.
fn fetched(script: &Value) -> Option<(Vec<u8>, &'static str)> {
    let requests = script["requests"].as_array()?;
    let at = requests
        .iter()
        .position(|request| request["api"] == "Fetch")?;
    let only_produces = requests[..at]
        .iter()
        .all(|request| request["api"] == "Produce");
    let answer = &script["responses"][at]["body"]["Responses"][0]["Partitions"][0];
    if !only_produces || answer["ErrorCode"] != 0 || script_cases(script).is_empty() {
        return None;
    }
    let config = &script["setup"][0]["create_topic"]["configs"]["compression.type"];
    let how = if config.is_string() {
        "recompressed"
    } else {
        "as sent"
    };
    Some((hex(answer["Records"].as_str()?), how))
}

fn cases() -> Vec<Case> {
    scripts().iter().flat_map(script_cases).collect()
}

fn script_cases(script: &Value) -> Vec<Case> {
    let mut all = Vec::new();
    let empty = Vec::new();
    let requests = script["requests"].as_array().unwrap_or(&empty);
    for (step, request) in requests.iter().enumerate() {
        let topics = &request["body"]["TopicData"];
        if request["api"] != "Produce" || topics.as_array().is_none_or(|all| all.len() != 1) {
            continue;
        }
        let Some(bytes) = sent(&topics[0]["PartitionData"][0]["Records"]) else {
            continue;
        };
        let answer = &script["responses"][step]["body"]["Responses"][0]["PartitionResponses"][0];
        let code = answer["ErrorCode"].as_i64();
        if code.is_none_or(|code| !DECIDED_HERE.contains(&code)) {
            continue;
        }
        let version = request["version"].as_i64().expect("a version");
        let topic = topics[0]["Name"].as_str().unwrap_or("?");
        all.push(Case {
            name: format!("{} step {step}", script["name"]),
            bytes,
            rules: rules(
                &script["setup"][0]["create_topic"]["configs"],
                version,
                answer,
            ),
            version,
            topic_partition: format!("{topic}-0"),
            answer: answer.clone(),
        });
    }
    all
}

/// The bytes of `Records`: hex, or hex whose producer id the script fills in.
fn sent(records: &Value) -> Option<Vec<u8>> {
    if let Some(text) = records.as_str() {
        return Some(hex(text));
    }
    let template = hex(records["$hex"].as_str()?);
    let mut filled = Vec::new();
    for (_, batch) in Batches::new(&template) {
        let mut header = *batch.header();
        header.producer_id = ids::ProducerId(1000);
        header.producer_epoch = ids::ProducerEpoch(0);
        let covered = codecs::crc32c(&header.to_bytes()[21..]);
        header.crc = codecs::crc32c_append(covered, batch.payload());
        filled.extend_from_slice(&header.to_bytes());
        filled.extend_from_slice(batch.payload());
    }
    Some(filled)
}

fn rules(configs: &Value, version: i64, answer: &Value) -> Rules {
    let number = |name: &str| configs[name].as_str().and_then(|text| text.parse().ok());
    let after: i64 = 3_600_000;
    let mut rules = Rules {
        now_millis: now(answer).map_or(1_795_247_520_875, |latest| latest - after),
        compacted: configs["cleanup.policy"] == "compact",
        timestamp_after_max_ms: after,
        target: match configs["compression.type"].as_str() {
            None | Some("producer") => None,
            Some("uncompressed") => Some(Compression::None),
            Some(name) => Compression::from_name(name),
        },
        zstd_allowed: version >= 7,
        ..Rules::default()
    };
    if let Some(max) = number("max.message.bytes") {
        rules.max_message_bytes = u32::try_from(max).expect("a size");
    }
    if let Some(before) = number("message.timestamp.before.max.ms") {
        rules.timestamp_before_max_ms = before;
    }
    if configs["message.timestamp.type"] == "LogAppendTime" {
        rules.timestamp_type = TimestampType::LogAppendTime;
        rules.now_millis = answer["LogAppendTimeMs"].as_i64().expect("a time");
    }
    rules
}

/// The latest timestamp that the answer names, from which the broker's clock follows.
fn now(answer: &Value) -> Option<i64> {
    let message = answer["RecordErrors"][0]["BatchIndexErrorMessage"].as_str()?;
    let (_, latest) = message.strip_suffix(']')?.rsplit_once(", ")?;
    latest.parse().ok()
}
