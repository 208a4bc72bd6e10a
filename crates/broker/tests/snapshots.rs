//! A snapshot of the metadata takes the place of all that was told before.

use crate::support::{Cluster, TOPIC};
use brooklet_broker::{ControllerEvent, Event};
use bytes::Bytes;
use ids::{LeaderEpoch, NodeId, Offset, SnapshotId};
use metadata::{Image, MetadataRecord, Snapshot};
use records::{BatchBuilder, BatchOptions};
use wire::partition_change_record::PartitionChangeRecord;
use wire::remove_topic_record::RemoveTopicRecord;

/// The types of the records at a snapshot's beginning and end.
const HEADER: u8 = 3;
const FOOTER: u8 = 4;

/// A batch of a snapshot, as a broker finds it there.
fn batch(out: &mut Vec<u8>, values: &[(Option<[u8; 4]>, Vec<u8>)]) {
    let control = values.iter().any(|(key, _)| key.is_some());
    let mut batch = BatchBuilder::new(BatchOptions {
        control,
        ..BatchOptions::default()
    });
    for (key, value) in values {
        let key = key.as_ref().map(|key| &key[..]);
        batch.append(0, key, Some(value), &[]).unwrap();
    }
    (batch.into_valid()).write_into(out, Offset(0), LeaderEpoch(0));
}

/// A snapshot of an image, and what else its records say.
fn snapshot(image: &Image, more: &[Vec<u8>]) -> Snapshot {
    let mut bytes = Vec::new();
    batch(&mut bytes, &[(Some([0, 0, 0, HEADER]), vec![0])]);
    let records = image.records();
    let values = records.iter().map(MetadataRecord::encode);
    let values = values.map(|value| value.to_vec()).chain(more.to_vec());
    let values: Vec<_> = values.map(|value| (None, value)).collect();
    batch(&mut bytes, &values);
    batch(&mut bytes, &[(Some([0, 0, 0, FOOTER]), vec![0])]);
    let id = SnapshotId {
        end: image.end(),
        epoch: LeaderEpoch(0),
    };
    Snapshot::decode(id, &Bytes::from(bytes)).expect("a whole snapshot")
}

fn tell(cluster: &mut Cluster, id: i32, snapshot: Snapshot) {
    let event = ControllerEvent::Snapshot { snapshot };
    cluster.step(NodeId(id), Event::Controller(event));
}

/// What broker 1 knows, and these records.
fn image_with(cluster: &mut Cluster, record: MetadataRecord) -> Image {
    let mut image = cluster.node(1).broker.image().clone();
    image.apply(image.end(), &record);
    image
}

fn without_topic(cluster: &mut Cluster) -> Image {
    let record = RemoveTopicRecord {
        topic_id: TOPIC,
        ..RemoveTopicRecord::default()
    };
    image_with(cluster, MetadataRecord::RemoveTopic(record))
}

#[test]
fn who_leads_and_what_is_gone_is_taken_from_a_snapshot_as_from_records() {
    let mut cluster = Cluster::new(2, &[]);
    cluster.create(&[1, 2], &[1, 2]);
    let change = MetadataRecord::PartitionChange(PartitionChangeRecord {
        topic_id: TOPIC,
        partition_id: 0,
        leader: 2,
        isr: Some(vec![2]),
        ..PartitionChangeRecord::default()
    });
    let image = image_with(&mut cluster, change);
    for id in [2, 1] {
        tell(&mut cluster, id, snapshot(&image, &[]));
    }
    let leads = |cluster: &mut Cluster, id| {
        let replica = cluster.node(id).broker.replicas().next();
        replica.expect("a replica").is_leader
    };
    let both = [1, 2].map(|id| leads(&mut cluster, id));
    assert_eq!(both, [false, true]);
    let image = without_topic(&mut cluster);
    tell(&mut cluster, 1, snapshot(&image, &[]));
    assert_eq!(cluster.node(1).removed.len(), 1);
}

#[test]
fn what_a_snapshot_has_that_cannot_be_read_takes_no_log_away() {
    let mut cluster = Cluster::new(1, &[]);
    cluster.create(&[1], &[1]);
    let image = without_topic(&mut cluster);
    // The beginning of the record of a topic.
    let cut_off = vec![1, 2, 0];
    tell(&mut cluster, 1, snapshot(&image, &[cut_off]));
    assert!(cluster.node(1).removed.is_empty(), "it may still be there");
}
