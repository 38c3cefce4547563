//! The share of requests whose refusals are enforced.
//!
//! Each request is drawn for once, by a hash of the time and of a count: no client can foresee or repeat what it draws, and
//! requests that come in turns are drawn alike.

use weir_config::{Cursor, Value};
use weir_model::Now;

/// Envoy's finest fraction has this denominator.
const MILLION: u32 = 1_000_000;

/// A share of all requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fraction {
    millionths: u32,
    drawn: u64,
}

impl Fraction {
    /// Every request.
    pub(crate) const ALL: Self = Self { millionths: MILLION, drawn: 0 };

    /// Reads a percentage from 0 to 100 with at most four decimals.
    #[inline(never)]
    pub(crate) fn read(at: &Cursor<'_>) -> Option<Self> {
        let percent = match at.value() {
            Value::Number(number) => number.as_f64(),
            _ => return at.problem("expected a percentage from 0 to 100"),
        };
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        let Some(percent) = percent else { return at.problem("expected a percentage from 0 to 100") };
        let exact = percent * 10_000.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to a million")]
        let millionths = (exact + 0.5) as u32;
        if (exact - f64::from(millionths)).abs() > 1e-6 {
            return at.problem("a percentage has at most four decimals: Envoy's finest fraction is a millionth");
        }
        Some(Self { millionths, drawn: 0 })
    }

    /// Whether it takes a draw to know.
    pub(crate) fn is_partial(&self) -> bool {
        0 < self.millionths && self.millionths < MILLION
    }

    /// Whether the next request, at that time, is among them.
    pub(crate) fn draw(&mut self, now: Now) -> bool {
        if !self.is_partial() {
            return self.millionths > 0;
        }
        self.drawn = self.drawn.wrapping_add(1);
        let random = mixed(now.mono_nanos ^ mixed(self.drawn));
        random % u64::from(MILLION) < u64::from(self.millionths)
    }
}

/// The output function of SplitMix64.
fn mixed(seed: u64) -> u64 {
    let mut word = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests;
