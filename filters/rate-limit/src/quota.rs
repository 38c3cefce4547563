//! The `x-ratelimit-*` headers of draft 03 of "RateLimit Header Fields for HTTP", as Envoy's rate limit filter writes
//! them: the limit with the fewest hits left speaks, all of them are listed.

use crate::algorithm::SECOND;
use std::fmt::Write as _;

/// What one consulted limit says.
#[derive(Clone, Debug)]
pub(crate) struct Quota<'a> {
    /// Hits in a unit.
    pub(crate) requests: u32,
    /// The unit in seconds; `None` leaves the limit out of the list.
    pub(crate) seconds: Option<u64>,
    /// The limit's name, if it has one.
    pub(crate) name: &'a str,
    /// Hits left.
    pub(crate) remaining: u64,
    /// Seconds until they are all back.
    pub(crate) reset: u64,
}

/// Values of the three headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuotaHeaders {
    limit: String,
    remaining: String,
    reset: String,
}

impl QuotaHeaders {
    /// Nothing if no limit was consulted.
    pub(crate) fn new<'a>(quotas: impl Iterator<Item = Quota<'a>> + Clone) -> Option<Self> {
        let least = quotas.clone().min_by_key(|quota| quota.remaining)?;
        let mut limit = least.requests.to_string();
        for quota in quotas {
            let Some(seconds) = quota.seconds else { continue };
            // Writing to a String cannot fail.
            let _ = write!(limit, ", {};w={seconds}", quota.requests);
            if !quota.name.is_empty() {
                limit.push_str(";name=\"");
                for letter in quota.name.chars() {
                    if matches!(letter, '"' | '\\') {
                        limit.push('\\');
                    }
                    limit.push(letter);
                }
                limit.push('"');
            }
        }
        Some(Self { limit, remaining: least.remaining.to_string(), reset: least.reset.to_string() })
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
