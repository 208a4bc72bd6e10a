//! The wall clock as the core is told it: it never goes back and never stands still.

use ids::Time;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Reads the time.
#[derive(Debug)]
pub struct Clock {
    last: Time,
    read: Instant,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock {
            last: wall(),
            read: Instant::now(),
        }
    }
}

impl Clock {
    /// The time now. When the machine's clock is set back, time goes on from where it was.
    pub fn now(&mut self) -> Time {
        let read = Instant::now();
        let passed = micros(read.duration_since(self.read));
        self.read = read;
        self.last = wall().max(self.last.plus_micros(passed));
        self.last
    }
}

fn wall() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time(since.map_or(0, micros))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The time that the server keeps its deadlines by, in two parts: what passes since its start,
/// which no setting of the machine's clock moves, and how far that clock is ahead of it.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    start: Time,
    began: Instant,
}

impl Default for Steady {
    fn default() -> Steady {
        Steady {
            start: wall(),
            began: Instant::now(),
        }
    }
}

impl Steady {
    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.at(Instant::now())
    }

    /// Microseconds by which the machine's clock is ahead of [`Steady::now`]; negative when it has
    /// been set back.
    #[must_use]
    pub fn wall_ahead(&self) -> i64 {
        ahead(wall(), self.now())
    }

    fn at(&self, read: Instant) -> Time {
        let passed = read.saturating_duration_since(self.began);
        self.start.plus_micros(micros(passed))
    }
}

fn ahead(wall: Time, now: Time) -> i64 {
    let micros = |micros| i64::try_from(micros).unwrap_or(i64::MAX);
    micros(wall.since(now)) - micros(now.since(wall))
}

#[cfg(test)]
mod tests {
    use super::{Steady, ahead};
    use ids::Time;
    use std::time::Duration;

    #[test]
    fn time_passes_by_what_has_passed_however_the_clock_is_set() {
        let steady = Steady::default();
        let later = steady.at(steady.began + Duration::from_secs(3));
        assert_eq!(later, steady.start.plus_millis(3000));
        // The clock is set an hour on, or back.
        let hour = 3_600_000_000;
        assert_eq!(ahead(later.shifted(hour), later), hour);
        assert_eq!(ahead(later.shifted(-hour), later), -hour);
        assert_eq!(ahead(Time(5), Time(5)), 0);
    }
}
