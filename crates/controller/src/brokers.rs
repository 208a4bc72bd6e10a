//! Brokers: registration, heartbeats, fencing, blocks of producer ids.

use crate::controller::{Controller, PRODUCER_ID_BLOCK};
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId, PartitionIndex, Time, Uuid};
use metadata::{MetadataRecord, Partition};
use wire::allocate_producer_ids_request::AllocateProducerIdsRequest;
use wire::allocate_producer_ids_response::AllocateProducerIdsResponse;
use wire::broker_heartbeat_request::BrokerHeartbeatRequest;
use wire::broker_heartbeat_response::BrokerHeartbeatResponse;
use wire::broker_registration_change_record::BrokerRegistrationChangeRecord;
use wire::broker_registration_request::BrokerRegistrationRequest;
use wire::broker_registration_response::BrokerRegistrationResponse;
use wire::partition_change_record::PartitionChangeRecord;
use wire::producer_ids_record::ProducerIdsRecord;
use wire::register_broker_record::{BrokerEndpoint, RegisterBrokerRecord};

/// "Leave it as it is" and the other values of the leader field of a change record.
const NO_LEADER: i32 = -1;

impl Controller {
    /// BrokerRegistration (key 62): a broker process introduces itself (KIP-631).
    pub(crate) fn register_broker(
        &mut self,
        now: Time,
        _version: i16,
        request: &BrokerRegistrationRequest,
    ) -> (Vec<MetadataRecord>, BrokerRegistrationResponse) {
        let node = NodeId(request.broker_id);
        let session = self.session_micros;
        if let Some(entry) = self.image.brokers().get(&node) {
            let heard = self
                .heartbeats
                .get(&node)
                .is_some_and(|heard| now.since(*heard) < session);
            if entry.incarnation == request.incarnation_id {
                let answer = BrokerRegistrationResponse {
                    broker_epoch: entry.epoch,
                    ..Default::default()
                };
                return (Vec::new(), answer);
            }
            // Another process with the same id is alive. A restarted one is let in at once:
            // its predecessor cannot be, as a node has one process here.
            if heard && !entry.fenced && !self.is_own_node(node) {
                let error_code = ErrorCode::DUPLICATE_BROKER_REGISTRATION.0;
                return (
                    Vec::new(),
                    BrokerRegistrationResponse {
                        error_code,
                        broker_epoch: -1,
                        ..Default::default()
                    },
                );
            }
        }
        let mut records = Vec::new();
        if self
            .image
            .brokers()
            .get(&node)
            .is_some_and(|entry| !entry.fenced)
        {
            records.extend(self.give_up_leaderships(node));
        }
        let broker_epoch = self.next_offset().0 + i64::try_from(records.len()).unwrap_or(0);
        let listeners = request.listeners.iter().map(|listener| BrokerEndpoint {
            name: listener.name.clone(),
            host: listener.host.clone(),
            port: listener.port,
            security_protocol: listener.security_protocol,
            ..BrokerEndpoint::default()
        });
        records.push(MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            broker_id: request.broker_id,
            incarnation_id: request.incarnation_id,
            broker_epoch,
            end_points: listeners.collect(),
            rack: request.rack.clone(),
            fenced: true,
            log_dirs: request.log_dirs.clone(),
            ..RegisterBrokerRecord::default()
        }));
        self.heartbeats.insert(node, now);
        (
            records,
            BrokerRegistrationResponse {
                broker_epoch,
                ..Default::default()
            },
        )
    }

    fn is_own_node(&self, node: NodeId) -> bool {
        node == self.config.node
    }

    /// BrokerHeartbeat (key 63): a broker is alive, has caught up, or wants to stop.
    pub(crate) fn heartbeat(
        &mut self,
        now: Time,
        _version: i16,
        request: &BrokerHeartbeatRequest,
    ) -> (Vec<MetadataRecord>, BrokerHeartbeatResponse) {
        let node = NodeId(request.broker_id);
        if let Err(code) = self.check_broker(node, request.broker_epoch) {
            return (
                Vec::new(),
                BrokerHeartbeatResponse {
                    error_code: code.0,
                    ..Default::default()
                },
            );
        }
        self.heartbeats.insert(node, now);
        let entry = &self.image.brokers()[&node];
        let (fenced, epoch) = (entry.fenced, entry.epoch);
        // A broker may serve once it has seen its own registration.
        let caught_up = request.current_metadata_offset >= epoch;
        let mut answer = BrokerHeartbeatResponse {
            is_caught_up: caught_up,
            is_fenced: fenced,
            should_shut_down: false,
            ..BrokerHeartbeatResponse::default()
        };
        if request.want_shut_down {
            let records = if fenced {
                Vec::new()
            } else {
                self.fence(node, epoch)
            };
            answer.is_fenced = true;
            answer.should_shut_down = true;
            return (records, answer);
        }
        if fenced && caught_up && !request.want_fence {
            answer.is_fenced = false;
            return (self.unfence(node, epoch), answer);
        }
        (Vec::new(), answer)
    }

    /// AllocateProducerIds (key 67): a block of ids that no other broker gets (KIP-730).
    pub(crate) fn allocate_producer_ids(
        &mut self,
        _now: Time,
        _version: i16,
        request: &AllocateProducerIdsRequest,
    ) -> (Vec<MetadataRecord>, AllocateProducerIdsResponse) {
        if let Err(code) = self.check_broker(NodeId(request.broker_id), request.broker_epoch) {
            return (
                Vec::new(),
                AllocateProducerIdsResponse {
                    error_code: code.0,
                    ..Default::default()
                },
            );
        }
        let start = self.image.next_producer_id();
        let record = MetadataRecord::ProducerIds(ProducerIdsRecord {
            broker_id: request.broker_id,
            broker_epoch: request.broker_epoch,
            next_producer_id: start.saturating_add(i64::from(PRODUCER_ID_BLOCK)),
            ..ProducerIdsRecord::default()
        });
        let answer = AllocateProducerIdsResponse {
            producer_id_start: start,
            producer_id_len: PRODUCER_ID_BLOCK,
            ..AllocateProducerIdsResponse::default()
        };
        (alloc::vec![record], answer)
    }

    /// Fences every broker whose session is over.
    pub(crate) fn expired_brokers(&mut self, now: Time) -> Vec<MetadataRecord> {
        let session = self.session_micros;
        let live: Vec<(NodeId, i64)> = self
            .image
            .live_brokers()
            .map(|(id, entry)| (id, entry.epoch))
            .collect();
        let silent = |node: &NodeId| {
            self.heartbeats
                .get(node)
                .is_none_or(|heard| now.since(*heard) >= session)
        };
        let expired: Vec<(NodeId, i64)> =
            live.into_iter().filter(|(node, _)| silent(node)).collect();
        expired
            .into_iter()
            .flat_map(|(node, epoch)| self.fence(node, epoch))
            .collect()
    }

    pub(crate) fn next_session_end(&self) -> Option<Time> {
        let session = self.session_micros;
        let live = self
            .image
            .live_brokers()
            .filter_map(|(id, _)| self.heartbeats.get(&id));
        live.min().map(|heard| heard.plus_micros(session))
    }

    fn fence(&self, node: NodeId, epoch: i64) -> Vec<MetadataRecord> {
        let mut records = self.give_up_leaderships(node);
        records.push(registration_change(node, epoch, 1));
        records
    }

    /// A broker serves again: it leads what has no leader and counts it in sync.
    fn unfence(&self, node: NodeId, epoch: i64) -> Vec<MetadataRecord> {
        let mut records = alloc::vec![registration_change(node, epoch, -1)];
        for (id, index, partition) in self.partitions_of(node) {
            if partition.leader().is_some() {
                continue;
            }
            if partition.isr.contains(&node) {
                records.push(leader_change(id, index, node.0, None));
            } else if partition.isr.is_empty() && partition.elr.contains(&node) {
                records.push(lead_from_elr(id, index, node));
            }
        }
        records
    }

    /// A broker that goes leaves its leaderships to others in sync; the last one in sync
    /// stays in the ISR, so that only it can lead again.
    fn give_up_leaderships(&self, node: NodeId) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        for (id, index, partition) in self.partitions_of(node) {
            let rest: Vec<NodeId> = partition
                .isr
                .iter()
                .copied()
                .filter(|other| *other != node)
                .collect();
            let heir = partition
                .replicas
                .iter()
                .copied()
                .find(|other| rest.contains(other) && self.is_live(*other));
            let isr = (!rest.is_empty() && partition.isr.contains(&node)).then_some(rest);
            if partition.leader() == Some(node) {
                records.push(leader_change(
                    id,
                    index,
                    heir.map_or(NO_LEADER, |heir| heir.0),
                    isr,
                ));
            } else if isr.is_some() {
                records.push(change(id, index, None, isr));
            }
        }
        records
    }

    pub(crate) fn is_live(&self, node: NodeId) -> bool {
        let entry = self.image.brokers().get(&node);
        entry.is_some_and(|entry| !entry.fenced)
    }

    fn partitions_of(
        &self,
        node: NodeId,
    ) -> impl Iterator<Item = (Uuid, PartitionIndex, &Partition)> {
        self.image.topics().flat_map(move |topic| {
            let partitions = topic
                .partitions
                .iter()
                .filter(move |(_, partition)| partition.replicas.contains(&node));
            partitions.map(|(index, partition)| (topic.id, *index, partition))
        })
    }
}

fn registration_change(node: NodeId, epoch: i64, fenced: i8) -> MetadataRecord {
    MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
        broker_id: node.0,
        broker_epoch: epoch,
        fenced,
        ..BrokerRegistrationChangeRecord::default()
    })
}

pub(crate) fn leader_change(
    topic_id: Uuid,
    index: PartitionIndex,
    leader: i32,
    isr: Option<Vec<NodeId>>,
) -> MetadataRecord {
    change(topic_id, index, Some(leader), isr)
}

/// A log that Kafka wrote may name the last one in sync among the eligible leaders instead of
/// the ISR (KIP-966); it leads again, alone in sync.
fn lead_from_elr(topic_id: Uuid, index: PartitionIndex, node: NodeId) -> MetadataRecord {
    MetadataRecord::PartitionChange(PartitionChangeRecord {
        topic_id,
        partition_id: index.0,
        leader: node.0,
        isr: Some(alloc::vec![node.0]),
        eligible_leader_replicas: Some(Vec::new()),
        ..PartitionChangeRecord::default()
    })
}

fn change(
    topic_id: Uuid,
    index: PartitionIndex,
    leader: Option<i32>,
    isr: Option<Vec<NodeId>>,
) -> MetadataRecord {
    let mut record = PartitionChangeRecord {
        topic_id,
        partition_id: index.0,
        ..PartitionChangeRecord::default()
    };
    if let Some(leader) = leader {
        record.leader = leader;
    }
    record.isr = isr.map(|isr| isr.into_iter().map(|node| node.0).collect());
    MetadataRecord::PartitionChange(record)
}
