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
