//! One clock for a whole proxy. Only the test moves it: wall time and monotonic time advance together, and wall time may
//! be set off.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A clock that is set, not read off the machine. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock {
    monotonic: Arc<AtomicU64>,
    /// Wall time at monotonic zero, in nanoseconds since the Unix epoch.
    epoch: u64,
    /// By how many nanoseconds wall time is off.
    off: Arc<AtomicI64>,
}

impl Clock {
    /// A clock whose wall time is `start` since the Unix epoch.
    #[must_use]
    pub fn new(start: Duration) -> Self {
        Clock { monotonic: Arc::default(), epoch: nanos(start), off: Arc::default() }
    }

    /// Monotonic nanoseconds since the clock was made.
    #[must_use]
    pub fn monotonic(&self) -> u64 {
        self.monotonic.load(Ordering::SeqCst)
    }

    /// Wall nanoseconds since the Unix epoch.
    #[must_use]
    pub fn wall(&self) -> u64 {
        let true_time = self.epoch.saturating_add(self.monotonic());
        true_time.saturating_add_signed(self.off.load(Ordering::SeqCst))
    }

    /// Sets wall time off from what it would be, by so many nanoseconds.
    pub(crate) fn set_off(&self, nanos: i64) {
        self.off.store(nanos, Ordering::SeqCst);
    }

    /// Moves the clock to a monotonic instant; never back.
    pub(crate) fn reach(&self, monotonic: u64) {
        self.monotonic.fetch_max(monotonic, Ordering::SeqCst);
    }
}

/// A duration in whole nanoseconds, capped.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
