//! From the log of a partition of `__consumer_offsets` to its groups.

use super::records::{self, Replayed};
use super::{Coordinator, Loading};
use crate::broker::Broker;
use crate::event::Effect;
use ::records::{BatchView, Batches, Record, decompress};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use group::{Group, GroupConfig, GroupState};
use ids::{Offset, PartitionIndex, ProducerId, Time};
use log::{LogSlice, Read};

/// How much of the log is looked at in one piece.
const PIECE_BYTES: u32 = 1 << 20;
/// The most that one batch may decompress to (Kafka's request limit); a larger one is left out.
const BATCH_BYTES_MAX: u32 = 100 << 20;

/// What comes next in the log.
enum Piece {
    Bytes(Vec<Bytes>),
    Cold(LogSlice),
    End,
}

impl Broker {
    /// Replays a partition's log from where it stopped, as far as its bytes are in memory.
    /// What is not is loaded, unless that has just failed and it is not readable.
    pub(super) fn replay(
        &mut self,
        now: Time,
        partition: PartitionIndex,
        is_readable: bool,
        out: &mut Vec<Effect>,
    ) {
        loop {
            let Some(shard) = self.coordinator.shards.get(&partition) else {
                return;
            };
            let replica = shard.replica;
            let (from, may_load) = match shard.loading {
                Loading::Done => return,
                Loading::From(from) => (from, is_readable),
                Loading::Failed(from) => (from, true),
            };
            let next = match self.next_piece(partition, from) {
                // Bytes that could not be read are asked for again by the next request only.
                Piece::Cold(_) if !may_load => Loading::Failed(from),
                Piece::Cold(slice) => {
                    self.set_loading(partition, Loading::From(from));
                    self.replicas.order_load(replica, slice, out);
                    return;
                }
                Piece::End => Loading::Done,
                Piece::Bytes(pieces) => {
                    let config = self.group_config();
                    let bytes = joined(pieces);
                    let end = self
                        .coordinator
                        .replay_bytes(now, partition, &config, &bytes, from);
                    // Without progress the log is damaged; recovery would have cut it there.
                    match end {
                        Some(end) => Loading::From(end),
                        None => Loading::Failed(from),
                    }
                }
            };
            self.set_loading(partition, next);
            match next {
                Loading::From(_) => {}
                Loading::Failed(_) => return,
                Loading::Done => {
                    self.coordinator.wake(partition);
                    return;
                }
            }
        }
    }

    fn set_loading(&mut self, partition: PartitionIndex, loading: Loading) {
        if let Some(shard) = self.coordinator.shards.get_mut(&partition) {
            shard.loading = loading;
        }
    }

    fn next_piece(&self, partition: PartitionIndex, from: Offset) -> Piece {
        let shard = self.coordinator.shards.get(&partition);
        let Some(log) = shard.and_then(|shard| self.log(shard.replica)) else {
            return Piece::End;
        };
        let from = from.max(log.log_start());
        match log.read(from, PIECE_BYTES, log.log_end(), true) {
            Ok(Read::Cold(slice)) => Piece::Cold(slice),
            Ok(Read::Slice(slice)) if slice.length > 0 => match log.slice_pieces(&slice) {
                Some(pieces) => Piece::Bytes(pieces),
                None => Piece::Cold(slice),
            },
            Ok(Read::Slice(_)) | Err(_) => Piece::End,
        }
    }
}

/// One piece as it is; several in one.
fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        1 => pieces.remove(0),
        _ => Bytes::from(pieces.concat()),
    }
}

impl Coordinator {
    /// Replays the whole batches in `bytes`; gives the offset after them, `None` without progress.
    fn replay_bytes(
        &mut self,
        now: Time,
        partition: PartitionIndex,
        config: &GroupConfig,
        bytes: &[u8],
        from: Offset,
    ) -> Option<Offset> {
        let mut end = from;
        for (_, batch) in Batches::new(bytes) {
            end = end.max(batch.header().next_offset());
            self.replay_batch(now, partition, config, &batch);
        }
        (end > from).then_some(end)
    }

    fn replay_batch(
        &mut self,
        now: Time,
        partition: PartitionIndex,
        config: &GroupConfig,
        batch: &BatchView<'_>,
    ) {
        let header = *batch.header();
        let payload;
        let found = match batch.records() {
            Some(found) => found,
            None => match decompress(batch, BATCH_BYTES_MAX) {
                Ok(bytes) => {
                    payload = bytes;
                    ::records::records(&header, &payload)
                }
                Err(_) => return,
            },
        };
        let transactional = header.attributes.is_transactional();
        let producer = transactional.then_some(header.producer_id);
        for record in found.flatten() {
            if header.attributes.is_control() {
                self.replay_marker(partition, header.producer_id, &record);
            } else {
                self.replay_record(now, partition, config, producer, &record);
            }
        }
    }

    /// The end of a transaction: a version, then 0 for an abort and 1 for a commit (KIP-98).
    fn replay_marker(
        &mut self,
        partition: PartitionIndex,
        producer: ProducerId,
        record: &Record<'_>,
    ) {
        let committed = match record.key {
            Some([_, _, 0, 0]) => false,
            Some([_, _, 0, 1]) => true,
            _ => return,
        };
        let entries = self.groups.values_mut();
        for entry in entries.filter(|entry| entry.partition == partition) {
            entry.group.offsets.end_transaction(producer, committed);
        }
    }

    fn replay_record(
        &mut self,
        now: Time,
        partition: PartitionIndex,
        config: &GroupConfig,
        producer: Option<ProducerId>,
        record: &Record<'_>,
    ) {
        // What cannot be read is left where it is, as Kafka does with kinds it does not know.
        match records::replay(record.key.unwrap_or_default(), record.value) {
            Ok(Replayed::Offset { group, change }) => {
                if !self.groups.contains_key(&group) {
                    self.insert(Group::new(group.clone(), config.clone(), now), partition);
                }
                if let Some(entry) = self.groups.get_mut(&group) {
                    entry.group.offsets.replay(producer, change);
                }
            }
            Ok(Replayed::Group { id, state }) => {
                self.replay_group(now, partition, config, id, state);
            }
            Ok(Replayed::Other) | Err(_) => {}
        }
    }

    /// A group's later record takes the place of an earlier one; its offsets have their own.
    fn replay_group(
        &mut self,
        now: Time,
        partition: PartitionIndex,
        config: &GroupConfig,
        id: Arc<str>,
        state: Option<GroupState>,
    ) {
        let before = self.take(&id);
        let offsets = before.map(|entry| entry.group.offsets).unwrap_or_default();
        let mut group = match state {
            Some(state) => Group::restore(id, config.clone(), now, state),
            None => Group::new(id, config.clone(), now),
        };
        group.offsets = offsets;
        self.insert(group, partition);
    }

    /// The groups of a partition are complete: forgets those of which only tombstones are left, and
    /// lets the others' sessions run.
    fn wake(&mut self, partition: PartitionIndex) {
        for id in self.of_partition(partition) {
            let entry = self.groups.get(&id);
            if entry.is_some_and(|entry| entry.group.is_blank()) {
                self.take(&id);
            } else {
                self.retime(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::records::{BatchBuilder, BatchOptions};
    use codecs::Compression;
    use group::State;
    use ids::Rng;
    use log::LogId;

    /// A partition of `__consumer_offsets` as Kafka 4.3.1 wrote it: a classic group, a simple one,
    /// one of KIP-848, a deleted one, and one that commits in transactions.
    fn kafkas() -> Vec<u8> {
        vectors::bytes("segments/consumer-offsets/00000000000000000000.log")
    }

    const AT: PartitionIndex = PartitionIndex(0);

    fn replayed(bytes: &[u8]) -> Coordinator {
        let mut coordinator = Coordinator::new(Rng::new(1));
        let shard = super::super::Shard {
            replica: LogId(0),
            loading: Loading::Done,
        };
        coordinator.shards.insert(AT, shard);
        let config = GroupConfig::default();
        let end = coordinator.replay_bytes(Time(0), AT, &config, bytes, Offset(0));
        assert!(end.is_some(), "nothing was replayed");
        coordinator.wake(AT);
        coordinator
    }

    fn offsets(coordinator: &Coordinator, group: &str) -> Vec<(i32, i64)> {
        let group = coordinator.group(group).expect("the group");
        let offsets = group.offsets.iter();
        offsets
            .map(|(_, partition, commit)| (partition.0, commit.offset.0))
            .collect()
    }

    #[test]
    fn kafkas_own_log_gives_the_groups_it_was_written_by() {
        let coordinator = replayed(&kafkas());
        assert_eq!(offsets(&coordinator, "g-classic"), [(0, 5), (1, 7), (2, 5)]);
        assert_eq!(offsets(&coordinator, "g-simple"), [(1, 4)]);
        let consumers = offsets(&coordinator, "g-consumer");
        assert_eq!(consumers, [(0, 3), (1, 4), (2, 0)]);
        assert!(coordinator.group("g-deleted").is_none());
        let group = coordinator.group("g-classic").expect("the group");
        let found = group.describe();
        assert_eq!((found.state, found.generation.0), (State::Stable, 2));
        assert_eq!(&*found.protocol, "range");
        let clients: Vec<&str> = found.members.iter().map(|m| &*m.client_id).collect();
        assert_eq!(clients, ["g-classic-1", "g-classic-2"]);
        assert_eq!(found.members[1].instance_id.as_deref(), Some("g-static-2"));
        assert!(!found.members[1].assignment.is_empty());
    }

    #[test]
    fn offsets_of_an_aborted_transaction_are_never_seen() {
        let coordinator = replayed(&kafkas());
        assert_eq!(offsets(&coordinator, "g-txgroup"), [(0, 5)]);
    }

    #[test]
    fn records_are_written_back_byte_for_byte() {
        let mut compared = 0;
        for (_, batch) in Batches::new(&kafkas()) {
            for record in batch.records().expect("no codec").flatten() {
                let key = record.key.expect("a key");
                let again = match records::replay(key, record.value) {
                    Ok(Replayed::Offset { group, change }) => records::offset(&group, &change),
                    Ok(Replayed::Group { id, state: None }) => records::group_tombstone(&id),
                    Ok(Replayed::Group {
                        id,
                        state: Some(state),
                    }) => records::group(&id, &state),
                    Ok(Replayed::Other) | Err(_) => continue,
                };
                assert_eq!(again.key, key, "key at offset {}", record.offset);
                assert_eq!(
                    again.value.as_deref(),
                    record.value,
                    "value at offset {}",
                    record.offset
                );
                compared += 1;
            }
        }
        assert_eq!(compared, 23);
    }

    #[test]
    fn compressed_batches_count_as_well() {
        for compression in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
            let mut builder = BatchBuilder::new(BatchOptions {
                compression,
                ..BatchOptions::default()
            });
            for (_, batch) in Batches::new(&kafkas()).take(3) {
                for record in batch.records().expect("no codec").flatten() {
                    builder
                        .append(record.timestamp, record.key, record.value, &[])
                        .expect("room");
                }
            }
            let coordinator = replayed(&builder.build());
            assert_eq!(offsets(&coordinator, "g-classic"), [(0, 5), (1, 0), (2, 0)]);
        }
    }

    #[test]
    fn records_that_cannot_be_read_are_left_out() {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let keys: [&[u8]; 5] = [b"", b"\0", b"\0\x01", b"\0\x02\0\x09ab", b"\x7f\xff"];
        for key in keys {
            builder.append(0, Some(key), Some(b"x"), &[]).expect("room");
        }
        builder.append(0, None, None, &[]).expect("room");
        assert_eq!(replayed(&builder.build()).groups().count(), 0);
    }
}
