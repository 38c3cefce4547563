//! Rate limits: Envoy actions to descriptors to windows in a bounded shared table.
//!
//! A request goes through four small machines, each of which knows nothing of the next: the actions turn facts
//! into descriptors exactly as Envoy's `rate_limits` do; the limit tree finds the limit of each descriptor exactly as
//! envoyproxy/ratelimit does; an algorithm says what a hit does to eight bytes of state; and the table keeps those
//! eight bytes in compare-and-swap cells that all workers share, whose number is bounded whatever clients send.
//! [`RateLimit`] puts them in a row.

mod algorithm;
#[cfg(test)]
mod cases;
mod clock;
mod compiled;
mod config;
mod decide;
mod decision;
mod demand;
mod descriptor;
mod filter;
mod filter_state;
mod metrics;
mod quota_headers;
mod reply;
mod shared_value;
mod table;
#[cfg(test)]
mod testing;

pub use algorithm::{FixedWindow, Gcra, Quota, Retry, Step, Usage};
pub use filter::{RateLimit, Stream};
