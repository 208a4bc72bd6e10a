use core::fmt;

/// A moment, in microseconds since the Unix epoch.
///
/// Time always comes in as an argument; nothing below the shells reads a clock.
/// In a simulated world it is the world's own time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

impl Time {
    /// The moment `millis` milliseconds after the Unix epoch; negative is clamped to 0.
    #[must_use]
    pub fn from_millis(millis: i64) -> Time {
        Time(u64::try_from(millis).unwrap_or(0).saturating_mul(1000))
    }

    /// Whole milliseconds since the Unix epoch, the unit of Kafka's timestamps.
    #[must_use]
    pub fn millis(self) -> i64 {
        i64::try_from(self.0 / 1000).unwrap_or(i64::MAX)
    }

    /// The moment `millis` milliseconds later; saturates.
    #[must_use]
    pub fn plus_millis(self, millis: u64) -> Time {
        Time(self.0.saturating_add(millis.saturating_mul(1000)))
    }

    /// The moment `micros` microseconds later; saturates.
    #[must_use]
    pub fn plus_micros(self, micros: u64) -> Time {
        Time(self.0.saturating_add(micros))
    }

    /// The moment `micros` microseconds later, or earlier when that is negative; saturates.
    #[must_use]
    pub fn shifted(self, micros: i64) -> Time {
        Time(self.0.saturating_add_signed(micros))
    }

    /// Microseconds from `earlier` to this moment; 0 when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}ms", self.0 / 1000, self.0 % 1000)
    }
}
