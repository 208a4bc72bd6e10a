//! DescribeProducers (key 61, version 0): the idempotent producers that partitions remember (KIP-664).
//!
//! Left out: nothing; transactions show here once there are any.

use crate::broker::{Broker, Cx, Handled};
use ids::{PartitionIndex, ProducerId};
use log::Producer;
use sorted::SortedSet;
use wire::Str;
use wire::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use wire::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};

/// Kafka's sentence for error 3.
const UNKNOWN: &str = "This server does not host this topic-partition.";

pub(crate) fn handle<'a>(
    broker: &Broker,
    cx: &Cx<'_>,
    request: &'a DescribeProducersRequest,
) -> Handled {
    // What is named twice is described once: a partition may have thousands of producers.
    let mut seen: SortedSet<(&Str, i32)> = SortedSet::new();
    let topic = |topic: &'a TopicRequest| TopicResponse {
        name: topic.name.clone(),
        partitions: topic
            .partition_indexes
            .iter()
            .filter(|index| seen.insert((&topic.name, **index)))
            .map(|index| describe(broker, &topic.name, PartitionIndex(*index)))
            .collect(),
        ..TopicResponse::default()
    };
    cx.reply(&DescribeProducersResponse {
        topics: request.topics.iter().map(topic).collect(),
        ..DescribeProducersResponse::default()
    })
}

fn describe(broker: &Broker, topic: &str, index: PartitionIndex) -> PartitionResponse {
    let mut row = PartitionResponse {
        partition_index: index.0,
        ..PartitionResponse::default()
    };
    match broker.led_replica(topic, index) {
        Ok(id) => {
            let log = broker.log(id);
            let producers = log.into_iter().flat_map(|log| log.producers());
            row.active_producers = producers
                .map(|(id, producer)| state(id, producer))
                .collect();
        }
        Err(code) => {
            row.error_code = code.0;
            // Kafka has words for an unknown topic, none for an unknown partition.
            row.error_message = broker
                .image
                .topic(topic)
                .is_none()
                .then(|| Str::from(UNKNOWN));
        }
    }
    row
}

fn state(id: ProducerId, producer: &Producer) -> ProducerState {
    ProducerState {
        producer_id: id.0,
        producer_epoch: i32::from(producer.epoch.0),
        last_sequence: producer
            .last_batch()
            .map_or(-1, |batch| batch.last_sequence),
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_start.map_or(-1, |start| start.0),
        ..ProducerState::default()
    }
}
