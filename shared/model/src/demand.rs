//! What a compiled configuration needs to read, per phase, so that the shell fetches exactly that.

use crate::Attribute;
use std::collections::BTreeSet;

/// A moment in a stream's life at which a core is asked something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Request headers have arrived; the only phase that can refuse.
    Request,
    /// Response headers have arrived (from upstream, or of a local reply).
    Response,
    /// The stream has ended and this filter saw its request headers.
    End,
    /// The stream has ended and this filter never saw it: another filter or Envoy itself answered.
    EndUnseen,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 4] = [Self::Request, Self::Response, Self::End, Self::EndUnseen];
}

/// What one phase reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The phase has nothing to do: the shell does not call the core at all.
    pub idle: bool,
    /// The phase does not look at [`crate::Io::now`]: both its clocks are then zero, and the host is not asked.
    pub timeless: bool,
    /// All request headers, every value alone. Not readable in [`Phase::Response`].
    pub request_headers: bool,
    /// All response headers.
    pub response_headers: bool,
    /// All response trailers; readable at the end only.
    pub response_trailers: bool,
    /// Attributes.
    pub attributes: BTreeSet<Attribute>,
}

impl Demand {
    /// A phase in which nothing happens.
    pub fn idle() -> Self {
        Self { idle: true, timeless: true, ..Self::default() }
    }

    /// What both demands need; idle only if both are.
    pub fn union(&self, other: &Self) -> Self {
        Self {
            idle: self.idle && other.idle,
            timeless: self.timeless && other.timeless,
            request_headers: self.request_headers || other.request_headers,
            response_headers: self.response_headers || other.response_headers,
            response_trailers: self.response_trailers || other.response_trailers,
            attributes: self.attributes.union(&other.attributes).cloned().collect(),
        }
    }
}
