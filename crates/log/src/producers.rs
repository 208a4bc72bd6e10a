//! What a log knows of its idempotent and transactional producers (KIP-98).

use alloc::{sync::Arc, vec::Vec};
use ids::{Mutant, Offset, ProducerEpoch, ProducerId, is_planted};
use records::{BatchView, EndTxnMarker, Header};
use sorted::SortedMap;

/// Batches of one producer that a retry is recognised by.
const REMEMBERED_BATCHES: usize = 5;
/// Producers that one log remembers; when it is full an eighth, the longest silent ones, is forgotten.
pub const MAX_PRODUCERS: usize = 65_536;

/// A batch of an idempotent producer, by its last record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerBatch {
    /// Sequence number of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Last offset less base offset.
    pub offset_delta: i32,
    /// Its highest timestamp.
    pub timestamp: i64,
}

impl ProducerBatch {
    fn of(header: &Header) -> ProducerBatch {
        ProducerBatch {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset().0,
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        }
    }

    fn first_sequence(&self) -> i32 {
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }
}

/// What a log remembers of one producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Producer {
    /// The latest epoch seen.
    pub epoch: ProducerEpoch,
    /// Epoch of the transaction coordinator that wrote the last marker; -1 for none.
    pub coordinator_epoch: i32,
    /// Highest timestamp of the last batch or marker.
    pub last_timestamp: i64,
    /// Where its open transaction begins in this log.
    pub transaction_start: Option<Offset>,
    batches: [Option<ProducerBatch>; REMEMBERED_BATCHES],
}

impl Producer {
    /// A producer as a snapshot has it: its last batch alone, if it had any in this epoch.
    #[must_use]
    pub fn new(epoch: ProducerEpoch, last: Option<ProducerBatch>, last_timestamp: i64) -> Producer {
        Producer {
            epoch,
            coordinator_epoch: -1,
            last_timestamp,
            transaction_start: None,
            batches: [last, None, None, None, None],
        }
    }

    /// Its last batch in the latest epoch.
    #[must_use]
    pub fn last_batch(&self) -> Option<&ProducerBatch> {
        self.batches[0].as_ref()
    }

    fn enter_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches = [None; REMEMBERED_BATCHES];
        }
    }

    fn push(&mut self, batch: ProducerBatch) {
        self.batches.rotate_right(1);
        self.batches[0] = Some(batch);
        self.last_timestamp = batch.timestamp;
    }

    /// Takes back the batches from `end` on; whether anything of it is left.
    fn cut(&mut self, end: Offset) -> bool {
        if self.transaction_start.is_some_and(|start| start >= end) {
            self.transaction_start = None;
        }
        let gone = |batch: &ProducerBatch| batch.last_offset >= end.0;
        let count = self
            .batches
            .iter()
            .flatten()
            .filter(|batch| gone(batch))
            .count();
        self.batches.rotate_left(count);
        let kept = REMEMBERED_BATCHES - count;
        for batch in self.batches.iter_mut().skip(kept) {
            *batch = None;
        }
        if count > 0
            && let Some(last) = self.batches[0]
        {
            self.last_timestamp = last.timestamp;
        }
        count == 0 || self.batches[0].is_some()
    }

    fn find(&self, header: &Header) -> Option<&ProducerBatch> {
        if header.producer_epoch != self.epoch {
            return None;
        }
        self.batches.iter().flatten().find(|batch| {
            batch.first_sequence() == header.base_sequence
                && batch.last_sequence == header.last_sequence()
        })
    }
}

/// What the sequence numbers of a batch say about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sequence {
    /// It is the next one, or its producer is not known.
    Next,
    /// It was appended before, as this batch.
    Duplicate(ProducerBatch),
    /// Records are missing before it, or it is too old to be remembered.
    OutOfOrder { expected: i32 },
    /// A newer instance of its producer has taken over.
    Fenced { current: ProducerEpoch },
    /// Its producer has a transaction open and this batch is not part of it.
    OutsideTransaction,
}

/// A transaction that was aborted, as the transaction index has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTxn {
    /// Whose transaction it was.
    pub producer_id: ProducerId,
    /// Offset of its first record in this log.
    pub first_offset: Offset,
    /// Offset of the abort marker.
    pub last_offset: Offset,
    /// The last stable offset once it was decided.
    pub last_stable_offset: Offset,
}

/// All producers of a log, shared between clones until one of them changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Producers {
    known: Arc<SortedMap<ProducerId, Producer>>,
    /// Open transactions, by their first offset.
    open: SortedMap<Offset, ProducerId>,
    /// Decided transactions whose marker the high watermark has not passed: first offset to marker.
    unreplicated: SortedMap<Offset, Offset>,
}

impl Producers {
    /// Judges a batch of a client before it is appended; without a producer id it is always next.
    pub(crate) fn check(&self, header: &Header) -> Sequence {
        if header.producer_id.0 < 0 || header.attributes.is_control() {
            return self.check_marker(header);
        }
        let Some(known) = self.known.get(&header.producer_id) else {
            return Sequence::Next;
        };
        if let Some(&batch) = known.find(header) {
            return match is_planted(Mutant::DuplicateAppended) {
                true => Sequence::Next,
                false => Sequence::Duplicate(batch),
            };
        }
        if header.producer_epoch < known.epoch {
            return Sequence::Fenced {
                current: known.epoch,
            };
        }
        let expected = match known.last_batch() {
            Some(last) if header.producer_epoch == known.epoch => {
                last.last_sequence.wrapping_add(1) & i32::MAX
            }
            _ => 0,
        };
        if header.base_sequence != expected {
            return Sequence::OutOfOrder { expected };
        }
        if known.transaction_start.is_some() && !header.attributes.is_transactional() {
            return Sequence::OutsideTransaction;
        }
        Sequence::Next
    }

    fn check_marker(&self, header: &Header) -> Sequence {
        match self.known.get(&header.producer_id) {
            Some(known) if header.producer_epoch < known.epoch => Sequence::Fenced {
                current: known.epoch,
            },
            _ => Sequence::Next,
        }
    }

    /// Takes in an appended batch; gives the transaction that it aborts.
    ///
    /// Nothing is checked: a replica and a recovery trust what the leader has accepted.
    pub(crate) fn update(&mut self, batch: &BatchView<'_>) -> Option<AbortedTxn> {
        let header = batch.header();
        if header.producer_id.0 < 0 {
            return None;
        }
        match header.attributes.is_control() {
            // Other control batches have nothing to do with producers.
            true => self.take(header, Some(marker(batch)?)),
            false => self.take(header, None),
        }
    }

    /// Takes in an appended batch of data.
    pub(crate) fn update_data(&mut self, header: &Header) {
        if header.producer_id.0 >= 0 {
            self.take(header, None);
        }
    }

    fn take(&mut self, header: &Header, marker: Option<EndTxnMarker>) -> Option<AbortedTxn> {
        if !self.known.contains_key(&header.producer_id) && self.known.len() >= MAX_PRODUCERS {
            // An eighth at once, so that this is done seldom.
            self.keep_latest(MAX_PRODUCERS - MAX_PRODUCERS / 8);
        }
        let fresh = Producer::new(header.producer_epoch, None, header.max_timestamp);
        let producer = Arc::make_mut(&mut self.known)
            .entry(header.producer_id)
            .or_insert(fresh);
        producer.enter_epoch(header.producer_epoch);
        match marker {
            Some(marker) => {
                producer.coordinator_epoch = marker.coordinator_epoch;
                producer.last_timestamp = header.max_timestamp;
                let first = producer.transaction_start.take()?;
                self.complete(header, first, !marker.commit)
            }
            None => {
                producer.push(ProducerBatch::of(header));
                if header.attributes.is_transactional() && producer.transaction_start.is_none() {
                    producer.transaction_start = Some(header.base_offset);
                    self.open.insert(header.base_offset, header.producer_id);
                }
                None
            }
        }
    }

    fn complete(&mut self, header: &Header, first: Offset, aborts: bool) -> Option<AbortedTxn> {
        self.open.remove(&first);
        self.unreplicated.insert(first, header.last_offset());
        let next_open = self.open.first_key_value().map(|(&first, _)| first);
        aborts.then(|| AbortedTxn {
            producer_id: header.producer_id,
            first_offset: first,
            last_offset: header.last_offset(),
            last_stable_offset: next_open.unwrap_or(header.next_offset()),
        })
    }

    /// Where the first transaction begins that is open, or decided above the high watermark.
    pub(crate) fn first_unstable(&self) -> Option<Offset> {
        let open = self.open.first_key_value().map(|(&first, _)| first);
        let undecided = self.unreplicated.first_key_value().map(|(&first, _)| first);
        match (open, undecided) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Forgets the decided transactions whose marker lies below the high watermark.
    pub(crate) fn replicated_to(&mut self, high_watermark: Offset) {
        if !self.unreplicated.is_empty() {
            self.unreplicated
                .retain(|_, marker| *marker >= high_watermark);
        }
    }

    /// Forgets producers that have been silent for `expiry_ms` and have no transaction open.
    pub(crate) fn expire(&mut self, now_ms: i64, expiry_ms: i64) -> usize {
        let expired = |producer: &Producer| {
            producer.transaction_start.is_none()
                && now_ms.saturating_sub(producer.last_timestamp) >= expiry_ms
        };
        if !self.known.values().any(expired) {
            return 0;
        }
        let before = self.known.len();
        Arc::make_mut(&mut self.known).retain(|_, producer| !expired(producer));
        before - self.known.len()
    }

    /// Forgets the producers that have been silent for longest until at most `most` are left; those with
    /// an open transaction stay.
    pub(crate) fn keep_latest(&mut self, most: usize) -> usize {
        let before = self.known.len();
        let Some(surplus) = before.checked_sub(most).filter(|surplus| *surplus > 0) else {
            return 0;
        };
        let mut times: Vec<(i64, ProducerId)> = (self.known.iter())
            .filter(|(_, producer)| producer.transaction_start.is_none())
            .map(|(id, producer)| (producer.last_timestamp, *id))
            .collect();
        times.sort_unstable();
        let Some(&limit) = times.get(surplus.min(times.len()).saturating_sub(1)) else {
            return 0;
        };
        Arc::make_mut(&mut self.known).retain(|id, producer| {
            producer.transaction_start.is_some() || (producer.last_timestamp, *id) > limit
        });
        before - self.known.len()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// As they were when the log ended at `end`, as far as they remember that themselves. A producer
    /// that does not is forgotten: it may go on with any sequence number then.
    pub(crate) fn without_from(&self, end: Offset) -> Producers {
        let mut before = self.clone();
        Arc::make_mut(&mut before.known).retain(|_, producer| producer.cut(end));
        before.open.retain(|first, _| *first < end);
        before.unreplicated.retain(|_, marker| *marker < end);
        before
    }

    /// Adds the producers of a snapshot that are not known yet: those whose records are gone.
    pub(crate) fn merge(&mut self, entries: impl IntoIterator<Item = (ProducerId, Producer)>) {
        for (id, producer) in entries {
            if self.known.contains_key(&id) || self.known.len() >= MAX_PRODUCERS {
                continue;
            }
            if let Some(first) = producer.transaction_start {
                self.open.insert(first, id);
            }
            Arc::make_mut(&mut self.known).insert(id, producer);
        }
    }

    /// Whether this batch is the last one of its producer, as far as is known here.
    pub(crate) fn has_appended(&self, header: &Header) -> bool {
        let known = self.known.get(&header.producer_id);
        // A marker of a later epoch leaves no batch behind.
        known.is_some_and(|known| match known.last_batch() {
            Some(last) => last.last_offset == header.last_offset().0,
            None => known.epoch > header.producer_epoch,
        })
    }

    /// All producers, in the order of their ids.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (ProducerId, &Producer)> {
        self.known.iter().map(|(&id, producer)| (id, producer))
    }
}

/// The marker in a control batch; `None` when it holds another control record.
fn marker(batch: &BatchView<'_>) -> Option<EndTxnMarker> {
    let record = batch.records()?.next()?.ok()?;
    EndTxnMarker::parse(record.key?, record.value?)
}
