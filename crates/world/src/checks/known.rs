//! What the facts so far say of a replica.

use super::batches::{Batch, Batches};
use super::{Bounds, Fact};
use ids::{LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, TopicIdPartition};
use sorted::SortedMap;

/// A replica.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(super) node: NodeId,
    pub(super) name: TopicIdPartition,
    pub(super) batches: Batches,
    /// The length of each segment's file.
    pub(super) segments: SortedMap<Offset, u32>,
    pub(super) bounds: Bounds,
    /// The highest high watermark that its disk has not been made to forget.
    pub(super) committed: Offset,
    /// What a start must find, at least: what was on the disk when its node went.
    pub(super) keeps: Offset,
    /// From where on, at the latest.
    pub(super) start: Offset,
    /// Nothing must be found: the disk was damaged.
    pub(super) is_damaged: bool,
    /// It has not been told of all batches that there are.
    pub(super) is_vague: bool,
    /// The epoch of the last batch of the life before.
    pub(super) old_epoch: Option<LeaderEpoch>,
    /// The last sequence of each producer.
    pub(super) sequences: SortedMap<ProducerId, (ProducerEpoch, i32)>,
}

impl Known {
    pub(super) fn new(node: NodeId, name: TopicIdPartition) -> Known {
        Known {
            node,
            name,
            batches: Batches::default(),
            segments: SortedMap::new(),
            bounds: Bounds::default(),
            committed: Offset(0),
            keeps: Offset(0),
            start: Offset(0),
            is_damaged: false,
            is_vague: false,
            old_epoch: None,
            sequences: SortedMap::new(),
        }
    }

    /// Where the next batch is to begin; `None` when that is not known.
    pub(super) fn next(&self) -> Option<Offset> {
        match self.batches.last() {
            Some(last) => Some(last.next().max(self.segment().unwrap_or(last.next()))),
            None if self.is_vague => None,
            None => self.segment(),
        }
    }

    /// The segment that grows.
    pub(super) fn segment(&self) -> Option<Offset> {
        self.segments.last_key_value().map(|(base, _)| *base)
    }

    /// Takes a fact into account, after the rules have judged it.
    pub(super) fn learn(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Began {
                bounds,
                segments,
                batches,
                is_vague,
            } => {
                self.begin(bounds, batches, *is_vague);
                self.segments = segments.iter().copied().collect();
            }
            Fact::Ended { keeps, start } => {
                (self.keeps, self.start) = (*keeps, *start);
                self.committed = self.committed.min(*keeps);
            }
            Fact::Damaged => {
                self.is_damaged = true;
                self.committed = Offset(0);
            }
            Fact::Appended(batch) => self.append(batch),
            Fact::Truncated { segment, position } => self.truncate(*segment, *position),
            Fact::Rolled { segment } => drop(self.segments.insert(*segment, 0)),
            Fact::Deleted { segment } => self.delete(*segment),
            Fact::Bounds(bounds) => {
                self.bounds = *bounds;
                if !self.is_damaged {
                    self.committed = self.committed.max(bounds.high_watermark);
                }
            }
            Fact::Delivered { .. } => {}
        }
    }

    fn begin(&mut self, bounds: &Bounds, batches: &[Batch], is_vague: bool) {
        self.old_epoch = self.batches.last().map(|batch| batch.epoch);
        self.batches = Batches::default();
        self.sequences = SortedMap::new();
        self.is_vague = is_vague;
        self.is_damaged = false;
        self.bounds = *bounds;
        for batch in batches {
            self.append(batch);
        }
    }

    fn append(&mut self, batch: &Batch) {
        let end = batch.position.saturating_add(batch.length);
        self.segments.insert(batch.segment, end);
        self.note_sequence(batch);
        // A start that finds it does not know who led.
        self.batches.push(Batch {
            is_led: false,
            ..batch.clone()
        });
    }

    fn note_sequence(&mut self, batch: &Batch) {
        if batch.producer.0 >= 0 && !batch.is_control {
            let state = (batch.producer_epoch, batch.last_sequence);
            self.sequences.insert(batch.producer, state);
        }
    }

    fn truncate(&mut self, segment: Offset, position: u32) {
        self.batches.pop_while(|batch| {
            batch.segment > segment || batch.segment == segment && batch.position >= position
        });
        self.segments.retain(|base, _| *base <= segment);
        if let Some(length) = self.segments.get_mut(&segment) {
            *length = position.min(*length);
        }
        self.find_sequences();
    }

    /// What producers have sent lies in the batches that are left.
    fn find_sequences(&mut self) {
        self.sequences = SortedMap::new();
        let batches = core::mem::take(&mut self.batches);
        batches.iter().for_each(|batch| self.note_sequence(batch));
        self.batches = batches;
    }

    fn delete(&mut self, segment: Offset) {
        let is_last = self.segment() == Some(segment);
        self.segments.remove(&segment);
        self.batches.drop_segment(segment);
        if is_last {
            self.find_sequences();
        }
    }
}
