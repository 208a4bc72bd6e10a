//! What a formatted directory begins with.

use crate::MetadataRecord;
use alloc::vec::Vec;
use ids::{LeaderEpoch, Offset};
use records::{BatchBuilder, BatchOptions, ControlType};
use wire::feature_level_record::FeatureLevelRecord;
use wire::snapshot_footer_record::SnapshotFooterRecord;
use wire::snapshot_header_record::SnapshotHeaderRecord;
use wire::{Message, Str, Writer};

/// The features that Kafka 4.3 formats a directory with, and their levels.
pub const BOOTSTRAP_FEATURES: [(&str, i16); 6] = [
    ("metadata.version", 30),
    ("eligible.leader.replicas.version", 1),
    ("group.version", 1),
    ("share.version", 1),
    ("streams.version", 1),
    ("transaction.version", 2),
];

/// The bytes of `bootstrap.checkpoint`: a snapshot of nothing but the features' levels. The times are those of
/// its three batches, in milliseconds.
#[must_use]
pub fn bootstrap_checkpoint([head_at, features_at, foot_at]: [i64; 3]) -> Vec<u8> {
    let mut out = Vec::new();
    let head = value(&SnapshotHeaderRecord::default());
    let foot = value(&SnapshotFooterRecord::default());
    let control = |kind: ControlType, value: &[u8], at: i64| {
        let mut builder = BatchBuilder::new(BatchOptions {
            control: true,
            ..BatchOptions::default()
        });
        let added = builder.append(at, Some(&kind.key()), Some(value), &[]);
        debug_assert!(added.is_ok(), "control records are small");
        builder.into_valid()
    };
    let mut features = BatchBuilder::new(BatchOptions::default());
    for (name, feature_level) in BOOTSTRAP_FEATURES {
        let record = MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: Str::from_static(name),
            feature_level,
            ..FeatureLevelRecord::default()
        });
        let added = builder_append(&mut features, features_at, &record);
        debug_assert!(added, "features are small");
    }
    let epoch = LeaderEpoch(0);
    let head = control(ControlType::SnapshotHeader, &head, head_at);
    head.write_into(&mut out, Offset(0), epoch);
    features.into_valid().write_into(&mut out, Offset(1), epoch);
    let count = i64::try_from(BOOTSTRAP_FEATURES.len()).unwrap_or(0);
    let foot = control(ControlType::SnapshotFooter, &foot, foot_at);
    foot.write_into(&mut out, Offset(1 + count), epoch);
    out
}

fn builder_append(builder: &mut BatchBuilder, at: i64, record: &MetadataRecord) -> bool {
    builder
        .append(at, None, Some(&record.encode()), &[])
        .is_ok()
}

fn value(message: &impl Message) -> Vec<u8> {
    let mut writer = Writer::new();
    let written = message.encode(&mut writer, 0);
    debug_assert!(written.is_ok(), "control records are small");
    writer.as_slice().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bootstrap_checkpoint_is_kafkas_byte_for_byte() {
        let kafkas = vectors::bytes("segments/_logdir/bootstrap.checkpoint");
        let time = |at: usize| i64::from_be_bytes(kafkas[at..at + 8].try_into().unwrap());
        // Each batch's first timestamp: the second begins at 83, the third at 336.
        let times = [time(27), time(83 + 27), time(336 + 27)];
        assert_eq!(bootstrap_checkpoint(times), kafkas);
    }
}
