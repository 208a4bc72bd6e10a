//! DescribeLogDirs (key 35, versions 1–5): the one log directory and the size of each replica in it.
//!
//! No topics (null) means all. What this broker has no replica of is left out, as in Kafka.
//!
//! The size of the volume is what the shell last said; −1, "unknown", where it said nothing.
//!
//! Left out: moves between directories.

use crate::broker::{Broker, Cx, Handled};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::PartitionIndex;
use wire::Str;
use wire::describe_log_dirs_request::DescribeLogDirsRequest;
use wire::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

/// Kafka's default of `log.dirs`.
const DEFAULT_DIR: &str = "/tmp/kafka-logs";

pub(crate) fn handle(broker: &Broker, cx: &Cx<'_>, request: &DescribeLogDirsRequest) -> Handled {
    let properties = &broker.config.properties;
    let named = properties
        .get("log.dirs")
        .or_else(|| properties.get("log.dir"));
    let result = DescribeLogDirsResult {
        log_dir: Str::from(named.map_or(DEFAULT_DIR, String::as_str)),
        topics: topics(broker, request),
        total_bytes: broker.volume.total,
        usable_bytes: broker.volume.usable,
        ..DescribeLogDirsResult::default()
    };
    cx.reply(&DescribeLogDirsResponse {
        results: alloc::vec![result],
        ..DescribeLogDirsResponse::default()
    })
}

fn topics(broker: &Broker, request: &DescribeLogDirsRequest) -> Vec<DescribeLogDirsTopic> {
    let mut topics: Vec<DescribeLogDirsTopic> = Vec::new();
    let mut asked: Vec<(Arc<str>, PartitionIndex)> = match &request.topics {
        None => broker
            .replicas
            .iter()
            .map(|(_, replica)| (replica.name.topic.clone(), replica.name.partition))
            .collect(),
        Some(asked) => asked
            .iter()
            .flat_map(|topic| {
                let name: Arc<str> = Arc::from(&*topic.topic);
                let indexes = topic.partitions.iter();
                indexes.map(move |index| (name.clone(), PartitionIndex(*index)))
            })
            .collect(),
    };
    sorted::sort(&mut asked);
    asked.dedup();
    for (name, index) in asked {
        let found = broker.replicas.find(&name, index);
        let Some(replica) = found.and_then(|id| broker.replicas.get(id)) else {
            continue;
        };
        let row = DescribeLogDirsPartition {
            partition_index: index.0,
            partition_size: i64::try_from(replica.log.size()).unwrap_or(i64::MAX),
            ..DescribeLogDirsPartition::default()
        };
        match topics.last_mut() {
            Some(topic) if *topic.name == *name => topic.partitions.push(row),
            _ => topics.push(DescribeLogDirsTopic {
                name: Str::from(&*name),
                partitions: alloc::vec![row],
                ..DescribeLogDirsTopic::default()
            }),
        }
    }
    topics
}
