//! AssignReplicasToDirs (key 73, version 0): a broker says in which of its directories replicas lie (KIP-858), and
//! what becomes of those in a directory that fails.

use crate::controller::Controller;
use crate::leadership::Cause;
use crate::partition_change::directory_of;
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId, PartitionIndex, Time, Uuid};
use metadata::MetadataRecord;
use sorted::SortedSet;
use wire::assign_replicas_to_dirs_request::AssignReplicasToDirsRequest;
use wire::assign_replicas_to_dirs_response::{
    AssignReplicasToDirsResponse, DirectoryData, PartitionData, TopicData,
};

impl Controller {
    #[inline(never)]
    pub(crate) fn assign_directories(
        &mut self,
        _now: Time,
        _version: i16,
        request: &AssignReplicasToDirsRequest,
    ) -> (Vec<MetadataRecord>, AssignReplicasToDirsResponse) {
        let node = NodeId(request.broker_id);
        let mut answer = AssignReplicasToDirsResponse::default();
        if let Err(code) = self.check_broker(node, request.broker_epoch) {
            answer.error_code = code.0;
            return (Vec::new(), answer);
        }
        let entry = &self.image.brokers()[&node];
        let mut records = Vec::new();
        // A directory that the broker has not registered is as good as failed.
        let mut failed: SortedSet<(Uuid, i32)> = SortedSet::new();
        for directory in &request.directories {
            let works = entry.log_dirs.contains(&directory.id);
            let mut topics = Vec::with_capacity(directory.topics.len());
            for topic in &directory.topics {
                let mut rows = Vec::with_capacity(topic.partitions.len());
                for partition in &topic.partitions {
                    let index = partition.partition_index;
                    let mut row = PartitionData {
                        partition_index: index,
                        ..PartitionData::default()
                    };
                    match self.move_replica(node, directory.id, topic.topic_id, index) {
                        Ok(record) => {
                            records.extend(record);
                            if !works {
                                failed.insert((topic.topic_id, index));
                            }
                        }
                        Err(code) => row.error_code = code.0,
                    }
                    rows.push(row);
                }
                topics.push(TopicData {
                    topic_id: topic.topic_id,
                    partitions: rows,
                    ..TopicData::default()
                });
            }
            answer.directories.push(DirectoryData {
                id: directory.id,
                topics,
                ..DirectoryData::default()
            });
        }
        if !failed.is_empty() {
            let cause = Cause {
                gone: Some(node),
                ..Cause::default()
            };
            let left = self.judge_partitions(cause, &|topic, index, partition| {
                partition.isr.contains(&node) && failed.contains(&(topic, index.0))
            });
            records.extend(left);
        }
        (records, answer)
    }

    fn move_replica(
        &self,
        node: NodeId,
        directory: Uuid,
        topic_id: Uuid,
        index: i32,
    ) -> Result<Option<MetadataRecord>, ErrorCode> {
        let index = PartitionIndex(index);
        let topic = self.image.topic_by_id(topic_id);
        let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        let partition = topic.partitions.get(&index);
        let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        if !partition.replicas.contains(&node) {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let mut transition = self.transition(&topic.name, partition);
        transition.moved = Some((node, directory));
        Ok(transition.record(topic_id, index, &self.brokers_now()))
    }

    /// The replicas in directories that have failed leave their ISRs.
    #[inline(never)]
    pub(crate) fn directories_failed(&self, node: NodeId, failed: &[Uuid]) -> Vec<MetadataRecord> {
        let cause = Cause {
            gone: Some(node),
            ..Cause::default()
        };
        self.judge_partitions(cause, &|_, _, partition| {
            let lies_there = directory_of(partition, node).is_some_and(|dir| failed.contains(&dir));
            lies_there && partition.isr.contains(&node)
        })
    }
}
