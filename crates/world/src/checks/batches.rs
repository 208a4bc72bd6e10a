//! The batches of a replica, as facts have told them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use records::{BatchView, Header};

/// Batches in one shared block.
const BLOCK: usize = 128;

/// One batch, and where it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Batch {
    pub(crate) segment: Offset,
    pub(crate) position: u32,
    pub(crate) length: u32,
    pub(crate) base: Offset,
    pub(crate) last: Offset,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) crc: u32,
    pub(crate) is_whole: bool,
    pub(crate) producer: ProducerId,
    pub(crate) producer_epoch: ProducerEpoch,
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) is_control: bool,
    /// Whether the replica leads that has appended it.
    pub(crate) is_led: bool,
}

impl Batch {
    pub(crate) fn of(segment: Offset, position: u32, view: &BatchView<'_>) -> Batch {
        let header: &Header = view.header();
        Batch {
            segment,
            position,
            length: header.total_size(),
            base: header.base_offset,
            last: header.last_offset(),
            epoch: header.partition_leader_epoch,
            crc: header.crc,
            is_whole: view.crc_is_valid(),
            producer: header.producer_id,
            producer_epoch: header.producer_epoch,
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            is_control: header.attributes.is_control(),
            is_led: false,
        }
    }

    pub(crate) fn next(&self) -> Offset {
        self.last.plus(1)
    }
}

/// In their order. Clones share all but the last ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batches {
    blocks: Vec<Arc<Vec<Batch>>>,
    tail: Vec<Batch>,
}

impl Batches {
    pub(super) fn push(&mut self, batch: Batch) {
        if self.tail.len() >= BLOCK {
            let block = core::mem::take(&mut self.tail);
            self.blocks.push(Arc::new(block));
        }
        self.tail.push(batch);
    }

    pub(super) fn last(&self) -> Option<&Batch> {
        let sealed = || self.blocks.last().and_then(|block| block.last());
        self.tail.last().or_else(sealed)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Batch> {
        let sealed = self.blocks.iter().flat_map(|block| block.iter());
        sealed.chain(&self.tail)
    }

    /// Drops the last ones for as long as they are like this.
    pub(super) fn pop_while(&mut self, is_gone: impl Fn(&Batch) -> bool) {
        while self.last().is_some_and(&is_gone) {
            if self.tail.is_empty()
                && let Some(block) = self.blocks.pop()
            {
                self.tail = Arc::unwrap_or_clone(block);
            }
            self.tail.pop();
        }
    }

    /// Drops the first ones that lie in this segment.
    pub(super) fn drop_segment(&mut self, segment: Offset) {
        let begins_behind =
            |block: &Arc<Vec<Batch>>| block.last().is_some_and(|batch| batch.segment > segment);
        let count = self
            .blocks
            .iter()
            .take_while(|block| !begins_behind(block))
            .count();
        let gone: Vec<Arc<Vec<Batch>>> = self.blocks.drain(..count).collect();
        // A block that reaches into the next segment, or is before this one, stays as far as it does.
        let kept = gone.iter().flat_map(|block| block.iter());
        let kept: Vec<Batch> = kept
            .filter(|batch| batch.segment != segment)
            .cloned()
            .collect();
        if !kept.is_empty() {
            self.blocks.insert(0, Arc::new(kept));
        }
        for block in self.blocks.iter_mut().skip(usize::from(count > 0)).take(1) {
            if block.iter().any(|batch| batch.segment == segment) {
                Arc::make_mut(block).retain(|batch| batch.segment != segment);
            }
        }
        self.tail.retain(|batch| batch.segment != segment);
    }
}
