//! What is remembered about one stream.

use weir_model::{Filter, Kept};

/// What the parts remember about one stream, and which of them it waits for.
#[derive(Debug)]
pub struct Stream<P: Filter, R: Filter, T: Filter> {
    pub(crate) policy: P::Stream,
    pub(crate) rate_limit: R::Stream,
    pub(crate) telemetry: T::Stream,
    pub(crate) waiting: Option<Gate>,
    /// Whether the request got as far as the rate limit.
    pub(crate) limited: bool,
    pub(crate) kept: Option<Kept>,
}

impl<P: Filter, R: Filter, T: Filter> Default for Stream<P, R, T> {
    fn default() -> Self {
        Self {
            policy: P::Stream::default(),
            rate_limit: R::Stream::default(),
            telemetry: T::Stream::default(),
            waiting: None,
            limited: false,
            kept: None,
        }
    }
}

/// A part that can hold or answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Policy,
    RateLimit,
}
