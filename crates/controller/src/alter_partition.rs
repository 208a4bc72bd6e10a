//! AlterPartition (key 56, versions 2–3): a leader proposes which replicas are in sync (KIP-497, KIP-841, KIP-903).
//!
//! What a leader asks for may end a reassignment, which may take the leadership from it: it is told so then.

use crate::controller::Controller;
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId, PartitionIndex, Time, Uuid};
use metadata::{MetadataRecord, Partition};
use sorted::SortedSet;
use wire::alter_partition_request::{AlterPartitionRequest, BrokerState, PartitionData};
use wire::alter_partition_response::{
    AlterPartitionResponse, PartitionData as PartitionAnswer, TopicData as TopicAnswer,
};

/// `leader_recovery_state` of a leader that has not recovered from an unclean election yet.
const RECOVERING: i8 = 1;
/// The version from which members of the ISR come with their broker epochs.
const WITH_EPOCHS: i16 = 3;

impl Controller {
    #[inline(never)]
    pub(crate) fn alter_partition(
        &mut self,
        _now: Time,
        version: i16,
        request: &AlterPartitionRequest,
    ) -> (Vec<MetadataRecord>, AlterPartitionResponse) {
        let leader = NodeId(request.broker_id);
        let mut answer = AlterPartitionResponse::default();
        if let Err(code) = self.check_broker(leader, request.broker_epoch) {
            answer.error_code = code.0;
            return (Vec::new(), answer);
        }
        let mut records = Vec::new();
        let mut changed: SortedSet<(Uuid, i32)> = SortedSet::new();
        for topic in &request.topics {
            let mut rows = Vec::with_capacity(topic.partitions.len());
            for proposal in &topic.partitions {
                let key = (topic.topic_id, proposal.partition_index);
                // What is named twice has another epoch by the second time.
                let judged = match changed.contains(&key) {
                    true => Err(ErrorCode::INVALID_UPDATE_VERSION),
                    false => self.propose(leader, version, topic.topic_id, proposal),
                };
                let mut row = PartitionAnswer {
                    partition_index: proposal.partition_index,
                    ..PartitionAnswer::default()
                };
                match judged {
                    Err(code) => row.error_code = code.0,
                    Ok((record, after)) => {
                        if let Some(record) = record {
                            records.push(record);
                            changed.insert(key);
                        }
                        match after.leader == leader {
                            true => tell(&mut row, &after),
                            false => row.error_code = ErrorCode::NEW_LEADER_ELECTED.0,
                        }
                    }
                }
                rows.push(row);
            }
            answer.topics.push(TopicAnswer {
                topic_id: topic.topic_id,
                partitions: rows,
                ..TopicAnswer::default()
            });
        }
        (records, answer)
    }

    /// Judges a proposal; gives the record that carries it out, and what the partition is then.
    fn propose(
        &self,
        leader: NodeId,
        version: i16,
        topic_id: Uuid,
        proposal: &PartitionData,
    ) -> Result<(Option<MetadataRecord>, Partition), ErrorCode> {
        let topic = self.image.topic_by_id(topic_id);
        let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        let index = PartitionIndex(proposal.partition_index);
        let partition = topic.partitions.get(&index);
        let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let members = members(version, proposal);
        self.check_proposal(leader, partition, proposal, &members)?;
        let mut transition = self.transition(&topic.name, partition);
        transition.isr = members.iter().map(|(node, _)| *node).collect();
        transition.recovering = proposal.leader_recovery_state == RECOVERING;
        let record = transition.record(topic_id, index, &self.brokers_now());
        let mut after = partition.clone();
        if let Some(MetadataRecord::PartitionChange(record)) = &record {
            after.change(record);
        }
        Ok((record, after))
    }

    /// The checks in Kafka's order.
    fn check_proposal(
        &self,
        leader: NodeId,
        partition: &Partition,
        proposal: &PartitionData,
        members: &[(NodeId, i64)],
    ) -> Result<(), ErrorCode> {
        let epoch = partition.leader_epoch.0;
        // Who knows more than this controller has heard of a newer one.
        if proposal.leader_epoch > epoch || proposal.partition_epoch > partition.partition_epoch {
            return Err(ErrorCode::NOT_CONTROLLER);
        }
        if proposal.leader_epoch < epoch {
            return Err(ErrorCode::FENCED_LEADER_EPOCH);
        }
        if partition.leader != leader {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        if proposal.partition_epoch < partition.partition_epoch {
            return Err(ErrorCode::INVALID_UPDATE_VERSION);
        }
        let mut nodes: Vec<NodeId> = members.iter().map(|(node, _)| *node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let is_assigned = nodes.iter().all(|node| partition.replicas.contains(node));
        let recovers = proposal.leader_recovery_state == RECOVERING;
        if !is_assigned
            || nodes.len() != members.len()
            || !nodes.contains(&leader)
            || recovers && (nodes.len() > 1 || !partition.recovering)
            || !matches!(proposal.leader_recovery_state, 0 | RECOVERING)
        {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let is_eligible = |(node, epoch): &(NodeId, i64)| {
            let entry = self.image.brokers().get(node);
            entry.is_some_and(|entry| entry.is_active() && (*epoch == -1 || *epoch == entry.epoch))
        };
        match members.iter().all(is_eligible) {
            true => Ok(()),
            false => Err(ErrorCode::INELIGIBLE_REPLICA),
        }
    }
}

/// The members of the proposed ISR with their broker epochs; −1 is any.
fn members(version: i16, proposal: &PartitionData) -> Vec<(NodeId, i64)> {
    if version < WITH_EPOCHS {
        return proposal
            .new_isr
            .iter()
            .map(|node| (NodeId(*node), -1))
            .collect();
    }
    let member = |state: &BrokerState| (NodeId(state.broker_id), state.broker_epoch);
    proposal.new_isr_with_epochs.iter().map(member).collect()
}

fn tell(row: &mut PartitionAnswer, partition: &Partition) {
    row.leader_id = partition.leader.0;
    row.leader_epoch = partition.leader_epoch.0;
    row.isr = partition.isr.iter().map(|node| node.0).collect();
    row.leader_recovery_state = i8::from(partition.recovering);
    row.partition_epoch = partition.partition_epoch;
}
