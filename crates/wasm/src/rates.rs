//! Smoothed rates per second of world time: of what is appended, sent and handled.

/// World milliseconds over which rates are smoothed.
const RATE_MS: f64 = 900.0;

/// Rates of a layout's lanes, producers, and groups in lanes, by their numbers.
#[derive(Default)]
pub(crate) struct Rates {
    pub(crate) appended: Column,
    pub(crate) sent: Column,
    pub(crate) handled: Column,
    clock: Clock,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Clock {
    millis: f64,
    /// World milliseconds since the last frame.
    step: f64,
}

impl Rates {
    /// A frame is at this world time.
    pub(crate) fn tick(&mut self, millis: f64) -> Clock {
        let before = self.clock.millis;
        let step = if before > 0.0 { millis - before } else { 0.0 };
        self.clock = Clock {
            millis,
            step: step.max(0.0),
        };
        self.clock
    }
}

/// Rates of one kind of thing.
#[derive(Default)]
pub(crate) struct Column(Vec<Option<(f64, f64)>>);

impl Column {
    /// The rate of a thing whose count is `value` now.
    pub(crate) fn of(&mut self, number: usize, value: f64, clock: Clock) -> f32 {
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        let (last, rate) = self.0[number].get_or_insert((value, 0.0));
        if clock.step > 0.0 {
            let now = (value - *last).max(0.0) * 1_000.0 / clock.step;
            *rate += (now - *rate) * (1.0 - (-clock.step / RATE_MS).exp());
            *last = value;
        }
        if *rate < 0.01 { 0.0 } else { *rate as f32 }
    }
}
