//! What hits do to the usage of one key.
//!
//! Both algorithms encode usage so that the greater number is the greater usage and zero is none. The table can then
//! compare, merge and replace usage without knowing which algorithm it belongs to.

use crate::clock::Moment;

mod fixed_window;
mod gcra;
#[cfg(test)]
mod tests;

pub use fixed_window::FixedWindow;
pub use gcra::Gcra;

/// The usage of one key in eight bytes, as its algorithm encodes it. The greater value is the greater usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usage(pub(crate) u64);

impl Usage {
    /// No usage: a key that was never charged.
    pub const NONE: Self = Self(0);
}

/// What is left of a limit for one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Hits left.
    pub remaining: u64,
    /// Nanoseconds until all hits are back.
    pub reset_nanos: u64,
}

/// When refused hits fit. The order is that of the waits, the longest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retry {
    /// After so many nanoseconds.
    After(u64),
    /// At no time: they are more hits at once than the limit lets through.
    Never,
}

/// What an algorithm says to hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// They fit.
    Taken {
        /// The usage afterwards.
        usage: Usage,
        /// Whether earlier usage had expired, so that hits taken earlier can no longer be given back.
        restarted: bool,
        /// What is left afterwards.
        quota: Quota,
    },
    /// They do not fit; the usage stays as it is.
    Refused {
        /// When they fit.
        retry: Retry,
        /// What is left.
        quota: Quota,
    },
}

/// The algorithm of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// By the agreed clock.
    FixedWindow(FixedWindow),
    /// By the monotonic clock.
    Gcra(Gcra),
}

/// Which usage hits were added to. They can be given back only while that is still the key's usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// A window's number.
    Window(u32),
    /// The generation of a table entry.
    Generation(u32),
}

impl Algorithm {
    /// Whether a key with this usage is as good as one that was never charged.
    pub(crate) fn is_expired(&self, usage: Usage, now: Moment) -> bool {
        match self {
            Self::FixedWindow(rule) => rule.is_expired(usage, now.agreed_nanos),
            Self::Gcra(rule) => rule.is_expired(usage, now.mono_nanos),
        }
    }

    /// The most hits that a key is ever let through at once, so that what remains is a part of it.
    pub(crate) fn at_once(&self) -> u64 {
        match self {
            Self::FixedWindow(rule) => rule.at_once(),
            Self::Gcra(rule) => rule.at_once(),
        }
    }

    /// Whether `hits` at once ever fit.
    pub(crate) fn admits(&self, hits: u64) -> bool {
        match self {
            Self::FixedWindow(rule) => rule.admits(hits),
            Self::Gcra(rule) => rule.admits(hits),
        }
    }

    /// Takes `hits` if they fit. Zero hits change nothing and give the quota.
    pub(crate) fn take(&self, usage: Usage, hits: u64, now: Moment) -> Step {
        match self {
            Self::FixedWindow(rule) => rule.take(usage, hits, now.agreed_nanos),
            Self::Gcra(rule) => rule.take(usage, hits, now.mono_nanos),
        }
    }

    /// The usage after `hits` that did not fit and count all the same. In a window they are hits like others. Under GCRA the
    /// usage stays, so that a client which keeps asking is let in at its rate.
    pub(crate) fn overdraw(&self, usage: Usage, hits: u64, now: Moment) -> Usage {
        match self {
            Self::FixedWindow(rule) => rule.overdraw(usage, hits, now.agreed_nanos),
            Self::Gcra(_) => usage,
        }
    }

    /// The usage after `hits` were given back.
    pub(crate) fn give_back(&self, usage: Usage, hits: u64) -> Usage {
        match self {
            Self::FixedWindow(rule) => rule.give_back(usage, hits),
            Self::Gcra(rule) => rule.give_back(usage, hits),
        }
    }

    /// The receipt for hits that are part of `usage`, in a table entry of that generation.
    pub(crate) fn receipt(&self, usage: Usage, generation: u32) -> Receipt {
        match self {
            Self::FixedWindow(_) => Receipt::Window(fixed_window::window_of(usage)),
            Self::Gcra(_) => Receipt::Generation(generation),
        }
    }
}
