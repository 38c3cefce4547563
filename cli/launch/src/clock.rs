//! Deadlines: the only place of this crate that reads a clock.

use std::time::{Duration, Instant};

/// A point in time that something must not outlast.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `duration` from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(now() + duration)
    }

    /// What is left of it; zero once it has passed.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.left().is_zero()
    }
}

/// Tries `attempt` every 20 ms until it gives a value or `within` has passed.
pub fn wait_until<T>(within: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Deadline::after(within);
    loop {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if deadline.passed() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[expect(clippy::disallowed_methods, reason = "this drives processes and sockets of this machine, not a filter")]
fn now() -> Instant {
    Instant::now()
}
