//! What the tests of this crate share.

use crate::algorithm::{Algorithm, FixedWindow, Gcra};

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
