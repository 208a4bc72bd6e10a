//! Which leader epoch began at which offset (KIP-101, KIP-279).

use alloc::vec::Vec;
use ids::{LeaderEpoch, Offset};

/// An epoch and the first offset appended in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochStart {
    /// The leader epoch.
    pub epoch: LeaderEpoch,
    /// The log end offset when its leader took over.
    pub start: Offset,
}

/// The epochs of a log, in order; both epochs and start offsets rise strictly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epochs {
    entries: Vec<EpochStart>,
}

impl Epochs {
    /// Takes entries from a checkpoint; an entry that does not rise replaces those before it.
    pub(crate) fn from_entries(entries: impl IntoIterator<Item = EpochStart>) -> Epochs {
        let mut epochs = Epochs::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start);
        }
        epochs
    }

    pub(crate) fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    pub(crate) fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// Notes that `epoch` begins at `start`; says whether anything changed.
    ///
    /// Entries that contradict the new one, by a higher epoch or a later start, are dropped.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        let news = self
            .entries
            .last()
            .is_none_or(|last| epoch != last.epoch || start < last.start);
        if epoch.0 < 0 || start.0 < 0 || !news {
            return false;
        }
        while self
            .entries
            .last()
            .is_some_and(|last| last.epoch >= epoch || last.start >= start)
        {
            self.entries.pop();
        }
        self.entries.push(EpochStart { epoch, start });
        true
    }

    /// Drops the epochs that begin at or after `end`; says whether there were any.
    pub(crate) fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start < end);
        self.entries.len() != before
    }

    /// Drops the epochs that ended at or before `start`; the one it lies in begins there now.
    pub(crate) fn truncate_from_start(&mut self, start: Offset) -> bool {
        let gone = self.entries.partition_point(|entry| entry.start <= start);
        match gone.checked_sub(1).and_then(|at| self.entries.get_mut(at)) {
            Some(entry) if gone > 1 || entry.start != start => entry.start = start,
            _ => return false,
        }
        self.entries.drain(..gone - 1);
        true
    }

    /// The largest epoch at or below `asked` and where the next one begins; `None` when unknown.
    pub(crate) fn end_offset_for(&self, asked: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        let latest = self.latest()?;
        if asked == latest {
            return Some(EpochEnd {
                epoch: asked,
                end: log_end,
            });
        }
        let higher = self.entries.partition_point(|entry| entry.epoch <= asked);
        let end = self.entries.get(higher)?.start;
        let floor = higher.checked_sub(1).and_then(|at| self.entries.get(at));
        Some(EpochEnd {
            epoch: floor.map_or(asked, |entry| entry.epoch),
            end,
        })
    }

    /// The epoch that `offset` was, or would be, appended in.
    pub(crate) fn epoch_for(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        let at = after.checked_sub(1)?;
        self.entries.get(at).map(|entry| entry.epoch)
    }
}

/// Where an epoch ends: the answer to `OffsetForLeaderEpoch`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    /// The largest known epoch that is not above the one asked for.
    pub epoch: LeaderEpoch,
    /// The offset after its last.
    pub end: Offset,
}

#[cfg(test)]
mod tests {
    use super::{EpochEnd, EpochStart, Epochs};
    use ids::{LeaderEpoch, Offset};
    use std::vec::Vec;

    fn epochs(entries: &[(i32, i64)]) -> Epochs {
        Epochs::from_entries(entries.iter().map(|&(epoch, start)| EpochStart {
            epoch: LeaderEpoch(epoch),
            start: Offset(start),
        }))
    }

    fn pairs(epochs: &Epochs) -> Vec<(i32, i64)> {
        let pair = |entry: &EpochStart| (entry.epoch.0, entry.start.0);
        epochs.entries().iter().map(pair).collect()
    }

    #[test]
    fn an_epoch_without_records_gives_way_to_the_next() {
        let mut cache = epochs(&[(0, 0), (2, 60)]);
        assert!(cache.assign(LeaderEpoch(4), Offset(60)));
        assert_eq!(pairs(&cache), [(0, 0), (4, 60)]);
        assert!(!cache.assign(LeaderEpoch(4), Offset(70)));
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next() {
        let cache = epochs(&[(2, 0), (4, 10), (8, 30)]);
        let end = |asked| cache.end_offset_for(LeaderEpoch(asked), Offset(50));
        let answer = |epoch, end| {
            Some(EpochEnd {
                epoch: LeaderEpoch(epoch),
                end: Offset(end),
            })
        };
        assert_eq!(end(8), answer(8, 50));
        assert_eq!(end(9), None);
        assert_eq!(end(4), answer(4, 30));
        assert_eq!(end(5), answer(4, 30));
        assert_eq!(end(3), answer(2, 10));
        assert_eq!(end(1), answer(1, 0));
        assert_eq!(
            Epochs::default().end_offset_for(LeaderEpoch(1), Offset(5)),
            None
        );
    }

    #[test]
    fn cutting_the_start_clips_the_epoch_it_lies_in() {
        let mut cache = epochs(&[(0, 0), (4, 60)]);
        assert!(cache.truncate_from_start(Offset(37)));
        assert_eq!(pairs(&cache), [(0, 37), (4, 60)]);
        assert!(!cache.truncate_from_start(Offset(37)));
        assert!(cache.truncate_from_start(Offset(60)));
        assert_eq!(pairs(&cache), [(4, 60)]);
        assert!(cache.truncate_from_end(Offset(60)));
        assert_eq!(pairs(&cache), []);
    }
}
