//! Rate limits: Envoy actions to descriptors to windows in a bounded shared table.
//!
//! A request goes through four stages, each of which knows nothing of the next. The actions turn facts into descriptors
//! exactly as Envoy's `rate_limits` do (`compiled/action`). The limit tree finds the limit of each descriptor exactly as
//! envoyproxy/ratelimit does (`compiled/limits`). An algorithm, [`FixedWindow`] or [`Gcra`], says whether hits fit the
//! usage of a key and what the usage is afterwards. The table keeps that usage in compare-and-swap cells that all workers
//! share, and clients cannot raise their number. [`RateLimit`] is the filter that connects them.
//!
//! `config` reads the document, `compiled` is what requests are compared with, `demand` says what each phase fetches,
//! `decide` charges the limits, and everything that metrics, clients and access logs get derives from a `decision`.

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
mod table;
#[cfg(test)]
mod testing;

pub use algorithm::{FixedWindow, Gcra, Quota, Retry, Step, Usage};
pub use filter::{RateLimit, Stream};
