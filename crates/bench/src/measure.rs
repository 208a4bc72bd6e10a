//! Rounds in which a subject and its limits take turns.

use std::time::{Duration, Instant};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Rounds of which the median counts.
    pub(crate) rounds: u32,
    /// How long the subject's part of a round takes, about.
    pub(crate) round: Duration,
    /// Only to see that everything runs: sizes are reduced as well.
    pub(crate) quick: bool,
}

impl Plan {
    /// The plan for `--quick`, or for figures worth comparing: many rounds that are shorter than a
    /// turn of the system's scheduler, so that on a busy machine most of them are whole.
    pub(crate) fn of(quick: bool) -> Plan {
        Plan {
            rounds: if quick { 5 } else { 151 },
            round: Duration::from_micros(if quick { 500 } else { 1500 }),
            quick,
        }
    }

    /// A size, or a hundredth of it when only the running matters.
    pub(crate) fn size(&self, full: u64) -> u64 {
        if self.quick {
            (full / 100).max(1)
        } else {
            full
        }
    }
}

/// One side of a comparison: does its work this many times.
pub(crate) type Side<'a> = &'a mut dyn FnMut(u64);

/// A figure over all rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
        Spread {
            median: at(values.len() / 2),
            min: at(0),
            max: at(values.len().saturating_sub(1)),
        }
    }

    pub(crate) fn map(self, change: impl Fn(f64) -> f64) -> Spread {
        let mapped = [self.min, self.median, self.max].map(change);
        Spread::of(mapped.to_vec())
    }
}

/// Times of several sides, round by round.
pub(crate) struct Rounds {
    /// Nanoseconds for one repetition: by side, then by round.
    nanos: Vec<Vec<f64>>,
}

impl Rounds {
    /// Lets the sides take turns; each does the same number of repetitions in a round.
    ///
    /// The first of them decides how many that are, so that its part takes the planned time.
    pub(crate) fn run(plan: Plan, sides: &mut [Side<'_>]) -> Rounds {
        let repetitions = match sides.first_mut() {
            Some(side) => calibrate(plan, side),
            None => 1,
        };
        let mut nanos = vec![Vec::new(); sides.len()];
        for round in 0..=plan.rounds {
            for (side, times) in sides.iter_mut().zip(&mut nanos) {
                let begin = Instant::now();
                side(repetitions);
                let time = begin.elapsed().as_nanos() as f64 / repetitions as f64;
                // The first round warms caches and branch predictors; it does not count.
                if round > 0 {
                    times.push(time.max(0.001));
                }
            }
        }
        Rounds { nanos }
    }

    /// The same rounds as limits of a subject that could be done only once, in this time.
    pub(crate) fn under(mut self, once: Duration) -> Rounds {
        let rounds = self.count() as usize;
        self.nanos.insert(0, vec![once.as_nanos() as f64; rounds]);
        self
    }

    /// How many rounds counted.
    pub(crate) fn count(&self) -> u32 {
        self.nanos.first().map_or(0, |times| times.len() as u32)
    }

    /// Nanoseconds that one repetition of a side takes.
    pub(crate) fn nanos(&self, side: usize) -> Spread {
        Spread::of(self.nanos.get(side).cloned().unwrap_or_default())
    }

    /// How many repetitions a side does in a second.
    pub(crate) fn per_second(&self, side: usize) -> Spread {
        self.nanos(side).map(|nanos| 1e9 / nanos)
    }

    /// How fast the first side is beside another, judged within each round.
    pub(crate) fn ratio(&self, other: usize) -> Spread {
        let (Some(subject), Some(limit)) = (self.nanos.first(), self.nanos.get(other)) else {
            return Spread::default();
        };
        Spread::of(
            limit
                .iter()
                .zip(subject)
                .map(|(limit, own)| limit / own)
                .collect(),
        )
    }
}

/// How often a number of repetitions is tried.
const CALIBRATIONS: u32 = 3;

fn calibrate(plan: Plan, side: &mut Side<'_>) -> u64 {
    let mut repetitions = 1_u64;
    loop {
        // The quickest of several: a time in which something else had the processor would make
        // all rounds too short.
        let mut took = Duration::MAX;
        for _ in 0..if plan.quick { 1 } else { CALIBRATIONS } {
            let begin = Instant::now();
            side(repetitions);
            took = took.min(begin.elapsed());
        }
        if took * 4 >= plan.round || repetitions >= 1 << 30 {
            let wanted = plan.round.as_secs_f64() / took.as_secs_f64().max(1e-9);
            return ((repetitions as f64 * wanted) as u64).clamp(1, 1 << 30);
        }
        repetitions *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_between_least_and_most() {
        let spread = Spread::of(vec![3.0, 9.0, 1.0]);
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 3.0, 9.0));
        let inverse = spread.map(|value| 9.0 / value);
        assert_eq!((inverse.min, inverse.median, inverse.max), (1.0, 3.0, 9.0));
    }

    #[test]
    fn sides_take_turns_and_do_the_same_number_of_repetitions() {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let plan = Plan::of(true);
        let rounds = Rounds::run(plan, &mut [&mut |n| a.push(n), &mut |n| b.push(n)]);
        let measured = plan.rounds as usize + 1;
        assert_eq!(b.len(), measured);
        assert_eq!(a.get(a.len() - measured..), Some(&b[..]));
        assert!(rounds.ratio(1).median > 0.0);
    }
}
