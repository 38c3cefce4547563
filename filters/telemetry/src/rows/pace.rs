//! When Envoy may be asked for another stat.
//!
//! Creating a stat stalls the worker: Envoy runs every `stats_tags` expression over its name, which takes from a twentieth
//! of a millisecond to several milliseconds. A name that this Envoy has already is found again in some 0.04 ms. Which
//! it will be cannot be known beforehand, so the pace follows what the latest definitions took. Quick ones go on in
//! batches; after a slow one nothing is defined before the next tick, and once the burst of the start is used up not
//! before a rest in proportion, so that slow definitions delay a fixed small share of all requests.

use std::time::Duration;
use weir_model::Spent;

/// How often waiting series are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(50);
/// A definition that takes longer than this is slow, in nanoseconds.
const SLOW: u64 = 200_000;
/// What one stall may take without delaying anybody noticeably, in nanoseconds.
const UNNOTICED: u64 = 500_000;
/// The rest after a slow definition is so many times the part of it that was noticed: a two hundredth of all requests
/// fall into such a part.
const REST: u64 = 200;
/// Slow definitions that are not followed by a rest: those of a VM's first rows.
const BURST: u32 = 10;
/// All quick definitions of one tick together, in nanoseconds.
const QUICK: u64 = 2_000_000;
/// The most definitions offered at once.
const BATCH: usize = 16;

/// What occasions an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A stream has ended.
    Use,
    /// The timer has fired.
    Tick,
}

impl Occasion {
    /// How long the definitions of one callback may take before the rest are declined, in nanoseconds. Many streams can
    /// end in one turn of the event loop, ticks cannot.
    pub(crate) fn patience(self) -> u64 {
        match self {
            Self::Use => SLOW / 2,
            Self::Tick => UNNOTICED,
        }
    }
}

/// The pace of one VM.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Slow definitions in one tick.
    per_tick: u32,
    /// How many of them are left before the next tick.
    slow: u32,
    /// How much time for quick ones is left before the next tick, in nanoseconds.
    quick: u64,
    burst: u32,
    /// The rest that begins with the next tick, in nanoseconds.
    owed: u64,
    /// When the rest ends, on the monotonic clock.
    rests_until: u64,
    batch: usize,
}

impl Pace {
    pub(crate) fn new(per_tick: u32) -> Self {
        let per_tick = per_tick.max(1);
        Self { per_tick, slow: per_tick, quick: QUICK, burst: BURST, owed: 0, rests_until: 0, batch: 4 }
    }

    /// How many definitions may be offered now.
    pub(crate) fn room(&self) -> usize {
        if self.slow == 0 || self.quick == 0 { 0 } else { self.batch }
    }

    /// Takes note of what the latest definitions took.
    pub(crate) fn spent(&mut self, spent: Spent) {
        if spent.total == 0 {
            return;
        }
        self.quick = self.quick.saturating_sub(spent.total);
        if spent.slowest < SLOW {
            self.batch = (self.batch * 2).min(BATCH);
            return;
        }
        self.batch = 1;
        self.slow = self.slow.saturating_sub(1);
        if self.burst > 0 {
            self.burst -= 1;
            return;
        }
        let rest = spent.slowest.saturating_sub(UNNOTICED).saturating_mul(REST);
        let rest = rest.checked_div(u64::from(self.per_tick)).unwrap_or(rest);
        self.owed = self.owed.saturating_add(rest);
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, mono_nanos: u64) {
        if self.owed > 0 {
            self.rests_until = mono_nanos.saturating_add(self.owed);
            self.owed = 0;
        }
        if mono_nanos >= self.rests_until {
            self.slow = self.per_tick;
            self.quick = QUICK;
        }
    }

    /// Whether everything spent is paid off, so that no tick is needed.
    pub(crate) fn rested(&self) -> bool {
        self.owed == 0 && self.slow == self.per_tick && self.quick == QUICK
    }
}

#[cfg(test)]
mod tests;
