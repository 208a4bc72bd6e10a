//! DescribeTopicPartitions (key 75, version 0): topics page by page (KIP-966).
//!
//! Topics come in name order, all of them when none is named. An answer holds at most
//! `response_partition_limit` partitions, at least one and at most 2000; its cursor names the next one.
//!
//! Left out: eligible leader replicas, which are always empty.

use super::metadata::{NOT_ASKED, TOPIC_OPERATIONS};
use super::partition_row::PartitionRow;
use crate::broker::{Broker, Cx, Handled};
use alloc::vec::Vec;
use ids::{ErrorCode, PartitionIndex, check_topic_name};
use metadata::{Partition, Topic, is_internal};
use wire::Str;
use wire::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use wire::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};

/// `max.request.partition.size.limit`.
const PARTITIONS_MAX: i32 = 2000;

pub(crate) fn handle(
    broker: &Broker,
    cx: &Cx<'_>,
    request: &DescribeTopicPartitionsRequest,
) -> Handled {
    let (from, first) = match &request.cursor {
        Some(cursor) => (&*cursor.topic_name, cursor.partition_index),
        None => ("", 0),
    };
    let mut names: Vec<Str> = if request.topics.is_empty() {
        let topics = broker.image.topics();
        topics.map(|topic| Str::from(&*topic.name)).collect()
    } else {
        request
            .topics
            .iter()
            .map(|topic| topic.name.clone())
            .collect()
    };
    sorted::sort(&mut names);
    names.dedup();
    let misses = !request.topics.is_empty() && !names.iter().any(|name| **name == *from);
    if request.cursor.is_some() && (misses || first < 0) {
        let refused = |name: &Str| topic_row(name, ErrorCode::INVALID_REQUEST, NOT_ASKED);
        return cx.reply(&DescribeTopicPartitionsResponse {
            topics: names.iter().map(refused).collect(),
            ..DescribeTopicPartitionsResponse::default()
        });
    }
    names.retain(|name| **name >= *from);
    let limit = request.response_partition_limit.clamp(1, PARTITIONS_MAX);
    let mut left = usize::try_from(limit).unwrap_or(1);
    let mut topics = Vec::new();
    let mut next_cursor = None;
    for name in names {
        let start = if *name == *from { first } else { 0 };
        if left == 0 {
            next_cursor = Some(cursor(&name, start));
            break;
        }
        let Some(topic) = broker.image.topic(&name) else {
            topics.push(topic_row(&name, missing(&name), TOPIC_OPERATIONS));
            continue;
        };
        let (row, next) = describe(broker, topic, start, left);
        left -= row.partitions.len();
        topics.push(row);
        if let Some(next) = next {
            next_cursor = Some(cursor(&name, next.0));
            break;
        }
    }
    cx.reply(&DescribeTopicPartitionsResponse {
        topics,
        next_cursor,
        ..DescribeTopicPartitionsResponse::default()
    })
}

fn missing(name: &str) -> ErrorCode {
    match check_topic_name(name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    }
}

/// At most `limit` partitions of a topic, and the first that did not fit.
fn describe(
    broker: &Broker,
    topic: &Topic,
    start: i32,
    limit: usize,
) -> (DescribeTopicPartitionsResponseTopic, Option<PartitionIndex>) {
    let mut rest = topic.partitions.range(PartitionIndex(start)..);
    let mut row = topic_row(&Str::from(&*topic.name), ErrorCode::NONE, TOPIC_OPERATIONS);
    row.topic_id = topic.id;
    let partitions = rest.by_ref().take(limit);
    row.partitions = partitions
        .map(|(index, partition)| partition_row(broker, *index, partition))
        .collect();
    (row, rest.next().map(|(index, _)| *index))
}

fn partition_row(
    broker: &Broker,
    index: PartitionIndex,
    partition: &Partition,
) -> DescribeTopicPartitionsResponsePartition {
    let row = PartitionRow::of(broker, partition);
    DescribeTopicPartitionsResponsePartition {
        error_code: row.error_code,
        partition_index: index.0,
        leader_id: row.leader_id,
        leader_epoch: row.leader_epoch,
        replica_nodes: row.replica_nodes,
        isr_nodes: row.isr_nodes,
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        offline_replicas: row.offline_replicas,
        ..DescribeTopicPartitionsResponsePartition::default()
    }
}

fn topic_row(name: &Str, code: ErrorCode, operations: i32) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: code.0,
        name: Some(name.clone()),
        is_internal: is_internal(name),
        topic_authorized_operations: operations,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn cursor(topic: &Str, partition_index: i32) -> Cursor {
    Cursor {
        topic_name: topic.clone(),
        partition_index,
        ..Cursor::default()
    }
}
