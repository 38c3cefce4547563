//! Istio's standard HTTP metrics from what an Envoy knows at the end of a stream.
//!
//! A stream's facts become a small numeric [`key`], so that a set of labels seen before costs a few lookups and builds no
//! string; only a new key is spelled out into stat names, and how many keys may be new is bounded from the start. The
//! order of work is the order of the modules: `config` says what to count, `demand` what must be read for it, `capture`
//! keeps what the end no longer shows, `known` numbers peers, principals and services, `vouched` says which peers a
//! certificate stands for, `key` packs one stream, `label` spells it out and `rows` owns the series, which Envoy gets at a
//! `pace` and in the order of a `queue`.
//!
//! Names, labels, order and defaults are those of Istio's stats filter (`istio_stats.cc`) and of the page
//! "Istio Standard Metrics".

mod base64;
mod capture;
mod config;
mod demand;
mod flags;
mod intern;
mod key;
mod known;
mod label;
mod pace;
mod peer;
mod queue;
mod row;
mod rows;
mod service;
mod tally;
mod telemetry;
#[cfg(test)]
mod testing;
mod vouched;

pub use base64::decode as decode_base64;
pub use capture::Stream;
pub use flags::short_flags;
pub use label::LABELS;
pub use peer::Peer;
pub use service::Service;
pub use telemetry::Telemetry;
