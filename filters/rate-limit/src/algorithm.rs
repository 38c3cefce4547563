//! What a hit does to the eight bytes of state of one key.
//!
//! Both algorithms encode their state so that the greater number is the greater debt and zero is none; the table can
//! then compare, merge and replace states without knowing which algorithm they belong to.
//!
//! *Fixed window*: the window's number since the epoch in the upper half, the hits in it in the lower half; by the agreed
//! clock. A worker that read it before a window began goes on in the newest window. *GCRA*: the theoretical arrival time in
//! monotonic nanoseconds; in any interval D at most `burst + rate * D` hits pass.

use crate::clock::{Moment, SECOND};

/// The rule of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// At most `limit` hits in each window.
    FixedWindow {
        /// Window length in seconds; at least 1.
        seconds: u64,
        /// Hits in a window.
        limit: u32,
    },
    /// Generic cell rate algorithm.
    Gcra {
        /// Nanoseconds one hit takes to be forgotten; at least 1. Zero hits ever if `capacity` is below it.
        interval: u64,
        /// Nanoseconds of debt a key may have.
        capacity: u64,
    },
}

/// How a key stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Hits left.
    pub(crate) remaining: u64,
    /// Nanoseconds until all hits are back.
    pub(crate) reset: u64,
}

/// The answer to a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It fits.
    Taken {
        /// The state afterwards.
        state: u64,
        /// The debt began anew: whatever was taken earlier can no longer be given back.
        anew: bool,
        /// How the key stands afterwards.
        standing: Standing,
    },
    /// It does not fit; the state stays.
    Refused {
        /// Nanoseconds until it would; `None` if it never does.
        retry: Option<u64>,
        /// How the key stands.
        standing: Standing,
    },
}

impl Algorithm {
    /// GCRA of `requests` in `seconds`, `burst` of them at once. The rate is rounded down, never up. `None` if the
    /// numbers do not fit.
    pub(crate) fn gcra(requests: u32, seconds: u64, burst: u32) -> Option<Self> {
        let unit = seconds.checked_mul(SECOND)?;
        let interval = unit.div_ceil(u64::from(requests.max(1)));
        let burst = if requests == 0 { 0 } else { u64::from(burst) };
        let capacity = interval.checked_mul(burst).filter(|capacity| *capacity < u64::MAX / 4)?;
        Some(Self::Gcra { interval, capacity })
    }

    /// Whether a key in this state is as good as new.
    pub(crate) fn is_spent(&self, state: u64, now: Moment) -> bool {
        match self {
            Self::FixedWindow { seconds, .. } => split(state).0 < window(now, *seconds) || split(state).1 == 0,
            Self::Gcra { .. } => state <= now.mono_nanos,
        }
    }

    /// Whether `hits` at once ever fit.
    pub(crate) fn admits(&self, hits: u64) -> bool {
        match *self {
            Self::FixedWindow { limit, .. } => hits <= u64::from(limit),
            Self::Gcra { interval, capacity } => hits.checked_mul(interval).is_some_and(|cost| cost <= capacity),
        }
    }

    /// Takes `hits` if they fit; zero hits only ask.
    pub(crate) fn take(&self, state: u64, hits: u64, now: Moment) -> Step {
        match *self {
            Self::FixedWindow { seconds, limit } => {
                let (number, count) = current(state, now, seconds);
                let reset = window_end(number, seconds).saturating_sub(now.agreed_nanos);
                let limit = u64::from(limit);
                let after = u64::from(count).saturating_add(hits);
                match u32::try_from(after) {
                    Ok(after) if u64::from(after) <= limit => Step::Taken {
                        state: join(number, after),
                        anew: number != split(state).0,
                        standing: Standing { remaining: limit - u64::from(after), reset },
                    },
                    _ => {
                        let remaining = limit.saturating_sub(u64::from(count));
                        Step::Refused {
                            retry: self.admits(hits).then_some(reset),
                            standing: Standing { remaining, reset },
                        }
                    }
                }
            }
            Self::Gcra { interval, capacity } => {
                let now = now.mono_nanos;
                let base = state.max(now);
                let debt = base - now;
                let left = capacity.saturating_sub(debt);
                match hits.checked_mul(interval) {
                    Some(cost) if cost <= left => Step::Taken {
                        state: base.saturating_add(cost),
                        anew: state <= now,
                        standing: Standing { remaining: (left - cost) / interval.max(1), reset: debt + cost },
                    },
                    cost => {
                        let cost = cost.filter(|_| self.admits(hits));
                        let retry = cost.map(|cost| debt.saturating_add(cost).saturating_sub(capacity));
                        let standing = Standing { remaining: left / interval.max(1), reset: debt };
                        Step::Refused { retry, standing }
                    }
                }
            }
        }
    }

    /// The state after `hits` that did not fit and count all the same. In a window they are hits like others; a debt under
    /// GCRA stays, so that a client which keeps asking is let in at its rate.
    pub(crate) fn force(&self, state: u64, hits: u64, now: Moment) -> u64 {
        match *self {
            Self::FixedWindow { seconds, .. } => {
                let (number, count) = current(state, now, seconds);
                join(number, count.saturating_add(u32::try_from(hits).unwrap_or(u32::MAX)))
            }
            Self::Gcra { .. } => state,
        }
    }

    /// The state after `hits` were given back.
    pub(crate) fn give_back(&self, state: u64, hits: u64) -> u64 {
        match *self {
            Self::FixedWindow { .. } => {
                let (number, count) = split(state);
                join(number, count.saturating_sub(u32::try_from(hits).unwrap_or(u32::MAX)))
            }
            Self::Gcra { interval, .. } => state.saturating_sub(hits.saturating_mul(interval)),
        }
    }
}

fn split(state: u64) -> (u32, u32) {
    let low = u32::try_from(state & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    (u32::try_from(state >> 32).unwrap_or(u32::MAX), low)
}

fn join(number: u32, count: u32) -> u64 {
    u64::from(number) << 32 | u64::from(count)
}

fn window(now: Moment, seconds: u64) -> u32 {
    u32::try_from(now.agreed_nanos / SECOND / seconds.max(1)).unwrap_or(u32::MAX)
}

fn window_end(number: u32, seconds: u64) -> u64 {
    (u64::from(number) + 1).saturating_mul(seconds).saturating_mul(SECOND)
}

/// The window that counts now and the hits in it: the newest one seen, also by a worker that is late.
fn current(state: u64, now: Moment, seconds: u64) -> (u32, u32) {
    let (number, count) = split(state);
    let today = window(now, seconds);
    if number >= today { (number, count) } else { (today, 0) }
}

#[cfg(test)]
mod tests;
