//! The `x-ratelimit-*` headers of draft 03 of "RateLimit Header Fields for HTTP", as Envoy's rate limit filter writes
//! them: what is left of one limit, and the quota policies of all.

use crate::clock::SECOND;
use std::fmt::Write as _;

/// The quota policy of one limit, as the draft calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuotaPolicy<'a> {
    /// Hits in a unit.
    pub(crate) requests: u32,
    /// The unit in seconds; `None` leaves the limit out of the list.
    pub(crate) seconds: Option<u64>,
    /// The limit's name, if it has one.
    pub(crate) name: &'a str,
}

/// Values of the three headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuotaHeaders {
    limit: String,
    remaining: String,
    reset: String,
}

impl QuotaHeaders {
    /// The hits that the limit that decided lets through at once, those left of them and the seconds until they are all
    /// back; and the quota policies of all limits in order.
    #[inline(never)]
    pub(crate) fn new<'a>(
        at_once: u64,
        remaining: u64,
        reset: u64,
        policies: impl Iterator<Item = QuotaPolicy<'a>>,
    ) -> Self {
        let mut limit = at_once.to_string();
        for policy in policies {
            let Some(seconds) = policy.seconds else { continue };
            // Writing to a String cannot fail.
            let _ = write!(limit, ", {};w={seconds}", policy.requests);
            if !policy.name.is_empty() {
                limit.push_str(";name=\"");
                for letter in policy.name.chars() {
                    if matches!(letter, '"' | '\\') {
                        limit.push('\\');
                    }
                    limit.push(letter);
                }
                limit.push('"');
            }
        }
        Self { limit, remaining: remaining.to_string(), reset: reset.to_string() }
    }

    /// The headers by name.
    pub(crate) fn into_pairs(self) -> [(&'static [u8], Vec<u8>); 3] {
        [
            (b"x-ratelimit-limit".as_slice(), self.limit.into_bytes()),
            (b"x-ratelimit-remaining".as_slice(), self.remaining.into_bytes()),
            (b"x-ratelimit-reset".as_slice(), self.reset.into_bytes()),
        ]
    }
}

/// Nanoseconds as whole seconds, rounded up.
pub(crate) fn seconds(nanos: u64) -> u64 {
    nanos.div_ceil(SECOND)
}

#[cfg(test)]
mod tests;
