//! The control batches that the raft itself writes and reads.

use crate::voters::Voters;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{LeaderEpoch, NodeId, Offset};
use records::{BatchBuilder, BatchOptions, BatchView, ControlType, ValidBatch};
use wire::kraft_version_record::KRaftVersionRecord;
use wire::leader_change_message::{LeaderChangeMessage, Voter};
use wire::snapshot_footer_record::SnapshotFooterRecord;
use wire::snapshot_header_record::SnapshotHeaderRecord;
use wire::{Message, Writer};

/// `kraft.version` of a quorum whose voters are in the log.
const DYNAMIC: i16 = 1;

fn value(message: &impl Message) -> Vec<u8> {
    let mut writer = Writer::new();
    let written = message.encode(&mut writer, 0);
    debug_assert!(written.is_ok(), "control records are small");
    writer.as_slice().to_vec()
}

/// A batch of control records, as a leader of `epoch` writes it.
fn control(records: &[(ControlType, Vec<u8>)], millis: i64) -> BatchBuilder {
    let mut builder = BatchBuilder::new(BatchOptions {
        control: true,
        ..BatchOptions::default()
    });
    for (kind, value) in records {
        let added = builder.append(millis, Some(&kind.key()), Some(value), &[]);
        debug_assert!(added.is_ok(), "control records are small");
    }
    builder
}

impl Voters {
    /// The control records that name them: a snapshot's header batch has them after its
    /// [`ControlType::SnapshotHeader`].
    #[must_use]
    pub fn control_records(&self) -> [(ControlType, Vec<u8>); 2] {
        let version = KRaftVersionRecord {
            kraft_version: DYNAMIC,
            ..KRaftVersionRecord::default()
        };
        [
            (ControlType::KraftVersion, value(&version)),
            (ControlType::KraftVoters, value(&self.record())),
        ]
    }
}

/// The batch by which a leader changes who votes.
pub(crate) fn new_voters(voters: &Voters, millis: i64) -> ValidBatch<'static> {
    let record = (ControlType::KraftVoters, value(&voters.record()));
    control(&[record], millis).into_valid()
}

/// The first batch of a leader's epoch. `bootstrap` are the voters, when no record of the log names them yet.
pub(crate) fn leader_change(
    leader: NodeId,
    voters: &Voters,
    granting: &[NodeId],
    bootstrap: Option<&Voters>,
    millis: i64,
) -> ValidBatch<'static> {
    let voter = |id: NodeId| Voter {
        voter_id: id.0,
        ..Voter::default()
    };
    let message = LeaderChangeMessage {
        leader_id: leader.0,
        voters: voters.iter().map(|known| voter(known.key.id)).collect(),
        granting_voters: granting.iter().copied().map(voter).collect(),
        ..LeaderChangeMessage::default()
    };
    let mut records = alloc::vec![(ControlType::LeaderChange, value(&message))];
    records.extend(bootstrap.into_iter().flat_map(Voters::control_records));
    control(&records, millis).into_valid()
}

/// The snapshot that a new directory of a quorum with dynamic voters begins with,
/// `00000000000000000000-0000000000.checkpoint`: nothing but who votes. `formatted` is when formatting began, the
/// other times are those of its two batches, all in milliseconds.
#[must_use]
pub fn bootstrap_checkpoint(
    voters: &Voters,
    formatted: i64,
    (head_at, foot_at): (i64, i64),
) -> Vec<u8> {
    let header = SnapshotHeaderRecord {
        last_contained_log_timestamp: formatted,
        ..SnapshotHeaderRecord::default()
    };
    let mut head = alloc::vec![(ControlType::SnapshotHeader, value(&header))];
    head.extend(voters.control_records());
    let footer = value(&SnapshotFooterRecord::default());
    let foot = [(ControlType::SnapshotFooter, footer)];
    let (epoch, mut out) = (LeaderEpoch(0), Vec::new());
    let head = control(&head, head_at).into_valid();
    head.write_into(&mut out, Offset(0), epoch);
    let foot = control(&foot, foot_at).into_valid();
    foot.write_into(&mut out, Offset(3), epoch);
    out
}

/// Bytes of records in a snapshot's batch, but for a single larger one.
const SNAPSHOT_BATCH_BYTES: usize = 1 << 20;

/// The file of a snapshot: who votes, where the records say so, then these values, then that nothing is missing.
/// `last` is the time of the last record of the log that it holds, `now` that of its own batches, in milliseconds.
#[must_use]
pub fn snapshot_file(
    epoch: LeaderEpoch,
    voters: Option<&Voters>,
    values: impl IntoIterator<Item = Bytes>,
    (last, now): (i64, i64),
) -> Vec<u8> {
    let header = SnapshotHeaderRecord {
        last_contained_log_timestamp: last,
        ..SnapshotHeaderRecord::default()
    };
    let mut head = alloc::vec![(ControlType::SnapshotHeader, value(&header))];
    head.extend(voters.into_iter().flat_map(Voters::control_records));
    let (mut out, mut next) = (Vec::new(), Offset(0));
    let mut write = |builder: BatchBuilder| {
        let batch = builder.into_valid();
        batch.write_into(&mut out, next, epoch);
        next = next.plus(batch.header().count.into());
    };
    write(control(&head, now));
    let mut data = BatchBuilder::new(BatchOptions::default());
    let mut size = 0;
    for value in values {
        let added = data.append(now, None, Some(&value), &[]);
        debug_assert!(added.is_ok(), "metadata records are small");
        size += value.len();
        if size >= SNAPSHOT_BATCH_BYTES {
            write(core::mem::replace(
                &mut data,
                BatchBuilder::new(BatchOptions::default()),
            ));
            size = 0;
        }
    }
    if size > 0 {
        write(data);
    }
    let footer = value(&SnapshotFooterRecord::default());
    write(control(&[(ControlType::SnapshotFooter, footer)], now));
    out
}

/// The voters that a batch names last, with the offset of that record.
pub(crate) fn voters_of(batch: &BatchView<'_>) -> Option<(Offset, Voters)> {
    if !batch.attributes.is_control() {
        return None;
    }
    let records = batch.records()?.flatten();
    let named = records.filter_map(|record| {
        let kind = ControlType::from_key(record.key?)?;
        let voters = (kind == ControlType::KraftVoters).then_some(record.value?)?;
        Some((record.offset, Voters::decode(voters)?))
    });
    named.last()
}
