//! AlterPartitionReassignments (key 45, versions 0–1) and ListPartitionReassignments (key 46, version 0): replicas
//! move to other brokers (KIP-455, KIP-860).
//!
//! While it runs the replicas are those it is to be and those that go. It is complete when all that it adds is in
//! sync, which an AlterPartition shows.

use crate::controller::Controller;
use crate::partition_change::{Election, numbers};
use crate::room::RECORDS_MAX;
use crate::topics::{Refusal, refuse};
use alloc::format;
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId, PartitionIndex, Time};
use metadata::{MetadataRecord, Partition, Topic};
use sorted::SortedSet;
use wire::Str;
use wire::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition,
};
use wire::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};
use wire::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use wire::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};

impl Controller {
    #[inline(never)]
    pub(crate) fn alter_reassignments(
        &mut self,
        _now: Time,
        version: i16,
        request: &AlterPartitionReassignmentsRequest,
    ) -> (Vec<MetadataRecord>, AlterPartitionReassignmentsResponse) {
        let mut records = Vec::new();
        let mut named: SortedSet<(&Str, i32)> = SortedSet::new();
        // Before version 1 the number of replicas may always change.
        let may_change = version < 1 || request.allow_replication_factor_change;
        let mut answer = AlterPartitionReassignmentsResponse {
            allow_replication_factor_change: may_change,
            error_message: None,
            ..AlterPartitionReassignmentsResponse::default()
        };
        for topic in &request.topics {
            let mut rows = Vec::with_capacity(topic.partitions.len());
            for target in &topic.partitions {
                // Too many: the request as a whole is refused, so there is no need to go on.
                if records.len() > RECORDS_MAX {
                    break;
                }
                let mut row = ReassignablePartitionResponse {
                    partition_index: target.partition_index,
                    error_message: None,
                    ..ReassignablePartitionResponse::default()
                };
                let judged = match named.insert((&topic.name, target.partition_index)) {
                    true => self.reassign(&topic.name, target, may_change),
                    false => refuse(ErrorCode::INVALID_REQUEST, "Duplicate partition."),
                };
                match judged {
                    Ok(record) => records.extend(record),
                    Err((code, why)) => {
                        row.error_code = code.0;
                        row.error_message = why.map(Str::from);
                    }
                }
                rows.push(row);
            }
            answer.responses.push(ReassignableTopicResponse {
                name: topic.name.clone(),
                partitions: rows,
                ..ReassignableTopicResponse::default()
            });
        }
        (records, answer)
    }

    fn reassign(
        &self,
        name: &Str,
        target: &ReassignablePartition,
        may_change: bool,
    ) -> Result<Option<MetadataRecord>, Refusal> {
        const UNKNOWN: ErrorCode = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        let index = PartitionIndex(target.partition_index);
        let Some(topic) = self.image.topic(name) else {
            return refuse(UNKNOWN, format!("Unable to find a topic named {name}."));
        };
        let Some(partition) = topic.partitions.get(&index) else {
            let why = format!("Unable to find partition {name}:{}.", index.0);
            return refuse(UNKNOWN, why);
        };
        let Some(replicas) = &target.replicas else {
            return self.cancel(topic, index, partition);
        };
        let (now, then) = (
            partition
                .replicas
                .len()
                .saturating_sub(partition.removing.len()),
            replicas.len(),
        );
        if !may_change && now != then {
            return refuse(
                ErrorCode::INVALID_REPLICATION_FACTOR,
                format!("The replication factor is changed from {now} to {then}"),
            );
        }
        self.check_replicas(replicas, None)?;
        let wanted: Vec<NodeId> = replicas.iter().copied().map(NodeId).collect();
        let mut transition = self.transition(&topic.name, partition);
        // What an earlier reassignment adds has still to come in sync.
        let is_there =
            |node: &NodeId| partition.replicas.contains(node) && !partition.adding.contains(node);
        transition.adding = wanted
            .iter()
            .copied()
            .filter(|node| !is_there(node))
            .collect();
        transition.removing = (partition.replicas.iter().copied())
            .filter(|node| !wanted.contains(node))
            .collect();
        transition.adding.sort_unstable();
        transition.removing.sort_unstable();
        transition.replicas = wanted;
        transition.replicas.extend(&transition.removing);
        Ok(transition.record(topic.id, index, &self.brokers_now()))
    }

    /// What was added goes again. The order that the reassignment has made stays.
    fn cancel(
        &self,
        topic: &Topic,
        index: PartitionIndex,
        partition: &Partition,
    ) -> Result<Option<MetadataRecord>, Refusal> {
        if !partition.is_being_reassigned() {
            return Err((ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, None));
        }
        let mut transition = self.transition(&topic.name, partition);
        let is_added = |node: &NodeId| partition.adding.contains(node);
        transition.replicas.retain(|node| !is_added(node));
        transition.isr.retain(|node| !is_added(node));
        transition.adding.clear();
        transition.removing.clear();
        if transition.isr.is_empty() {
            // Then the first of those that stay is in sync alone, though it may lack records.
            let first = transition.replicas.first().copied();
            let Some(first) = first.filter(|_| transition.election == Election::Unclean) else {
                return refuse(
                    ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                    format!(
                        "Unable to revert partition assignment for {}:{} because it would require an unclean \
                         leader election.",
                        topic.name, index.0
                    ),
                );
            };
            transition.isr.push(first);
        }
        Ok(transition.record(topic.id, index, &self.brokers_now()))
    }

    #[inline(never)]
    pub(crate) fn list_reassignments(
        &mut self,
        _now: Time,
        _version: i16,
        request: &ListPartitionReassignmentsRequest,
    ) -> (Vec<MetadataRecord>, ListPartitionReassignmentsResponse) {
        let mut topics = Vec::new();
        match &request.topics {
            None => {
                for topic in self.image.topics() {
                    list(topic, topic.partitions.keys().copied(), &mut topics);
                }
            }
            Some(named) => {
                for named in named {
                    if let Some(topic) = self.image.topic(&named.name) {
                        let asked: SortedSet<i32> =
                            named.partition_indexes.iter().copied().collect();
                        list(
                            topic,
                            asked.iter().copied().map(PartitionIndex),
                            &mut topics,
                        );
                    }
                }
            }
        }
        let answer = ListPartitionReassignmentsResponse {
            error_message: None,
            topics,
            ..ListPartitionReassignmentsResponse::default()
        };
        (Vec::new(), answer)
    }
}

/// The reassignments under way among some of a topic's partitions.
fn list(
    topic: &Topic,
    asked: impl Iterator<Item = PartitionIndex>,
    out: &mut Vec<OngoingTopicReassignment>,
) {
    let mut rows = Vec::new();
    for index in asked {
        let Some(partition) = topic.partitions.get(&index) else {
            continue;
        };
        if partition.is_being_reassigned() {
            rows.push(OngoingPartitionReassignment {
                partition_index: index.0,
                replicas: numbers(&partition.replicas),
                adding_replicas: numbers(&partition.adding),
                removing_replicas: numbers(&partition.removing),
                ..OngoingPartitionReassignment::default()
            });
        }
    }
    if !rows.is_empty() {
        out.push(OngoingTopicReassignment {
            name: Str::from(&*topic.name),
            partitions: rows,
            ..OngoingTopicReassignment::default()
        });
    }
}
