//! The generic cell rate algorithm of ITU-T I.371, in its virtual scheduling form.
//!
//! Usage is the theoretical arrival time: the monotonic nanosecond at which the key is as good as new.

use super::{Quota, Retry, Step, Usage};
use crate::clock::SECOND;

/// A steady rate with a burst: in any interval `D` at most `burst + rate * D` hits pass.
///
/// Six hits a minute, two of them at once. When the burst is used up, one hit passes every ten seconds:
///
/// ```
/// use weir_rate_limit::{Gcra, Quota, Retry, Step, Usage};
/// const SECOND: u64 = 1_000_000_000;
///
/// let rule = Gcra::new(6, 60, 2).unwrap();
/// let Step::Taken { usage, quota, .. } = rule.take(Usage::NONE, 2, 0) else { panic!() };
/// assert_eq!(quota, Quota { remaining: 0, reset_nanos: 20 * SECOND });
/// let Step::Refused { retry, .. } = rule.take(usage, 1, 4 * SECOND) else { panic!() };
/// assert_eq!(retry, Retry::After(6 * SECOND));
/// assert!(matches!(rule.take(usage, 1, 10 * SECOND), Step::Taken { .. }));
/// ```
///
/// An idle key saves up its burst and no more, however long it is idle:
///
/// ```
/// # use weir_rate_limit::{Gcra, Step, Usage};
/// # const SECOND: u64 = 1_000_000_000;
/// let rule = Gcra::new(6, 60, 2).unwrap();
/// let Step::Taken { usage, .. } = rule.take(Usage::NONE, 2, 0) else { panic!() };
/// let after_an_hour = 3_600 * SECOND;
/// assert!(rule.is_expired(usage, after_an_hour));
/// let Step::Taken { usage, quota, .. } = rule.take(usage, 2, after_an_hour) else { panic!() };
/// assert_eq!(quota.remaining, 0);
/// assert!(matches!(rule.take(usage, 1, after_an_hour), Step::Refused { .. }));
/// ```
///
/// More hits at once than the burst never fit, although the rate alone would let them through in a minute:
///
/// ```
/// # use weir_rate_limit::{Gcra, Quota, Retry, Step, Usage};
/// let rule = Gcra::new(6, 60, 2).unwrap();
/// let quota = Quota { remaining: 2, reset_nanos: 0 };
/// assert_eq!(rule.take(Usage::NONE, 3, 0), Step::Refused { retry: Retry::Never, quota });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// Nanoseconds between hits at the steady rate; at least 1.
    interval: u64,
    /// The most nanoseconds by which the theoretical arrival time may be ahead; 0 if no hit ever passes.
    capacity: u64,
}

impl Gcra {
    /// `requests` in `seconds`, `burst` of them at once. The rate is rounded down, never up. `None` if the burst takes longer
    /// than 146 years to come back at this rate.
    pub fn new(requests: u32, seconds: u64, burst: u32) -> Option<Self> {
        let unit = seconds.max(1).checked_mul(SECOND)?;
        let interval = unit.div_ceil(u64::from(requests.max(1)));
        let burst = if requests == 0 { 0 } else { u64::from(burst) };
        let capacity = interval.checked_mul(burst).filter(|capacity| *capacity < u64::MAX / 4)?;
        Some(Self { interval, capacity })
    }

    /// Takes `hits` if they fit, `now` being nanoseconds of a monotonic clock. Zero hits change nothing and give the quota.
    pub fn take(&self, usage: Usage, hits: u64, now: u64) -> Step {
        let Self { interval, capacity } = *self;
        let arrival = usage.0.max(now);
        let ahead = arrival - now;
        // A usage that cannot be written down does not fit.
        let left = capacity.saturating_sub(ahead).min(u64::MAX - arrival);
        match hits.checked_mul(interval) {
            Some(cost) if cost <= left => Step::Taken {
                usage: Usage(arrival + cost),
                restarted: usage.0 <= now,
                quota: Quota { remaining: (left - cost) / interval.max(1), reset_nanos: ahead + cost },
            },
            cost => {
                let retry = match cost {
                    Some(cost) if cost <= capacity => Retry::After(ahead.saturating_add(cost).saturating_sub(capacity)),
                    _ => Retry::Never,
                };
                Step::Refused { retry, quota: Quota { remaining: left / interval.max(1), reset_nanos: ahead } }
            }
        }
    }

    /// The most hits that a key is ever let through at once: the burst.
    pub fn at_once(&self) -> u64 {
        self.capacity / self.interval.max(1)
    }

    /// Whether `hits` at once ever fit.
    pub fn admits(&self, hits: u64) -> bool {
        hits.checked_mul(self.interval).is_some_and(|cost| cost <= self.capacity)
    }

    /// Whether a key with this usage is as good as one that was never charged.
    pub fn is_expired(&self, usage: Usage, now: u64) -> bool {
        usage.0 <= now
    }

    /// The usage after `hits` were given back.
    pub fn give_back(&self, usage: Usage, hits: u64) -> Usage {
        Usage(usage.0.saturating_sub(hits.saturating_mul(self.interval)))
    }
}
