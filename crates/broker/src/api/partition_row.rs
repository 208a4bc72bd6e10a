//! What Metadata and DescribeTopicPartitions tell of a partition alike.

use crate::broker::Broker;
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId};
use metadata::Partition;

/// A partition as clients see it.
pub(crate) struct PartitionRow {
    /// 5 without a leader.
    pub(crate) error_code: i16,
    pub(crate) leader_id: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) replica_nodes: Vec<i32>,
    pub(crate) isr_nodes: Vec<i32>,
    /// The replicas that no live broker holds.
    pub(crate) offline_replicas: Vec<i32>,
}

impl PartitionRow {
    pub(crate) fn of(broker: &Broker, partition: &Partition) -> PartitionRow {
        let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect::<Vec<i32>>();
        let live = |node: &NodeId| {
            let entry = broker.image.brokers().get(node);
            entry.is_some_and(|entry| !entry.fenced)
        };
        let code = match partition.leader() {
            Some(_) => ErrorCode::NONE,
            None => ErrorCode::LEADER_NOT_AVAILABLE,
        };
        let offline = partition.replicas.iter().filter(|node| !live(node));
        PartitionRow {
            error_code: code.0,
            leader_id: partition.leader.0,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: numbers(&partition.replicas),
            isr_nodes: numbers(&partition.isr),
            offline_replicas: offline.map(|node| node.0).collect(),
        }
    }
}
