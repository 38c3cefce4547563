//! Fixed windows, as in envoyproxy/ratelimit: a counter that begins at zero in each window.
//!
//! Usage is the window's number since the epoch in the upper half and the hits in it in the lower half. A worker whose
//! time was read before a window began counts in the newest window.

use super::{Quota, Retry, Step, Usage};
use crate::clock::SECOND;

/// At most `limit` hits in each window. Windows begin at multiples of their length since the epoch.
///
/// The third of two hits a minute has to wait for the next window:
///
/// ```
/// use weir_rate_limit::{FixedWindow, Quota, Retry, Step, Usage};
/// const SECOND: u64 = 1_000_000_000;
///
/// let two_a_minute = FixedWindow::new(2, 60);
/// let Step::Taken { usage, quota, .. } = two_a_minute.take(Usage::NONE, 2, 90 * SECOND) else { panic!() };
/// assert_eq!(quota, Quota { remaining: 0, reset_nanos: 30 * SECOND });
/// let Step::Refused { retry, .. } = two_a_minute.take(usage, 1, 100 * SECOND) else { panic!() };
/// assert_eq!(retry, Retry::After(20 * SECOND));
/// let Step::Taken { quota, .. } = two_a_minute.take(usage, 1, 120 * SECOND) else { panic!() };
/// assert_eq!(quota.remaining, 1);
/// ```
///
/// Windows do not slide, so around a boundary twice the limit can pass in a short time:
///
/// ```
/// # use weir_rate_limit::{FixedWindow, Step, Usage};
/// # const SECOND: u64 = 1_000_000_000;
/// let two_a_minute = FixedWindow::new(2, 60);
/// let Step::Taken { usage, .. } = two_a_minute.take(Usage::NONE, 2, 119 * SECOND) else { panic!() };
/// let Step::Taken { quota, .. } = two_a_minute.take(usage, 2, 121 * SECOND) else { panic!() };
/// assert_eq!(quota.remaining, 0);
/// ```
///
/// Hits fit together or not at all. More hits at once than the limit never fit:
///
/// ```
/// # use weir_rate_limit::{FixedWindow, Quota, Retry, Step, Usage};
/// # const SECOND: u64 = 1_000_000_000;
/// let five_an_hour = FixedWindow::new(5, 3_600);
/// let Step::Taken { usage, .. } = five_an_hour.take(Usage::NONE, 3, 0) else { panic!() };
/// let quota = Quota { remaining: 2, reset_nanos: 3_600 * SECOND };
/// assert_eq!(five_an_hour.take(usage, 3, 0), Step::Refused { retry: Retry::After(3_600 * SECOND), quota });
/// assert_eq!(five_an_hour.take(usage, 6, 0), Step::Refused { retry: Retry::Never, quota });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindow {
    limit: u32,
    seconds: u64,
}

impl FixedWindow {
    /// `limit` hits in each window of `seconds`; zero seconds count as one.
    pub const fn new(limit: u32, seconds: u64) -> Self {
        Self { limit, seconds: if seconds == 0 { 1 } else { seconds } }
    }

    /// Takes `hits` if they fit, `now` being nanoseconds since the epoch. Zero hits change nothing and give the quota.
    pub fn take(&self, usage: Usage, hits: u64, now: u64) -> Step {
        let WindowCount { window, hits: before } = self.current(usage, now);
        let reset_nanos = self.end(window).saturating_sub(now);
        let limit = u64::from(self.limit);
        let after = u64::from(before).saturating_add(hits);
        match u32::try_from(after) {
            Ok(count) if after <= limit => Step::Taken {
                usage: WindowCount { window, hits: count }.pack(),
                restarted: window != window_of(usage),
                quota: Quota { remaining: limit - after, reset_nanos },
            },
            _ => Step::Refused {
                retry: if self.admits(hits) { Retry::After(reset_nanos) } else { Retry::Never },
                quota: Quota { remaining: limit.saturating_sub(u64::from(before)), reset_nanos },
            },
        }
    }

    /// The most hits that a key is ever let through at once: all of a window.
    pub fn at_once(&self) -> u64 {
        u64::from(self.limit)
    }

    /// Whether `hits` at once ever fit.
    pub fn admits(&self, hits: u64) -> bool {
        hits <= u64::from(self.limit)
    }

    /// Whether a key with this usage is as good as one that was never charged.
    pub fn is_expired(&self, usage: Usage, now: u64) -> bool {
        let WindowCount { window, hits } = WindowCount::unpack(usage);
        window < self.window(now) || hits == 0
    }

    /// The usage after `hits` that count whether they fit or not.
    pub fn overdraw(&self, usage: Usage, hits: u64, now: u64) -> Usage {
        let WindowCount { window, hits: before } = self.current(usage, now);
        WindowCount { window, hits: before.saturating_add(clamped(hits)) }.pack()
    }

    /// The usage after `hits` were given back.
    pub fn give_back(&self, usage: Usage, hits: u64) -> Usage {
        let WindowCount { window, hits: before } = WindowCount::unpack(usage);
        WindowCount { window, hits: before.saturating_sub(clamped(hits)) }.pack()
    }

    /// The newest window that any worker has counted in, and the hits in it.
    fn current(&self, usage: Usage, now: u64) -> WindowCount {
        let counted = WindowCount::unpack(usage);
        let window = self.window(now);
        if counted.window >= window { counted } else { WindowCount { window, hits: 0 } }
    }

    /// The number of the window at `now`.
    fn window(&self, now: u64) -> u32 {
        u32::try_from(now / SECOND / self.seconds.max(1)).unwrap_or(u32::MAX)
    }

    /// The nanosecond at which a window ends.
    fn end(&self, window: u32) -> u64 {
        (u64::from(window) + 1).saturating_mul(self.seconds).saturating_mul(SECOND)
    }
}

/// Usage as this algorithm reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WindowCount {
    window: u32,
    hits: u32,
}

impl WindowCount {
    fn unpack(usage: Usage) -> Self {
        let hits = u32::try_from(usage.0 & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        Self { window: window_of(usage), hits }
    }

    fn pack(self) -> Usage {
        Usage(u64::from(self.window) << 32 | u64::from(self.hits))
    }
}

/// The number of the window that usage belongs to.
pub(super) fn window_of(usage: Usage) -> u32 {
    u32::try_from(usage.0 >> 32).unwrap_or(u32::MAX)
}

fn clamped(hits: u64) -> u32 {
    u32::try_from(hits).unwrap_or(u32::MAX)
}
