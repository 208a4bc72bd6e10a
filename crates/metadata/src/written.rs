//! An image as the records of a snapshot, in Kafka's order: replayed, they give the image again.

use crate::image::{BrokerEntry, Image, Partition, Topic};
use crate::record::MetadataRecord;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{NodeId, PartitionIndex};
use wire::Str;
use wire::config_record::ConfigRecord;
use wire::feature_level_record::FeatureLevelRecord;
use wire::partition_record::PartitionRecord;
use wire::producer_ids_record::ProducerIdsRecord;
use wire::register_broker_record::{BrokerFeature, RegisterBrokerRecord};
use wire::topic_record::TopicRecord;

impl Image {
    /// The records that add up to it, `metadata.version` first: it says how the others are to be read.
    #[must_use]
    pub fn records(&self) -> Vec<MetadataRecord> {
        let is_first = |name: &Arc<str>| **name == *"metadata.version";
        let features = self.features().iter();
        let (first, others): (Vec<_>, Vec<_>) = features.partition(|(name, _)| is_first(name));
        let set =
            |(name, level): &(&Arc<str>, &i16)| (**level != 0).then(|| level_of(name, **level));
        let mut records: Vec<MetadataRecord> =
            first.iter().chain(&others).filter_map(set).collect();
        let brokers = self.brokers().iter();
        records.extend(brokers.map(|(id, entry)| broker(*id, entry)));
        let controllers = self.controllers().values().cloned();
        records.extend(controllers.map(MetadataRecord::RegisterController));
        for topic in self.topics() {
            records.push(MetadataRecord::Topic(TopicRecord {
                name: Str::from(&*topic.name),
                topic_id: topic.id,
                ..TopicRecord::default()
            }));
            let partitions = topic.partitions.iter();
            records.extend(partitions.map(|(index, of)| partition(topic, *index, of)));
        }
        self.write_configs(&mut records);
        if self.next_producer_id() > 0 {
            records.push(MetadataRecord::ProducerIds(ProducerIdsRecord {
                broker_id: -1,
                broker_epoch: -1,
                next_producer_id: self.next_producer_id(),
                ..ProducerIdsRecord::default()
            }));
        }
        records
    }

    fn write_configs(&self, records: &mut Vec<MetadataRecord>) {
        for (kind, resource, values) in self.all_configs() {
            records.extend(values.iter().map(|(name, value)| {
                MetadataRecord::Config(ConfigRecord {
                    resource_type: kind,
                    resource_name: Str::from(resource.to_string()),
                    name: Str::from(name.to_string()),
                    value: Some(Str::from(value.to_string())),
                    ..ConfigRecord::default()
                })
            }));
        }
    }
}

fn level_of(name: &Arc<str>, feature_level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel(FeatureLevelRecord {
        name: Str::from(name.to_string()),
        feature_level,
        ..FeatureLevelRecord::default()
    })
}

fn broker(id: NodeId, entry: &BrokerEntry) -> MetadataRecord {
    let feature = |(name, least, most): &(Arc<str>, i16, i16)| BrokerFeature {
        name: Str::from(name.to_string()),
        min_supported_version: *least,
        max_supported_version: *most,
        ..BrokerFeature::default()
    };
    MetadataRecord::RegisterBroker(RegisterBrokerRecord {
        broker_id: id.0,
        incarnation_id: entry.incarnation,
        broker_epoch: entry.epoch,
        end_points: entry.listeners.clone(),
        features: entry.features.iter().map(feature).collect(),
        rack: entry.rack.as_ref().map(|rack| Str::from(rack.to_string())),
        fenced: entry.fenced,
        in_controlled_shutdown: entry.in_controlled_shutdown,
        log_dirs: entry.log_dirs.clone(),
        cordoned_log_dirs: entry.cordoned_log_dirs.clone(),
        ..RegisterBrokerRecord::default()
    })
}

fn partition(topic: &Topic, index: PartitionIndex, of: &Partition) -> MetadataRecord {
    let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect::<Vec<i32>>();
    let some = |nodes: &[NodeId]| (!nodes.is_empty()).then(|| ids(nodes));
    MetadataRecord::Partition(PartitionRecord {
        partition_id: index.0,
        topic_id: topic.id,
        replicas: ids(&of.replicas),
        isr: ids(&of.isr),
        removing_replicas: ids(&of.removing),
        adding_replicas: ids(&of.adding),
        leader: of.leader.0,
        leader_recovery_state: i8::from(of.recovering),
        leader_epoch: of.leader_epoch.0,
        partition_epoch: of.partition_epoch,
        directories: of.directories.clone(),
        eligible_leader_replicas: some(&of.elr),
        last_known_elr: some(&of.last_known_elr),
        ..PartitionRecord::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::{Image, Snapshot, records_of};
    use ids::{Offset, SnapshotId};
    use std::vec::Vec;

    fn image(id: SnapshotId, bytes: &bytes::Bytes) -> (Image, Vec<bytes::Bytes>) {
        let snapshot = Snapshot::decode(id, bytes).expect("it is whole");
        let records = snapshot.batches().iter().flat_map(records_of);
        let records: Vec<_> = records
            .map(|(_, record)| record.expect("a record"))
            .collect();
        let mut image = Image::default();
        for (at, record) in (0..).zip(&records) {
            image.apply(Offset(at), record);
        }
        (
            image,
            records.iter().map(crate::MetadataRecord::encode).collect(),
        )
    }

    #[test]
    fn a_snapshot_of_kafkas_is_written_again_as_kafka_wrote_it() {
        for name in [
            "00000000000000000062-0000000001.checkpoint",
            "00000000000000000063-0000000001.checkpoint",
        ] {
            let id = SnapshotId::parse(name).expect("a name");
            let path = std::format!("trimmed-metadata/__cluster_metadata-0/{name}");
            let (image, mut kafkas) = image(id, &vectors::bytes(&path).into());
            assert!(!image.is_partial());
            let mut ours: Vec<_> = image.records().iter().map(|it| it.encode()).collect();
            assert_eq!(ours.first(), kafkas.first(), "metadata.version comes first");
            // Kafka goes through features and topics in the order of their hashes.
            kafkas.sort_unstable();
            ours.sort_unstable();
            assert_eq!(ours, kafkas);
        }
    }
}
