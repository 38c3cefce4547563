//! Policy, rate limit and telemetry composed in one module from one document.
//!
//! One VM, one fetch: what the parts demand in a phase is united and read once for all. The order is fixed: policy, then
//! limits, so that a refused request is charged to no limit, and telemetry sees the end of every stream, also of a refused
//! one. The composition ([`Composed`]) knows its parts only as [`Section`]s, so its rules are tested with parts that do
//! nothing but record which method was called.

mod compose;
mod part;
mod section;
mod stream;
mod tcp;

pub use compose::Composed;
pub use section::Section;
pub use stream::Stream;
pub use tcp::TcpSuite;

use weir_policy::Policy;
use weir_rate_limit::RateLimit;
use weir_telemetry::Telemetry;

/// The three filters in one.
pub type Suite = Composed<Policy, RateLimit, Telemetry>;

#[cfg(test)]
mod tests;
