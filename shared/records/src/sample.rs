//! Taking a share of what happens.

use crate::identity::{draw, mix};
use weir_model::Now;

/// A share between none and all, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// All.
    pub const ALL: Self = Self(1_000_000);

    /// So many millionths; more than all is all.
    #[must_use]
    pub fn of_millionths(millionths: u32) -> Self {
        Self(millionths).min(Self::ALL)
    }

    /// The share as a decimal number such as `0.01`, if it is not all.
    #[must_use]
    pub fn of_some(self) -> Option<String> {
        if self >= Self::ALL {
            return None;
        }
        let digits = format!("0.{:06}", self.0);
        Some(digits.trim_end_matches('0').trim_end_matches('.').to_owned())
    }
}

/// Chooses at random, by a chain of numbers that begins with the clocks.
#[derive(Clone, Debug, Default)]
pub struct Sampler {
    state: Option<u64>,
}

impl Sampler {
    /// Whether this one is of the share. `now`, by both clocks, is asked once.
    #[inline(never)]
    pub fn takes(&mut self, share: Share, now: impl FnOnce() -> Now) -> bool {
        if share >= Share::ALL {
            return true;
        }
        let state = self.state.get_or_insert_with(|| draw(now()));
        *state = mix(*state);
        *state % 1_000_000 < share.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_testing::Rows;

    #[test]
    fn a_share_is_taken() {
        let mut rows = Rows::default();
        for (share, low, high, text) in [
            (0, 0, 0, Some("0")),
            (10_000, 800, 1200, Some("0.01")),
            (500_000, 49_000, 51_000, Some("0.5")),
            (999_999, 99_990, 100_000, Some("0.999999")),
            (1_000_000, 100_000, 100_000, None),
            (u32::MAX, 100_000, 100_000, None),
        ] {
            let (mut sampler, share) = (Sampler { state: Some(7) }, Share::of_millionths(share));
            let taken = (0..100_000).filter(|_| sampler.takes(share, Now::default)).count();
            rows.check(format!("{share:?}: {taken}"), (low..=high).contains(&taken), true);
            rows.check(format!("{share:?}"), share.of_some().as_deref(), text);
        }
    }

    #[test]
    fn samplers_of_different_moments_differ() {
        let draw = |mono_nanos| {
            let mut sampler = Sampler::default();
            let now = || Now { mono_nanos, ..Now::default() };
            (0..64).map(|_| sampler.takes(Share::of_millionths(500_000), now)).collect::<Vec<_>>()
        };
        assert_ne!(draw(1), draw(2));
        assert_eq!(draw(1), draw(1));
    }
}
