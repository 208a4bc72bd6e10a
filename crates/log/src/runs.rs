//! Where the batches of a chunk are, in so little room that it stays in the processor's caches.
//!
//! Producers that are alike send batches that are alike. A run is some of them: all of one size,
//! all with as many offsets. So a chunk of small equal batches is one run, and a chunk of unequal
//! ones has a run for each.

use crate::chunks::{partition_near, share};
use alloc::{sync::Arc, vec::Vec};

/// Batches of one size and one span of offsets, one behind the other.
///
/// The span of a batch reaches from the last offset before it to its own last one, so that a gap,
/// as compaction leaves it, belongs to the batch behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    after: Mark,
    batches: u32,
}

/// A place between two batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    /// The offset behind the last one before it, relative to the segment.
    pub(crate) offset: u32,
    /// Its position in the segment.
    pub(crate) position: u32,
}

/// The batches of a chunk that does not grow any more.
#[derive(Clone, Debug)]
pub(crate) enum Runs {
    /// All alike.
    One(Run),
    /// Of one span of offsets and many sizes, as single records are: where each ends, from the
    /// chunk's position on. Its number says where to look, so that a lookup in a log larger than
    /// all caches misses them once, and compares nothing that it has to wait for.
    Ends { span: u32, ends: Arc<[u16]> },
    /// Any.
    Many(Arc<[Run]>),
}

impl Runs {
    /// The batches of these runs, the first of which begins at `begin`.
    pub(crate) fn new(begin: Mark, runs: &[Run]) -> Runs {
        if let [run] = runs {
            return Runs::One(*run);
        }
        match ends(begin, runs) {
            Some((span, ends)) => Runs::Ends {
                span,
                ends: Arc::from(ends),
            },
            None => Runs::Many(Arc::from(runs)),
        }
    }

    /// Finds the first batch that reaches to `offset`; `end` is the offset behind the last one.
    pub(crate) fn find(&self, begin: Mark, offset: u32, end: impl FnOnce() -> u32) -> Option<Spot> {
        match self {
            Runs::One(run) => run.find(begin, offset),
            Runs::Many(runs) => find(runs, begin, offset, end()),
            Runs::Ends { span, ends } => {
                let number = offset.saturating_sub(begin.offset) / span;
                let end = u32::from(*ends.get(number as usize)?);
                let before = number.checked_sub(1).and_then(|at| ends.get(at as usize));
                let before = before.map_or(0, |&end| u32::from(end));
                Some(Spot {
                    position: begin.position + before,
                    size: end - before,
                    last: begin.offset + (number + 1) * span - 1,
                })
            }
        }
    }

    /// The runs as they were when the chunk still grew.
    pub(crate) fn to_vec(&self, begin: Mark) -> Vec<Run> {
        match self {
            Runs::One(run) => alloc::vec![*run],
            Runs::Many(runs) => runs.to_vec(),
            Runs::Ends { span, ends } => {
                let (mut runs, mut offset) = (Vec::new(), begin.offset);
                for &end in ends.iter() {
                    offset += span;
                    let position = begin.position + u32::from(end);
                    push(&mut runs, begin, Mark { offset, position });
                }
                runs
            }
        }
    }
}

/// Where each batch ends, from the position of `begin` on, and how many offsets each of them
/// spans; `None` when they differ in that, or when the runs themselves take less room.
fn ends(begin: Mark, runs: &[Run]) -> Option<(u32, Vec<u16>)> {
    let (first, _) = runs.first()?.each(begin);
    let (mut before, mut ends) = (begin, Vec::new());
    for run in runs {
        let (span, size) = run.each(before);
        if span != first || span == 0 {
            return None;
        }
        for number in 1..=run.batches {
            let end = before.position + number * size - begin.position;
            ends.push(u16::try_from(end).ok()?);
        }
        before = run.after;
    }
    (size_of_val(&ends[..]) < size_of_val(runs)).then_some((first, ends))
}

/// A batch that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spot {
    pub(crate) position: u32,
    pub(crate) size: u32,
    /// The batch's last offset, relative to the segment.
    pub(crate) last: u32,
}

/// Adds the batch that ends at `after` to the runs that begin at `begin`.
pub(crate) fn push(runs: &mut Vec<Run>, begin: Mark, after: Mark) {
    let before = match runs.len().checked_sub(2).and_then(|at| runs.get(at)) {
        Some(run) => run.after,
        None => begin,
    };
    if let Some(last) = runs.last_mut() {
        let alike =
            |run: u32, batch: u32| u64::from(run) == u64::from(batch) * u64::from(last.batches);
        if alike(
            last.after.offset - before.offset,
            after.offset - last.after.offset,
        ) && alike(
            last.after.position - before.position,
            after.position - last.after.position,
        ) {
            last.after = after;
            last.batches += 1;
            return;
        }
    }
    runs.push(Run { after, batches: 1 });
}

/// Finds the first batch that reaches to `offset`; `end` is the offset behind the last run.
pub(crate) fn find(runs: &[Run], begin: Mark, offset: u32, end: u32) -> Option<Spot> {
    let within = offset.saturating_sub(begin.offset);
    let guess = share(within, runs.len(), end.saturating_sub(begin.offset));
    let at = partition_near(runs.len(), guess, |at| {
        runs.get(at).is_some_and(|run| run.after.offset <= offset)
    });
    runs.get(at)?.find(mark_before(runs, begin, at), offset)
}

/// Drops the batches from `position` on, where one begins.
pub(crate) fn truncate(runs: &mut Vec<Run>, begin: Mark, position: u32) {
    let keep = runs.partition_point(|run| run.after.position <= position);
    let before = mark_before(runs, begin, keep);
    let cut = runs.get(keep).copied();
    runs.truncate(keep);
    if let Some(run) = cut {
        let (span, size) = run.each(before);
        let batches = (position - before.position) / size.max(1);
        if batches > 0 {
            let after = Mark {
                offset: before.offset + batches * span,
                position,
            };
            runs.push(Run { after, batches });
        }
    }
}

/// Where the run with this number begins.
fn mark_before(runs: &[Run], begin: Mark, at: usize) -> Mark {
    let before = at.checked_sub(1).and_then(|at| runs.get(at));
    before.map_or(begin, |run| run.after)
}

impl Run {
    /// Finds its first batch that reaches to `offset`, when it begins at `before`.
    fn find(&self, before: Mark, offset: u32) -> Option<Spot> {
        if offset >= self.after.offset {
            return None;
        }
        let (span, size) = self.each(before);
        let number = offset.saturating_sub(before.offset) / span.max(1);
        Some(Spot {
            position: before.position + number * size,
            size,
            last: before.offset + (number + 1) * span - 1,
        })
    }

    /// Offsets and bytes of each of its batches, when it begins at `before`.
    fn each(&self, before: Mark) -> (u32, u32) {
        let offsets = self.after.offset - before.offset;
        let bytes = self.after.position - before.position;
        match self.batches {
            1 => (offsets, bytes),
            more => (offsets / more, bytes / more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Runs, Spot, find, push, truncate};
    use ids::Rng;
    use std::vec::Vec;

    const BEGIN: Mark = Mark {
        offset: 1000,
        position: 5000,
    };

    /// Batches at random, of so many sizes and spans: last offset, position, size.
    fn batches(rng: &mut Rng, sizes: u64, spans: u64) -> Vec<(u32, u32, u32)> {
        let (mut offset, mut position) = (BEGIN.offset, BEGIN.position);
        let mut all = Vec::new();
        for _ in 0..rng.below(60) {
            let size = 70 + rng.below(sizes) as u32;
            offset += 1 + rng.below(spans) as u32;
            all.push((offset - 1, position, size));
            position += size;
        }
        all
    }

    #[test]
    fn runs_find_what_a_walk_over_the_batches_finds() {
        let mut rng = Rng::new(7);
        for round in 0..600 {
            let mut all = batches(&mut rng, 1 + round % 4, 1 + round / 4 % 3);
            let mut runs = Vec::new();
            let mark = |(last, position, size): (u32, u32, u32)| Mark {
                offset: last + 1,
                position: position + size,
            };
            for &batch in &all {
                push(&mut runs, BEGIN, mark(batch));
            }
            for _ in 0..2 {
                let end = all.last().map_or(BEGIN, |&batch| mark(batch));
                for offset in BEGIN.offset - 3..end.offset + 3 {
                    let walked = all.iter().find(|(last, ..)| *last >= offset);
                    let walked = walked.map(|&(last, position, size)| Spot {
                        position,
                        size,
                        last,
                    });
                    assert_eq!(find(&runs, BEGIN, offset, end.offset), walked);
                    let sealed = Runs::new(BEGIN, &runs);
                    assert_eq!(sealed.find(BEGIN, offset, || end.offset), walked);
                }
                assert_eq!(Runs::new(BEGIN, &runs).to_vec(BEGIN), runs);
                // And again after a cut, with another batch behind it.
                let keep = rng.below(all.len() as u64 + 1) as usize;
                let at = all.get(keep).map_or(end.position, |batch| batch.1);
                truncate(&mut runs, BEGIN, at);
                all.truncate(keep);
                let last = all.last().map_or(BEGIN.offset, |batch| batch.0 + 1);
                all.push((last, at, 70));
                push(&mut runs, BEGIN, mark((last, at, 70)));
            }
        }
    }

    #[test]
    fn equal_batches_take_the_room_of_one() {
        let mut runs = Vec::new();
        for number in 1..=1000 {
            let after = Mark {
                offset: BEGIN.offset + 3 * number,
                position: BEGIN.position + 78 * number,
            };
            push(&mut runs, BEGIN, after);
        }
        assert_eq!(runs.len(), 1);
    }

    #[test]
    fn batches_of_one_record_and_many_sizes_take_two_bytes_each() {
        let (mut runs, mut after) = (Vec::new(), BEGIN);
        for number in 0..600 {
            after.offset += 1;
            after.position += 70 + number * 7 % 64;
            push(&mut runs, BEGIN, after);
        }
        let sealed = Runs::new(BEGIN, &runs);
        assert!(matches!(sealed, Runs::Ends { span: 1, ends } if ends.len() == 600));
    }
}
