//! What the tests of this crate share.

use crate::algorithm::{Algorithm, FixedWindow, Gcra};
use std::fmt::{Debug, Display};

/// `limit` hits in each window of `seconds`.
pub(crate) const fn window(limit: u32, seconds: u64) -> Algorithm {
    Algorithm::FixedWindow(FixedWindow::new(limit, seconds))
}

/// `requests` in `seconds`, `burst` of them at once.
pub(crate) fn gcra(requests: u32, seconds: u64, burst: u32) -> Algorithm {
    Algorithm::Gcra(Gcra::new(requests, seconds, burst).unwrap())
}

/// A small generator, so that a failure can be repeated.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The failing rows of a table. Fails the test with all of them when it goes out of scope.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<String>);

impl Rows {
    /// Looks for what a row expects in the text that it found.
    pub(crate) fn contains(&mut self, name: impl Display, found: &str, expected: &str) {
        if !found.contains(expected) {
            self.0.push(format!("{name}: `{expected}` is not in `{found}`"));
        }
    }

    /// Compares what a row found with what it expects.
    pub(crate) fn check<F: PartialEq<E> + Debug, E: Debug>(&mut self, name: impl Display, found: F, expected: E) {
        if found != expected {
            self.0.push(format!("{name}: found {found:?}, expected {expected:?}"));
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        assert!(self.0.is_empty() || std::thread::panicking(), "failing rows:\n{}", self.0.join("\n"));
    }
}
