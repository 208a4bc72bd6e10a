//! Steps of work, counted so that a test can tell that a request costs no more than it may.
//!
//! A step is a comparison of texts, or of keys in a map. Without debug assertions nothing is counted.

#[cfg(debug_assertions)]
use core::sync::atomic::{AtomicU64, Ordering};

#[cfg(debug_assertions)]
static STEPS: AtomicU64 = AtomicU64::new(0);

/// Notes a step.
#[inline(always)]
pub fn step() {
    #[cfg(debug_assertions)]
    STEPS.fetch_add(1, Ordering::Relaxed);
}

/// Steps of this process so far.
#[cfg(debug_assertions)]
#[must_use]
pub fn steps() -> u64 {
    STEPS.load(Ordering::Relaxed)
}
