//! Istio's standard HTTP metrics from what an Envoy knows at the end of a stream.
//!
//! A stream's facts become a small numeric key, so that a set of labels seen before costs a few lookups and builds no
//! string; only a new key is spelled out into stat names, and how many keys may be new is bounded from the start. The
//! order of work is the order of the modules: `config` says what to count, `demand` what must be read for it, `peers`
//! who was at the other end of a stream and which service it was for, `labels` what distinguishes its counts from others,
//! `metrics` what is counted, and `rows` owns the series, which Envoy gets at a pace and in the order of a queue.
//!
//! Names, labels, order and defaults are those of Istio's stats filter (`istio_stats.cc`) and of the page
//! "Istio Standard Metrics".

mod config;
mod demand;
mod filter;
mod labels;
mod metrics;
mod peers;
mod rows;
#[cfg(test)]
mod testing;

pub use filter::Telemetry;
pub use labels::flags::short_flags;
pub use labels::names::LABELS;
pub use peers::base64::decode as decode_base64;
pub use peers::capture::Stream;
pub use peers::peer::Peer;
pub use peers::service::Service;
