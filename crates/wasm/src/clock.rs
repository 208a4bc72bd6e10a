//! How long a world has lasted, and how it runs, as it is stored.

use crate::stage::Pace;

/// World milliseconds after which the clock is stored, when nothing else is.
pub(crate) const CLOCK_MS: u64 = 1_000;

/// How long a world has lasted, and how it runs: `<milliseconds> <running|paused> <speed>`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Clock {
    pub(crate) millis: u64,
    /// Absent in a row that an earlier version wrote.
    pub(crate) pace: Option<Pace>,
}

impl Clock {
    /// Reads the row; `None` if it is no clock.
    pub(crate) fn read(row: &[u8]) -> Option<Clock> {
        let mut words = std::str::from_utf8(row).ok()?.split(' ');
        let millis = words.next()?.parse().ok()?;
        let running = words.next().map(|word| word != "paused");
        let speed = words.next().and_then(|word| word.parse().ok());
        let pace = running.zip(speed);
        Some(Clock {
            millis,
            pace: pace.map(|(running, speed)| Pace { running, speed }),
        })
    }

    pub(crate) fn row(self) -> Vec<u8> {
        let pace = self.pace.map_or_else(String::new, |pace| {
            let word = if pace.running { "running" } else { "paused" };
            format!(" {word} {}", pace.speed)
        });
        format!("{}{pace}", self.millis).into_bytes()
    }

    /// Where time goes on when the world is opened again. A later time than the stored one may have
    /// been seen of a world that ran, but not one that much later: it never runs backwards. One that was
    /// paused is stored to the millisecond.
    pub(crate) fn resumed(self) -> u64 {
        match self.pace {
            Some(Pace { running: false, .. }) => self.millis,
            _ => self.millis.saturating_add(CLOCK_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_clock_gains_no_time_and_one_that_ran_never_goes_back() {
        let pace = |running| {
            let speed = 0.25;
            Some(Pace { running, speed })
        };
        let clock = |pace| Clock { millis: 7, pace };
        for (pace, text, resumed) in [
            (pace(false), "7 paused 0.25", 7),
            (pace(true), "7 running 0.25", 7 + CLOCK_MS),
            (None, "7", 7 + CLOCK_MS),
        ] {
            assert_eq!(clock(pace).row(), text.as_bytes());
            assert_eq!(Clock::read(text.as_bytes()), Some(clock(pace)));
            assert_eq!(clock(pace).resumed(), resumed);
        }
        assert_eq!(Clock::read(b"soon"), None);
    }
}
