//! What can be seen of a broker's replicas, from outside and by its APIs.

use crate::broker::Broker;
use crate::replicas::{Replica, epoch_refusal};
use ids::{ErrorCode, LeaderEpoch, PartitionIndex, TopicIdPartition};
use log::{Log, LogId};

/// What can be seen of a replica from outside.
#[derive(Clone, Copy, Debug)]
pub struct ReplicaView<'a> {
    /// Its id.
    pub id: LogId,
    /// Whose log it is.
    pub name: &'a TopicIdPartition,
    /// The log.
    pub log: &'a Log,
    /// Whether this broker leads the partition.
    pub is_leader: bool,
}

impl Broker {
    /// What can be seen of the replicas, in order of their ids.
    pub fn replicas(&self) -> impl Iterator<Item = ReplicaView<'_>> {
        self.replicas.iter().map(|(id, replica)| ReplicaView {
            id,
            name: &replica.name,
            log: &replica.log,
            is_leader: replica.leads(),
        })
    }

    /// One replica, as a shell needs it to resolve slices.
    #[must_use]
    pub fn log(&self, replica: LogId) -> Option<&Log> {
        Some(&self.replicas.get(replica)?.log)
    }

    /// The replica of a partition, if this broker has one.
    #[must_use]
    pub fn find_replica(&self, topic: &str, partition: PartitionIndex) -> Option<LogId> {
        self.replicas.find(topic, partition)
    }

    /// The replica of a partition that this broker leads.
    ///
    /// # Errors
    /// 3 when there is no such partition, 6 when another broker leads it.
    pub(crate) fn led_replica(
        &self,
        topic: &str,
        partition: PartitionIndex,
    ) -> Result<LogId, ErrorCode> {
        self.replicas
            .find(topic, partition)
            .filter(|id| self.leads(*id))
            .ok_or_else(|| self.led_refusal(topic, partition))
    }

    /// The same for someone who believes `epoch` to be current: 74 and 75 come before 6.
    pub(crate) fn led_replica_in(
        &self,
        topic: &str,
        partition: PartitionIndex,
        epoch: LeaderEpoch,
    ) -> Result<(LogId, &Replica), ErrorCode> {
        let id = self.replicas.find(topic, partition);
        let found = id.and_then(|id| Some((id, self.replicas.get(id)?)));
        let Some((id, replica)) = found else {
            return Err(self.led_refusal(topic, partition));
        };
        match epoch_refusal(epoch, replica.epoch()) {
            Some(code) => Err(code),
            None if replica.leads() => Ok((id, replica)),
            None => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        }
    }

    /// Whether this broker leads the partition of a replica.
    #[must_use]
    pub fn leads(&self, id: LogId) -> bool {
        self.replicas.get(id).is_some_and(Replica::leads)
    }

    /// Why [`Broker::led_replica`] gives none.
    pub(crate) fn led_refusal(&self, topic: &str, partition: PartitionIndex) -> ErrorCode {
        match self.image.partition(topic, partition) {
            Some(_) => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        }
    }

    /// Lets the logs drop bytes from memory until at most `max_bytes` stay.
    pub fn evict(&mut self, max_bytes: u64) {
        self.replicas.evict(max_bytes);
    }

    /// Lets the logs remember no more of producers than fits in `max_bytes`: earlier states go first, then
    /// the producers that have been silent for longest, each log's as large a part of them. Unlike
    /// [`Broker::evict`] this is not without consequence: a retry of a forgotten producer is appended.
    pub fn limit_producers(&mut self, max_bytes: u64) {
        self.replicas.limit_producers(max_bytes);
    }
}
